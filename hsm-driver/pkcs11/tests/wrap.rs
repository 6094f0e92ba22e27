//! Keys under other keys: published vectors where there are any.

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::c::*;
use rig::{P256, Rig};
use std::ptr::null_mut;

/// A key that the caller may read, for a comparison.
fn readable(uses: &[CK_ATTRIBUTE_TYPE]) -> Attributes {
    Attributes::new().number(CKA_CLASS, CKO_SECRET_KEY).no(CKA_SENSITIVE).yes(&[CKA_EXTRACTABLE]).yes(uses)
}

/// An imported key that may leave.
fn secret(s: CK_SESSION_HANDLE, kind: CK_KEY_TYPE, value: &[u8]) -> CK_OBJECT_HANDLE {
    create(s, readable(&[]).number(CKA_KEY_TYPE, kind).bytes(CKA_VALUE, value)).unwrap()
}

fn oaep() -> CK_RSA_PKCS_OAEP_PARAMS {
    let (hash, mgf) = (CKM_SHA256, CKG_MGF1_SHA256);
    CK_RSA_PKCS_OAEP_PARAMS { hashAlg: hash, mgf, source: CKZ_DATA_SPECIFIED, ..Default::default() }
}

fn back_value(s: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Vec<u8> {
    value(s, key, CKA_VALUE).unwrap()
}

#[test]
fn aes_key_wrap_is_the_rfcs() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    // RFC 3394 §4.6, RFC 5649 §6.
    let kek = import(s, CKK_AES, &(0..32).collect::<Vec<u8>>(), &[CKA_WRAP, CKA_UNWRAP]);
    let value = hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
    let key = secret(s, CKK_AES, &value);
    let wrapped = wrap(s, mechanism(CKM_AES_KEY_WRAP), kek, key).unwrap();
    assert_eq!(wrapped, hex("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"));
    let template = readable(&[CKA_ENCRYPT]).number(CKA_KEY_TYPE, CKK_AES);
    let back = unwrap(s, mechanism(CKM_AES_KEY_WRAP), kek, &wrapped, template.clone()).unwrap();
    assert_eq!(back_value(s, back), value);
    let kek = import(s, CKK_AES, &hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"), &[CKA_WRAP, CKA_UNWRAP]);
    let key = secret(s, CKK_GENERIC_SECRET, &hex("c37b7e6492584340bed12207808941155068f738"));
    let expected = hex("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a");
    let mut iv = [0xa6_u8, 0x59, 0x59, 0xa6];
    for how in [mechanism(CKM_AES_KEY_WRAP_KWP), with(CKM_AES_KEY_WRAP_KWP, &mut iv)] {
        assert_eq!(wrap(s, how, kek, key).unwrap(), expected);
    }
    let mut changed = expected;
    changed[9] ^= 1;
    let generic = readable(&[CKA_SIGN]).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    let refused = unwrap(s, mechanism(CKM_AES_KEY_WRAP_KWP), kek, &changed, generic.clone());
    assert_eq!(refused, Err(CKR_WRAPPED_KEY_INVALID));
    let short = unwrap(s, mechanism(CKM_AES_KEY_WRAP_KWP), kek, &changed[..9], generic);
    assert!(matches!(short, Err(CKR_WRAPPED_KEY_LEN_RANGE | CKR_WRAPPED_KEY_INVALID)), "{short:?}");
    iv[0] = 1;
    assert_eq!(wrap(s, with(CKM_AES_KEY_WRAP_KWP, &mut iv), kek, key), Err(CKR_MECHANISM_PARAM_INVALID));
    finalize();
}

#[test]
fn every_listed_way_wraps_and_unwraps() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let kek = import(s, CKK_AES, &[7; 32], &[CKA_WRAP, CKA_UNWRAP]);
    let public = Attributes::new().number(CKA_MODULUS_BITS, 2048).yes(&[CKA_WRAP]);
    let private = Attributes::new().yes(&[CKA_UNWRAP]);
    let rsa = generate_pair(s, CKM_RSA_PKCS_KEY_PAIR_GEN, public, private).unwrap();
    let key = secret(s, CKK_AES, &[5; 32]);
    let public = Attributes::new().bytes(CKA_EC_PARAMS, P256).yes(&[CKA_VERIFY]);
    let private = Attributes::new().yes(&[CKA_SIGN, CKA_EXTRACTABLE]);
    let (verifies, signs) = generate_pair(s, CKM_EC_KEY_PAIR_GEN, public, private).unwrap();
    let (mut iv, mut oaep, mut nonce) = ([3_u8; 16], oaep(), [9_u8; 12]);
    let mut rsa_aes = CK_RSA_AES_KEY_WRAP_PARAMS { ulAESKeyBits: 256, pOAEPParams: &mut oaep.clone() };
    let mut gcm = CK_GCM_PARAMS { pIv: nonce.as_mut_ptr(), ulIvLen: 12, ulTagBits: 128, ..Default::default() };
    for (kind, info) in listed() {
        if info.flags & CKF_WRAP == 0 {
            continue;
        }
        let (how, pair, takes_pairs) = match kind {
            CKM_AES_KEY_WRAP => (mechanism(kind), (kek, kek), false),
            CKM_AES_KEY_WRAP_PAD | CKM_AES_KEY_WRAP_KWP => (mechanism(kind), (kek, kek), true),
            CKM_AES_CBC_PAD => (with(kind, &mut iv), (kek, kek), true),
            CKM_AES_GCM => (with(kind, &mut gcm), (kek, kek), true),
            CKM_RSA_PKCS => (mechanism(kind), rsa, false),
            CKM_RSA_PKCS_OAEP => (with(kind, &mut oaep), rsa, false),
            CKM_RSA_AES_KEY_WRAP => (with(kind, &mut rsa_aes), rsa, true),
            other => panic!("{other:#x} is listed as wrapping"),
        };
        let wrapped = wrap(s, how, pair.0, key).unwrap_or_else(|rv| panic!("{kind:#x}: {rv:#x}"));
        let template = readable(&[CKA_ENCRYPT]).number(CKA_KEY_TYPE, CKK_AES);
        let back = unwrap(s, how, pair.1, &wrapped, template).unwrap_or_else(|rv| panic!("{kind:#x}: {rv:#x}"));
        assert_eq!(back_value(s, back), [5; 32], "{kind:#x}");
        if takes_pairs {
            let wrapped = wrap(s, how, pair.0, signs).unwrap_or_else(|rv| panic!("{kind:#x}: {rv:#x}"));
            let template = Attributes::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_EC);
            let back = unwrap(s, how, pair.1, &wrapped, template.yes(&[CKA_SIGN])).unwrap();
            let signature = sign(s, mechanism(CKM_ECDSA_SHA256), back, b"x").unwrap();
            assert_eq!(verify(s, mechanism(CKM_ECDSA_SHA256), verifies, b"x", &signature), CKR_OK, "{kind:#x}");
        }
    }
    finalize();
}

#[test]
fn wrapping_that_is_not_allowed_has_the_standards_answers() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let kek = import(s, CKK_AES, &[7; 32], &[CKA_WRAP, CKA_UNWRAP]);
    let stays = generate(s, mechanism(CKM_AES_KEY_GEN), Attributes::new().number(CKA_VALUE_LEN, 32)).unwrap();
    let leaves = secret(s, CKK_AES, &[5; 32]);
    let how = mechanism(CKM_AES_KEY_WRAP);
    assert_eq!(wrap(s, how, kek, stays), Err(CKR_KEY_UNEXTRACTABLE));
    assert_eq!(wrap(s, how, 9999, leaves), Err(CKR_WRAPPING_KEY_HANDLE_INVALID));
    assert_eq!(wrap(s, how, kek, 9999), Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(wrap(s, how, stays, leaves), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    assert_eq!(wrap(s, mechanism(CKM_RSA_PKCS), kek, leaves), Err(CKR_WRAPPING_KEY_TYPE_INCONSISTENT));
    assert_eq!(wrap(s, mechanism(CKM_SHA256), kek, leaves), Err(CKR_MECHANISM_INVALID));
    let template = Attributes::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    assert_eq!(unwrap(s, how, 9999, &[0; 40], template.clone()), Err(CKR_UNWRAPPING_KEY_HANDLE_INVALID));
    let wrong_type = unwrap(s, mechanism(CKM_RSA_PKCS), kek, &[0; 40], template);
    assert_eq!(wrong_type, Err(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT));
    finalize();
}

#[test]
fn authenticated_wrapping_binds_its_data_and_the_engine_makes_the_iv() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let kek = import(s, CKK_AES, &[7; 32], &[CKA_WRAP, CKA_UNWRAP]);
    let key = secret(s, CKK_AES, &[5; 32]);
    let (mut iv, mut aad) = ([0_u8; 12], *b"goi 17");
    let mut params = CK_GCM_WRAP_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: 12,
        ivGenerator: CKG_GENERATE_RANDOM,
        ulTagBits: 128,
        ..Default::default()
    };
    let mut how = with(CKM_AES_GCM, &mut params);
    let start = aad.as_mut_ptr();
    let mut wrapped =
        deliver(|out, len| ck!(C_WrapKeyAuthenticated(s, &mut how, kek, key, start, 6, out, len))).unwrap();
    assert_ne!(iv, [0; 12]);
    assert_eq!(wrapped.len(), 48);
    let unwrap = |how: &mut CK_MECHANISM, wrapped: &mut [u8], aad: &mut [u8]| {
        let mut template = readable(&[CKA_ENCRYPT]).number(CKA_KEY_TYPE, CKK_AES);
        let (mut raw, mut made) = (template.raw(), 0);
        let (start, length) = (wrapped.as_mut_ptr(), wrapped.len() as CK_ULONG);
        let (attributes, count) = (raw.as_mut_ptr(), raw.len() as CK_ULONG);
        let (aad, bytes) = (aad.as_mut_ptr(), aad.len() as CK_ULONG);
        let rv = ck!(C_UnwrapKeyAuthenticated(s, how, kek, start, length, attributes, count, aad, bytes, &mut made));
        if rv == CKR_OK { Ok(made) } else { Err(rv) }
    };
    let back = unwrap(&mut how, &mut wrapped, &mut aad).unwrap();
    assert_eq!(back_value(s, back), [5; 32]);
    assert_eq!(unwrap(&mut how, &mut wrapped, &mut aad[1..]), Err(CKR_WRAPPED_KEY_INVALID));
    // What does not authenticate takes no associated data.
    let mut plain = mechanism(CKM_AES_KEY_WRAP);
    assert_eq!(unwrap(&mut plain, &mut wrapped, &mut aad), Err(CKR_MECHANISM_INVALID));
    finalize();
}

#[test]
fn templates_go_in_and_come_out() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let (mut class, mut label, mut yes) = ([CKO_SECRET_KEY], *b"khoa con", [CK_TRUE]);
    let mut inner =
        [attribute(CKA_CLASS, &mut class), attribute(CKA_LABEL, &mut label), attribute(CKA_TOKEN, &mut yes)];
    let (mut length, mut wraps, mut unwraps) = ([32 as CK_ULONG], [CK_TRUE], [CK_TRUE]);
    let mut template = [
        attribute(CKA_VALUE_LEN, &mut length),
        attribute(CKA_WRAP, &mut wraps),
        attribute(CKA_UNWRAP, &mut unwraps),
        attribute(CKA_UNWRAP_TEMPLATE, &mut inner),
    ];
    let (mut how, mut kek) = (mechanism(CKM_AES_KEY_GEN), 0);
    assert_eq!(ck!(C_GenerateKey(s, &mut how, template.as_mut_ptr(), 4, &mut kek)), CKR_OK);
    // How long the array is, then how long its values are, then the values.
    let size = size_of::<CK_ATTRIBUTE>() as CK_ULONG;
    let mut asked = CK_ATTRIBUTE { type_: CKA_UNWRAP_TEMPLATE, pValue: null_mut(), ulValueLen: 0 };
    assert_eq!(ck!(C_GetAttributeValue(s, kek, &mut asked, 1)), CKR_OK);
    assert_eq!(asked.ulValueLen, 3 * size);
    let mut found = [CK_ATTRIBUTE::default(); 3];
    asked.pValue = found.as_mut_ptr().cast();
    asked.ulValueLen = 2 * size;
    assert_eq!(ck!(C_GetAttributeValue(s, kek, &mut asked, 1)), CKR_BUFFER_TOO_SMALL);
    asked.ulValueLen = 3 * size;
    assert_eq!(ck!(C_GetAttributeValue(s, kek, &mut asked, 1)), CKR_OK);
    let lengths = |found: &[CK_ATTRIBUTE; 3]| {
        let mut all: Vec<_> = found.iter().map(|a| (a.type_, a.ulValueLen)).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(lengths(&found), [(CKA_CLASS, 8), (CKA_TOKEN, 1), (CKA_LABEL, 8)]);
    let mut buffers = [[0_u8; 8]; 3];
    for (element, buffer) in found.iter_mut().zip(&mut buffers) {
        element.pValue = buffer.as_mut_ptr().cast();
    }
    assert_eq!(ck!(C_GetAttributeValue(s, kek, &mut asked, 1)), CKR_OK);
    let at = found.iter().position(|a| a.type_ == CKA_LABEL).unwrap();
    assert_eq!(&buffers[at], b"khoa con");
    // What it unwraps is as the template says: a token object, which outlives the session it was made in.
    let key = secret(s, CKK_AES, &[5; 32]);
    let wrapped = wrap(s, mechanism(CKM_AES_KEY_WRAP), kek, key).unwrap();
    let mut other = 0;
    let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    assert_eq!(ck!(C_OpenSession(0, flags, null_mut(), None, &mut other)), CKR_OK);
    let template = Attributes::new().number(CKA_KEY_TYPE, CKK_AES);
    let back = unwrap(other, mechanism(CKM_AES_KEY_WRAP), kek, &wrapped, template.clone()).unwrap();
    assert_eq!(value(s, back, CKA_LABEL).unwrap(), b"khoa con");
    assert_eq!(ck!(C_CloseSession(other)), CKR_OK);
    assert_eq!(value(s, back, CKA_TOKEN).unwrap(), [CK_TRUE]);
    assert_eq!(ck!(C_OpenSession(0, CKF_SERIAL_SESSION, null_mut(), None, &mut other)), CKR_OK);
    let read_only = unwrap(other, mechanism(CKM_AES_KEY_WRAP), kek, &wrapped, template);
    assert_eq!(read_only, Err(CKR_SESSION_READ_ONLY));
    // Templates inside templates, wild lengths and halves of attributes are refused.
    let mut nested = [attribute(CKA_WRAP_TEMPLATE, &mut inner)];
    let mut outer = [attribute(CKA_VALUE_LEN, &mut length), attribute(CKA_UNWRAP_TEMPLATE, &mut nested)];
    let mut refused = || ck!(C_GenerateKey(s, &mut how, outer.as_mut_ptr(), 2, &mut other));
    assert_eq!(refused(), CKR_ATTRIBUTE_VALUE_INVALID);
    for wild in [size - 1, CK_ULONG::MAX, CK_ULONG::MAX / size * size, 129 * size] {
        outer[1] = CK_ATTRIBUTE { ulValueLen: wild, ..attribute(CKA_UNWRAP_TEMPLATE, &mut inner) };
        let rv = ck!(C_GenerateKey(s, &mut how, outer.as_mut_ptr(), 2, &mut other));
        assert_eq!(rv, CKR_ATTRIBUTE_VALUE_INVALID, "{wild:#x}");
    }
    finalize();
}
