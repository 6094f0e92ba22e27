//! One SQLite connection, set up for durability, that knows which process made it.
//!
//! SQLite keeps its locks per process and its books on them in memory, so a connection that crossed a fork must neither be
//! used nor closed ("How To Corrupt An SQLite Database File", 2.6). Such a one is left alone: it leaks.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a writer waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest sleep between two tries.
const BUSY_STEP: Duration = Duration::from_millis(1);
/// A commit that leaves more than this in the WAL moves it into the file at once (4 KiB pages: 16 MiB).
const WAL_PAGES: u32 = 4096;
/// More than the number of different statements.
const STATEMENTS: usize = 16;

/// Those that a store keeps: one that writes, one that reads.
#[derive(Default)]
pub(crate) struct Connections {
    pub(crate) writer: Mutex<Option<Own>>,
    pub(crate) reader: Mutex<Option<Own>>,
}

impl Connections {
    /// Closes them; they are made anew when they are needed.
    pub(crate) fn close(&self) {
        *lock(&self.reader) = None;
        *lock(&self.writer) = None;
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection of this process.
pub(crate) struct Own {
    connection: Option<Connection>,
    process: u32,
}

impl Own {
    /// Opens `path`, which must exist, through the VFS named `vfs` or SQLite's own.
    pub(crate) fn open(path: &Path, vfs: Option<&str>) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = match vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
            None => Connection::open_with_flags(path, flags)?,
        };
        connection.busy_handler(Some(wait_for_others))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        // What SQLite puts aside stays in memory: a body in its sandbox has no other folder.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cell_size_check", "ON")?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        Ok(Own { connection: Some(connection), process: std::process::id() })
    }

    /// The connection, unless this process inherited it.
    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut().filter(|_| self.process == std::process::id())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.connection.take());
        }
    }
}

fn wait_for_others(tries: i32) -> bool {
    std::thread::sleep(BUSY_STEP.min(Duration::from_micros(50 << tries.clamp(0, 5))));
    u128::try_from(tries).unwrap_or(0) < BUSY_TIMEOUT.as_micros() / BUSY_STEP.as_micros()
}
