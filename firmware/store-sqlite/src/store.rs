//! The store itself: a connection that writes, one that reads, and what to do when a commit fails.

use crate::announce::Announcements;
use crate::connection::{Connections, Own, lock};
use crate::format::TOMBSTONES;
use crate::open::{self, Options, Sharing};
use crate::{OpenError, fork, gate};
use coloa_engine::{CommitError, Record, RecordId, Store, StoreError, Write};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior, ffi, params};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Old tombstones are removed at every commit whose generation is a multiple of this.
const PRUNE_EVERY: u64 = 256;

const GENERATION: &str = "SELECT generation FROM meta";
const PUT: &str = "INSERT INTO records (id, version, generation, value) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) \
                   DO UPDATE SET version = excluded.version, generation = excluded.generation, value = excluded.value";

const DELETE: &str = "DELETE FROM records WHERE id = ?1";
const READ: &str = "SELECT id, version, value FROM records WHERE id = ?1 AND value IS NOT NULL";
const PUT_LOG: &str = "INSERT INTO log (id, version, value) VALUES (?1, ?2, ?3) ON CONFLICT (id) \
                       DO UPDATE SET version = excluded.version, value = excluded.value";
const DELETE_LOG: &str = "DELETE FROM log WHERE id = ?1";
const READ_LOG: &str = "SELECT id, version, value FROM log WHERE id = ?1";

/// A [`Store`] in an SQLite file.
pub struct SqliteStore {
    connections: Arc<Connections>,
    /// A commit failed in such a way that a cut of power could still bring it back.
    unsettled: AtomicBool,
    path: PathBuf,
    options: Options,
    announcements: Announcements,
    /// Microseconds a commit took of late.
    commit_time: AtomicU64,
}

impl SqliteStore {
    /// Opens the store in `path`, or makes an empty one that its owner alone may read.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(path: &Path, sharing: Sharing) -> Result<Self, OpenError> {
        SqliteStore::open_with(path, Options::new(sharing))
    }

    /// [`SqliteStore::open`] with more to choose.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open_with(path: &Path, options: Options) -> Result<Self, OpenError> {
        let _pass = gate::enter();
        let (own, announcements) = open::open(path, &options)?;
        let connections = Arc::new(Connections { writer: Mutex::new(Some(own)), reader: Mutex::default() });
        fork::register(&connections);
        let store = SqliteStore {
            connections,
            unsettled: AtomicBool::new(false),
            path: path.to_path_buf(),
            options,
            announcements,
            commit_time: AtomicU64::new(0),
        };
        // Nothing depends on it but speed.
        let _ = store.with_writer(|connection| store.announce_present(connection));
        Ok(store)
    }

    /// Moves committed pages from the WAL into the file, unless somebody is writing or reading: for idle moments, so that no
    /// commit has to. Says whether all was moved.
    pub fn checkpoint_if_idle(&self) -> bool {
        let _pass = gate::enter();
        let Ok(mut writer) = self.connections.writer.try_lock() else { return false };
        let Some(connection) = writer.as_mut().and_then(Own::connection) else { return false };
        checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)").unwrap_or(false)
    }

    /// Moves committed pages into the file and empties the WAL, which held older values of records until then (R14).
    ///
    /// # Errors
    /// [`StoreError::Failed`], also when other processes kept it from finishing.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let _pass = gate::enter();
        self.with_writer(|connection| truncate_wal(connection))
            .and_then(|done| if done { Ok(()) } else { Err(StoreError::Failed) })
    }

    /// How long a commit takes of late, most of which is the flush.
    pub fn commit_time(&self) -> Duration {
        Duration::from_micros(self.commit_time.load(Ordering::Relaxed))
    }

    /// An average that forgets: three parts old, one part new.
    fn note_time(&self, since: Instant) {
        let now = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let old = self.commit_time.load(Ordering::Relaxed);
        let next = if old == 0 { now } else { (old.saturating_mul(3).saturating_add(now)) / 4 };
        self.commit_time.store(next, Ordering::Relaxed);
    }

    fn with_writer<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut writer = lock(&self.connections.writer);
        let connection = self.connected(&mut writer)?;
        self.settle(connection)?;
        work(connection).map_err(failed)
    }

    fn with_reader<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        if self.unsettled.load(Ordering::Acquire) {
            self.with_writer(|_| Ok(()))?;
        }
        let mut reader = lock(&self.connections.reader);
        work(self.connected(&mut reader)?).map_err(failed)
    }

    fn connected<'a>(&self, own: &'a mut Option<Own>) -> Result<&'a mut Connection, StoreError> {
        let own = match own {
            Some(own) => own,
            none => none.insert(self.connect()?),
        };
        own.connection().ok_or(StoreError::Failed)
    }

    fn connect(&self) -> Result<Own, StoreError> {
        Own::open(&self.path, self.options.vfs.as_deref()).map_err(failed)
    }

    /// Puts right what a crashed writer announced, under SQLite's write lock.
    fn announce_present(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let present = generation(&transaction)?;
        if self.announcements.announce(present).is_ok() {
            self.announcements.learn(present);
        }
        transaction.rollback()
    }

    fn write(&self, connection: &Connection, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        let put = |new| put(connection, new, batch, self.is_shared());
        let outcome = begin(connection, expected, put).and_then(|new| {
            self.announcements.announce(new).map_err(|error| logged(&error, CommitError::Failed))?;
            end(connection)?;
            self.announcements.learn(new);
            Ok(())
        });
        finish(connection, outcome)
    }

    /// Nothing is read or written after a commit of unknown outcome until another one, which changes nothing, took the place
    /// of its remains in the WAL: otherwise a cut of power could bring back what was seen not to be there.
    fn settle(&self, connection: &Connection) -> Result<(), StoreError> {
        if self.unsettled.load(Ordering::Acquire) {
            let settled = write_nothing(connection).and_then(|()| end(connection));
            finish(connection, settled).map_err(|_| StoreError::Failed)?;
            self.unsettled.store(false, Ordering::Release);
        }
        Ok(())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        let _pass = gate::enter();
        // Before the lock is given up.
        self.connections.close();
        fork::forget(&self.connections);
    }
}

impl Store for SqliteStore {
    fn generation(&self) -> Result<u64, StoreError> {
        if let Some(generation) = self.announcements.current().filter(|_| !self.unsettled.load(Ordering::Acquire)) {
            return Ok(generation);
        }
        let _pass = gate::enter();
        let generation = self.with_reader(|connection| generation(connection))?;
        self.announcements.learn(generation);
        Ok(generation)
    }

    fn is_shared(&self) -> bool {
        self.options.sharing == Sharing::Shared
    }

    fn scan(&self, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError> {
        let _pass = gate::enter();
        self.with_writer(|_| Ok(()))?;
        // A connection of its own, so that `visit` runs under no lock and may call the store.
        let mut own = self.connect()?;
        let view = own.connection().ok_or(StoreError::Failed)?.transaction().map_err(failed)?;
        let generation = generation(&view).map_err(failed)?;
        let mut live =
            view.prepare("SELECT id, version, value FROM records WHERE value IS NOT NULL").map_err(failed)?;
        let mut rows = live.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            visit(record(row).map_err(failed)?)?;
        }
        Ok(generation)
    }

    fn changes(&self, since: u64, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError> {
        if !self.is_shared() {
            return Err(StoreError::TooOld);
        }
        let _pass = gate::enter();
        let found = self.with_reader(|connection| changed(connection, since))?;
        let (generation, records) = found.ok_or(StoreError::TooOld)?;
        records.into_iter().try_for_each(visit)?;
        Ok(generation)
    }

    fn read(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let _pass = gate::enter();
        self.with_reader(|connection| {
            let sql = if id.is_log() { READ_LOG } else { READ };
            connection.prepare_cached(sql)?.query_row([id.to_bytes()], record).optional()
        })
    }

    fn commit(&self, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        let _pass = gate::enter();
        let began = Instant::now();
        let outcome = self.with_writer(|connection| Ok(self.write(connection, expected, batch)));
        let outcome = outcome.unwrap_or(Err(CommitError::Failed));
        if outcome == Err(CommitError::Unknown) {
            self.unsettled.store(true, Ordering::Release);
            // At once, for other processes do not know. When it fails, the next call tries again.
            let _ = self.with_writer(|_| Ok(()));
        }
        self.note_time(began);
        outcome
    }
}

/// The last word of a commit.
fn end(connection: &Connection) -> Result<(), CommitError> {
    let committed = connection.prepare_cached("COMMIT").and_then(|mut sql| sql.execute([]));
    committed.map(drop).map_err(|error| match error.sqlite_extended_error_code() {
        // SQLite writes the mark that makes a transaction count last of all: what could not be written has no mark.
        Some(ffi::SQLITE_FULL) => CommitError::Full,
        Some(ffi::SQLITE_IOERR_WRITE) => logged(&error, CommitError::Failed),
        _ => logged(&error, CommitError::Unknown),
    })
}

/// Leaves no transaction open.
fn finish(connection: &Connection, outcome: Result<(), CommitError>) -> Result<(), CommitError> {
    if outcome.is_err() && !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
        return Err(CommitError::Unknown);
    }
    outcome
}

/// Dirties a page and leaves it as it was. (SQLite sees through an update that changes nothing.)
fn write_nothing(connection: &Connection) -> Result<(), CommitError> {
    let there_and_back = "BEGIN IMMEDIATE;
        UPDATE meta SET generation = generation + 1;
        UPDATE meta SET generation = generation - 1";
    let written = connection.execute_batch(there_and_back);
    written.map_err(|error| logged(&error, CommitError::Failed))
}

/// Everything of a commit but the announcement and the last word. Returns the new generation.
fn begin(
    connection: &Connection,
    expected: u64,
    put: impl FnOnce(u64) -> rusqlite::Result<()>,
) -> Result<u64, CommitError> {
    let sql = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => CommitError::Full,
        _ => logged(&error, CommitError::Failed),
    };
    connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut sql| sql.execute([])).map_err(sql)?;
    if generation(connection).map_err(sql)? != expected {
        return Err(CommitError::Conflict);
    }
    let new = expected.checked_add(1).ok_or(CommitError::Failed)?;
    put(new).map_err(sql)?;
    Ok(new)
}

fn put(connection: &Connection, new: u64, batch: &[Write<'_>], has_history: bool) -> rusqlite::Result<()> {
    let (mut put, mut delete) = (connection.prepare_cached(PUT)?, connection.prepare_cached(DELETE)?);
    let (log, records): (Vec<&Write<'_>>, Vec<&Write<'_>>) = batch.iter().partition(|write| write.id.is_log());
    for write in records {
        // A deletion is part of the history: a tombstone.
        match write.value {
            None if !has_history => delete.execute([write.id.to_bytes()])?,
            value => put.execute(params![write.id.to_bytes(), write.version, new, value])?,
        };
    }
    put_log(connection, &log)?;
    if has_history && new.is_multiple_of(PRUNE_EVERY) {
        prune(connection, new.saturating_sub(TOMBSTONES))?;
    }
    set_generation(connection, new)
}

fn put_log(connection: &Connection, log: &[&Write<'_>]) -> rusqlite::Result<()> {
    let (mut put, mut delete) = (connection.prepare_cached(PUT_LOG)?, connection.prepare_cached(DELETE_LOG)?);
    for write in log {
        match write.value {
            Some(value) => put.execute(params![write.id.to_bytes(), write.version, value])?,
            None => delete.execute([write.id.to_bytes()])?,
        };
    }
    Ok(())
}

fn set_generation(connection: &Connection, new: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE meta SET generation = ?1")?.execute([new]).map(drop)
}

fn prune(connection: &Connection, until: u64) -> rusqlite::Result<()> {
    if until == 0 {
        return Ok(());
    }
    connection.prepare_cached("DELETE FROM records WHERE value IS NULL AND generation <= ?1")?.execute([until])?;
    connection.prepare_cached("UPDATE meta SET pruned = ?1")?.execute([until]).map(drop)
}

/// The generation and what changed after `since`; `None` when that is too long ago.
fn changed(connection: &mut Connection, since: u64) -> rusqlite::Result<Option<(u64, Vec<Record>)>> {
    let view = connection.transaction()?;
    let (generation, pruned): (u64, u64) = view
        .prepare_cached("SELECT generation, pruned FROM meta")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if since < pruned {
        return Ok(None);
    }
    let mut after = view.prepare_cached("SELECT id, version, value FROM records WHERE generation > ?1")?;
    let records = after.query_map([since], record)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Some((generation, records)))
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let id: [u8; RecordId::LENGTH] = row.get(0)?;
    Ok(Record { id: RecordId::from_bytes(&id), version: row.get(1)?, value: row.get(2)? })
}

fn generation(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached(GENERATION)?.query_row([], |row| row.get(0))
}

fn truncate_wal(connection: &Connection) -> rusqlite::Result<bool> {
    checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
}

/// Whether the whole WAL was moved.
fn checkpoint(connection: &Connection, sql: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        sql,
        [],
        |row| Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?),
    )
}

fn failed(error: rusqlite::Error) -> StoreError {
    tracing::warn!(%error, "the store could not be read");
    StoreError::Failed
}

fn logged(error: &dyn std::error::Error, answer: CommitError) -> CommitError {
    tracing::error!(%error, ?answer, "a commit failed");
    answer
}
