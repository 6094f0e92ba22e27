//! What a partition's rules ask of a key (ARCHITECTURE decision 8, R9, R10, R12).

use super::{Origin, Wanted, natural};
use crate::period;
use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::PartitionMode;
use coloa_wire::{Attribute, AttributeType as A, ErrorCode, Template, Value};

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

/// On a strict partition nobody but the unwrapping key says what an unwrapped key may do (R13): its purposes are those of
/// `CKA_UNWRAP_TEMPLATE`, or the natural ones of its type, and only that template makes it extractable. Without a type in
/// that template it unwraps what [`travels_freely`].
pub(crate) fn narrowest(wanted: &Wanted, demanded: &[Attribute]) -> Result<(), ErrorCode> {
    let demands = |kind: A| demanded.iter().any(|a| a.kind == kind && a.value == Value::Bool(true));
    let kind = wanted.number(A::KEY_TYPE);
    let typed = demanded.iter().any(|a| a.kind == A::KEY_TYPE) || is_free_type(wanted.class(), kind);
    let named = PURPOSES.iter().any(|kind| demands(*kind));
    let allowed = |purpose: A| {
        if named { demands(purpose) } else { natural(wanted.class(), kind).contains(&purpose) }
    };
    let widened = PURPOSES.iter().any(|purpose| wanted.flag(*purpose) && !allowed(*purpose));
    let extractable = wanted.flag(A::EXTRACTABLE) && !demands(A::EXTRACTABLE);
    if !typed || widened || extractable { Err(ErrorCode::TemplateInconsistent) } else { Ok(()) }
}

/// The value of a secret key does not tell its type, so without a template it is AES; PKCS#8 does.
fn is_free_type(class: u64, kind: Option<u64>) -> bool {
    class == class::PRIVATE_KEY || kind == Some(key_type::AES)
}

/// Whether a key comes out of an unwrapping key without a template as what it was: an AES key that encrypts, or a private
/// key with the natural purpose of its type. Other keys of a strict partition leave under wrapping keys whose
/// `CKA_WRAP_TEMPLATE` names their type (R13).
pub(crate) fn travels_freely(class: u64, kind: Option<u64>, flag: impl Fn(A) -> bool) -> bool {
    let kept = |purpose: &A| !flag(*purpose) || natural(class, kind).contains(purpose);
    is_free_type(class, kind) && PURPOSES.iter().all(kept)
}

/// Whether what leaves under a key with these templates comes back as what it was: both name the same type and purposes.
pub(crate) fn mirrors(wrap: &[Attribute], unwrap: &[Attribute]) -> bool {
    let binds = |a: &&Attribute| a.kind == A::KEY_TYPE || (PURPOSES.contains(&a.kind) && a.value == Value::Bool(true));
    let within = |one: &[Attribute], other: &[Attribute]| one.iter().filter(binds).all(|a| other.contains(a));
    within(wrap, unwrap) && within(unwrap, wrap)
}

/// Whether a key wraps and does nothing else but unwrap.
pub(crate) fn wraps_only(flag: impl Fn(A) -> bool) -> bool {
    flag(A::WRAP) && PURPOSES.iter().all(|kind| matches!(*kind, A::WRAP | A::UNWRAP) || !flag(*kind))
}

/// Holds the attributes of a key to the partition's rules (ARCHITECTURE decision 8, R9, R10). Without an origin they are
/// those of a key that is there, which [`only_narrows`] holds.
pub(crate) fn obey(
    template: &Template,
    class: u64,
    origin: Option<Origin>,
    mode: PartitionMode,
) -> Result<(), ErrorCode> {
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
    // Only what the engine drew itself surely nobody knows: a key from outside may have been put there, and who chose the
    // other half of an agreement knows its result.
    let foreign_wrapper = origin.is_some_and(|origin| !origin.is_local()) && any(&[A::WRAP, A::UNWRAP]);
    let known = origin.is_some_and(Origin::is_known) && any(&[A::WRAP, A::UNWRAP, A::DERIVE]);
    let laid_open = matches!(origin, Some(Origin::Carried | Origin::Derived { .. })) && !flag(A::SENSITIVE);
    if many || readable || (hidden && (foreign_wrapper || known || laid_open)) {
        Err(ErrorCode::TemplateInconsistent)
    } else {
        Ok(())
    }
}

fn short_rsa(template: &Template) -> bool {
    let rsa = template.value(A::KEY_TYPE) == Some(&Value::Uint(key_type::RSA));
    match template.value(A::MODULUS) {
        Some(Value::Bytes(modulus)) => rsa && modulus.len().saturating_mul(8) < STRICT_RSA,
        _ => false,
    }
}
