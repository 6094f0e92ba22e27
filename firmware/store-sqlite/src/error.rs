//! Why a store could not be opened, in sentences for the person who has to do something about it.

use rusqlite::{Error as SqlError, ErrorCode};
use std::path::{Path, PathBuf};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is something else.
    #[error("{} is not a Cổ Loa store. Name another file in the configuration; this one was left as it is.", .0.display())]
    NotAStore(PathBuf),
    /// A newer program wrote it.
    #[error("{} has store format {found}, and this program knows formats up to {known}. Install the newer release again.", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format this program knows.
        known: i64,
    },
    /// Another process has it.
    #[error("{} is in use by another process. End that one first, or name another file in the configuration.", .0.display())]
    Locked(PathBuf),
    /// Its structure is damaged.
    #[error("{} is damaged: {detail}. Keep a copy of it and of its -wal file, then restore the last backup.", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// This process may not read and write it.
    #[error("no right to read and write {}. Give the file and its directory to the user this program runs as.", .0.display())]
    Permission(PathBuf),
    /// Others may read or write it.
    #[error("{} can be reached by other users (mode {mode:03o}). Run: chmod 600 {}", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The medium has no room for an empty store.
    #[error("no room to make {}. Free some space on that file system and start again.", .0.display())]
    Full(PathBuf),
    /// Anything else the operating system or SQLite said.
    #[error("{} could not be opened: {detail}. Look at the file system it is on.", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was said.
        detail: String,
    },
}

impl OpenError {
    pub(crate) fn from_sql(path: &Path, error: &SqlError) -> Self {
        let path = path.to_path_buf();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotAStore(path),
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { path, detail: error.to_string() },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked(path),
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => OpenError::Permission(path),
            Some(ErrorCode::DiskFull) => OpenError::Full(path),
            _ => OpenError::Io { path, detail: error.to_string() },
        }
    }

    pub(crate) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::Permission(path)
            }
            std::io::ErrorKind::StorageFull => OpenError::Full(path),
            _ => OpenError::Io { path, detail: error.to_string() },
        }
    }
}
