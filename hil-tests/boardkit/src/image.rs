//! The boot stage and the firmware image, built by the toolchain `thumb` (`board/setup-thumb.sh`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const CRATE: &str = "coloa-board-mps2-an386";
const BOOT: &str = "coloa-board-mps2-an386-boot";
const TARGET: &str = "thumbv7em-none-eabihf";

/// What a board runs, as ELF files.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The boot stage: what QEMU is started with.
    pub boot: PathBuf,
    /// The image, which goes into a slot of the flash.
    pub image: PathBuf,
}

/// Builds both and says where they are; quick when nothing changed.
pub fn build_image() -> Result<Firmware> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let output = Command::new("cargo")
        .args(["+thumb", "build", "--quiet", "--profile", "firmware", "--target", TARGET, "-p", CRATE, "-p", BOOT])
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
    let built = target.join(TARGET).join("firmware");
    Ok(Firmware { boot: built.join(BOOT), image: built.join(CRATE) })
}
