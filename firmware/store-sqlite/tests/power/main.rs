//! The power is cut at every operation on the disk; the disk fills; a flush fails.

mod disk;
mod vfs;

use coloa_engine::{CommitError, Record, RecordId, Store, StoreError, Write};
use coloa_store_sqlite::{Options, Sharing, SqliteStore};
use coloa_store_testkit::{Medium, Verdict, Witness, Workload, cut_everywhere};
use disk::{Disk, Faults, Loss};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use vfs::{Disks, SharedDisk};

/// A machine with such a disk.
struct Machine {
    disks: Disks,
    vfs: &'static str,
    name: String,
    disk: SharedDisk,
    loss: Loss,
    /// How the store is opened next: alone and shared by turns, so that its history begins and ends under a cut too.
    sharing: Sharing,
}

impl Machine {
    fn new(disks: &Disks, vfs: &'static str, loss: Loss, seed: u64) -> Self {
        let name = format!("machine-{seed}");
        let disk = Arc::new(Mutex::new(Disk::new(&format!("{name}/store"), seed)));
        disks.insert(&name, disk.clone());
        Machine { disks: disks.clone(), vfs, name, disk, loss, sharing: Sharing::Exclusive }
    }

    fn first(mut self, sharing: Sharing) -> Self {
        self.sharing = sharing;
        self
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.disks.remove(&self.name);
    }
}

impl Medium for Machine {
    type Store = Busy;

    fn open(&mut self) -> Result<Busy, String> {
        let path = format!("{}/store", self.name);
        let opened = SqliteStore::open_with(Path::new(&path), Options::new(self.sharing).vfs(self.vfs));
        self.sharing = if self.sharing == Sharing::Shared { Sharing::Exclusive } else { Sharing::Shared };
        opened.map(|store| Busy { store, commits: AtomicU64::new(0) }).map_err(|error| error.to_string())
    }

    fn cut_at(&mut self, nth: u64) {
        self.disk().faults.cut_at = Some(nth);
    }

    fn is_cut(&self) -> bool {
        self.disk().off
    }

    fn power_on(&mut self) {
        let loss = self.loss;
        self.disk().power_on(loss);
    }
}

/// The store in a body that also moves the WAL now and then.
struct Busy {
    store: SqliteStore,
    commits: AtomicU64,
}

impl Store for Busy {
    fn generation(&self) -> Result<u64, StoreError> {
        self.store.generation()
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn scan(&self, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError> {
        self.store.scan(visit)
    }

    fn changes(&self, since: u64, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError> {
        self.store.changes(since, visit)
    }

    fn read(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.store.read(id)
    }

    fn commit(&self, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        let outcome = self.store.commit(expected, batch);
        match self.commits.fetch_add(1, Ordering::Relaxed) % 13 {
            4 | 9 => drop(self.store.checkpoint_if_idle()),
            12 => drop(self.store.checkpoint()),
            _ => {}
        }
        outcome
    }
}

const COMMITS: u64 = 28;

fn workload(seed: u64) -> Workload {
    Workload::new(seed, 10, 1500, 3)
}

fn cut_at_every_operation(vfs: &'static str, loss: Loss, seed: u64) {
    let disks = Disks::register(vfs);
    for sharing in [Sharing::Exclusive, Sharing::Shared] {
        let machine = |cut| Machine::new(&disks, vfs, loss, cut).first(sharing);
        let cuts = cut_everywhere(machine, &workload(seed), COMMITS, 1);
        assert!(cuts.unwrap() > 150);
    }
}

#[test]
fn before_or_after_when_nothing_unflushed_survives() {
    cut_at_every_operation("loses-all", Loss::All, 1);
}

#[test]
fn before_or_after_when_everything_unflushed_survives() {
    cut_at_every_operation("loses-none", Loss::None, 2);
}

#[test]
fn before_or_after_when_some_writes_survive() {
    cut_at_every_operation("loses-some", Loss::Some, 3);
}

#[test]
fn before_or_after_when_sectors_are_torn() {
    cut_at_every_operation("tears", Loss::Torn, 4);
}

/// The test can fail: a flush that does nothing loses what was acknowledged, and the witness says so.
#[test]
fn a_flush_that_does_nothing_is_noticed() {
    let disks = Disks::register("no-op");
    let make = |cut| {
        let machine = Machine::new(&disks, "no-op", Loss::All, cut);
        machine.disk().faults.sync_is_a_no_op = true;
        machine
    };
    let verdict = cut_everywhere(make, &workload(5), COMMITS, 1);
    assert!(matches!(verdict, Err((_, Verdict::Neither { .. }))), "{verdict:?}");
}

/// After a flush failed the outcome is unknown; what is read then is what there is, also after a cut.
#[test]
fn a_failed_flush_is_unknown_and_what_is_read_afterwards_holds() {
    let disks = Disks::register("bad-flush");
    for (seed, loss) in (0..12).flat_map(|n| [Loss::All, Loss::None, Loss::Some, Loss::Torn].map(|loss| (n, loss))) {
        let mut machine = Machine::new(&disks, "bad-flush", loss, seed);
        let store = machine.open().unwrap().store;
        let mut witness = Witness::new(workload(seed));
        witness.run(&store, 3).unwrap();
        machine.disk().faults.fail_sync = Some(seed % 3);
        assert_eq!(witness.run(&store, 10), Err(CommitError::Unknown));
        witness.judge(&store).unwrap();
        machine.disk().off = true;
        drop(store);
        machine.power_on();
        let store = machine.open().unwrap();
        witness.judge(&store).unwrap();
        witness.run(&store, 3).unwrap();
        witness.judge(&store).unwrap();
    }
}

#[test]
fn a_full_disk_changes_nothing_and_room_again_works() {
    let disks = Disks::register("full");
    let mut machine = Machine::new(&disks, "full", Loss::All, 0);
    let store = machine.open().unwrap();
    let mut witness = Witness::new(workload(0));
    witness.run(&store, 5).unwrap();
    machine.disk().faults.room = 300_000;
    let id = RecordId { partition: [9; 16], kind: 9, id: [9; 16] };
    let large = vec![7; 400_000];
    let generation = witness.acknowledged().generation();
    let outcome = store.commit(generation, &[Write { id, version: 1, value: Some(&large) }]);
    assert_eq!(outcome, Err(CommitError::Full));
    assert_eq!(store.read(&id), Ok(None));
    witness.judge(&store).unwrap();
    machine.disk().faults = Faults::default();
    witness.run(&store, 5).unwrap();
    machine.disk().off = true;
    drop(store);
    machine.power_on();
    witness.judge(&machine.open().unwrap()).unwrap();
}
