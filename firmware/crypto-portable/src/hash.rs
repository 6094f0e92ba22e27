//! Hashes and HMAC.

use alloc::vec::Vec;

use coloa_engine::{CryptoError, Digest, Hash};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

pub(crate) fn digest(hash: Hash, parts: &[&[u8]]) -> Digest {
    match hash {
        Hash::Sha256 => hashed::<Sha256>(parts),
        Hash::Sha384 => hashed::<Sha384>(parts),
        Hash::Sha512 => hashed::<Sha512>(parts),
        _ => Digest::new(&[]),
    }
}

fn hashed<D: sha2::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hasher = D::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest::new(&hasher.finalize())
}

/// An HMAC key of any length from 1 byte.
pub(crate) struct HmacKey(Zeroizing<Vec<u8>>);

impl HmacKey {
    pub(crate) fn new(secret: &[u8]) -> Result<Self, CryptoError> {
        if secret.is_empty() {
            return Err(CryptoError::Invalid);
        }
        Ok(HmacKey(Zeroizing::new(secret.to_vec())))
    }

    pub(crate) fn mac(&self, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        match hash {
            Hash::Sha256 => self.with::<Hmac<Sha256>>(parts),
            Hash::Sha384 => self.with::<Hmac<Sha384>>(parts),
            Hash::Sha512 => self.with::<Hmac<Sha512>>(parts),
            _ => Err(CryptoError::Unsupported),
        }
    }

    fn with<M: Mac + KeyInit>(&self, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let mut mac = <M as KeyInit>::new_from_slice(&self.0).map_err(|_| CryptoError::Invalid)?;
        parts.iter().for_each(|part| mac.update(part));
        Ok(Digest::new(&mac.finalize().into_bytes()))
    }
}
