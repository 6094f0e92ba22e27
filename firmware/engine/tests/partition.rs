//! What an administrator sets for a partition: quotas, mechanisms, PINs, suspension, and the figures of its use (R4, R21).

mod rig;

use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::{ErrorCode, Identity, MechanismType, PartitionId};
use rig::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

fn set(engine: &RamEngine, partition: PartitionId, settings: PartitionSettings) -> Result<Done, ErrorCode> {
    Caller::new(engine, admin()).call(&PartitionSet { partition, settings })
}

fn suspend(engine: &RamEngine, partition: PartitionId, suspended: bool) -> Result<Done, ErrorCode> {
    Caller::new(engine, admin()).call(&PartitionSuspend { partition, suspended })
}

fn figures(engine: &RamEngine, partition: PartitionId) -> PartitionFigures {
    let asked = PartitionUsage { partition: Some(partition) };
    Caller::new(engine, admin()).call(&asked).unwrap().partitions.remove(0)
}

fn objects(most: u64) -> PartitionSettings {
    PartitionSettings { objects: Some(most), ..PartitionSettings::default() }
}

#[test]
fn a_partition_stores_as_many_objects_as_its_quota_and_its_neighbour_is_not_touched() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let (court, agency) = (token(&engine, PartitionMode::Strict), token(&engine, PartitionMode::Strict));
    set(&engine, court, objects(3)).unwrap();
    let caller = user(&engine, court);
    let first = caller.data_object("a", b"1").unwrap();
    caller.data_object("b", b"2").unwrap();
    // One is left, and a pair is two.
    assert_eq!(caller.generate_ec(P256, "pair", true).err(), Some(ErrorCode::QuotaReached));
    assert_eq!(figures(&engine, court).objects, 2, "of a pair both are made, or none");
    caller.data_object("c", b"3").unwrap();
    assert_eq!(caller.data_object("d", b"4").err(), Some(ErrorCode::QuotaReached));
    // What is there may be changed, and objects of the session are not stored.
    caller.change(first, coloa_wire::Template::default().with(coloa_wire::AttributeType::LABEL, &b"z"[..])).unwrap();
    caller.generate_ec(P256, "passing", false).unwrap();
    user(&engine, agency).data_object("d", b"4").unwrap();
    caller.call(&ObjectDestroy { object: first }).unwrap();
    caller.data_object("d", b"4").unwrap();
    // The count is what is there, also after a restart.
    let again = start(&store).unwrap();
    assert_eq!(user(&again, court).data_object("e", b"5").err(), Some(ErrorCode::QuotaReached));
    assert_eq!(figures(&again, court).settings, objects(3));
}

#[test]
fn bytes_are_bounded_too_and_who_has_too_much_may_shrink_it() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let large = caller.data_object("a", &[7; 4096]).unwrap();
    let present = figures(&engine, partition).bytes;
    assert!(present > 4096);
    set(&engine, partition, PartitionSettings { bytes: Some(present - 1), ..PartitionSettings::default() }).unwrap();
    assert_eq!(caller.data_object("b", b"x").err(), Some(ErrorCode::QuotaReached));
    let label = |label: &[u8]| coloa_wire::Template::default().with(coloa_wire::AttributeType::LABEL, label);
    assert_eq!(caller.change(large, label(&[b'a'; 99])).err(), Some(ErrorCode::QuotaReached));
    caller.change(large, label(b"")).unwrap();
    caller.call(&ObjectDestroy { object: large }).unwrap();
    caller.data_object("b", b"x").unwrap();
}

/// The last one that fits is made once, however many threads and processes want it at the same moment.
#[test]
fn a_quota_is_exact_when_many_make_objects_at_once() {
    let store = RamStore::shared();
    let one = start(&store).unwrap();
    let partition = token(&one, PartitionMode::Strict);
    let other = start(&store).unwrap();
    for round in 1..=40 {
        set(&one, partition, objects(round)).unwrap();
        let (made, together) = (AtomicUsize::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (engine, made, together) = (if thread < 6 { &one } else { &other }, &made, &together);
                scope.spawn(move || {
                    let caller = user(engine, partition);
                    together.wait();
                    match caller.data_object("d", b"x") {
                        Ok(_) => drop(made.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => assert!(matches!(error, ErrorCode::QuotaReached | ErrorCode::Conflict)),
                    }
                    caller.call(&SessionClose {}).unwrap();
                });
            }
        });
        assert_eq!((made.into_inner(), figures(&one, partition).objects), (1, round));
    }
}

#[test]
fn sessions_have_a_quota_of_their_own() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    set(&engine, partition, PartitionSettings { sessions: Some(2), ..PartitionSettings::default() }).unwrap();
    let first = user(&engine, partition);
    let _second = user(&engine, partition);
    let mut third = Caller::new(&engine, client(1));
    assert_eq!(third.open(partition).err(), Some(ErrorCode::SessionQuotaReached));
    assert_eq!(figures(&engine, partition).sessions, 2);
    let elsewhere = token(&engine, PartitionMode::Strict);
    third.open(elsewhere).unwrap();
    first.call(&SessionClose {}).unwrap();
    third.open(partition).unwrap();
}

#[test]
fn a_mechanism_that_was_taken_away_neither_makes_keys_nor_uses_them() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let pair = caller.generate_ec(P256, "key", true).unwrap();
    caller.sign(pair.private, MechanismType::ECDSA_SHA256, &[5; 32]).unwrap();
    let allowed = vec![MechanismType::ECDSA_SHA384, MechanismType::AES_KEY_GEN];
    set(&engine, partition, PartitionSettings { mechanisms: Some(allowed), ..PartitionSettings::default() }).unwrap();
    let refused = Some(ErrorCode::MechanismForbidden);
    assert_eq!(caller.sign(pair.private, MechanismType::ECDSA_SHA256, &[5; 32]).err(), refused);
    assert_eq!(caller.generate_ec(P256, "other", true).err(), refused);
    let rotated = caller.call(&KeyRotate { partition, object: pair.private, reason: "old".into() });
    assert_eq!(rotated.err(), refused);
    caller.sign(pair.private, MechanismType::ECDSA_SHA384, &[5; 48]).unwrap();
    set(&engine, partition, PartitionSettings::default()).unwrap();
    caller.sign(pair.private, MechanismType::ECDSA_SHA256, &[5; 32]).unwrap();
}

/// R4: the partition asks more of a PIN than the device does, and gives fewer tries.
#[test]
fn new_pins_are_as_the_partition_asks_and_lock_after_its_tries() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let settings = PartitionSettings {
        pin_min: Some(8),
        pin_max: Some(12),
        pin_classes: Some(3),
        pin_tries: Some(2),
        ..PartitionSettings::default()
    };
    set(&engine, partition, settings).unwrap();
    // The old one still serves.
    let caller = user(&engine, partition);
    let change = |old: &[u8], new: &[u8]| caller.call(&PinChange { old: old.into(), new: new.into() });
    assert_eq!(change(USER_PIN, b"aB3defg").err(), Some(ErrorCode::PinLength));
    assert_eq!(change(USER_PIN, b"aB3defg8901234").err(), Some(ErrorCode::PinLength));
    assert_eq!(change(USER_PIN, b"abcdefg8").err(), Some(ErrorCode::PinTooSimple));
    change(USER_PIN, b"abc-efg8").unwrap();
    caller.call(&Logout {}).unwrap();
    assert_eq!(caller.log_in(Role::User, b"wrong pin").err(), Some(ErrorCode::PinIncorrect));
    let tokens = Caller::new(&engine, admin()).call(&TokenList {}).unwrap().tokens;
    assert_eq!(tokens[0].user_pin.unwrap().left, 1);
    assert_eq!(caller.log_in(Role::User, b"wrong pin").err(), Some(ErrorCode::PinIncorrect));
    assert_eq!(caller.log_in(Role::User, b"abc-efg8").err(), Some(ErrorCode::PinLocked));
}

#[test]
fn a_suspended_partition_refuses_live_sessions_at_once_and_keeps_its_keys() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let (court, agency) = (token(&engine, PartitionMode::Strict), token(&engine, PartitionMode::Strict));
    let caller = user(&engine, court);
    let pair = caller.generate_ec(P256, "key", true).unwrap();
    suspend(&engine, court, true).unwrap();
    let refused = Some(ErrorCode::PartitionSuspended);
    assert_eq!(caller.sign(pair.private, MechanismType::ECDSA_SHA256, &[5; 32]).err(), refused);
    assert_eq!(caller.data_object("a", b"x").err(), refused);
    assert_eq!(caller.call(&ObjectDestroy { object: pair.private }).err(), refused);
    assert_eq!(caller.call(&Random { length: 8 }).err(), refused);
    assert_eq!(Caller::new(&engine, client(1)).open(court).err(), refused);
    let mut operator = Caller::new(&engine, admin());
    assert_eq!(operator.open(court).err(), refused);
    // Nobody gets rid of the keys by making the token anew.
    let anew = TokenInitialize { partition: court, so_pin: SO_PIN.into(), label: "token".into() };
    assert_eq!(Caller::new(&engine, client(1)).call(&anew).err(), refused);
    let neighbour = user(&engine, agency);
    neighbour.data_object("a", b"x").unwrap();
    let restarted = start(&store).unwrap();
    assert!(figures(&restarted, court).suspended.is_some());
    assert_eq!(Caller::new(&restarted, client(1)).open(court).err(), refused);
    suspend(&engine, court, false).unwrap();
    caller.sign(pair.private, MechanismType::ECDSA_SHA256, &[5; 32]).unwrap();
    let said: Vec<_> = audit_log(&engine).into_iter().filter_map(|record| record.event.detail).collect();
    assert!(said.contains(&"suspended".into()) && said.contains(&"resumed".into()), "{said:?}");
}

/// R21: an organ sees its own figures; what does not count up there was not used.
#[test]
fn an_organ_sees_what_it_used_and_nothing_of_its_neighbour() {
    let engine = start(&RamStore::new()).unwrap();
    let (court, agency) = (token(&engine, PartitionMode::Strict), token(&engine, PartitionMode::Strict));
    let operator = Caller::new(&engine, admin());
    operator.call(&ClientUnbind { partition: agency, identity: Identity([1; 32]) }).unwrap();
    let caller = user(&engine, court);
    let pair = caller.generate_ec(P256, "key", true).unwrap();
    let before = figures(&engine, court);
    assert_eq!((before.objects, before.sessions), (2, 1));
    (0..3).for_each(|_| drop(caller.sign(pair.private, MechanismType::ECDSA_SHA256, &[5; 32]).unwrap()));
    // A use that is refused is none.
    caller.sign(pair.public, MechanismType::ECDSA_SHA256, &[5; 32]).unwrap_err();
    let after = figures(&engine, court);
    assert_eq!(after.operations, before.operations + 3);
    assert!(after.last_use.is_some_and(|at| at >= 1_700_000_000_000));
    assert_eq!(figures(&engine, agency).operations, 0);
    let own = caller.call(&PartitionUsage { partition: None }).unwrap().partitions;
    assert_eq!(own.iter().map(|f| f.partition).collect::<Vec<_>>(), [court]);
    let others = caller.call(&PartitionUsage { partition: Some(agency) });
    assert_eq!(others.err(), Some(ErrorCode::PartitionUnknown));
    let all = operator.call(&PartitionUsage { partition: None }).unwrap().partitions;
    assert_eq!(all.len(), 2);
}

#[test]
fn only_an_administrator_sets_anything_and_nothing_that_cannot_be() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let forbidden = Some(ErrorCode::ChannelForbidden);
    let organ = Caller::new(&engine, client(1));
    assert_eq!(organ.call(&PartitionSet { partition, settings: objects(9) }).err(), forbidden);
    assert_eq!(organ.call(&PartitionSuspend { partition, suspended: false }).err(), forbidden);
    let none = PartitionSettings::default;
    let wrong = [
        PartitionSettings { pin_min: Some(3), ..none() },
        PartitionSettings { pin_max: Some(65), ..none() },
        PartitionSettings { pin_min: Some(9), pin_max: Some(8), ..none() },
        PartitionSettings { pin_classes: Some(5), ..none() },
        PartitionSettings { pin_tries: Some(0), ..none() },
        PartitionSettings { pin_tries: Some(99), ..none() },
        PartitionSettings { sessions: Some(0), ..none() },
        PartitionSettings { mechanisms: Some(vec![MechanismType(0x7fff_0000)]), ..none() },
    ];
    for settings in wrong {
        assert_eq!(set(&engine, partition, settings.clone()).err(), Some(ErrorCode::SettingsInvalid), "{settings:?}");
    }
    assert_eq!(figures(&engine, partition).settings, none());
    let unknown = PartitionId([9; 16]);
    assert_eq!(set(&engine, unknown, none()).err(), Some(ErrorCode::PartitionUnknown));
}

/// The power is cut before and after every commit: what was answered holds, and a quota is never passed.
#[test]
fn settings_and_suspension_outlive_a_power_cut() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        for nth in 0..8 {
            let store = RamStore::new();
            let engine = start(&store).unwrap();
            let partition = token(&engine, PartitionMode::Strict);
            let caller = user(&engine, partition);
            store.fail_commit(nth, fault);
            let limited = set(&engine, partition, objects(2)).is_ok();
            let made = (0..4u8).filter(|i| caller.data_object("d", &[*i]).is_ok()).count();
            let suspended = limited && suspend(&engine, partition, true).is_ok();
            store.power_on();
            let restarted = start(&store).expect("the store opens after a cut");
            let found = figures(&restarted, partition);
            assert!(!limited || found.settings == objects(2), "{fault:?} at {nth}");
            assert!(!suspended || found.suspended.is_some(), "{fault:?} at {nth}");
            assert!(found.objects >= made as u64 && (!limited || found.objects <= 2), "{fault:?} at {nth}");
        }
    }
}
