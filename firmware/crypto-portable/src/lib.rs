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

mod aes;
mod ccm;
mod curve25519;
mod drbg;
mod ec;
mod entropy;
mod hash;
mod key;
mod mldsa;
mod mlkem;
mod modes;
mod pair;
#[cfg(test)]
#[path = "../tests/vectors/mod.rs"]
mod vectors;
mod xts;

use alloc::vec::Vec;

use coloa_engine::crypto::{Aead, Feature, Kdf, KeyKind, KeyMaterial, Mode, PairKind, Scheme};
use coloa_engine::{Crypto, CryptoError, Digest, Hash};
use lock_api::RawMutex;
use zeroize::{Zeroize, Zeroizing};

pub use entropy::{Entropy, EntropyFailure};
pub use key::Key;

use entropy::Random;

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

    fn supports(&self, feature: Feature) -> bool {
        match feature {
            Feature::Core | Feature::Sha2Short | Feature::Sha3 | Feature::Kdf => true,
            Feature::AesModes | Feature::Xts | Feature::Ccm | Feature::Cmac | Feature::KeyWrap => true,
            Feature::P521 | Feature::Ecdh | Feature::Ed25519 | Feature::X25519 => true,
            Feature::MlDsa | Feature::MlKem => true,
            // The `rsa` crate's private operations leak through their timing (RUSTSEC-2023-0071); to `aes-gcm` the lengths
            // of IV and tag are types, so that it takes none that come at run time.
            Feature::Rsa | Feature::GcmAny => false,
        }
    }

    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.random.fill(out)
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        hash::digest(hash, parts)
    }

    fn generate(&self, kind: PairKind) -> Result<KeyMaterial, CryptoError> {
        pair::generate(kind, &|out: &mut [u8]| self.random.fill(out))
    }

    fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Key, CryptoError> {
        Key::load(kind, secret)
    }

    fn load_public(&self, kind: PairKind, public: &[u8]) -> Result<Key, CryptoError> {
        Key::load_public(kind, public)
    }

    fn public(&self, kind: PairKind, secret: &[u8]) -> Result<Vec<u8>, CryptoError> {
        pair::private(kind, secret)?.public()
    }

    fn sign(&self, key: &Key, scheme: Scheme<'_>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        key.private()?.sign(scheme, message, &|out: &mut [u8]| self.random.fill(out))
    }

    fn verify(&self, key: &Key, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        key.public()?.verify(scheme, message, signature)
    }

    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        key.hmac()?.mac(hash, parts)
    }

    fn cmac(&self, key: &Key, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        Ok(modes::cmac(key.aes()?.block(), parts))
    }

    fn seal(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        key.aes()?.seal(aead, text)
    }

    fn open(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let opened = key.aes().and_then(|key| key.open(aead, text));
        match opened {
            Ok(()) => text.truncate(text.len().saturating_sub(aead.tag)),
            Err(_) => text.zeroize(),
        }
        opened
    }

    fn encrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        key.encrypt(mode, text)
    }

    fn decrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let decrypted = key.decrypt(mode, text);
        if decrypted.is_err() {
            text.zeroize();
        }
        decrypted
    }

    fn agree(&self, key: &Key, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        key.private()?.agree(peer)
    }

    fn encapsulate(&self, key: &Key) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        key.public()?.encapsulate(&|out: &mut [u8]| self.random.fill(out))
    }

    fn decapsulate(&self, key: &Key, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        key.private()?.decapsulate(ciphertext)
    }

    fn derive(&self, secret: &[u8], kdf: Kdf<'_>, out: &mut [u8]) -> Result<(), CryptoError> {
        hash::derive(secret, kdf, out)
    }
}
