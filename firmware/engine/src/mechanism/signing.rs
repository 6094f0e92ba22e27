//! How a mechanism signs or makes a MAC, from its number and parameter.

use super::{digest_of, hash_of};
use crate::crypto::{BLOCK, Scheme};
use crate::{Curve, Hash, PairKind};
use coloa_wire::mechanism::{MlDsaParams, PssParams};
use coloa_wire::{ErrorCode, Mechanism, MechanismType as M, Parameter};

/// Bytes of a digest that plain ECDSA takes.
const ECDSA_DIGEST: core::ops::RangeInclusive<usize> = 20..=64;
/// The shortest MAC: 32 bits (SP 800-107 §5.3.3 for HMAC, SP 800-38B §5.4 for CMAC).
const MIN_MAC: usize = 4;

/// A signature or a MAC.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signing<'a> {
    /// By one half of a key pair.
    Pair(Scheme<'a>),
    /// HMAC, cut to a number of bytes.
    Hmac(Hash, usize),
    /// CMAC, cut to a number of bytes.
    Cmac(usize),
}

impl<'a> Signing<'a> {
    /// # Errors
    /// `MechanismParameter`; `MechanismUnsupported` for what does not sign.
    pub(crate) fn parse(mechanism: &'a Mechanism) -> Result<Self, ErrorCode> {
        if mechanism.gcm.is_some() {
            return Err(ErrorCode::MechanismParameter);
        }
        match (family(mechanism.kind), &mechanism.parameter) {
            (Some(Family::Ecdsa), None) => Ok(Signing::Pair(Scheme::Ecdsa)),
            (Some(Family::Eddsa), None) => Ok(Signing::Pair(Scheme::Ed25519)),
            (Some(Family::Pkcs1), None) => Ok(Signing::Pair(Scheme::Pkcs1(hash_of(mechanism.kind)))),
            (Some(Family::Pss), Some(Parameter::Pss(params))) => pss(mechanism.kind, params),
            (Some(Family::MlDsa), None) => ml_dsa(mechanism.kind, &[], None),
            (Some(Family::MlDsa), Some(Parameter::MlDsa(MlDsaParams { context, hash }))) => {
                ml_dsa(mechanism.kind, context, *hash)
            }
            (Some(Family::Hmac(hash)), None) => Ok(Signing::Hmac(hash, hash.length())),
            (Some(Family::HmacGeneral(hash)), Some(Parameter::MacLength(length))) => {
                mac_length(*length, hash.length()).map(|length| Signing::Hmac(hash, length))
            }
            (Some(Family::Cmac), None) => Ok(Signing::Cmac(BLOCK)),
            (Some(Family::CmacGeneral), Some(Parameter::MacLength(length))) => {
                mac_length(*length, BLOCK).map(Signing::Cmac)
            }
            (Some(_), _) => Err(ErrorCode::MechanismParameter),
            (None, _) => Err(ErrorCode::MechanismUnsupported),
        }
    }

    /// Whether the data has a length the mechanism takes.
    pub(crate) fn accepts(self, mechanism: M, data: &[u8]) -> bool {
        match self {
            Signing::Pair(Scheme::Ecdsa) => match hash_of(mechanism) {
                Some(hash) => data.len() == hash.length(),
                None => ECDSA_DIGEST.contains(&data.len()),
            },
            Signing::Pair(Scheme::Pkcs1(Some(hash)) | Scheme::Pss { hash, .. }) => data.len() == hash.length(),
            Signing::Pair(Scheme::MlDsa { prehash: Some(hash), .. }) => data.len() == hash.length(),
            Signing::Pair(_) | Signing::Hmac(..) | Signing::Cmac(_) => true,
        }
    }
}

/// Bytes of a signature by a key of this kind; none where the modulus tells.
pub(crate) fn signature_length(kind: PairKind) -> Option<usize> {
    match kind {
        PairKind::Ec(curve @ (Curve::P256 | Curve::P384 | Curve::P521)) => Some(curve.scalar().saturating_mul(2)),
        PairKind::Ed25519 => Some(64),
        PairKind::MlDsa(set) => Some(set.signature()),
        PairKind::Rsa | PairKind::X25519 | PairKind::MlKem(_) => None,
    }
}

enum Family {
    Ecdsa,
    Eddsa,
    Pkcs1,
    Pss,
    MlDsa,
    Hmac(Hash),
    HmacGeneral(Hash),
    Cmac,
    CmacGeneral,
}

fn family(kind: M) -> Option<Family> {
    Some(match kind {
        M::ECDSA
        | M::ECDSA_SHA1
        | M::ECDSA_SHA224
        | M::ECDSA_SHA256
        | M::ECDSA_SHA384
        | M::ECDSA_SHA512
        | M::ECDSA_SHA3_224
        | M::ECDSA_SHA3_256
        | M::ECDSA_SHA3_384
        | M::ECDSA_SHA3_512 => Family::Ecdsa,
        M::EDDSA => Family::Eddsa,
        M::RSA_PKCS
        | M::SHA224_RSA_PKCS
        | M::SHA256_RSA_PKCS
        | M::SHA384_RSA_PKCS
        | M::SHA512_RSA_PKCS
        | M::SHA3_224_RSA_PKCS
        | M::SHA3_256_RSA_PKCS
        | M::SHA3_384_RSA_PKCS
        | M::SHA3_512_RSA_PKCS => Family::Pkcs1,
        M::RSA_PKCS_PSS
        | M::SHA224_RSA_PKCS_PSS
        | M::SHA256_RSA_PKCS_PSS
        | M::SHA384_RSA_PKCS_PSS
        | M::SHA512_RSA_PKCS_PSS
        | M::SHA3_224_RSA_PKCS_PSS
        | M::SHA3_256_RSA_PKCS_PSS
        | M::SHA3_384_RSA_PKCS_PSS
        | M::SHA3_512_RSA_PKCS_PSS => Family::Pss,
        M::ML_DSA
        | M::HASH_ML_DSA
        | M::HASH_ML_DSA_SHA224
        | M::HASH_ML_DSA_SHA256
        | M::HASH_ML_DSA_SHA384
        | M::HASH_ML_DSA_SHA512
        | M::HASH_ML_DSA_SHA3_224
        | M::HASH_ML_DSA_SHA3_256
        | M::HASH_ML_DSA_SHA3_384
        | M::HASH_ML_DSA_SHA3_512 => Family::MlDsa,
        M::AES_CMAC => Family::Cmac,
        M::AES_CMAC_GENERAL => Family::CmacGeneral,
        _ => return hmac_family(kind),
    })
}

fn hmac_family(kind: M) -> Option<Family> {
    let hash = hash_of(kind)?;
    match super::hmac_of(kind) {
        Some(hash) => Some(Family::Hmac(hash)),
        // The number after the HMAC's is the HMAC of a chosen length.
        None => super::hmac_of(M(kind.0.checked_sub(1)?)).map(|_| Family::HmacGeneral(hash)),
    }
}

fn pss<'a>(kind: M, params: &PssParams) -> Result<Signing<'a>, ErrorCode> {
    let (hash, mgf) = (digest_of(params.hash)?, digest_of(params.mgf)?);
    let agreed = hash_of(kind).is_none_or(|named| named == hash);
    let salt = usize::try_from(params.salt).map_err(|_| ErrorCode::MechanismParameter)?;
    // FIPS 186-5 §5.4: the salt is no longer than the hash.
    if !agreed || hash == Hash::Sha1 || salt > hash.length() {
        return Err(ErrorCode::MechanismParameter);
    }
    Ok(Signing::Pair(Scheme::Pss { hash, mgf, salt }))
}

fn ml_dsa(kind: M, context: &[u8], hash: Option<M>) -> Result<Signing<'_>, ErrorCode> {
    let prehash = match (kind, hash) {
        (M::ML_DSA, None) => None,
        (M::HASH_ML_DSA, Some(hash)) => Some(digest_of(hash)?),
        (M::ML_DSA | M::HASH_ML_DSA, _) => return Err(ErrorCode::MechanismParameter),
        (_, None) => hash_of(kind),
        (_, Some(_)) => return Err(ErrorCode::MechanismParameter),
    };
    if context.len() > 255 || prehash == Some(Hash::Sha1) {
        return Err(ErrorCode::MechanismParameter);
    }
    Ok(Signing::Pair(Scheme::MlDsa { context, prehash }))
}

fn mac_length(length: u32, full: usize) -> Result<usize, ErrorCode> {
    let length = usize::try_from(length).map_err(|_| ErrorCode::MechanismParameter)?;
    if (MIN_MAC..=full).contains(&length) { Ok(length) } else { Err(ErrorCode::MechanismParameter) }
}
