//! Guessing PINs (R4): a delay that grows with each wrong try, survives restart and power cut, and touches nobody else.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::ErrorCode;
use coloa_wire::command::*;
use rig::*;

const START: u64 = 1_700_000_000_000;
const SECOND: u64 = 1_000;
const WRONG: &[u8] = b"wrong pin";

/// An engine on the store with a delay of a second, at this time.
fn at(store: &RamStore, time: u64) -> RamEngine {
    let engine = start(store).unwrap();
    engine.platform().delay_pins(SECOND);
    engine.platform().set_clock(time);
    engine
}

fn log_in(engine: &RamEngine, partition: coloa_wire::PartitionId, role: Role, pin: &[u8]) -> Option<ErrorCode> {
    let mut caller = Caller::new(engine, client(1));
    caller.open(partition).unwrap();
    let outcome = caller.log_in(role, pin).err();
    caller.call(&SessionClose {}).unwrap();
    outcome
}

/// How long the user has to wait, as everybody may see it.
fn wait(engine: &RamEngine) -> Option<u64> {
    let tokens = Caller::new(engine, client(1)).call(&TokenList {}).unwrap().tokens;
    tokens[0].user_pin.unwrap().wait_ms
}

#[test]
fn after_the_third_wrong_pin_each_costs_twice_the_time_and_the_tenth_locks() {
    let store = RamStore::new();
    let engine = at(&store, START);
    let partition = token(&engine, PartitionMode::Strict);
    let mut now = START + 60 * SECOND;
    for failures in 1..=10_u32 {
        engine.platform().set_clock(now);
        assert_eq!(log_in(&engine, partition, Role::User, WRONG), Some(ErrorCode::PinIncorrect), "{failures}");
        let delay = if failures < 3 { 0 } else { SECOND << (failures - 3) };
        if (3..10).contains(&failures) {
            // Not the right one either, up to the last moment.
            engine.platform().set_clock(now + delay - 500);
            assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), Some(ErrorCode::PinDelayed), "{failures}");
            assert!(wait(&engine).is_some_and(|left| left <= 500), "{:?}", wait(&engine));
        }
        now += delay + SECOND;
    }
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), Some(ErrorCode::PinLocked));
    // Only that user: the officer logs in, and sets a PIN that is looked at at once.
    let mut officer = Caller::new(&engine, client(1));
    officer.open(partition).unwrap();
    officer.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
    officer.call(&UserPinInitialize { pin: USER_PIN.into() }).unwrap();
    officer.call(&SessionClose {}).unwrap();
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), None);
}

#[test]
fn the_right_pin_after_the_delay_sets_everything_back() {
    let store = RamStore::new();
    let engine = at(&store, START);
    let partition = token(&engine, PartitionMode::Strict);
    (0..3).for_each(|_| assert_eq!(log_in(&engine, partition, Role::User, WRONG), Some(ErrorCode::PinIncorrect)));
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), Some(ErrorCode::PinDelayed));
    engine.platform().set_clock(START + 5 * SECOND);
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), None);
    assert_eq!(wait(&engine), None);
    assert_eq!(log_in(&engine, partition, Role::User, WRONG), Some(ErrorCode::PinIncorrect));
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), None);
}

#[test]
fn a_restart_wins_nothing() {
    let store = RamStore::new();
    let engine = at(&store, START);
    let partition = token(&engine, PartitionMode::Strict);
    (0..3).for_each(|_| assert_eq!(log_in(&engine, partition, Role::User, WRONG), Some(ErrorCode::PinIncorrect)));
    // As a power cut does: nothing is written any more.
    drop(engine);
    let engine = at(&store, START + 500);
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), Some(ErrorCode::PinDelayed));
    engine.platform().set_clock(START + 2 * SECOND);
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), None);
}

#[test]
fn a_clock_that_steps_back_neither_ends_the_delay_nor_draws_it_out() {
    let store = RamStore::new();
    let engine = at(&store, START);
    let partition = token(&engine, PartitionMode::Strict);
    (0..3).for_each(|_| assert_eq!(log_in(&engine, partition, Role::User, WRONG), Some(ErrorCode::PinIncorrect)));
    let year = 365 * 24 * 3600 * SECOND;
    engine.platform().set_clock(START - year);
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), Some(ErrorCode::PinDelayed));
    assert!(wait(&engine).is_some_and(|left| left <= SECOND));
    engine.platform().set_clock(START - year + 2 * SECOND);
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), None);
}

#[test]
fn without_a_clock_there_is_the_lock_alone() {
    let store = RamStore::new();
    let engine = at(&store, 1);
    let partition = token(&engine, PartitionMode::Strict);
    (0..10).for_each(|_| assert_eq!(log_in(&engine, partition, Role::User, WRONG), Some(ErrorCode::PinIncorrect)));
    assert_eq!(log_in(&engine, partition, Role::User, USER_PIN), Some(ErrorCode::PinLocked));
}
