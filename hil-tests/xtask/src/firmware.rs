//! `cargo xtask firmware`: the image of a board, and running it in QEMU.

use crate::gates::TARGET;
use crate::run;
use crate::setup::{self, Need};
use anyhow::{Result, bail};
use coloa_xtask::progress::Task;
use std::path::PathBuf;

/// Build the board's firmware image; with --run, make a board of it and start it in QEMU.
///
/// The board is ARM's MPS2 AN386 (Cortex-M4F), as QEMU has it. Its entropy is a visibly insecure
/// seed and every banner says so: it is for development.
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

/// `cargo xtask firmware`
pub fn main(args: &Args) -> Result<()> {
    setup::ensure(Need::Demo)?;
    let image = build()?;
    println!("{}: {} KiB of code and data", image.display(), loaded(&std::fs::read(&image)?) / 1024);
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

/// Bytes of an ELF file (32 bits, little-endian) that go into the board: the sizes in the file of its loadable segments.
fn loaded(elf: &[u8]) -> u64 {
    const LOAD: u32 = 1;
    let half = |at: usize| elf.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]) as usize);
    let word = |at: usize| elf.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let (table, size, count) = (word(28) as usize, half(42), half(44));
    let headers = (0..count).map(|n| table + n * size);
    headers.filter(|at| word(*at) == LOAD).map(|at| u64::from(word(at + 16))).sum()
}

/// Builds the image and says where it is.
pub fn build() -> Result<PathBuf> {
    let task = Task::start(format!("building {CRATE} for {TARGET}"));
    let args = ["build", "--locked", "--profile", "firmware", "--package", CRATE, "--target", TARGET];
    run::quiet(task, &mut run::cargo_thumb(&args))?;
    let image = run::target()?.join(TARGET).join("firmware").join(CRATE);
    if !image.is_file() {
        bail!("{CRATE} was built but {} is not there: has the crate its `[[bin]]`?", image.display());
    }
    Ok(image)
}
