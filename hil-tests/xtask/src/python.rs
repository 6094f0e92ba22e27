//! Python's packages for the examples: wheels from PyPI with known hashes, in an environment of their own.

use crate::run;
use anyhow::{Context, Result};
use coloa_xtask::progress::Task;
use std::path::{Path, PathBuf};

/// Debian's, which the wheels are for; another one may come first on the PATH.
const PYTHON: &str = "/usr/bin/python3.11";
/// Names, versions and hashes.
const REQUIREMENTS: &str = "examples/python/requirements.txt";

/// Where the environment is; what it was made of is copied into it when it is whole.
fn folder() -> PathBuf {
    run::root().join("target/python")
}

/// Whether the environment has just what [`REQUIREMENTS`] asks for.
pub fn is_here() -> bool {
    let made_of = |file: &Path| std::fs::read(file).ok();
    let asked = made_of(&run::root().join(REQUIREMENTS));
    asked.is_some() && asked == made_of(&folder().join("requirements.txt")) && folder().join("bin/python").exists()
}

/// Makes the environment anew if it is not there, or if it was made of other requirements.
pub fn ensure() -> Result<()> {
    if is_here() {
        return Ok(());
    }
    let task = Task::start(format!("pip install -r {REQUIREMENTS} (into target/python)"));
    let made = run::succeeds(run::program(PYTHON).args(["-m", "venv", "--clear"]).arg(folder()));
    anyhow::ensure!(made, "`{PYTHON} -m venv` makes no environment; Debian's python3-venv brings both");
    let mut pip = run::program(folder().join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]);
    run::quiet(task, pip.args(["-r", REQUIREMENTS]))?;
    let copy = folder().join("requirements.txt");
    std::fs::copy(run::root().join(REQUIREMENTS), copy).context("cannot write into target/python").map(drop)
}
