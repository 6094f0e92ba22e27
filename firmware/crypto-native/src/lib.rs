//! The engine's [`Crypto`] trait over AWS-LC, for hosts: the appliance and the embedded token.
//!
//! It trusts AWS-LC and the operating system's randomness. It has no state of its own: random bytes and ECDSA nonces
//! come from AWS-LC's per-thread CTR_DRBG (SP 800-90A), which survives a fork by reseeding. GCM takes IVs of [`IV`]
//! bytes only. `unsafe` is in `ffi` alone.
#![deny(unsafe_code)]

mod ec;
#[allow(unsafe_code, reason = "the one folder that calls C")]
mod ffi;
mod key;

use aws_lc_rs::{aead, digest, rand};
use coloa_engine::crypto::{AeadMode, IV, TAG};
use coloa_engine::{Aead, Crypto, CryptoError, Digest, Feature, Hash, KeyKind, KeyMaterial, PairKind, Scheme};

pub use key::Key;

use ffi::EcKey;
use key::Inner;

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

    fn supports(&self, feature: Feature) -> bool {
        matches!(feature, Feature::Core | Feature::P521)
    }

    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        rand::fill(out).map_err(|_| CryptoError::Entropy)
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        let algorithm = match hash {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
            _ => return Digest::new(&[]),
        };
        let mut context = digest::Context::new(algorithm);
        parts.iter().for_each(|part| context.update(part));
        Digest::new(context.finish().as_ref())
    }

    fn generate(&self, kind: PairKind) -> Result<KeyMaterial, CryptoError> {
        match kind {
            PairKind::Ec(curve) => ec::generate(curve),
            _ => Err(CryptoError::Unsupported),
        }
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
            _ => return Err(CryptoError::Unsupported),
        }
        .ok_or(CryptoError::Invalid)
    }

    fn sign(&self, key: &Key, scheme: Scheme<'_>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match (&key.0, scheme) {
            (Inner::EcPrivate(key), Scheme::Ecdsa) => ec::sign(key, message),
            _ => Err(CryptoError::Invalid),
        }
    }

    fn verify(&self, key: &Key, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match (&key.0, scheme) {
            (Inner::EcPublic(key), Scheme::Ecdsa) => ec::verify(key, message, signature),
            _ => Err(CryptoError::Invalid),
        }
    }

    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let Inner::Hmac(key) = &key.0 else { return Err(CryptoError::Invalid) };
        let mut context = key.context(hash).ok_or(CryptoError::Unsupported)?;
        parts.iter().for_each(|part| context.update(part));
        Ok(Digest::new(context.sign().as_ref()))
    }

    fn seal(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let (key, nonce) = gcm(key, aead)?;
        // More than 2^39 - 256 bits (SP 800-38D §5.2.1.1) is the one thing AWS-LC refuses here.
        let tag = key.seal_in_place_separate_tag(nonce, aead::Aad::from(aead.aad), text);
        text.extend_from_slice(tag.map_err(|_| CryptoError::Length)?.as_ref());
        Ok(())
    }

    fn open(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let opened = gcm(key, aead).and_then(|(key, nonce)| {
            let plain = key.open_in_place(nonce, aead::Aad::from(aead.aad), text);
            plain.map(|_| ()).map_err(|_| CryptoError::Unauthentic)
        });
        let length = if opened.is_ok() { text.len().saturating_sub(TAG) } else { 0 };
        text.truncate(length);
        opened
    }
}

fn gcm<'k>(key: &'k Key, aead: &Aead<'_>) -> Result<(&'k aead::LessSafeKey, aead::Nonce), CryptoError> {
    let Inner::Aes(key) = &key.0 else { return Err(CryptoError::Invalid) };
    if aead.mode != AeadMode::Gcm || aead.tag != TAG {
        return Err(CryptoError::Unsupported);
    }
    let iv: [u8; IV] = aead.iv.try_into().map_err(|_| CryptoError::Unsupported)?;
    Ok((key, aead::Nonce::assume_unique_for_key(iv)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Known answers, Wycheproof and refusals run through this provider too, in `crypto-portable/tests`.

    #[test]
    fn one_key_signs_and_macs_from_many_threads() {
        let kind = PairKind::Ec(coloa_engine::Curve::P256);
        let pair = Native.generate(kind).expect("a pair");
        let key = Native.load(KeyKind::Pair(kind), &pair.secret).expect("a key");
        let public = Native.load_public(kind, &pair.public).expect("a key");
        let hmac = Native.load(KeyKind::Hmac, &[1; 32]).expect("a key");
        let mac = Native.mac(&hmac, Hash::Sha512, &[b"once"]).expect("a MAC");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (key, hmac, public) = (&key, &hmac, &public);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let signature = Native.sign(key, Scheme::Ecdsa, &[number; 32]).expect("a signature");
                        assert_eq!(Native.verify(public, Scheme::Ecdsa, &[number; 32], &signature), Ok(()));
                        assert_eq!(Native.mac(hmac, Hash::Sha512, &[b"once"]), Ok(mac));
                    }
                });
            }
        });
    }
}
