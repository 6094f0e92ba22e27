//! Both providers, so that every test runs through each.
#![allow(dead_code, reason = "each test file uses a part")]

use coloa_crypto_native::Native;
use coloa_crypto_portable::{Entropy, EntropyFailure, Portable};
use coloa_engine::Crypto;

/// The operating system's randomness in place of a board's.
pub struct System;

impl Entropy for System {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyFailure> {
        getrandom::fill(out).map_err(|_| EntropyFailure)
    }
}

/// The provider of hosts.
pub fn native() -> Native {
    Native::new()
}

/// The provider of boards.
pub fn portable() -> Portable<System, parking_lot::RawMutex> {
    Portable::new(System, b"test").expect("the system has entropy")
}

/// A test over any provider.
pub trait Test {
    /// Runs it; `name` says which provider it is.
    fn run(&self, name: &str, crypto: &impl Crypto);
}

/// Runs a test through both.
pub fn both(test: &impl Test) {
    test.run("native", &native());
    test.run("portable", &portable());
}
