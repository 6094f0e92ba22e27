//! Which services are approved (R8): told beforehand, told by the log, and on a partition that serves no others, kept to.

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::mechanisms;
use coloa_store_testkit::RamStore;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, CommandCode, ErrorCode, MechanismType as M, ObjectId, Template};
use rig::*;
use std::collections::BTreeSet;

const SIGN: u32 = 0x800;
const VERIFY: u32 = 0x2000;
const X25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x6e];

/// What a reader of SP 800-131A finds to be not approved, of all that is served: mechanism and flags.
// R8
#[test]
fn what_is_not_approved_is_this_and_no_more() {
    let not = |m: &MechanismInfo| m.flags & 0xf_ffff & !m.approved.unwrap_or(0);
    let found: BTreeSet<(u32, u32)> =
        mechanisms(&Native::new()).filter(|m| not(m) & 0xf_ab00 != 0).map(|m| (m.kind.0, not(&m) & 0xf_ab00)).collect();
    let wanted = [
        (M::RSA_PKCS, 0x6_2b00),
        (M::RSA_PKCS_OAEP, 0x300),
        (M::RSA_PKCS_PSS, SIGN | VERIFY),
        (M::PKCS5_PBKD2, 0x8000),
        (M::ECDSA, SIGN | VERIFY),
        (M::ECDSA_SHA1, SIGN),
        (M::AES_CBC_PAD, 0x6_0000),
        (M::AES_KEY_WRAP_PAD, 0x6_0000),
    ];
    let wanted: BTreeSet<(u32, u32)> = wanted.into_iter().map(|(kind, flags)| (kind.0, flags)).collect();
    assert!(found.is_superset(&wanted), "{:x?}", wanted.difference(&found).collect::<Vec<_>>());
    let more: Vec<_> = found.difference(&wanted).filter(|(kind, _)| *kind != M::EC_MONTGOMERY_KEY_PAIR_GEN.0).collect();
    assert!(more.is_empty(), "{more:x?}");
    assert!(mechanisms(&Native::new()).all(|m| m.approved.unwrap_or(0) & !m.flags == 0));
}

/// How the log tells the last use of a key with a mechanism.
fn told(engine: &RamEngine, key: ObjectId, mechanism: M) -> Option<String> {
    engine.flush();
    let log = audit_log(engine);
    let mut of_it = log.iter().rev().filter(|r| r.event.object == Some(key) && r.event.mechanism == Some(mechanism));
    of_it.next().expect("it is in the log").event.detail.clone()
}

// R8
#[test]
fn the_log_says_of_each_use_whether_it_was_approved() {
    let engine = start(&RamStore::new()).unwrap();
    let owner = user(&engine, token(&engine, PartitionMode::Compatible));
    let pair = owner.generate_ec(P384, "seal", true).unwrap();
    owner.sign(pair.private, M::ECDSA, &[7; 48]).unwrap();
    assert_eq!(told(&engine, pair.private, M::ECDSA).as_deref(), Some("not approved"));
    owner.sign(pair.private, M::ECDSA_SHA384, &[7; 48]).unwrap();
    assert_eq!(told(&engine, pair.private, M::ECDSA_SHA384), None);
    // The same mechanism, by who makes its IV (IG C.H): on this partition callers may.
    let key = owner.generate_aes(yes(&[A::ENCRYPT, A::DECRYPT]).with(A::TOKEN, true)).unwrap();
    let (iv, sealed) = owner.encrypt(key, &gcm(None), b"text").unwrap();
    assert_eq!(told(&engine, key, M::AES_GCM).as_deref(), Some("not approved"));
    let open = Decrypt { key, mechanism: gcm(iv.as_deref()), ticket: None };
    owner.call_with(&open, &sealed).unwrap();
    assert!(
        audit_log(&engine).iter().all(|r| r.event.action != CommandCode::Decrypt as u16 || r.event.detail.is_none())
    );
}

fn montgomery() -> KeyPairGenerate {
    let public = Template::default().with(A::TOKEN, true).with(A::EC_PARAMS, X25519);
    let private = Template::default().with(A::TOKEN, true).with(A::DERIVE, true);
    KeyPairGenerate { mechanism: M::EC_MONTGOMERY_KEY_PAIR_GEN.into(), public, private }
}

// R8
#[test]
fn a_partition_for_approved_services_refuses_the_rest_for_life() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = token_of(&engine, PartitionMode::Compatible, Some(true));
    for engine in [engine, start(&store).unwrap()] {
        let owner = user(&engine, partition);
        let pair = owner.generate_ec(P384, "seal", false).unwrap();
        owner.sign(pair.private, M::ECDSA_SHA384, &[7; 48]).unwrap();
        let refused = Some(ErrorCode::ServiceNotApproved);
        assert_eq!(owner.sign(pair.private, M::ECDSA, &[7; 48]).err(), refused);
        assert_eq!(told(&engine, pair.private, M::ECDSA), None);
        assert_eq!(owner.sign(pair.private, M::ECDSA_SHA1, &[7; 20]).err(), refused);
        let key = owner.generate_aes(yes(&[A::ENCRYPT, A::DECRYPT])).unwrap();
        assert_eq!(owner.encrypt(key, &gcm(None), b"text").err(), refused);
        assert_eq!(owner.call(&montgomery()).err(), refused);
        let short = owner.import(hmac_template(&[5; 13]));
        let mac = short.and_then(|key| owner.sign(key, M::SHA256_HMAC, b"text"));
        assert!(mac.is_err(), "a key below 112 bits");
        let long = owner.import(hmac_template(&[5; 14])).unwrap();
        owner.sign(long, M::SHA256_HMAC, b"text").unwrap();
        let tokens = owner.call(&TokenList {}).unwrap().tokens;
        assert_eq!(tokens.iter().map(|t| t.approved_only).collect::<Vec<_>>(), [Some(true)]);
    }
}

// R8: strict, the engine makes every IV, and a key made elsewhere than on such a partition is told by the log.
#[test]
fn a_strict_partition_serves_gcm_as_approved_and_marks_what_is_not() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token_of(&engine, PartitionMode::Strict, Some(true));
    let owner = user(&engine, partition);
    let key = owner.generate_aes(yes(&[A::ENCRYPT, A::DECRYPT])).unwrap();
    owner.encrypt(key, &gcm(None), b"text").unwrap();
    assert_eq!(told(&engine, key, M::AES_GCM), None);
    let free = user(&engine, token(&engine, PartitionMode::Strict));
    let made = free.call(&montgomery()).unwrap();
    let log = audit_log(&engine);
    let record = log.iter().rev().find(|r| r.event.object == Some(made.private)).unwrap();
    assert!(record.event.detail.as_deref().unwrap_or_default().contains("not approved"), "{:?}", record.event.detail);
}
