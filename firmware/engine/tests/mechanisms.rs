//! Every mechanism that is listed does what its flags say, in a strict and in a compatible partition; a row that no test
//! here or in the files that [`ELSEWHERE`] names covers fails.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::key_type as K;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, ObjectId, Template};
use rig::*;
use std::collections::BTreeMap;

const ENCRYPT: u32 = 0x100;
const DECRYPT: u32 = 0x200;
const SIGN: u32 = 0x800;
const VERIFY: u32 = 0x2000;
const GENERATE: u32 = 0x8000;
const GENERATE_PAIR: u32 = 0x1_0000;
/// Wrap, unwrap, derive, encapsulate, decapsulate.
const OTHERS: u32 = 0x2_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x2000_0000;
/// Properties of curves.
const CURVES: u32 = 0x10_0000 | 0x80_0000 | 0x100_0000;
/// Rows with a flag of [`OTHERS`], and PBKDF2's generation: the tests of wrapping and derivation cover these.
const ELSEWHERE: &[M] = &[
    M::RSA_PKCS,
    M::RSA_PKCS_OAEP,
    M::ML_KEM,
    M::SP800_108_COUNTER_KDF,
    M::PKCS5_PBKD2,
    M::ECDH1_DERIVE,
    M::RSA_AES_KEY_WRAP,
    M::AES_CBC_PAD,
    M::AES_GCM,
    M::AES_KEY_WRAP,
    M::AES_KEY_WRAP_PAD,
    M::AES_KEY_WRAP_KWP,
    M::HKDF_DERIVE,
];

/// A key that signs and one that verifies, or one that encrypts and one that decrypts.
struct Keys {
    first: ObjectId,
    second: ObjectId,
}

/// Keys that were made already, so that each RSA pair is made once.
#[derive(Default)]
struct Ring(BTreeMap<(u64, A, u8), (ObjectId, ObjectId)>);

impl Ring {
    fn keys(&mut self, caller: &Caller<'_>, kind: u64, purpose: A, number: u8) -> Keys {
        let made = self.0.entry((kind, purpose, number)).or_insert_with(|| make(caller, kind, purpose));
        let (first, second) = *made;
        Keys { first, second }
    }
}

fn make(caller: &Caller<'_>, kind: u64, purpose: A) -> (ObjectId, ObjectId) {
    let secret = |mechanism, length, purposes: &[A]| {
        let key = caller.secret(mechanism, length, purposes).unwrap();
        (key, key)
    };
    let both: &[A] = if purpose == A::SIGN { &[A::SIGN, A::VERIFY] } else { &[A::ENCRYPT, A::DECRYPT] };
    match kind {
        K::AES => secret(M::AES_KEY_GEN, 32, both),
        K::AES_XTS => secret(M::AES_XTS_KEY_GEN, 64, both),
        K::GENERIC_SECRET => secret(M::GENERIC_SECRET_KEY_GEN, 32, both),
        _ if purpose == A::SIGN => {
            let pair = caller.pair(kind, (A::VERIFY, A::SIGN)).unwrap();
            (pair.private, pair.public)
        }
        _ => {
            let pair = caller.pair(kind, (A::ENCRYPT, A::DECRYPT)).unwrap();
            (pair.public, pair.private)
        }
    }
}

fn changed(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

/// Signs and verifies; what a strict partition takes away is forbidden there.
fn signs(caller: &Caller<'_>, ring: &mut Ring, row: &MechanismInfo, taken: u32) {
    let kind = row.kind;
    let (key_type, mechanism, data) = signing(kind).unwrap_or_else(|| panic!("{kind:x?} is listed and not tested"));
    let keys = ring.keys(caller, key_type, A::SIGN, 0);
    let made = caller.sign_by(keys.first, &mechanism, &data);
    if taken & SIGN != 0 {
        assert_eq!(made, Err(ErrorCode::MechanismForbidden), "{kind:x?}");
        let wrong = vec![9; if key_type == K::EC { 64 } else { 384 }];
        assert_eq!(caller.verify_by(keys.second, &mechanism, &data, &wrong), Err(ErrorCode::SignatureInvalid));
        if key_type == K::EC {
            let made = caller.sign_by(keys.first, &M::ECDSA.into(), &data).unwrap();
            assert_eq!(caller.verify_by(keys.second, &mechanism, &data, &made), Ok(()), "{kind:x?}");
        }
        return;
    }
    let made = made.unwrap_or_else(|error| panic!("{kind:x?} {error:?}"));
    let verify = |key, data: &[u8], made: &[u8]| caller.verify_by(key, &mechanism, data, made);
    assert_eq!(verify(keys.second, &data, &made), Ok(()), "{kind:x?}");
    let invalid = Err(ErrorCode::SignatureInvalid);
    assert_eq!(verify(keys.second, &data, &changed(&made, 0)), invalid, "{kind:x?}");
    assert_eq!(verify(keys.second, &data, &changed(&made, made.len() - 1)), invalid, "{kind:x?}");
    assert_eq!(verify(keys.second, &changed(&data, 0), &made), invalid, "{kind:x?}");
    assert_eq!(verify(keys.second, &data, &made[1..]).err(), Some(ErrorCode::SignatureLength), "{kind:x?}");
    let other = ring.keys(caller, key_type, A::SIGN, 1);
    assert_eq!(verify(other.second, &data, &made), invalid, "{kind:x?}");
}

/// Encrypts and decrypts, with an IV of the caller where the partition lets it and with one of the engine's.
fn encrypts(caller: &Caller<'_>, ring: &mut Ring, row: &MechanismInfo, taken: u32) {
    let kind = row.kind;
    let length = if kind == M::AES_CCM || kind == M::AES_GCM { 12 } else { 16 };
    let given = vec![5; length];
    let chosen = cipher(kind, Some(&given)).unwrap_or_else(|| panic!("{kind:x?} is listed and not tested"));
    let (key_type, mechanism) = chosen;
    let keys = ring.keys(caller, key_type, A::ENCRYPT, 0);
    let text = [8; 48];
    let sealed = caller.encrypt(keys.first, &mechanism, &text);
    if taken & ENCRYPT != 0 {
        assert_eq!(sealed, Err(ErrorCode::MechanismForbidden), "{kind:x?}");
        assert_eq!(caller.decrypt(keys.second, &mechanism, &text), Err(ErrorCode::MechanismForbidden), "{kind:x?}");
        return;
    }
    let made = cipher(kind, None).unwrap().1;
    let takes_iv = made != mechanism;
    match sealed {
        Ok((None, sealed)) => {
            assert_ne!(sealed[..48], text, "{kind:x?}");
            assert_eq!(caller.decrypt(keys.second, &mechanism, &sealed).as_deref(), Ok(&text[..]), "{kind:x?}");
        }
        // What the engine makes on a strict partition.
        other => assert!(takes_iv && other == Err(ErrorCode::MechanismParameter), "{kind:x?} {other:?}"),
    }
    if takes_iv {
        let (iv, sealed) = caller.encrypt(keys.first, &made, &text).unwrap();
        assert_ne!(iv, caller.encrypt(keys.first, &made, &text).unwrap().0, "{kind:x?}");
        let mechanism = cipher(kind, iv.as_deref()).unwrap().1;
        assert_eq!(caller.decrypt(keys.second, &mechanism, &sealed).as_deref(), Ok(&text[..]), "{kind:x?}");
    }
    let other = ring.keys(caller, key_type, A::ENCRYPT, 1);
    let sealed = caller.encrypt(keys.first, &made, &text).unwrap();
    let mechanism = cipher(kind, sealed.0.as_deref()).unwrap().1;
    assert_ne!(caller.decrypt(other.second, &mechanism, &sealed.1).as_deref(), Ok(&text[..]), "{kind:x?}");
}

/// Makes keys that differ, of each size there is, and none of another.
fn generates(caller: &Caller<'_>, row: &MechanismInfo) {
    let (good, bad): (&[u64], &[u64]) = match row.kind {
        M::AES_KEY_GEN => (&[16, 24, 32], &[0, 15, 33, 64]),
        M::AES_XTS_KEY_GEN => (&[32, 64], &[16, 48, 128]),
        M::GENERIC_SECRET_KEY_GEN | M::HKDF_KEY_GEN => (&[14, 32, 512], &[0, 13, 513, u64::MAX]),
        other => panic!("{other:x?} is listed and not tested"),
    };
    for length in good {
        let keys = [0, 1].map(|_| caller.secret(row.kind, *length, &[]).unwrap());
        let read = caller.call(&AttributesRead { object: keys[0], kinds: vec![A::VALUE_LEN, A::LOCAL] }).unwrap();
        assert!(read.values[0].value == (*length).into());
        assert!(read.values[1].value == true.into());
        assert_ne!(keys[0], keys[1]);
        keys.into_iter().for_each(|object| assert!(caller.call(&ObjectDestroy { object }).is_ok()));
    }
    for length in bad {
        assert_eq!(caller.secret(row.kind, *length, &[]).err(), Some(ErrorCode::KeySize), "{:x?} {length}", row.kind);
    }
}

fn generates_pair(caller: &Caller<'_>, row: &MechanismInfo) {
    let types = [K::RSA, K::EC, K::EC_EDWARDS, K::EC_MONTGOMERY, K::ML_DSA, K::ML_KEM];
    let of = |kind: &u64| pair_template(*kind).0 == row.kind;
    let kind = *types.iter().find(|kind| of(kind)).unwrap_or_else(|| panic!("{:x?} is not tested", row.kind));
    let purposes = match kind {
        K::EC_MONTGOMERY => (A::DERIVE, A::DERIVE),
        K::ML_KEM => (A::ENCAPSULATE, A::DECAPSULATE),
        _ => (A::VERIFY, A::SIGN),
    };
    let pair = caller.pair(kind, purposes).unwrap();
    let info = |object| {
        let read = caller.call(&AttributesRead { object, kinds: vec![A::PUBLIC_KEY_INFO, A::KEY_TYPE] }).unwrap();
        assert!(read.values[1].value == kind.into());
        read.values[0].clone()
    };
    assert!(info(pair.public) == info(pair.private), "both halves tell of one public key");
}

fn every_row(mode: PartitionMode) {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, mode));
    let mut ring = Ring::default();
    let rows = caller.call(&MechanismList {}).unwrap().mechanisms;
    assert!(rows.len() > 80 && rows.windows(2).all(|pair| pair[0].kind < pair[1].kind));
    for row in &rows {
        let taken = if mode == PartitionMode::Strict { row.not_strict.unwrap_or(0) } else { 0 };
        let elsewhere = ELSEWHERE.contains(&row.kind);
        assert_eq!(elsewhere, row.flags & OTHERS != 0 || row.kind == M::PKCS5_PBKD2, "{:x?}", row.kind);
        let known = ENCRYPT | DECRYPT | SIGN | VERIFY | GENERATE | GENERATE_PAIR | OTHERS | CURVES;
        assert_eq!(row.flags & !known, 0, "{:x?} has a flag that no test knows", row.kind);
        assert!(
            matches!(row.flags & (SIGN | VERIFY), 0 | 0x2800) && matches!(row.flags & (ENCRYPT | DECRYPT), 0 | 0x300)
        );
        if row.flags & SIGN != 0 {
            signs(&caller, &mut ring, row, taken);
        }
        if row.flags & ENCRYPT != 0 {
            encrypts(&caller, &mut ring, row, taken);
        }
        if row.flags & GENERATE != 0 && row.kind != M::PKCS5_PBKD2 {
            generates(&caller, row);
        }
        if row.flags & GENERATE_PAIR != 0 {
            generates_pair(&caller, row);
        }
    }
}

#[test]
fn every_mechanism_works_in_a_compatible_partition() {
    every_row(PartitionMode::Compatible);
}

#[test]
fn every_mechanism_works_in_a_strict_partition_or_is_forbidden_there() {
    every_row(PartitionMode::Strict);
}

/// What the uses that carry or make keys answer, by their flag.
fn others(caller: &Caller<'_>, key: ObjectId, mechanism: &Mechanism) -> [(u32, Option<ErrorCode>); 5] {
    let (mechanism, template, ticket) = (|| mechanism.clone(), Template::default, None);
    let wrap = KeyWrap { wrapping: key, mechanism: mechanism(), key };
    let unwrap = KeyUnwrap { unwrapping: key, mechanism: mechanism(), template: template(), ticket };
    let derive = KeyDerive { base: key, mechanism: mechanism(), template: template(), ticket };
    let encapsulate = KeyEncapsulate { key, mechanism: mechanism(), template: template() };
    let decapsulate = KeyDecapsulate { key, mechanism: mechanism(), template: template(), ticket };
    [
        (0x2_0000, caller.call(&wrap).err()),
        (0x4_0000, caller.call(&unwrap).err()),
        (0x8_0000, caller.call(&derive).err()),
        (0x1000_0000, caller.call(&encapsulate).err()),
        (0x2000_0000, caller.call(&decapsulate).err()),
    ]
}

/// What is not in the list is refused as what the engine does not have, for each way to use a key.
#[test]
fn what_is_not_listed_is_not_served() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let rows = caller.call(&MechanismList {}).unwrap().mechanisms;
    let key = caller.secret(M::AES_KEY_GEN, 32, &[A::ENCRYPT, A::DECRYPT, A::SIGN, A::VERIFY]).unwrap();
    let unsupported = Some(ErrorCode::MechanismUnsupported);
    for kind in (0..0x4100).map(M) {
        let flags = rows.iter().find(|row| row.kind == kind).map_or(0, |row| row.flags);
        let mechanism = Mechanism::from(kind);
        let refused = |flag: u32, error| assert_eq!(flags & flag == 0, error == unsupported, "{kind:x?} {flag:x}");
        refused(SIGN, caller.sign_by(key, &mechanism, &[]).err());
        refused(VERIFY, caller.verify_by(key, &mechanism, &[], &[]).err());
        refused(ENCRYPT, caller.encrypt(key, &mechanism, &[]).err());
        refused(DECRYPT, caller.decrypt(key, &mechanism, &[]).err());
        others(&caller, key, &mechanism).into_iter().for_each(|(flag, error)| refused(flag, error));
        if flags & (GENERATE | GENERATE_PAIR) == 0 {
            assert_eq!(caller.secret(kind, 32, &[]).err(), unsupported, "{kind:x?}");
            assert_eq!(caller.pair_by(kind, Default::default(), Default::default()).err(), unsupported, "{kind:x?}");
        }
    }
}
