//! C's structures, copied in.

mod message;
mod parameter;
#[cfg(test)]
mod tests;

pub(super) use message::message;

use super::memory::Ptr;
use crate::attribute::{self, Given as GivenAttribute, Raw};
use crate::mechanism::Given;
use crate::operation::Begin;
use crate::rv::{Outcome, Rv};
use coloa_wire::Template;
use coloa_wire::attribute::MAX_ATTRIBUTES;
use coloa_wire::command::Pin;
use cryptoki_sys::*;
use zeroize::Zeroizing;

/// The longest attribute value: no engine takes a longer frame.
const MAX_VALUE: usize = coloa_wire::frame::MAX_FRAME_HOST;
/// SP 800-38D allows 2^64 - 1 bits; nobody sends more than this.
const MAX_IV: usize = 256;
const MAX_AAD: usize = 64 * 1024;
/// More than any PIN; the engine says which lengths it takes.
const MAX_PIN: usize = 1024;

/// A template.
pub(super) fn template(start: Ptr<CK_ATTRIBUTE>, count: CK_ULONG) -> Outcome<Template> {
    let given = start.read_all(count, MAX_ATTRIBUTES)?;
    attribute::template(given.into_iter().map(attribute).collect::<Outcome<_>>()?)
}

fn attribute(given: CK_ATTRIBUTE) -> Outcome<GivenAttribute> {
    if !attribute::holds_template(given.type_) {
        return Ok((given.type_, Raw::Bytes(value(given)?)));
    }
    // SAFETY: the caller vouches for the attributes of its template.
    let start: Ptr<CK_ATTRIBUTE> = unsafe { Ptr::vouched(given.pValue.cast()) };
    let invalid = Rv(CKR_ATTRIBUTE_VALUE_INVALID);
    let size = size_of::<CK_ATTRIBUTE>() as CK_ULONG;
    if !given.ulValueLen.is_multiple_of(size) {
        return Err(invalid);
    }
    let inner = start.read_all(given.ulValueLen / size, MAX_ATTRIBUTES).map_err(|_| invalid)?;
    let inner = inner.into_iter().map(|a| Ok((a.type_, value(a)?))).collect::<Outcome<_>>()?;
    Ok((given.type_, Raw::Template(inner)))
}

fn value(given: CK_ATTRIBUTE) -> Outcome<Zeroizing<Vec<u8>>> {
    // SAFETY: the caller vouches for the attributes of its template.
    let value: Ptr<u8> = unsafe { Ptr::vouched(given.pValue.cast()) };
    value.copy(given.ulValueLen, MAX_VALUE).map_err(|_| Rv(CKR_ATTRIBUTE_VALUE_INVALID))
}

/// A mechanism; NULL where `C_*Init` may end an operation.
pub(super) fn begin(mechanism: Ptr<CK_MECHANISM>) -> Outcome<Begin> {
    if mechanism.is_null() { Ok(None) } else { self::mechanism(mechanism).map(Some) }
}

/// A mechanism.
pub(super) fn mechanism(mechanism: Ptr<CK_MECHANISM>) -> Outcome<Given> {
    let given = mechanism.read()?;
    // SAFETY: the caller vouches for the parameter of its mechanism.
    let start: Ptr<u8> = unsafe { Ptr::vouched(given.pParameter.cast()) };
    let parameter = parameter::parameter(given.mechanism, start, given.ulParameterLen)?;
    Ok(Given { kind: given.mechanism, parameter })
}

/// A mechanism whose parameters come with each message: only which one it is.
pub(super) fn begin_messages(mechanism: Ptr<CK_MECHANISM>) -> Outcome<Option<CK_MECHANISM_TYPE>> {
    if mechanism.is_null() { Ok(None) } else { Ok(Some(mechanism.read()?.mechanism)) }
}

/// Additional authenticated data.
pub(super) fn additional(start: Ptr<u8>, len: CK_ULONG) -> Outcome<Vec<u8>> {
    Ok(start.copy(len, MAX_AAD)?.to_vec())
}

/// A PIN. NULL would mean a reader with a keypad, which there is not.
pub(super) fn pin(start: Ptr<CK_UTF8CHAR>, len: CK_ULONG) -> Outcome<Pin> {
    Ok(Pin::from(&start.not_null()?.copy(len, MAX_PIN)?[..]))
}
