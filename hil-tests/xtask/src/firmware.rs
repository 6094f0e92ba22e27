//! `cargo xtask firmware`: the image of a board, and running it in QEMU.

use crate::gates::TARGET;
use crate::run;
use crate::setup::{self, Need};
use anyhow::{Result, bail};
use coloa_xtask::image;
use coloa_xtask::progress::Task;
use std::path::PathBuf;

/// Build the board's firmware image; with --run, make a board of it and start it in QEMU.
///
/// The board is ARM's MPS2 AN386 (Cortex-M4F), as QEMU has it. Its entropy is a visibly insecure
/// seed and every banner says so: it is for development. Its boot stage runs only an image that
/// two of three custodians signed: with --run, their keys are made in the folder, and sign it.
/// `coloa firmware sign` signs an image with custodians' own keys.
///
/// Examples:
///   cargo xtask firmware                        build, say where the image is and how big
///   cargo xtask firmware --run --dir /tmp/b     also run it: /tmp/b gets flash.bin, which keeps
///                                               its keys, and ca.pem, client.pem and client.key
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Start the image in QEMU; end it with Ctrl-C
    #[arg(long)]
    run: bool,
    /// The folder of the board's flash and its client's files; made when absent
    #[arg(long, value_name = "D", default_value = "target/board")]
    dir: PathBuf,
    /// The loopback port at which the board's TLS is reached
    #[arg(long, value_name = "PORT", default_value_t = 7443)]
    port: u16,
}

const CRATE: &str = "coloa-board-mps2-an386";
/// The boot stage, which runs first and checks the image (R23).
const BOOT: &str = "coloa-board-mps2-an386-boot";

/// `cargo xtask firmware`
pub fn main(args: &Args) -> Result<()> {
    setup::ensure(Need::Demo)?;
    let elf = build()?;
    let flat = image::flat(&std::fs::read(&elf)?)?;
    let out = elf.with_extension("bin");
    std::fs::write(&out, &flat)?;
    println!(
        "{}: {} KiB of code and data; {} is what custodians sign",
        elf.display(),
        flat.len() / 1024,
        out.display()
    );
    if !args.run {
        return Ok(());
    }
    let mut board =
        run::cargo(&["run", "--locked", "--quiet", "--package", "coloa-boardkit", "--example", "board", "--"]);
    let status = board.arg(std::path::absolute(&args.dir)?).arg(args.port.to_string()).status()?;
    if !status.success() {
        bail!("the board ended with {status}");
    }
    Ok(())
}

/// Builds the image and says where it is.
pub fn build() -> Result<PathBuf> {
    let task = Task::start(format!("building {CRATE} for {TARGET}"));
    let args =
        ["build", "--locked", "--profile", "firmware", "--package", CRATE, "--package", BOOT, "--target", TARGET];
    run::quiet(task, &mut run::cargo_thumb(&args))?;
    let image = run::target()?.join(TARGET).join("firmware").join(CRATE);
    if !image.is_file() {
        bail!("{CRATE} was built but {} is not there: has the crate its `[[bin]]`?", image.display());
    }
    Ok(image)
}
