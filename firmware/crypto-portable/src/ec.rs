//! Key pairs and ECDSA on any of RustCrypto's prime curves; never audited as a whole, so label it so.

use alloc::vec::Vec;
use core::marker::PhantomData;

use coloa_engine::{CryptoError, KeyMaterial};
use ecdsa::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use ecdsa::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, PublicKey, SecretKey};
use ecdsa::{EcdsaCurve, Signature, hazmat};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// SEC 1 §2.3.3: what an uncompressed point begins with.
const UNCOMPRESSED: u8 = 4;
/// Scalars drawn before the source is held to be broken: one is out of range with a chance under 2^-32 (P-256).
const DRAWS: usize = 8;
/// Bytes of the longest scalar, P-384's.
const MAX_SCALAR: usize = 48;
/// Fresh randomness mixed into each ECDSA nonce.
pub(crate) const HEDGE: usize = 32;

/// The functions of one curve.
pub(crate) struct Ec<C>(PhantomData<C>);

impl<C> Ec<C>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    /// A scalar of exactly the curve's length in `1..n`.
    pub(crate) fn secret(bytes: &[u8]) -> Result<SecretKey<C>, CryptoError> {
        if bytes.len() != scalar_length::<C>() {
            return Err(CryptoError::Invalid);
        }
        SecretKey::from_slice(bytes).map_err(|_| CryptoError::Invalid)
    }

    /// An uncompressed point on the curve, not at infinity (SP 800-56A §5.6.2.3.4).
    pub(crate) fn point(bytes: &[u8]) -> Result<PublicKey<C>, CryptoError> {
        let length = scalar_length::<C>().saturating_mul(2).saturating_add(1);
        if bytes.len() != length || bytes.first() != Some(&UNCOMPRESSED) {
            return Err(CryptoError::Invalid);
        }
        PublicKey::from_sec1_bytes(bytes).map_err(|_| CryptoError::Invalid)
    }

    /// The uncompressed public point.
    pub(crate) fn public(secret: &SecretKey<C>) -> Vec<u8> {
        secret.public_key().to_sec1_point(false).as_bytes().to_vec()
    }

    /// A key pair by rejection sampling (FIPS 186-5 A.2.2), after its pairwise consistency test.
    pub(crate) fn generate(random: impl Fn(&mut [u8]) -> Result<(), CryptoError>) -> Result<KeyMaterial, CryptoError> {
        let mut buffer = Zeroizing::new([0; MAX_SCALAR]);
        let bytes = buffer.get_mut(..scalar_length::<C>()).ok_or(CryptoError::Unsupported)?;
        for _ in 0..DRAWS {
            random(bytes)?;
            if let Ok(secret) = Self::secret(bytes) {
                let mut hedge = Zeroizing::new([0; HEDGE]);
                random(&mut *hedge)?;
                let public = Self::public(&secret);
                Self::test_pair(&secret, &public, &*hedge)?;
                return Ok(KeyMaterial { secret: Zeroizing::new(bytes.to_vec()), public });
            }
        }
        Err(CryptoError::Entropy)
    }

    /// Signs a digest. The nonce is RFC 6979's, hedged with fresh randomness as its §3.6 allows (`k'`), so neither a
    /// repeated random number nor a fault in a repeated computation gives the key away.
    pub(crate) fn sign(secret: &SecretKey<C>, digest: &[u8], hedge: &[u8]) -> Vec<u8> {
        let mut scalar = secret.to_nonzero_scalar();
        let (signature, _) = hazmat::sign_prehashed_rfc6979::<C, Sha256>(&scalar, digest, hedge);
        scalar.zeroize();
        let (r, s) = signature.split_bytes();
        [r.as_slice(), s.as_slice()].concat()
    }

    /// Checks `r ‖ s`; out-of-range halves are not authentic.
    pub(crate) fn verify(point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let point = Self::point(point)?;
        let (r, s) = signature.split_at_checked(scalar_length::<C>()).ok_or(CryptoError::Invalid)?;
        let half = |bytes: &[u8]| FieldBytes::<C>::try_from(bytes).map_err(|_| CryptoError::Invalid);
        let signature = Signature::from_scalars(half(r)?, half(s)?).map_err(|_| CryptoError::Unauthentic)?;
        hazmat::verify_prehashed::<C>(&point.to_projective(), digest, &signature).map_err(|_| CryptoError::Unauthentic)
    }

    /// The pairwise consistency test (FIPS 140-3 IG 10.3.A).
    fn test_pair(secret: &SecretKey<C>, public: &[u8], hedge: &[u8]) -> Result<(), CryptoError> {
        const MESSAGE: [u8; 32] = *b"Co Loa: pairwise consistency....";
        let signature = Self::sign(secret, &MESSAGE, hedge);
        Self::verify(public, &MESSAGE, &signature).map_err(|_| CryptoError::Inconsistent)
    }
}

/// Bytes of a scalar and of a coordinate, which are the same on the curves of this crate.
fn scalar_length<C: ecdsa::elliptic_curve::Curve>() -> usize {
    use ecdsa::elliptic_curve::array::typenum::Unsigned;
    FieldBytesSize::<C>::USIZE
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::NistP256;

    /// A source that gives these bytes, one after the other.
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
        let (ours, other) = (Ec::<NistP256>::secret(&[1; 32]), Ec::<NistP256>::secret(&[2; 32]));
        let (ours, other) = (ours.expect("a scalar"), other.expect("a scalar"));
        let public = Ec::public(&other);
        assert_eq!(Ec::test_pair(&ours, &public, &[0; HEDGE]), Err(CryptoError::Inconsistent));
        assert_eq!(Ec::test_pair(&other, &public, &[0; HEDGE]), Ok(()));
    }

    #[test]
    fn scalars_out_of_range_are_drawn_again() {
        let pair = Ec::<NistP256>::generate(source(&[0, 0xff, 5, 9])).expect("a pair");
        assert_eq!(*pair.secret, [5; 32]);
    }

    #[test]
    fn a_stuck_source_gives_no_key() {
        assert_eq!(Ec::<NistP256>::generate(|_| Ok(())).err(), Some(CryptoError::Entropy));
        assert_eq!(Ec::<NistP256>::generate(source(&[5])).err(), Some(CryptoError::Entropy));
    }
}
