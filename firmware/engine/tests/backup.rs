//! Backup and restore (R3, R20, R36): what comes back on a second device, and who is refused what.

mod rig;

use coloa_engine::Platform;
use coloa_store_testkit::RamStore;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType, ObjectId, PartitionId, Template, Value};
use rig::backups::*;
use rig::*;

struct First {
    store: RamStore,
    engine: RamEngine,
    partition: PartitionId,
    shares: Vec<Vec<u8>>,
}

fn first() -> First {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let shares = backup_key(&engine);
    First { store, engine, partition, shares }
}

fn restored(archives: &[&Chunks], shares: &[Vec<u8>]) -> (RamStore, RamEngine, BackupRestoreFinishReply) {
    let store = RamStore::new();
    let engine = second(&store);
    let reply = restore(&engine, archives, [&shares[0], &shares[2]]).unwrap();
    (store, engine, reply)
}

/// R20: keys, PINs, attributes and ids are the same, the check value is that of the archive, and a restart changes nothing.
#[test]
fn a_second_device_is_the_first_one_again() {
    let first = first();
    let caller = user(&first.engine, first.partition);
    let pair = caller.generate_ec(P256, "signer", true).unwrap();
    let aes = caller.generate_aes(Template::default().with(A::TOKEN, true).with(A::ENCRYPT, true)).unwrap();
    let archive = full(&first.engine);
    let (store, engine, reply) = restored(&[&archive], &first.shares);
    assert_eq!((reply.objects, reply.partitions), (3, vec!["token".to_string()]));
    let digest = [7; 32];
    drop(engine);
    let engine = start_with_root_key(&store, [9; 32]).unwrap();
    let there = user(&engine, first.partition);
    let made = there.sign(pair.private, MechanismType::ECDSA, &digest).unwrap();
    caller.verify(pair.public, MechanismType::ECDSA, &digest, &made).unwrap();
    for object in [pair.private, aes] {
        for kind in
            [A::NEVER_EXTRACTABLE, A::EXTRACTABLE, A::SENSITIVE, A::LOCAL, A::UNIQUE_ID, A::LABEL, A::ALWAYS_SENSITIVE]
        {
            assert!(caller.attribute(object, kind) == there.attribute(object, kind), "{kind:x?}");
        }
    }
    there.shows(pair.private, A::NEVER_EXTRACTABLE, true);
    assert_eq!(there.attribute(aes, A::VALUE).err(), Some(ErrorCode::AttributeSensitive));
    assert_eq!(there.log_in(Role::User, USER_PIN).err(), Some(ErrorCode::AlreadyLoggedIn));
}

/// The check value that the operator sees at the first device is the one that the second computes.
#[test]
fn the_check_value_of_the_archive_is_that_of_the_restored_state() {
    let first = first();
    user(&first.engine, first.partition).data_object("a", b"value").unwrap();
    let archive = full(&first.engine);
    let outline = coloa_engine::archive::Outline::read(first.engine.platform().crypto(), &archive.concat()).unwrap();
    let (_, engine, reply) = restored(&[&archive], &first.shares);
    assert_eq!(outline.footer.check, reply.check);
    // The custodians stay the same: what the second device backs up is restored with the same shares.
    let info = operator(&engine).call(&BackupKeyInfo {}).unwrap();
    assert_eq!(info.key, outline.header.key);
    assert!(info.holders.iter().all(|holder| holder.taken));
    let again = full(&engine);
    restored(&[&again], &first.shares);
}

/// R12: a restored key has not forgotten its encryptions.
#[test]
fn uses_of_a_key_go_on_where_they_were() {
    let first = first();
    let caller = user(&first.engine, first.partition);
    let template = Template::default().with(A::TOKEN, true).with(A::ENCRYPT, true);
    let key = caller.generate_aes(template).unwrap();
    let encrypt = |by: &Caller<'_>| by.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text");
    encrypt(&caller).unwrap();
    let base = full(&first.engine);
    for _ in 0..60 {
        encrypt(&caller).unwrap();
    }
    let more = incremental(&first.engine, &base);
    let (_, engine, _) = restored(&[&base, &more], &first.shares);
    let there = user(&engine, first.partition);
    let done = (0..ENCRYPTIONS).take_while(|_| encrypt(&there).is_ok()).count() as u64;
    assert!(done < ENCRYPTIONS - 60, "{done} more encryptions");
    assert_eq!(encrypt(&there).err(), Some(ErrorCode::KeyLimitReached));
}

/// Changed, new, deleted, a PIN, a partition gone and one made: a chain of archives comes to the same.
#[test]
fn incremental_archives_bring_what_has_changed() {
    let first = first();
    let caller = user(&first.engine, first.partition);
    let objects: Vec<ObjectId> = (0..200u8).map(|n| caller.data_object(&format!("d{n}"), &[n]).unwrap()).collect();
    let gone = token(&first.engine, PartitionMode::Strict);
    user(&first.engine, gone).data_object("never seen", b"x").unwrap();
    let base = full(&first.engine);
    caller.change(objects[0], Template::default().with(A::LABEL, &b"renamed"[..])).unwrap();
    caller.call(&ObjectDestroy { object: objects[1] }).unwrap();
    let added = caller.data_object("added", b"new").unwrap();
    operator(&first.engine).call(&PartitionDestroy { partition: gone }).unwrap();
    let second_archive = incremental(&first.engine, &base);
    let made = token(&first.engine, PartitionMode::Compatible);
    let late = user(&first.engine, made).data_object("late", b"l").unwrap();
    let third_archive = incremental(&first.engine, &second_archive);
    assert!(third_archive.concat().len() < base.concat().len() / 2, "an incremental archive is small");
    let (_, engine, reply) = restored(&[&base, &second_archive, &third_archive], &first.shares);
    assert_eq!(reply.objects, 201);
    let there = user(&engine, first.partition);
    there.shows(objects[0], A::LABEL, &b"renamed"[..]);
    there.shows(added, A::VALUE, &b"new"[..]);
    assert_eq!(there.attribute(objects[1], A::LABEL).err(), Some(ErrorCode::ObjectUnknown));
    user(&engine, made).shows(late, A::LABEL, &b"late"[..]);
    let tokens = operator(&engine).call(&TokenList {}).unwrap().tokens;
    assert_eq!(tokens.iter().map(|t| t.partition).collect::<Vec<_>>(), [first.partition, made]);
}

/// What is committed while the archive is written is in it, or is not: never half of it.
#[test]
fn an_archive_is_the_state_of_one_moment() {
    let first = first();
    let caller = user(&first.engine, first.partition);
    let objects: Vec<ObjectId> = (0..300u16).map(|n| caller.data_object("d", &n.to_be_bytes()).unwrap()).collect();
    operator(&first.engine).call(&BackupExportBegin { base: None }).unwrap();
    let mut archive = vec![operator(&first.engine).call_with(&BackupExportPage { chunk: 0 }, &[]).unwrap().1];
    caller.call(&ObjectDestroy { object: objects[9] }).unwrap();
    caller.change(objects[8], Template::default().with(A::LABEL, &b"late"[..])).unwrap();
    loop {
        let request = BackupExportPage { chunk: archive.len() as u64 };
        let (reply, chunk) = operator(&first.engine).call_with(&request, &[]).unwrap();
        archive.push(chunk);
        if reply.last {
            break;
        }
    }
    let (_, engine, reply) = restored(&[&archive], &first.shares);
    assert_eq!(reply.objects, 299);
    let there = user(&engine, first.partition);
    there.shows(objects[8], A::LABEL, &b"late"[..]);
    assert_eq!(there.attribute(objects[9], A::LABEL).err(), Some(ErrorCode::ObjectUnknown));
}

/// R3: the wrong share is named with its holder and a reason, and the right ones go on.
#[test]
fn a_wrong_share_is_named_and_not_used() {
    let first = first();
    let other = rig::start(&RamStore::new()).unwrap();
    operator(&other).call(&DeviceInitialize { label: "other".into() }).unwrap();
    let foreign = backup_key(&other);
    let archive = full(&first.engine);
    let store = RamStore::new();
    let engine = second(&store);
    begin(&engine, &archive[0], false).unwrap();
    let said = |share: &[u8]| {
        let reply = give(&engine, share).unwrap();
        (reply.verdict, reply.holder, reply.given)
    };
    assert_eq!(said(&foreign[1]), (ShareVerdict::Foreign, HOLDERS[1].into(), 0));
    assert_eq!(said(b"no share"), (ShareVerdict::Unreadable, String::new(), 0));
    let at = first.shares[1].len() - 5;
    for bit in 0..8 {
        let mut altered = first.shares[1].clone();
        altered[at] ^= 1 << bit;
        assert_eq!(said(&altered), (ShareVerdict::Altered, HOLDERS[1].into(), 0));
    }
    assert_eq!(said(&first.shares[0]), (ShareVerdict::Accepted, HOLDERS[0].into(), 1));
    assert_eq!(said(&first.shares[0]), (ShareVerdict::Repeated, HOLDERS[0].into(), 1));
    assert_eq!(operator(&engine).call_with(&BackupRestorePage {}, &archive[1]).err(), Some(ErrorCode::RestoreNotBegun));
}

/// R2: one share fewer than the threshold opens nothing; a share leaves once.
#[test]
fn a_share_is_handed_out_once_and_one_alone_opens_nothing() {
    let first = first();
    let operator = operator(&first.engine);
    for index in 1..=3 {
        let again = operator.call_with(&BackupShareTake { index }, &[]).err();
        assert_eq!(again, Some(ErrorCode::BackupShareTaken));
    }
    assert_eq!(operator.call_with(&BackupShareTake { index: 0 }, &[]).err(), Some(ErrorCode::BackupParameter));
    assert_eq!(operator.call_with(&BackupShareTake { index: 4 }, &[]).err(), Some(ErrorCode::BackupParameter));
    let archive = full(&first.engine);
    let engine = second(&RamStore::new());
    begin(&engine, &archive[0], false).unwrap();
    assert_eq!(give(&engine, &first.shares[1]).unwrap().wanted, 1);
    assert_eq!(give_pages(&engine, &archive[1..]).err(), Some(ErrorCode::RestoreNotBegun));
}

/// A share's answer is not kept for a retry: who asks again with the same id gets no share.
#[test]
fn a_retry_does_not_hand_out_a_share_again() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let mut operator = operator(&engine);
    operator.call(&DeviceInitialize { label: "d".into() }).unwrap();
    operator.call(&BackupKeyCreate { threshold: 2, holders: vec!["a".into(), "b".into()] }).unwrap();
    operator.retry = Some(coloa_wire::RetryId([4; 16]));
    let take = BackupShareTake { index: 1 };
    assert!(!operator.call_with(&take, &[]).unwrap().1.is_empty());
    assert!(operator.call_with(&take, &[]).unwrap().1.is_empty());
}

#[test]
fn thresholds_and_names_that_make_no_quorum_are_refused() {
    let engine = start(&RamStore::new()).unwrap();
    let operator = operator(&engine);
    operator.call(&DeviceInitialize { label: "d".into() }).unwrap();
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_string()).collect::<Vec<_>>();
    let many: Vec<String> = (0..17).map(|n| format!("h{n}")).collect();
    let wrong = [
        (1, names(&["a", "b"])),
        (3, names(&["a", "b"])),
        (2, names(&["a", "a"])),
        (2, names(&["a", ""])),
        (2, names(&["a", "b\n"])),
        (2, names(&["a", &"x".repeat(65)])),
        (2, many),
    ];
    for (threshold, holders) in wrong {
        let refused = operator.call(&BackupKeyCreate { threshold, holders }).err();
        assert_eq!(refused, Some(ErrorCode::BackupParameter));
    }
    assert_eq!(operator.call(&BackupKeyInfo {}).err(), Some(ErrorCode::BackupKeyMissing));
    assert_eq!(operator.call(&BackupExportBegin { base: None }).err(), Some(ErrorCode::BackupKeyMissing));
}

/// R2, R36: one administrator alone neither replaces the key nor puts an older state back.
#[test]
fn what_needs_a_quorum_is_refused() {
    let first = first();
    let archive = full(&first.engine);
    let holders = vec!["mine".to_string(), "mine too".into()];
    let replaced = operator(&first.engine).call(&BackupKeyCreate { threshold: 2, holders }).err();
    assert_eq!(replaced, Some(ErrorCode::BackupKeyPresent));
    assert_eq!(begin(&first.engine, &archive[0], false).err(), Some(ErrorCode::RestoreNeedsQuorum));
    operator(&first.engine).call(&PartitionDestroy { partition: first.partition }).unwrap();
    assert_eq!(begin(&first.engine, &archive[0], false).err(), Some(ErrorCode::RestoreNeedsQuorum));
    let engine = second(&RamStore::new());
    token(&engine, PartitionMode::Strict);
    assert_eq!(begin(&engine, &archive[0], false).err(), Some(ErrorCode::DeviceNotEmpty));
    for peer in [client(1), client(2)] {
        let stranger = Caller::new(&first.engine, peer);
        assert_eq!(stranger.call(&BackupExportBegin { base: None }).err(), Some(ErrorCode::ChannelForbidden));
        assert_eq!(stranger.call(&BackupShareTake { index: 1 }).err(), Some(ErrorCode::ChannelForbidden));
    }
}

/// Any device verifies with shares, its own without, and neither changes anything.
#[test]
fn verifying_changes_nothing() {
    let first = first();
    user(&first.engine, first.partition).data_object("a", b"value").unwrap();
    let archive = full(&first.engine);
    assert_eq!(begin(&first.engine, &archive[0], true).unwrap().threshold, 0);
    give_pages(&first.engine, &archive[1..]).unwrap();
    let own = operator(&first.engine).call(&BackupRestoreFinish {}).unwrap();
    let store = RamStore::new();
    let engine = second(&store);
    assert_eq!(begin(&engine, &archive[0], true).unwrap().threshold, 2);
    give(&engine, &first.shares[2]).unwrap();
    give(&engine, &first.shares[1]).unwrap();
    give_pages(&engine, &archive[1..]).unwrap();
    let others = operator(&engine).call(&BackupRestoreFinish {}).unwrap();
    assert_eq!((own.check, own.objects), (others.check, 1));
    assert!(is_empty(&engine, &store));
}

/// R9, R20: no key, PIN verifier or label is readable in an archive.
#[test]
fn nothing_of_a_partition_is_readable_in_an_archive() {
    let first = first();
    let caller = user(&first.engine, first.partition);
    let object = caller.data_object("a very secret label", b"a very secret value").unwrap();
    let archive = full(&first.engine).concat();
    let contains = |what: &[u8]| archive.windows(what.len()).any(|w| w == what);
    let Ok(Value::Bytes(value)) = caller.attribute(object, A::VALUE) else { panic!("a value") };
    for secret in [&value[..], b"a very secret label", &first.partition.0, &object.0, USER_PIN] {
        assert!(!contains(secret), "{secret:x?}");
    }
    // The scan sees what is there.
    assert!(contains(HOLDERS[0].as_bytes()) && contains(b"test"));
    let raw = first.store.image().live().into_iter().find(|r| r.id.kind == 5).and_then(|r| r.value).unwrap();
    assert!(!contains(&raw[13..]), "sealed anew");
}

/// R19: what was begun and left is given up, and its shares with it.
#[test]
fn shares_do_not_wait_for_ever() {
    let first = first();
    let archive = full(&first.engine);
    let engine = second(&RamStore::new());
    begin(&engine, &archive[0], false).unwrap();
    give(&engine, &first.shares[0]).unwrap();
    engine.platform().set_clock(1_700_000_000_000 + 11 * 60 * 1000);
    assert_eq!(give(&engine, &first.shares[1]).err(), Some(ErrorCode::RestoreNotBegun));
}

/// What is in use is not given up as if the clock had been set back: whoever looks for what is idle looks after the command, not
/// before it.
#[test]
fn a_tick_at_any_moment_leaves_a_backup_that_is_under_way() {
    let first = first();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    first.engine.tick();
                }
            });
        }
        let outcomes: Vec<_> = (0..200)
            .map(|_| {
                operator(&first.engine).call(&BackupExportBegin { base: None })?;
                pages(&first.engine)
            })
            .collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(outcomes.iter().all(Result::is_ok), "{:?}", outcomes.iter().find_map(|o| o.as_ref().err()));
    });
}
