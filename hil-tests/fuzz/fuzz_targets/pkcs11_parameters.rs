//! Parameters of every mechanism from a hostile C program before module and engine: taken or refused, nothing read or
//! written beside them.
#![no_main]

#[macro_use]
#[path = "../../../hsm-driver/pkcs11/tests/rig/linked.rs"]
mod rig;
#[path = "../../../hsm-driver/pkcs11/tests/fuzzed/mod.rs"]
mod fuzzed;
#[path = "../../../hsm-driver/client/tests/rig/mod.rs"]
mod server;

use cryptoki_sys::{CK_MECHANISM_INFO, CK_MECHANISM_TYPE};

thread_local!(static KINDS: Vec<(CK_MECHANISM_TYPE, CK_MECHANISM_INFO)> = rig::c::listed());

libfuzzer_sys::fuzz_target!(|input: &[u8]| rig::on_token(|s, keys| {
    KINDS.with(|kinds| fuzzed::parameters::play(s, keys, kinds, input));
}));
