//! `cargo xtask test`: the gates and every test.

use crate::run::{self, cargo};
use crate::setup::{self, Need};
use crate::{firmware, gates};
use anyhow::{Result, bail};
use coloa_xtask::tally::{Step, Tally};

/// Install what is missing, then run the gates and every test.
///
/// The tests drive real programs (OpenSSL, pkcs11-tool, QEMU, SoftHSM2, tcpdump) and make network
/// namespaces of their own, so they need root. At the end stands what failed and why, and the last
/// line sums up tests and gates: `N passed, N failed`.
///
/// Examples:
///   cargo xtask test
///   cargo xtask test --no-check    tests only, while you work
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Leave out the gates
    #[arg(long)]
    no_check: bool,
}

/// The demo with the tests' builds: each of its verdicts counts.
fn demo(step: &mut Step) -> Result<()> {
    // not this executable: the tests have built it anew, and the file it was started from is gone
    let status = run::streamed(&mut cargo(&["xtask", "demo", "--dev"]), |line| {
        let verdicts = line.split_once(" verdicts are good").and_then(|(numbers, _)| numbers.split_once(" of "));
        let parsed = verdicts.and_then(|(good, all)| Some((good.parse::<u64>().ok()?, all.parse::<u64>().ok()?)));
        if let Some((good, all)) = parsed {
            step.count.passed += good;
            step.count.failed += all.saturating_sub(good);
        }
        if let Some(bad) = line.strip_prefix("✘ ") {
            step.failures.add(bad, "");
        } else if let Some(why) = line.strip_prefix("    ") {
            step.failures.explain(why);
        }
    })?;
    if !status.success() {
        bail!("the demo ended with {status}");
    }
    Ok(())
}

/// `cargo xtask test`
pub fn main(args: &Args) -> Result<()> {
    setup::ensure(Need::Tests)?;
    let mut tally = Tally::default();
    if !args.no_check {
        gates::run_all(&mut tally);
    }
    gates::step(&mut tally, "firmware image", |_| firmware::build().map(drop));
    gates::step(&mut tally, "tests", |step| gates::counted(cargo(&["test", "--locked", "--no-fail-fast"]), step));
    gates::step(&mut tally, "demo", demo);
    tally.print();
    match tally.total().failed {
        0 => Ok(()),
        n => bail!("{n} failed; the lines with ✘ name them"),
    }
}
