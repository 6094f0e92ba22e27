//! Mechanisms that sign, or make a MAC: what is hashed here, how long the result is, and which keys fit.

use super::{Given, Parameter, wire_number};
use crate::hash::{HASHES, Hash, SHA1};
use crate::key::KeyFacts;
use crate::rv::{Outcome, Rv};
use coloa_wire::attribute::{class, key_type};
use coloa_wire::{Mechanism, MechanismType as M, Parameter as Wire};
use cryptoki_sys::*;

/// Bytes of a whole CMAC.
const CMAC_BYTES: usize = 16;

/// A mechanism that signs and verifies.
#[derive(Clone)]
pub(crate) struct Signing {
    pub(crate) kind: M,
    /// Few have one, and it is large.
    parameter: Option<Box<Wire>>,
    /// What is hashed here before the engine sees it.
    pub(crate) digest: Option<&'static Hash>,
    algorithm: Algorithm,
    mac_bytes: Option<usize>,
}

/// Kinds of signatures and MACs.
#[derive(Clone, Copy)]
pub(crate) enum Algorithm {
    Ecdsa(Option<&'static Hash>),
    Eddsa,
    Pkcs1(Option<&'static Hash>),
    Pss(Option<&'static Hash>),
    MlDsa,
    /// HashML-DSA over the message.
    MlDsaHashing(&'static Hash),
    /// HashML-DSA over a digest that the caller made.
    MlDsaOfDigest,
    Hmac(&'static Hash),
    HmacGeneral(&'static Hash),
    Cmac,
    CmacGeneral,
}

impl Algorithm {
    /// None for what does not sign.
    pub(crate) fn of(kind: M) -> Option<Self> {
        Some(match kind {
            M::ECDSA => Algorithm::Ecdsa(None),
            M::EDDSA => Algorithm::Eddsa,
            M::RSA_PKCS => Algorithm::Pkcs1(None),
            M::RSA_PKCS_PSS => Algorithm::Pss(None),
            M::ML_DSA => Algorithm::MlDsa,
            M::HASH_ML_DSA => Algorithm::MlDsaOfDigest,
            M::AES_CMAC => Algorithm::Cmac,
            M::AES_CMAC_GENERAL => Algorithm::CmacGeneral,
            _ => return HASHES.iter().chain([&SHA1]).find_map(|hash| Algorithm::with(hash, kind)),
        })
    }

    fn with(hash: &'static Hash, kind: M) -> Option<Self> {
        Some(match kind {
            _ if kind == hash.ecdsa => Algorithm::Ecdsa(Some(hash)),
            _ if Some(kind) == hash.hmac => Algorithm::Hmac(hash),
            _ if Some(kind) == hash.pkcs1 => Algorithm::Pkcs1(Some(hash)),
            _ if Some(kind) == hash.pss => Algorithm::Pss(Some(hash)),
            _ if Some(kind) == hash.hmac_general => Algorithm::HmacGeneral(hash),
            _ if Some(kind) == hash.ml_dsa => Algorithm::MlDsaHashing(hash),
            _ => return None,
        })
    }

    /// Whether a mechanism takes `CK_RSA_PKCS_PSS_PARAMS`.
    pub(crate) fn has_pss(kind: M) -> bool {
        matches!(Algorithm::of(kind), Some(Algorithm::Pss(_)))
    }

    /// Whether a mechanism takes `CK_SIGN_ADDITIONAL_CONTEXT`.
    pub(crate) fn has_context(kind: M) -> bool {
        matches!(Algorithm::of(kind), Some(Algorithm::MlDsa | Algorithm::MlDsaHashing(_)))
    }

    /// Whether a mechanism takes `CK_MAC_GENERAL_PARAMS`.
    pub(crate) fn has_length(kind: M) -> bool {
        matches!(Algorithm::of(kind), Some(Algorithm::HmacGeneral(_) | Algorithm::CmacGeneral))
    }

    fn digest(self) -> Option<&'static Hash> {
        match self {
            Algorithm::Ecdsa(hash) | Algorithm::Pkcs1(hash) | Algorithm::Pss(hash) => hash,
            Algorithm::MlDsaHashing(hash) => Some(hash),
            Algorithm::Eddsa | Algorithm::MlDsa | Algorithm::MlDsaOfDigest => None,
            Algorithm::Hmac(_) | Algorithm::HmacGeneral(_) | Algorithm::Cmac | Algorithm::CmacGeneral => None,
        }
    }

    /// The type of a pair that signs so; none for a MAC.
    fn pair(self) -> Option<u64> {
        match self {
            Algorithm::Ecdsa(_) => Some(key_type::EC),
            Algorithm::Eddsa => Some(key_type::EC_EDWARDS),
            Algorithm::Pkcs1(_) | Algorithm::Pss(_) => Some(key_type::RSA),
            Algorithm::MlDsa | Algorithm::MlDsaHashing(_) | Algorithm::MlDsaOfDigest => Some(key_type::ML_DSA),
            Algorithm::Hmac(_) | Algorithm::HmacGeneral(_) | Algorithm::Cmac | Algorithm::CmacGeneral => None,
        }
    }

    /// Whether a secret key of this type makes the MAC.
    fn takes_secret(self, kind: u64) -> bool {
        match self {
            Algorithm::Hmac(hash) | Algorithm::HmacGeneral(hash) => {
                kind == key_type::GENERIC_SECRET || Some(kind) == hash.key_type
            }
            Algorithm::Cmac | Algorithm::CmacGeneral => kind == key_type::AES,
            _ => false,
        }
    }
}

impl Signing {
    /// `CKR_MECHANISM_INVALID` for what does not sign.
    pub(crate) fn parse(given: Given) -> Outcome<Self> {
        let kind = wire_number(given.kind).ok_or(Rv(CKR_MECHANISM_INVALID))?;
        let algorithm = Algorithm::of(kind).ok_or(Rv(CKR_MECHANISM_INVALID))?;
        let (parameter, mac_bytes) = match (algorithm, given.parameter) {
            (Algorithm::Pss(_), Parameter::Wire(pss @ Wire::Pss(_))) => (Some(pss), None),
            (Algorithm::MlDsa | Algorithm::MlDsaHashing(_), Parameter::None) => (None, None),
            (
                Algorithm::MlDsa | Algorithm::MlDsaHashing(_) | Algorithm::MlDsaOfDigest,
                Parameter::Wire(params @ Wire::MlDsa(_)),
            ) => (Some(params), None),
            (Algorithm::HmacGeneral(hash), Parameter::Wire(Wire::MacLength(length))) => cut(length, hash.length())?,
            (Algorithm::CmacGeneral, Parameter::Wire(Wire::MacLength(length))) => cut(length, CMAC_BYTES)?,
            (Algorithm::Hmac(hash), Parameter::None) => (None, Some(hash.length())),
            (Algorithm::Cmac, Parameter::None) => (None, Some(CMAC_BYTES)),
            (Algorithm::Ecdsa(_) | Algorithm::Eddsa | Algorithm::Pkcs1(_), Parameter::None) => (None, None),
            _ => return Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
        };
        let parameter = parameter.map(Box::new);
        Ok(Signing { kind, parameter, digest: algorithm.digest(), algorithm, mac_bytes })
    }

    /// As it goes to the engine.
    pub(crate) fn into_mechanism(self) -> Mechanism {
        Mechanism { kind: self.kind, gcm: None, parameter: self.parameter.map(|parameter| *parameter) }
    }

    /// Whether data may come in parts: what takes one digest does not (PKCS#11 §6.3.12). Neither must what is encoded by
    /// PKCS#1 v1.5 (§6.1.6), but `pkcs11-tool --test` gives it a device in parts.
    pub(crate) fn takes_parts(&self) -> bool {
        !matches!(self.algorithm, Algorithm::Ecdsa(None) | Algorithm::Pss(None) | Algorithm::MlDsaOfDigest)
    }

    /// Bytes of the result with this key; `CKR_KEY_TYPE_INCONSISTENT` for a key of another kind.
    pub(crate) fn output_bytes(&self, key: &KeyFacts, signs: bool) -> Outcome<usize> {
        let fits = match (self.algorithm.pair(), signs) {
            (None, _) => key.class == class::SECRET_KEY && self.algorithm.takes_secret(key.key_type),
            (Some(pair), true) => key.class == class::PRIVATE_KEY && key.key_type == pair,
            (Some(pair), false) => key.class == class::PUBLIC_KEY && key.key_type == pair,
        };
        if fits { Ok(self.mac_bytes.unwrap_or(key.output_bytes)) } else { Err(Rv(CKR_KEY_TYPE_INCONSISTENT)) }
    }
}

/// A MAC of a chosen length, at most the whole one.
fn cut(length: u32, whole: usize) -> Outcome<(Option<Wire>, Option<usize>)> {
    let bytes = usize::try_from(length).ok().filter(|bytes| *bytes <= whole).ok_or(Rv(CKR_MECHANISM_PARAM_INVALID))?;
    Ok((Some(Wire::MacLength(length)), Some(bytes)))
}
