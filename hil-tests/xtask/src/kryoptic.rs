//! Kryoptic, which `cargo xtask bench` compares with: from crates.io, with OpenSSL from source, because Debian's is too old for
//! what it has. A workspace of its own, so that none of it comes near the product.

use crate::run;
use anyhow::Result;
use coloa_xtask::progress::Task;

/// What bindgen loads.
pub const LIBCLANG: &str = "/usr/lib/x86_64-linux-gnu/libclang-14.so.1";

/// Builds it into `kryoptic` beside our own profiles; minutes the first time, nothing after that.
pub fn build() -> Result<()> {
    let mut c = run::cargo(&["build", "--release", "--locked", "--manifest-path", "hil-tests/kryoptic/Cargo.toml"]);
    c.arg("--target-dir").arg(run::target()?.join("kryoptic"));
    run::quiet(Task::start("building Kryoptic and its OpenSSL (once)"), &mut c)
}
