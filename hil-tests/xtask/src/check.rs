//! `cargo xtask check`: the gates, without the tests.

use crate::gates;
use crate::setup::{self, Need};
use anyhow::{Result, bail};
use coloa_xtask::tally::Tally;

/// Run the gates: format, lints, laws, licences, vulnerabilities, no_std builds, boards.
///
/// All of them run, whatever the first ones say; a table closes. This is what CI runs before the tests.
///
/// Examples:
///   cargo xtask check
///   cargo xtask check --no-setup    trust that everything is installed
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Do not look for missing programs first
    #[arg(long)]
    no_setup: bool,
}

/// `cargo xtask check`
pub fn main(args: &Args) -> Result<()> {
    if !args.no_setup {
        setup::ensure(Need::Tests)?;
    }
    let mut tally = Tally::default();
    gates::run_all(&mut tally);
    tally.print();
    match tally.total().failed {
        0 => Ok(()),
        n => bail!("{n} of the gates' verdicts are bad; each says why above"),
    }
}
