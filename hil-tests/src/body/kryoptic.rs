//! Kryoptic: a PKCS#11 token in Rust on OpenSSL, in the caller's process. Only the benchmark knows it.

use super::initialize;
use crate::built;
use crate::target::{Need, Target};
use anyhow::Result;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A token in a folder of its own.
pub struct Kryoptic {
    folder: tempfile::TempDir,
    module: PathBuf,
}

impl Kryoptic {
    /// Makes the token.
    pub fn start() -> Result<Self> {
        let target = Self { folder: tempfile::tempdir()?, module: built::kryoptic()? };
        let store = target.folder.path().join("token.sql");
        let text = format!("[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n", store.display());
        std::fs::write(target.conf(), text)?;
        initialize(&target.module, &target.environment())?;
        Ok(target)
    }

    fn conf(&self) -> PathBuf {
        self.folder.path().join("kryoptic.conf")
    }
}

impl Target for Kryoptic {
    fn name(&self) -> &'static str {
        "Kryoptic"
    }

    fn module(&self) -> &Path {
        &self.module
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![("KRYOPTIC_CONF".into(), self.conf().into())]
    }

    fn restart(&mut self) -> Result<()> {
        Ok(())
    }

    fn lacks(&self, _: Need) -> Option<&'static str> {
        Some("the suite does not run on Kryoptic")
    }
}
