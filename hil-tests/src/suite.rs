//! The harness: each check in a process of its own, one after the other, with libtest's output.

use crate::check::{CHECKS, Check};
use crate::target::Target;
use crate::token::{MODULE, SCRATCH, Token};
use anyhow::{Context, Result, bail};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A check's process writes this file into its scratch folder to have the target restarted; the suite removes it after.
pub const RESTART_WISH: &str = "restart-wanted";
/// Set for a check's process: the check, and its phase after a dot.
const CHECK: &str = "COLOA_CHECK";
/// A check that takes longer hangs. The QEMU board on a busy machine is the slowest.
const DEADLINE: Duration = Duration::from_secs(180);

/// The whole `main` of a test program: `start` makes the target, which ends with the suite.
pub fn main<T: Target + Send + 'static>(start: impl FnOnce() -> Result<T>) -> ExitCode {
    if let Ok(name) = std::env::var(CHECK) {
        return child(&name);
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    if arguments.list {
        let names = CHECKS.iter().map(|c| Trial::test(c.name, || Ok(()))).collect();
        libtest_mimic::run(&arguments, names).exit();
    }
    match start() {
        Ok(target) => run(&arguments, target),
        Err(e) => {
            eprintln!("the target does not start: {e:#}");
            println!("test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out");
            ExitCode::FAILURE
        }
    }
}

fn run<T: Target + Send + 'static>(arguments: &Arguments, target: T) -> ExitCode {
    println!("target: {}", target.name());
    let skips: Vec<_> = CHECKS.iter().map(|c| c.needs.iter().find_map(|n| target.lacks(*n))).collect();
    let target = Arc::new(Mutex::new(target));
    let trials = CHECKS.iter().zip(skips).map(|(check, skip)| {
        let target = Arc::clone(&target);
        let run = move || parent(check, &mut *target.lock().map_err(|_| "an earlier check broke the suite")?);
        match skip {
            Some(reason) => {
                Trial::test(check.name, || Ok(())).with_kind(format!("skip: {reason}")).with_ignored_flag(true)
            }
            None => Trial::test(check.name, run),
        }
    });
    let conclusion = libtest_mimic::run(arguments, trials.collect());
    // the target is dropped before the process ends: nothing of it stays
    drop(target);
    if conclusion.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The suite's side of a check: its phases one after the other, the target killed and started between them.
fn parent(check: &'static Check, target: &mut dyn Target) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    for phase in 0..check.phases.len() {
        if phase > 0 {
            target.restart().map_err(|e| format!("{e:#}"))?;
        }
        one_phase(check, phase, target, scratch.path()).map_err(|e| format!("phase {phase}: {e:#}"))?;
    }
    Ok(())
}

fn one_phase(check: &Check, phase: usize, target: &mut dyn Target, scratch: &Path) -> Result<()> {
    let log = scratch.join("log");
    let out = std::fs::File::create(&log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.env(CHECK, format!("{}.{phase}", check.name)).env(MODULE, target.module()).env(SCRATCH, scratch);
    command.envs(target.environment()).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let ended = watch(command.spawn()?, target, &scratch.join(RESTART_WISH));
    ended.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())
}

fn watch(mut child: Child, target: &mut dyn Target, wish: &Path) -> Result<()> {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(()) } else { bail!("the check's process ended with {status}") };
        }
        if wish.exists() {
            target.restart()?;
            std::fs::remove_file(wish)?;
        }
        if since.elapsed() > DEADLINE {
            child.kill()?;
            child.wait()?;
            bail!("the check hangs: killed after {} s", DEADLINE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The check's side.
fn child(name: &str) -> ExitCode {
    let found = name.rsplit_once('.').and_then(|(check, phase)| {
        let check = CHECKS.iter().find(|c| c.name == check)?;
        check.phases.get(phase.parse::<usize>().ok()?)
    });
    let Some(phase) = found else {
        eprintln!("there is no check {name}");
        return ExitCode::FAILURE;
    };
    match Token::open().and_then(|token| phase(&token)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e:#}");
            ExitCode::FAILURE
        }
    }
}

/// A process with this one's environment that runs phase `phase` of the running check: for checks of several processes.
pub fn sibling(phase: usize) -> Result<Child> {
    let name = std::env::var(CHECK).context("not inside a check")?;
    let (check, _) = name.rsplit_once('.').context("not inside a check")?;
    let mut command = Command::new(std::env::current_exe()?);
    Ok(command.env(CHECK, format!("{check}.{phase}")).stdin(Stdio::null()).spawn()?)
}
