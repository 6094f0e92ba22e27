//! What the file looks like. This is the specification of store format 2.
//!
//! An SQLite 3 database, `application_id` [`APPLICATION`], `user_version` [`FORMAT`], journal mode WAL.
//!
//! `records`: a row for each record. `id` is [`RecordId::to_bytes`](coloa_engine::RecordId::to_bytes); `generation` is the
//! commit that wrote it last; `value` is what the engine sealed, NULL in a tombstone.
//!
//! `log`: the same for records of the log ([`RecordId::is_log`](coloa_engine::RecordId::is_log)), of which there may be
//! thousands of times as many: nobody reads them all to open the store. Format 1 had them in `records`.
//!
//! `meta`: one row. `generation` counts commits; tombstones of generations up to `pruned` are gone.
//!
//! Processes that share the file see by generations and tombstones what others have changed: that is its *history*, and two
//! indexes make it quick to read. Who has the file alone keeps none, which halves the pages of a commit: no indexes, no
//! tombstones. The next who shares it begins a new one.

use rusqlite::Connection;

/// "CoLo".
pub(crate) const APPLICATION: i64 = 0x436f_4c6f;
/// The format written, and the newest that is read.
pub(crate) const FORMAT: i64 = 2;
/// Tombstones are kept for at least this many generations.
pub(crate) const TOMBSTONES: u64 = 4096;

const SCHEMA: &str = "
    CREATE TABLE records (id BLOB NOT NULL UNIQUE, version INTEGER NOT NULL, generation INTEGER NOT NULL, value BLOB);
    CREATE TABLE meta (generation INTEGER NOT NULL, pruned INTEGER NOT NULL);
    INSERT INTO meta VALUES (0, 0);
";

const LOG: &str =
    "CREATE TABLE log (id BLOB PRIMARY KEY NOT NULL, version INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID";

/// From format 1. A history that told of the log tells of it no more: who knows it reads everything.
const FROM_1: &str = "
    INSERT INTO log SELECT id, version, value FROM records WHERE substr(id, 17, 1) = x'06' AND value IS NOT NULL;
    DELETE FROM records WHERE substr(id, 17, 1) = x'06';
    UPDATE meta SET pruned = generation;
    PRAGMA user_version = 2;
";

const HISTORY: &str = "
    CREATE INDEX records_by_generation ON records (generation);
    CREATE INDEX tombstones ON records (generation) WHERE value IS NULL;
    UPDATE meta SET pruned = generation;
";
const NO_HISTORY: &str = "
    DELETE FROM records WHERE value IS NULL;
    DROP INDEX tombstones;
    DROP INDEX records_by_generation;
";

/// What a file says it is.
pub(crate) enum Found {
    /// Nothing yet.
    Empty,
    /// A store of this format.
    Store(i64),
    /// Something else.
    Foreign,
}

/// Looks at what the file says it is.
pub(crate) fn identify(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (application, format) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    Ok(match (application, format, tables) {
        (APPLICATION, 1.., 1..) => Found::Store(format),
        (0, 0, 0) => Found::Empty,
        _ => Found::Foreign,
    })
}

/// Makes an empty store in an empty file, unless another process was quicker.
pub(crate) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if let Found::Empty = identify(&transaction)? {
        transaction.execute_batch(SCHEMA)?;
        transaction.execute_batch(LOG)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

/// Brings a store of an older format to this one.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have been quicker.
    if let Found::Store(1) = identify(&transaction)? {
        transaction.execute_batch(LOG)?;
        transaction.execute_batch(FROM_1)?;
    }
    transaction.commit()
}

/// Begins a history, or ends it, unless that is so already.
pub(crate) fn set_history(connection: &mut Connection, wanted: bool) -> rusqlite::Result<()> {
    if has_history(connection)? == wanted {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have been quicker.
    if has_history(&transaction)? != wanted {
        transaction.execute_batch(if wanted { HISTORY } else { NO_HISTORY })?;
    }
    transaction.commit()
}

fn has_history(connection: &Connection) -> rusqlite::Result<bool> {
    let sql =
        "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN ('records_by_generation', 'tombstones')";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|indexes| indexes == 2)
}
