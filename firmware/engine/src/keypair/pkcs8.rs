//! Private keys as they are wrapped (PKCS#11 §6.7): `PrivateKeyInfo` of PKCS#8, called OneAsymmetricKey since RFC 5958.
//!
//! RSA as RFC 8017 A.1.2, EC as RFC 5915 with its public key, Ed25519 and X25519 as RFC 8410, ML-DSA as RFC 9881 §6 and
//! ML-KEM as RFC 9935 §6, of which both the seed and the expanded key are read and what the engine holds is written.

use super::spki::{self, algorithm, kind_of, parameters};
use crate::crypto::{ML_DSA_SEED, ML_KEM_SEED};
use crate::{Curve, PairKind};
use ::pkcs8::PrivateKeyInfoRef;
use ::spki::AlgorithmIdentifierRef;
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

/// The seed's tag in the private keys of ML-DSA and ML-KEM.
const SEED: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(0) };

/// A private key out of its wrapping.
pub(crate) struct Unwrapped {
    pub kind: PairKind,
    /// As [`PairKind`] says.
    pub secret: Zeroizing<Vec<u8>>,
    /// The expanded key that came with a seed: it must belong to it (RFC 9881 §8.2, RFC 9935 §8).
    pub expanded: Option<Zeroizing<Vec<u8>>>,
    /// The public key that came with it.
    pub public: Option<Vec<u8>>,
}

/// A private key's PKCS#8.
pub(crate) fn private_key_info(kind: PairKind, secret: &[u8], public: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    encode(kind, secret, public).map_err(|_| ErrorCode::Internal)
}

fn encode(kind: PairKind, secret: &[u8], public: &[u8]) -> der::Result<Zeroizing<Vec<u8>>> {
    let inner = match kind {
        PairKind::Rsa => Zeroizing::new(secret.to_vec()),
        PairKind::Ec(_) => {
            let key = EcPrivateKey { private_key: secret, parameters: None, public_key: Some(public) };
            Zeroizing::new(key.to_der()?)
        }
        PairKind::MlDsa(_) if secret.len() == ML_DSA_SEED => tagged_seed(secret)?,
        PairKind::MlKem(_) if secret.len() == ML_KEM_SEED => tagged_seed(secret)?,
        PairKind::Ed25519 | PairKind::X25519 | PairKind::MlDsa(_) | PairKind::MlKem(_) => {
            Zeroizing::new(OctetStringRef::new(secret)?.to_der()?)
        }
    };
    let algorithm = AlgorithmIdentifierRef { oid: algorithm(kind), parameters: parameters(kind)? };
    PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&inner)?).to_der().map(Zeroizing::new)
}

fn tagged_seed(seed: &[u8]) -> der::Result<Zeroizing<Vec<u8>>> {
    AnyRef::new(SEED, seed)?.to_der().map(Zeroizing::new)
}

impl Unwrapped {
    /// Reads a PKCS#8 private key; none for what is not one, or one of another kind.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let info = PrivateKeyInfoRef::from_der(der).ok()?;
        let kind = kind_of(&info.algorithm)?;
        let inner = info.private_key.as_bytes();
        let public = match &info.public_key {
            Some(bits) => Some(bits.as_bytes()?.to_vec()),
            None => None,
        };
        let (secret, expanded, own) = match kind {
            PairKind::Rsa => (Zeroizing::new(inner.to_vec()), None, None),
            PairKind::Ec(curve) => ec(curve, inner).map(|(secret, own)| (secret, None, own))?,
            PairKind::Ed25519 | PairKind::X25519 => (octets(inner)?, None, None),
            PairKind::MlDsa(set) => lattice(inner, ML_DSA_SEED, set.private()).map(|(s, e)| (s, e, None))?,
            PairKind::MlKem(set) => lattice(inner, ML_KEM_SEED, set.private()).map(|(s, e)| (s, e, None))?,
        };
        let agreed = own.is_none() || public.is_none() || own == public;
        agreed.then(|| Unwrapped { kind, secret, expanded, public: public.or(own) })
    }
}

type WithPublic = (Zeroizing<Vec<u8>>, Option<Vec<u8>>);

fn ec(curve: Curve, der: &[u8]) -> Option<WithPublic> {
    let key = EcPrivateKey::from_der(der).ok()?;
    let named = key.parameters.and_then(|params| params.named_curve());
    let agreed = named.is_none_or(|oid| oid.to_der().ok().as_deref() == Some(spki::params_of(curve)));
    let fits = key.private_key.len() == curve.scalar();
    (agreed && fits).then(|| (Zeroizing::new(key.private_key.to_vec()), key.public_key.map(<[u8]>::to_vec)))
}

fn octets(der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    <&OctetStringRef>::from_der(der).ok().map(|octets| Zeroizing::new(octets.as_bytes().to_vec()))
}

type WithExpanded = (Zeroizing<Vec<u8>>, Option<Zeroizing<Vec<u8>>>);

/// The private keys of ML-DSA and ML-KEM: a seed, an expanded key, or a sequence of both.
fn lattice(der: &[u8], seed: usize, expanded: usize) -> Option<WithExpanded> {
    let sized = |bytes: &[u8], length: usize| (bytes.len() == length).then(|| Zeroizing::new(bytes.to_vec()));
    let key = AnyRef::from_der(der).ok()?;
    match key.tag() {
        SEED => Some((sized(key.value(), seed)?, None)),
        Tag::OctetString => Some((sized(key.value(), expanded)?, None)),
        Tag::Sequence => {
            let mut reader = SliceReader::new(key.value()).ok()?;
            let first = <&OctetStringRef>::decode(&mut reader).ok()?;
            let second = <&OctetStringRef>::decode(&mut reader).ok()?;
            let both = (sized(first.as_bytes(), seed)?, Some(sized(second.as_bytes(), expanded)?));
            reader.is_finished().then_some(both)
        }
        _ => None,
    }
}
