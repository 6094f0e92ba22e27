//! `cargo xtask miri`: the marshalling of the C ABI under Miri.

use crate::run;
use anyhow::{Result, bail};

/// Watch every access of the C ABI's marshalling to the caller's memory (needs rustup's nightly with miri and rust-src).
///
/// Miri interprets the tests of hsm-driver/pkcs11/src/abi and of what they stand on: bounds, alignment,
/// aliasing and leaks. What asks the kernel or AWS-LC, it cannot run; valgrind and AddressSanitizer do
/// (`cargo test -p coloa-pkcs11 --test turmoil`, `cargo xtask fuzz`).
///
/// Examples:
///   rustup component add --toolchain nightly miri rust-src
///   cargo xtask miri
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {}

/// Tests by the modules that hold them.
const MODULES: &[&str] = &["abi", "attribute", "handle"];

/// `cargo xtask miri`
pub fn main(_: &Args) -> Result<()> {
    let mut c = run::program("cargo");
    c.args(["+nightly", "miri", "test", "--locked", "-p", "coloa-pkcs11", "--lib", "--"]).args(MODULES);
    c.env("CARGO_TARGET_DIR", run::target()?.join("miri"));
    // this program was started by another toolchain's cargo
    c.env_remove("RUSTC").env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    if !run::streamed(&mut c, |_| {})?.success() {
        bail!("Miri found something, or is missing: `rustup component add --toolchain nightly miri rust-src`");
    }
    Ok(())
}
