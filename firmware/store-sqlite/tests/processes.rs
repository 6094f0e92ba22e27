//! Several processes share one store, as applications with the embedded body do.

use coloa_engine::{CommitError, RecordId, Store, Write};
use coloa_store_sqlite::{OpenError, Sharing, SqliteStore};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

const PROCESSES: u8 = 4;
const COMMITS: u64 = 40;
const COUNTER: RecordId = RecordId { partition: [0; 16], kind: 1, id: [0; 16] };
/// Where a child finds the store, and which child it is.
const STORE: &str = "COLOA_TEST_STORE";
const CHILD: &str = "COLOA_TEST_CHILD";

fn read_counter(store: &SqliteStore) -> (u64, u64) {
    let record = store.read(&COUNTER).unwrap();
    record.map_or((0, 0), |record| (record.version, u64::from_le_bytes(record.value.unwrap().try_into().unwrap())))
}

/// Adds one, and writes a record of its own, against the generation it read.
fn add_one(store: &SqliteStore, own: RecordId, version: u64) -> Result<(), CommitError> {
    let generation = store.generation().unwrap();
    let (counted, count) = read_counter(store);
    let next = (count + 1).to_le_bytes();
    let own = Write { id: own, version, value: Some(&[7; 300]) };
    store.commit(generation, &[Write { id: COUNTER, version: counted + 1, value: Some(&next) }, own])
}

/// The body of a child process; does nothing when run as a test.
#[test]
fn child() {
    let (Some(path), Ok(child)) = (std::env::var_os(STORE), std::env::var(CHILD)) else { return };
    let own = RecordId { partition: [1; 16], kind: 2, id: [child.parse().unwrap(); 16] };
    let store = SqliteStore::open(Path::new(&path), Sharing::Shared).unwrap();
    for version in 1..=COMMITS {
        loop {
            match add_one(&store, own, version) {
                Ok(()) => break,
                Err(CommitError::Conflict) => {}
                Err(error) => panic!("commit: {error:?}"),
            }
        }
    }
}

fn spawn(path: &Path, child: u8) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--quiet"]).env(STORE, path).env(CHILD, child.to_string());
    command.spawn().unwrap()
}

fn store_path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("store")
}

/// No commit of any process is lost: the count is right. The file does not exist when they start.
#[test]
fn processes_count_together() {
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<Child> = (0..PROCESSES).map(|child| spawn(&store_path(&dir), child)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = SqliteStore::open(&store_path(&dir), Sharing::Exclusive).unwrap();
    let total = u64::from(PROCESSES) * COMMITS;
    assert_eq!((store.generation(), read_counter(&store)), (Ok(total), (total, total)));
    let mut own = 0;
    store
        .scan(&mut |record| {
            own += u64::from(record.id.kind == 2 && record.version == COMMITS);
            Ok(())
        })
        .unwrap();
    assert_eq!(own, u64::from(PROCESSES));
}

/// A killed process leaves a store that others go on with, and no acknowledged commit is lost.
#[test]
fn a_killed_process_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&store_path(&dir), Sharing::Shared).unwrap();
    for child in 0..6 {
        let mut process = spawn(&store_path(&dir), child);
        let before = store.generation().unwrap();
        while store.generation().unwrap() < before + 5 {
            std::thread::yield_now();
        }
        process.kill().unwrap();
        process.wait().unwrap();
        let (version, count) = read_counter(&store);
        assert_eq!((store.generation(), version), (Ok(count), count));
        add_one(&store, RecordId { partition: [1; 16], kind: 3, id: [child; 16] }, 1).unwrap();
    }
    assert!(matches!(SqliteStore::open(&store_path(&dir), Sharing::Exclusive), Err(OpenError::Locked(_))));
}

/// A file system that really has no room (a small tmpfs in this test's own mount).
#[test]
fn a_full_file_system_changes_nothing_and_reading_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let _mount = Tmpfs::mount(dir.path());
    let store = SqliteStore::open(&store_path(&dir), Sharing::Exclusive).unwrap();
    let id = |n: u64| RecordId { partition: [0; 16], kind: 1, id: u128::from(n).to_be_bytes() };
    let put = |n| store.commit(n, &[Write { id: id(n), version: 1, value: Some(&[1; 4000]) }]);
    let (stored, refused) = (0..).map(|n| (n, put(n))).find(|(_, outcome)| outcome.is_err()).unwrap();
    assert_eq!(refused, Err(CommitError::Full));
    assert_eq!(store.generation(), Ok(stored));
    assert_eq!(store.read(&id(stored)), Ok(None));
    assert!(store.read(&id(stored - 1)).unwrap().is_some());
    Tmpfs::resize(dir.path(), "size=8m");
    put(stored).unwrap();
    assert_eq!(store.generation(), Ok(stored + 1));
}

struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path) -> Self {
        run("mount", &["-t", "tmpfs", "-o", "size=512k", "tmpfs"], at);
        Tmpfs(at.to_path_buf())
    }

    fn resize(at: &Path, size: &str) {
        run("mount", &["-o", &format!("remount,{size}")], at);
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], at: &Path) {
    let status = Command::new(program).args(arguments).arg(at).status();
    assert!(status.is_ok_and(|status| status.success()), "{program} {arguments:?}: this test needs root");
}
