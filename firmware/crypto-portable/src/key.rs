//! Parsed keys of this provider, wiped on drop.

use alloc::boxed::Box;

use coloa_engine::CryptoError;
use coloa_engine::crypto::{KeyKind, PairKind};

use crate::aes::AesKey;
use crate::hash::HmacKey;
use crate::pair::{self, Private, Public};

/// A parsed key.
pub struct Key(Inner);

enum Inner {
    Private(Box<dyn Private>),
    Public(Box<dyn Public>),
    Aes(AesKey),
    Hmac(HmacKey),
}

impl Key {
    pub(crate) fn load(kind: KeyKind, secret: &[u8]) -> Result<Self, CryptoError> {
        Ok(Key(match kind {
            KeyKind::Pair(kind) => Inner::Private(pair::private(kind, secret)?),
            KeyKind::Aes => Inner::Aes(AesKey::new(secret)?),
            KeyKind::AesXts => return Err(CryptoError::Unsupported),
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
}
