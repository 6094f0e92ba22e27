//! The file beside the store that makes opening a big one quick. Sealed by the engine, and no part of the store: it may be
//! deleted at any time, and is not flushed, for a torn one is not authentic and only means that everything is read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file's place.
pub(crate) struct SnapshotFile(PathBuf);

impl SnapshotFile {
    pub(crate) fn in_directory(directory: &Path) -> Self {
        SnapshotFile(directory.join("store.snapshot"))
    }

    pub(crate) fn read(&self) -> Option<Vec<u8>> {
        std::fs::read(&self.0).ok()
    }

    /// Written aside and renamed, so that who reads sees the old one or the new one. The name aside is this process's own.
    pub(crate) fn write(&self, sealed: &[u8]) -> std::io::Result<()> {
        let aside = self.0.with_extension(format!("snapshot.{}", std::process::id()));
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside);
        let named = written.and_then(|mut file| file.write_all(sealed)).and_then(|()| std::fs::rename(&aside, &self.0));
        named.inspect_err(|_| drop(std::fs::remove_file(&aside)))
    }
}
