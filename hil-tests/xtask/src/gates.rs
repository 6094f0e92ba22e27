//! The gates: what must hold before a change may be called done.

use crate::run::{self, cargo, cargo_thumb, streamed};
use crate::tools;
use anyhow::{Context, Result, bail};
use coloa_xtask::tally::{Count, Step, Tally};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// Crates that must build where there is no socket, thread, clock or operating system.
const NO_STD: &[&str] = &[
    "coloa-wire",
    "coloa-engine",
    "coloa-link",
    "coloa-crypto-portable",
    "coloa-store-nor",
    "coloa-tls-portable",
    "coloa-bringup",
    "coloa-image",
];
/// The boards, each a crate of its own.
const BOARDS: &[&str] = &["coloa-board-mps2-an386", "coloa-board-mps2-an386-boot"];
/// The architecture of every board so far.
pub const TARGET: &str = "thumbv7em-none-eabihf";

/// One gate: a name and how to run it. What it prints is streamed.
pub struct Gate {
    /// What the closing table calls it.
    pub name: &'static str,
    run: fn(&mut Step) -> Result<()>,
}

/// All gates, cheapest first.
pub const GATES: &[Gate] = &[
    Gate { name: "format", run: format },
    Gate { name: "dependency laws", run: laws },
    Gate { name: "licences, bans, sources", run: deny },
    Gate { name: "known vulnerabilities", run: audit },
    Gate { name: "lints", run: lints },
    Gate { name: "no_std crates for Cortex-M", run: no_std },
    Gate { name: "boards", run: boards },
];

/// Runs every gate, one after the other, whatever the earlier ones said.
pub fn run_all(tally: &mut Tally) {
    for gate in GATES {
        step(tally, gate.name, gate.run);
    }
}

/// Runs one step, which may count tests itself; without any it is one verdict.
pub fn step(tally: &mut Tally, name: &str, run: impl FnOnce(&mut Step) -> Result<()>) {
    println!("\n── {name}");
    let (since, mut step) = (Instant::now(), Step::default());
    let verdict = run(&mut step);
    if let Err(e) = &verdict {
        println!("✘ {name}: {e:#}");
        if step.failures.found().is_empty() {
            step.failures.add(name, &format!("{e:#}"));
        }
    }
    let count = &mut step.count;
    if count.passed + count.failed == 0 || (verdict.is_err() && count.failed == 0) {
        let gate = Count::gate(verdict.is_ok());
        count.passed += gate.passed;
        count.failed += gate.failed;
    }
    tally.add(name, step, since.elapsed());
}

/// Streams a command that must end well.
fn must(mut command: Command) -> Result<()> {
    let status = streamed(&mut command, |_| {})?;
    if !status.success() {
        bail!("`{}` ended with {status}", run::shown(&command));
    }
    Ok(())
}

/// Streams `cargo test …`, counts its tests, and fails with it.
pub fn counted(mut command: Command, step: &mut Step) -> Result<()> {
    let status = streamed(&mut command, |line| step.add_line(line))?;
    if !status.success() {
        bail!("`{}` ended with {status}", run::shown(&command));
    }
    Ok(())
}

fn format(_: &mut Step) -> Result<()> {
    must(cargo(&["fmt", "--all", "--", "--check"])).context("`cargo fmt --all` mends it")
}

fn lints(_: &mut Step) -> Result<()> {
    must(cargo(&["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]))
}

fn laws(step: &mut Step) -> Result<()> {
    counted(cargo(&["test", "--locked", "--package", "coloa-xtask", "--test", "laws"]), step)
}

fn no_std(_: &mut Step) -> Result<()> {
    must(for_board("build", NO_STD))
}

/// clippy where the toolchain has it: Debian's compiler, the fallback, has none for Cortex-M.
fn boards(_: &mut Step) -> Result<()> {
    if !run::succeeds(&mut cargo_thumb(&["clippy", "--version"])) {
        println!("the toolchain `thumb` has no clippy here: compiling only");
        return must(for_board("check", BOARDS));
    }
    let mut c = for_board("clippy", BOARDS);
    c.args(["--", "-D", "warnings"]);
    must(c)
}

fn for_board(verb: &str, crates: &[&str]) -> Command {
    let mut c = cargo_thumb(&[verb, "--locked", "--target", TARGET]);
    crates.iter().for_each(|name| {
        c.args(["--package", name]);
    });
    c
}

fn deny(_: &mut Step) -> Result<()> {
    let mut c = tools::DENY.command();
    c.args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    must(c)
}

/// From a snapshot of the advisories where one is given or lies beside the project (CI has no network for it), else from
/// the network.
fn audit(_: &mut Step) -> Result<()> {
    let mut c = tools::AUDIT.command();
    let given = std::env::var_os("COLOA_ADVISORY_DB").map(PathBuf::from);
    let snapshot = given.unwrap_or_else(|| PathBuf::from("../shared/advisory-db"));
    if snapshot.is_dir() {
        c.args(["--no-fetch", "--db"]).arg(snapshot);
        return must(c);
    }
    must(c).context(
        "there is no snapshot (../shared/advisory-db or $COLOA_ADVISORY_DB) and the network gave no answer, or \
                     a dependency has a known vulnerability: cargo-audit's words are above",
    )
}
