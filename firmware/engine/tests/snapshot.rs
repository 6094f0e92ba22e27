//! A start from a snapshot shows what a start from the whole store shows, and believes nothing that one would refuse.

mod rig;

use coloa_engine::{RecordId, StartError};
use coloa_store_testkit::RamStore;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType, ObjectId, PartitionId, Template};
use rig::*;

/// The kinds of records that are tampered with here.
const AUTH: u8 = 4;
const OBJECT: u8 = 5;

fn labelled(label: &str) -> Template {
    Template::default().with(A::LABEL, label.as_bytes())
}

/// Objects `d0` to `d9` on a token, and a snapshot of the store.
fn store_with_snapshot(store: &RamStore) -> (Snapshots, PartitionId, Vec<ObjectId>) {
    let snapshots = Snapshots::default();
    let engine = start_from(store, &snapshots).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let objects = (0..10u8).map(|n| caller.data_object(&format!("d{n}"), &[n]).unwrap()).collect();
    engine.flush();
    assert!(snapshots.lock().unwrap().is_some());
    (snapshots, partition, objects)
}

fn value(caller: &Caller<'_>, object: ObjectId) -> Result<Vec<u8>, ErrorCode> {
    let read = caller.call(&AttributesRead { object, kinds: vec![A::VALUE] })?;
    match read.values.first().map(|a| a.value.clone()) {
        Some(coloa_wire::Value::Bytes(bytes)) => Ok(bytes),
        _ => panic!("a data object without a value"),
    }
}

fn old_record(store: &RamStore, object: ObjectId) -> (RecordId, coloa_store_testkit::Entry) {
    let mut image = store.image();
    let (id, entry) = image.entries().iter().find(|(id, _)| id.kind == OBJECT && id.id == object.0).unwrap();
    (*id, entry.clone())
}

#[test]
fn everything_is_there_and_works() {
    let store = RamStore::new();
    let (snapshots, partition, objects) = store_with_snapshot(&store);
    let engine = start_from(&store, &snapshots).unwrap();
    let caller = user(&engine, partition);
    let all = caller.find(Template::default());
    assert!(objects.iter().all(|object| all.contains(object)));
    assert_eq!(all.len(), objects.len());
    assert_eq!(caller.find(labelled("d3")), [objects[3]]);
    assert_eq!(caller.find(Template::default().with(A::VALUE, &[4u8][..])), [objects[4]]);
    assert_eq!(caller.find(Template::default().with(A::VALUE, &[4u8][..]).with(A::TOKEN, false)), []);
    assert_eq!(value(&caller, objects[5]), Ok(vec![5]));
    let copy = caller.call(&ObjectCopy { object: objects[6], template: labelled("copy") }).unwrap().object;
    assert_eq!(value(&caller, copy), Ok(vec![6]));
    caller.call(&AttributesWrite { object: objects[7], template: labelled("renamed") }).unwrap();
    caller.call(&ObjectDestroy { object: objects[8] }).unwrap();
    assert_eq!(caller.find(labelled("d7")), []);
    assert_eq!(caller.find(labelled("renamed")), [objects[7]]);
    assert_eq!(value(&caller, objects[8]), Err(ErrorCode::ObjectUnknown));
    drop(engine);
    for again in [start_from(&store, &snapshots).unwrap(), start(&store).unwrap()] {
        let caller = user(&again, partition);
        assert_eq!(caller.find(Template::default()).len(), 10);
        assert_eq!(caller.find(labelled("renamed")), [objects[7]]);
        assert_eq!(caller.find(labelled("d8")), []);
        assert_eq!(value(&caller, copy), Ok(vec![6]));
    }
}

#[test]
fn a_key_signs_and_private_objects_stay_private() {
    let store = RamStore::new();
    let (snapshots, partition, _) = store_with_snapshot(&store);
    let engine = start(&store).unwrap();
    let pair = user(&engine, partition).generate_ec(P256, "pair", true).unwrap();
    drop(engine);
    *snapshots.lock().unwrap() = None;
    start_from(&store, &snapshots).unwrap();
    let engine = start_from(&store, &snapshots).unwrap();
    let mut stranger = Caller::new(&engine, client(1));
    stranger.open(partition).unwrap();
    assert_eq!(stranger.find(labelled("pair")), [pair.public]);
    assert_eq!(stranger.find(Template::default().with(A::PRIVATE, true)), []);
    let caller = user(&engine, partition);
    let made = caller.sign(pair.private, MechanismType::ECDSA, &[7; 32]).unwrap();
    caller.verify(pair.public, MechanismType::ECDSA, &[7; 32], &made).unwrap();
    assert_eq!(caller.find(labelled("pair")).len(), 2);
}

/// Read from the medium, an object must be the one that the set of records names.
#[test]
fn an_object_put_back_or_dropped_is_noticed_when_it_is_asked_for() {
    let store = RamStore::new();
    let (snapshots, partition, objects) = store_with_snapshot(&store);
    let (id, old) = old_record(&store, objects[2]);
    let engine = start(&store).unwrap();
    user(&engine, partition).call(&AttributesWrite { object: objects[2], template: labelled("new") }).unwrap();
    engine.flush();
    *snapshots.lock().unwrap() = None;
    start_from(&store, &snapshots).unwrap();
    let good = store.image();
    for entry in [Some(old), None] {
        store.restore(good.clone());
        store.tamper(|medium| match &entry {
            Some(entry) => drop(medium.entries().insert(id, entry.clone())),
            None => drop(medium.entries().remove(&id)),
        });
        let engine = start_from(&store, &snapshots).unwrap();
        let caller = user(&engine, partition);
        assert_eq!(value(&caller, objects[3]), Ok(vec![3]), "what is as it was is served");
        assert_eq!(value(&caller, objects[2]), Err(ErrorCode::StoreRolledBack));
        assert_eq!(value(&caller, objects[3]), Err(ErrorCode::ErrorState), "and then nothing is");
        assert_eq!(engine.lifecycle(), Lifecycle::Error);
    }
}

/// A PIN's counter put back is not believed, whether the medium says that it is news or not.
#[test]
fn a_wrong_try_is_not_forgotten() {
    let store = RamStore::new();
    let (snapshots, partition, _) = store_with_snapshot(&store);
    let before = store.image();
    let engine = start(&store).unwrap();
    let mut guesser = Caller::new(&engine, client(1));
    guesser.open(partition).unwrap();
    assert_eq!(guesser.log_in(Role::User, b"wrong pin").err(), Some(ErrorCode::PinIncorrect));
    drop(engine);
    *snapshots.lock().unwrap() = None;
    start_from(&store, &snapshots).unwrap();
    let (id, old) =
        before.clone().entries().iter().find(|(id, _)| id.kind == AUTH).map(|(i, e)| (*i, e.clone())).unwrap();
    let good = store.image();
    store.tamper(|medium| drop(medium.entries().insert(id, old.clone())));
    let engine = start_from(&store, &snapshots).unwrap();
    let mut guesser = Caller::new(&engine, client(1));
    guesser.open(partition).unwrap();
    let tries: Vec<_> = (0..3).map(|_| guesser.log_in(Role::User, b"wrong pin").err()).collect();
    let (wrong, locked) = (Some(ErrorCode::PinIncorrect), Some(ErrorCode::PinLocked));
    assert_eq!(tries, [wrong, wrong, locked], "the first try was put back and counts all the same");
    drop(engine);
    store.restore(good.clone());
    store.tamper(|medium| {
        let changed_in = medium.generation() + 1;
        medium.entries().insert(id, coloa_store_testkit::Entry { changed_in, ..old });
    });
    let refused = start_from(&store, &snapshots).err();
    assert_eq!(refused, Some(StartError::Store(ErrorCode::StoreRolledBack)));
}

/// Nothing depends on a snapshot but speed.
#[test]
fn without_a_good_snapshot_everything_is_read() {
    let store = RamStore::new();
    let (snapshots, partition, objects) = store_with_snapshot(&store);
    let good = snapshots.lock().unwrap().clone().unwrap();
    let (others, ..) = store_with_snapshot(&RamStore::new());
    let foreign = others.lock().unwrap().clone().unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bad in [vec![], vec![0; 40], good[..good.len() - 1].to_vec(), flipped, foreign] {
        *snapshots.lock().unwrap() = Some(bad.clone());
        let engine = start_from(&store, &snapshots).unwrap();
        assert_eq!(value(&user(&engine, partition), objects[1]), Ok(vec![1]));
        assert_ne!(*snapshots.lock().unwrap(), Some(bad), "a good one took its place");
    }
    *snapshots.lock().unwrap() = Some(good);
    store.forget_changes();
    let engine = start_from(&store, &snapshots).unwrap();
    assert_eq!(user(&engine, partition).find(Template::default()).len(), 10);
}

/// Objects that one process has not read yet are changed and destroyed by another.
#[test]
fn another_process_changes_what_is_not_read_yet() {
    let store = RamStore::shared();
    let (snapshots, partition, objects) = store_with_snapshot(&store);
    let (one, other) = (start_from(&store, &snapshots).unwrap(), start_from(&store, &snapshots).unwrap());
    let (here, there) = (user(&one, partition), user(&other, partition));
    there.call(&AttributesWrite { object: objects[1], template: labelled("theirs") }).unwrap();
    there.call(&ObjectDestroy { object: objects[2] }).unwrap();
    let made = there.data_object("made", b"there").unwrap();
    assert_eq!(here.find(labelled("theirs")), [objects[1]]);
    assert_eq!(here.find(labelled("d1")), []);
    assert_eq!(value(&here, objects[2]), Err(ErrorCode::ObjectUnknown));
    assert_eq!(value(&here, made), Ok(b"there".to_vec()));
    assert_eq!(here.find(Template::default()).len(), 10);
    here.call(&ObjectDestroy { object: objects[1] }).unwrap();
    assert_eq!(value(&there, objects[1]), Err(ErrorCode::ObjectUnknown));
}

/// Its sessions are over, and nothing looks like damage.
#[test]
fn another_process_destroys_a_partition_that_is_not_read_yet() {
    let store = RamStore::shared();
    let (snapshots, partition, objects) = store_with_snapshot(&store);
    let (one, other) = (start_from(&store, &snapshots).unwrap(), start_from(&store, &snapshots).unwrap());
    let here = user(&one, partition);
    Caller::new(&other, admin()).call(&PartitionDestroy { partition }).unwrap();
    assert_eq!(value(&here, objects[1]), Err(ErrorCode::SessionUnknown));
    assert_eq!(one.lifecycle(), Lifecycle::Operational);
}

#[test]
fn a_partition_is_destroyed_with_what_was_never_read() {
    let store = RamStore::new();
    let (snapshots, partition, _) = store_with_snapshot(&store);
    let engine = start_from(&store, &snapshots).unwrap();
    Caller::new(&engine, admin()).call(&PartitionDestroy { partition }).unwrap();
    drop(engine);
    assert!(store.image().live().iter().all(|record| record.id.kind != OBJECT));
    assert!(start(&store).is_ok());
}

/// Nobody changed the store behind the engine's back: another process of the same owner did, at the worst moment.
#[test]
fn what_another_process_does_between_a_look_and_a_read_is_no_damage() {
    let store = RamStore::shared();
    let (snapshots, partition, objects) = store_with_snapshot(&store);
    let (engine, other) = (start_from(&store, &snapshots).unwrap(), start(&store).unwrap());
    let caller = user(&engine, partition);
    let gone = objects[5];
    store.before_next_read(move || {
        user(&other, partition).call(&ObjectDestroy { object: gone }).unwrap();
    });
    assert_eq!(value(&caller, gone), Err(ErrorCode::ObjectUnknown));
    assert_eq!(value(&caller, objects[6]), Ok(vec![6]));
    assert_eq!(engine.lifecycle(), Lifecycle::Operational);
}
