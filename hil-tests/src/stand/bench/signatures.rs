//! PKCS#11 operations on our bodies beside SoftHSM2, through p11bench.

use super::{alone, median, prefer, short, table};
use anyhow::{Context, Result, bail};
use coloa_hil_tests::body::{Appliance, Embedded, SoftHsm};
use coloa_hil_tests::built;
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use coloa_xtask::progress::Task;
use coloa_xtask::stand::Bench;
use std::process::Command;

/// What is measured, and on how many threads.
const RUNS: &[(&str, &[usize])] = &[
    ("ecdsa-p256-sign", &[1, 2, 8, 32]),
    ("ecdsa-p384-sign", &[1, 8]),
    ("aes256-gcm-1k", &[1, 8, 32]),
    ("aes256-gcm-16k", &[8, 32]),
    ("sha256-hmac-1k", &[1]),
    ("genkey-p256", &[8]),
    ("genkey-p256-token", &[1, 8]),
];

/// Operations per second of one target, one figure a round.
type Figures = Vec<f64>;

/// Measures everything and prints it.
pub fn measure(args: &Bench) -> Result<()> {
    let appliance = Appliance::start()?;
    // Its callers get a group of their own too: on a busy machine a server without one would starve beside them.
    prefer(appliance.pid()?);
    let targets: Vec<Box<dyn Target>> =
        vec![Box::new(SoftHsm::start()?), Box::new(Embedded::start()?), Box::new(appliance)];
    let names: Vec<_> = targets.iter().map(|t| t.name()).collect();
    let mut rows = table(&["operations/s, threads", names[0], names[1], "ratio", names[2], "ratio"]);
    for (operation, threads) in RUNS.iter().flat_map(|(op, list)| list.iter().map(move |n| (*op, *n))) {
        let mut figures: Vec<Figures> = vec![vec![]; targets.len()];
        let task = Task::start(format!("{operation}, {threads} threads"));
        for _ in 0..args.rounds {
            for (target, figures) in targets.iter().zip(&mut figures) {
                task.note(target.name());
                figures.push(one(target.as_ref(), operation, threads, args.seconds)?);
            }
        }
        task.done();
        let medians: Vec<_> = figures.into_iter().map(median).collect();
        if args.json {
            report(operation, threads, &names, &medians);
        }
        rows.add_row(row(operation, threads, &medians));
    }
    if !args.json {
        println!("\n{rows}\n");
    }
    Ok(())
}

fn row(operation: &str, threads: usize, medians: &[f64]) -> Vec<String> {
    let judge = medians.first().copied().unwrap_or(f64::NAN);
    let mut cells = vec![format!("{operation}, {threads}"), short(judge)];
    for figure in medians.iter().skip(1) {
        cells.extend([short(*figure), format!("{:.2}", figure / judge)]);
    }
    cells
}

fn report(operation: &str, threads: usize, names: &[&str], medians: &[f64]) {
    for (name, figure) in names.iter().zip(medians) {
        let line =
            serde_json::json!({"operation": operation, "threads": threads, "target": name, "per_second": figure});
        println!("{line}");
    }
}

/// One run of p11bench.
fn one(target: &dyn Target, operation: &str, threads: usize, seconds: u32) -> Result<f64> {
    let mut bench = Command::new(built::program("p11bench")?);
    bench.arg("--module").arg(target.module()).envs(target.environment());
    bench.args(["--json", "--token", LABEL, "--pin", USER_PIN, "--op", operation]);
    bench.args(["--threads", &threads.to_string(), "--seconds", &seconds.to_string()]);
    let out = alone(&bench).output().context("cannot start p11bench")?;
    let said = String::from_utf8_lossy(&out.stdout);
    let figure = serde_json::from_str::<serde_json::Value>(said.trim()).ok().and_then(|v| v["ops_per_s"].as_f64());
    match figure {
        Some(figure) if out.status.success() => Ok(figure),
        _ => bail!("{} {operation}: {said}{}", target.name(), String::from_utf8_lossy(&out.stderr)),
    }
}
