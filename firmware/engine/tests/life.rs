//! A key's life (R11, R12, R35): what each state lets a key do, which may follow which, who may, and that no way leads round it.

mod rig;

use coloa_engine::{Platform, StartError};
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType as M, ObjectId, PartitionId, Template};
use rig::*;
use std::sync::atomic::{AtomicBool, Ordering};

fn yes_on_token(purposes: &[A]) -> Template {
    yes(purposes).with(A::TOKEN, true)
}

/// One key of each kind, and every use of it.
struct Keys {
    aes: ObjectId,
    mac: ObjectId,
    ec: KeyPairReply,
    kem: KeyPairReply,
    victim: ObjectId,
}

const INITIAL: [KeyState; 2] = [KeyState::PreActive, KeyState::Active];

impl Keys {
    fn new(caller: &Caller<'_>, initial: KeyState) -> Self {
        assert!(INITIAL.contains(&initial));
        let born = |template: Template| template.with(A::STATE, initial.number()).with(A::TOKEN, true);
        let pair = |kind, public, private| {
            let (mechanism, template) = pair_template(kind);
            let public = born(joined(template, yes(public)));
            caller.pair_by(mechanism, public, born(yes(private))).unwrap()
        };
        let mac = born(yes(&[A::SIGN, A::VERIFY, A::DERIVE])).with(A::VALUE_LEN, 32);
        let mac = KeyGenerate { mechanism: M::GENERIC_SECRET_KEY_GEN.into(), template: mac };
        Keys {
            aes: caller.generate_aes(born(yes(&[A::ENCRYPT, A::DECRYPT, A::WRAP, A::UNWRAP]))).unwrap(),
            mac: caller.call(&mac).unwrap().object,
            ec: pair(key_type::EC, &[A::VERIFY], &[A::SIGN]),
            kem: pair(key_type::ML_KEM, &[A::ENCAPSULATE], &[A::DECAPSULATE]),
            victim: caller.generate_aes(yes(&[A::EXTRACTABLE, A::ENCRYPT])).unwrap(),
        }
    }

    fn enter(&self, engine: &RamEngine, partition: PartitionId, state: KeyState) {
        for key in [self.aes, self.mac, self.ec.private, self.kem.private] {
            bring(engine, partition, key, state);
        }
    }
}

/// What was protected while the keys were active.
struct Made {
    text: (Vec<u8>, Vec<u8>),
    wrapped: Vec<u8>,
    mac: Vec<u8>,
    signature: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Made {
    fn by(caller: &Caller<'_>, keys: &Keys) -> Self {
        let (reply, text) = caller.call_with(&Encrypt { key: keys.aes, mechanism: gcm(None) }, b"text").unwrap();
        Made {
            text: (reply.iv.unwrap(), text),
            wrapped: caller.wrap(keys.aes, &kwp(), keys.victim).unwrap(),
            mac: caller.sign(keys.mac, M::SHA256_HMAC, b"data").unwrap(),
            signature: caller.sign(keys.ec.private, M::ECDSA, &[1; 32]).unwrap(),
            ciphertext: encapsulate(caller, keys.kem.public).unwrap(),
        }
    }

    fn nothing() -> Self {
        let some = || vec![1; 64];
        Made { text: (vec![1; 12], some()), wrapped: some(), mac: vec![1; 32], signature: some(), ciphertext: some() }
    }
}

fn encapsulate(caller: &Caller<'_>, key: ObjectId) -> Result<Vec<u8>, ErrorCode> {
    let template = open_secret(key_type::GENERIC_SECRET).with(A::VALUE_LEN, 32);
    caller.call(&KeyEncapsulate { key, mechanism: M::ML_KEM.into(), template }).map(|reply| reply.ciphertext)
}

/// Every use of every key, by name.
fn uses(caller: &Caller<'_>, keys: &Keys, made: &Made) -> Vec<(&'static str, Result<(), ErrorCode>)> {
    let secret = || open_secret(key_type::GENERIC_SECRET).with(A::VALUE_LEN, 32);
    let mechanism = gcm(Some(&made.text.0));
    let decrypt = Decrypt { key: keys.aes, mechanism, ticket: None };
    let decapsulate =
        KeyDecapsulate { key: keys.kem.private, mechanism: M::ML_KEM.into(), template: secret(), ticket: None };
    let unwrapped = yes(&[A::ENCRYPT]).with(A::CLASS, class::SECRET_KEY).with(A::KEY_TYPE, key_type::AES);
    vec![
        ("sign", caller.sign(keys.ec.private, M::ECDSA, &[1; 32]).map(|_| ())),
        ("mac", caller.sign(keys.mac, M::SHA256_HMAC, b"data").map(|_| ())),
        ("encrypt", caller.call_with(&Encrypt { key: keys.aes, mechanism: gcm(None) }, b"text").map(|_| ())),
        ("wrap", caller.wrap(keys.aes, &kwp(), keys.victim).map(|_| ())),
        ("derive", caller.derive(keys.mac, hkdf_extract(), secret()).map(|_| ())),
        ("encapsulate", encapsulate(caller, keys.kem.public).map(|_| ())),
        ("verify", caller.verify(keys.ec.public, M::ECDSA, &[1; 32], &made.signature).map(|_| ())),
        ("verify mac", caller.verify(keys.mac, M::SHA256_HMAC, b"data", &made.mac).map(|_| ())),
        ("decrypt", caller.call_with(&decrypt, &made.text.1).map(|_| ())),
        ("unwrap", caller.unwrap(keys.aes, &kwp(), &made.wrapped, unwrapped).map(|_| ())),
        ("decapsulate", caller.call_with(&decapsulate, &made.ciphertext).map(|_| ())),
    ]
}

fn hkdf_extract() -> coloa_wire::Mechanism {
    let hkdf = coloa_wire::mechanism::HkdfParams {
        extract: true,
        expand: false,
        hash: M::SHA256,
        salt: None,
        salt_key: None,
        info: Vec::new(),
    };
    coloa_wire::Mechanism { kind: M::HKDF_DERIVE, gcm: None, parameter: Some(coloa_wire::Parameter::Hkdf(hkdf)) }
}

/// Every state with every use. The first six apply protection, the others process what was protected.
#[test]
fn a_state_lets_a_key_do_this_and_no_more() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Compatible);
    let caller = user(&engine, partition);
    use ErrorCode as E;
    let table: [(KeyState, Option<E>, Option<E>); 5] = [
        (KeyState::PreActive, Some(E::KeyPreActive), Some(E::KeyPreActive)),
        (KeyState::Active, None, None),
        (KeyState::Suspended, Some(E::KeySuspended), Some(E::KeySuspended)),
        (KeyState::Deactivated, Some(E::KeyDeactivated), None),
        (KeyState::Compromised, Some(E::KeyCompromised), None),
    ];
    for (state, protects, processes) in table {
        let initial = if state == KeyState::PreActive { state } else { KeyState::Active };
        let keys = Keys::new(&caller, initial);
        let made = if initial == KeyState::Active { Made::by(&caller, &keys) } else { Made::nothing() };
        if state != initial {
            keys.enter(&engine, partition, state);
        }
        for (n, (name, outcome)) in uses(&caller, &keys, &made).into_iter().enumerate() {
            let expected = if n < 6 { protects } else { processes };
            assert_eq!(outcome.err(), expected, "{name} with a key that is {}", state.name());
        }
        for key in [keys.aes, keys.mac, keys.ec.private, keys.ec.public, keys.kem.public] {
            caller.shows(key, A::STATE, state.number());
        }
    }
}

/// Every pair of states over the wire, against the list of SP 800-57 part 1 §7.
#[test]
fn what_the_standard_does_not_allow_is_refused() {
    use KeyState::*;
    let legal = [
        (PreActive, Active),
        (PreActive, Compromised),
        (Active, Suspended),
        (Active, Deactivated),
        (Active, Compromised),
        (Suspended, Active),
        (Suspended, Deactivated),
        (Suspended, Compromised),
        (Deactivated, Compromised),
    ];
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let (caller, so) = (user(&engine, partition), officer(&engine, partition));
    for from in [PreActive, Active, Suspended, Deactivated, Compromised] {
        for to in KeyState::ALL {
            let initial = if from == PreActive { PreActive } else { Active };
            let template = yes_on_token(&[A::ENCRYPT]).with(A::STATE, initial.number());
            let key = caller.generate_aes(template).unwrap();
            if from != initial {
                set(&so, partition, key, from).unwrap();
            }
            let outcome = set(&so, partition, key, to);
            let expected = if legal.contains(&(from, to)) { Ok(1) } else { Err(ErrorCode::KeyTransitionIllegal) };
            assert_eq!(outcome, expected, "{} to {}", from.name(), to.name());
            let now = if outcome.is_ok() { to } else { from };
            caller.shows(key, A::STATE, now.number());
        }
    }
}

/// B6: who may take, who may give back, and who may end.
#[test]
fn only_the_officer_gives_back_and_only_the_partition_destroys() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let (caller, so) = (user(&engine, partition), officer(&engine, partition));
    let operator = Caller::new(&engine, admin());
    let mut stranger = Caller::new(&engine, client(1));
    let key = || caller.generate_aes(yes_on_token(&[A::ENCRYPT, A::DECRYPT])).unwrap();
    for who in [&operator, &so, &caller] {
        let key = key();
        set(who, partition, key, KeyState::Suspended).unwrap();
        for not in [&operator, &caller] {
            assert_eq!(set(not, partition, key, KeyState::Active), Err(ErrorCode::NotLoggedIn));
        }
        set(&so, partition, key, KeyState::Active).unwrap();
    }
    let (object, reason) = (key(), String::new());
    stranger.open(partition).unwrap();
    assert_eq!(set(&stranger, partition, object, KeyState::Suspended), Err(ErrorCode::NotLoggedIn));
    assert_eq!(stranger.call(&KeyList { partition, after: None, max: 9 }).err(), Some(ErrorCode::NotLoggedIn));
    let other = Caller::new(&engine, client(2));
    assert_eq!(set(&other, partition, object, KeyState::Suspended), Err(ErrorCode::PartitionUnknown));
    let destroy = KeyDestroy { partition, object, reason };
    assert_eq!(operator.call(&destroy).err(), Some(ErrorCode::NotLoggedIn));
    so.call(&destroy).unwrap();
    let rotate = KeyRotate { partition, object: key(), reason: String::new() };
    for not in [&operator, &so] {
        assert_eq!(not.call(&rotate).err(), Some(ErrorCode::NotLoggedIn));
    }
    // Who is logged in on one partition has no say on another.
    let second = token(&engine, PartitionMode::Strict);
    let object = user(&engine, second).generate_aes(yes_on_token(&[A::ENCRYPT])).unwrap();
    assert_eq!(set(&so, second, object, KeyState::Suspended), Err(ErrorCode::NotLoggedIn));
}

/// A key does not get rid of its state by a copy, a carrier or a file.
#[test]
fn no_way_leads_round_a_state() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Compatible);
    let caller = user(&engine, partition);
    let open = yes_on_token(&[A::ENCRYPT, A::DECRYPT, A::EXTRACTABLE]).with(A::SENSITIVE, false);
    let key = caller.generate_aes(open).unwrap();
    let value = caller.value(key).unwrap();
    let kek = caller.kek(Template::default());
    let carried = caller.wrap(kek, &kwp(), key).unwrap();
    let in_session = caller.copy(key, Template::default().with(A::TOKEN, false)).unwrap();
    let like = of_class(class::SECRET_KEY, key_type::AES).with(A::ENCRYPT, true).with(A::EXTRACTABLE, true);
    let carried_before = caller.unwrap(kek, &kwp(), &carried, like).unwrap();
    let of_copy = caller.copy(in_session, Template::default()).unwrap();
    let stored = caller.copy(key, Template::default()).unwrap();
    let encrypt = |key| caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"x").map(|_| ());
    for fine in [key, in_session, of_copy, stored, carried_before] {
        encrypt(fine).unwrap();
    }
    assert_eq!(set(&Caller::new(&engine, admin()), partition, key, KeyState::Suspended), Ok(2), "the key and its copy");
    let suspended = Some(ErrorCode::KeySuspended);
    for barred in [key, in_session, of_copy, stored, carried_before] {
        assert_eq!(encrypt(barred).err(), suspended, "an object made before");
        for token in [true, false] {
            assert_eq!(caller.copy(barred, Template::default().with(A::TOKEN, token)).err(), suspended);
        }
        assert_eq!(caller.wrap(kek, &kwp(), barred).err(), suspended);
        assert_eq!(caller.attribute(barred, A::VALUE).err(), Some(ErrorCode::AttributeSensitive));
    }
    let like = of_class(class::SECRET_KEY, key_type::AES).with(A::ENCRYPT, true);
    assert_eq!(caller.unwrap(kek, &kwp(), &carried, like.clone()).err(), suspended, "wrapped while it was active");
    assert_eq!(caller.create(like.with(A::VALUE, value)).err(), suspended, "a value from outside");
    for state in KeyState::ALL {
        let template = Template::default().with(A::STATE, state.number());
        let same = state == KeyState::Suspended;
        // The same value is no change, but no new key is born suspended either.
        let refused = if same { ErrorCode::AttributeValueInvalid } else { ErrorCode::AttributeReadOnly };
        let outcome = caller.write(key, template).err().unwrap();
        assert!([refused, ErrorCode::AttributeValueInvalid].contains(&outcome), "{} {outcome:?}", state.name());
    }
    caller.write(key, Template::default().with(A::LABEL, &b"new"[..])).unwrap();
    assert_eq!(encrypt(key).err(), suspended, "a new label changes nothing else");
    let born = yes_on_token(&[A::ENCRYPT]).with(A::STATE, KeyState::Compromised.number());
    assert_eq!(caller.generate_aes(born).err(), Some(ErrorCode::AttributeValueInvalid));
    bring(&engine, partition, key, KeyState::Active);
    for again in [key, in_session, of_copy, stored, carried_before] {
        encrypt(again).unwrap();
    }
}

#[test]
fn a_state_outlives_a_restart_and_the_record_before_it_is_noticed() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let pair = user(&engine, partition).generate_ec(P256, "k", true).unwrap();
    let before = store.image().entries().clone();
    assert_eq!(set(&officer(&engine, partition), partition, pair.private, KeyState::Suspended), Ok(2));
    drop(engine);
    let after = store.image();
    let again = start(&store).unwrap();
    let caller = user(&again, partition);
    assert_eq!(caller.sign(pair.private, M::ECDSA, &[1; 32]).err(), Some(ErrorCode::KeySuspended));
    drop(again);
    // R36: each of the pair's records, put back to what it was before the suspension.
    let mut tried = 0;
    for (id, old) in before.iter().filter(|(id, _)| id.id == pair.private.0 || id.id == pair.public.0) {
        store.restore(after.clone());
        store.tamper(|medium| {
            medium.entries().insert(*id, old.clone());
        });
        let refused = start(&store).err();
        let noticed = matches!(refused, Some(StartError::Store(ErrorCode::StoreRolledBack | ErrorCode::StoreCorrupt)));
        assert!(noticed, "{refused:?}");
        tried += 1;
    }
    assert_eq!(tried, 2);
}

/// Power is cut before and after the commit: both halves are suspended, or none, and what was acknowledged is.
#[test]
fn a_power_cut_leaves_a_pair_whole() {
    for (fault, acknowledged) in [(Fault::CutBefore, false), (Fault::CutAfter, true)] {
        let store = RamStore::new();
        let engine = start(&store).unwrap();
        let partition = token(&engine, PartitionMode::Strict);
        let pair = user(&engine, partition).generate_ec(P256, "k", true).unwrap();
        let so = officer(&engine, partition);
        store.fail_commit(0, fault);
        assert!(set(&so, partition, pair.private, KeyState::Suspended).is_err());
        store.power_on();
        let again = start(&store).unwrap();
        let caller = user(&again, partition);
        let expected = if acknowledged { KeyState::Suspended } else { KeyState::Active };
        for half in [pair.private, pair.public] {
            caller.shows(half, A::STATE, expected.number());
        }
    }
}

/// Threads sign, alone and in batches, while the key is suspended: what begins after that returned has no result.
#[test]
fn nothing_that_begins_after_the_suspension_succeeds() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let key = user(&engine, partition).generate_ec(P256, "k", true).unwrap().private;
    let (suspended, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let late = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|n| {
                let (engine, suspended, over) = (&engine, &suspended, &over);
                scope.spawn(move || {
                    let caller = user(engine, partition);
                    let (mut early, mut late) = (0, 0);
                    while !over.load(Ordering::SeqCst) {
                        let is_late = suspended.load(Ordering::SeqCst);
                        let done = if n % 2 == 0 { signed(&caller, key) } else { signed_in_batch(&caller, key) };
                        if is_late { late += done } else { early += done }
                    }
                    (early, late)
                })
            })
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(100));
        bring(&engine, partition, key, KeyState::Suspended);
        suspended.store(true, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(100));
        over.store(true, Ordering::SeqCst);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(late.iter().all(|(early, _)| *early > 0), "{late:?}");
    assert!(late.iter().all(|(_, late)| *late == 0), "{late:?}");
}

fn signed(caller: &Caller<'_>, key: ObjectId) -> usize {
    usize::from(caller.sign(key, M::ECDSA, &[1; 32]).is_ok())
}

fn signed_in_batch(caller: &Caller<'_>, key: ObjectId) -> usize {
    let mut head = Vec::new();
    coloa_wire::command::encode_head(&Sign { key, mechanism: M::ECDSA.into(), ticket: None }, &mut head);
    let item = BatchItem { code: CommandCode::Sign as u16, head, bulk: 32, retry: None };
    let items = vec![item.clone(), item.clone(), item];
    let (reply, _) = caller.call_with(&Batch { items }, &[1; 96]).unwrap();
    reply.items.iter().filter(|item| item.code == 0).count()
}

/// So is what was wrapped before it, and unwrapped at that moment.
#[test]
fn a_carried_key_that_comes_too_late_is_refused() {
    let engine = std::sync::Arc::new(start(&RamStore::new()).unwrap());
    let partition = token(&engine, PartitionMode::Compatible);
    let caller = user(&engine, partition);
    let key = caller.generate_aes(yes_on_token(&[A::ENCRYPT, A::EXTRACTABLE])).unwrap();
    let kek = caller.kek(Template::default());
    let carried = caller.wrap(kek, &kwp(), key).unwrap();
    let other = engine.clone();
    engine.platform().crypto().at_random(0, move || {
        set(&Caller::new(&other, admin()), partition, key, KeyState::Suspended).unwrap();
    });
    let template = of_class(class::SECRET_KEY, key_type::AES).with(A::ENCRYPT, true).with(A::TOKEN, true);
    assert_eq!(caller.unwrap(kek, &kwp(), &carried, template).err(), Some(ErrorCode::KeySuspended));
}

/// A copy that was begun before the suspension and would be stored after it is not made.
#[test]
fn a_copy_that_comes_too_late_is_refused() {
    let engine = std::sync::Arc::new(start(&RamStore::new()).unwrap());
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let key = caller.generate_aes(yes_on_token(&[A::ENCRYPT])).unwrap();
    let other = engine.clone();
    engine.platform().crypto().at_random(0, move || {
        set(&Caller::new(&other, admin()), partition, key, KeyState::Suspended).unwrap();
    });
    assert_eq!(caller.copy(key, Template::default()).err(), Some(ErrorCode::KeySuspended));
}
