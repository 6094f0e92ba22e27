//! The engine in the application's process.

use super::{CONF, Home, initialize, is_initialized};
use crate::built;
use crate::target::{Need, Target};
use anyhow::Result;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A store in a folder, and a module that opens it.
pub struct Embedded {
    home: Home,
    module: PathBuf,
}

impl Embedded {
    /// A new token that goes with its target.
    pub fn start() -> Result<Self> {
        Self::start_in(Home::passing()?)
    }

    /// The same in a strict partition.
    pub fn strict() -> Result<Self> {
        Self::with_mode(Home::passing()?, "strict")
    }

    /// The token of this folder, made if need be.
    pub fn start_in(home: Home) -> Result<Self> {
        Self::with_mode(home, "compatible")
    }

    fn with_mode(home: Home, mode: &str) -> Result<Self> {
        let target = Self { home, module: built::module()? };
        let conf = format!("[[token]]\nbody = \"embedded\"\ndirectory = \"store\"\nmode = \"{mode}\"\n");
        std::fs::write(target.home.path().join(CONF), conf)?;
        if !is_initialized(&target.module, &target.environment())? {
            initialize(&target.module, &target.environment())?;
        }
        Ok(target)
    }
}

impl Target for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn module(&self) -> &Path {
        &self.module
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        self.home.environment()
    }

    fn restart(&mut self) -> Result<()> {
        Ok(())
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Server | Need::Clock => Some("the engine lives in the caller's process"),
            Need::Bulk
            | Need::P384
            | Need::Lockout
            | Need::Processes
            | Need::LiveView
            | Need::HashedEcdsa
            | Need::Fork
            | Need::Clients => None,
        }
    }
}
