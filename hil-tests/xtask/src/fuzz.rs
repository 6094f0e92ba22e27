//! `cargo xtask fuzz`: libFuzzer on what parses hostile bytes.

use crate::run;
use anyhow::{Result, bail};

/// Fuzz a parser of hostile input (needs rustup's nightly toolchain).
///
/// Targets are the files of hil-tests/fuzz/fuzz_targets. What is found lands in
/// hil-tests/fuzz/artifacts/TARGET; mend it and keep the bytes as a test of the crate.
///
/// Examples:
///   cargo xtask fuzz                          name the targets
///   cargo xtask fuzz wire_frame --seconds 60
///   cargo xtask fuzz link_datagram --seconds 3600 --executions 100000000
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Which target; without one they are listed
    target: Option<String>,
    /// How long
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// After so many inputs, if the time does not end first
    #[arg(long, value_name = "N")]
    executions: Option<u64>,
}

const HOST: &str = "x86_64-unknown-linux-gnu";
/// What cargo-fuzz passes: coverage counters and compared values for libFuzzer, and AddressSanitizer.
const INSTRUMENTED: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Zsanitizer=address",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// `cargo xtask fuzz`
pub fn main(args: &Args) -> Result<()> {
    let known = targets()?;
    let Some(target) = &args.target else {
        known.iter().for_each(|name| println!("{name}"));
        return Ok(());
    };
    if !known.contains(target) {
        bail!("there is no fuzz target `{target}`; known: {}", known.join(", "));
    }
    for folder in ["artifacts", "corpus"] {
        std::fs::create_dir_all(format!("hil-tests/fuzz/{folder}/{target}"))?;
    }
    let mut c = run::program("cargo");
    c.args(["+nightly", "run", "--release", "--target", HOST, "--bin", target, "--"]);
    c.args([&format!("corpus/{target}"), &format!("-artifact_prefix=artifacts/{target}/")]);
    c.arg(format!("-max_total_time={}", args.seconds));
    if let Some(executions) = args.executions {
        c.arg(format!("-runs={executions}"));
    }
    c.env("RUSTFLAGS", INSTRUMENTED.join(" ")).current_dir(run::root().join("hil-tests/fuzz"));
    if !run::streamed(&mut c, |_| {})?.success() {
        bail!(
            "it found something (hil-tests/fuzz/artifacts/{target}) or did not build; `rustup toolchain install nightly`"
        );
    }
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let mut names: Vec<_> = std::fs::read_dir("hil-tests/fuzz/fuzz_targets")?
        .flatten()
        .filter_map(|f| f.path().file_stem().map(|s| s.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}
