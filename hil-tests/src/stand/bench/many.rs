//! A token of very many keys on our bodies: what finding one costs beside a token of few, the first session, and memory.

use super::p11bench;
use super::results::Measurement;
use anyhow::Result;
use coloa_hil_tests::body::{Appliance, Embedded};
use coloa_hil_tests::target::Target;
use coloa_xtask::progress::Task;
use coloa_xtask::stand::Bench;

const FEW: usize = 100;
const MANY: usize = 100_000;
const THREADS: &[usize] = &[1, 8, 32];
const FIND: &str = "find-10k";
/// The first `C_OpenSession` of a process.
pub const OPENED: &str = "open-session";
/// The same from `C_Initialize` on.
pub const STARTED: &str = "first-session";

/// Measures everything.
pub fn measure(args: &Bench) -> Result<Vec<Measurement>> {
    let appliance = Appliance::start()?;
    let embedded = Embedded::start()?;
    let targets: [&dyn Target; 2] = [&embedded, &appliance];
    let mut all = rates(args, &targets, FEW)?;
    let task = Task::start(format!("making {MANY} keys on each"));
    for target in targets {
        task.note(target.name());
        p11bench::run(target, FIND, &[("--objects", MANY), ("--seconds", 1)])?;
    }
    task.done();
    all.extend(rates(args, &targets, MANY)?);
    for target in targets {
        all.extend(first_session(args, target)?);
    }
    let mut memory = Measurement::new("resident-memory", 1, appliance.name(), "MB");
    memory.figures.push(appliance.resident_kib()? as f64 / 1024.0);
    all.push(memory);
    Ok(all)
}

/// Finds a second, by target and number of threads.
fn rates(args: &Bench, targets: &[&dyn Target], objects: usize) -> Result<Vec<Measurement>> {
    let task = Task::start(format!("finding one of {objects}"));
    let what = format!("find-1-of-{objects}");
    let mut all = vec![];
    for threads in THREADS {
        let mut measured: Vec<_> =
            targets.iter().map(|target| Measurement::new(&what, *threads, target.name(), "1/s")).collect();
        for _ in 0..args.rounds {
            for (target, measured) in targets.iter().zip(&mut measured) {
                let numbers = [("--objects", objects), ("--threads", *threads), ("--seconds", args.seconds as usize)];
                let run = p11bench::run(*target, FIND, &numbers)?;
                measured.figures.extend(run.and_then(|run| run.ops_per_s));
            }
        }
        all.extend(measured);
    }
    task.done();
    Ok(all)
}

fn first_session(args: &Bench, target: &dyn Target) -> Result<[Measurement; 2]> {
    let mut measured = [OPENED, STARTED].map(|what| Measurement::new(what, 1, target.name(), "ms"));
    for _ in 0..args.rounds {
        if let Some(run) = p11bench::run(target, "first-session", &[])? {
            let [opened, started] = &mut measured;
            opened.figures.extend(run.ms);
            started.figures.extend(run.started_ms);
        }
    }
    Ok(measured)
}
