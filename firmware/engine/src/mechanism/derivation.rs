//! How a mechanism derives a key, from its number and parameter.

use super::{digest_of, hmac_of};
use crate::Hash;
use crate::crypto::{Feature, Kdf};
use alloc::vec::Vec;
use coloa_wire::command::PartitionMode;
use coloa_wire::mechanism::{
    CounterKdfParams, EcdhParams, HkdfParams, KdfField, KdfNumber, MAX_KDF_FIELDS, Pbkdf2Params,
};
use coloa_wire::{ErrorCode, Mechanism, MechanismType as M, ObjectId, Parameter};

/// Rounds of PBKDF2 at most, so that one call does not hold a worker for long.
const MAX_ITERATIONS: u32 = 10_000_000;
/// Rounds (SP 800-132 §5.2) and bytes of salt (§5.1) of a strict partition at least.
const STRICT_ITERATIONS: u32 = 1000;
const STRICT_SALT: usize = 16;

/// A way to derive, with its parameters.
#[derive(Clone, Debug)]
pub(crate) enum Derivation<'a> {
    /// `CKM_ECDH1_DERIVE`: the peer's public key, and X9.63's KDF of a hash and shared data, or none.
    Agree { public: &'a [u8], kdf: Option<(Hash, &'a [u8])> },
    /// `CKM_HKDF_DERIVE`.
    Hkdf(Hkdf<'a>),
    /// `CKM_SP800_108_COUNTER_KDF`.
    Counter(CounterKdf<'a>),
}

/// HKDF (RFC 5869): the first step, the second, or both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hkdf<'a> {
    pub hash: Hash,
    /// The salt of the first step.
    pub extract: Option<Salt<'a>>,
    /// The context of the second.
    pub expand: Option<&'a [u8]>,
}

/// The salt of HKDF.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Salt<'a> {
    Data(&'a [u8]),
    Key(ObjectId),
}

/// A KDF in counter mode (SP 800-108r1 §4.1).
#[derive(Clone, Debug)]
pub(crate) struct CounterKdf<'a> {
    pub prf: Prf,
    pub fields: Vec<Field<'a>>,
}

/// What a counter KDF is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Prf {
    Hmac(Hash),
    Cmac,
}

/// A piece of the PRF's input. Numbers have so many bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Counter(usize, bool),
    Bytes(&'a [u8]),
    Length(usize, bool),
}

impl<'a> Derivation<'a> {
    /// # Errors
    /// `MechanismParameter`; `MechanismUnsupported` for what does not derive.
    pub(crate) fn parse(mechanism: &'a Mechanism) -> Result<Self, ErrorCode> {
        match (mechanism.kind, &mechanism.gcm, &mechanism.parameter) {
            (M::ECDH1_DERIVE, None, Some(Parameter::Ecdh(params))) => agree(params),
            (M::HKDF_DERIVE, None, Some(Parameter::Hkdf(params))) => hkdf(params).map(Derivation::Hkdf),
            (M::SP800_108_COUNTER_KDF, None, Some(Parameter::CounterKdf(params))) => {
                counter(params).map(Derivation::Counter)
            }
            (M::ECDH1_DERIVE | M::HKDF_DERIVE | M::SP800_108_COUNTER_KDF, ..) => Err(ErrorCode::MechanismParameter),
            _ => Err(ErrorCode::MechanismUnsupported),
        }
    }

    /// What a provider must have for it.
    pub(crate) fn needs(&self) -> Feature {
        match self {
            Derivation::Agree { kdf: None, .. } => Feature::Ecdh,
            Derivation::Agree { kdf: Some((hash, _)), .. } => hash.feature(),
            Derivation::Hkdf(hkdf) => hkdf.hash.feature(),
            Derivation::Counter(CounterKdf { prf: Prf::Hmac(hash), .. }) => hash.feature(),
            Derivation::Counter(CounterKdf { prf: Prf::Cmac, .. }) => Feature::Cmac,
        }
    }

    /// Whether it rests on SHA-1, which a strict partition refuses.
    pub(crate) fn is_weak(&self) -> bool {
        let hash = match self {
            Derivation::Agree { kdf, .. } => kdf.map(|(hash, _)| hash),
            Derivation::Hkdf(hkdf) => Some(hkdf.hash),
            Derivation::Counter(CounterKdf { prf: Prf::Hmac(hash), .. }) => Some(*hash),
            Derivation::Counter(CounterKdf { prf: Prf::Cmac, .. }) => None,
        };
        hash == Some(Hash::Sha1)
    }
}

fn agree(params: &EcdhParams) -> Result<Derivation<'_>, ErrorCode> {
    let kdf = params.kdf.map(digest_of).transpose()?.map(|hash| (hash, params.shared.as_slice()));
    // CKD_NULL has nothing to mix it into (PKCS#11 §6.3.18).
    let fits = kdf.is_some() || params.shared.is_empty();
    if fits { Ok(Derivation::Agree { public: &params.public, kdf }) } else { Err(ErrorCode::MechanismParameter) }
}

fn hkdf(params: &HkdfParams) -> Result<Hkdf<'_>, ErrorCode> {
    let salt = match (&params.salt, params.salt_key) {
        (Some(_), Some(_)) => return Err(ErrorCode::MechanismParameter),
        (Some(salt), None) => Salt::Data(salt),
        (None, Some(key)) => Salt::Key(key),
        (None, None) => Salt::Data(&[]),
    };
    let expand = params.expand.then_some(params.info.as_slice());
    let hkdf = Hkdf { hash: digest_of(params.hash)?, extract: params.extract.then_some(salt), expand };
    if params.extract || params.expand { Ok(hkdf) } else { Err(ErrorCode::MechanismParameter) }
}

fn counter(params: &CounterKdfParams) -> Result<CounterKdf<'_>, ErrorCode> {
    let prf = match params.prf {
        M::AES_CMAC => Prf::Cmac,
        other => Prf::Hmac(hmac_of(other).ok_or(ErrorCode::MechanismParameter)?),
    };
    if params.fields.len() > MAX_KDF_FIELDS {
        return Err(ErrorCode::MechanismParameter);
    }
    let fields = params.fields.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let counters = fields.iter().filter(|field| matches!(field, Field::Counter(..))).count();
    let lengths = fields.iter().filter(|field| matches!(field, Field::Length(..))).count();
    if counters == 1 && lengths <= 1 { Ok(CounterKdf { prf, fields }) } else { Err(ErrorCode::MechanismParameter) }
}

fn field(field: &KdfField) -> Result<Field<'_>, ErrorCode> {
    match field {
        KdfField::Counter(number) => bytes_of(number, 32).map(|bytes| Field::Counter(bytes, number.little_endian)),
        KdfField::Length(number) => bytes_of(number, 64).map(|bytes| Field::Length(bytes, number.little_endian)),
        KdfField::Bytes(bytes) => Ok(Field::Bytes(bytes)),
    }
}

fn bytes_of(number: &KdfNumber, most: u32) -> Result<usize, ErrorCode> {
    let fits = (8..=most).contains(&number.bits) && number.bits.is_multiple_of(8);
    usize::try_from(number.bits / 8).ok().filter(|_| fits).ok_or(ErrorCode::MechanismParameter)
}

/// PBKDF2 and its password.
///
/// # Errors
/// `MechanismParameter`, also for what a strict partition finds too weak.
pub(crate) fn pbkdf2(mechanism: &Mechanism, mode: PartitionMode) -> Result<(Kdf<'_>, &[u8]), ErrorCode> {
    let (None, Some(Parameter::Pbkdf2(params))) = (&mechanism.gcm, &mechanism.parameter) else {
        return Err(ErrorCode::MechanismParameter);
    };
    let Pbkdf2Params { prf, salt, iterations, password } = params;
    let hash = hmac_of(*prf).ok_or(ErrorCode::MechanismParameter)?;
    let weak = *iterations < STRICT_ITERATIONS || salt.len() < STRICT_SALT || hash == Hash::Sha1;
    if (mode == PartitionMode::Strict && weak) || !(1..=MAX_ITERATIONS).contains(iterations) {
        return Err(ErrorCode::MechanismParameter);
    }
    Ok((Kdf::Pbkdf2 { hash, salt, iterations: *iterations }, &password.0))
}
