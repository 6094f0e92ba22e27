//! What a partition's rules ask of a key (ARCHITECTURE decision 8, R9, R10, R12).

use super::Origin;
use crate::period;
use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::PartitionMode;
use coloa_wire::{AttributeType as A, ErrorCode, Template, Value};

/// What a key may be for.
const PURPOSES: [A; 11] = [
    A::SIGN,
    A::VERIFY,
    A::SIGN_RECOVER,
    A::VERIFY_RECOVER,
    A::ENCRYPT,
    A::DECRYPT,
    A::WRAP,
    A::UNWRAP,
    A::DERIVE,
    A::ENCAPSULATE,
    A::DECAPSULATE,
];
/// The shortest RSA modulus of a strict partition, in bits.
const STRICT_RSA: usize = 3072;

/// On a strict partition a key's purposes only become fewer, or a DEK could become a KEK in two steps (R10), and its
/// crypto-period only shorter (R12).
pub(crate) fn only_narrows(old: &Template, new: &Template) -> Result<(), ErrorCode> {
    let flag = |template: &Template, kind: A| template.value(kind) == Some(&Value::Bool(true));
    if PURPOSES.iter().any(|kind| flag(new, *kind) && !flag(old, *kind)) {
        return Err(ErrorCode::TemplateInconsistent);
    }
    let date = |template: &Template, kind: A| match template.value(kind) {
        Some(Value::Bytes(date)) => date.clone(),
        _ => Vec::new(),
    };
    let (start, end) = (date(old, A::START_DATE), date(old, A::END_DATE));
    let kept = start.is_empty() || start == date(new, A::START_DATE);
    if kept && period::may_end(&end, &date(new, A::END_DATE)) { Ok(()) } else { Err(ErrorCode::AttributeReadOnly) }
}

/// Holds the attributes of a key to the partition's rules (ARCHITECTURE decision 8, R9, R10).
pub(crate) fn obey(template: &Template, class: u64, origin: Origin, mode: PartitionMode) -> Result<(), ErrorCode> {
    if mode == PartitionMode::Compatible || !matches!(class, class::PRIVATE_KEY | class::SECRET_KEY | class::PUBLIC_KEY)
    {
        return Ok(());
    }
    let flag = |kind: A| template.value(kind) == Some(&Value::Bool(true));
    let any = |kinds: &[A]| kinds.iter().any(|k| flag(*k));
    let purposes = [
        any(&[A::SIGN, A::VERIFY, A::SIGN_RECOVER, A::VERIFY_RECOVER]),
        any(&[A::ENCRYPT, A::DECRYPT]),
        any(&[A::WRAP, A::UNWRAP]),
        flag(A::DERIVE),
        any(&[A::ENCAPSULATE, A::DECAPSULATE]),
    ];
    if short_rsa(template) {
        return Err(ErrorCode::KeySize);
    }
    let hidden = class != class::PUBLIC_KEY;
    let many = purposes.iter().filter(|p| **p).count() > 1;
    let readable = hidden && flag(A::EXTRACTABLE) && !flag(A::SENSITIVE);
    let known_wrapper = hidden && origin == Origin::Import && any(&[A::WRAP, A::UNWRAP, A::DERIVE]);
    if many || readable || known_wrapper { Err(ErrorCode::TemplateInconsistent) } else { Ok(()) }
}

fn short_rsa(template: &Template) -> bool {
    let rsa = template.value(A::KEY_TYPE) == Some(&Value::Uint(key_type::RSA));
    match template.value(A::MODULUS) {
        Some(Value::Bytes(modulus)) => rsa && modulus.len().saturating_mul(8) < STRICT_RSA,
        _ => false,
    }
}
