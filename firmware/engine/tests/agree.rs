//! Keys that two sides agree on (PKCS#11 §6.3.19): known answers, every curve, and what becomes of a bare shared secret.

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::{Crypto, Hash};
use coloa_store_testkit::RamStore;
use coloa_wire::Value;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::mechanism::{EcdhParams, HkdfParams};
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, ObjectId, Parameter, Template};
use hex_literal::hex;
use rig::*;

fn compatible(engine: &RamEngine) -> Caller<'_> {
    user(engine, token(engine, PartitionMode::Compatible))
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

fn agree(public: &[u8], kdf: Option<(M, &[u8])>) -> Mechanism {
    let (hash, shared) = kdf.map_or((None, Vec::new()), |(hash, shared)| (Some(hash), shared.to_vec()));
    Mechanism::with(M::ECDH1_DERIVE, Parameter::Ecdh(EcdhParams { kdf: hash, shared, public: public.to_vec() }))
}

/// RFC 7748 §6.1.
#[test]
fn x25519_gives_the_known_answer() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let bob = hex!("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let alice = hex!("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    let template = of_class(class::PRIVATE_KEY, key_type::EC_MONTGOMERY).with(A::EC_PARAMS, X25519);
    let key = caller.create(template.with(A::VALUE, &bob[..]).with(A::DERIVE, true)).unwrap();
    let shared = caller.derive(key, agree(&alice, None), open_secret(key_type::GENERIC_SECRET)).unwrap();
    let wanted = hex!("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(caller.value(shared).unwrap(), wanted);
    // RFC 7748 §6.1: a peer of small order leads to nothing.
    let nothing = caller.derive(key, agree(&[0; 32], None), open_secret(key_type::GENERIC_SECRET));
    assert_eq!(nothing, Err(ErrorCode::PublicKeyInvalid));
}

/// Both sides come to the same secret on every curve; the point may stand in an OCTET STRING; X9.63's KDF is SEC 1 §3.6.1.
#[test]
fn both_sides_agree_on_every_curve() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    let derives = || Template::default().with(A::DERIVE, true);
    for (params, length) in [(P256, 32), (P384, 48), (P521, 66), (X25519, 32)] {
        let montgomery = params == X25519;
        let kind = if montgomery { M::EC_MONTGOMERY_KEY_PAIR_GEN } else { M::EC_KEY_PAIR_GEN };
        let public = || Template::default().with(A::EC_PARAMS, params);
        let [one, other] = [(); 2].map(|()| caller.pair_by(kind, public(), derives()).unwrap());
        let point = |key: ObjectId| match caller.shown(key, A::EC_POINT) {
            Some(Value::Bytes(point)) => point,
            _ => panic!("no point"),
        };
        let (of_one, of_other) = (point(one.public), point(other.public));
        let value = |base, mechanism, template| {
            let derived = caller.derive(base, mechanism, template).unwrap();
            caller.value(derived).unwrap()
        };
        let whole = open_secret(key_type::GENERIC_SECRET);
        let shared = value(one.private, agree(&of_other, None), whole.clone());
        let bare = of_one[of_one.len() - if montgomery { 32 } else { 2 * length + 1 }..].to_vec();
        assert_eq!(shared.len(), length);
        assert_eq!(shared, value(other.private, agree(&bare, None), whole.clone()));
        // CKD_NULL cuts at the leading end.
        let cut = value(one.private, agree(&of_other, None), open_secret(key_type::AES).with(A::VALUE_LEN, 16));
        assert_eq!(cut, shared[length - 16..]);
        for (mechanism, hash) in [(M::SHA256, Hash::Sha256), (M::SHA512, Hash::Sha512), (M::SHA3_256, Hash::Sha3_256)] {
            let got = value(one.private, agree(&of_other, Some((mechanism, b"info"))), secret(100));
            let block = |count: u32| Native.digest(hash, &[&shared, &count.to_be_bytes(), b"info"]).as_ref().to_vec();
            assert_eq!(got, (1..=4).flat_map(block).take(100).collect::<Vec<_>>());
        }
        let wrong = caller.derive(one.private, agree(&bare[1..], None), whole.clone());
        assert_eq!(wrong, Err(ErrorCode::PublicKeyInvalid));
        let mixed = caller.derive(one.private, agree(&[7; 10], None), whole.clone());
        assert_eq!(mixed, Err(ErrorCode::PublicKeyInvalid));
        let public_half = caller.derive(one.public, agree(&bare, None), whole);
        assert_eq!(public_half, Err(ErrorCode::KeyTypeInconsistent));
    }
}

/// SP 800-56C: the bare shared secret of a strict partition goes through another derivation.
#[test]
fn a_bare_shared_secret_derives_on() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let derives = || Template::default().with(A::DERIVE, true);
    let pair = caller.pair_by(M::EC_KEY_PAIR_GEN, Template::default().with(A::EC_PARAMS, P384), derives()).unwrap();
    let Some(Value::Bytes(point)) = caller.shown(pair.public, A::EC_POINT) else { panic!("no point") };
    for kind in [key_type::HKDF, key_type::GENERIC_SECRET] {
        let shared = caller.derive(pair.private, agree(&point, None), of_class(class::SECRET_KEY, kind)).unwrap();
        assert!(caller.flag(shared, A::DERIVE) && !caller.flag(shared, A::SIGN));
        let aes = of_class(class::SECRET_KEY, key_type::AES).with(A::VALUE_LEN, 32);
        let key = caller.derive(shared, by_hkdf(hkdf(true, true, None, b"info")), aes).unwrap();
        caller.call_with(&Encrypt { key, mechanism: gcm(None) }, b"text").unwrap();
    }
}
