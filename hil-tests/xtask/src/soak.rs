//! `cargo xtask soak`: the link encryptor's simulated network, far longer than a test run may take.

use crate::run;
use anyhow::{Result, bail};

/// Run the link encryptor through many seeds of a hostile network, in virtual time.
///
/// A seed that fails is printed, with the words to run it again by itself.
///
/// Examples:
///   cargo xtask soak                          100,000 seeds
///   cargo xtask soak --first 728 --seeds 1
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    seeds: u64,
    /// From this one on
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    first: u64,
}

/// `cargo xtask soak`
pub fn main(args: &Args) -> Result<()> {
    let mut c = run::program("cargo");
    c.args(["test", "--locked", "--release", "-p", "coloa-link", "--test", "soak", "--", "--nocapture"]);
    c.env("COLOA_LINK_SEEDS", args.seeds.to_string()).env("COLOA_LINK_FIRST_SEED", args.first.to_string());
    if !run::streamed(&mut c, |_| {})?.success() {
        bail!("a link did not survive: the seed is printed above");
    }
    Ok(())
}
