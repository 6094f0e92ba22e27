//! Objects to the standard (PKCS#11 §4): check values, certificates, trust, profiles, data, copies, what may change.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type as K, parameter_set};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType as M, ObjectId, Template, Value};
use rig::*;

const INVALID: Option<ErrorCode> = Some(ErrorCode::AttributeValueInvalid);
const INCOMPLETE: Option<ErrorCode> = Some(ErrorCode::TemplateIncomplete);
const READ_ONLY: Option<ErrorCode> = Some(ErrorCode::AttributeReadOnly);

fn on(mode: PartitionMode, test: impl FnOnce(&Caller<'_>)) {
    let engine = start(&RamStore::new()).unwrap();
    test(&user(&engine, token(&engine, mode)));
}

fn certificate() -> Template {
    Template::default().with(A::CLASS, class::CERTIFICATE).with(A::CERTIFICATE_TYPE, 0)
}

/// The key of SP 800-38A F.1.1 encrypts zeros to 7df76b0c…; SHA-1 of "abc" begins a9993e (FIPS 180-2 A.1).
#[test]
fn check_values_are_those_of_the_standard() {
    on(PartitionMode::Strict, |caller| {
        let key = [0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c];
        let aes = secret_template(K::AES, &key);
        let cases = [
            (aes, &[0x7d, 0xf7, 0x6b][..]),
            (hmac_template(b"abc"), &[0xa9, 0x99, 0x3e]),
            (secret_template(K::SHA384_HMAC, b"abc"), &[0xa9, 0x99, 0x3e]),
            (certificate().with(A::VALUE, &b"abc"[..]), &[0xa9, 0x99, 0x3e]),
        ];
        for (template, expected) in cases {
            let made = caller.import(template.clone()).unwrap();
            caller.shows(made, A::CHECK_VALUE, expected);
            let given = template.clone().with(A::CHECK_VALUE, expected);
            let made = caller.import(given).unwrap();
            caller.shows(made, A::CHECK_VALUE, expected);
            assert!(!caller.find(Template::default().with(A::CHECK_VALUE, expected)).is_empty());
            for wrong in [&[1, 2, 3][..], &expected[..2], &[expected, &[0]].concat()] {
                assert_eq!(caller.import(template.clone().with(A::CHECK_VALUE, wrong)).err(), INVALID);
            }
            let none = caller.import(template.with(A::CHECK_VALUE, Vec::new())).unwrap();
            caller.shows(none, A::CHECK_VALUE, Vec::new());
            let change = Template::default().with(A::CHECK_VALUE, expected);
            assert_eq!(caller.change(none, change).err(), READ_ONLY);
            let copy = caller.copy(made, Template::default()).unwrap();
            caller.shows(copy, A::CHECK_VALUE, expected);
        }
        let generated = caller.generate_aes(Template::default()).unwrap();
        assert!(matches!(caller.attribute(generated, A::CHECK_VALUE), Ok(Value::Bytes(b)) if b.len() == 3));
        let guessed = Template::default().with(A::CHECK_VALUE, &[1u8, 2, 3][..]);
        assert_eq!(caller.generate_aes(guessed).err(), INVALID);
    });
}

#[test]
fn a_certificate_is_here_or_at_a_url() {
    on(PartitionMode::Strict, |caller| {
        assert_eq!(caller.import(certificate()).err(), INCOMPLETE);
        assert_eq!(caller.import(certificate().with(A::VALUE, Vec::new())).err(), INCOMPLETE);
        let untyped = Template::default().with(A::CLASS, class::CERTIFICATE).with(A::VALUE, &b"x"[..]);
        assert_eq!(caller.import(untyped).err(), INCOMPLETE);
        let value = certificate().with(A::VALUE, &b"x"[..]);
        let other = Template::default().with(A::CLASS, class::CERTIFICATE).with(A::CERTIFICATE_TYPE, 2);
        assert_eq!(caller.import(other.with(A::VALUE, &b"x"[..])).err(), INVALID, "WTLS");
        let made = caller.import(value.clone()).unwrap();
        let empty = [A::ID, A::ISSUER, A::SERIAL_NUMBER, A::URL, A::START_DATE, A::END_DATE, A::PUBLIC_KEY_INFO];
        empty.into_iter().for_each(|kind| caller.shows(made, kind, Vec::new()));
        [A::HASH_OF_SUBJECT_PUBLIC_KEY, A::HASH_OF_ISSUER_PUBLIC_KEY]
            .into_iter()
            .for_each(|kind| caller.shows(made, kind, Vec::new()));
        caller.shows(made, A::CERTIFICATE_CATEGORY, 0);
        caller.shows(made, A::JAVA_MIDP_SECURITY_DOMAIN, 0);
        caller.shows(made, A::NAME_HASH_ALGORITHM, 0x220);
        caller.shows(made, A::TRUSTED, false);
        let url = certificate().with(A::URL, &b"https://ca.example/1.crt"[..]);
        assert_eq!(caller.import(url.clone()).err(), INCOMPLETE, "nothing tells which certificate that is");
        let told =
            url.with(A::HASH_OF_SUBJECT_PUBLIC_KEY, &[1u8; 20][..]).with(A::HASH_OF_ISSUER_PUBLIC_KEY, &[2u8; 20][..]);
        let far = caller.import(told).unwrap();
        assert!(caller.attribute(far, A::CHECK_VALUE) == Err(ErrorCode::AttributeTypeInvalid));
        caller.shows(far, A::HASH_OF_ISSUER_PUBLIC_KEY, &[2u8; 20][..]);
        let info = caller.import(value.clone().with(A::PUBLIC_KEY_INFO, &[0x30u8, 0][..])).unwrap();
        caller.shows(info, A::PUBLIC_KEY_INFO, &[0x30u8, 0][..]);
        assert_eq!(caller.import(value.clone().with(A::TRUSTED, true)).err(), INVALID);
        assert_eq!(caller.change(made, Template::default().with(A::TRUSTED, true)).err(), INVALID);
        assert_eq!(caller.import(value.clone().with(A::CERTIFICATE_CATEGORY, 4)).err(), INVALID);
        assert_eq!(caller.import(value.with(A::JAVA_MIDP_SECURITY_DOMAIN, 4)).err(), INVALID);
        assert_eq!(caller.change(made, Template::default().with(A::VALUE, &b"y"[..])).err(), READ_ONLY);
    });
}

#[test]
fn trust_objects_say_how_far_a_certificate_is_trusted() {
    on(PartitionMode::Strict, |caller| {
        let trust = Template::default()
            .with(A::CLASS, class::TRUST)
            .with(A::ISSUER, &b"issuer"[..])
            .with(A::SERIAL_NUMBER, &[2u8, 1, 7][..])
            .with(A::HASH_OF_CERTIFICATE, &[9u8; 32][..])
            .with(A::NAME_HASH_ALGORITHM, u64::from(M::SHA256.0));
        let anchor = caller.import(trust.clone().with(A::TRUST_SERVER_AUTH, 2)).unwrap();
        caller.shows(anchor, A::TRUST_SERVER_AUTH, 2);
        let others = [A::TRUST_CLIENT_AUTH, A::TRUST_CODE_SIGNING, A::TRUST_EMAIL_PROTECTION, A::TRUST_IPSEC_IKE];
        others.into_iter().for_each(|kind| caller.shows(anchor, kind, 0));
        [A::TRUST_TIME_STAMPING, A::TRUST_OCSP_SIGNING].into_iter().for_each(|kind| caller.shows(anchor, kind, 0));
        assert_eq!(caller.find(Template::default().with(A::CLASS, class::TRUST)), [anchor]);
        assert_eq!(caller.import(trust.with(A::TRUST_IPSEC_IKE, 5)).err(), INVALID);
        caller.change(anchor, Template::default().with(A::TRUST_SERVER_AUTH, 3)).unwrap();
        caller.shows(anchor, A::TRUST_SERVER_AUTH, 3);
        let moved = Template::default().with(A::HASH_OF_CERTIFICATE, &[8u8; 32][..]);
        assert_eq!(caller.change(anchor, moved).err(), READ_ONLY);
        let unnamed = Template::default().with(A::CLASS, class::TRUST).with(A::TRUST_SERVER_AUTH, 1);
        assert_eq!(caller.import(unnamed).err(), INCOMPLETE);
    });
}

#[test]
fn profiles_are_built_in() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let mut caller = Caller::new(&engine, client(1));
    caller.open(partition).unwrap();
    let class = Template::default().with(A::CLASS, class::PROFILE);
    let found = caller.find(class.clone());
    assert_eq!(found.len(), 1);
    caller.shows(found[0], A::PROFILE_ID, 1);
    caller.shows(found[0], A::TOKEN, true);
    caller.shows(found[0], A::UNIQUE_ID, found[0].to_string().into_bytes());
    assert_eq!(caller.find(class.clone().with(A::PROFILE_ID, 1)), found);
    assert_eq!(caller.find(class.clone().with(A::PROFILE_ID, 2)), []);
    let page = ObjectFind { template: class.clone(), after: found.last().copied(), max: 9 };
    assert_eq!(caller.call(&page).unwrap().objects, []);
    assert_eq!(caller.find(Template::default()), [], "who does not ask for them does not find them");
    caller.log_in(Role::User, USER_PIN).unwrap();
    let prohibited = Some(ErrorCode::ActionProhibited);
    let label = Template::default().with(A::LABEL, &b"mine"[..]);
    assert_eq!(caller.change(found[0], label).err(), prohibited);
    assert_eq!(caller.copy(found[0], Template::default()).err(), prohibited);
    assert_eq!(caller.call(&ObjectDestroy { object: found[0] }).err(), prohibited);
    assert_eq!(caller.import(class.with(A::PROFILE_ID, 2)).err(), INVALID);
    assert_eq!(caller.sign(found[0], M::ECDSA, &[0; 32]).err(), Some(ErrorCode::KeyTypeInconsistent));
}

#[test]
fn data_may_be_empty_and_change() {
    on(PartitionMode::Strict, |caller| {
        let data = Template::default().with(A::CLASS, class::DATA);
        let object = caller.import(data).unwrap();
        [A::VALUE, A::APPLICATION, A::OBJECT_ID, A::LABEL]
            .into_iter()
            .for_each(|k| caller.shows(object, k, Vec::new()));
        [A::MODIFIABLE, A::COPYABLE, A::DESTROYABLE].into_iter().for_each(|kind| caller.shows(object, kind, true));
        caller.change(object, Template::default().with(A::VALUE, &b"new"[..])).unwrap();
        caller.shows(object, A::VALUE, &b"new"[..]);
        caller.change(object, Template::default().with(A::APPLICATION, &b"app"[..])).unwrap();
        let wrong = Template::default().with(A::KEY_TYPE, K::AES);
        assert_eq!(caller.change(object, wrong).err(), Some(ErrorCode::AttributeTypeInvalid));
    });
}

#[test]
fn what_may_not_be_changed_copied_or_destroyed_is_not() {
    on(PartitionMode::Compatible, |caller| {
        let data = || Template::default().with(A::CLASS, class::DATA);
        let prohibited = Some(ErrorCode::ActionProhibited);
        let fixed = caller.import(data().with(A::MODIFIABLE, false)).unwrap();
        let label = Template::default().with(A::LABEL, &b"x"[..]);
        assert_eq!(caller.change(fixed, label.clone()).err(), prohibited);
        let single = caller.import(data().with(A::COPYABLE, false)).unwrap();
        assert_eq!(caller.copy(single, label.clone()).err(), prohibited);
        assert_eq!(caller.change(single, Template::default().with(A::COPYABLE, true)).err(), READ_ONLY);
        let kept = caller.import(data().with(A::DESTROYABLE, false)).unwrap();
        assert_eq!(caller.call(&ObjectDestroy { object: kept }).err(), prohibited);
        assert_eq!(caller.change(kept, Template::default().with(A::DESTROYABLE, true)).err(), READ_ONLY);
        // A copy may be made so that it can be changed (PKCS#11 §5.7.2), and has an id of its own.
        let copy = caller.copy(fixed, label.with(A::MODIFIABLE, true)).unwrap();
        caller.change(copy, Template::default().with(A::LABEL, &b"y"[..])).unwrap();
        caller.shows(copy, A::UNIQUE_ID, copy.to_string().into_bytes());
        assert_ne!(copy, fixed);
        assert_eq!(caller.import(data().with(A::UNIQUE_ID, &b"mine"[..])).err(), READ_ONLY);
    });
}

/// A copy is never less protected than what it is a copy of.
#[test]
fn a_copy_loses_no_protection() {
    on(PartitionMode::Compatible, |caller| {
        let guarded = Template::default()
            .with(A::WRAP_WITH_TRUSTED, true)
            .with(A::ALLOWED_MECHANISMS, Value::Uints(vec![u64::from(M::AES_GCM.0)]));
        let key = caller.generate_aes(guarded).unwrap();
        let weaker: [(A, Value); 10] = [
            (A::SENSITIVE, false.into()),
            (A::EXTRACTABLE, true.into()),
            (A::WRAP_WITH_TRUSTED, false.into()),
            (A::ALWAYS_SENSITIVE, false.into()),
            (A::NEVER_EXTRACTABLE, false.into()),
            (A::PRIVATE, false.into()),
            (A::LOCAL, false.into()),
            (A::ALLOWED_MECHANISMS, Value::Uints(vec![])),
            (A::ALLOWED_MECHANISMS, Value::Uints(vec![u64::from(M::AES_ECB.0)])),
            (A::KEY_TYPE, K::GENERIC_SECRET.into()),
        ];
        for (kind, value) in weaker {
            let template = Template::default().with(kind, value);
            assert_eq!(caller.copy(key, template.clone()).err(), READ_ONLY, "{kind:x?}");
            assert_eq!(caller.change(key, template).err(), READ_ONLY, "{kind:x?}");
        }
        let copy = caller.copy(key, Template::default().with(A::TOKEN, true)).unwrap();
        let same = |kind| assert!(caller.attribute(copy, kind) == caller.attribute(key, kind), "{kind:x?}");
        [A::SENSITIVE, A::EXTRACTABLE, A::ALWAYS_SENSITIVE, A::NEVER_EXTRACTABLE, A::WRAP_WITH_TRUSTED]
            .into_iter()
            .for_each(same);
        [A::LOCAL, A::KEY_GEN_MECHANISM, A::ALLOWED_MECHANISMS, A::PRIVATE].into_iter().for_each(same);
        assert!(caller.attribute(copy, A::VALUE) == Err(ErrorCode::AttributeSensitive));
        // A secret that was open once has not been sensitive always.
        let open = Template::default().with(A::SENSITIVE, false).with(A::EXTRACTABLE, true);
        let open = caller.generate_aes(open).unwrap();
        let closed = Template::default().with(A::SENSITIVE, true).with(A::EXTRACTABLE, false);
        let closed = caller.copy(open, closed).unwrap();
        caller.shows(closed, A::ALWAYS_SENSITIVE, false);
        caller.shows(closed, A::NEVER_EXTRACTABLE, false);
    });
}

#[test]
fn only_allowed_mechanisms_are_served_for_each_use() {
    on(PartitionMode::Compatible, |caller| {
        let allowed = |kind: M| Value::Uints(vec![u64::from(kind.0)]);
        let template = secret_template(K::AES, &[1; 16]).with(A::ALLOWED_MECHANISMS, allowed(M::AES_CBC));
        let purposes = [A::ENCRYPT, A::DECRYPT, A::SIGN, A::VERIFY];
        let key = caller.import(purposes.iter().fold(template, |t, purpose| t.with(*purpose, true))).unwrap();
        let forbidden = Some(ErrorCode::KeyUseForbidden);
        let (_, cbc) = cipher(M::AES_CBC, Some(&[0; 16])).unwrap();
        caller.encrypt(key, &cbc, &[0; 16]).unwrap();
        caller.decrypt(key, &cbc, &[0; 16]).unwrap();
        assert_eq!(caller.encrypt(key, &M::AES_ECB.into(), &[0; 16]).err(), forbidden);
        assert_eq!(caller.decrypt(key, &M::AES_ECB.into(), &[0; 16]).err(), forbidden);
        assert_eq!(caller.sign(key, M::AES_CMAC, b"x").err(), forbidden);
        assert_eq!(caller.verify(key, M::AES_CMAC, b"x", &[0; 16]).err(), forbidden);
        let public = Template::default().with(A::EC_PARAMS, P256).with(A::ALLOWED_MECHANISMS, allowed(M::ECDSA));
        let pair = caller.pair_by(M::EC_KEY_PAIR_GEN, public, Template::default()).unwrap();
        assert_eq!(caller.verify(pair.public, M::ECDSA_SHA256, &[0; 32], &[0; 64]).err(), forbidden);
    });
}

fn readable() -> Template {
    Template::default().with(A::SENSITIVE, false).with(A::EXTRACTABLE, true)
}

fn bytes(value: Result<Value, ErrorCode>) -> Vec<u8> {
    match value {
        Ok(Value::Bytes(bytes)) => bytes,
        other => panic!("no bytes: {:?}", other.err()),
    }
}

/// PKCS#11 3.2 §6.67.3, §6.68.3: a readable private key shows its seed and the expanded key, which comes in again.
#[test]
fn a_lattice_key_shows_its_seed_and_its_expanded_form() {
    on(PartitionMode::Compatible, |caller| {
        let cases = [
            (M::ML_DSA_KEY_PAIR_GEN, K::ML_DSA, parameter_set::ML_DSA_65, 32, 4032),
            (M::ML_KEM_KEY_PAIR_GEN, K::ML_KEM, parameter_set::ML_KEM_768, 64, 2400),
        ];
        for (mechanism, kind, set, seed_length, length) in cases {
            let pair = |private| caller.pair_by(mechanism, Template::default().with(A::PARAMETER_SET, set), private);
            let key = pair(readable()).unwrap().private;
            let (seed, value) = (bytes(caller.attribute(key, A::SEED)), bytes(caller.attribute(key, A::VALUE)));
            assert_eq!((seed.len(), value.len()), (seed_length, length));
            let info = bytes(caller.attribute(key, A::PUBLIC_KEY_INFO));
            let private = || {
                let half = Template::default().with(A::CLASS, class::PRIVATE_KEY).with(A::KEY_TYPE, kind);
                readable().0.into_iter().fold(half, |t, a| t.with(a.kind, a.value.clone())).with(A::PARAMETER_SET, set)
            };
            let again = caller.import(private().with(A::VALUE, value.clone())).unwrap();
            assert_eq!(bytes(caller.attribute(again, A::PUBLIC_KEY_INFO)), info);
            assert_eq!(bytes(caller.attribute(again, A::VALUE)), value);
            assert!(caller.attribute(again, A::SEED) == Err(ErrorCode::AttributeTypeInvalid), "it came without one");
            let both = private().with(A::SEED, seed.clone()).with(A::VALUE, value.clone());
            assert_eq!(bytes(caller.attribute(caller.import(both).unwrap(), A::SEED)), seed);
            let mut other = seed;
            other[0] ^= 1;
            let contradiction = private().with(A::SEED, other).with(A::VALUE, value);
            assert_eq!(caller.import(contradiction).err(), INVALID);
            let hidden = pair(Template::default()).unwrap().private;
            for part in [A::SEED, A::VALUE] {
                assert!(caller.attribute(hidden, part) == Err(ErrorCode::AttributeSensitive));
            }
        }
    });
}

/// R12: dates are dates on every key and certificate, and empty when nobody gives one.
#[test]
fn dates_are_empty_or_dates() {
    on(PartitionMode::Compatible, |caller| {
        let dated = |template: Template, kind, date: &[u8]| caller.import(template.with(kind, date));
        let templates: [fn() -> Template; 2] =
            [|| hmac_template(b"0123456789abcdef"), || certificate().with(A::VALUE, &b"x"[..])];
        for template in templates {
            for kind in [A::START_DATE, A::END_DATE] {
                let object: ObjectId = dated(template(), kind, b"20240229").unwrap();
                caller.shows(object, kind, &b"20240229"[..]);
                for wrong in [&b"20230229"[..], b"2024022", b"202402291", b"2024-2-9", b"00000000"] {
                    assert_eq!(dated(template(), kind, wrong).err(), INVALID, "{wrong:?}");
                }
            }
            let plain = caller.import(template()).unwrap();
            [A::START_DATE, A::END_DATE].into_iter().for_each(|kind| caller.shows(plain, kind, Vec::new()));
        }
    });
}
