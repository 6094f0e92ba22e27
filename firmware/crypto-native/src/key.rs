//! Parsed keys of this provider: what [`Crypto::load`](coloa_engine::Crypto::load) makes once and every use borrows.

use std::sync::OnceLock;

use aws_lc_rs::{aead, hmac};
use coloa_engine::{CryptoError, Hash, KeyKind, PairKind};
use zeroize::Zeroizing;

use crate::ffi::EcKey;

/// A parsed key. What it holds is wiped when it is dropped: by `zeroize` here, by AWS-LC for what it owns.
pub struct Key(pub(crate) Inner);

pub(crate) enum Inner {
    EcPrivate(EcKey),
    EcPublic(EcKey),
    Aes(aead::LessSafeKey),
    Hmac(Box<HmacKey>),
}

/// An HMAC key; the state keyed for a hash is made at its first use.
pub(crate) struct HmacKey {
    secret: Zeroizing<Vec<u8>>,
    keyed: [OnceLock<hmac::Key>; 3],
}

impl Key {
    pub(crate) fn load(kind: KeyKind, secret: &[u8]) -> Result<Self, CryptoError> {
        let inner = match kind {
            KeyKind::Pair(PairKind::Ec(curve)) => EcKey::from_secret(curve, secret).map(Inner::EcPrivate),
            KeyKind::Aes => aes(secret).map(Inner::Aes),
            KeyKind::Hmac => HmacKey::new(secret).map(Box::new).map(Inner::Hmac),
            _ => return Err(CryptoError::Unsupported),
        };
        inner.map(Key).ok_or(CryptoError::Invalid)
    }

    pub(crate) fn load_public(kind: PairKind, public: &[u8]) -> Result<Self, CryptoError> {
        let inner = match kind {
            PairKind::Ec(curve) => EcKey::from_point(curve, public).map(Inner::EcPublic),
            _ => return Err(CryptoError::Unsupported),
        };
        inner.map(Key).ok_or(CryptoError::Invalid)
    }
}

impl HmacKey {
    fn new(secret: &[u8]) -> Option<Self> {
        let keyed = [const { OnceLock::new() }; 3];
        (!secret.is_empty()).then(|| HmacKey { secret: Zeroizing::new(secret.to_vec()), keyed })
    }

    pub(crate) fn context(&self, hash: Hash) -> Option<hmac::Context> {
        let [sha256, sha384, sha512] = &self.keyed;
        let (slot, algorithm) = match hash {
            Hash::Sha256 => (sha256, hmac::HMAC_SHA256),
            Hash::Sha384 => (sha384, hmac::HMAC_SHA384),
            Hash::Sha512 => (sha512, hmac::HMAC_SHA512),
            _ => return None,
        };
        Some(hmac::Context::with_key(slot.get_or_init(|| hmac::Key::new(algorithm, &self.secret))))
    }
}

fn aes(secret: &[u8]) -> Option<aead::LessSafeKey> {
    let algorithm = match secret.len() {
        16 => &aead::AES_128_GCM,
        24 => &aead::AES_192_GCM,
        32 => &aead::AES_256_GCM,
        _ => return None,
    };
    Some(aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, secret).ok()?))
}
