//! Roles, PINs, partitions and channels: who may do what (R1, R4, R21, R22), and what the log says of it (R17, R18).

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::audit::{AuditRecord, verify_chain};
use coloa_engine::{Conversation, Peer};
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::frame::{FrameKind, MAX_FRAME_HOST};
use coloa_wire::hello::{ClientHello, PROTOCOL, ServerHello};
use coloa_wire::{AttributeType as A, ErrorCode, Frame, Identity, MechanismType as M, Template, command};
use rig::*;

#[test]
fn a_pin_is_locked_after_its_tries_and_stays_locked() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let mut caller = Caller::new(&engine, client(1));
    caller.open(partition).unwrap();
    for _ in 0..3 {
        assert_eq!(caller.log_in(Role::User, b"0000").err(), Some(ErrorCode::PinIncorrect));
    }
    assert_eq!(caller.log_in(Role::User, USER_PIN).err(), Some(ErrorCode::PinLocked));
    let restarted = start(&store).unwrap();
    let mut caller = Caller::new(&restarted, client(1));
    caller.open(partition).unwrap();
    assert_eq!(caller.log_in(Role::User, USER_PIN).err(), Some(ErrorCode::PinLocked));
    let shown = caller.call(&TokenList {}).unwrap().tokens[0].user_pin;
    assert_eq!(shown, Some(PinState { failures: 3, left: 0, wait_ms: None }));
    caller.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
    caller.call(&UserPinInitialize { pin: b"new pin".as_slice().into() }).unwrap();
    caller.call(&Logout {}).unwrap();
    caller.log_in(Role::User, b"new pin").unwrap();
}

#[test]
fn a_right_pin_sets_the_counter_back() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let mut caller = Caller::new(&engine, client(1));
    caller.open(partition).unwrap();
    for _ in 0..4 {
        assert_eq!(caller.log_in(Role::User, b"0000").err(), Some(ErrorCode::PinIncorrect));
        assert_eq!(caller.log_in(Role::User, b"0000").err(), Some(ErrorCode::PinIncorrect));
        caller.log_in(Role::User, USER_PIN).unwrap();
        caller.call(&Logout {}).unwrap();
    }
}

/// The power goes right after the try was counted, before its answer: the try counts (R4).
#[test]
fn cutting_the_power_does_not_win_a_try() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    drop(engine);
    for _ in 0..3 {
        let engine = start(&store).unwrap();
        let mut caller = Caller::new(&engine, client(1));
        caller.open(partition).unwrap();
        store.fail_commit(0, Fault::CutAfter);
        assert!(caller.log_in(Role::User, b"0000").is_err());
        store.power_on();
    }
    let engine = start(&store).unwrap();
    let mut caller = Caller::new(&engine, client(1));
    caller.open(partition).unwrap();
    assert_eq!(caller.log_in(Role::User, USER_PIN).err(), Some(ErrorCode::PinLocked));
}

#[test]
fn right_pins_given_at_once_do_not_lock() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    std::thread::scope(|scope| {
        (0..16).for_each(|_| {
            scope.spawn(|| user(&engine, partition));
        });
    });
}

#[test]
fn a_channel_sees_only_its_partitions() {
    let engine = start(&RamStore::new()).unwrap();
    let court = token(&engine, PartitionMode::Strict);
    let agency = token(&engine, PartitionMode::Compatible);
    let operator = Caller::new(&engine, admin());
    operator.call(&ClientUnbind { partition: agency, identity: Identity([1; 32]) }).unwrap();
    operator.call(&ClientBind { partition: agency, identity: Identity([2; 32]), name: "agency".into() }).unwrap();
    let of_court = user(&engine, court);
    let pair = of_court.generate_ec(P256, "k", true).unwrap();
    let mut of_agency = Caller::new(&engine, client(2));
    let seen = of_agency.call(&TokenList {}).unwrap().tokens;
    assert_eq!(seen.iter().map(|t| t.partition).collect::<Vec<_>>(), [agency]);
    assert_eq!(of_agency.open(court).err(), Some(ErrorCode::PartitionUnknown));
    of_agency.session = of_court.session;
    let stolen = of_agency.sign(pair.private, M::ECDSA, &[0; 32]);
    assert_eq!(stolen.err(), Some(ErrorCode::SessionUnknown), "a session belongs to its identity");
    of_agency.open(agency).unwrap();
    of_agency.log_in(Role::User, USER_PIN).unwrap();
    assert_eq!(of_agency.sign(pair.private, M::ECDSA, &[0; 32]).err(), Some(ErrorCode::ObjectUnknown));
    assert!(of_agency.find(Template::default()).is_empty());
    assert_eq!(Caller::new(&engine, client(3)).call(&TokenList {}).unwrap().tokens, []);
}

#[test]
fn a_right_taken_back_is_gone_at_once() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let operator = Caller::new(&engine, admin());
    operator.call(&ClientUnbind { partition, identity: Identity([1; 32]) }).unwrap();
    assert_eq!(caller.call(&Random { length: 1 }).err(), Some(ErrorCode::PartitionUnknown));
}

#[test]
fn clients_do_not_administrate_and_operators_use_no_key() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let label = String::from("x");
    let mode = PartitionMode::Strict;
    assert_eq!(
        caller.call(&PartitionCreate { label, mode, approved_only: None }).err(),
        Some(ErrorCode::ChannelForbidden)
    );
    assert_eq!(caller.call(&PartitionDestroy { partition }).err(), Some(ErrorCode::ChannelForbidden));
    assert_eq!(caller.call(&AuditRead { from: 1, max: 1 }).err(), Some(ErrorCode::ChannelForbidden));
    let mut operator = Caller::new(&engine, admin());
    operator.open(partition).unwrap();
    assert_eq!(operator.log_in(Role::User, USER_PIN).err(), Some(ErrorCode::ChannelForbidden));
    operator.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
}

#[test]
fn initialising_a_token_again_destroys_what_it_held() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    caller.data_object("a", b"x").unwrap();
    let again = |pin: &[u8]| {
        let request = TokenInitialize { partition, so_pin: pin.into(), label: "again".into() };
        Caller::new(&engine, client(1)).call(&request)
    };
    assert_eq!(again(SO_PIN).err(), Some(ErrorCode::SessionsOpen));
    caller.call(&SessionClose {}).unwrap();
    assert_eq!(again(b"wrong").err(), Some(ErrorCode::PinIncorrect));
    again(SO_PIN).unwrap();
    let restarted = start(&store).unwrap();
    let mut caller = Caller::new(&restarted, client(1));
    caller.open(partition).unwrap();
    assert_eq!(caller.log_in(Role::User, USER_PIN).err(), Some(ErrorCode::UserPinNotSet));
    assert!(caller.find(Template::default()).is_empty());
    assert_eq!(caller.call(&TokenList {}).unwrap().tokens[0].label, "again");
}

#[test]
fn a_destroyed_partition_takes_its_sessions_along() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    caller.data_object("a", b"x").unwrap();
    Caller::new(&engine, admin()).call(&PartitionDestroy { partition }).unwrap();
    assert_eq!(caller.call(&Random { length: 1 }).err(), Some(ErrorCode::SessionUnknown));
    let kinds: Vec<u8> = store.image().live().iter().map(|r| r.id.kind).collect();
    assert!(!kinds.contains(&3) && !kinds.contains(&4) && !kinds.contains(&5));
    assert!(start(&store).is_ok());
}

#[test]
fn a_manufactured_device_only_waits_to_be_initialised() {
    let engine = start(&RamStore::new()).unwrap();
    let operator = Caller::new(&engine, admin());
    let create = PartitionCreate { label: "x".into(), mode: PartitionMode::Strict, approved_only: None };
    assert_eq!(operator.call(&create).err(), Some(ErrorCode::DeviceNotInitialized));
    assert_eq!(operator.call(&DeviceInfo {}).unwrap().lifecycle, Lifecycle::Manufactured);
    let init = DeviceInitialize { label: "hsm-1".into() };
    assert_eq!(Caller::new(&engine, client(1)).call(&init).err(), Some(ErrorCode::ChannelForbidden));
    operator.call(&init).unwrap();
    assert_eq!(operator.call(&init).err(), Some(ErrorCode::DeviceInitialized));
    let info = operator.call(&DeviceInfo {}).unwrap();
    assert_eq!((info.lifecycle, info.serial.len(), info.rollback_detected), (Lifecycle::Operational, 16, false));
}

#[test]
fn the_log_holds_every_act_in_an_unbroken_chain() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let pair = caller.generate_ec(P256, "k", true).unwrap();
    (0..50).for_each(|_| drop(caller.sign(pair.private, M::ECDSA, &[1; 32]).unwrap()));
    let mut other = Caller::new(&engine, client(1));
    other.open(partition).unwrap();
    other.log_in(Role::User, b"wrong").unwrap_err();
    let operator = Caller::new(&engine, admin());
    let (reply, bulk) = operator.call_with(&AuditRead { from: 1, max: 1000 }, &[]).unwrap();
    let mut decoder = minicbor::Decoder::new(&bulk);
    let records: Vec<Vec<u8>> = (0..reply.records).map(|_| decoder.bytes().unwrap().to_vec()).collect();
    assert_eq!(u64::from(reply.records), reply.last);
    let head = verify_chain(&Native, &records).unwrap();
    assert_eq!(head.as_slice(), operator.call(&DeviceInfo {}).unwrap().audit_head);
    let parsed: Vec<AuditRecord> = records.iter().map(|r| minicbor::decode(r).unwrap()).collect();
    let signatures: u64 = parsed
        .iter()
        .filter(|r| r.event.action == CommandCode::Sign as u16 && r.event.object == Some(pair.private))
        .map(|r| r.event.count)
        .sum();
    assert_eq!(signatures, 50);
    let refused = |r: &&AuditRecord| r.event.result == ErrorCode::PinIncorrect.number() && r.event.who == "client 1";
    assert_eq!(parsed.iter().filter(refused).count(), 1);
    let mut edited = records.clone();
    edited.remove(3);
    assert_eq!(verify_chain(&Native, &edited), Err(4));
    let mut swapped = records;
    swapped.swap(2, 3);
    assert!(verify_chain(&Native, &swapped).is_err());
}

#[test]
fn a_batch_answers_each_item_and_nests_in_nothing() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let pair = caller.generate_ec(P256, "k", true).unwrap();
    let item = |length: u8| {
        let mut head = Vec::new();
        command::encode_head(&Sign { key: pair.private, mechanism: M::ECDSA.into(), ticket: None }, &mut head);
        BatchItem { code: CommandCode::Sign as u16, head, bulk: u32::from(length), retry: None }
    };
    let bulk = [[1u8; 32].as_slice(), &[2; 5], &[3; 32]].concat();
    let batch = Batch { items: vec![item(32), item(5), item(32)] };
    let (reply, made) = caller.call_with(&batch, &bulk).unwrap();
    let codes: Vec<u16> = reply.items.iter().map(|i| i.code).collect();
    assert_eq!(codes, [0, ErrorCode::DataLength.number(), 0]);
    caller.verify(pair.public, M::ECDSA, &[3; 32], &made[64..]).unwrap();
    let nested = BatchItem { code: CommandCode::Batch as u16, head: vec![0xa0], bulk: 0, retry: None };
    assert_eq!(caller.call(&Batch { items: vec![nested] }).err(), Some(ErrorCode::BatchNested));
    assert_eq!(caller.call(&Batch { items: vec![item(1)] }).err(), Some(ErrorCode::CommandMalformed));
    let many = Batch { items: (0..=MAX_BATCH).map(|_| item(0)).collect() };
    assert_eq!(caller.call(&many).err(), Some(ErrorCode::BatchNested));
}

#[test]
fn labels_and_pins_have_lengths() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let operator = Caller::new(&engine, admin());
    let create = |label: &str| {
        operator.call(&PartitionCreate { label: label.into(), mode: PartitionMode::Strict, approved_only: None }).err()
    };
    assert_eq!(create(&"x".repeat(33)), Some(ErrorCode::AttributeValueInvalid));
    assert_eq!(create("a\nb"), Some(ErrorCode::AttributeValueInvalid));
    let mut caller = Caller::new(&engine, client(1));
    caller.open(partition).unwrap();
    let change = |new: &[u8]| caller.call(&PinChange { old: USER_PIN.into(), new: new.into() }).err();
    assert_eq!(change(b"123"), Some(ErrorCode::PinLength));
    assert_eq!(change(&[b'1'; 65]), Some(ErrorCode::PinLength));
    assert_eq!(change(b"abcd"), None);
    caller.log_in(Role::User, b"abcd").unwrap();
    assert_eq!(caller.log_in(Role::User, b"abcd").err(), Some(ErrorCode::AlreadyLoggedIn));
    assert_eq!(caller.log_in(Role::SecurityOfficer, SO_PIN).err(), Some(ErrorCode::OtherRoleLoggedIn));
    assert_eq!(caller.call(&UserPinInitialize { pin: USER_PIN.into() }).err(), Some(ErrorCode::NotLoggedIn));
    assert_eq!(caller.find(Template::default().with(A::TOKEN, true)), []);
}

fn frame(kind: FrameKind, code: u16, request: u32, head: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Frame { head, ..Frame::status(kind, code, request) }.encode(&mut out);
    out
}

#[test]
fn a_stream_begins_with_a_hello_and_its_numbers_rise() {
    let mut head = Vec::new();
    let hello = ClientHello { protocol: PROTOCOL, features: 0, max_frame: 4096, software: "test".into() };
    command::encode_head(&hello, &mut head);
    let hello = frame(FrameKind::Hello, 0, 0, &head);
    let call = |n| frame(FrameKind::Call, 0x0101, n, &[0xa0]);
    let mut stream = Conversation::default();
    assert_eq!(stream.admit(&call(1)), Err(ErrorCode::HelloExpected));
    assert_eq!(stream.frame_length(&[0, 0, 8, 0], MAX_FRAME_HOST), Err(ErrorCode::FrameTooLong));
    stream.admit(&hello).unwrap();
    assert_eq!(stream.frame_length(&[0, 0, 8, 0], MAX_FRAME_HOST), Ok(Some(2052)));
    stream.admit(&call(1)).unwrap();
    stream.admit(&call(5)).unwrap();
    assert_eq!(stream.admit(&call(5)), Err(ErrorCode::RequestRepeated));
    assert_eq!(stream.admit(&call(4)), Err(ErrorCode::RequestRepeated));
    assert_eq!(stream.admit(&hello), Err(ErrorCode::FrameMalformed));
    assert_eq!(stream.admit(&call(6)[..10]), Err(ErrorCode::FrameTruncated));
    let engine = start(&RamStore::new()).unwrap();
    let mut reply = Vec::new();
    engine.handle(&Peer::Owner, &hello, &mut reply);
    let answer: ServerHello = command::decode_head(Frame::parse(&reply).unwrap().head).unwrap();
    assert_eq!((answer.protocol, answer.max_frame as usize), (PROTOCOL, MAX_FRAME_HOST));
}

#[test]
fn hostile_frames_get_a_number_and_never_a_panic() {
    let engine = start(&RamStore::new()).unwrap();
    let answer = |bytes: &[u8]| {
        let mut reply = Vec::new();
        engine.handle(&client(1), bytes, &mut reply);
        let frame = Frame::parse(&reply).unwrap();
        (frame.kind, ErrorCode::from_number(frame.code))
    };
    assert_eq!(answer(&[]), (FrameKind::Fault, Some(ErrorCode::FrameTruncated)));
    let unknown = frame(FrameKind::Call, 0xffff, 1, &[0xa0]);
    assert_eq!(answer(&unknown), (FrameKind::Reply, Some(ErrorCode::CommandUnknown)));
    token(&engine, PartitionMode::Strict);
    for code in CommandCode::ALL {
        for head in [&[][..], &[0xff], &[0xa1, 0x00, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x80]] {
            let (kind, _) = answer(&frame(FrameKind::Call, *code as u16, 1, head));
            assert_eq!(kind, FrameKind::Reply, "{code:?}");
        }
    }
}
