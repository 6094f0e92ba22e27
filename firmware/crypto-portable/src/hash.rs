//! Hashes, HMAC, and what is derived with it.

use alloc::vec::Vec;

use coloa_engine::crypto::Kdf;
use coloa_engine::{CryptoError, Digest, Hash};
use hkdf::{GenericHkdf, HmacImpl};
use hmac::{Hmac, KeyInit, Mac, SimpleHmac};
use pbkdf2::pbkdf2;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
use zeroize::Zeroizing;

pub(crate) fn digest(hash: Hash, parts: &[&[u8]]) -> Digest {
    match hash {
        Hash::Sha1 => hashed::<Sha1>(parts),
        Hash::Sha224 => hashed::<Sha224>(parts),
        Hash::Sha256 => hashed::<Sha256>(parts),
        Hash::Sha384 => hashed::<Sha384>(parts),
        Hash::Sha512 => hashed::<Sha512>(parts),
        Hash::Sha3_224 => hashed::<Sha3_224>(parts),
        Hash::Sha3_256 => hashed::<Sha3_256>(parts),
        Hash::Sha3_384 => hashed::<Sha3_384>(parts),
        Hash::Sha3_512 => hashed::<Sha3_512>(parts),
    }
}

fn hashed<D: sha2::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hasher = D::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest::new(&hasher.finalize())
}

/// Calls a function that is generic over HMAC with the one of a hash.
macro_rules! with_hmac {
    ($hash:expr, $function:ident $arguments:tt) => {
        match $hash {
            Hash::Sha1 => $function::<Hmac<Sha1>> $arguments,
            Hash::Sha224 => $function::<Hmac<Sha224>> $arguments,
            Hash::Sha256 => $function::<Hmac<Sha256>> $arguments,
            Hash::Sha384 => $function::<Hmac<Sha384>> $arguments,
            Hash::Sha512 => $function::<Hmac<Sha512>> $arguments,
            Hash::Sha3_224 => $function::<SimpleHmac<Sha3_224>> $arguments,
            Hash::Sha3_256 => $function::<SimpleHmac<Sha3_256>> $arguments,
            Hash::Sha3_384 => $function::<SimpleHmac<Sha3_384>> $arguments,
            Hash::Sha3_512 => $function::<SimpleHmac<Sha3_512>> $arguments,
        }
    };
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
        with_hmac!(hash, maced(&self.0, parts))
    }
}

fn maced<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Result<Digest, CryptoError> {
    let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|_| CryptoError::Invalid)?;
    parts.iter().for_each(|part| mac.update(part));
    Ok(Digest::new(&mac.finalize().into_bytes()))
}

/// Derives `out` from a secret.
pub(crate) fn derive(secret: &[u8], kdf: Kdf<'_>, out: &mut [u8]) -> Result<(), CryptoError> {
    match kdf {
        Kdf::HkdfExtract { hash, salt } if out.len() == hash.length() => with_hmac!(hash, extract(secret, salt, out)),
        Kdf::HkdfExpand { hash, info } => with_hmac!(hash, expand(secret, info, out)),
        Kdf::Pbkdf2 { hash, salt, iterations } if iterations > 0 => {
            with_hmac!(hash, pbkdf2(secret, salt, iterations, out)).map_err(|_| CryptoError::Invalid)
        }
        Kdf::HkdfExtract { .. } | Kdf::Pbkdf2 { .. } => Err(CryptoError::Invalid),
    }
}

/// An empty salt and the zeros that stand for none make the same HMAC key.
fn extract<M: HmacImpl>(secret: &[u8], salt: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
    let (key, _) = GenericHkdf::<M>::extract(Some(salt), secret);
    let key = Zeroizing::new(key);
    out.iter_mut().zip(key.iter()).for_each(|(to, from)| *to = *from);
    Ok(())
}

fn expand<M: HmacImpl>(secret: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
    let key = GenericHkdf::<M>::from_prk(secret).map_err(|_| CryptoError::Invalid)?;
    key.expand(info, out).map_err(|_| CryptoError::Invalid)
}
