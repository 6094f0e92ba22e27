//! What a hostile insider tries (boundary B6): keys without a login, other people's answers, more than a fair share.

mod rig;

use coloa_engine::{Peer, Platform};
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::attribute::class;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, Identity, MechanismType as M, RetryId, Template, command};
use rig::*;
use std::sync::Arc;

fn public_hmac(token: bool) -> Template {
    hmac_template(b"0123456789abcdef").with(A::PRIVATE, false).with(A::TOKEN, token)
}

#[test]
fn an_administrator_uses_and_makes_no_object() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Compatible);
    let key = user(&engine, partition).call(&ObjectCreate { template: public_hmac(true) }).unwrap().object;
    let mut operator = Caller::new(&engine, admin());
    operator.open(partition).unwrap();
    assert_eq!(operator.sign(key, M::SHA256_HMAC, b"x").err(), Some(ErrorCode::ChannelForbidden));
    let refused = operator.call(&ObjectCreate { template: public_hmac(false) });
    assert_eq!(refused.err(), Some(ErrorCode::ChannelForbidden));
    assert_eq!(operator.call(&ObjectDestroy { object: key }).err(), Some(ErrorCode::ChannelForbidden));
}

#[test]
fn a_strict_partition_uses_no_key_and_changes_nothing_without_a_login() {
    let engine = start(&RamStore::new()).unwrap();
    for (mode, refused) in [(PartitionMode::Strict, Some(ErrorCode::NotLoggedIn)), (PartitionMode::Compatible, None)] {
        let partition = token(&engine, mode);
        let owner = user(&engine, partition);
        let key = owner.call(&ObjectCreate { template: public_hmac(true) }).unwrap().object;
        let data = owner.data_object("d", b"x").unwrap();
        let mut stranger = Caller::new(&engine, client(1));
        stranger.open(partition).unwrap();
        assert_eq!(stranger.sign(key, M::SHA256_HMAC, b"x").err(), refused, "{mode:?}");
        let template = Template::default().with(A::LABEL, &b"mine"[..]);
        assert_eq!(stranger.call(&AttributesWrite { object: data, template }).err(), refused);
        assert_eq!(stranger.call(&ObjectDestroy { object: data }).err(), refused);
        assert_eq!(stranger.data_object("e", b"x").err(), refused);
        assert_eq!(stranger.call(&ObjectCreate { template: public_hmac(false) }).err(), refused);
    }
}

/// A security officer who knows a key must not be able to put it where the user looks for one.
#[test]
fn a_security_officer_plants_no_key() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let mut officer = Caller::new(&engine, client(1));
    officer.open(partition).unwrap();
    officer.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
    assert_eq!(officer.call(&ObjectCreate { template: public_hmac(true) }).err(), Some(ErrorCode::NotLoggedIn));
    officer.data_object("certificate of the root", b"x").unwrap();
}

/// R10: a DEK does not become a KEK by taking one purpose away and giving another.
#[test]
fn a_purpose_once_left_out_is_never_added() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let key = caller.generate_aes(Template::default()).unwrap();
    let template = Template::default().with(A::ENCRYPT, false).with(A::DECRYPT, false).with(A::WRAP, true);
    let refused = Some(ErrorCode::TemplateInconsistent);
    assert_eq!(caller.call(&AttributesWrite { object: key, template: template.clone() }).err(), refused);
    assert_eq!(caller.call(&ObjectCopy { object: key, template }).err(), refused);
    let template = Template::default().with(A::ENCRYPT, false);
    caller.call(&AttributesWrite { object: key, template }).unwrap();
    let template = Template::default().with(A::ENCRYPT, true);
    assert_eq!(caller.call(&AttributesWrite { object: key, template }).err(), refused);
}

#[test]
fn a_retry_id_is_worth_nothing_to_another_identity_or_on_another_partition() {
    let engine = start(&RamStore::new()).unwrap();
    let (court, agency) = (token(&engine, PartitionMode::Strict), token(&engine, PartitionMode::Strict));
    let namesake = Peer::Client { identity: Identity([2; 32]), name: "client 1".into() };
    let operator = Caller::new(&engine, admin());
    let identity = Identity([2; 32]);
    operator.call(&ClientBind { partition: court, identity, name: "namesake".into() }).unwrap();
    let mut first = user(&engine, court);
    first.retry = Some(RetryId([1; 16]));
    first.data_object("d", b"x").unwrap();
    let mut second = Caller::new(&engine, namesake);
    second.open(court).unwrap();
    second.log_in(Role::User, USER_PIN).unwrap();
    second.retry = Some(RetryId([1; 16]));
    assert_eq!(second.data_object("d", b"x").err(), Some(ErrorCode::RetryIdReused));
    let mut elsewhere = user(&engine, agency);
    elsewhere.retry = Some(RetryId([1; 16]));
    assert_eq!(elsewhere.data_object("d", b"x").err(), Some(ErrorCode::RetryIdReused));
}

#[test]
fn one_caller_cannot_take_every_session() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let identity = Identity([2; 32]);
    Caller::new(&engine, admin()).call(&ClientBind { partition, identity, name: "two".into() }).unwrap();
    let mut greedy = Caller::new(&engine, client(1));
    let refused = (0..100).find_map(|_| greedy.open(partition).err());
    assert_eq!(refused, Some(ErrorCode::SessionLimit));
    Caller::new(&engine, client(2)).open(partition).unwrap();
    engine.forget(&client(1));
    greedy.open(partition).unwrap();
}

#[test]
fn session_objects_have_a_budget() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let make = |label: &str| {
        let template = Template::default().with(A::CLASS, class::DATA).with(A::LABEL, label.as_bytes());
        caller.call(&ObjectCreate { template: template.with(A::VALUE, &[0; 16_000][..]) })
    };
    let made: Vec<_> = (0..100).map_while(|_| make("d").ok()).collect();
    assert!(made.len() < 100);
    assert_eq!(make("d").err(), Some(ErrorCode::ObjectLimit));
    let object = made[0].object;
    let template = Template::default().with(A::LABEL, &[b'x'; 16_000][..]);
    assert_eq!(caller.call(&AttributesWrite { object, template }).err(), Some(ErrorCode::ObjectLimit));
    caller.call(&ObjectDestroy { object }).unwrap();
    make("d").unwrap();
    let mut again = user(&engine, caller.call(&TokenList {}).unwrap().tokens[0].partition);
    again.session = None;
    engine.forget(&client(1));
}

#[test]
fn a_reply_fits_a_frame() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let object = caller.data_object("d", &[7; 16_000]).unwrap();
    let read = AttributesRead { object, kinds: vec![A::VALUE; 100] };
    assert_eq!(caller.call(&read).err(), Some(ErrorCode::DataTooLong));
    let mut head = Vec::new();
    command::encode_head(&AttributesRead { object, kinds: vec![A::VALUE; 50] }, &mut head);
    let item = BatchItem { code: CommandCode::AttributesRead as u16, head, bulk: 0, retry: None };
    let reply = caller.call(&Batch { items: vec![item; 3] }).unwrap();
    let codes: Vec<_> = reply.items.iter().map(|i| i.code).collect();
    assert_eq!(codes, [0, ErrorCode::DataTooLong.number(), ErrorCode::DataTooLong.number()]);
}

#[test]
fn the_log_tells_namesakes_apart() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    user(&engine, partition);
    let log = audit_log(&engine);
    let login = log.iter().rfind(|r| r.event.action == CommandCode::Login as u16).unwrap();
    assert_eq!((login.event.who.as_str(), login.event.identity), ("client 1", Some(Identity([1; 32]))));
}

#[test]
fn what_a_session_makes_and_what_was_refused_is_in_the_log() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let key = caller.generate_aes(Template::default()).unwrap();
    caller.call(&ObjectDestroy { object: key }).unwrap();
    caller.call(&Logout {}).unwrap();
    let mut outsider = Caller::new(&engine, client(9));
    assert_eq!(outsider.open(partition).err(), Some(ErrorCode::PartitionUnknown));
    let mut operator = Caller::new(&engine, admin());
    operator.open(partition).unwrap();
    assert!(operator.log_in(Role::User, USER_PIN).is_err());
    let log = audit_log(&engine);
    let has = |code: CommandCode, object, result: u16| {
        log.iter().any(|r| (r.event.action, r.event.object, r.event.result) == (code as u16, object, result))
    };
    assert!(has(CommandCode::KeyGenerate, Some(key), 0));
    assert!(has(CommandCode::ObjectDestroy, Some(key), 0));
    assert!(has(CommandCode::Logout, None, 0));
    assert!(has(CommandCode::SessionOpen, None, ErrorCode::PartitionUnknown.number()));
    assert!(has(CommandCode::Login, None, ErrorCode::ChannelForbidden.number()));
}

/// R19: a step back is a record of its own, also when the engine was off meanwhile.
#[test]
fn a_clock_that_steps_back_is_recorded() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let steps = |engine: &RamEngine| {
        audit_log(engine).iter().filter(|r| r.event.action == coloa_engine::audit::CLOCK_STEPPED_BACK).count()
    };
    assert_eq!(steps(&engine), 0);
    engine.platform().set_clock(1_600_000_000_000);
    user(&engine, partition);
    assert_eq!(steps(&engine), 1);
    engine.platform().set_clock(1_800_000_000_000);
    user(&engine, partition);
    assert_eq!(steps(&engine), 1);
    drop(engine);
    let restarted = start(&store).unwrap();
    user(&restarted, partition);
    assert_eq!(steps(&restarted), 2);
    let starts = audit_log(&restarted).iter().filter(|r| r.event.action == coloa_engine::audit::STARTED).count();
    assert_eq!(starts, 1, "the device was not operational at the first start");
}

/// R17: when the log cannot be written, keys are not used for long.
#[test]
fn a_log_that_cannot_be_written_stops_the_use_of_keys() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let pair = caller.generate_ec(P256, "k", true).unwrap();
    engine.flush();
    (0..200).for_each(|n| store.fail_commit(n, Fault::Full));
    caller.sign(pair.private, M::ECDSA, &[1; 32]).unwrap();
    engine.platform().set_clock(1_700_000_100_000);
    assert_eq!(caller.sign(pair.private, M::ECDSA, &[1; 32]).err(), Some(ErrorCode::StoreFull));
}

/// R12: the crypto-period that a key was given holds on a strict partition.
#[test]
fn a_date_is_a_date() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let dated = |start: &[u8], end: &[u8]| {
        caller.generate_aes(Template::default().with(A::START_DATE, start).with(A::END_DATE, end))
    };
    assert_eq!(dated(b"2023", b"").err(), Some(ErrorCode::AttributeValueInvalid));
    assert_eq!(dated(b"20231301", b"").err(), Some(ErrorCode::AttributeValueInvalid));
    let encrypt = |key| caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text");
    // The rig's clock begins on 2023-11-14.
    let early = dated(b"20231116", b"").unwrap();
    assert_eq!(encrypt(early).err(), Some(ErrorCode::KeyUseForbidden));
    let current = dated(b"20231114", b"20231114").unwrap();
    let (reply, sealed) = encrypt(current).unwrap();
    engine.platform().set_clock(1_700_000_000_000 + 86_400_000);
    assert_eq!(encrypt(current).err(), Some(ErrorCode::KeyUseForbidden));
    let decrypt = Decrypt { key: current, mechanism: gcm(reply.iv.as_deref()), ticket: None };
    assert_eq!(caller.call_with(&decrypt, &sealed).unwrap().1, b"text", "a deactivated key still decrypts (R11)");
    let later = Template::default().with(A::END_DATE, &b"20301231"[..]);
    let refused = caller.call(&AttributesWrite { object: current, template: later });
    assert_eq!(refused.err(), Some(ErrorCode::AttributeReadOnly));
}

/// R6: the random source fails where a PIN gets its salt, and where the root of the store is sealed.
#[test]
fn a_random_source_that_fails_anywhere_leads_to_the_error_state() {
    for nth in 0..4 {
        let engine = Arc::new(start(&RamStore::new()).unwrap());
        let partition = token(&engine, PartitionMode::Strict);
        let caller = user(&engine, partition);
        let other = engine.clone();
        engine.platform().crypto().at_random(nth, move || other.platform().crypto().fail_random(true));
        let change = PinChange { old: USER_PIN.into(), new: b"another".as_slice().into() };
        assert_eq!(caller.call(&change).err(), Some(ErrorCode::EntropyFailed), "{nth}");
        assert_eq!(engine.lifecycle(), Lifecycle::Error, "{nth}");
        engine.platform().crypto().fail_random(false);
        assert_eq!(caller.call(&Random { length: 1 }).err(), Some(ErrorCode::ErrorState));
    }
}

/// R12: a limit of encryptions that copies, new versions, restarts and crashes share.
#[test]
fn a_key_encrypts_no_more_than_it_may() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let key = caller.generate_aes(Template::default().with(A::TOKEN, true)).unwrap();
    let encrypt = |caller: &Caller<'_>, key| caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text");
    let before = store.commits();
    (0..10).for_each(|_| drop(encrypt(&caller, key).unwrap()));
    assert!(store.commits() - before < 5, "uses are reserved in blocks");
    let template = Template::default().with(A::LABEL, &b"renamed"[..]);
    caller.call(&AttributesWrite { object: key, template }).unwrap();
    let stored = caller.call(&ObjectCopy { object: key, template: Template::default() }).unwrap().object;
    let passing = Template::default().with(A::TOKEN, false);
    let passing = caller.call(&ObjectCopy { object: key, template: passing }).unwrap().object;
    (0..10).for_each(|_| drop(encrypt(&caller, stored).unwrap()));
    drop(engine);
    let restarted = start(&store).unwrap();
    let caller = user(&restarted, partition);
    assert_eq!(encrypt(&caller, passing).err(), Some(ErrorCode::ObjectUnknown));
    let passing = Template::default().with(A::TOKEN, false);
    let passing = caller.call(&ObjectCopy { object: stored, template: passing }).unwrap().object;
    let more = [key, stored, passing].map(|k| (0..200).take_while(|_| encrypt(&caller, k).is_ok()).count());
    let total = 20 + more.iter().sum::<usize>() as u64;
    assert!((ENCRYPTIONS - 40..=ENCRYPTIONS).contains(&total), "{more:?}");
    for k in [key, stored, passing] {
        assert_eq!(encrypt(&caller, k).err(), Some(ErrorCode::KeyLimitReached));
    }
    let logged = audit_log(&restarted);
    assert!(logged.iter().any(|r| r.event.result == ErrorCode::KeyLimitReached.number()));
    let fresh = caller.generate_aes(Template::default()).unwrap();
    assert_eq!((0..200).take_while(|_| encrypt(&caller, fresh).is_ok()).count() as u64, ENCRYPTIONS);
    // 2^32 (SP 800-38D §8.3)
    assert_eq!(coloa_engine::Limits::HOST.encryptions, 4_294_967_296);
}

#[test]
fn threads_that_encrypt_at_once_share_the_blocks() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let key = user(&engine, partition).generate_aes(Template::default().with(A::TOKEN, true)).unwrap();
    let made: usize = std::thread::scope(|scope| {
        let work = || {
            let caller = user(&engine, partition);
            (0..50).filter(|_| caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text").is_ok()).count()
        };
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|w| w.join().unwrap()).sum()
    });
    assert_eq!(made as u64, ENCRYPTIONS);
}

/// The count of a partition's bytes holds for what an object grows to, not only for what it was made as.
#[test]
fn a_stored_object_does_not_outgrow_its_partition() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let objects: Vec<_> = (0..80).map(|i| caller.data_object(&format!("{i}"), &[i]).unwrap()).collect();
    let grow = |object, length| {
        let template = Template::default().with(A::LABEL, vec![b'x'; length]);
        caller.call(&AttributesWrite { object, template })
    };
    let refused = objects.iter().find_map(|object| grow(*object, 16_000).err());
    assert_eq!(refused, Some(ErrorCode::ObjectLimit));
    // Who is at the limit may still shrink and destroy.
    grow(objects[0], 1).unwrap();
    grow(objects[1], 8_000).unwrap();
    caller.call(&ObjectDestroy { object: objects[1] }).unwrap();
}
