//! The engine's [`Crypto`] trait over RustCrypto, for boards: `no_std`, no C.
//!
//! It trusts RustCrypto's crates (not audited as a whole), and the board's [`Entropy`] to hold what it promises; from
//! that an HMAC_DRBG (SP 800-90A) makes every random byte, under one lock, with new entropy every so often. GCM takes
//! IVs of [`IV`](coloa_engine::crypto::IV) bytes only. Tested against the same vectors as `crypto-native`, and against
//! it.
//!
//! Known limits: `ecdsa` and `rfc6979` leave the per-signature nonce on the stack, unwiped; AES without hardware is
//! bit-sliced, so constant in time but slow.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod drbg;
mod ec;
mod entropy;
mod key;
#[cfg(test)]
#[path = "../tests/vectors/mod.rs"]
mod vectors;

use alloc::vec::Vec;

use coloa_engine::{Crypto, CryptoError, Curve, Digest, Hash, KeyKind, KeyMaterial};
use lock_api::RawMutex;
use p256::NistP256;
use p384::NistP384;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

pub use entropy::{Entropy, EntropyFailure};
pub use key::Key;

use ec::{Ec, HEDGE};
use entropy::Random;
use key::Inner;

/// The shortest and longest digest that ECDSA takes: SHA-1's and SHA-512's.
const DIGEST: core::ops::RangeInclusive<usize> = 20..=64;

/// The provider, over the board's entropy `E` and a lock `L` (a spin lock where there is one thread).
pub struct Portable<E, L: RawMutex> {
    random: Random<E, L>,
}

impl<E: Entropy, L: RawMutex> Portable<E, L> {
    /// Runs the DRBG's known-answer test (SP 800-90A §11.3) and seeds it. `personalization` tells boards apart, a
    /// serial number say; it need not be secret.
    ///
    /// # Errors [`CryptoError::Inconsistent`] when the test fails, [`CryptoError::Entropy`] when the source does: then
    /// there is no provider, and nothing random was given out (R7).
    pub fn new(entropy: E, personalization: &[u8]) -> Result<Self, CryptoError> {
        if !drbg::known_answer() {
            return Err(CryptoError::Inconsistent);
        }
        Ok(Portable { random: Random::new(entropy, personalization)? })
    }

    /// Mixes new entropy into the DRBG at once; it does so by itself after a number of requests.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`]: the source failed; the old state stays.
    pub fn reseed(&self) -> Result<(), CryptoError> {
        self.random.reseed()
    }
}

impl<E, L> Crypto for Portable<E, L>
where
    E: Entropy,
    L: RawMutex + Send + Sync + 'static,
{
    type Key = Key;

    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.random.fill(out)
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        match hash {
            Hash::Sha256 => hashed::<Sha256>(parts),
            Hash::Sha384 => hashed::<Sha384>(parts),
            Hash::Sha512 => hashed::<Sha512>(parts),
        }
    }

    fn generate_ec(&self, curve: Curve) -> Result<KeyMaterial, CryptoError> {
        let random = |out: &mut [u8]| self.random.fill(out);
        match curve {
            Curve::P256 => Ec::<NistP256>::generate(random),
            Curve::P384 => Ec::<NistP384>::generate(random),
        }
    }

    fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Key, CryptoError> {
        Key::load(kind, secret)
    }

    fn public(&self, curve: Curve, secret: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match curve {
            Curve::P256 => Ec::<NistP256>::secret(secret).map(|secret| Ec::<NistP256>::public(&secret)),
            Curve::P384 => Ec::<NistP384>::secret(secret).map(|secret| Ec::<NistP384>::public(&secret)),
        }
    }

    fn valid_point(&self, curve: Curve, point: &[u8]) -> bool {
        match curve {
            Curve::P256 => Ec::<NistP256>::point(point).is_ok(),
            Curve::P384 => Ec::<NistP384>::point(point).is_ok(),
        }
    }

    fn sign(&self, key: &Key, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if !DIGEST.contains(&digest.len()) {
            return Err(CryptoError::Invalid);
        }
        let mut hedge = Zeroizing::new([0; HEDGE]);
        match &key.0 {
            Inner::P256(secret) => {
                self.random.fill(&mut *hedge)?;
                Ok(Ec::<NistP256>::sign(secret, digest, &*hedge))
            }
            Inner::P384(secret) => {
                self.random.fill(&mut *hedge)?;
                Ok(Ec::<NistP384>::sign(secret, digest, &*hedge))
            }
            Inner::Aes(_) | Inner::Hmac(_) => Err(CryptoError::Invalid),
        }
    }

    fn verify(&self, curve: Curve, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if !DIGEST.contains(&digest.len()) {
            return Err(CryptoError::Invalid);
        }
        match curve {
            Curve::P256 => Ec::<NistP256>::verify(point, digest, signature),
            Curve::P384 => Ec::<NistP384>::verify(point, digest, signature),
        }
    }

    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let Inner::Hmac(key) = &key.0 else { return Err(CryptoError::Invalid) };
        key.mac(hash, parts)
    }

    fn seal(&self, key: &Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let Inner::Aes(key) = &key.0 else { return Err(CryptoError::Invalid) };
        key.seal(iv, aad, text)
    }

    fn open(&self, key: &Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let opened = match &key.0 {
            Inner::Aes(key) => key.open(iv, aad, text),
            _ => Err(CryptoError::Invalid),
        };
        let length = if opened.is_ok() { text.len().saturating_sub(coloa_engine::crypto::TAG) } else { 0 };
        text.truncate(length);
        opened
    }
}

fn hashed<D: sha2::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hasher = D::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest::new(&hasher.finalize())
}
