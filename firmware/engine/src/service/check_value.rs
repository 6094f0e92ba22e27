//! `CKA_CHECK_VALUE`: three bytes that tell two values apart (PKCS#11 §4.6.2, §4.10, §6.8). It is public, so for a secret
//! that can be guessed it lets a guess be tried; who minds gives an empty one, and there is none.

use crate::crypto::{BLOCK, Mode};
use crate::{Crypto, Feature, Hash, KeyKind};
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::{AttributeType as A, ErrorCode, Template, Value};
use subtle::ConstantTimeEq;

const LENGTH: usize = 3;

/// Writes the check value of a new object, or compares the one that was given.
///
/// # Errors
/// `AttributeValueInvalid` for another one than the value has.
pub(super) fn settle<C: Crypto>(crypto: &C, mut template: Template, secret: &[u8]) -> Result<Template, ErrorCode> {
    let given = match template.value(A::CHECK_VALUE) {
        Some(Value::Bytes(given)) => Some(given.clone()),
        _ => None,
    };
    if given.as_ref().is_some_and(Vec::is_empty) {
        return Ok(template);
    }
    let made = of(crypto, &template, secret);
    match (given, made) {
        (Some(given), Some(made)) if bool::from(given.ct_eq(&made)) => {}
        (Some(_), _) => return Err(ErrorCode::AttributeValueInvalid),
        (None, Some(made)) => template = template.with(A::CHECK_VALUE, made),
        (None, None) => {}
    }
    Ok(template)
}

/// For AES of a block of zeros (ECB), for other secrets and certificates of SHA-1; the standard has none for XTS.
fn of<C: Crypto>(crypto: &C, template: &Template, secret: &[u8]) -> Option<Vec<u8>> {
    let number = |kind| match template.value(kind) {
        Some(Value::Uint(number)) => Some(*number),
        _ => None,
    };
    let whole = match (number(A::CLASS)?, number(A::KEY_TYPE)) {
        (class::CERTIFICATE, _) => match template.value(A::VALUE) {
            Some(Value::Bytes(value)) if !value.is_empty() => sha1(crypto, value),
            _ => None,
        },
        (class::SECRET_KEY, Some(key_type::AES)) if crypto.supports(Feature::AesModes) => {
            let key = crypto.load(KeyKind::Aes, secret).ok()?;
            let mut block = vec![0; BLOCK];
            crypto.encrypt(&key, Mode::Ecb, &mut block).ok().map(|()| block)
        }
        (class::SECRET_KEY, Some(key_type::AES | key_type::AES_XTS)) => None,
        (class::SECRET_KEY, Some(_)) => sha1(crypto, secret),
        _ => None,
    };
    whole?.get(..LENGTH).map(<[u8]>::to_vec)
}

fn sha1<C: Crypto>(crypto: &C, value: &[u8]) -> Option<Vec<u8>> {
    crypto.supports(Feature::Sha2Short).then(|| crypto.digest(Hash::Sha1, &[value]).as_ref().to_vec())
}
