//! Plays: a play makes of any bytes a hostile use of the module, and panics when the module does not stand it. Fuzzers give
//! the bytes (hil-tests/fuzz), and the test `arbitrary` gives random ones.
#![allow(dead_code, reason = "each binary plays its part")]

pub mod liar;
pub mod lies;
pub mod memory;
pub mod parameters;
pub mod replies;
pub mod script;
pub mod shapes;
pub mod templates;
pub mod truth;
pub mod uses;

use cryptoki_sys::*;

/// What no honest engine's module ever answers: a panic, or an engine that fails.
pub const NEVER: [CK_RV; 2] = [CKR_GENERAL_ERROR, CKR_DEVICE_ERROR];

/// What is not so on an engine that works.
pub fn is_sound(rv: CK_RV, what: &str) -> CK_RV {
    assert!(!NEVER.contains(&rv), "{what}: {rv:#x}");
    rv
}
