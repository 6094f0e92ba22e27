//! What happens between the moment a command looks and the moment it acts: other threads, other processes.

mod rig;

use coloa_engine::Platform;
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, RetryId, Template};
use rig::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

/// The object would be left in the store without the key that opens it, and the next start would refuse the store.
#[test]
fn an_object_made_while_its_partition_is_destroyed_goes_with_it() {
    let store = RamStore::new();
    let engine = Arc::new(start(&store).unwrap());
    let partition = token(&engine, PartitionMode::Strict);
    let session = user(&engine, partition).session;
    let mut operator = Caller::new(&engine, admin());
    operator.retry = Some(RetryId([1; 16]));
    let other = engine.clone();
    engine.platform().crypto().at_random(0, move || {
        Caller { session, ..Caller::new(&other, client(1)) }.data_object("late", b"x").unwrap();
    });
    operator.call(&PartitionDestroy { partition }).unwrap();
    assert!(start(&store).is_ok(), "the store opens again");
    assert!(store.image().live().iter().all(|r| r.id.partition != partition.0));
}

/// A reload after an unknown outcome is not seen half done.
#[test]
fn readers_never_see_an_empty_engine() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let objects: Vec<_> = (0..200u8).map(|i| caller.data_object(&format!("{i}"), &[i]).unwrap()).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let request = AttributesRead { object: objects[7], kinds: vec![A::LABEL] };
                caller.call(&request).expect("the object is there all the time");
            }
        });
        for _ in 0..30 {
            store.fail_commit(0, Fault::UnknownLost);
            let other = Caller { session: caller.session, ..Caller::new(&engine, client(1)) };
            assert_eq!(other.data_object("lost", b"x").err(), Some(ErrorCode::OutcomeUnknown));
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn a_login_does_not_outlive_its_token() {
    let store = RamStore::shared();
    let one = start(&store).unwrap();
    let partition = token(&one, PartitionMode::Strict);
    let two = start(&store).unwrap();
    let caller = user(&one, partition);
    let request = TokenInitialize { partition, so_pin: SO_PIN.into(), label: "new".into() };
    Caller::new(&two, client(1)).call(&request).unwrap();
    assert_eq!(caller.data_object("planted", b"x").err(), Some(ErrorCode::SessionUnknown));
}

#[test]
fn one_session_has_one_role() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    for _ in 0..20 {
        let mut caller = Caller::new(&engine, client(1));
        caller.open(partition).unwrap();
        let barrier = Barrier::new(2);
        let log_in = |role, pin: &'static [u8]| {
            barrier.wait();
            caller.log_in(role, pin).is_ok()
        };
        let both = std::thread::scope(|scope| {
            let officer = scope.spawn(|| log_in(Role::SecurityOfficer, SO_PIN));
            let user = scope.spawn(|| log_in(Role::User, USER_PIN));
            officer.join().unwrap() && user.join().unwrap()
        });
        assert!(!both);
    }
}

/// The officer sets a new PIN while the old one is looked at: the old one is not let in any more.
#[test]
fn a_pin_that_was_reset_does_not_log_in() {
    let engine = Arc::new(start(&RamStore::new()).unwrap());
    let partition = token(&engine, PartitionMode::Strict);
    let mut officer = Caller::new(&engine, client(1));
    officer.open(partition).unwrap();
    officer.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
    let mut caller = Caller::new(&engine, client(1));
    caller.open(partition).unwrap();
    let (other, session) = (engine.clone(), officer.session);
    // The seal of the counted try, that of the root, then that of the counter set back.
    engine.platform().crypto().at_random(2, move || {
        let officer = Caller { session, ..Caller::new(&other, client(1)) };
        officer.call(&UserPinInitialize { pin: b"new pin".as_slice().into() }).unwrap();
    });
    assert_eq!(caller.log_in(Role::User, USER_PIN).err(), Some(ErrorCode::PinIncorrect));
    caller.log_in(Role::User, b"new pin").unwrap();
}

#[test]
fn a_private_session_object_is_not_made_after_the_logout() {
    let engine = Arc::new(start(&RamStore::new()).unwrap());
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let (other, session) = (engine.clone(), caller.session);
    engine.platform().crypto().at_random(0, move || {
        Caller { session, ..Caller::new(&other, client(1)) }.call(&Logout {}).unwrap();
    });
    let template = hmac_template(b"0123456789abcdef");
    assert_eq!(caller.call(&ObjectCreate { template }).err(), Some(ErrorCode::NotLoggedIn));
    caller.log_in(Role::User, USER_PIN).unwrap();
    assert!(caller.find(Template::default()).is_empty());
}

/// The table of answers is full: each request drops another old answer, not all the same one.
#[test]
fn many_threads_with_retry_ids_do_not_stand_in_each_others_way() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    std::thread::scope(|scope| {
        for t in 0..48u8 {
            let engine = &engine;
            scope.spawn(move || {
                let mut caller = user(engine, partition);
                for i in 0..8u8 {
                    caller.retry = Some(RetryId([t, i, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]));
                    caller.data_object(&format!("{t}-{i}"), &[t, i]).unwrap();
                }
            });
        }
    });
    assert_eq!(
        user(&engine, partition)
            .call(&ObjectFind { template: Template::default(), after: None, max: 256 })
            .unwrap()
            .objects
            .len(),
        256
    );
}

/// The officer sets a new PIN because the old one is known to others; they do not set theirs in its place.
#[test]
fn a_pin_that_was_reset_is_not_changed_by_who_knew_the_old_one() {
    let engine = Arc::new(start(&RamStore::new()).unwrap());
    let partition = token(&engine, PartitionMode::Strict);
    let mut officer = Caller::new(&engine, client(1));
    officer.open(partition).unwrap();
    officer.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
    let mut caller = Caller::new(&engine, client(1));
    caller.open(partition).unwrap();
    let (other, session) = (engine.clone(), officer.session);
    // Two seals for the counted try, two for the counter set back; then the new PIN's salt.
    engine.platform().crypto().at_random(4, move || {
        let officer = Caller { session, ..Caller::new(&other, client(1)) };
        officer.call(&UserPinInitialize { pin: b"new pin".as_slice().into() }).unwrap();
    });
    let change = PinChange { old: USER_PIN.into(), new: b"stolen".as_slice().into() };
    assert_eq!(caller.call(&change).err(), Some(ErrorCode::PinIncorrect));
    caller.log_in(Role::User, b"new pin").unwrap();
}

/// Two processes look at the last try at the same moment: only one of them gets it.
#[test]
fn two_processes_do_not_share_the_last_try() {
    let store = RamStore::shared();
    let one = start(&store).unwrap();
    let partition = token(&one, PartitionMode::Strict);
    let two = Arc::new(start(&store).unwrap());
    let mut caller = Caller::new(&one, client(1));
    caller.open(partition).unwrap();
    for _ in 0..2 {
        assert_eq!(caller.log_in(Role::User, b"wrong!").err(), Some(ErrorCode::PinIncorrect));
    }
    one.platform().crypto().at_random(0, move || {
        let mut other = Caller::new(&two, client(1));
        other.open(partition).unwrap();
        assert_eq!(other.log_in(Role::User, b"wrong!").err(), Some(ErrorCode::PinIncorrect));
    });
    assert_eq!(caller.log_in(Role::User, b"wrong!").err(), Some(ErrorCode::PinLocked));
    let token = caller.call(&TokenList {}).unwrap().tokens.remove(0);
    assert_eq!(token.user_pin.map(|pin| (pin.failures, pin.left)), Some((3, 0)));
}

/// A token that gets its first officer meanwhile is not taken from that officer without a PIN.
#[test]
fn a_token_is_initialised_by_one_officer_only() {
    let engine = Arc::new(start(&RamStore::new()).unwrap());
    let operator = Caller::new(&engine, admin());
    operator.call(&DeviceInitialize { label: "test".into() }).unwrap();
    let create = PartitionCreate { label: "new".into(), mode: PartitionMode::Strict, approved_only: None };
    let partition = operator.call(&create).unwrap().partition;
    let initialize = |pin: &[u8]| TokenInitialize { partition, so_pin: pin.into(), label: "t".into() };
    let (other, first) = (engine.clone(), initialize(SO_PIN));
    engine.platform().crypto().at_random(0, move || {
        Caller::new(&other, admin()).call(&first).unwrap();
    });
    assert_eq!(operator.call(&initialize(b"11111111")).err(), Some(ErrorCode::PinIncorrect));
}
