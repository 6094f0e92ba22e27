//! Parsed keys of this provider, wiped on drop.

use alloc::boxed::Box;
use alloc::vec::Vec;

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut, AesGcm, KeyInit, Nonce, Tag};
use coloa_engine::crypto::TAG;
use coloa_engine::{CryptoError, Curve, Digest, Hash, KeyKind};
use hmac::{Hmac, Mac};
use p256::NistP256;
use p384::NistP384;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::ec::Ec;

/// A parsed key.
pub struct Key(pub(crate) Inner);

pub(crate) enum Inner {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    Aes(Gcm),
    Hmac(HmacKey),
}

impl Key {
    pub(crate) fn load(kind: KeyKind, secret: &[u8]) -> Result<Self, CryptoError> {
        Ok(Key(match kind {
            KeyKind::Ec(Curve::P256) => Inner::P256(Ec::<NistP256>::secret(secret)?),
            KeyKind::Ec(Curve::P384) => Inner::P384(Ec::<NistP384>::secret(secret)?),
            KeyKind::Aes => Inner::Aes(Gcm::new(secret)?),
            KeyKind::Hmac => Inner::Hmac(HmacKey::new(secret)?),
        }))
    }
}

/// AES-GCM with a 12-byte IV and a 16-byte tag.
pub(crate) enum Gcm {
    Aes128(Box<AesGcm<Aes128, U12>>),
    Aes192(Box<AesGcm<Aes192, U12>>),
    Aes256(Box<AesGcm<Aes256, U12>>),
}

impl Gcm {
    fn new(secret: &[u8]) -> Result<Self, CryptoError> {
        fn keyed<A: KeyInit>(secret: &[u8]) -> Result<Box<A>, CryptoError> {
            A::new_from_slice(secret).map(Box::new).map_err(|_| CryptoError::Invalid)
        }
        match secret.len() {
            16 => keyed(secret).map(Gcm::Aes128),
            24 => keyed(secret).map(Gcm::Aes192),
            32 => keyed(secret).map(Gcm::Aes256),
            _ => Err(CryptoError::Invalid),
        }
    }

    pub(crate) fn seal(&self, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let iv = nonce(iv)?;
        let buffer = InOutBuf::from(text.as_mut_slice());
        let tag = match self {
            Gcm::Aes128(cipher) => cipher.encrypt_inout_detached(iv, aad, buffer),
            Gcm::Aes192(cipher) => cipher.encrypt_inout_detached(iv, aad, buffer),
            Gcm::Aes256(cipher) => cipher.encrypt_inout_detached(iv, aad, buffer),
        };
        text.extend_from_slice(&tag.map_err(|_| CryptoError::Invalid)?);
        Ok(())
    }

    /// `text` keeps its length; what is in it after an error means nothing.
    pub(crate) fn open(&self, iv: &[u8], aad: &[u8], text: &mut [u8]) -> Result<(), CryptoError> {
        let iv = nonce(iv)?;
        let length = text.len().checked_sub(TAG).ok_or(CryptoError::Unauthentic)?;
        let (text, tag) = text.split_at_mut_checked(length).ok_or(CryptoError::Unauthentic)?;
        let tag = <&Tag>::try_from(&*tag).map_err(|_| CryptoError::Unauthentic)?;
        let buffer = InOutBuf::from(text);
        let opened = match self {
            Gcm::Aes128(cipher) => cipher.decrypt_inout_detached(iv, aad, buffer, tag),
            Gcm::Aes192(cipher) => cipher.decrypt_inout_detached(iv, aad, buffer, tag),
            Gcm::Aes256(cipher) => cipher.decrypt_inout_detached(iv, aad, buffer, tag),
        };
        opened.map_err(|_| CryptoError::Unauthentic)
    }
}

fn nonce(iv: &[u8]) -> Result<&Nonce<U12>, CryptoError> {
    iv.try_into().map_err(|_| CryptoError::Unsupported)
}

/// An HMAC key of any length from 1 byte.
pub(crate) struct HmacKey(Zeroizing<Vec<u8>>);

impl HmacKey {
    fn new(secret: &[u8]) -> Result<Self, CryptoError> {
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
        }
    }

    fn with<M: Mac + hmac::KeyInit>(&self, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let mut mac = <M as hmac::KeyInit>::new_from_slice(&self.0).map_err(|_| CryptoError::Invalid)?;
        parts.iter().for_each(|part| mac.update(part));
        Ok(Digest::new(&mac.finalize().into_bytes()))
    }
}
