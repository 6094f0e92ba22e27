//! The storm: 3,355 sites dial one hub at once, whose key is in our embedded token. The program that plays them stands beside
//! the daemon's tests (`cargo bench -p coloa-linkd --bench storm`), because it shares their fixtures.

use super::alone;
use super::results::Measurement;
use crate::tunnel::OURS;
use anyhow::{Context, Result, bail};
use coloa_hil_tests::built;
use coloa_xtask::progress::Task;
use std::process::Command;

/// From the first dial to the last link.
pub const WALL: &str = "3,355 links at once, until all are up";
/// What the hub spends on it, the token included.
pub const CPU: &str = "3,355 links at once, CPU of the hub";
/// Of a core.
pub const IDLE: &str = "3,355 idle links, CPU of the hub";
/// What one more costs.
pub const MEMORY: &str = "memory of a further idle link";

/// The line that the program ends with.
#[derive(serde::Deserialize)]
struct Said {
    wall_s: f64,
    cpu_s: f64,
    idle_percent: f64,
    memory_kb: f64,
}

/// Measures everything, once: it takes minutes to make the sites.
pub fn measure() -> Result<Vec<Measurement>> {
    let task = Task::start("3,355 sites and their hub");
    let mut storm = Command::new("cargo");
    storm.args(["bench", "--locked", "--quiet", "-p", "coloa-linkd", "--bench", "storm"]);
    storm.env("COLOA_STORM_MODULE", built::module()?);
    let mut storm = alone(&storm);
    let out = storm.current_dir(built::root()).output().context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let last = text.lines().rev().find(|line| line.starts_with('{')).unwrap_or_default();
    let Ok(said) = serde_json::from_str::<Said>(last) else {
        bail!("the storm ended badly: {text}{}", String::from_utf8_lossy(&out.stderr));
    };
    task.done();
    let figures = [(WALL, "s", said.wall_s), (CPU, "s", said.cpu_s), (IDLE, "%", said.idle_percent)];
    let all = figures.into_iter().chain([(MEMORY, "KB", said.memory_kb)]);
    Ok(all
        .map(|(what, unit, figure)| Measurement { figures: vec![figure], ..Measurement::new(what, 1, OURS, unit) })
        .collect())
}
