//! Keys that are generated, and that come from other keys: published vectors where there are any.

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::c::*;
use rig::{P256, Rig};

const X25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x6e];

/// A key that the caller may read, for a comparison.
fn readable(uses: &[CK_ATTRIBUTE_TYPE]) -> Attributes {
    Attributes::new().number(CKA_CLASS, CKO_SECRET_KEY).no(CKA_SENSITIVE).yes(&[CKA_EXTRACTABLE]).yes(uses)
}

fn generic(length: CK_ULONG) -> Attributes {
    readable(&[CKA_SIGN]).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET).number(CKA_VALUE_LEN, length)
}

fn back_value(s: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Vec<u8> {
    value(s, key, CKA_VALUE).unwrap()
}

#[test]
fn hkdf_is_the_rfcs_with_salt_as_data_and_as_a_key() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    // RFC 5869 A.1.
    let base = create(s, readable(&[CKA_DERIVE]).number(CKA_KEY_TYPE, CKK_HKDF).bytes(CKA_VALUE, &[0x0b; 22])).unwrap();
    let (mut salt, mut info) = (hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"));
    let expected = hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    let salt_key = create(
        s,
        readable(&[CKA_DERIVE])
            .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
            .bytes(CKA_VALUE, &[salt.clone(), vec![0]].concat()),
    );
    let mut params = CK_HKDF_PARAMS {
        bExtract: CK_TRUE,
        bExpand: CK_TRUE,
        prfHashMechanism: CKM_SHA256,
        ulSaltType: CKF_HKDF_SALT_DATA,
        pSalt: salt.as_mut_ptr(),
        ulSaltLen: 13,
        hSaltKey: 0,
        pInfo: info.as_mut_ptr(),
        ulInfoLen: 10,
    };
    let derived = derive(s, with(CKM_HKDF_DERIVE, &mut params), base, generic(42)).unwrap();
    assert_eq!(back_value(s, derived), expected);
    // HMAC pads a key with zeros, so that the salt with one more is the same salt.
    params.ulSaltType = CKF_HKDF_SALT_KEY;
    params.hSaltKey = salt_key.unwrap();
    let derived = derive(s, with(CKM_HKDF_DERIVE, &mut params), base, generic(42)).unwrap();
    assert_eq!(back_value(s, derived), expected);
    params.hSaltKey = 9999;
    assert_eq!(derive(s, with(CKM_HKDF_DERIVE, &mut params), base, generic(42)), Err(CKR_KEY_HANDLE_INVALID));
    finalize();
}

#[test]
fn a_counter_kdf_is_its_prf() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let uses = [CKA_DERIVE, CKA_SIGN];
    let base = import(s, CKK_GENERIC_SECRET, &[0x42; 32], &uses);
    let mut counter = CK_SP800_108_COUNTER_FORMAT { bLittleEndian: CK_FALSE, ulWidthInBits: 32 };
    let mut length = CK_SP800_108_DKM_LENGTH_FORMAT {
        dkmLengthMethod: CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS,
        bLittleEndian: CK_FALSE,
        ulWidthInBits: 16,
    };
    let mut label = *b"nhan\0ngu canh";
    let mut fields = [
        CK_PRF_DATA_PARAM {
            type_: CK_SP800_108_ITERATION_VARIABLE,
            pValue: (&raw mut counter).cast(),
            ulValueLen: size_of_val(&counter) as CK_ULONG,
        },
        CK_PRF_DATA_PARAM { type_: CK_SP800_108_BYTE_ARRAY, pValue: label.as_mut_ptr().cast(), ulValueLen: 13 },
        CK_PRF_DATA_PARAM {
            type_: CK_SP800_108_DKM_LENGTH,
            pValue: (&raw mut length).cast(),
            ulValueLen: size_of_val(&length) as CK_ULONG,
        },
    ];
    let mut params = CK_SP800_108_KDF_PARAMS {
        prfType: CKM_SHA256_HMAC,
        ulNumberOfDataParams: 3,
        pDataParams: fields.as_mut_ptr(),
        ..Default::default()
    };
    let derived = derive(s, with(CKM_SP800_108_COUNTER_KDF, &mut params), base, generic(32)).unwrap();
    let message = [&[0, 0, 0, 1][..], &label, &[1, 0]].concat();
    assert_eq!(back_value(s, derived), sign(s, mechanism(CKM_SHA256_HMAC), base, &message).unwrap());
    params.ulAdditionalDerivedKeys = 1;
    let many = derive(s, with(CKM_SP800_108_COUNTER_KDF, &mut params), base, generic(32));
    assert_eq!(many, Err(CKR_MECHANISM_PARAM_INVALID));
    finalize();
}

#[test]
fn a_password_gives_the_rfcs_key_in_both_layouts() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    // RFC 7914 §11.
    let expected = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc
        49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783";
    let (mut salt, mut password) = (*b"salt", *b"passwd");
    let mut new = CK_PKCS5_PBKD2_PARAMS2 {
        saltSource: CKZ_SALT_SPECIFIED,
        pSaltSourceData: salt.as_mut_ptr().cast(),
        ulSaltSourceDataLen: 4,
        iterations: 1,
        prf: CKP_PKCS5_PBKD2_HMAC_SHA256,
        pPassword: password.as_mut_ptr(),
        ulPasswordLen: 6,
        ..Default::default()
    };
    let key = generate(s, with(CKM_PKCS5_PBKD2, &mut new), generic(64)).unwrap();
    assert_eq!(back_value(s, key), hex(expected));
    let mut length: CK_ULONG = 6;
    let mut old = CK_PKCS5_PBKD2_PARAMS {
        saltSource: CKZ_SALT_SPECIFIED,
        pSaltSourceData: salt.as_mut_ptr().cast(),
        ulSaltSourceDataLen: 4,
        iterations: 1,
        prf: CKP_PKCS5_PBKD2_HMAC_SHA256,
        pPassword: password.as_mut_ptr(),
        ulPasswordLen: &mut length,
        ..Default::default()
    };
    let key = generate(s, with(CKM_PKCS5_PBKD2, &mut old), generic(64)).unwrap();
    assert_eq!(back_value(s, key), hex(expected));
    for wild in [CK_ULONG::MAX, 1 << 40, 70_000] {
        new.ulPasswordLen = wild;
        let refused = generate(s, with(CKM_PKCS5_PBKD2, &mut new), generic(64));
        assert_eq!(refused, Err(CKR_MECHANISM_PARAM_INVALID), "{wild:#x}");
    }
    finalize();
}

#[test]
fn both_sides_agree_on_a_secret() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    for (how, curve) in [(CKM_EC_KEY_PAIR_GEN, P256), (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, X25519)] {
        let pair = || {
            let public = Attributes::new().bytes(CKA_EC_PARAMS, curve).yes(&[CKA_DERIVE]);
            generate_pair(s, how, public, Attributes::new().yes(&[CKA_DERIVE])).unwrap()
        };
        let (ours, theirs) = (pair(), pair());
        let agree = |private, public, kdf, shared: &mut [u8]| {
            let mut point = value(s, public, CKA_EC_POINT).unwrap();
            let mut params = CK_ECDH1_DERIVE_PARAMS {
                kdf,
                ulSharedDataLen: shared.len() as CK_ULONG,
                pSharedData: shared.as_mut_ptr(),
                ulPublicDataLen: point.len() as CK_ULONG,
                pPublicData: point.as_mut_ptr(),
            };
            derive(s, with(CKM_ECDH1_DERIVE, &mut params), private, generic(32)).map(|key| back_value(s, key))
        };
        let z = agree(ours.1, theirs.0, CKD_NULL, &mut []).unwrap();
        assert_eq!(agree(theirs.1, ours.0, CKD_NULL, &mut []).unwrap(), z);
        let mut hashed = [&z[..], &[0, 0, 0, 1], b"chung"].concat();
        let mut sha = mechanism(CKM_SHA256);
        assert_eq!(ck!(C_DigestInit(s, &mut sha)), CKR_OK);
        let length = hashed.len() as CK_ULONG;
        let expected = deliver(|out, len| ck!(C_Digest(s, hashed.as_mut_ptr(), length, out, len))).unwrap();
        assert_eq!(agree(ours.1, theirs.0, CKD_SHA256_KDF, &mut b"chung".to_vec()).unwrap(), expected);
        assert_eq!(agree(ours.1, theirs.0, CKD_SHA256_KDF_SP800, &mut []), Err(CKR_MECHANISM_PARAM_INVALID));
    }
    finalize();
}

#[test]
fn what_one_encapsulates_the_other_gets_back() {
    for mode in ["compatible", "strict"] {
        let _rig = Rig::new(mode);
        let s = set_up();
        for (set, bytes) in [(CKP_ML_KEM_512, 768), (CKP_ML_KEM_768, 1088), (CKP_ML_KEM_1024, 1568)] {
            let public = Attributes::new().number(CKA_PARAMETER_SET, set).yes(&[CKA_ENCAPSULATE]);
            let private = Attributes::new().yes(&[CKA_DECAPSULATE]);
            let (public, private) = generate_pair(s, CKM_ML_KEM_KEY_PAIR_GEN, public, private).unwrap();
            let mut template = Attributes::new().number(CKA_KEY_TYPE, CKK_GENERIC_SECRET).yes(&[CKA_SIGN]);
            let mut raw = template.raw();
            let (start, count) = (raw.as_mut_ptr(), raw.len() as CK_ULONG);
            let (mut how, mut ours, mut theirs) = (mechanism(CKM_ML_KEM), 0, 0);
            let mut ciphertext = deliver(|out, len| {
                let rv = ck!(C_EncapsulateKey(s, &mut how, public, start, count, out, len, &mut ours));
                assert_eq!(rv == CKR_OK && !out.is_null(), ours != 0, "no key comes of a question");
                rv
            })
            .unwrap();
            assert_eq!(ciphertext.len(), bytes);
            let text = ciphertext.as_mut_ptr();
            let rv = ck!(C_DecapsulateKey(s, &mut how, private, start, count, text, bytes as CK_ULONG, &mut theirs));
            assert_eq!(rv, CKR_OK);
            let mac = |key| sign(s, mechanism(CKM_SHA256_HMAC), key, b"x").unwrap();
            assert_eq!(mac(ours), mac(theirs), "{set}");
            let rv = ck!(C_DecapsulateKey(s, &mut how, private, start, count, text, 5, &mut theirs));
            assert!(matches!(rv, CKR_ENCRYPTED_DATA_LEN_RANGE | CKR_WRAPPED_KEY_LEN_RANGE), "{rv:#x}");
        }
        finalize();
    }
}

#[test]
fn keys_of_every_kind_are_generated() {
    let _rig = Rig::new("strict");
    let s = set_up();
    for (kind, info) in listed() {
        if info.flags & CKF_GENERATE != 0 && kind != CKM_PKCS5_PBKD2 {
            let length = if kind == CKM_AES_XTS_KEY_GEN { 64 } else { 32 };
            let key = generate(s, mechanism(kind), Attributes::new().number(CKA_VALUE_LEN, length));
            let key = key.unwrap_or_else(|rv| panic!("{kind:#x}: {rv:#x}"));
            assert_eq!(value(s, key, CKA_KEY_GEN_MECHANISM).unwrap(), kind.to_ne_bytes());
        }
        if info.flags & CKF_GENERATE_KEY_PAIR != 0 {
            let public = Attributes::new();
            let public = match kind {
                CKM_RSA_PKCS_KEY_PAIR_GEN => public.number(CKA_MODULUS_BITS, 3072),
                CKM_EC_KEY_PAIR_GEN => public.bytes(CKA_EC_PARAMS, P256),
                CKM_EC_EDWARDS_KEY_PAIR_GEN => public.bytes(CKA_EC_PARAMS, &[0x06, 0x03, 0x2b, 0x65, 0x70]),
                CKM_EC_MONTGOMERY_KEY_PAIR_GEN => public.bytes(CKA_EC_PARAMS, X25519),
                CKM_ML_DSA_KEY_PAIR_GEN => public.number(CKA_PARAMETER_SET, CKP_ML_DSA_44),
                CKM_ML_KEM_KEY_PAIR_GEN => public.number(CKA_PARAMETER_SET, CKP_ML_KEM_512),
                other => panic!("{other:#x} is listed as generating"),
            };
            let (public, private) = generate_pair(s, kind, public, Attributes::new()).unwrap();
            let info = value(s, public, CKA_PUBLIC_KEY_INFO).unwrap();
            assert_eq!(value(s, private, CKA_PUBLIC_KEY_INFO).unwrap(), info, "{kind:#x}");
        }
    }
    finalize();
}
