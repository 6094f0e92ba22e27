//! What is listed works, in both kinds of partition; what is not listed is refused.

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::c::*;
use rig::{P256, Rig};
use std::ptr::null_mut;

const P521: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// The keys that signing mechanisms of one family share: the one that verifies, the one that signs.
struct Keys {
    session: CK_SESSION_HANDLE,
    made: Vec<(CK_KEY_TYPE, (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE))>,
}

impl Keys {
    fn of(&mut self, kind: CK_KEY_TYPE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
        if let Some((_, pair)) = self.made.iter().find(|(known, _)| *known == kind) {
            return *pair;
        }
        let (signs, verifies) = (Attributes::new().yes(&[CKA_SIGN]), Attributes::new().yes(&[CKA_VERIFY]));
        let pair = |how, public| generate_pair(self.session, how, public, signs.clone()).unwrap();
        let secret = |how, length| {
            let template = Attributes::new().number(CKA_VALUE_LEN, length).yes(&[CKA_SIGN, CKA_VERIFY]);
            let key = generate(self.session, mechanism(how), template).unwrap();
            (key, key)
        };
        let made = match kind {
            CKK_RSA => pair(CKM_RSA_PKCS_KEY_PAIR_GEN, verifies.number(CKA_MODULUS_BITS, 3072)),
            CKK_EC => pair(CKM_EC_KEY_PAIR_GEN, verifies.bytes(CKA_EC_PARAMS, P521)),
            CKK_EC_EDWARDS => pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, verifies.bytes(CKA_EC_PARAMS, ED25519)),
            CKK_ML_DSA => pair(CKM_ML_DSA_KEY_PAIR_GEN, verifies.number(CKA_PARAMETER_SET, CKP_ML_DSA_65)),
            CKK_AES => secret(CKM_AES_KEY_GEN, 32),
            _ => secret(CKM_GENERIC_SECRET_KEY_GEN, 64),
        };
        self.made.push((kind, made));
        made
    }
}

/// The parameter of a mechanism, which stays where it is.
#[derive(Default)]
struct Place {
    pss: CK_RSA_PKCS_PSS_PARAMS,
    hash_sign: CK_HASH_SIGN_ADDITIONAL_CONTEXT,
    length: CK_ULONG,
}

/// What a signing mechanism takes: its mechanism, the type of its keys, bytes of data (0: any), bytes of its result.
fn signing(kind: CK_MECHANISM_TYPE, place: &mut Place) -> (CK_MECHANISM, CK_KEY_TYPE, usize, usize) {
    let hashes = [
        (CKM_SHA224, CKG_MGF1_SHA224, 28),
        (CKM_SHA256, CKG_MGF1_SHA256, 32),
        (CKM_SHA384, CKG_MGF1_SHA384, 48),
        (CKM_SHA512, CKG_MGF1_SHA512, 64),
        (CKM_SHA3_224, CKG_MGF1_SHA3_224, 28),
        (CKM_SHA3_256, CKG_MGF1_SHA3_256, 32),
        (CKM_SHA3_384, CKG_MGF1_SHA3_384, 48),
        (CKM_SHA3_512, CKG_MGF1_SHA3_512, 64),
    ];
    let mut pss = |at: usize| {
        let (hash, mgf, length) = hashes[at];
        place.pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: hash, mgf, sLen: length };
        with(kind, &mut place.pss)
    };
    let hmacs = [
        CKM_SHA224_HMAC,
        CKM_SHA256_HMAC,
        CKM_SHA384_HMAC,
        CKM_SHA512_HMAC,
        CKM_SHA3_224_HMAC,
        CKM_SHA3_256_HMAC,
        CKM_SHA3_384_HMAC,
        CKM_SHA3_512_HMAC,
    ];
    if let Some(at) = hmacs.iter().position(|hmac| *hmac == kind) {
        return (mechanism(kind), CKK_GENERIC_SECRET, 0, hashes[at].2 as usize);
    }
    if hmacs.contains(&(kind - 1)) || kind == CKM_AES_CMAC_GENERAL {
        place.length = 12;
        let key = if kind == CKM_AES_CMAC_GENERAL { CKK_AES } else { CKK_GENERIC_SECRET };
        return (with(kind, &mut place.length), key, 0, 12);
    }
    match kind {
        CKM_AES_CMAC => (mechanism(kind), CKK_AES, 0, 16),
        CKM_EDDSA => (mechanism(kind), CKK_EC_EDWARDS, 0, 64),
        CKM_ECDSA => (mechanism(kind), CKK_EC, 32, 132),
        CKM_ECDSA_SHA1..=CKM_ECDSA_SHA3_512 => (mechanism(kind), CKK_EC, 0, 132),
        CKM_RSA_PKCS => (mechanism(kind), CKK_RSA, 51, 384),
        CKM_RSA_PKCS_PSS => (pss(1), CKK_RSA, 32, 384),
        CKM_SHA256_RSA_PKCS | CKM_SHA384_RSA_PKCS | CKM_SHA512_RSA_PKCS => (mechanism(kind), CKK_RSA, 0, 384),
        CKM_SHA224_RSA_PKCS | CKM_SHA3_224_RSA_PKCS => (mechanism(kind), CKK_RSA, 0, 384),
        CKM_SHA3_256_RSA_PKCS | CKM_SHA3_384_RSA_PKCS | CKM_SHA3_512_RSA_PKCS => (mechanism(kind), CKK_RSA, 0, 384),
        CKM_SHA224_RSA_PKCS_PSS => (pss(0), CKK_RSA, 0, 384),
        CKM_SHA256_RSA_PKCS_PSS => (pss(1), CKK_RSA, 0, 384),
        CKM_SHA384_RSA_PKCS_PSS => (pss(2), CKK_RSA, 0, 384),
        CKM_SHA512_RSA_PKCS_PSS => (pss(3), CKK_RSA, 0, 384),
        CKM_SHA3_224_RSA_PKCS_PSS => (pss(4), CKK_RSA, 0, 384),
        CKM_SHA3_256_RSA_PKCS_PSS => (pss(5), CKK_RSA, 0, 384),
        CKM_SHA3_384_RSA_PKCS_PSS => (pss(6), CKK_RSA, 0, 384),
        CKM_SHA3_512_RSA_PKCS_PSS => (pss(7), CKK_RSA, 0, 384),
        CKM_HASH_ML_DSA => {
            place.hash_sign = CK_HASH_SIGN_ADDITIONAL_CONTEXT { hash: CKM_SHA384, ..Default::default() };
            (with(kind, &mut place.hash_sign), CKK_ML_DSA, 48, 3309)
        }
        CKM_ML_DSA | CKM_HASH_ML_DSA_SHA224..=CKM_HASH_ML_DSA_SHA3_512 => (mechanism(kind), CKK_ML_DSA, 0, 3309),
        other => panic!("{other:#x} is listed as signing"),
    }
}

/// By every function that makes or checks a signature.
fn signs(s: CK_SESSION_HANDLE, kind: CK_MECHANISM_TYPE, flags: CK_FLAGS, keys: &mut Keys) {
    let mut place = Place::default();
    let (how, key_type, data_bytes, bytes) = signing(kind, &mut place);
    let (public, private) = keys.of(key_type);
    let data: Vec<u8> = (0..if data_bytes == 0 { 1000 } else { data_bytes }).map(|n| n as u8).collect();
    let signature = sign(s, how, private, &data).unwrap_or_else(|rv| panic!("{kind:#x}: {rv:#x}"));
    assert_eq!(signature.len(), bytes, "{kind:#x}");
    assert_eq!(verify(s, how, public, &data, &signature), CKR_OK, "{kind:#x}");
    let mut wrong = signature.clone();
    wrong[bytes / 2] ^= 1;
    assert_eq!(verify(s, how, public, &data, &wrong), CKR_SIGNATURE_INVALID, "{kind:#x}");
    assert_eq!(verify(s, how, public, &data, &wrong[1..]), CKR_SIGNATURE_LEN_RANGE, "{kind:#x}");
    match sign_parts(s, how, private, &data) {
        Ok(parts) => assert_eq!(verify(s, how, public, &data, &parts), CKR_OK, "{kind:#x} in parts"),
        Err(rv) => {
            assert!(data_bytes > 0, "{kind:#x} takes any data but no parts: {rv:#x}");
            assert_eq!(rv, CKR_OPERATION_NOT_INITIALIZED);
            assert_eq!(ck!(C_SessionCancel(s, CKF_SIGN)), CKR_OK);
        }
    }
    known_before(s, how, public, (&data, &signature));
    assert_ne!(flags & CKF_MESSAGE_SIGN, 0, "{kind:#x}");
    messages(s, how, (public, private), &data);
}

/// `C_VerifySignature*`.
fn known_before(s: CK_SESSION_HANDLE, mut how: CK_MECHANISM, key: CK_OBJECT_HANDLE, (data, signature): (&[u8], &[u8])) {
    let (mut data, mut signature) = (data.to_vec(), signature.to_vec());
    let length = signature.len() as CK_ULONG;
    assert_eq!(ck!(C_VerifySignatureInit(s, &mut how, key, signature.as_mut_ptr(), length)), CKR_OK);
    assert_eq!(ck!(C_Verify(s, data.as_mut_ptr(), 1, signature.as_mut_ptr(), length)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_VerifySignature(s, data.as_mut_ptr(), data.len() as CK_ULONG)), CKR_OK);
    data[0] ^= 1;
    assert_eq!(ck!(C_VerifySignatureInit(s, &mut how, key, signature.as_mut_ptr(), length)), CKR_OK);
    let rv = ck!(C_VerifySignature(s, data.as_mut_ptr(), data.len() as CK_ULONG));
    assert_eq!(rv, CKR_SIGNATURE_INVALID);
    assert_eq!(ck!(C_VerifySignature(s, data.as_mut_ptr(), 1)), CKR_OPERATION_NOT_INITIALIZED);
}

/// `C_MessageSign*` and `C_MessageVerify*`: two messages, one of them in parts.
fn messages(
    s: CK_SESSION_HANDLE,
    mut how: CK_MECHANISM,
    (public, private): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE),
    data: &[u8],
) {
    let (mut data, none) = (data.to_vec(), null_mut());
    let (start, length) = (data.as_mut_ptr(), data.len() as CK_ULONG);
    let half = length / 2;
    let second = data[half as usize..].as_mut_ptr();
    assert_eq!(ck!(C_MessageSignInit(s, &mut how, private)), CKR_OK);
    let whole = deliver(|out, len| ck!(C_SignMessage(s, none, 0, start, length, out, len))).unwrap();
    assert_eq!(ck!(C_SignMessageBegin(s, none, 0)), CKR_OK);
    assert_eq!(ck!(C_SignMessageNext(s, none, 0, start, half, null_mut(), null_mut())), CKR_OK);
    let parts = deliver(|out, len| ck!(C_SignMessageNext(s, none, 0, second, length - half, out, len))).unwrap();
    assert_eq!(ck!(C_MessageSignFinal(s)), CKR_OK);
    assert_eq!(ck!(C_MessageSignFinal(s)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_MessageVerifyInit(s, &mut how, public)), CKR_OK);
    for mut signature in [whole, parts] {
        let (end, size) = (signature.as_mut_ptr(), signature.len() as CK_ULONG);
        assert_eq!(ck!(C_VerifyMessage(s, none, 0, start, length, end, size)), CKR_OK);
        assert_eq!(ck!(C_VerifyMessageBegin(s, none, 0)), CKR_OK);
        assert_eq!(ck!(C_VerifyMessageNext(s, none, 0, start, half, null_mut(), 0)), CKR_OK);
        assert_eq!(ck!(C_VerifyMessageNext(s, none, 0, second, length - half, end, size)), CKR_OK);
        signature[3] ^= 1;
        let end = signature.as_mut_ptr();
        assert_eq!(ck!(C_VerifyMessage(s, none, 0, start, length, end, size)), CKR_SIGNATURE_INVALID);
    }
    assert_eq!(ck!(C_MessageVerifyFinal(s)), CKR_OK);
}

fn every_signing_mechanism_signs(mode: &str, least: usize) {
    let _rig = Rig::new(mode);
    let s = set_up();
    let mut keys = Keys { session: s, made: Vec::new() };
    let listed: Vec<_> = listed().into_iter().filter(|(_, info)| info.flags & CKF_SIGN != 0).collect();
    assert!(listed.len() >= least, "{}", listed.len());
    for (kind, info) in listed {
        signs(s, kind, info.flags, &mut keys);
    }
    finalize();
}

#[test]
fn every_signing_mechanism_of_a_compatible_partition_signs() {
    every_signing_mechanism_signs("compatible", 54);
}

#[test]
fn every_signing_mechanism_of_a_strict_partition_signs() {
    every_signing_mechanism_signs("strict", 45);
}

#[test]
fn a_strict_partition_lists_what_its_rules_leave() {
    let flags = |kind| listed().iter().find(|(k, _)| *k == kind).map(|(_, info)| info.flags);
    let _rig = Rig::new("strict");
    let s = set_up();
    for kind in [CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR, CKM_SHA_1] {
        assert_eq!(flags(kind), None, "{kind:#x}");
        let mut info = CK_MECHANISM_INFO::default();
        assert_eq!(ck!(C_GetMechanismInfo(0, kind, &mut info)), CKR_MECHANISM_INVALID, "{kind:#x}");
    }
    let verifies = flags(CKM_SHA256_RSA_PKCS).unwrap();
    assert_eq!(
        verifies & (CKF_SIGN | CKF_VERIFY | CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY),
        CKF_VERIFY | CKF_MESSAGE_VERIFY
    );
    let gcm = flags(CKM_AES_GCM).unwrap();
    assert_ne!(gcm & CKF_MESSAGE_ENCRYPT, 0);
    // What is not listed is refused at once.
    let template = Attributes::new().bytes(CKA_EC_PARAMS, P256).yes(&[CKA_VERIFY]);
    let (_, key) = generate_pair(s, CKM_EC_KEY_PAIR_GEN, template, Attributes::new().yes(&[CKA_SIGN])).unwrap();
    let mut how = mechanism(CKM_SHA256_RSA_PKCS);
    assert_eq!(ck!(C_SignInit(s, &mut how, key)), CKR_MECHANISM_INVALID);
    let mut how = mechanism(CKM_AES_ECB);
    assert_eq!(ck!(C_EncryptInit(s, &mut how, key)), CKR_MECHANISM_INVALID);
    finalize();
    drop(_rig);
    let _rig = Rig::new("compatible");
    set_up();
    assert_eq!(flags(CKM_AES_ECB).map(|f| f & (CKF_ENCRYPT | CKF_DECRYPT)), Some(CKF_ENCRYPT | CKF_DECRYPT));
    assert_ne!(flags(CKM_SHA256_RSA_PKCS).unwrap() & CKF_SIGN, 0);
    finalize();
}

#[test]
fn what_is_listed_is_tried_somewhere_here() {
    let _rig = Rig::new("compatible");
    set_up();
    let with = |flag: CK_FLAGS| -> Vec<_> {
        listed().into_iter().filter(|(_, info)| info.flags & flag != 0).map(|(kind, _)| kind).collect()
    };
    let ciphers = [
        CKM_RSA_PKCS,
        CKM_RSA_PKCS_OAEP,
        CKM_AES_XTS,
        CKM_AES_ECB,
        CKM_AES_CBC,
        CKM_AES_CBC_PAD,
        CKM_AES_CTR,
        CKM_AES_GCM,
        CKM_AES_CCM,
    ];
    assert_eq!(with(CKF_ENCRYPT), ciphers, "modes.rs");
    assert_eq!(with(CKF_DECRYPT), ciphers, "modes.rs");
    assert_eq!(with(CKF_DERIVE), [CKM_SP800_108_COUNTER_KDF, CKM_ECDH1_DERIVE, CKM_HKDF_DERIVE], "keys.rs");
    assert_eq!(with(CKF_ENCAPSULATE), [CKM_ML_KEM], "keys.rs");
    assert_eq!(with(CKF_MESSAGE_ENCRYPT), [CKM_AES_GCM, CKM_AES_CCM], "message.rs");
    assert_eq!(with(CKF_MESSAGE_SIGN), with(CKF_SIGN));
    assert_eq!(with(CKF_SIGN), with(CKF_VERIFY));
    assert_eq!(with(CKF_WRAP), with(CKF_UNWRAP));
    assert!(with(CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER).is_empty());
    finalize();
}
