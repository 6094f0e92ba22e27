//! The embedded body: the engine inside the caller's process, for development and tests.

use crate::platform::{HostEngine, OpenError, command, open};
use crate::root_key;
use coloa_engine::Peer;
use coloa_store_sqlite::Sharing;
use coloa_wire::command::{DeviceInitialize, Lifecycle, PartitionCreate, PartitionMode, TokenList};
use coloa_wire::hello::Body;
use coloa_wire::{Command, ErrorCode};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// What the embedded body calls itself.
const LABEL: &str = "DEVELOPMENT, NOT AN HSM";

/// An engine that several processes may share: each opens the same directory.
pub struct Embedded {
    engine: HostEngine,
}

impl Embedded {
    /// Opens the engine in a directory. A new one becomes a device with one partition of this mode, whose token waits for
    /// `C_InitToken`.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(directory: &Path, mode_if_new: PartitionMode) -> Result<Self, OpenError> {
        root_key::make_directory(directory)?;
        let _turn = setup_turn(directory)?;
        let engine = open(directory, Body::Embedded, Sharing::Shared)?;
        let refused = |code| OpenError::Refused { path: directory.to_path_buf(), code };
        set_up(&engine, mode_if_new).map_err(refused)?;
        Ok(Embedded { engine })
    }

    /// Answers one frame, from any thread.
    pub fn exchange(&self, frame: &[u8], reply: &mut Vec<u8>) {
        self.engine.handle(&Peer::Owner, frame, reply);
    }

    /// Gives one command without a session.
    ///
    /// # Errors
    /// What the engine answers.
    pub fn command<C: Command>(&self, request: &C) -> Result<C::Reply, ErrorCode> {
        command(&self.engine, &Peer::Owner, request)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.engine.flush();
    }
}

/// The lock of those who open a directory.
struct Turn(File);

impl Drop for Turn {
    fn drop(&mut self) {
        // A process that was forked meanwhile has the file open too: closing it here would not unlock it.
        let _ = self.0.unlock();
    }
}

/// Processes that open a new directory at the same moment take turns, so that it gets one partition.
fn setup_turn(directory: &Path) -> Result<Turn, OpenError> {
    let path = directory.join("setup.lock");
    let locked = OpenOptions::new().write(true).create(true).truncate(false).open(&path).and_then(|file| {
        file.lock()?;
        Ok(Turn(file))
    });
    locked.map_err(|error| OpenError::Directory { path, error })
}

fn set_up(engine: &HostEngine, mode: PartitionMode) -> Result<(), ErrorCode> {
    let owner = Peer::Owner;
    if engine.lifecycle() == Lifecycle::Manufactured {
        command(engine, &owner, &DeviceInitialize { label: LABEL.into() })?;
    }
    if command(engine, &owner, &TokenList {})?.tokens.is_empty() {
        command(engine, &owner, &PartitionCreate { label: String::new(), mode, approved_only: None })?;
    }
    Ok(())
}
