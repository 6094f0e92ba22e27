//! Session management (§5.6), with PINs.

use super::given::pin;
use super::process::{module, session_of};
use crate::rv::Rv;
use cryptoki_sys::*;
use std::ffi::c_void;

entry! {
    C_OpenSession(
        slot: CK_SLOT_ID,
        flags: CK_FLAGS,
        _application: *mut c_void,
        _notify: CK_NOTIFY,
        session: *mut CK_SESSION_HANDLE,
    ) {
        let module = module()?;
        session.not_null()?;
        session.write(module.open_session(slot, flags)?)
    }

    C_CloseSession(session: CK_SESSION_HANDLE) {
        module()?.close_session(session)
    }

    C_CloseAllSessions(slot: CK_SLOT_ID) {
        module()?.close_all_sessions(slot)
    }

    C_GetSessionInfo(session: CK_SESSION_HANDLE, info: *mut CK_SESSION_INFO) {
        info.write(session_of(session)?.info())
    }

    C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin_start: *mut CK_UTF8CHAR, pin_len: CK_ULONG) {
        session_of(session)?.login(user, pin(pin_start, pin_len)?)
    }

    C_LoginUser(
        session: CK_SESSION_HANDLE,
        user: CK_USER_TYPE,
        pin_start: *mut CK_UTF8CHAR,
        pin_len: CK_ULONG,
        name: *mut CK_UTF8CHAR,
        name_len: CK_ULONG,
    ) {
        let session = session_of(session)?;
        // A token has one user, who has no name.
        if name.input(name_len)?.len() > 0 {
            return Err(Rv(CKR_USER_TYPE_INVALID));
        }
        session.login(user, pin(pin_start, pin_len)?)
    }

    C_Logout(session: CK_SESSION_HANDLE) {
        session_of(session)?.logout()
    }

    C_SessionCancel(session: CK_SESSION_HANDLE, flags: CK_FLAGS) {
        session_of(session)?.cancel(flags);
        Ok(())
    }

    C_GetSessionValidationFlags(
        session: CK_SESSION_HANDLE,
        kind: CK_SESSION_VALIDATION_FLAGS_TYPE,
        flags: *mut CK_FLAGS,
    ) {
        session_of(session)?;
        flags.not_null()?;
        // A token without validation objects has validated nothing.
        if kind == CKS_LAST_VALIDATION_OK { flags.write(0) } else { Err(Rv(CKR_ARGUMENTS_BAD)) }
    }

    C_InitPIN(session: CK_SESSION_HANDLE, pin_start: *mut CK_UTF8CHAR, pin_len: CK_ULONG) {
        session_of(session)?.init_pin(pin(pin_start, pin_len)?)
    }

    C_SetPIN(
        session: CK_SESSION_HANDLE,
        old: *mut CK_UTF8CHAR,
        old_len: CK_ULONG,
        new: *mut CK_UTF8CHAR,
        new_len: CK_ULONG,
    ) {
        session_of(session)?.set_pin(pin(old, old_len)?, pin(new, new_len)?)
    }
}
