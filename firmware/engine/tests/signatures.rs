//! What signatures and MACs take and refuse: parameters, lengths, key types and sizes.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{key_type as K, parameter_set};
use coloa_wire::command::*;
use coloa_wire::mechanism::*;
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, Parameter, Template};
use rig::*;

const PARAMETER: Option<ErrorCode> = Some(ErrorCode::MechanismParameter);

#[test]
fn a_mac_has_the_length_that_was_asked_for() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let hmac = caller.secret(M::GENERIC_SECRET_KEY_GEN, 32, &[A::SIGN, A::VERIFY]).unwrap();
    let aes = caller.secret(M::AES_KEY_GEN, 16, &[A::SIGN, A::VERIFY]).unwrap();
    let cases = [
        (hmac, M::SHA224_HMAC_GENERAL, M::SHA224_HMAC, 28),
        (hmac, M::SHA256_HMAC_GENERAL, M::SHA256_HMAC, 32),
        (hmac, M::SHA512_HMAC_GENERAL, M::SHA512_HMAC, 64),
        (hmac, M::SHA3_384_HMAC_GENERAL, M::SHA3_384_HMAC, 48),
        (aes, M::AES_CMAC_GENERAL, M::AES_CMAC, 16),
    ];
    for (key, general, full, longest) in cases {
        let whole = caller.sign(key, full, b"data").unwrap();
        assert_eq!(whole.len(), longest as usize);
        for length in 0..longest + 2 {
            let mechanism = Mechanism::with(general, Parameter::MacLength(length));
            let made = caller.sign_by(key, &mechanism, b"data");
            if !(4..=longest).contains(&length) {
                assert_eq!(made.err(), PARAMETER, "{general:x?} {length}");
                continue;
            }
            let made = made.unwrap();
            assert_eq!(made, whole[..length as usize], "{general:x?}");
            assert_eq!(caller.verify_by(key, &mechanism, b"data", &made), Ok(()));
            assert_eq!(caller.verify_by(key, &mechanism, b"data", &whole[..3]), Err(ErrorCode::SignatureLength));
        }
        let huge = Mechanism::with(general, Parameter::MacLength(u32::MAX));
        assert_eq!(caller.sign_by(key, &huge, b"data").err(), PARAMETER);
        assert_eq!(caller.sign(key, general, b"data").err(), PARAMETER, "a length is wanted");
        let extra = Mechanism::with(full, Parameter::MacLength(8));
        assert_eq!(caller.sign_by(key, &extra, b"data").err(), PARAMETER, "no length is wanted");
    }
}

#[test]
fn pss_takes_the_parameters_of_its_hash() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let pair = caller.pair(K::RSA, (A::VERIFY, A::SIGN)).unwrap();
    let pss = |kind, hash, mgf, salt| Mechanism::with(kind, Parameter::Pss(PssParams { hash, mgf, salt }));
    let good = [
        (pss(M::RSA_PKCS_PSS, M::SHA256, M::SHA256, 32), 32),
        (pss(M::RSA_PKCS_PSS, M::SHA256, M::SHA256, 0), 32),
        (pss(M::RSA_PKCS_PSS, M::SHA3_512, M::SHA_1, 64), 64),
        (pss(M::SHA384_RSA_PKCS_PSS, M::SHA384, M::SHA3_256, 48), 48),
    ];
    for (mechanism, digest) in &good {
        let digest = vec![1; *digest];
        let made = caller.sign_by(pair.private, mechanism, &digest).unwrap();
        assert_eq!(made.len(), 384);
        assert_eq!(caller.verify_by(pair.public, mechanism, &digest, &made), Ok(()));
        assert_eq!(caller.sign_by(pair.private, mechanism, &digest[1..]).err(), Some(ErrorCode::DataLength));
        for (other, _) in good.iter().filter(|(other, _)| other != mechanism) {
            assert!(caller.verify_by(pair.public, other, &digest, &made).is_err(), "{mechanism:?} {other:?}");
        }
    }
    let bad = [
        pss(M::RSA_PKCS_PSS, M::SHA256, M::SHA256, 33),
        pss(M::RSA_PKCS_PSS, M::SHA256, M::SHA256, u32::MAX),
        pss(M::RSA_PKCS_PSS, M::SHA_1, M::SHA_1, 20),
        pss(M::RSA_PKCS_PSS, M::SHA256_HMAC, M::SHA256, 32),
        pss(M::RSA_PKCS_PSS, M::SHA256, M::ECDSA, 32),
        pss(M::SHA384_RSA_PKCS_PSS, M::SHA256, M::SHA256, 32),
        M::RSA_PKCS_PSS.into(),
        Mechanism::with(M::SHA256_RSA_PKCS, Parameter::MacLength(4)),
    ];
    for mechanism in bad {
        let verified = caller.verify_by(pair.public, &mechanism, &[1; 32], &[0; 384]);
        assert_eq!(verified.err(), PARAMETER, "{mechanism:?}");
    }
}

/// FIPS 204 §5.2: a context of at most 255 bytes, which is part of what is signed.
#[test]
fn ml_dsa_signs_a_context_too() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let with = |kind, context: &[u8], hash| {
        Mechanism::with(kind, Parameter::MlDsa(MlDsaParams { context: context.to_vec(), hash }))
    };
    for (set, length) in
        [(parameter_set::ML_DSA_44, 2420), (parameter_set::ML_DSA_65, 3309), (parameter_set::ML_DSA_87, 4627)]
    {
        let public = Template::default().with(A::PARAMETER_SET, set);
        let pair = caller.pair_by(M::ML_DSA_KEY_PAIR_GEN, public, Template::default()).unwrap();
        let (none, long) = (Mechanism::from(M::ML_DSA), with(M::ML_DSA, &[7; 255], None));
        let plain = caller.sign_by(pair.private, &none, b"").unwrap();
        assert_eq!(plain.len(), length);
        assert_ne!(plain, caller.sign_by(pair.private, &none, b"").unwrap(), "signing is hedged");
        assert_eq!(caller.verify_by(pair.public, &with(M::ML_DSA, b"", None), b"", &plain), Ok(()));
        assert_eq!(caller.verify_by(pair.public, &long, b"", &plain), Err(ErrorCode::SignatureInvalid));
        let made = caller.sign_by(pair.private, &long, b"").unwrap();
        assert_eq!(caller.verify_by(pair.public, &long, b"", &made), Ok(()));
        let prehash = with(M::HASH_ML_DSA, b"c", Some(M::SHA256));
        let made = caller.sign_by(pair.private, &prehash, &[1; 32]).unwrap();
        let named = with(M::HASH_ML_DSA_SHA256, b"c", None);
        assert_eq!(caller.verify_by(pair.public, &named, &[1; 32], &made), Ok(()));
        let invalid = Err(ErrorCode::SignatureInvalid);
        assert_eq!(caller.verify_by(pair.public, &with(M::ML_DSA, b"c", None), &[1; 32], &made), invalid);
        assert_eq!(caller.verify_by(pair.public, &with(M::HASH_ML_DSA_SHA3_256, b"c", None), &[1; 32], &made), invalid);
        let refused = [
            with(M::ML_DSA, &[7; 256], None),
            with(M::ML_DSA, b"", Some(M::SHA256)),
            with(M::HASH_ML_DSA, b"", None),
            with(M::HASH_ML_DSA, b"", Some(M::SHA_1)),
            with(M::HASH_ML_DSA_SHA256, b"", Some(M::SHA256)),
            M::HASH_ML_DSA.into(),
        ];
        for mechanism in refused {
            assert_eq!(caller.sign_by(pair.private, &mechanism, &[1; 32]).err(), PARAMETER, "{mechanism:?}");
        }
        assert_eq!(caller.sign_by(pair.private, &named, &[1; 33]).err(), Some(ErrorCode::DataLength));
    }
}

#[test]
fn ecdsa_takes_digests_and_no_messages() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    for (curve, length) in [(P256, 64), (P384, 96), (P521, 132)] {
        let public = Template::default().with(A::EC_PARAMS, curve);
        let pair = caller.pair_by(M::EC_KEY_PAIR_GEN, public, Template::default()).unwrap();
        for digest in [20, 28, 32, 48, 64] {
            let made = caller.sign(pair.private, M::ECDSA, &vec![9; digest]).unwrap();
            assert_eq!(made.len(), length);
            caller.verify(pair.public, M::ECDSA, &vec![9; digest], &made).unwrap();
            let zero = vec![0; length];
            let refused = caller.verify(pair.public, M::ECDSA, &vec![9; digest], &zero);
            assert_eq!(refused.err(), Some(ErrorCode::SignatureInvalid));
        }
        for digest in [0, 19, 65, 1000] {
            assert_eq!(caller.sign(pair.private, M::ECDSA, &vec![9; digest]).err(), Some(ErrorCode::DataLength));
        }
        assert_eq!(caller.sign(pair.private, M::ECDSA_SHA3_512, &[9; 32]).err(), Some(ErrorCode::DataLength));
    }
}

/// A key works only with the mechanisms of its type, and with the half of the pair that they ask for.
#[test]
fn a_key_of_another_type_is_refused() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let types = [K::RSA, K::EC, K::EC_EDWARDS, K::ML_DSA];
    let pairs = types.map(|kind| (kind, caller.pair(kind, (A::VERIFY, A::SIGN)).unwrap()));
    let inconsistent = Some(ErrorCode::KeyTypeInconsistent);
    let signs = caller.call(&MechanismList {}).unwrap().mechanisms.into_iter().filter(|row| row.flags & 0x800 != 0);
    for row in signs {
        let (wanted, mechanism, data) = signing(row.kind).unwrap();
        for (kind, pair) in &pairs {
            let made = caller.sign_by(pair.private, &mechanism, &data);
            assert_eq!(made.is_ok(), *kind == wanted, "{:x?} {kind:x} {:?}", row.kind, made.err());
            assert!(made.is_ok() || made.err() == inconsistent);
            assert_eq!(caller.sign_by(pair.public, &mechanism, &data).err(), inconsistent);
            assert_eq!(caller.verify_by(pair.private, &mechanism, &data, &[]).err(), inconsistent);
        }
    }
    // A key of an HMAC type is for its hash; one for everything else is a generic secret.
    let typed = secret_template(K::SHA384_HMAC, &[1; 32]).with(A::SIGN, true);
    let typed = caller.import(typed).unwrap();
    caller.sign(typed, M::SHA384_HMAC, b"data").unwrap();
    assert_eq!(caller.sign(typed, M::SHA256_HMAC, b"data").err(), inconsistent);
    assert_eq!(caller.sign(typed, M::AES_CMAC, b"data").err(), inconsistent);
    let xts = caller.secret(M::AES_XTS_KEY_GEN, 64, &[A::SIGN, A::ENCRYPT]).unwrap();
    assert_eq!(caller.sign(xts, M::AES_CMAC, b"data").err(), inconsistent);
    assert_eq!(caller.encrypt(xts, &gcm(None), b"data").err(), inconsistent);
}

#[test]
fn keys_have_the_sizes_of_the_list() {
    let engine = start(&RamStore::new()).unwrap();
    let strict = user(&engine, token(&engine, PartitionMode::Strict));
    let compatible = user(&engine, token(&engine, PartitionMode::Compatible));
    let rsa = |caller: &Caller<'_>, bits: u64| {
        let public = Template::default().with(A::MODULUS_BITS, bits);
        caller.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, public, Template::default()).map(|pair| pair.public)
    };
    for bits in [0, 1024, 2047, 2049, 4097, 8192, u64::MAX] {
        assert_eq!(rsa(&compatible, bits).err(), Some(ErrorCode::KeySize), "{bits}");
    }
    assert_eq!(rsa(&strict, 2048).err(), Some(ErrorCode::KeySize), "a strict partition wants 3072 bits");
    let public = rsa(&compatible, 2048).unwrap();
    let kinds = vec![A::MODULUS_BITS, A::PUBLIC_EXPONENT, A::MODULUS];
    let read = compatible.call(&AttributesRead { object: public, kinds }).unwrap().values;
    assert!(read[0].value == 2048.into() && read[1].value == vec![1, 0, 1].into());
    assert!(matches!(&read[2].value, coloa_wire::Value::Bytes(modulus) if modulus.len() == 256 && modulus[0] >= 0x80));
    let odd = Template::default().with(A::MODULUS_BITS, 2048).with(A::PUBLIC_EXPONENT, &[3u8][..]);
    let refused = compatible.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, odd, Template::default());
    assert_eq!(refused.err(), Some(ErrorCode::AttributeValueInvalid));
    let with = |kind, value: &[u8]| Template::default().with(kind, value);
    let curve = |mechanism, params: &[u8]| strict.pair_by(mechanism, with(A::EC_PARAMS, params), Template::default());
    let unsupported = Some(ErrorCode::CurveUnsupported);
    assert_eq!(curve(M::EC_KEY_PAIR_GEN, ED25519).err(), unsupported);
    assert_eq!(curve(M::EC_EDWARDS_KEY_PAIR_GEN, P256).err(), unsupported);
    assert_eq!(curve(M::EC_MONTGOMERY_KEY_PAIR_GEN, ED25519).err(), unsupported);
    assert_eq!(curve(M::EC_KEY_PAIR_GEN, &[6, 5, 0x2b, 0x81, 4, 0, 0x0a]).err(), unsupported, "secp256k1");
    curve(M::EC_EDWARDS_KEY_PAIR_GEN, b"\x13\x0cedwards25519").unwrap();
    for (mechanism, set) in [(M::ML_DSA_KEY_PAIR_GEN, 0u64), (M::ML_DSA_KEY_PAIR_GEN, 4), (M::ML_KEM_KEY_PAIR_GEN, 9)] {
        let refused = strict.pair_by(mechanism, Template::default().with(A::PARAMETER_SET, set), Template::default());
        assert_eq!(refused.err(), Some(ErrorCode::AttributeValueInvalid));
    }
    let none = strict.pair_by(M::ML_KEM_KEY_PAIR_GEN, Template::default(), Template::default());
    assert_eq!(none.err(), Some(ErrorCode::TemplateIncomplete));
}
