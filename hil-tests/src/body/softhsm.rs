//! SoftHSM2: the judge from outside. What it does not do is no law; where we differ from it, a check says why.

use crate::target::{LABEL, Need, SO_PIN, Target, USER_PIN};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian puts the module.
const MODULES: &[&str] = &["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];

/// A token in a folder of its own.
pub struct SoftHsm {
    folder: tempfile::TempDir,
    module: PathBuf,
}

impl SoftHsm {
    /// Makes the token.
    pub fn start() -> Result<Self> {
        let module = MODULES.iter().map(PathBuf::from).find(|m| m.exists());
        let module = module.context("libsofthsm2.so is missing; `cargo xtask setup` installs it")?;
        let target = Self { folder: tempfile::tempdir()?, module };
        std::fs::create_dir(target.folder.path().join("tokens"))?;
        let tokens = target.folder.path().join("tokens");
        let text =
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
        std::fs::write(target.conf(), text)?;
        let mut c = Command::new("softhsm2-util");
        c.args(["--init-token", "--free", "--label", LABEL, "--pin", USER_PIN, "--so-pin", SO_PIN]);
        let out = c.envs(target.environment()).output().context("cannot start softhsm2-util")?;
        if !out.status.success() {
            bail!("softhsm2-util: {}", String::from_utf8_lossy(&out.stderr));
        }
        Ok(target)
    }

    fn conf(&self) -> PathBuf {
        self.folder.path().join("softhsm2.conf")
    }
}

impl Target for SoftHsm {
    fn name(&self) -> &'static str {
        "SoftHSM2"
    }

    fn module(&self) -> &Path {
        &self.module
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![("SOFTHSM2_CONF".into(), self.conf().into())]
    }

    fn restart(&mut self) -> Result<()> {
        Ok(())
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Clients => Some("its own users have tried them"),
            Need::Lockout => Some("SoftHSM2 never locks a PIN"),
            Need::Server | Need::Clock => Some("SoftHSM2 lives in the caller's process"),
            Need::HashedEcdsa => Some("SoftHSM2 2.6 signs digests only"),
            Need::Fork => Some("SoftHSM2 lets a forked child go on with the parent's login"),
            // `Generation::commit` adds one to the token's generation on disk and takes the sum for seen: what another
            // process added since the last look is never noticed, until something changes again.
            Need::LiveView => Some("SoftHSM2 2.6 misses another process's object when it then writes one itself"),
            Need::Bulk | Need::P384 | Need::Processes => None,
        }
    }
}
