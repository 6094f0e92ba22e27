//! Templates of a hostile C program before module and engine: taken or refused, nothing read or written beside them.
#![no_main]

#[macro_use]
#[path = "../../../hsm-driver/pkcs11/tests/rig/linked.rs"]
mod rig;
#[path = "../../../hsm-driver/pkcs11/tests/fuzzed/mod.rs"]
mod fuzzed;
#[path = "../../../hsm-driver/client/tests/rig/mod.rs"]
mod server;

libfuzzer_sys::fuzz_target!(|input: &[u8]| rig::on_token(|s, keys| fuzzed::templates::play(s, keys, input)));
