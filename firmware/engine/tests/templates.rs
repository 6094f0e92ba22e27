//! What the templates of wrapping keys, and those of their callers, say of the keys that leave and come (PKCS#11 §5.18.3,
//! §5.18.4).

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::crypto::Mode;
use coloa_engine::{Crypto, KeyKind};
use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, ObjectId, Template, Value};
use rig::*;

/// A key-encryption key that tests know, on a partition that takes one.
fn known_kek(caller: &Caller<'_>, value: &[u8]) -> ObjectId {
    caller.create(secret_template(key_type::AES, value).with(A::WRAP, true).with(A::UNWRAP, true)).unwrap()
}

fn compatible(engine: &RamEngine) -> Caller<'_> {
    user(engine, token(engine, PartitionMode::Compatible))
}

/// A blob as an outsider makes it who knows the key-encryption key.
fn wrapped_outside(kek: &[u8], plain: &[u8]) -> Vec<u8> {
    let key = Native.load(KeyKind::Aes, kek).unwrap();
    let mut text = plain.to_vec();
    Native.encrypt(&key, Mode::Kwp, &mut text).unwrap();
    text
}

/// `CKA_WRAP_TEMPLATE` is what the wrapped key must be (§5.18.3).
#[test]
fn a_wrap_template_chooses_keys() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let only = nested(of_class(class::SECRET_KEY, key_type::AES).with(A::ENCRYPT, true));
    let kek = caller.kek(Template::default().with(A::WRAP_TEMPLATE, only.clone()));
    let kwp = Mechanism::from(M::AES_KEY_WRAP_KWP);
    assert!(caller.shown(kek, A::WRAP_TEMPLATE) == Some(only));
    let make = |template: Template| caller.generate_aes(template.with(A::EXTRACTABLE, true)).unwrap();
    caller.wrap(kek, &kwp, make(Template::default())).unwrap();
    let decrypts = make(Template::default().with(A::DECRYPT, true));
    assert_eq!(caller.wrap(kek, &kwp, decrypts), Err(ErrorCode::KeyOutsideTemplate));
    let changed = caller.write(kek, Template::default().with(A::WRAP_TEMPLATE, nested(Template::default())));
    assert_eq!(changed.err(), Some(ErrorCode::AttributeReadOnly));
    let copied = caller.copy(kek, Template::default().with(A::WRAP_TEMPLATE, nested(Template::default())));
    assert_eq!(copied, Err(ErrorCode::AttributeReadOnly));
}

/// `CKA_UNWRAP_TEMPLATE` is added to the caller's, and contradicted by none (§5.18.4).
#[test]
fn an_unwrap_template_says_what_comes_out() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in [PartitionMode::Compatible, PartitionMode::Strict] {
        let partition = token(&engine, mode);
        let caller = user(&engine, partition);
        let binds = || Template::default().with(A::DERIVE, true).with(A::KEY_TYPE, key_type::AES);
        let demands = nested(binds().with(A::EXTRACTABLE, true).with(A::LABEL, &b"of it"[..]));
        let templates = Template::default().with(A::UNWRAP_TEMPLATE, demands);
        // What it takes in as one that derives it may have let out as one that encrypts.
        let loose = trust(&engine, partition, caller.kek(templates.clone()));
        assert_eq!(loose.is_err(), mode == PartitionMode::Strict);
        let kek = caller.kek(templates.with(A::WRAP_TEMPLATE, nested(binds())));
        trust(&engine, partition, kek).unwrap();
        let kwp = Mechanism::from(M::AES_KEY_WRAP_KWP);
        let key = caller.generate_aes(Template::default().with(A::EXTRACTABLE, true).with(A::DERIVE, true)).unwrap();
        let wrapped = caller.wrap(kek, &kwp, key).unwrap();
        let plain = of_class(class::SECRET_KEY, key_type::AES);
        let back = caller.unwrap(kek, &kwp, &wrapped, plain.clone()).unwrap();
        assert!(caller.flag(back, A::DERIVE) && !caller.flag(back, A::ENCRYPT) && caller.flag(back, A::EXTRACTABLE));
        assert!(caller.shown(back, A::LABEL) == Some(Value::Bytes(b"of it".to_vec())));
        caller.unwrap(kek, &kwp, &wrapped, plain.clone().with(A::LABEL, &b"of it"[..])).unwrap();
        for (kind, value) in [(A::DERIVE, Value::Bool(false)), (A::LABEL, Value::Bytes(b"mine".to_vec()))] {
            let refused = caller.unwrap(kek, &kwp, &wrapped, plain.clone().with(kind, value));
            assert_eq!(refused, Err(ErrorCode::TemplateInconsistent));
        }
    }
}

#[test]
fn the_template_of_an_unwrapped_key_is_whole_and_true() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let kek = known_kek(&caller, &[5; 32]);
    let kwp = Mechanism::from(M::AES_KEY_WRAP_KWP);
    let unwrap = |plain: &[u8], template| caller.unwrap(kek, &kwp, &wrapped_outside(&[5; 32], plain), template);
    let aes = || of_class(class::SECRET_KEY, key_type::AES);
    unwrap(&[1; 32], aes().with(A::VALUE_LEN, 32)).unwrap();
    assert_eq!(unwrap(&[1; 32], aes().with(A::VALUE_LEN, 16)), Err(ErrorCode::WrappedKeyInvalid));
    assert_eq!(unwrap(&[1; 20], aes()), Err(ErrorCode::WrappedKeyInvalid), "no length of AES");
    assert_eq!(unwrap(&[1; 32], of_class(class::PRIVATE_KEY, key_type::EC)), Err(ErrorCode::WrappedKeyInvalid));
    assert_eq!(unwrap(&[1; 32], of_class(class::PUBLIC_KEY, key_type::EC)), Err(ErrorCode::TemplateInconsistent));
    assert_eq!(unwrap(&[1; 32], of_class(class::SECRET_KEY, key_type::EC)), Err(ErrorCode::TemplateInconsistent));
    let typeless = Template::default().with(A::CLASS, class::SECRET_KEY);
    assert_eq!(unwrap(&[1; 32], typeless), Err(ErrorCode::TemplateIncomplete));
    assert_eq!(unwrap(&[1; 32], aes().with(A::VALUE, vec![1; 32])), Err(ErrorCode::AttributeReadOnly));
    assert_eq!(caller.unwrap(kek, &kwp, &[1; 23], aes()), Err(ErrorCode::WrappedKeyLength));
}
