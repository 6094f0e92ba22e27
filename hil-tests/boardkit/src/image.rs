//! The firmware image, built by the toolchain `thumb` (`board/setup-thumb.sh`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const CRATE: &str = "coloa-board-mps2-an386";
const TARGET: &str = "thumbv7em-none-eabihf";

/// Builds the image and says where it is; quick when nothing changed.
pub fn build_image() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let output = Command::new("cargo")
        .args(["+thumb", "build", "--quiet", "--profile", "firmware", "--target", TARGET, "-p", CRATE])
        .current_dir(&root)
        .env_remove("RUSTC")
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("the board's image does not build; is there a toolchain `thumb` (board/setup-thumb.sh)?\n{why}");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(TARGET).join("firmware").join(CRATE))
}
