//! What the store does when nothing is wrong with the flash, and what it says when something is.

use crate::flash::{BYTES, Driver, REGION, RamFlash, TestStore};
use coloa_engine::{CommitError, Record, RecordId, Store, StoreError, Write};
use coloa_store_nor::{MountError, NorStore};
use coloa_store_testkit::{Witness, Workload};

type Flash = RamFlash<4>;

fn id(n: u8) -> RecordId {
    RecordId { partition: [n; 16], kind: n, id: [n; 16] }
}

fn put(store: &TestStore<4>, n: u8, value: &[u8]) -> Result<(), CommitError> {
    store.commit(store.generation().unwrap(), &[Write { id: id(n), version: 1, value: Some(value) }])
}

fn delete(store: &TestStore<4>, n: u8) -> Result<(), CommitError> {
    store.commit(store.generation().unwrap(), &[Write { id: id(n), version: 2, value: None }])
}

fn blank() -> Flash {
    Flash::new(Driver::Honest, 0)
}

fn open(flash: &Flash) -> Result<TestStore<4>, MountError> {
    NorStore::open(flash.clone(), REGION)
}

#[test]
fn what_was_committed_is_there_after_mounting_anew() {
    let flash = blank();
    let store = open(&flash).unwrap();
    assert_eq!(store.generation(), Ok(0));
    put(&store, 1, b"one").unwrap();
    put(&store, 2, b"").unwrap();
    delete(&store, 1).unwrap();
    assert_eq!(store.commit(2, &[]), Err(CommitError::Conflict));
    let store = open(&flash).unwrap();
    assert_eq!(store.generation(), Ok(3));
    assert_eq!(store.read(&id(1)), Ok(None));
    assert_eq!(store.read(&id(2)), Ok(Some(Record { id: id(2), version: 1, value: Some(vec![]) })));
    assert_eq!(store.changes(3, &mut |_| Err(StoreError::Failed)), Ok(3));
    assert_eq!(store.changes(2, &mut |_| Err(StoreError::Failed)), Err(StoreError::TooOld));
}

#[test]
fn a_full_store_refuses_growth_and_takes_replacement_and_deletion() {
    let flash = blank();
    let store = open(&flash).unwrap();
    let mut stored = 0;
    let refused = loop {
        match put(&store, stored, &[stored; 100]) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, CommitError::Full);
    assert!(stored > 5);
    let generation = store.generation().unwrap();
    assert_eq!(put(&store, 200, &[1; 100]), Err(CommitError::Full));
    assert_eq!((store.generation(), store.read(&id(200))), (Ok(generation), Ok(None)));
    for n in 0..stored {
        put(&store, n, &[0xee; 100]).unwrap();
    }
    delete(&store, 0).unwrap();
    put(&store, 200, &[1; 100]).unwrap();
    let store = open(&flash).unwrap();
    assert_eq!(store.read(&id(200)).unwrap().unwrap().value, Some(vec![1; 100]));
    assert_eq!(store.read(&id(1)).unwrap().unwrap().value, Some(vec![0xee; 100]));
}

#[test]
fn every_sector_wears_as_much_as_any_other() {
    let flash = blank();
    let store = open(&flash).unwrap();
    let mut witness = Witness::new(Workload::new(1, 8, 100, 3));
    witness.run(&store, 1000).unwrap();
    let erases = flash.erases();
    let used = &erases[1..erases.len() - 1];
    let (least, most) = (used.iter().min().unwrap(), used.iter().max().unwrap());
    assert!(*least > 20 && most - least <= 2, "{erases:?}");
    witness.judge(&open(&flash).unwrap()).unwrap();
}

#[test]
fn what_is_outside_the_region_stays() {
    let flash = blank();
    flash.damage(|cells| cells.iter_mut().for_each(|cell| *cell = 0x42));
    assert_eq!(open(&flash).err(), Some(MountError::Damaged));
    let store: TestStore<4> = NorStore::format(flash.clone(), REGION).unwrap();
    Witness::new(Workload::new(1, 8, 100, 3)).run(&store, 100).unwrap();
    let image = flash.image();
    let (start, end) = (REGION.start as usize, REGION.end as usize);
    assert!(image[..start].iter().chain(&image[end..]).all(|cell| *cell == 0x42));
}

#[test]
fn a_deleted_record_is_gone_from_flash_after_compaction() {
    let flash = blank();
    let store = open(&flash).unwrap();
    put(&store, 1, &[0x5c; 64]).unwrap();
    delete(&store, 1).unwrap();
    for n in 0..40 {
        put(&store, 2, &[n; 100]).unwrap();
    }
    assert!(!flash.image().windows(64).any(|window| window == [0x5c; 64]));
}

#[test]
fn the_scan_runs_under_no_lock_and_notices_a_commit() {
    let store = open(&blank()).unwrap();
    put(&store, 1, b"a").unwrap();
    put(&store, 2, b"b").unwrap();
    let outcome = store.scan(&mut |record| {
        assert!(store.read(&record.id).unwrap().is_some());
        put(&store, 3, b"c").map_err(|_| StoreError::Failed)
    });
    assert_eq!(outcome, Err(StoreError::Failed));
}

/// Whatever bit of the log flips: the store says so, or it was the last commit that was hit as a cut would have hit it, or
/// the value comes back changed for the engine's seal to notice; no acknowledged record is quietly missing.
#[test]
fn damage_is_not_taken_for_a_cut() {
    let flash = blank();
    let store = open(&flash).unwrap();
    for n in 0..4 {
        put(&store, n, &[n; 40]).unwrap();
    }
    let whole = flash.image();
    let log = REGION.start as usize..REGION.start as usize + 32 + 4 * 120;
    for at in log {
        for bit in 0..8 {
            flash.damage(|cells| {
                cells.copy_from_slice(&whole);
                cells[at] ^= 1 << bit;
            });
            match open(&flash) {
                Err(error) => assert_eq!(error, MountError::Damaged),
                Ok(store) => assert!(store.generation().unwrap() >= 3, "byte {at:#x}"),
            }
        }
    }
}

#[test]
fn a_region_that_does_not_fit_is_refused() {
    let end = u32::try_from(BYTES).unwrap();
    for region in [0..512, 0..1536, 100..4196, 0..end + 1024, 0..0] {
        let refused: Result<TestStore<4>, _> = NorStore::open(blank(), region);
        assert_eq!(refused.err(), Some(MountError::Region));
    }
    assert_eq!(NorStore::<Flash, parking_lot::RawMutex>::mount(blank(), REGION).err(), Some(MountError::Blank));
}
