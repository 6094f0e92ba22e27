//! The engine's [`Crypto`] trait over AWS-LC, for hosts: the appliance and the embedded token.
//!
//! It trusts AWS-LC and the operating system's randomness. It has no state of its own: random bytes and nonces come from
//! AWS-LC's per-thread CTR_DRBG (SP 800-90A), which survives a fork by reseeding. `ffi` puts AWS-LC's C functions behind
//! safe types, and is the only place with `unsafe`; the other modules check lengths, name errors and run the pairwise
//! tests.
#![deny(unsafe_code)]

mod aes;
mod curve25519;
mod ec;
#[allow(unsafe_code, reason = "the one folder that calls C")]
mod ffi;
mod kdf;
mod kem;
mod key;
mod mldsa;
mod rejection;
mod rsa;
mod sharing;

use aws_lc_rs::rand;
use coloa_engine::crypto::{Kdf, Mode, Padding, SharePoint};
use coloa_engine::{Aead, Crypto, CryptoError, Digest, Feature, Hash, KeyKind, KeyMaterial, PairKind, Scheme};
use zeroize::{Zeroize, Zeroizing};

pub use key::Key;

use ffi::{EcKey, KemKey, RsaKey};
use key::Inner;
use mldsa::Message;
use rsa::Pss;

/// What a fresh pair signs in its pairwise test; as long as a SHA-256 digest.
const PAIRWISE_MESSAGE: &[u8; 32] = b"Co Loa: pairwise consistency....";

/// The provider. It costs nothing to make and nothing to share.
#[derive(Clone, Copy, Default)]
pub struct Native;

impl Native {
    /// A provider.
    pub const fn new() -> Self {
        Native
    }
}

impl Crypto for Native {
    type Key = Key;

    fn split(&self, secret: &[u8], threshold: u8, count: u8) -> Result<Vec<SharePoint>, CryptoError> {
        sharing::split(secret, threshold, count)
    }

    fn join(&self, points: &[SharePoint]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        sharing::join(points)
    }

    fn supports(&self, _feature: Feature) -> bool {
        true
    }

    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        rand::fill(out).map_err(|_| CryptoError::Entropy)
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        ffi::digest(hash, parts)
    }

    fn generate(&self, kind: PairKind) -> Result<KeyMaterial, CryptoError> {
        match kind {
            PairKind::Ec(curve) => ec::generate(curve),
            PairKind::Ed25519 => curve25519::generate_ed25519(),
            PairKind::X25519 => curve25519::generate_x25519(),
            PairKind::MlDsa(set) => mldsa::generate(set),
            PairKind::MlKem(set) => kem::generate(set),
            PairKind::Rsa => Err(CryptoError::Unsupported),
        }
    }

    fn generate_rsa(&self, bits: u32) -> Result<KeyMaterial, CryptoError> {
        rsa::generate(bits)
    }

    fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Key, CryptoError> {
        Key::load(kind, secret)
    }

    fn load_public(&self, kind: PairKind, public: &[u8]) -> Result<Key, CryptoError> {
        Key::load_public(kind, public)
    }

    fn public(&self, kind: PairKind, secret: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match kind {
            PairKind::Ec(curve) => EcKey::from_secret(curve, secret).and_then(|key| key.public()),
            PairKind::Ed25519 => curve25519::ed25519(secret)?.public().map(|public| public.to_vec()),
            PairKind::X25519 => Some(curve25519::x25519(secret)?.public().to_vec()),
            PairKind::MlDsa(set) => mldsa::public(set, secret),
            PairKind::MlKem(set) => KemKey::from_secret(set, secret).and_then(|key| key.public()),
            PairKind::Rsa => RsaKey::from_secret(secret).and_then(|key| key.public()),
        }
        .ok_or(CryptoError::Invalid)
    }

    fn expand(&self, kind: PairKind, seed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match kind {
            PairKind::MlDsa(set) if seed.len() == coloa_engine::crypto::ML_DSA_SEED => {
                ffi::MlDsaKey::from_secret(set, seed).and_then(|key| key.expanded())
            }
            PairKind::MlKem(set) if seed.len() == coloa_engine::crypto::ML_KEM_SEED => {
                KemKey::from_secret(set, seed).and_then(|key| key.expanded())
            }
            _ => None,
        }
        .ok_or(CryptoError::Invalid)
    }

    fn sign(&self, key: &Key, scheme: Scheme<'_>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match (&key.0, scheme) {
            (Inner::EcPrivate(key), Scheme::Ecdsa) => ec::sign(key, message),
            (Inner::Ed25519Private(key), Scheme::Ed25519) => key.sign(message).ok_or(CryptoError::Invalid),
            (Inner::RsaPrivate(key), Scheme::Pkcs1(hash)) => rsa::sign_pkcs1(&key.key, hash, message),
            (Inner::RsaPrivate(key), Scheme::Pss { hash, mgf, salt }) => {
                Pss { hash, mgf, salt }.sign(&key.key, message)
            }
            (Inner::MlDsaPrivate(key), Scheme::MlDsa { context, prehash }) => {
                key.sign(&Message { context, prehash, text: message })
            }
            _ => Err(CryptoError::Invalid),
        }
    }

    fn verify(&self, key: &Key, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match (&key.0, scheme) {
            (Inner::EcPublic(key), Scheme::Ecdsa) => ec::verify(key, message, signature),
            (Inner::Ed25519Public(key), Scheme::Ed25519) => curve25519::verify(key, message, signature),
            (Inner::RsaPublic(key), Scheme::Pkcs1(hash)) => rsa::verify_pkcs1(key, hash, message, signature),
            (Inner::RsaPublic(key), Scheme::Pss { hash, mgf, salt }) => {
                Pss { hash, mgf, salt }.verify(key, message, signature)
            }
            (Inner::MlDsaPublic(key), Scheme::MlDsa { context, prehash }) => {
                key.verify(&Message { context, prehash, text: message }, signature)
            }
            _ => Err(CryptoError::Invalid),
        }
    }

    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let Inner::Hmac(key) = &key.0 else { return Err(CryptoError::Invalid) };
        key.mac(hash, parts).ok_or(CryptoError::Invalid)
    }

    fn cmac(&self, key: &Key, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let Inner::Aes(key) = &key.0 else { return Err(CryptoError::Invalid) };
        key.cmac(parts)
    }

    fn seal(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let Inner::Aes(key) = &key.0 else { return Err(CryptoError::Invalid) };
        key.seal(aead, text)
    }

    fn open(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let opened = match &key.0 {
            Inner::Aes(key) => key.open(aead, text),
            _ => Err(CryptoError::Invalid),
        };
        emptied_on_error(opened, text)
    }

    fn encrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        match &key.0 {
            Inner::Aes(key) => key.encrypt(mode, text),
            Inner::Xts(key) => key.apply(mode, text, true),
            _ => Err(CryptoError::Invalid),
        }
    }

    fn decrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let decrypted = match &key.0 {
            Inner::Aes(key) => key.decrypt(mode, text),
            Inner::Xts(key) => key.apply(mode, text, false),
            _ => Err(CryptoError::Invalid),
        };
        emptied_on_error(decrypted, text)
    }

    fn rsa_encrypt(&self, key: &Key, padding: Padding<'_>, text: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let Inner::RsaPublic(key) = &key.0 else { return Err(CryptoError::Invalid) };
        rsa::encrypt(key, padding, text)
    }

    fn rsa_decrypt(&self, key: &Key, padding: Padding<'_>, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let Inner::RsaPrivate(key) = &key.0 else { return Err(CryptoError::Invalid) };
        key.decrypt(padding, text)
    }

    fn agree(&self, key: &Key, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match &key.0 {
            Inner::EcPrivate(key) => ec::agree(key, peer),
            Inner::X25519Private(key) => curve25519::agree(key, peer),
            _ => Err(CryptoError::Invalid),
        }
    }

    fn encapsulate(&self, key: &Key) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        let Inner::KemPublic(key) = &key.0 else { return Err(CryptoError::Invalid) };
        kem::encapsulate(key)
    }

    fn decapsulate(&self, key: &Key, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let Inner::KemPrivate(key) = &key.0 else { return Err(CryptoError::Invalid) };
        kem::decapsulate(key, ciphertext)
    }

    fn derive(&self, secret: &[u8], kdf: Kdf<'_>, out: &mut [u8]) -> Result<(), CryptoError> {
        kdf::derive(secret, kdf, out)
    }
}

/// Nothing that failed to authenticate is left behind.
fn emptied_on_error(result: Result<(), CryptoError>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
    if result.is_err() {
        text.zeroize();
    }
    result
}

/// Fresh bytes for a seed.
fn random(length: usize) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    rand::fill(&mut bytes).map_err(|_| CryptoError::Entropy)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_engine::Curve;
    use coloa_engine::crypto::{BLOCK, MlDsa, MlKem};

    // Known answers, Wycheproof and refusals run through this provider too, in `crypto-portable/tests`.

    /// Runs `once` often from many threads at the same time, which so race for what is made at the first use as well.
    fn race(once: impl Fn(u8) + Sync) {
        std::thread::scope(|scope| {
            for number in 0..8 {
                let once = &once;
                scope.spawn(move || (0..20).for_each(|_| once(number)));
            }
        });
    }

    fn halves(kind: PairKind, pair: &KeyMaterial) -> (Key, Key) {
        let key = Native.load(KeyKind::Pair(kind), &pair.secret).expect("a key");
        (key, Native.load_public(kind, &pair.public).expect("a key"))
    }

    #[test]
    fn one_key_signs_from_many_threads() {
        let signs = |kind, scheme, pair: KeyMaterial| {
            let (key, public) = halves(kind, &pair);
            race(|number| {
                let signature = Native.sign(&key, scheme, &[number; 32]).expect("a signature");
                assert_eq!(Native.verify(&public, scheme, &[number; 32], &signature), Ok(()));
            });
        };
        let ml_dsa = Scheme::MlDsa { context: &[], prehash: None };
        for (kind, scheme) in [
            (PairKind::Ec(Curve::P256), Scheme::Ecdsa),
            (PairKind::Ed25519, Scheme::Ed25519),
            (PairKind::MlDsa(MlDsa::L44), ml_dsa),
        ] {
            signs(kind, scheme, Native.generate(kind).expect("a pair"));
        }
        signs(PairKind::Rsa, Scheme::Pkcs1(Some(Hash::Sha256)), Native.generate_rsa(2048).expect("a pair"));
    }

    #[test]
    fn one_key_decrypts_and_agrees_from_many_threads() {
        let (rsa, rsa_public) = halves(PairKind::Rsa, &Native.generate_rsa(2048).expect("a pair"));
        let encrypted = Native.rsa_encrypt(&rsa_public, Padding::Pkcs1, b"text").expect("encrypted");
        let answer = Native.rsa_decrypt(&rsa, Padding::Pkcs1, &[1; 256]).expect("an answer");
        let kem = PairKind::MlKem(MlKem::L768);
        let (kem, kem_public) = halves(kem, &Native.generate(kem).expect("a pair"));
        let ec = PairKind::Ec(Curve::P384);
        let pair = Native.generate(ec).expect("a pair");
        let (ec, _) = halves(ec, &pair);
        let agreed = Native.agree(&ec, &pair.public).expect("a secret");
        race(|_| {
            assert_eq!(*Native.rsa_decrypt(&rsa, Padding::Pkcs1, &encrypted).expect("decrypted"), b"text");
            assert_eq!(Native.rsa_decrypt(&rsa, Padding::Pkcs1, &[1; 256]).as_ref(), Ok(&answer));
            let (ciphertext, shared) = Native.encapsulate(&kem_public).expect("a secret");
            assert_eq!(Native.decapsulate(&kem, &ciphertext), Ok(shared));
            assert_eq!(Native.agree(&ec, &pair.public).as_ref(), Ok(&agreed));
        });
    }

    #[test]
    fn one_key_enciphers_and_macs_from_many_threads() {
        let aes = Native.load(KeyKind::Aes, &[1; 32]).expect("a key");
        let hmac = Native.load(KeyKind::Hmac, &[1; 32]).expect("a key");
        let first = Native.load(KeyKind::Aes, &[1; 32]).expect("a key");
        let mac = Native.cmac(&first, &[b"once"]).expect("a MAC");
        let hashed = Native.load(KeyKind::Hmac, &[1; 32]).expect("a key");
        let hashed = Native.mac(&hashed, Hash::Sha512, &[b"once"]).expect("a MAC");
        race(|number| {
            assert_eq!(Native.cmac(&aes, &[b"once"]), Ok(mac));
            assert_eq!(Native.mac(&hmac, Hash::Sha512, &[b"once"]), Ok(hashed));
            for mode in [Mode::Ecb, Mode::CbcPad(&[2; BLOCK]), Mode::Ctr(&[3; BLOCK]), Mode::Kw] {
                let mut text = vec![number; 32];
                Native.encrypt(&aes, mode, &mut text).expect("encrypted");
                Native.decrypt(&aes, mode, &mut text).expect("decrypted");
                assert_eq!(text, [number; 32]);
            }
            for tag in 12..=16 {
                let mut text = vec![number; 100];
                let iv = [number; 12];
                let gcm = Aead { tag, ..Aead::gcm(&iv, b"aad") };
                Native.seal(&aes, &gcm, &mut text).expect("sealed");
                Native.open(&aes, &gcm, &mut text).expect("opened");
                assert_eq!(text, [number; 100]);
            }
        });
    }

    /// Lengths that AWS-LC would round down are not generated as if they had been asked for.
    #[test]
    fn rsa_is_generated_in_the_length_asked_for_or_not_at_all() {
        assert_eq!(Native.generate_rsa(2056).err(), Some(CryptoError::Unsupported));
        let pair = Native.generate_rsa(2176).expect("a pair");
        let (_, public) = halves(PairKind::Rsa, &pair);
        let signature = Native.verify(&public, Scheme::Pkcs1(None), b"", &[1; 272]);
        assert_eq!(signature, Err(CryptoError::Unauthentic), "272 bytes are the right length");
    }
}
