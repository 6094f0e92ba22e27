//! What the engine makes of a medium that is read, torn, filled up, rolled back or shared (boundary B5, R36).

mod rig;

use coloa_engine::StartError;
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, RetryId, Template};
use rig::*;

fn labelled(label: &str) -> Template {
    Template::default().with(A::LABEL, label.as_bytes())
}

/// Every record of the medium, one after the other, is put back to what it was before a change.
#[test]
fn one_old_record_put_back_is_noticed() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let object = caller.data_object("a", b"old").unwrap();
    let before = store.image().entries().clone();
    caller.call(&AttributesWrite { object, template: labelled("b") }).unwrap();
    let wrong = caller.log_in(Role::User, b"wrong").err();
    assert_eq!(wrong, Some(ErrorCode::AlreadyLoggedIn));
    let other = user(&engine, partition);
    other.call(&Logout {}).unwrap();
    assert_eq!(other.log_in(Role::User, b"wrong pin").err(), Some(ErrorCode::PinIncorrect));
    caller.data_object("c", b"new").unwrap();
    engine.flush();
    let now = store.image();
    let changed: Vec<_> = before.iter().filter(|(id, old)| now.clone().entries().get(id) != Some(old)).collect();
    assert!(changed.len() >= 3, "the object, the PIN counter and the root have changed");
    for (id, old) in changed {
        store.restore(now.clone());
        assert!(start(&store).is_ok());
        store.tamper(|medium| {
            medium.entries().insert(*id, old.clone());
        });
        let refused = start(&store).err();
        let noticed = matches!(refused, Some(StartError::Store(ErrorCode::StoreRolledBack | ErrorCode::StoreCorrupt)));
        assert!(noticed, "record of kind {} put back: {refused:?}", id.kind);
    }
}

#[test]
fn a_record_dropped_added_or_flipped_is_noticed() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    caller.data_object("a", b"value").unwrap();
    drop(engine);
    let image = store.image();
    let live: Vec<_> = image.live();
    for record in &live {
        let is_audit = record.id.kind == 6;
        store.restore(image.clone());
        store.tamper(|medium| {
            let value = medium.entries().get_mut(&record.id).and_then(|e| e.value.as_mut()).unwrap();
            let last = value.len() - 1;
            value[last] ^= 1;
        });
        assert!(start(&store).is_err() || is_audit, "kind {} flipped", record.id.kind);
        store.restore(image.clone());
        store.tamper(|medium| {
            medium.entries().remove(&record.id);
        });
        assert!(start(&store).is_err() || is_audit, "kind {} dropped", record.id.kind);
    }
    store.restore(image);
    store.tamper(|medium| {
        let record = live.iter().find(|r| r.id.kind == 5).unwrap();
        let entry = medium.entries().get(&record.id).unwrap().clone();
        let id = coloa_engine::RecordId { id: [9; 16], ..record.id };
        medium.entries().insert(id, entry);
    });
    assert_eq!(start(&store).err(), Some(StartError::Store(ErrorCode::StoreRolledBack)));
}

/// R17: truncation is noticed.
#[test]
fn the_end_of_the_audit_log_cannot_be_cut_off() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    token(&engine, PartitionMode::Strict);
    drop(engine);
    store.tamper(|medium| {
        let last = medium.live().into_iter().filter(|r| r.id.kind == 6).max_by_key(|r| r.id).unwrap();
        medium.entries().remove(&last.id);
    });
    assert_eq!(start(&store).err(), Some(StartError::Store(ErrorCode::StoreRolledBack)));
}

#[test]
fn another_root_key_opens_nothing() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    token(&engine, PartitionMode::Strict);
    drop(engine);
    let refused = start_with_root_key(&store, [8; 32]).err();
    assert!(matches!(refused, Some(StartError::Store(_))));
}

/// Cuts the power before and after every commit of a workload; the witness outside holds what was acknowledged.
#[test]
fn nothing_acknowledged_is_lost_to_a_power_cut() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        for nth in 0..10 {
            let store = RamStore::new();
            let engine = start(&store).unwrap();
            let partition = token(&engine, PartitionMode::Strict);
            let caller = user(&engine, partition);
            store.fail_commit(nth, fault);
            let mut witness = Vec::new();
            for i in 0..10u8 {
                match caller.data_object(&format!("d{i}"), &[i]) {
                    Ok(object) => witness.push(object),
                    Err(_) => break,
                }
            }
            store.power_on();
            let restarted = start(&store).expect("the store opens after a cut");
            let found = user(&restarted, partition).find(Template::default());
            assert!(witness.iter().all(|object| found.contains(object)), "{fault:?} at {nth}");
            assert!(found.len() <= witness.len() + 1, "{fault:?} at {nth}");
        }
    }
}

#[test]
fn an_unknown_outcome_is_settled_by_asking_again() {
    for fault in [Fault::UnknownApplied, Fault::UnknownLost] {
        let store = RamStore::new();
        let engine = start(&store).unwrap();
        let mut caller = user(&engine, token(&engine, PartitionMode::Strict));
        caller.retry = Some(RetryId([1; 16]));
        store.fail_commit(0, fault);
        assert_eq!(caller.data_object("once", b"x").err(), Some(ErrorCode::OutcomeUnknown));
        let object = caller.data_object("once", b"x").unwrap();
        assert_eq!(caller.find(labelled("once")), [object], "{fault:?}");
        assert_eq!(caller.data_object("other", b"x").err(), Some(ErrorCode::RetryIdReused));
    }
}

#[test]
fn a_retry_is_answered_once_even_after_a_restart() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let mut caller = user(&engine, partition);
    caller.retry = Some(RetryId([2; 16]));
    let first = caller.data_object("d", b"x").unwrap();
    let restarted = start(&store).unwrap();
    let mut again = user(&restarted, partition);
    again.retry = Some(RetryId([2; 16]));
    assert_eq!(again.data_object("d", b"x").unwrap(), first);
    assert_eq!(again.find(labelled("d")), [first]);
    // Only the last few answers are kept.
    for i in 10..20 {
        again.retry = Some(RetryId([i; 16]));
        again.data_object("e", b"x").unwrap();
    }
    again.retry = Some(RetryId([2; 16]));
    assert_ne!(again.data_object("d", b"x").unwrap(), first);
}

#[test]
fn a_full_store_says_so_and_goes_on_reading() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let object = caller.data_object("a", b"x").unwrap();
    store.fail_commit(0, Fault::Full);
    assert_eq!(caller.data_object("b", b"x").err(), Some(ErrorCode::StoreFull));
    store.fail_commit(0, Fault::Failed);
    assert_eq!(caller.call(&ObjectDestroy { object }).err(), Some(ErrorCode::StoreFailed));
    assert_eq!(caller.find(Template::default()), [object]);
    caller.data_object("b", b"x").unwrap();
    assert!(start(&store).is_ok());
}

#[test]
fn two_engines_share_a_medium() {
    let store = RamStore::shared();
    let one = start(&store).unwrap();
    let partition = token(&one, PartitionMode::Strict);
    let two = start(&store).unwrap();
    let (a, b) = (user(&one, partition), user(&two, partition));
    let made = a.data_object("a", b"x").unwrap();
    assert_eq!(b.find(labelled("a")), [made]);
    b.call(&AttributesWrite { object: made, template: labelled("b") }).unwrap();
    store.forget_changes();
    b.data_object("c", b"x").unwrap();
    assert_eq!(a.find(labelled("b")), [made]);
    a.call(&ObjectDestroy { object: made }).unwrap();
    assert_eq!(b.call(&ObjectDestroy { object: made }).err(), Some(ErrorCode::ObjectUnknown));
    assert_eq!(b.find(Template::default()).len(), 1);
}

#[test]
fn many_threads_commit_at_once_and_share_flushes() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    std::thread::scope(|scope| {
        for t in 0..8u8 {
            let engine = &engine;
            scope.spawn(move || {
                let caller = user(engine, partition);
                (0..25u8).for_each(|i| {
                    caller.data_object(&format!("{t}-{i}"), &[t, i]).unwrap();
                });
            });
        }
    });
    let again = start(&store).unwrap();
    let caller = user(&again, partition);
    let template = |t: u8, i: u8| labelled(&format!("{t}-{i}"));
    assert!((0..8).all(|t| (0..25).all(|i| caller.find(template(t, i)).len() == 1)));
}

#[test]
fn a_body_secret_is_kept_sealed() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let secret = b"a key of the body's own, long enough to be found";
    assert_eq!(engine.body_secret([1; 16]).unwrap(), None);
    engine.set_body_secret([1; 16], b"first").unwrap();
    engine.set_body_secret([1; 16], secret).unwrap();
    let restarted = start(&store).unwrap();
    assert_eq!(restarted.body_secret([1; 16]).unwrap().unwrap().as_slice(), secret);
    let plain = |bytes: &[u8]| bytes.windows(secret.len()).any(|w| w == secret);
    assert!(store.image().live().iter().all(|r| !plain(r.value.as_deref().unwrap())));
}
