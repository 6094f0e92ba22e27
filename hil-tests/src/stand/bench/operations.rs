//! PKCS#11 operations on our bodies beside SoftHSM2 and Kryoptic, through p11bench, and beside what AWS-LC does alone.

use super::away::Away;
use super::results::Measurement;
use super::{Preferred, limit, p11bench, prefer};
use anyhow::Result;
use coloa_hil_tests::body::{Appliance, Embedded, Kryoptic, SoftHsm};
use coloa_hil_tests::target::Target;
use coloa_xtask::progress::Task;
use coloa_xtask::stand::Bench;

/// What is measured, and on how many threads.
const RUNS: &[(&str, &[usize])] = &[
    ("ecdsa-p256-sign", &[1, 2, 8, 32]),
    ("ecdsa-p256-sign-overlap", &[1]),
    ("ecdsa-p384-sign", &[1, 2, 8, 32]),
    ("ed25519-sign", &[1, 2, 8, 32]),
    ("rsa2048-sign", &[1, 2, 8, 32]),
    ("ml-dsa-65-sign", &[1, 8, 32]),
    ("aes256-gcm-1k", &[1, 2, 8, 32]),
    ("aes256-gcm-16k", &[1, 2, 8, 32]),
    ("sha256-hmac-1k", &[1, 8]),
    ("genkey-p256", &[1, 2, 8, 32]),
    ("genkey-p256-token", &[1, 8]),
];

/// What is measured across a network too.
const ACROSS: &[(&str, usize)] = &[("ecdsa-p256-sign", 1), ("ecdsa-p256-sign-overlap", 1), ("ecdsa-p256-sign", 32)];

/// Measures everything.
pub fn measure(args: &Bench) -> Result<Vec<Measurement>> {
    let appliance = Appliance::start()?;
    // Its callers get a group of their own too: on a busy machine a server without one would starve beside them.
    prefer(appliance.pid()?);
    let (softhsm, kryoptic, embedded) = (SoftHsm::start()?, Kryoptic::start()?, Embedded::start()?);
    let away = Away::of(&appliance)?;
    let here: [&dyn Target; 4] = [&softhsm, &kryoptic, &embedded, &appliance];
    let all_targets = here.into_iter().chain([&away as &dyn Target]).collect::<Vec<_>>();
    let mut all = vec![];
    for (operation, threads) in RUNS.iter().flat_map(|(op, list)| list.iter().map(move |n| (*op, *n))) {
        let targets = if ACROSS.contains(&(operation, threads)) { &all_targets[..] } else { &here };
        all.extend(one(args, targets, operation, threads)?);
    }
    Ok(all)
}

/// An operation on so many threads: every contender in turn, round by round.
fn one(args: &Bench, targets: &[&dyn Target], operation: &str, threads: usize) -> Result<Vec<Measurement>> {
    let names = targets.iter().map(|target| target.name()).chain([limit::NAME]);
    let mut measured: Vec<_> = names.map(|name| Measurement::new(operation, threads, name, "1/s")).collect();
    let task = Task::start(format!("{operation}, {threads} threads"));
    for _ in 0..args.rounds {
        for (target, measured) in targets.iter().zip(&mut measured) {
            task.note(target.name());
            let numbers = [("--threads", threads), ("--seconds", args.seconds as usize)];
            if let Some(run) = p11bench::run(*target, operation, &numbers)? {
                measured.figures.extend(run.ops_per_s);
                measured.p50_us.extend(run.p50_us);
            }
        }
        task.note(limit::NAME);
        let alone = {
            let _preferred = Preferred::now();
            limit::rate(operation, threads, args.seconds)?
        };
        if let Some(last) = measured.last_mut() {
            last.figures.extend(alone);
        }
    }
    task.done();
    measured.retain(|m| !m.figures.is_empty());
    Ok(measured)
}
