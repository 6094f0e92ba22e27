//! What is kept of a key beside its value: its period and its uses, what is said of it, the inventory, its replacement and the
//! record of its end (R12, R35).

mod rig;

use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::attribute::key_type;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType as M, Template, Value};
use rig::*;

fn yes_on_token(purposes: &[A]) -> Template {
    yes(purposes).with(A::TOKEN, true)
}

/// R12: the crypto-period holds on every partition, and its end is not put off by suspension or copy.
#[test]
fn a_crypto_period_ends_a_key() {
    const DAY: u64 = 86_400_000;
    for mode in BOTH {
        let engine = start(&RamStore::new()).unwrap();
        let partition = token(&engine, mode);
        let caller = user(&engine, partition);
        let template = yes_on_token(&[A::ENCRYPT, A::DECRYPT]).with(A::CRYPTO_PERIOD, 30);
        let key = caller.generate_aes(template).unwrap();
        let copy = caller.copy(key, Template::default().with(A::TOKEN, false)).unwrap();
        let encrypt = |key| caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text");
        engine.platform().set_clock(1_700_000_000_000 + 29 * DAY);
        bring(&engine, partition, key, KeyState::Suspended);
        bring(&engine, partition, key, KeyState::Active);
        let (reply, sealed) = encrypt(key).unwrap();
        let later = KeyDescribe {
            partition,
            object: key,
            metadata: KeyMetadata { crypto_period: Some(31), ..Default::default() },
        };
        assert_eq!(caller.call(&later).err(), Some(ErrorCode::MetadataLoosened));
        engine.platform().set_clock(1_700_000_000_000 + 31 * DAY);
        for over in [key, copy] {
            assert_eq!(encrypt(over).err(), Some(ErrorCode::KeyDeactivated));
        }
        caller.shows(key, A::STATE, KeyState::Deactivated.number());
        let decrypt = Decrypt { key, mechanism: gcm(reply.iv.as_deref()), ticket: None };
        assert_eq!(caller.call_with(&decrypt, &sealed).unwrap().1, b"text");
    }
}

/// R12: a key signs as often as it may, over restarts and copies, and verifies ever after.
#[test]
fn a_key_with_a_number_of_uses_has_no_more() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let template = yes_on_token(&[A::SIGN, A::VERIFY]).with(A::MAX_USES, 10).with(A::VALUE_LEN, 32);
    let request = KeyGenerate { mechanism: M::GENERIC_SECRET_KEY_GEN.into(), template };
    let key = caller.call(&request).unwrap().object;
    let copy = caller.copy(key, Template::default().with(A::TOKEN, false)).unwrap();
    let mac = caller.sign(key, M::SHA256_HMAC, b"x").unwrap();
    caller.sign(copy, M::SHA256_HMAC, b"x").unwrap();
    caller.shows(key, A::USES, 2);
    drop(engine);
    let engine = start(&store).unwrap();
    let caller = user(&engine, partition);
    let signed = (0..20).filter(|_| caller.sign(key, M::SHA256_HMAC, b"x").is_ok()).count();
    assert_eq!(signed, 8);
    assert_eq!(caller.sign(key, M::SHA256_HMAC, b"x").err(), Some(ErrorCode::KeyLimitReached));
    caller.verify(key, M::SHA256_HMAC, b"x", &mac).unwrap();
    let metadata = KeyMetadata { max_uses: Some(11), ..KeyMetadata::default() };
    let more = KeyDescribe { partition, object: key, metadata };
    assert_eq!(caller.call(&more).err(), Some(ErrorCode::MetadataLoosened));
}

#[test]
fn what_is_said_of_a_key_is_kept_and_not_taken_back() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let template = yes_on_token(&[A::ENCRYPT]).with(A::ORGAN, &b"court"[..]).with(A::CLASSIFICATION, 1);
    let object = caller.generate_aes(template).unwrap();
    let operator = Caller::new(&engine, admin());
    let say = |metadata| operator.call(&KeyDescribe { partition, object, metadata });
    let none = KeyMetadata::default;
    say(KeyMetadata { site: Some("Hà Nội".into()), classification: Some(2), ..none() }).unwrap();
    caller.shows(object, A::ORGAN, &b"court"[..]);
    caller.shows(object, A::SITE, "Hà Nội".as_bytes());
    caller.shows(object, A::CLASSIFICATION, 2);
    assert_eq!(say(KeyMetadata { classification: Some(1), ..none() }).err(), Some(ErrorCode::MetadataLoosened));
    assert_eq!(say(KeyMetadata { classification: Some(4), ..none() }).err(), Some(ErrorCode::AttributeValueInvalid));
    for wrong in [String::new(), "a\nb".into(), "x".repeat(129)] {
        let refused = say(KeyMetadata { organ: Some(wrong), ..none() }).err();
        assert_eq!(refused, Some(ErrorCode::AttributeValueInvalid));
    }
    let template = Template::default().with(A::ORGAN, &b"thief"[..]);
    assert_eq!(caller.write(object, template).err(), Some(ErrorCode::AttributeReadOnly));
    caller.shows(object, A::ORGAN, &b"court"[..]);
}

/// R35: every key, private ones too, a page at a time and without a login; and nothing that helps to use one.
#[test]
fn the_inventory_has_every_key_and_no_value() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Compatible);
    let caller = user(&engine, partition);
    let value = b"a value that nobody reads here..";
    let imported = secret_template(key_type::AES, value).with(A::TOKEN, true).with(A::LABEL, &b"in"[..]);
    let imported = caller.create(imported).unwrap();
    let pair = caller.generate_ec(P384, "pair", true).unwrap();
    let closed = caller.generate_aes(yes_on_token(&[A::ENCRYPT])).unwrap();
    caller.data_object("no key", b"x").unwrap();
    bring(&engine, partition, closed, KeyState::Compromised);
    let operator = Caller::new(&engine, admin());
    let (mut keys, mut after): (Vec<KeyEntry>, _) = (Vec::new(), None);
    loop {
        let page = operator.call(&KeyList { partition, after, max: 1 }).unwrap();
        assert_eq!(page.keys.len(), 1);
        after = page.keys.last().map(|key| key.object);
        keys.extend(page.keys);
        if !page.more {
            break;
        }
    }
    let mut expected = [imported, pair.private, pair.public, closed];
    expected.sort();
    assert_eq!(keys.iter().map(|key| key.object).collect::<Vec<_>>(), expected);
    let of = |id| keys.iter().find(|key| key.object == id).unwrap();
    assert_eq!((of(closed).state, of(closed).bits), (KeyState::Compromised, 256));
    assert!(of(closed).since.is_some() && of(closed).reason.as_deref() == Some("test"));
    assert_eq!(of(pair.private).check_value, of(pair.public).check_value);
    assert_eq!((of(pair.private).check_value.len(), of(pair.private).bits), (8, 384));
    assert_eq!(of(imported).check_value.len(), 3);
    let mut bytes = Vec::new();
    coloa_wire::command::encode_head(&KeyListReply { keys: keys.clone(), more: false }, &mut bytes);
    assert!(!bytes.windows(value.len()).any(|window| window == value));
}

/// The record of a destruction refers to the audit log, which says the same.
#[test]
fn a_destruction_is_certified() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let template = yes_on_token(&[A::ENCRYPT]).with(A::LABEL, &b"old"[..]);
    let key = caller.generate_aes(template).unwrap();
    let copy = caller.copy(key, Template::default()).unwrap();
    let value = caller.attribute(key, A::CHECK_VALUE);
    let destroy = |object| KeyDestroy { partition, object, reason: "end of life".into() };
    let record = caller.call(&destroy(key)).unwrap();
    assert!(value == Ok(record.check_value.clone().into()));
    assert_eq!((record.object, &record.remaining), (key, &vec![copy]));
    assert_eq!(caller.call(&destroy(key)).err(), Some(ErrorCode::ObjectUnknown));
    assert!(caller.call(&destroy(copy)).unwrap().remaining.is_empty());
    let place = record.audit.unwrap();
    let log = audit_log(&engine);
    let logged = log.iter().find(|logged| logged.number == place.number).unwrap();
    assert_eq!((logged.event.object, logged.event.result), (Some(key), 0));
    assert_eq!(logged.event.detail.as_deref(), Some("destroyed: end of life"));
    let next = log.iter().find(|next| next.number == place.number + 1).unwrap();
    assert_eq!(next.previous, place.digest, "the next record holds the digest that was certified");
    let kept = yes_on_token(&[A::ENCRYPT]).with(A::DESTROYABLE, false);
    let kept = caller.generate_aes(kept).unwrap();
    assert_eq!(caller.call(&destroy(kept)).err(), Some(ErrorCode::ActionProhibited));
}

/// The log marks each use of a key that counts as compromised.
#[test]
fn a_compromised_key_is_used_under_the_eyes_of_the_log() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let pair = caller.generate_ec(P256, "k", true).unwrap();
    let made = caller.sign(pair.private, M::ECDSA, &[1; 32]).unwrap();
    bring(&engine, partition, pair.private, KeyState::Compromised);
    caller.verify(pair.public, M::ECDSA, &[1; 32], &made).unwrap();
    engine.flush();
    let marked = ErrorCode::KeyCompromisedUsed.number();
    let uses = audit_log(&engine).into_iter().filter(|record| record.event.result == marked);
    assert_eq!(uses.map(|record| record.event.object).collect::<Vec<_>>(), [Some(pair.public)]);
}

/// Every object that is there was once recorded as made, both halves of a pair too.
#[test]
fn the_log_names_every_object_that_is_made() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let pair = caller.generate_ec(P256, "k", true).unwrap();
    let passing = caller.generate_aes(yes(&[A::ENCRYPT])).unwrap();
    engine.flush();
    let log = audit_log(&engine);
    let said = |id| log.iter().find(|record| record.event.object == Some(id)).and_then(|r| r.event.detail.clone());
    assert_eq!(said(pair.private).as_deref(), Some("private key"));
    assert_eq!(said(pair.public).as_deref(), Some("public key"));
    assert_eq!(said(passing).as_deref(), Some("session"));
}

#[test]
fn rotation_replaces_a_key_and_the_old_one_still_decrypts() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let template = yes_on_token(&[A::ENCRYPT, A::DECRYPT]).with(A::LABEL, &b"dek"[..]).with(A::ORGAN, &b"court"[..]);
    let old = caller.generate_aes(template).unwrap();
    let (reply, sealed) = caller.call_with(&Encrypt { key: old, mechanism: gcm(None) }, b"text").unwrap();
    let rotate = |object| caller.call(&KeyRotate { partition, object, reason: "yearly".into() });
    store.fail_commit(0, Fault::Full);
    assert_eq!(rotate(old).err(), Some(ErrorCode::StoreFull));
    caller.shows(old, A::STATE, KeyState::Active.number());
    let new = rotate(old).unwrap();
    assert_eq!((new.version, &new.old, new.public), (2, &vec![old], None));
    let active = Template::default().with(A::LABEL, &b"dek"[..]).with(A::STATE, KeyState::Active.number());
    assert_eq!(caller.find(active.clone()), [new.object], "label and state name the one to encrypt with");
    caller.shows(new.object, A::ORGAN, &b"court"[..]);
    caller.shows(new.object, A::PREDECESSOR, &old.0[..]);
    assert!(caller.attribute(new.object, A::CHECK_VALUE) != caller.attribute(old, A::CHECK_VALUE));
    let encrypt = |key| caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"x").map(|_| ());
    assert_eq!(encrypt(old).err(), Some(ErrorCode::KeyDeactivated));
    encrypt(new.object).unwrap();
    let decrypt = Decrypt { key: old, mechanism: gcm(reply.iv.as_deref()), ticket: None };
    assert_eq!(caller.call_with(&decrypt, &sealed).unwrap().1, b"text");
    assert_eq!(rotate(old).err(), Some(ErrorCode::KeyTransitionIllegal));
    assert_eq!(rotate(new.object).unwrap().version, 3);
    assert_eq!(caller.find(active).len(), 1);
}

#[test]
fn a_pair_is_replaced_whole_and_what_came_from_outside_is_not() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let old = caller.generate_ec(P384, "pair", true).unwrap();
    let made = caller.sign(old.private, M::ECDSA, &[1; 48]).unwrap();
    let rotate = |object| caller.call(&KeyRotate { partition, object, reason: String::new() });
    let new = rotate(old.private).unwrap();
    let signature = caller.sign(new.object, M::ECDSA, &[1; 48]).unwrap();
    caller.verify(new.public.unwrap(), M::ECDSA, &[1; 48], &signature).unwrap();
    assert_eq!(caller.sign(old.private, M::ECDSA, &[1; 48]).err(), Some(ErrorCode::KeyDeactivated));
    caller.verify(old.public, M::ECDSA, &[1; 48], &made).unwrap();
    assert_eq!(new.old.len(), 2);
    let imported = caller.create(hmac_template(b"0123456789abcdef").with(A::TOKEN, true)).unwrap();
    assert_eq!(rotate(imported).err(), Some(ErrorCode::KeyNotRotatable));
}

#[test]
fn state_is_found_by_its_value() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let key = caller.generate_aes(yes_on_token(&[A::ENCRYPT])).unwrap();
    let by = |state: KeyState| caller.find(Template::default().with(A::STATE, Value::Uint(state.number())));
    assert_eq!(by(KeyState::Active), [key]);
    bring(&engine, partition, key, KeyState::Suspended);
    assert!(by(KeyState::Active).is_empty());
    assert_eq!(by(KeyState::Suspended), [key]);
}
