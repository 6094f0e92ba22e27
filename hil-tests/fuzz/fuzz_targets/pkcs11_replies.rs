//! A lying server's replies before client and module: a result or an error, and nothing beside the caller's buffers.
#![no_main]

#[macro_use]
#[path = "../../../hsm-driver/pkcs11/tests/rig/linked.rs"]
mod rig;
#[path = "../../../hsm-driver/pkcs11/tests/fuzzed/mod.rs"]
mod fuzzed;
#[path = "../../../hsm-driver/client/tests/rig/mod.rs"]
mod server;

use fuzzed::{liar::Liar, replies};
use std::sync::OnceLock;

static LIAR: OnceLock<Liar> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|input: &[u8]| replies::play(LIAR.get_or_init(Liar::start), input));
