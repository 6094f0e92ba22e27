//! The engine's [`Crypto`] trait over AWS-LC, for hosts: the appliance and the embedded token.
//!
//! It trusts AWS-LC and the operating system's randomness. It has no state of its own: random bytes and ECDSA nonces
//! come from AWS-LC's per-thread CTR_DRBG (SP 800-90A), which survives a fork by reseeding. GCM takes IVs of [`IV`]
//! bytes only. `unsafe` is in `ffi.rs` alone.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "the one file that calls C")]
mod ffi;
mod key;

use aws_lc_rs::{aead, digest, rand};
use coloa_engine::crypto::{IV, TAG};
use coloa_engine::{Crypto, CryptoError, Curve, Digest, Hash, KeyKind, KeyMaterial};

pub use key::Key;

use ffi::EcKey;
use key::Inner;

/// The shortest and longest digest that ECDSA takes: SHA-1's and SHA-512's.
const DIGEST: core::ops::RangeInclusive<usize> = 20..=64;

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

    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        rand::fill(out).map_err(|_| CryptoError::Entropy)
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        let algorithm = match hash {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        let mut context = digest::Context::new(algorithm);
        parts.iter().for_each(|part| context.update(part));
        Digest::new(context.finish().as_ref())
    }

    fn generate_ec(&self, curve: Curve) -> Result<KeyMaterial, CryptoError> {
        let key = EcKey::generate(curve).ok_or(CryptoError::Entropy)?;
        let secret = key.secret().ok_or(CryptoError::Inconsistent)?;
        let public = key.public().ok_or(CryptoError::Inconsistent)?;
        test_pair(curve, &secret, &public)?;
        Ok(KeyMaterial { secret, public })
    }

    fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Key, CryptoError> {
        Key::load(kind, secret)
    }

    fn public(&self, curve: Curve, secret: &[u8]) -> Result<Vec<u8>, CryptoError> {
        EcKey::from_secret(curve, secret).and_then(|key| key.public()).ok_or(CryptoError::Invalid)
    }

    fn valid_point(&self, curve: Curve, point: &[u8]) -> bool {
        EcKey::from_point(curve, point).is_some()
    }

    fn sign(&self, key: &Key, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let Inner::Ec(key) = &key.0 else { return Err(CryptoError::Invalid) };
        if !DIGEST.contains(&digest.len()) {
            return Err(CryptoError::Invalid);
        }
        key.sign(digest).ok_or(CryptoError::Entropy)
    }

    fn verify(&self, curve: Curve, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let key = EcKey::from_point(curve, point).ok_or(CryptoError::Invalid)?;
        if !DIGEST.contains(&digest.len()) || signature.len() != 2 * curve.scalar() {
            return Err(CryptoError::Invalid);
        }
        key.verify(digest, signature).then_some(()).ok_or(CryptoError::Unauthentic)
    }

    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let Inner::Hmac(key) = &key.0 else { return Err(CryptoError::Invalid) };
        let mut context = key.context(hash);
        parts.iter().for_each(|part| context.update(part));
        Ok(Digest::new(context.sign().as_ref()))
    }

    fn seal(&self, key: &Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let (key, nonce) = gcm(key, iv)?;
        // More than 2^39 - 256 bits (SP 800-38D §5.2.1.1) is the one thing AWS-LC refuses here.
        let tag = key.seal_in_place_separate_tag(nonce, aead::Aad::from(aad), text);
        text.extend_from_slice(tag.map_err(|_| CryptoError::Invalid)?.as_ref());
        Ok(())
    }

    fn open(&self, key: &Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let opened = gcm(key, iv).and_then(|(key, nonce)| {
            let plain = key.open_in_place(nonce, aead::Aad::from(aad), text);
            plain.map(|_| ()).map_err(|_| CryptoError::Unauthentic)
        });
        let length = if opened.is_ok() { text.len().saturating_sub(TAG) } else { 0 };
        text.truncate(length);
        opened
    }
}

/// The pairwise consistency test (FIPS 140-3 IG 10.3.A): the public key verifies what the secret key, read back from
/// its bytes, signs.
fn test_pair(curve: Curve, secret: &[u8], public: &[u8]) -> Result<(), CryptoError> {
    const MESSAGE: [u8; 32] = *b"Co Loa: pairwise consistency....";
    let signer = EcKey::from_secret(curve, secret).ok_or(CryptoError::Inconsistent)?;
    let verifier = EcKey::from_point(curve, public).ok_or(CryptoError::Inconsistent)?;
    let signature = signer.sign(&MESSAGE).ok_or(CryptoError::Entropy)?;
    verifier.verify(&MESSAGE, &signature).then_some(()).ok_or(CryptoError::Inconsistent)
}

fn gcm<'k>(key: &'k Key, iv: &[u8]) -> Result<(&'k aead::LessSafeKey, aead::Nonce), CryptoError> {
    let Inner::Aes(key) = &key.0 else { return Err(CryptoError::Invalid) };
    let iv: [u8; IV] = iv.try_into().map_err(|_| CryptoError::Unsupported)?;
    Ok((key, aead::Nonce::assume_unique_for_key(iv)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Known answers, Wycheproof and refusals run through this provider too, in `crypto-portable/tests`.

    #[test]
    fn the_pairwise_test_can_fail() {
        for curve in [Curve::P256, Curve::P384] {
            let (ours, other) = (Native.generate_ec(curve), Native.generate_ec(curve));
            let (ours, other) = (ours.expect("a pair"), other.expect("a pair"));
            assert_eq!(test_pair(curve, &ours.secret, &other.public), Err(CryptoError::Inconsistent));
            assert_eq!(test_pair(curve, &ours.secret, &ours.public), Ok(()));
        }
    }

    #[test]
    fn one_key_signs_and_macs_from_many_threads() {
        let pair = Native.generate_ec(Curve::P256).expect("a pair");
        let key = Native.load(KeyKind::Ec(Curve::P256), &pair.secret).expect("a key");
        let hmac = Native.load(KeyKind::Hmac, &[1; 32]).expect("a key");
        let mac = Native.mac(&hmac, Hash::Sha512, &[b"once"]).expect("a MAC");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (key, hmac, public) = (&key, &hmac, &pair.public);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let signature = Native.sign(key, &[number; 32]).expect("a signature");
                        assert_eq!(Native.verify(Curve::P256, public, &[number; 32], &signature), Ok(()));
                        assert_eq!(Native.mac(hmac, Hash::Sha512, &[b"once"]), Ok(mac));
                    }
                });
            }
        });
    }
}
