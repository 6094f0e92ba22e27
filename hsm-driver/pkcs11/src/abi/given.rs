//! C's structures, copied in.

use super::memory::{IvHome, Ptr};
use crate::attribute::{self, Given as GivenAttribute};
use crate::mechanism::{Gcm, Given, Parameter};
use crate::operation::Begin;
use crate::rv::{Outcome, Rv};
use coloa_wire::Template;
use coloa_wire::attribute::MAX_ATTRIBUTES;
use coloa_wire::command::Pin;
use cryptoki_sys::*;

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
    // SAFETY: the caller vouches for the attributes of its template.
    let value: Ptr<u8> = unsafe { Ptr::vouched(given.pValue.cast()) };
    let bytes = value.copy(given.ulValueLen, MAX_VALUE).map_err(|_| Rv(CKR_ATTRIBUTE_VALUE_INVALID))?;
    Ok((given.type_, bytes))
}

/// A mechanism; NULL where `C_*Init` may end an operation.
pub(super) fn begin(mechanism: Ptr<CK_MECHANISM>) -> Outcome<Begin> {
    if mechanism.is_null() { Ok(None) } else { self::mechanism(mechanism).map(Some) }
}

/// A mechanism.
pub(super) fn mechanism(mechanism: Ptr<CK_MECHANISM>) -> Outcome<Given> {
    let given = mechanism.read()?;
    // SAFETY: the caller vouches for the parameter of its mechanism.
    let parameter: Ptr<u8> = unsafe { Ptr::vouched(given.pParameter.cast()) };
    let parameter = match (given.mechanism, parameter.is_null(), given.ulParameterLen) {
        (CKM_AES_GCM, false, len) if len == size_of::<CK_GCM_PARAMS>() as CK_ULONG => {
            Parameter::Gcm(gcm(parameter.cast().read()?)?)
        }
        (_, _, 0) => Parameter::None,
        (_, _, _) => Parameter::Unknown,
    };
    Ok(Given { kind: given.mechanism, parameter })
}

fn gcm(params: CK_GCM_PARAMS) -> Outcome<Gcm> {
    let invalid = |_| Rv(CKR_MECHANISM_PARAM_INVALID);
    // SAFETY: the caller vouches for what its parameters point to, the IV until the operation ends.
    let (iv, aad) = unsafe { (Ptr::<u8>::vouched(params.pIv), Ptr::<u8>::vouched(params.pAAD)) };
    let copy = iv.copy(params.ulIvLen, MAX_IV).map_err(invalid)?.to_vec();
    let aad = aad.copy(params.ulAADLen, MAX_AAD).map_err(invalid)?.to_vec();
    if copy.is_empty() {
        return Err(Rv(CKR_MECHANISM_PARAM_INVALID));
    }
    Ok(Gcm { iv_home: IvHome::new(iv, copy.len()), iv: copy, aad, tag_bits: params.ulTagBits })
}

/// A PIN. NULL would mean a reader with a keypad, which there is not.
pub(super) fn pin(start: Ptr<CK_UTF8CHAR>, len: CK_ULONG) -> Outcome<Pin> {
    Ok(Pin::from(&start.not_null()?.copy(len, MAX_PIN)?[..]))
}
