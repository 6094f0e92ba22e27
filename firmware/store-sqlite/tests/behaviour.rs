//! What the store does when nothing is wrong with it, and what it says when something is.

use coloa_engine::{CommitError, Record, RecordId, Store, StoreError, Write};
use coloa_store_sqlite::{OpenError, Options, Sharing, SqliteStore, fork};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn open(&self, sharing: Sharing) -> Result<SqliteStore, OpenError> {
        SqliteStore::open(&self.path(), sharing)
    }
}

fn id(n: u8) -> RecordId {
    RecordId { partition: [n; 16], kind: n, id: [0xff - n; 16] }
}

fn write(n: u8, version: u64, value: Option<&[u8]>) -> Write<'_> {
    Write { id: id(n), version, value }
}

fn changes(store: &SqliteStore, since: u64) -> Result<(u64, Vec<Record>), StoreError> {
    let mut seen = Vec::new();
    let generation = store.changes(since, &mut |record| {
        seen.push(record);
        Ok(())
    })?;
    seen.sort_by_key(|record| record.id);
    Ok((generation, seen))
}

fn scan(store: &SqliteStore) -> (u64, Vec<Record>) {
    let mut seen = Vec::new();
    let generation = store.scan(&mut |record| {
        seen.push(record);
        Ok(())
    });
    (generation.unwrap(), seen)
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let place = Place::new();
    let store = place.open(Sharing::Exclusive).unwrap();
    assert_eq!(store.generation(), Ok(0));
    store.commit(0, &[write(1, 1, Some(b"one")), write(2, 1, Some(b""))]).unwrap();
    store.commit(1, &[write(1, 2, None), write(3, 7, Some(&[9; 10_000]))]).unwrap();
    drop(store);
    let store = place.open(Sharing::Exclusive).unwrap();
    assert_eq!(store.generation(), Ok(2));
    assert_eq!(store.read(&id(1)), Ok(None));
    assert_eq!(store.read(&id(2)), Ok(Some(Record { id: id(2), version: 1, value: Some(vec![]) })));
    let (generation, mut live) = scan(&store);
    live.sort_by_key(|record| record.id);
    assert_eq!(generation, 2);
    assert_eq!(live.iter().map(|record| (record.id, record.version)).collect::<Vec<_>>(), [(id(2), 1), (id(3), 7)]);
}

#[test]
fn a_commit_against_another_generation_changes_nothing() {
    let place = Place::new();
    let store = place.open(Sharing::Shared).unwrap();
    let other = place.open(Sharing::Shared).unwrap();
    assert_eq!(store.commit(1, &[write(1, 1, Some(b"x"))]), Err(CommitError::Conflict));
    store.commit(0, &[write(1, 1, Some(b"x"))]).unwrap();
    assert_eq!(other.generation(), Ok(1));
    assert_eq!(other.commit(0, &[write(1, 1, Some(b"y"))]), Err(CommitError::Conflict));
    other.commit(1, &[write(1, 2, Some(b"y"))]).unwrap();
    assert_eq!(store.generation(), Ok(2));
    assert_eq!(store.read(&id(1)).unwrap().unwrap().value.unwrap(), b"y");
}

#[test]
fn changes_tell_what_was_written_and_deleted_since() {
    let place = Place::new();
    let store = place.open(Sharing::Shared).unwrap();
    store.commit(0, &[write(1, 1, Some(b"a")), write(2, 1, Some(b"b"))]).unwrap();
    store.commit(1, &[write(1, 2, None)]).unwrap();
    let deleted = Record { id: id(1), version: 2, value: None };
    assert_eq!(changes(&store, 1), Ok((2, vec![deleted.clone()])));
    assert_eq!(changes(&store, 2), Ok((2, vec![])));
    assert_eq!(changes(&store, 0).unwrap().1.len(), 2);
    assert_eq!(scan(&store).1.len(), 1);
}

#[test]
fn old_tombstones_go_and_changes_say_so() {
    let place = Place::new();
    let store = place.open(Sharing::Shared).unwrap();
    store.commit(0, &[write(1, 1, Some(b"a"))]).unwrap();
    store.commit(1, &[write(1, 2, None)]).unwrap();
    // As if 4349 more commits had been made.
    rusqlite::Connection::open(place.path()).unwrap().execute("UPDATE meta SET generation = 4351", []).unwrap();
    store.commit(4351, &[]).unwrap();
    assert_eq!(changes(&store, 255), Err(StoreError::TooOld));
    assert_eq!(changes(&store, 256), Ok((4352, vec![])));
    assert_eq!(changes(&store, 0), Err(StoreError::TooOld));
}

/// Who has the file alone leaves no history behind: who comes after must read everything.
#[test]
fn history_ends_with_who_has_the_file_alone_and_begins_anew() {
    let place = Place::new();
    let store = place.open(Sharing::Shared).unwrap();
    store.commit(0, &[write(1, 1, Some(b"a")), write(2, 1, Some(b"b"))]).unwrap();
    store.commit(1, &[write(1, 2, None)]).unwrap();
    drop(store);
    let alone = place.open(Sharing::Exclusive).unwrap();
    assert_eq!(changes(&alone, 2), Err(StoreError::TooOld));
    alone.commit(2, &[write(2, 2, None), write(3, 1, Some(b"c")), write(4, 1, None)]).unwrap();
    assert_eq!((scan(&alone).1.len(), alone.read(&id(2))), (1, Ok(None)));
    drop(alone);
    let rows = |sql| rusqlite::Connection::open(place.path()).unwrap().query_row(sql, [], |row| row.get::<_, u64>(0));
    assert_eq!(rows("SELECT count(*) FROM records"), Ok(1));
    let store = place.open(Sharing::Shared).unwrap();
    assert_eq!(changes(&store, 2), Err(StoreError::TooOld));
    assert_eq!(changes(&store, 3), Ok((3, vec![])));
    store.commit(3, &[write(3, 2, None)]).unwrap();
    assert_eq!(changes(&store, 3), Ok((4, vec![Record { id: id(3), version: 2, value: None }])));
}

#[test]
fn the_visitor_may_call_the_store_and_end_the_scan() {
    let place = Place::new();
    let store = place.open(Sharing::Exclusive).unwrap();
    store.commit(0, &[write(1, 1, Some(b"a")), write(2, 1, Some(b"b"))]).unwrap();
    let mut calls = 0;
    let outcome = store.scan(&mut |record| {
        calls += 1;
        assert!(store.read(&record.id).unwrap().is_some());
        store.commit(1, &[write(3, 1, Some(b"c"))]).unwrap();
        Err(StoreError::Failed)
    });
    assert_eq!((outcome, calls), (Err(StoreError::Failed), 1));
}

/// A writer that crashed announced what it did not commit; a crash cut the file short: the generation is what the store says.
#[test]
fn a_wrong_announcement_deceives_nobody() {
    let place = Place::new();
    let store = place.open(Sharing::Shared).unwrap();
    let other = place.open(Sharing::Shared).unwrap();
    store.commit(0, &[write(1, 1, Some(b"a"))]).unwrap();
    let announced = place.dir.path().join("store.lock");
    for wrong in [2_u64, 77, u64::MAX] {
        std::fs::write(&announced, wrong.to_le_bytes()).unwrap();
        assert_eq!((store.generation(), other.generation()), (Ok(1), Ok(1)));
    }
    drop((store, other));
    std::fs::write(&announced, b"").unwrap();
    let (store, other) = (place.open(Sharing::Shared).unwrap(), place.open(Sharing::Shared).unwrap());
    assert_eq!((store.generation(), other.generation()), (Ok(1), Ok(1)));
    other.commit(1, &[write(1, 2, Some(b"b"))]).unwrap();
    assert_eq!((store.generation(), other.generation()), (Ok(2), Ok(2)));
}

#[test]
fn the_file_is_its_owners_alone() {
    let place = Place::new();
    drop(place.open(Sharing::Exclusive).unwrap());
    assert_eq!(std::fs::metadata(place.path()).unwrap().mode() & 0o777, 0o600);
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = place.open(Sharing::Exclusive).err().unwrap();
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}

#[test]
fn an_appliance_has_the_file_alone() {
    let place = Place::new();
    let first = place.open(Sharing::Exclusive).unwrap();
    for sharing in [Sharing::Exclusive, Sharing::Shared] {
        assert!(matches!(place.open(sharing), Err(OpenError::Locked(_))));
    }
    drop(first);
    let shared = place.open(Sharing::Shared).unwrap();
    assert!(matches!(place.open(Sharing::Exclusive), Err(OpenError::Locked(_))));
    drop(shared);
    place.open(Sharing::Exclusive).unwrap();
}

#[test]
fn other_files_are_refused_and_left_alone() {
    let place = Place::new();
    std::fs::write(
        place.path(),
        b"#!/bin/sh\necho this is a script, and longer than a header of SQLite is, by some bytes\n\n\n\n",
    )
    .unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let before = std::fs::read(place.path()).unwrap();
    assert!(matches!(place.open(Sharing::Exclusive), Err(OpenError::NotAStore(_))));
    assert_eq!(std::fs::read(place.path()).unwrap(), before);

    std::fs::remove_file(place.path()).unwrap();
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("CREATE TABLE music (title TEXT)").unwrap();
    drop(other);
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(place.open(Sharing::Exclusive), Err(OpenError::NotAStore(_))));
}

/// What format 1 was.
const FORMAT_1: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE records (id BLOB NOT NULL UNIQUE, version INTEGER NOT NULL, generation INTEGER NOT NULL, value BLOB);
    CREATE INDEX records_by_generation ON records (generation);
    CREATE INDEX tombstones ON records (generation) WHERE value IS NULL;
    CREATE TABLE meta (generation INTEGER NOT NULL, pruned INTEGER NOT NULL);
    INSERT INTO meta VALUES (3, 0);
    PRAGMA application_id = 0x436f4c6f;
    PRAGMA user_version = 1;
";

#[test]
fn a_store_of_format_1_is_taken_over() {
    for sharing in [Sharing::Shared, Sharing::Exclusive] {
        let place = Place::new();
        let old = rusqlite::Connection::open(place.path()).unwrap();
        old.execute_batch(FORMAT_1).unwrap();
        for (n, generation, value) in [(5, 1, Some(b"object")), (6, 2, Some(b"record")), (7, 3, None)] {
            let row = rusqlite::params![id(n).to_bytes(), 1, generation, value.map(|v| v.to_vec())];
            old.execute("INSERT INTO records VALUES (?1, ?2, ?3, ?4)", row).unwrap();
        }
        drop(old);
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        drop(place.open(sharing).unwrap());
        let store = place.open(Sharing::Shared).unwrap();
        let record = |n, value: &[u8]| Record { id: id(n), version: 1, value: Some(value.to_vec()) };
        assert_eq!(scan(&store), (3, vec![record(5, b"object")]));
        assert_eq!(
            (store.read(&id(5)), store.read(&id(6))),
            (Ok(Some(record(5, b"object"))), Ok(Some(record(6, b"record"))))
        );
        assert_eq!(changes(&store, 2), Err(StoreError::TooOld));
        store.commit(3, &[write(6, 2, Some(b"next"))]).unwrap();
        assert_eq!(store.read(&id(6)).unwrap().unwrap().value.unwrap(), b"next");
    }
}

#[test]
fn a_newer_format_is_refused() {
    let place = Place::new();
    drop(place.open(Sharing::Exclusive).unwrap());
    rusqlite::Connection::open(place.path()).unwrap().pragma_update(None, "user_version", 3).unwrap();
    assert!(matches!(place.open(Sharing::Exclusive), Err(OpenError::NewerFormat { found: 3, known: 2, .. })));
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let refused = SqliteStore::open(&PathBuf::from("/nonexistent/coloa/store"), Sharing::Exclusive).err().unwrap();
    assert!(refused.to_string().contains("/nonexistent/coloa/store"), "{refused}");
}

#[test]
fn a_damaged_file_is_called_damaged() {
    let place = Place::new();
    let store = place.open(Sharing::Exclusive).unwrap();
    for generation in 0..40 {
        let n = u8::try_from(generation).unwrap();
        store.commit(generation, &[write(n, 1, Some(&[n; 3000]))]).unwrap();
    }
    drop(store);
    let mut bytes = std::fs::read(place.path()).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..64].fill(0x5a);
    }
    std::fs::write(place.path(), bytes).unwrap();
    let refused = place.open(Sharing::Exclusive).err().unwrap();
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused}");
    let checked = SqliteStore::open_with(&place.path(), Options::new(Sharing::Exclusive).check());
    assert!(matches!(checked, Err(OpenError::Corrupt { .. })));
}

#[test]
fn the_same_store_goes_on_after_a_pause_for_a_fork() {
    let place = Place::new();
    let store = place.open(Sharing::Shared).unwrap();
    store.commit(0, &[write(1, 1, Some(b"a"))]).unwrap();
    std::thread::scope(|scope| {
        fork::prepare();
        let waiting = scope.spawn(|| store.commit(1, &[write(1, 2, Some(b"b"))]));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished());
        fork::done();
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(store.generation(), Ok(2));
}

/// Which of the files in this folder this process has open.
fn open_files(folder: &Path) -> Vec<PathBuf> {
    let links =
        std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|file| file.starts_with(folder) && !file.to_string_lossy().ends_with(".lock")).collect()
}

/// Not of a store in use, not of one that another thread opens or closes, nor of one that is still read.
#[test]
fn no_connection_is_open_at_a_fork() {
    let place = Place::new();
    drop(place.open(Sharing::Shared).unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (place, stop) = (&place, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let store = place.open(Sharing::Shared).unwrap();
                    let _ = store.commit(store.generation().unwrap(), &[write(n, 1, Some(b"a"))]);
                    // What is called while the store is read is inside too.
                    store.scan(&mut |record| store.read(&record.id).map(drop)).unwrap();
                }
            });
        }
        let looks = (0..100).map(|_| {
            fork::prepare();
            // Time for who would not wait.
            std::thread::sleep(std::time::Duration::from_millis(1));
            let open = open_files(place.dir.path());
            fork::done();
            std::thread::sleep(std::time::Duration::from_millis(2));
            open
        });
        let open: Vec<_> = looks.flatten().collect();
        stop.store(true, Ordering::Relaxed);
        assert!(open.is_empty(), "{open:?}");
    });
}

#[test]
fn a_checkpoint_empties_the_wal() {
    let place = Place::new();
    let store = place.open(Sharing::Exclusive).unwrap();
    store.commit(0, &[write(1, 1, Some(b"a"))]).unwrap();
    let wal = place.dir.path().join("store-wal");
    assert_ne!(std::fs::metadata(&wal).unwrap().len(), 0);
    assert!(store.checkpoint_if_idle());
    store.checkpoint().unwrap();
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), 0);
    assert_eq!(store.read(&id(1)).unwrap().unwrap().version, 1);
}
