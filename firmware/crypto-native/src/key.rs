//! Parsed keys of this provider: what [`Crypto::load`](coloa_engine::Crypto::load) makes once and every use borrows.

use std::sync::OnceLock;

use coloa_engine::{CryptoError, Digest, Hash, KeyKind, PairKind};
use zeroize::Zeroizing;

use crate::aes::{AesKey, XtsKey};
use crate::curve25519::{self, Point};
use crate::ffi::{EcKey, Ed25519, HmacState, KemKey, RsaKey, X25519};
use crate::mldsa::MlDsaHalf;
use crate::rsa::RsaPrivate;

/// A parsed key. What it holds is wiped when it is dropped: by `zeroize` here, by AWS-LC for what it owns.
pub struct Key(pub(crate) Inner);

pub(crate) enum Inner {
    EcPrivate(EcKey),
    EcPublic(EcKey),
    Ed25519Private(Box<Ed25519>),
    Ed25519Public(Box<Point>),
    X25519Private(Box<X25519>),
    /// No operation takes it as a key.
    X25519Public,
    MlDsaPrivate(Box<MlDsaHalf>),
    MlDsaPublic(Box<MlDsaHalf>),
    KemPrivate(KemKey),
    KemPublic(KemKey),
    RsaPrivate(Box<RsaPrivate>),
    RsaPublic(RsaKey),
    Aes(Box<AesKey>),
    Xts(Box<XtsKey>),
    Hmac(Box<HmacKey>),
}

impl Key {
    pub(crate) fn load(kind: KeyKind, secret: &[u8]) -> Result<Self, CryptoError> {
        let inner = match kind {
            KeyKind::Pair(kind) => private(kind, secret)?,
            KeyKind::Aes => AesKey::new(secret).map(Box::new).map(Inner::Aes),
            KeyKind::AesXts => XtsKey::new(secret).map(Box::new).map(Inner::Xts),
            KeyKind::Hmac => HmacKey::new(secret).map(Box::new).map(Inner::Hmac),
        };
        inner.map(Key).ok_or(CryptoError::Invalid)
    }

    pub(crate) fn load_public(kind: PairKind, public: &[u8]) -> Result<Self, CryptoError> {
        let inner = match kind {
            PairKind::Ec(curve) => EcKey::from_point(curve, public).map(Inner::EcPublic),
            PairKind::Ed25519 => Some(Inner::Ed25519Public(Box::new(curve25519::point(public)?))),
            PairKind::X25519 => curve25519::point(public).ok().map(|_| Inner::X25519Public),
            PairKind::MlDsa(set) => MlDsaHalf::public(set, public).map(Box::new).map(Inner::MlDsaPublic),
            PairKind::MlKem(set) => KemKey::from_public(set, public).map(Inner::KemPublic),
            PairKind::Rsa => RsaKey::from_public(public).map(Inner::RsaPublic),
        };
        inner.map(Key).ok_or(CryptoError::Invalid)
    }
}

fn private(kind: PairKind, secret: &[u8]) -> Result<Option<Inner>, CryptoError> {
    Ok(match kind {
        PairKind::Ec(curve) => EcKey::from_secret(curve, secret).map(Inner::EcPrivate),
        PairKind::Ed25519 => Some(Inner::Ed25519Private(Box::new(curve25519::ed25519(secret)?))),
        PairKind::X25519 => Some(Inner::X25519Private(Box::new(curve25519::x25519(secret)?))),
        PairKind::MlDsa(set) => MlDsaHalf::private(set, secret).map(Box::new).map(Inner::MlDsaPrivate),
        PairKind::MlKem(set) => KemKey::from_secret(set, secret).map(Inner::KemPrivate),
        PairKind::Rsa => RsaPrivate::load(secret).map(Box::new).map(Inner::RsaPrivate),
    })
}

/// An HMAC key; the state keyed for a hash is made at its first use.
pub(crate) struct HmacKey {
    secret: Zeroizing<Vec<u8>>,
    /// For each of [`Hash::ALL`].
    keyed: [OnceLock<Option<Box<HmacState>>>; Hash::ALL.len()],
}

impl HmacKey {
    fn new(secret: &[u8]) -> Option<Self> {
        let keyed = [const { OnceLock::new() }; Hash::ALL.len()];
        (!secret.is_empty()).then(|| HmacKey { secret: Zeroizing::new(secret.to_vec()), keyed })
    }

    /// The MAC of the concatenation of `parts`; none when there is no memory.
    pub(crate) fn mac(&self, hash: Hash, parts: &[&[u8]]) -> Option<Digest> {
        let slot = self.keyed.get(hash as usize)?;
        slot.get_or_init(|| HmacState::new(hash, &self.secret).map(Box::new)).as_ref()?.mac(parts)
    }
}
