//! A token of very many keys on our bodies: what finding one costs beside a token of few, the first session, and memory.

use super::{alone, median, short, table};
use anyhow::{Context, Result, bail};
use coloa_hil_tests::body::{Appliance, Embedded};
use coloa_hil_tests::built;
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use coloa_xtask::progress::Task;
use coloa_xtask::stand::Bench;
use std::process::Command;

const FEW: usize = 100;
const MANY: usize = 100_000;
const THREADS: &[usize] = &[1, 8];

/// Measures and prints.
pub fn measure(args: &Bench) -> Result<()> {
    let appliance = Appliance::start()?;
    let embedded = Embedded::start()?;
    let mut rows = table(&["100,000 keys", "embedded", "appliance"]);
    let targets: [&dyn Target; 2] = [&embedded, &appliance];
    let few = rates(args, &targets, FEW)?;
    let task = Task::start(format!("making {MANY} keys on each"));
    for target in targets {
        task.note(target.name());
        run(target, "find-10k", &find(MANY, 1, 1))?;
    }
    task.done();
    let many = rates(args, &targets, MANY)?;
    for (at, threads) in THREADS.iter().enumerate() {
        let cell = |target: usize| {
            let (few, many) = (few[target][at], many[target][at]);
            format!("{} ({:.2} of that among {FEW})", short(many), many / few)
        };
        rows.add_row([format!("found a second, {threads} threads"), cell(0), cell(1)]);
    }
    let sessions: Vec<_> = targets.iter().map(|target| first_session(args, *target)).collect::<Result<_>>()?;
    rows.add_row(["ms from C_Initialize to the first session".into()].into_iter().chain(sessions));
    rows.add_row(["memory".into(), "-".into(), format!("{} MB", appliance.resident_kib()? / 1024)]);
    println!("\n{rows}\n");
    Ok(())
}

/// Finds a second: by target and number of threads.
fn rates(args: &Bench, targets: &[&dyn Target], objects: usize) -> Result<Vec<Vec<f64>>> {
    let task = Task::start(format!("finding one of {objects}"));
    let mut figures = vec![vec![vec![]; THREADS.len()]; targets.len()];
    for _ in 0..args.rounds {
        for (target, figures) in targets.iter().zip(&mut figures) {
            for (threads, figures) in THREADS.iter().zip(figures) {
                figures.push(run(*target, "find-10k", &find(objects, *threads, args.seconds))?);
            }
        }
    }
    task.done();
    Ok(figures.into_iter().map(|target| target.into_iter().map(median).collect()).collect())
}

fn first_session(args: &Bench, target: &dyn Target) -> Result<String> {
    let figures = (0..args.rounds).map(|_| run(target, "first-session", &[])).collect::<Result<_>>()?;
    Ok(format!("{:.1}", median(figures)))
}

fn find(objects: usize, threads: usize, seconds: u32) -> Vec<String> {
    let words = [("--objects", objects), ("--threads", threads), ("--seconds", seconds as usize)];
    words.into_iter().flat_map(|(word, number)| [word.to_owned(), number.to_string()]).collect()
}

/// One run of p11bench, in a process of its own.
fn run(target: &dyn Target, operation: &str, more: &[String]) -> Result<f64> {
    let mut bench = Command::new(built::program("p11bench")?);
    bench.arg("--module").arg(target.module()).envs(target.environment());
    bench.args(["--json", "--token", LABEL, "--pin", USER_PIN, "--op", operation]).args(more);
    let out = alone(&bench).output().context("cannot start p11bench")?;
    let said = String::from_utf8_lossy(&out.stdout);
    let said_line = serde_json::from_str::<serde_json::Value>(said.trim()).ok();
    let figure = said_line.and_then(|v| v["ops_per_s"].as_f64().or(v["ms"].as_f64()));
    match figure {
        Some(figure) if out.status.success() => Ok(figure),
        _ => bail!("{} {operation}: {said}{}", target.name(), String::from_utf8_lossy(&out.stderr)),
    }
}
