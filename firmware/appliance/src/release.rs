//! Whether this very program may serve (R23): as its manifest says, if one is named, and not older than the store allows.
//!
//! What a Linux host can do has an end: who may replace this program, as root may, may leave this check out. It stops the
//! wrong file, the damaged file and the older file, and an operator who is talked into one. A board's boot stage, which
//! nothing replaces, stops more (`coloa_bringup::boot`).
//!
//! The lowest version that may open a store stands in the store, sealed and under its root: who puts that one record back is
//! noticed as with any other (R36).

use crate::config::Config;
use crate::fault::Fault;
use aws_lc_rs::digest::{Context, SHA384};
use coloa_crypto_native::Native;
use coloa_host::HostEngine;
use coloa_image::{Manifest, Refusal, Trust, Version, self_test};
use coloa_wire::ErrorCode;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What a manifest must call this body.
const BODY: &str = "appliance";
/// The record in the store.
const LOWEST: [u8; 16] = *b"lowest version\0\0";
/// The program as it runs, even when its file has been replaced since.
const PROGRAM: &str = "/proc/self/exe";
const CHUNK: usize = 64 * 1024;

/// What this program is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    version: Version,
    lowest: Version,
}

impl Release {
    /// Checks the program against the manifest that the configuration names. Without one it is what it was built as, and
    /// ends all older ones.
    ///
    /// # Errors
    /// [`Fault::Image`], [`Fault::Unreadable`].
    pub(crate) fn of(config: &Config) -> Result<Self, Fault> {
        let built = env!("CARGO_PKG_VERSION").parse().unwrap_or(Version(0));
        let (Some(manifest), Some(trust)) = (&config.image_manifest, &config.firmware_trust) else {
            return Ok(Release { version: built, lowest: built });
        };
        let crypto = Native::new();
        self_test(&crypto)?;
        let trust = Trust::parse(&read(trust)?)?;
        let found = trust.verify(&crypto, &Manifest::parse(&read(manifest)?)?)?;
        found.admits(BODY, Version(0))?;
        let (length, digest) = measured(Path::new(PROGRAM))?;
        found.measured(length, &digest)?;
        let said = found.statement();
        tracing::info!(version = %said.version, lowest = %said.lowest, "this program is the one that was signed");
        Ok(Release { version: said.version, lowest: said.lowest })
    }

    /// Refuses a store that a newer program has closed to this one; else closes it to those that this one ends.
    ///
    /// # Errors
    /// [`Fault::Image`], [`Fault::Store`].
    pub(crate) fn enter(&self, engine: &HostEngine) -> Result<(), Fault> {
        let stored = engine.body_secret(LOWEST)?.map(|bytes| <[u8; 4]>::try_from(bytes.as_slice()));
        let stored = stored.transpose().map_err(|_| Fault::Store(ErrorCode::StoreCorrupt))?;
        let lowest = Version(stored.map_or(0, u32::from_be_bytes));
        if self.version < lowest {
            return Err(Refusal::RolledBack { version: self.version, lowest }.into());
        }
        if self.lowest > lowest {
            engine.set_body_secret(LOWEST, &self.lowest.0.to_be_bytes())?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|e| unreadable(path, &e))
}

fn measured(path: &Path) -> Result<(u64, Vec<u8>), Fault> {
    let mut file = File::open(path).map_err(|e| unreadable(path, &e))?;
    let (mut context, mut length, mut chunk) = (Context::new(&SHA384), 0_u64, vec![0; CHUNK]);
    loop {
        let count = file.read(&mut chunk).map_err(|e| unreadable(path, &e))?;
        if count == 0 {
            return Ok((length, context.finish().as_ref().to_vec()));
        }
        context.update(chunk.get(..count).unwrap_or_default());
        length = length.saturating_add(count as u64);
    }
}

fn unreadable(path: &Path, why: &std::io::Error) -> Fault {
    Fault::Unreadable { path: path.to_path_buf(), why: why.to_string() }
}
