//! Key pairs as PKCS#11 writes them (§6.1, §6.3, §6.67, §6.68): from attributes to what a provider takes, and back.

mod pkcs8;
mod rsa;
mod spki;

use crate::PairKind;
use crate::attributes::Wanted;
use crate::crypto::{ML_DSA_SEED, ML_KEM_SEED, MlDsa, MlKem};
use crate::object::Object;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::{key_type, parameter_set};
use coloa_wire::{AttributeType as A, ErrorCode, Value};
use zeroize::Zeroizing;

pub(crate) use pkcs8::{Unwrapped, private_key_info};
pub(crate) use rsa::modulus_bits;

/// The public exponent of the keys the engine generates, and PKCS#11's bytes of it.
pub(crate) const F4: &[u8] = &[1, 0, 1];

/// What the attributes of either half say of the pair.
pub(crate) struct Described<'a> {
    pub key_type: Option<u64>,
    pub params: Option<&'a [u8]>,
    pub set: Option<u64>,
}

impl<'a> Described<'a> {
    pub(crate) fn by(wanted: &'a Wanted) -> Self {
        let (key_type, set) = (wanted.number(A::KEY_TYPE), wanted.number(A::PARAMETER_SET));
        Described { key_type, params: wanted.bytes(A::EC_PARAMS), set }
    }

    /// # Errors
    /// `TemplateIncomplete`, `CurveUnsupported`, `AttributeValueInvalid`.
    pub(crate) fn kind(&self) -> Result<PairKind, ErrorCode> {
        let set = self.set.ok_or(ErrorCode::TemplateIncomplete);
        let params = self.params.ok_or(ErrorCode::TemplateIncomplete);
        match self.key_type.ok_or(ErrorCode::TemplateIncomplete)? {
            key_type::RSA => Ok(PairKind::Rsa),
            key_type::EC => spki::curve_of(params?).map(PairKind::Ec).ok_or(ErrorCode::CurveUnsupported),
            key_type::EC_EDWARDS if spki::is_ed25519(params?) => Ok(PairKind::Ed25519),
            key_type::EC_MONTGOMERY if spki::is_x25519(params?) => Ok(PairKind::X25519),
            key_type::EC_EDWARDS | key_type::EC_MONTGOMERY => Err(ErrorCode::CurveUnsupported),
            key_type::ML_DSA => ml_dsa(set?).map(PairKind::MlDsa),
            key_type::ML_KEM => ml_kem(set?).map(PairKind::MlKem),
            _ => Err(ErrorCode::AttributeValueInvalid),
        }
    }
}

/// `CKA_KEY_TYPE` of a kind.
pub(crate) fn key_type_of(kind: PairKind) -> u64 {
    match kind {
        PairKind::Rsa => key_type::RSA,
        PairKind::Ec(_) => key_type::EC,
        PairKind::Ed25519 => key_type::EC_EDWARDS,
        PairKind::X25519 => key_type::EC_MONTGOMERY,
        PairKind::MlDsa(_) => key_type::ML_DSA,
        PairKind::MlKem(_) => key_type::ML_KEM,
    }
}

fn ml_dsa(set: u64) -> Result<MlDsa, ErrorCode> {
    match set {
        parameter_set::ML_DSA_44 => Ok(MlDsa::L44),
        parameter_set::ML_DSA_65 => Ok(MlDsa::L65),
        parameter_set::ML_DSA_87 => Ok(MlDsa::L87),
        _ => Err(ErrorCode::AttributeValueInvalid),
    }
}

fn ml_kem(set: u64) -> Result<MlKem, ErrorCode> {
    match set {
        parameter_set::ML_KEM_512 => Ok(MlKem::L512),
        parameter_set::ML_KEM_768 => Ok(MlKem::L768),
        parameter_set::ML_KEM_1024 => Ok(MlKem::L1024),
        _ => Err(ErrorCode::AttributeValueInvalid),
    }
}

/// Writes a public key's value into the attributes of a public key object.
pub(crate) fn write_public(wanted: &mut Wanted, kind: PairKind, public: &[u8]) -> Result<(), ErrorCode> {
    match kind {
        PairKind::Ec(_) | PairKind::Ed25519 | PairKind::X25519 => {
            wanted.set(A::EC_POINT, spki::wrap_octet_string(public)?);
        }
        PairKind::MlDsa(_) | PairKind::MlKem(_) => wanted.set(A::VALUE, public.to_vec()),
        PairKind::Rsa => {
            let (modulus, exponent) = rsa::parts(public)?;
            wanted.set(A::MODULUS_BITS, modulus_bits(&modulus));
            wanted.set(A::MODULUS, modulus);
            wanted.set(A::PUBLIC_EXPONENT, exponent);
        }
    }
    wanted.set(A::PUBLIC_KEY_INFO, spki::public_key_info(kind, public)?);
    Ok(())
}

/// Writes what a private key object shows of its public half.
pub(crate) fn write_private(wanted: &mut Wanted, kind: PairKind, public: &[u8]) -> Result<(), ErrorCode> {
    match kind {
        PairKind::Ec(curve) => wanted.set(A::EC_PARAMS, spki::params_of(curve).to_vec()),
        PairKind::Ed25519 => wanted.set(A::EC_PARAMS, spki::ED25519.to_vec()),
        PairKind::X25519 => wanted.set(A::EC_PARAMS, spki::X25519.to_vec()),
        PairKind::MlDsa(set) => wanted.set(A::PARAMETER_SET, dsa_number(set)),
        PairKind::MlKem(set) => wanted.set(A::PARAMETER_SET, kem_number(set)),
        PairKind::Rsa => {
            let (modulus, exponent) = rsa::parts(public)?;
            wanted.set(A::MODULUS, modulus);
            wanted.set(A::PUBLIC_EXPONENT, exponent);
        }
    }
    wanted.set(A::PUBLIC_KEY_INFO, spki::public_key_info(kind, public)?);
    Ok(())
}

fn dsa_number(set: MlDsa) -> u64 {
    match set {
        MlDsa::L44 => parameter_set::ML_DSA_44,
        MlDsa::L65 => parameter_set::ML_DSA_65,
        MlDsa::L87 => parameter_set::ML_DSA_87,
    }
}

fn kem_number(set: MlKem) -> u64 {
    match set {
        MlKem::L512 => parameter_set::ML_KEM_512,
        MlKem::L768 => parameter_set::ML_KEM_768,
        MlKem::L1024 => parameter_set::ML_KEM_1024,
    }
}

/// A public key as the caller of `C_CreateObject` gives it, in the provider's encoding.
pub(crate) fn given_public(wanted: &Wanted, kind: PairKind) -> Result<Vec<u8>, ErrorCode> {
    let bytes = |kind: A| wanted.bytes(kind).ok_or(ErrorCode::TemplateIncomplete);
    match kind {
        PairKind::Ec(_) | PairKind::Ed25519 | PairKind::X25519 => Ok(point_of(bytes(A::EC_POINT)?, kind).to_vec()),
        PairKind::MlDsa(_) | PairKind::MlKem(_) => bytes(A::VALUE).map(<[u8]>::to_vec),
        PairKind::Rsa => rsa::public(bytes(A::MODULUS)?, bytes(A::PUBLIC_EXPONENT)?),
    }
}

/// A point in a DER OCTET STRING (§6.3.3), or, as some callers give it, without one.
pub(crate) fn point_of(given: &[u8], kind: PairKind) -> &[u8] {
    let bare = match kind {
        PairKind::Ec(curve) => curve.scalar().saturating_mul(2).saturating_add(1),
        _ => 32,
    };
    if given.len() == bare { given } else { spki::unwrap_octet_string(given).unwrap_or(given) }
}

/// A public key object's value in the provider's encoding.
pub(crate) fn public_of<K>(object: &Object<K>, kind: PairKind) -> Option<Vec<u8>> {
    match kind {
        PairKind::Ec(_) | PairKind::Ed25519 | PairKind::X25519 => {
            object.bytes(A::EC_POINT).and_then(spki::unwrap_octet_string).map(<[u8]>::to_vec)
        }
        PairKind::MlDsa(_) | PairKind::MlKem(_) => object.bytes(A::VALUE).map(<[u8]>::to_vec),
        PairKind::Rsa => rsa::public(object.bytes(A::MODULUS)?, object.bytes(A::PUBLIC_EXPONENT)?).ok(),
    }
}

/// A private key as the caller of `C_CreateObject` gives it, in the provider's encoding; its parts leave the template.
pub(crate) fn take_private(wanted: &mut Wanted, kind: PairKind) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    match kind {
        PairKind::Rsa => rsa::take_private(wanted),
        PairKind::Ec(curve) => {
            let scalar = take(wanted, A::VALUE)?;
            // PKCS#11 big integers may come without leading zeros.
            let missing = curve.scalar().checked_sub(scalar.len()).ok_or(ErrorCode::AttributeValueInvalid)?;
            Ok(Zeroizing::new([vec![0; missing].as_slice(), &scalar].concat()))
        }
        PairKind::Ed25519 | PairKind::X25519 => take(wanted, A::VALUE),
        PairKind::MlDsa(_) | PairKind::MlKem(_) => {
            let secret = if wanted.has(A::SEED) { take(wanted, A::SEED) } else { take(wanted, A::VALUE) }?;
            let is_seed = matches!(secret.len(), ML_DSA_SEED | ML_KEM_SEED);
            let fits = match kind {
                PairKind::MlDsa(set) => secret.len() == ML_DSA_SEED || secret.len() == set.private(),
                PairKind::MlKem(set) => secret.len() == ML_KEM_SEED || secret.len() == set.private(),
                _ => is_seed,
            };
            if fits { Ok(secret) } else { Err(ErrorCode::AttributeValueInvalid) }
        }
    }
}

/// Takes a secret attribute out of a template.
pub(crate) fn take(wanted: &mut Wanted, kind: A) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    match wanted.take(kind) {
        Some(Value::Bytes(bytes)) => Ok(Zeroizing::new(bytes)),
        _ => Err(ErrorCode::TemplateIncomplete),
    }
}

/// A secret part of a private key as PKCS#11 shows it; none when the key has no such part.
pub(crate) fn secret_part(kind: PairKind, secret: &[u8], part: A) -> Option<Zeroizing<Vec<u8>>> {
    let seeded = match kind {
        PairKind::MlDsa(_) => secret.len() == ML_DSA_SEED,
        PairKind::MlKem(_) => secret.len() == ML_KEM_SEED,
        _ => false,
    };
    match (kind, part) {
        (PairKind::Rsa, _) => rsa::secret_part(secret, part),
        (_, A::SEED) if seeded => Some(Zeroizing::new(secret.to_vec())),
        (_, A::VALUE) if !seeded => Some(Zeroizing::new(secret.to_vec())),
        _ => None,
    }
}
