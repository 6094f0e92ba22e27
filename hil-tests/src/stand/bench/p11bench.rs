//! One run of p11bench, in a process of its own.

use super::alone;
use anyhow::{Context, Result, bail};
use coloa_hil_tests::built;
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use serde::Deserialize;
use std::process::Command;

/// What p11bench prints of a run; `first-session` has milliseconds and nothing else.
#[derive(Deserialize)]
pub struct Run {
    /// Operations per second.
    pub ops_per_s: Option<f64>,
    /// Milliseconds of the first `C_OpenSession`.
    pub ms: Option<f64>,
    /// The same from `C_Initialize` on.
    pub started_ms: Option<f64>,
    /// Half of the operations took longer, in microseconds.
    pub p50_us: Option<f64>,
}

/// So many seconds of an operation on so many threads; `None` where the token has no such operation.
pub fn run(target: &dyn Target, operation: &str, numbers: &[(&str, usize)]) -> Result<Option<Run>> {
    let mut bench = Command::new(built::program("p11bench")?);
    bench.arg("--module").arg(target.module()).envs(target.environment());
    bench.args(["--json", "--token", LABEL, "--pin", USER_PIN, "--op", operation]);
    for (word, number) in numbers {
        bench.arg(word).arg(number.to_string());
    }
    let out = alone(&bench).output().context("cannot start p11bench")?;
    let said = String::from_utf8_lossy(&out.stdout);
    if out.status.success() && said.contains("unsupported: ") {
        // what a token refuses is said, so that a failure of ours does not pass for a mechanism it lacks
        eprintln!("{}: {}", target.name(), said.trim());
        return Ok(None);
    }
    match serde_json::from_str(said.trim()) {
        Ok(run) if out.status.success() => Ok(Some(run)),
        _ => bail!("{} {operation}: {said}{}", target.name(), String::from_utf8_lossy(&out.stderr)),
    }
}
