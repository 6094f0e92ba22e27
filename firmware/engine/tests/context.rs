//! Keys that ask for the PIN at each use (`CKA_ALWAYS_AUTHENTICATE`): one login, one use.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type as K};
use coloa_wire::command::*;
use coloa_wire::mechanism::{EcdhParams, Parameter};
use coloa_wire::{AttributeType as A, CommandCode, ErrorCode, Mechanism, MechanismType as M, ObjectId};
use coloa_wire::{RetryId, Template, UseTicket};
use rig::*;

const REFUSED: Option<ErrorCode> = Some(ErrorCode::NotLoggedIn);

fn careful(caller: &Caller<'_>) -> ObjectId {
    let public = Template::default().with(A::EC_PARAMS, P256).with(A::VERIFY, true);
    let private = Template::default().with(A::SIGN, true).with(A::ALWAYS_AUTHENTICATE, true).with(A::TOKEN, true);
    caller.pair_by(M::EC_KEY_PAIR_GEN, public, private).unwrap().private
}

fn leave(caller: &Caller<'_>) -> UseTicket {
    caller.call(&ContextLogin { pin: USER_PIN.into() }).unwrap().ticket
}

fn sign(caller: &Caller<'_>, key: ObjectId, ticket: Option<UseTicket>) -> Option<ErrorCode> {
    caller.call_with(&Sign { key, mechanism: M::ECDSA.into(), ticket }, &[1; 32]).err()
}

#[test]
fn each_use_needs_a_login_of_its_own() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in [PartitionMode::Strict, PartitionMode::Compatible] {
        let caller = user(&engine, token(&engine, mode));
        let key = careful(&caller);
        caller.shows(key, A::ALWAYS_AUTHENTICATE, true);
        assert_eq!(sign(&caller, key, None), REFUSED);
        assert_eq!(sign(&caller, key, Some(UseTicket([0; 16]))), REFUSED);
        let ticket = leave(&caller);
        assert_eq!(sign(&caller, key, None), REFUSED, "the login is for who has the ticket");
        assert_eq!(sign(&caller, key, Some(ticket)), None);
        assert_eq!(sign(&caller, key, Some(ticket)), REFUSED, "it is spent");
        let copy = caller.copy(key, Template::default()).unwrap();
        assert_eq!(sign(&caller, copy, None), REFUSED);
        let careless = Template::default().with(A::ALWAYS_AUTHENTICATE, false);
        assert_eq!(caller.copy(key, careless.clone()).err(), Some(ErrorCode::AttributeReadOnly));
        assert_eq!(caller.change(key, careless).err(), Some(ErrorCode::AttributeReadOnly));
    }
}

#[test]
fn a_ticket_is_not_spent_by_a_use_that_is_refused() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let (key, ticket) = (careful(&caller), leave(&caller));
    let forbidden = caller.call_with(&Decrypt { key, mechanism: M::AES_GCM.into(), ticket: Some(ticket) }, &[]);
    assert_eq!(forbidden.err(), Some(ErrorCode::KeyTypeInconsistent));
    let other = caller.generate_ec(P256, "other", false).unwrap().private;
    assert_eq!(sign(&caller, other, Some(ticket)), None, "a key that asks for nothing takes nothing");
    assert_eq!(sign(&caller, key, Some(ticket)), None);
}

#[test]
fn decryption_asks_too() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let (mechanism, public) = pair_template(K::RSA);
    let private = Template::default().with(A::DECRYPT, true).with(A::ALWAYS_AUTHENTICATE, true);
    let pair = caller.pair_by(mechanism, public.with(A::ENCRYPT, true), private).unwrap();
    let mechanism = Mechanism::from(M::RSA_PKCS);
    let sealed = caller.encrypt(pair.public, &mechanism, b"text").unwrap().1;
    assert_eq!(caller.decrypt(pair.private, &mechanism, &sealed).err(), REFUSED);
    let ticket = Some(leave(&caller));
    let decrypt = Decrypt { key: pair.private, mechanism, ticket };
    assert_eq!(caller.call_with(&decrypt, &sealed).unwrap().1, b"text");
    assert_eq!(caller.call_with(&decrypt, &sealed).err(), REFUSED);
}

#[test]
fn a_ticket_is_the_sessions_and_dies_with_the_login() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let (caller, other) = (user(&engine, partition), user(&engine, partition));
    let key = careful(&caller);
    let ticket = leave(&caller);
    assert_eq!(sign(&other, key, Some(ticket)), REFUSED);
    caller.call(&Logout {}).unwrap();
    caller.log_in(Role::User, USER_PIN).unwrap();
    assert_eq!(sign(&caller, key, Some(ticket)), REFUSED);
    let tickets: Vec<_> = (0..=MAX_TICKETS).map(|_| leave(&caller)).collect();
    assert_eq!(sign(&caller, key, Some(tickets[0])), REFUSED, "the oldest made room");
    tickets[1..].iter().for_each(|ticket| assert_eq!(sign(&caller, key, Some(*ticket)), None));
}

#[test]
fn threads_that_share_a_ticket_get_one_use() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let (key, ticket) = (careful(&caller), leave(&caller));
    let caller = &caller;
    let signed: usize = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..8).map(|_| scope.spawn(move || usize::from(sign(caller, key, Some(ticket)).is_none()))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(signed, 1);
}

/// R4: the same counter as for a login, and the same lock.
#[test]
fn a_wrong_pin_counts() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let mut caller = user(&engine, partition);
    let wrong = || ContextLogin { pin: b"wrong pin"[..].into() };
    assert_eq!(caller.call(&wrong()).err(), Some(ErrorCode::PinIncorrect));
    let failures = |caller: &Caller<'_>| caller.call(&TokenList {}).unwrap().tokens[0].user_pin.unwrap().failures;
    assert_eq!(failures(&caller), 1);
    leave(&caller);
    assert_eq!(failures(&caller), 0);
    // A retry id does not bring the answer back: each is a try.
    caller.retry = Some(RetryId([7; 16]));
    let (first, second) = (leave(&caller), leave(&caller));
    assert_ne!(first, second);
    for _ in 0..3 {
        assert_eq!(caller.call(&wrong()).err(), Some(ErrorCode::PinIncorrect));
    }
    assert_eq!(caller.call(&ContextLogin { pin: USER_PIN.into() }).err(), Some(ErrorCode::PinLocked));
    let log = audit_log(&engine);
    let tries = log.iter().filter(|r| r.event.action == CommandCode::ContextLogin as u16).count();
    assert_eq!(tries, 8, "every try is in the log");
}

#[test]
fn only_the_user_who_is_logged_in_gets_a_ticket() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let mut caller = Caller::new(&engine, client(1));
    let ask = |caller: &Caller<'_>| caller.call(&ContextLogin { pin: USER_PIN.into() }).err();
    assert_eq!(ask(&caller), Some(ErrorCode::SessionUnknown));
    caller.open(partition).unwrap();
    assert_eq!(ask(&caller), REFUSED);
    caller.log_in(Role::SecurityOfficer, SO_PIN).unwrap();
    assert_eq!(ask(&caller), REFUSED);
    let mut operator = Caller::new(&engine, admin());
    operator.open(partition).unwrap();
    assert_eq!(ask(&operator), Some(ErrorCode::ChannelForbidden));
}

/// PKCS#11 §4.9: only of a private object.
#[test]
fn a_key_that_anyone_sees_cannot_ask_for_a_pin() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let public = Template::default().with(A::EC_PARAMS, P256);
    let private = Template::default().with(A::ALWAYS_AUTHENTICATE, true).with(A::PRIVATE, false);
    let made = caller.pair_by(M::EC_KEY_PAIR_GEN, public, private);
    assert_eq!(made.err(), Some(ErrorCode::TemplateInconsistent));
    let secret = Template::default().with(A::ALWAYS_AUTHENTICATE, true);
    assert_eq!(caller.generate_aes(secret).err(), Some(ErrorCode::AttributeTypeInvalid));
}

/// Whatever a private key does takes a ticket: unwrapping, deriving, decapsulating.
#[test]
fn every_use_of_a_private_key_asks() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let pair = |kind, purposes: (A, A)| {
        let (mechanism, public) = pair_template(kind);
        let private = Template::default().with(purposes.1, true).with(A::ALWAYS_AUTHENTICATE, true);
        caller.pair_by(mechanism, public.with(purposes.0, true), private).unwrap()
    };
    let aes = || Template::default().with(A::KEY_TYPE, K::AES).with(A::CLASS, class::SECRET_KEY);
    let sized = || Template::default().with(A::KEY_TYPE, K::AES).with(A::VALUE_LEN, 32);

    let rsa = pair(K::RSA, (A::WRAP, A::UNWRAP));
    let key = caller.generate_aes(Template::default().with(A::EXTRACTABLE, true)).unwrap();
    let oaep = cipher(M::RSA_PKCS_OAEP, None).unwrap().1;
    let wrap = KeyWrap { wrapping: rsa.public, mechanism: oaep.clone(), key };
    let wrapped = caller.call_with(&wrap, &[]).unwrap().1;
    let unwrap = |ticket| {
        let mechanism = oaep.clone();
        let request = KeyUnwrap { unwrapping: rsa.private, mechanism, template: aes(), ticket };
        caller.call_with(&request, &wrapped).err()
    };
    let x25519 = pair(K::EC_MONTGOMERY, (A::DERIVE, A::DERIVE));
    let params = EcdhParams { kdf: None, shared: vec![], public: vec![9; 32] };
    let derive = |ticket| {
        let mechanism = Mechanism::with(M::ECDH1_DERIVE, Parameter::Ecdh(params.clone()));
        caller.call(&KeyDerive { base: x25519.private, mechanism, template: sized(), ticket }).err()
    };
    let kem = pair(K::ML_KEM, (A::ENCAPSULATE, A::DECAPSULATE));
    let encapsulate = KeyEncapsulate { key: kem.public, mechanism: M::ML_KEM.into(), template: sized() };
    let ciphertext = caller.call(&encapsulate).unwrap().ciphertext;
    let decapsulate = |ticket| {
        let request = KeyDecapsulate { key: kem.private, mechanism: M::ML_KEM.into(), template: sized(), ticket };
        caller.call_with(&request, &ciphertext).err()
    };
    let uses: [&dyn Fn(Option<UseTicket>) -> Option<ErrorCode>; 3] = [&unwrap, &derive, &decapsulate];
    for (number, attempt) in uses.into_iter().enumerate() {
        assert_eq!(attempt(None), REFUSED, "{number}");
        let ticket = Some(leave(&caller));
        assert_eq!(attempt(ticket), None, "{number}");
        assert_eq!(attempt(ticket), REFUSED, "{number}");
    }
}
