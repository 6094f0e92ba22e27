//! General-purpose functions (§5.4) and the legacy of parallel sessions (§5.21).

use super::process;
use crate::identity;
use crate::rv::{Outcome, Rv};
use cryptoki_sys::*;
use std::ffi::c_void;

entry! {
    C_Initialize(arguments: *mut c_void) {
        if !arguments.is_null() {
            accept(arguments.cast().read()?)?;
        }
        process::initialize()
    }

    C_Finalize(reserved: *mut c_void) {
        if !reserved.is_null() {
            return Err(Rv(CKR_ARGUMENTS_BAD));
        }
        process::finalize()
    }

    C_GetInfo(info: *mut CK_INFO) {
        process::module()?;
        info.write(identity::library())
    }
}

unsupported! { CKR_FUNCTION_NOT_PARALLEL:
    C_GetFunctionStatus(CK_SESSION_HANDLE);
    C_CancelFunction(CK_SESSION_HANDLE);
}

/// `CK_C_INITIALIZE_ARGS`: this module locks with the system's means, so an application that only allows its own is refused.
fn accept(arguments: CK_C_INITIALIZE_ARGS) -> Outcome {
    let given = [
        arguments.CreateMutex.is_some(),
        arguments.DestroyMutex.is_some(),
        arguments.LockMutex.is_some(),
        arguments.UnlockMutex.is_some(),
    ];
    let (all, any) = (given.iter().all(|g| *g), given.iter().any(|g| *g));
    if !arguments.pReserved.is_null() || all != any {
        return Err(Rv(CKR_ARGUMENTS_BAD));
    }
    if all && arguments.flags & CKF_OS_LOCKING_OK == 0 { Err(Rv(CKR_CANT_LOCK)) } else { Ok(()) }
}
