//! What cargo built of the product: programs and the module, always of the profile that this program itself has.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The PKCS#11 module.
const MODULE: &str = "libcoloa_pkcs11.so";

/// The project's root.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The folder where cargo puts what it builds in our profile.
fn folder() -> Result<PathBuf> {
    let mut dir = std::env::current_exe()?;
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    Ok(dir)
}

/// Builds packages of the product; quick when nothing changed. `cargo test` of one crate would else drive stale programs.
pub fn build(packages: &[&str]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--locked"]).current_dir(root());
    if folder()?.ends_with("release") {
        cargo.arg("--release");
    }
    packages.iter().for_each(|name| {
        cargo.args(["--package", name]);
    });
    let out = cargo.output().context("cannot start cargo")?;
    if !out.status.success() {
        bail!("{} do not build:\n{}", packages.join(" "), String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}

/// A program of ours.
pub fn program(name: &str) -> Result<PathBuf> {
    existing(name)
}

/// `libcoloa_pkcs11.so`.
pub fn module() -> Result<PathBuf> {
    existing(MODULE)
}

/// Kryoptic's module, which `cargo xtask bench` builds in a folder of its own.
pub fn kryoptic() -> Result<PathBuf> {
    let file = folder()?.with_file_name("kryoptic").join("release/libkryoptic_peer.so");
    if !file.is_file() {
        bail!("{} is not built; `cargo xtask bench` builds it", file.display());
    }
    Ok(file)
}

fn existing(name: &str) -> Result<PathBuf> {
    let file = folder()?.join(name);
    if !file.is_file() {
        bail!("{} is not built", file.display());
    }
    Ok(file)
}
