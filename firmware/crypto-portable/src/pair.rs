//! Key pairs of every kind: what each algorithm gives the provider, and what is the same for all of them.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use coloa_engine::crypto::{KeyMaterial, ML_DSA_SEED, ML_KEM_SEED, PairKind, Scheme};
use coloa_engine::{CryptoError, Curve};
use p256::NistP256;
use p384::NistP384;
use p521::NistP521;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{curve25519, ec, mldsa, mlkem};

/// Where random bytes come from.
pub(crate) type Draw<'a> = &'a dyn Fn(&mut [u8]) -> Result<(), CryptoError>;

/// A ciphertext and the secret in it.
pub(crate) type Encapsulated = (Vec<u8>, Zeroizing<Vec<u8>>);

/// Secrets drawn before the source is held to be broken: a scalar is out of range with a chance under 2^-32 (P-256).
const DRAWS: usize = 8;

/// A private key. What its kind cannot do is [`CryptoError::Invalid`].
pub(crate) trait Private: Send + Sync {
    /// The public key, encoded.
    fn public(&self) -> Result<Vec<u8>, CryptoError>;

    /// Signs, with fresh randomness where the scheme takes it.
    fn sign(&self, _scheme: Scheme<'_>, _message: &[u8], _draw: Draw<'_>) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError::Invalid)
    }

    /// The secret shared with the holder of an encoded public key.
    fn agree(&self, _peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::Invalid)
    }

    /// The secret in a ciphertext.
    fn decapsulate(&self, _ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::Invalid)
    }
}

/// A public key. What its kind cannot do is [`CryptoError::Invalid`].
pub(crate) trait Public: Send + Sync {
    /// Checks a signature.
    fn verify(&self, _scheme: Scheme<'_>, _message: &[u8], _signature: &[u8]) -> Result<(), CryptoError> {
        Err(CryptoError::Invalid)
    }

    /// Makes a secret that only the holder of the private key finds.
    fn encapsulate(&self, _draw: Draw<'_>) -> Result<Encapsulated, CryptoError> {
        Err(CryptoError::Invalid)
    }
}

/// Parses a private key.
pub(crate) fn private(kind: PairKind, secret: &[u8]) -> Result<Box<dyn Private>, CryptoError> {
    match kind {
        PairKind::Ec(Curve::P256) => ec::private::<NistP256>(secret),
        PairKind::Ec(Curve::P384) => ec::private::<NistP384>(secret),
        PairKind::Ec(Curve::P521) => ec::private::<NistP521>(secret),
        PairKind::Ed25519 => curve25519::ed25519_private(secret),
        PairKind::X25519 => curve25519::x25519_private(secret),
        PairKind::MlDsa(set) => mldsa::private(set, secret),
        PairKind::MlKem(set) => mlkem::private(set, secret),
        PairKind::Rsa => Err(CryptoError::Unsupported),
    }
}

/// Parses a public key.
pub(crate) fn public(kind: PairKind, encoded: &[u8]) -> Result<Box<dyn Public>, CryptoError> {
    match kind {
        PairKind::Ec(Curve::P256) => ec::public::<NistP256>(encoded),
        PairKind::Ec(Curve::P384) => ec::public::<NistP384>(encoded),
        PairKind::Ec(Curve::P521) => ec::public::<NistP521>(encoded),
        PairKind::Ed25519 => curve25519::ed25519_public(encoded),
        PairKind::X25519 => curve25519::x25519_public(encoded),
        PairKind::MlDsa(set) => mldsa::public(set, encoded),
        PairKind::MlKem(set) => mlkem::public(set, encoded),
        PairKind::Rsa => Err(CryptoError::Unsupported),
    }
}

/// Generates a key pair: draws secrets until one is valid (FIPS 186-5 A.2.2), then tests the pair.
pub(crate) fn generate(kind: PairKind, draw: Draw<'_>) -> Result<KeyMaterial, CryptoError> {
    let mut secret = Zeroizing::new(vec![0; secret_length(kind)?]);
    for _ in 0..DRAWS {
        draw(&mut secret)?;
        cut(kind, &mut secret);
        match private(kind, &secret) {
            Ok(key) => {
                let encoded = key.public()?;
                test(kind, &*key, &encoded, draw)?;
                return Ok(KeyMaterial { secret, public: encoded });
            }
            Err(CryptoError::Invalid) => {}
            Err(other) => return Err(other),
        }
    }
    Err(CryptoError::Entropy)
}

/// Leaves as many bits as the order has: the only one here that does not fill its bytes is P-521's.
fn cut(kind: PairKind, secret: &mut [u8]) {
    if let (PairKind::Ec(Curve::P521), Some(first)) = (kind, secret.first_mut()) {
        *first &= 1;
    }
}

/// Bytes of a secret as it is drawn.
fn secret_length(kind: PairKind) -> Result<usize, CryptoError> {
    match kind {
        PairKind::Ec(curve) => Ok(curve.scalar()),
        PairKind::Ed25519 | PairKind::X25519 => Ok(curve25519::LENGTH),
        PairKind::MlDsa(_) => Ok(ML_DSA_SEED),
        PairKind::MlKem(_) => Ok(ML_KEM_SEED),
        PairKind::Rsa => Err(CryptoError::Unsupported),
    }
}

/// The pairwise consistency test (FIPS 140-3 IG 10.3.A) of a private key and a public one, as it is encoded.
fn test(kind: PairKind, ours: &dyn Private, encoded: &[u8], draw: Draw<'_>) -> Result<(), CryptoError> {
    let theirs = public(kind, encoded).map_err(|_| CryptoError::Inconsistent)?;
    match kind {
        PairKind::Ec(_) => signs(ours, &*theirs, Scheme::Ecdsa, draw),
        PairKind::Ed25519 => signs(ours, &*theirs, Scheme::Ed25519, draw),
        PairKind::MlDsa(_) => signs(ours, &*theirs, Scheme::MlDsa { context: &[], prehash: None }, draw),
        PairKind::MlKem(_) => {
            let (ciphertext, secret) = theirs.encapsulate(draw)?;
            let found = ours.decapsulate(&ciphertext).map_err(|_| CryptoError::Inconsistent)?;
            same(&found, &secret)
        }
        PairKind::X25519 => {
            let other = private(kind, &MESSAGE)?;
            let ours = ours.agree(&other.public()?).map_err(|_| CryptoError::Inconsistent)?;
            let theirs = other.agree(encoded).map_err(|_| CryptoError::Inconsistent)?;
            same(&ours, &theirs)
        }
        PairKind::Rsa => Err(CryptoError::Unsupported),
    }
}

/// What is signed, and the secret of the one that is agreed with.
const MESSAGE: [u8; 32] = *b"Co Loa: pairwise consistency....";

/// The public key verifies what the private one signs.
fn signs(private: &dyn Private, public: &dyn Public, scheme: Scheme<'_>, draw: Draw<'_>) -> Result<(), CryptoError> {
    let signature = private.sign(scheme, &MESSAGE, draw)?;
    public.verify(scheme, &MESSAGE, &signature).map_err(|_| CryptoError::Inconsistent)
}

fn same(ours: &[u8], theirs: &[u8]) -> Result<(), CryptoError> {
    if bool::from(ours.ct_eq(theirs)) { Ok(()) } else { Err(CryptoError::Inconsistent) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_engine::crypto::{MlDsa, MlKem};

    /// Every kind there is here.
    const KINDS: [PairKind; 11] = [
        PairKind::Ec(Curve::P256),
        PairKind::Ec(Curve::P384),
        PairKind::Ec(Curve::P521),
        PairKind::Ed25519,
        PairKind::X25519,
        PairKind::MlDsa(MlDsa::L44),
        PairKind::MlDsa(MlDsa::L65),
        PairKind::MlDsa(MlDsa::L87),
        PairKind::MlKem(MlKem::L512),
        PairKind::MlKem(MlKem::L768),
        PairKind::MlKem(MlKem::L1024),
    ];

    /// A source that fills each draw with one of these bytes, one after the other.
    fn source(draws: &[u8]) -> impl Fn(&mut [u8]) -> Result<(), CryptoError> {
        let draws = std::cell::RefCell::new(draws.to_vec());
        move |out| {
            let mut draws = draws.borrow_mut();
            if draws.is_empty() {
                return Err(CryptoError::Entropy);
            }
            out.fill(draws.remove(0));
            Ok(())
        }
    }

    #[test]
    fn the_pairwise_test_can_fail() {
        for kind in KINDS {
            let [ours, other] = [1, 2].map(|byte| {
                let mut secret = vec![byte; secret_length(kind).expect("a length")];
                secret[0] = 0; // below the order of P-521
                private(kind, &secret).expect("a key")
            });
            let draw = |out: &mut [u8]| source(&[3])(out);
            assert_eq!(
                test(kind, &*ours, &other.public().expect("encoded"), &draw),
                Err(CryptoError::Inconsistent),
                "{kind:?}"
            );
            assert_eq!(test(kind, &*ours, &[], &draw), Err(CryptoError::Inconsistent), "{kind:?}");
            assert_eq!(test(kind, &*ours, &ours.public().expect("encoded"), &draw), Ok(()), "{kind:?}");
        }
    }

    #[test]
    fn scalars_out_of_range_are_drawn_again() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let pair = generate(PairKind::Ec(curve), &source(&[0, 0xff, 4, 9])).expect("a pair");
            assert_eq!(pair.secret.last(), Some(&4), "{curve:?}");
        }
    }

    #[test]
    fn every_bit_of_p_521_is_drawn() {
        let pair = generate(PairKind::Ec(Curve::P521), &source(&[0x55, 9])).expect("a pair");
        assert_eq!(pair.secret[..2], [1, 0x55]);
    }

    #[test]
    fn a_stuck_source_gives_no_key() {
        for kind in KINDS {
            assert_eq!(generate(kind, &source(&[])).err(), Some(CryptoError::Entropy), "{kind:?}");
        }
        let stuck = |_: &mut [u8]| Ok(());
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            assert_eq!(generate(PairKind::Ec(curve), &stuck).err(), Some(CryptoError::Entropy), "{curve:?}");
        }
    }
}
