//! The targets themselves: each body of the engine, SoftHSM2, and Kryoptic for the benchmark.

mod appliance;
mod board;
mod embedded;
mod kryoptic;
mod softhsm;

pub use appliance::Appliance;
pub use board::{Board, free_port};
pub use embedded::Embedded;
pub use kryoptic::Kryoptic;
pub use softhsm::SoftHsm;

use crate::target::{LABEL, SO_PIN, USER_PIN};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The configuration's name in a body's folder.
const CONF: &str = "coloa.toml";

/// A folder that goes with its target, or stays.
pub enum Home {
    /// For tests.
    Passing(tempfile::TempDir),
    /// For people.
    Kept(PathBuf),
}

impl Home {
    /// A new folder that goes when it is dropped.
    pub fn passing() -> Result<Self> {
        Ok(Home::Passing(tempfile::tempdir()?))
    }

    /// A person's folder, made if need be.
    pub fn kept(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Home::Kept(dir.canonicalize()?))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Home::Passing(dir) => dir.path(),
            Home::Kept(dir) => dir,
        }
    }

    /// `COLOA_CONF`, as an application needs it.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![("COLOA_CONF".into(), self.path().join(CONF).into())]
    }
}

/// Has the token [`LABEL`] been initialised, as `pkcs11-tool` sees it?
fn is_initialized(module: &Path, environment: &[(OsString, OsString)]) -> Result<bool> {
    let listed = pkcs11_tool(module, environment, &["--list-token-slots"])?;
    Ok(listed.lines().any(|line| line.trim_start().starts_with("token label") && line.trim_end().ends_with(LABEL)))
}

/// Gives the token in the first slot its label and PINs, as any administrator would.
fn initialize(module: &Path, environment: &[(OsString, OsString)]) -> Result<()> {
    let init = ["--init-token", "--slot-index", "0", "--label", LABEL, "--so-pin", SO_PIN];
    pkcs11_tool(module, environment, &init)?;
    let init = ["--token-label", LABEL, "--login", "--login-type", "so", "--so-pin", SO_PIN, "--init-pin", "--new-pin"];
    pkcs11_tool(module, environment, &[init.as_slice(), &[USER_PIN]].concat()).map(drop)
}

/// Runs `pkcs11-tool`; what it printed.
pub fn pkcs11_tool(module: &Path, environment: &[(OsString, OsString)], words: &[&str]) -> Result<String> {
    let mut c = Command::new("pkcs11-tool");
    c.arg("--module").arg(module).args(words).envs(environment.iter().cloned());
    let out = c.output().context("cannot start pkcs11-tool; `cargo xtask setup` installs it")?;
    if !out.status.success() {
        bail!("pkcs11-tool {}: {}", words.join(" "), String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
