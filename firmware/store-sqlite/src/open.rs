//! Opening: the file's owner, its lock, its format, its health.

use crate::announce::Announcements;
use crate::connection::Own;
use crate::error::OpenError;
use crate::format::{self, FORMAT, Found};
use rusqlite::{Connection, ErrorCode};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Files up to this size are checked whole at each opening: a few milliseconds.
const CHEAP_TO_CHECK: u64 = 1 << 20;
/// How long opening waits for other processes that open the same new file.
const SETUP_TIMEOUT: Duration = Duration::from_secs(5);
/// The owner alone.
const MODE: u32 = 0o600;

/// Who may use the file at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// This process alone: the appliance.
    Exclusive,
    /// Other processes that also open it shared: the embedded body.
    Shared,
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) sharing: Sharing,
    pub(crate) check: bool,
    pub(crate) vfs: Option<String>,
}

impl Options {
    /// The usual.
    pub fn new(sharing: Sharing) -> Self {
        Options { sharing, check: false, vfs: None }
    }

    /// Reads the whole file and checks its structure, whatever its size (about a second for each gigabyte).
    pub fn check(self) -> Self {
        Options { check: true, ..self }
    }

    /// Goes through an SQLite VFS registered under this name; for tests that cut the power. The file is then the VFS's
    /// affair: no mode, no lock.
    pub fn vfs(self, name: &str) -> Self {
        Options { vfs: Some(name.to_owned()), ..self }
    }
}

/// Opens the file, making an empty store when there is none: the first connection, and the lock that must outlive it.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(Own, Announcements), OpenError> {
    let lock = if options.vfs.is_none() {
        let lock = take_lock(path, options.sharing)?;
        own_the_file(path)?;
        Some(lock)
    } else {
        None
    };
    let sql = |error| OpenError::from_sql(path, &error);
    let mut own = Own::open(path, options.vfs.as_deref()).map_err(sql)?;
    let Some(connection) = own.connection() else { return Err(OpenError::Locked(path.to_path_buf())) };
    set_up(path, connection)?;
    format::set_history(connection, options.sharing == Sharing::Shared).map_err(sql)?;
    if options.check || std::fs::metadata(path).is_ok_and(|file| file.len() <= CHEAP_TO_CHECK) {
        check(path, connection)?;
    }
    let announcements = Announcements::on(lock).map_err(|error| OpenError::from_io(path, &error))?;
    Ok((own, announcements))
}

fn take_lock(path: &Path, sharing: Sharing) -> Result<File, OpenError> {
    let beside = with_suffix(path, ".lock");
    let io = |error: std::io::Error| OpenError::from_io(&beside, &error);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(&beside);
    let file = options.map_err(io)?;
    let locked = match sharing {
        Sharing::Exclusive => file.try_lock(),
        Sharing::Shared => file.try_lock_shared(),
    };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the file for its owner alone, or sees that it is so. Never opens one that exists (see [`Announcements`]).
fn own_the_file(path: &Path) -> Result<(), OpenError> {
    let io = |error: std::io::Error| OpenError::from_io(path, &error);
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = std::fs::metadata(path).map_err(io)?;
            let mode = found.mode() & 0o777;
            match (found.is_file(), mode & !MODE) {
                (false, _) => Err(OpenError::NotAStore(path.to_path_buf())),
                (true, 0) => Ok(()),
                (true, _) => Err(OpenError::TooOpen { path: path.to_path_buf(), mode }),
            }
        }
        Err(error) => Err(io(error)),
    }
}

fn set_up(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let deadline = Instant::now() + SETUP_TIMEOUT;
    loop {
        match identify_or_create(connection) {
            // Switching to WAL does not wait for others by itself.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(OpenError::from_sql(path, &error)),
            Ok(Found::Store(found)) if found > FORMAT => {
                return Err(OpenError::NewerFormat { path: path.to_path_buf(), found, known: FORMAT });
            }
            Ok(Found::Store(_)) => return Ok(()),
            Ok(Found::Empty | Found::Foreign) => return Err(OpenError::NotAStore(path.to_path_buf())),
        }
    }
}

fn identify_or_create(connection: &mut Connection) -> rusqlite::Result<Found> {
    let found = format::identify(connection)?;
    match found {
        Found::Store(1) => {
            format::migrate(connection)?;
            format::identify(connection)
        }
        Found::Empty => {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            format::create(connection)?;
            format::identify(connection)
        }
        found => Ok(found),
    }
}

/// Checks the structure of the whole file.
fn check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(detail) => Err(OpenError::Corrupt { path: path.to_path_buf(), detail }),
        Err(error) => Err(OpenError::from_sql(path, &error)),
    }
}
