//! Parsed keys of this provider, wiped on drop.

use alloc::boxed::Box;
use alloc::vec::Vec;

use coloa_engine::CryptoError;
use coloa_engine::crypto::{KeyKind, Mode, PairKind};

use crate::aes::AesKey;
use crate::hash::HmacKey;
use crate::modes;
use crate::pair::{self, Private, Public};
use crate::xts::XtsKey;

/// A parsed key.
pub struct Key(Inner);

enum Inner {
    Private(Box<dyn Private>),
    Public(Box<dyn Public>),
    Aes(AesKey),
    Xts(XtsKey),
    Hmac(HmacKey),
}

impl Key {
    pub(crate) fn load(kind: KeyKind, secret: &[u8]) -> Result<Self, CryptoError> {
        Ok(Key(match kind {
            KeyKind::Pair(kind) => Inner::Private(pair::private(kind, secret)?),
            KeyKind::Aes => Inner::Aes(AesKey::new(secret)?),
            KeyKind::AesXts => Inner::Xts(XtsKey::new(secret)?),
            KeyKind::Hmac => Inner::Hmac(HmacKey::new(secret)?),
        }))
    }

    pub(crate) fn load_public(kind: PairKind, public: &[u8]) -> Result<Self, CryptoError> {
        pair::public(kind, public).map(|key| Key(Inner::Public(key)))
    }

    pub(crate) fn private(&self) -> Result<&dyn Private, CryptoError> {
        let Inner::Private(key) = &self.0 else { return Err(CryptoError::Invalid) };
        Ok(&**key)
    }

    pub(crate) fn public(&self) -> Result<&dyn Public, CryptoError> {
        let Inner::Public(key) = &self.0 else { return Err(CryptoError::Invalid) };
        Ok(&**key)
    }

    pub(crate) fn aes(&self) -> Result<&AesKey, CryptoError> {
        let Inner::Aes(key) = &self.0 else { return Err(CryptoError::Invalid) };
        Ok(key)
    }

    pub(crate) fn hmac(&self) -> Result<&HmacKey, CryptoError> {
        let Inner::Hmac(key) = &self.0 else { return Err(CryptoError::Invalid) };
        Ok(key)
    }

    pub(crate) fn encrypt(&self, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        match &self.0 {
            Inner::Aes(key) => modes::encrypt(key.block(), mode, text),
            Inner::Xts(key) => key.encrypt(mode, text),
            _ => Err(CryptoError::Invalid),
        }
    }

    pub(crate) fn decrypt(&self, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        match &self.0 {
            Inner::Aes(key) => modes::decrypt(key.block(), mode, text),
            Inner::Xts(key) => key.decrypt(mode, text),
            _ => Err(CryptoError::Invalid),
        }
    }
}
