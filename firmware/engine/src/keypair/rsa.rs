//! RSA keys: PKCS#11's big integers (§6.1) to PKCS#1's DER (RFC 8017 A.1) and back.

use super::take;
use crate::attributes::Wanted;
use alloc::vec::Vec;
use coloa_wire::{AttributeType as A, ErrorCode};
use der::asn1::UintRef;
use der::{Decode, Encode};
use pkcs1::{RsaPrivateKey, RsaPublicKey};
use zeroize::Zeroizing;

/// `RSAPublicKey` of a modulus and an exponent.
pub(super) fn public(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, ErrorCode> {
    let key = || RsaPublicKey { modulus: UintRef::new(modulus)?, public_exponent: UintRef::new(exponent)? }.to_der();
    key().map_err(|_: der::Error| ErrorCode::AttributeValueInvalid)
}

/// Modulus and exponent of an `RSAPublicKey`, without leading zeros.
pub(super) fn parts(public: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ErrorCode> {
    let key = RsaPublicKey::<UintRef<'_>>::from_der(public).map_err(|_| ErrorCode::Internal)?;
    Ok((key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec()))
}

/// Bits of a modulus without leading zeros.
pub(crate) fn modulus_bits(modulus: &[u8]) -> u64 {
    let zeros = modulus.first().map_or(0, |byte| u64::from(byte.leading_zeros()));
    (modulus.len() as u64).saturating_mul(8).saturating_sub(zeros)
}

/// `RSAPrivateKey` of a template's parts: all of PKCS#1's are needed.
pub(super) fn take_private(wanted: &mut Wanted) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let modulus = wanted.bytes(A::MODULUS).ok_or(ErrorCode::TemplateIncomplete)?.to_vec();
    let exponent = wanted.bytes(A::PUBLIC_EXPONENT).ok_or(ErrorCode::TemplateIncomplete)?.to_vec();
    let private = take(wanted, A::PRIVATE_EXPONENT)?;
    let (prime1, prime2) = (take(wanted, A::PRIME_1)?, take(wanted, A::PRIME_2)?);
    let (exponent1, exponent2) = (take(wanted, A::EXPONENT_1)?, take(wanted, A::EXPONENT_2)?);
    let coefficient = take(wanted, A::COEFFICIENT)?;
    let key = || {
        let key = RsaPrivateKey {
            modulus: UintRef::new(&modulus)?,
            public_exponent: UintRef::new(&exponent)?,
            private_exponent: UintRef::new(&private)?,
            prime1: UintRef::new(&prime1)?,
            prime2: UintRef::new(&prime2)?,
            exponent1: UintRef::new(&exponent1)?,
            exponent2: UintRef::new(&exponent2)?,
            coefficient: UintRef::new(&coefficient)?,
            other_prime_infos: None,
        };
        key.to_der()
    };
    key().map(Zeroizing::new).map_err(|_: der::Error| ErrorCode::AttributeValueInvalid)
}

/// A secret part of an `RSAPrivateKey`.
pub(super) fn secret_part(secret: &[u8], part: A) -> Option<Zeroizing<Vec<u8>>> {
    let key = RsaPrivateKey::<UintRef<'_>>::from_der(secret).ok()?;
    let part = match part {
        A::PRIVATE_EXPONENT => key.private_exponent,
        A::PRIME_1 => key.prime1,
        A::PRIME_2 => key.prime2,
        A::EXPONENT_1 => key.exponent1,
        A::EXPONENT_2 => key.exponent2,
        A::COEFFICIENT => key.coefficient,
        _ => return None,
    };
    Some(Zeroizing::new(part.as_bytes().to_vec()))
}
