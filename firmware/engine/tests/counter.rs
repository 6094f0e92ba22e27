//! A body whose counter holds the store's generation notices a whole old store (R36), and loses nothing to a cut of power.

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::{Counter, Engine, Limits, Platform, StartError, StoreError, Timestamp};
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::Body;
use coloa_wire::{Command, ErrorCode, Frame};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// A counter whose power may go: after so many rises from now it fails.
#[derive(Clone, Default)]
struct Chip {
    number: Arc<AtomicU64>,
    /// Rises that still work; 0 is all of them.
    left: Arc<AtomicU64>,
}

impl Counter for Chip {
    fn read(&self) -> Result<u64, StoreError> {
        Ok(self.number.load(Ordering::SeqCst))
    }

    fn raise(&self, to: u64) -> Result<(), StoreError> {
        match self.left.load(Ordering::SeqCst) {
            1 => return Err(StoreError::Failed),
            0 => {}
            left => self.left.store(left - 1, Ordering::SeqCst),
        }
        self.number.fetch_max(to, Ordering::SeqCst);
        Ok(())
    }
}

struct Counted {
    store: RamStore,
    chip: Chip,
    root_key: Zeroizing<[u8; 32]>,
    clock: AtomicU64,
}

impl Platform for Counted {
    type Crypto = Native;
    type Store = RamStore;
    type Lock = parking_lot::RawRwLock;
    fn crypto(&self) -> &Native {
        &Native
    }
    fn store(&self) -> &RamStore {
        &self.store
    }
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1, Ordering::Relaxed))
    }
    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }
    fn body(&self) -> Body {
        Body::EmulatedBoard
    }
    fn limits(&self) -> Limits {
        Limits { audit_records: 8, ..Limits::BOARD }
    }
    fn counter(&self) -> Option<&dyn Counter> {
        Some(&self.chip)
    }
}

fn start(store: &RamStore, chip: &Chip) -> Result<Engine<Counted>, StartError> {
    let clock = AtomicU64::new(1_700_000_000_000);
    Engine::start(Counted { store: store.clone(), chip: chip.clone(), root_key: Zeroizing::new([7; 32]), clock })
}

fn ask<C: Command>(engine: &Engine<Counted>, request: &C) -> Result<C::Reply, ErrorCode> {
    let (mut head, mut bytes, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    encode_head(request, &mut head);
    Frame { head: &head, ..Frame::status(FrameKind::Call, C::CODE as u16, 9) }.encode(&mut bytes);
    engine.handle(&rig::admin(), &bytes, &mut reply);
    let reply = Frame::parse(&reply).expect("a whole frame");
    match ErrorCode::from_number(reply.code) {
        Some(error) => Err(error),
        None => Ok(decode_head(reply.head).expect("a head")),
    }
}

fn create(engine: &Engine<Counted>, label: &str) -> Result<(), ErrorCode> {
    ask(engine, &PartitionCreate { label: label.into(), mode: PartitionMode::Strict, approved_only: None }).map(|_| ())
}

fn partitions(engine: &Engine<Counted>) -> usize {
    ask(engine, &TokenList {}).unwrap().tokens.len()
}

fn device() -> (RamStore, Chip, Engine<Counted>) {
    let (store, chip) = (RamStore::new(), Chip::default());
    let engine = start(&store, &chip).unwrap();
    ask(&engine, &DeviceInitialize { label: "board".into() }).unwrap();
    (store, chip, engine)
}

#[test]
fn a_whole_old_store_is_refused_where_a_counter_knows() {
    let (store, chip, engine) = device();
    assert!(ask(&engine, &DeviceInfo {}).unwrap().rollback_detected);
    create(&engine, "one").unwrap();
    let old = store.image();
    create(&engine, "two").unwrap();
    drop(engine);
    let new = store.image();
    // One commit back is enough, and so is the empty store it began as.
    for image in [old, RamStore::new().image()] {
        store.restore(image);
        assert_eq!(start(&store, &chip).err(), Some(StartError::Store(ErrorCode::StoreRolledBack)));
    }
    store.restore(new);
    assert_eq!(partitions(&start(&store, &chip).unwrap()), 2);
}

/// Another body's store, or this one with another counter.
#[test]
fn a_store_that_is_ahead_of_its_counter_is_refused() {
    let (store, chip, engine) = device();
    create(&engine, "one").unwrap();
    drop(engine);
    chip.number.fetch_sub(2, Ordering::SeqCst);
    assert_eq!(start(&store, &chip).err(), Some(StartError::Store(ErrorCode::StoreRolledBack)));
}

/// The power goes between the store's write and the counter's: nothing was acknowledged, nothing is lost, and what was written
/// cannot be taken back afterwards.
#[test]
fn power_lost_before_the_counter_rises_loses_nothing() {
    let (store, chip, engine) = device();
    let before = store.image();
    chip.left.store(1, Ordering::SeqCst);
    create(&engine, "one").unwrap_err();
    drop(engine);
    chip.left.store(0, Ordering::SeqCst);
    assert_eq!(partitions(&start(&store, &chip).unwrap()), 1, "it was written, and it counts");
    store.restore(before);
    assert_eq!(start(&store, &chip).err(), Some(StartError::Store(ErrorCode::StoreRolledBack)));
}

/// The power goes before or after the store's write: the next start goes on.
#[test]
fn power_lost_around_the_stores_write_leaves_a_store_that_opens() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        let (store, chip, engine) = device();
        store.fail_commit(0, fault);
        create(&engine, "one").unwrap_err();
        drop(engine);
        store.power_on();
        let engine = start(&store, &chip).unwrap();
        assert_eq!(partitions(&engine), usize::from(fault == Fault::CutAfter));
        create(&engine, "two").unwrap();
    }
}
