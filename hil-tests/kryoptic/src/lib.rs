//! Kryoptic's entry point, as its own shared object has it.

#![deny(unsafe_code)]

use kryoptic_lib::pkcs11::{CK_FUNCTION_LIST_PTR_PTR, CK_RV};

/// The list of functions (PKCS#11 2.40).
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    kryoptic_lib::fns::general::fn_get_function_list(list)
}
