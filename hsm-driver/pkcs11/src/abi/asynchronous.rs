//! Asynchronous function management (PKCS#11 3.2, `C_Async*`).

use super::memory::Ptr;
use super::process::session_of;
use crate::rv::{Outcome, Rv};
use cryptoki_sys::*;

/// Longer than any function's name.
const NAME_BYTES: usize = 64;

entry! {
    C_AsyncComplete(session: CK_SESSION_HANDLE, function: *mut CK_UTF8CHAR, result: *mut CK_ASYNC_DATA) {
        let session = session_of(session)?;
        let function = name(function)?;
        // Who asks for a function without a result gives NULL; for others that is wrong before anything is lost.
        let given = if result.is_null() && session.awaits_nothing(&function) { None } else { Some(result.read()?) };
        let done = session.async_complete(&function)?;
        let Some(given) = given else { return done.outcome.map(drop) };
        let (bytes, [object, second]) = done.outcome.unwrap_or_default();
        result.write(CK_ASYNC_DATA {
            pValue: done.value.unwrap_or(given.pValue),
            ulValue: bytes as CK_ULONG,
            hObject: object,
            hAdditionalObject: second,
            ..given
        })?;
        done.outcome.map(drop)
    }

    C_AsyncGetID(session: CK_SESSION_HANDLE, function: *mut CK_UTF8CHAR, id: *mut CK_ULONG) {
        let session = session_of(session)?;
        let function = name(function)?;
        id.not_null()?;
        session.async_id(&function)
    }

    C_AsyncJoin(
        session: CK_SESSION_HANDLE,
        function: *mut CK_UTF8CHAR,
        _id: CK_ULONG,
        _data: *mut CK_BYTE,
        _len: CK_ULONG,
    ) {
        session_of(session)?;
        name(function)?;
        // No id was ever given out.
        Err(Rv(CKR_SAVED_STATE_INVALID))
    }
}

/// A NUL-terminated name; `CKR_ARGUMENTS_BAD` for one that no function has.
fn name(start: Ptr<CK_UTF8CHAR>) -> Outcome<Vec<u8>> {
    start.not_null()?;
    let mut name = Vec::new();
    for at in 0..NAME_BYTES {
        match start.element(at).read()? {
            0 => return Ok(name),
            byte => name.push(byte),
        }
    }
    Err(Rv(CKR_ARGUMENTS_BAD))
}
