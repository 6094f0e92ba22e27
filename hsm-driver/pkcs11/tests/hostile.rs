//! Boundary B2 at large: every function and every mechanism parameter, given what no careful program gives (R24).

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::c::*;
use rig::every::{always, every_function};
use rig::keys::Keys;
use rig::{P256, Rig};
use std::ptr::null_mut;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn every_function_says_what_is_wrong_first() {
    let _rig = Rig::new("strict");
    let wild = [0, 1, CK_ULONG::MAX, 1 << 63, (1 << 63) - 1, CK_ULONG::MAX / 24 + 1];
    for (name, rv) in every_function(1, 1) {
        assert_eq!(rv, always(name).unwrap_or(CKR_CRYPTOKI_NOT_INITIALIZED), "{name} before C_Initialize");
    }
    let s = set_up();
    for n in wild {
        for (name, rv) in every_function(9999, n) {
            assert_eq!(rv, always(name).unwrap_or(CKR_SESSION_HANDLE_INVALID), "{name} in no session, {n:#x}");
        }
        for (name, rv) in every_function(s, n) {
            assert_ne!(rv, CKR_GENERAL_ERROR, "{name} {n:#x}");
            assert_ne!(rv, CKR_OK, "{name} {n:#x}");
            assert!(always(name).is_none_or(|only| rv == only), "{name} {n:#x}: {rv:#x}");
        }
    }
    // It still works.
    assert!(generate(s, mechanism(CKM_AES_KEY_GEN), Attributes::new().number(CKA_VALUE_LEN, 32)).is_ok());
    finalize();
}

/// Uses a mechanism in every way; what begins is ended.
fn every_use(s: CK_SESSION_HANDLE, how: &mut CK_MECHANISM, keys: &Keys) {
    let (mut made, mut length, mut bytes) = (0, 64, [0_u8; 64]);
    let start = bytes.as_mut_ptr();
    let seen = |rv: CK_RV, what: &str, kind: CK_MECHANISM_TYPE| {
        assert_ne!(rv, CKR_GENERAL_ERROR, "{what} by {kind:#x}");
        assert_ne!(rv, CKR_DEVICE_ERROR, "{what} by {kind:#x}");
    };
    let kind = how.mechanism;
    for key in keys.all() {
        seen(ck!(C_SignInit(s, how, key)), "C_SignInit", kind);
        seen(ck!(C_VerifyInit(s, how, key)), "C_VerifyInit", kind);
        seen(ck!(C_EncryptInit(s, how, key)), "C_EncryptInit", kind);
        seen(ck!(C_DecryptInit(s, how, key)), "C_DecryptInit", kind);
        seen(ck!(C_MessageSignInit(s, how, key)), "C_MessageSignInit", kind);
        seen(ck!(C_MessageVerifyInit(s, how, key)), "C_MessageVerifyInit", kind);
        seen(ck!(C_MessageEncryptInit(s, how, key)), "C_MessageEncryptInit", kind);
        seen(ck!(C_MessageDecryptInit(s, how, key)), "C_MessageDecryptInit", kind);
        seen(ck!(C_WrapKey(s, how, key, keys.generic, start, &mut length)), "C_WrapKey", kind);
        seen(ck!(C_UnwrapKey(s, how, key, start, 40, null_mut(), 0, &mut made)), "C_UnwrapKey", kind);
        seen(ck!(C_DeriveKey(s, how, key, null_mut(), 0, &mut made)), "C_DeriveKey", kind);
        seen(ck!(C_EncapsulateKey(s, how, key, null_mut(), 0, start, &mut length, &mut made)), "C_Encapsulate", kind);
        seen(ck!(C_SessionCancel(s, CK_FLAGS::MAX)), "C_SessionCancel", kind);
        length = 64;
    }
    seen(ck!(C_DigestInit(s, how)), "C_DigestInit", kind);
    seen(ck!(C_GenerateKey(s, how, null_mut(), 0, &mut made)), "C_GenerateKey", kind);
    seen(ck!(C_SessionCancel(s, CK_FLAGS::MAX)), "C_SessionCancel", kind);
}

#[test]
fn parameters_of_any_length_and_content_are_refused_or_taken() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let keys = Keys::new(s);
    let kinds: Vec<_> = listed().into_iter().map(|(kind, _)| kind).filter(|k| !is_pair_generation(*k)).collect();
    for kind in kinds.into_iter().chain([CKM_SHA_1, 0x1234_5678, CK_ULONG::MAX]) {
        // One byte more than the largest structure has, at an odd address.
        for fill in [0x00, 0xff, 0x80] {
            let mut bytes = vec![fill; 121];
            let odd = bytes[1..].as_mut_ptr();
            for length in [0, 1, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 120] {
                let mut how = CK_MECHANISM { mechanism: kind, pParameter: odd.cast(), ulParameterLen: length };
                every_use(s, &mut how, &keys);
            }
        }
        for length in [1, 16, 48, CK_ULONG::MAX, 1 << 63] {
            let mut how = CK_MECHANISM { mechanism: kind, pParameter: null_mut(), ulParameterLen: length };
            every_use(s, &mut how, &keys);
        }
    }
    assert!(sign(s, mechanism(CKM_ECDSA_SHA256), keys.ec.1, b"x").is_ok());
    finalize();
}

fn is_pair_generation(kind: CK_MECHANISM_TYPE) -> bool {
    let of = |(k, info): &(CK_MECHANISM_TYPE, CK_MECHANISM_INFO)| *k == kind && info.flags & CKF_GENERATE_KEY_PAIR != 0;
    listed().iter().any(of)
}

#[test]
fn lengths_inside_parameters_are_bounded() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let keys = Keys::new(s);
    let mut byte = [0_u8; 16];
    let start = byte.as_mut_ptr();
    for wild in [CK_ULONG::MAX, 1 << 63, 1 << 40, 70_000] {
        let mut gcm = CK_GCM_PARAMS {
            pIv: start,
            ulIvLen: 12,
            pAAD: start,
            ulAADLen: wild,
            ulTagBits: 128,
            ..Default::default()
        };
        assert_eq!(encrypt(s, with(CKM_AES_GCM, &mut gcm), keys.aes, b"x"), Err(CKR_MECHANISM_PARAM_INVALID));
        let mut gcm = CK_GCM_PARAMS { pIv: start, ulIvLen: wild, ulTagBits: 128, ..Default::default() };
        assert_eq!(encrypt(s, with(CKM_AES_GCM, &mut gcm), keys.aes, b"x"), Err(CKR_MECHANISM_PARAM_INVALID));
        let mut ccm = CK_CCM_PARAMS { pNonce: start, ulNonceLen: wild, ulMACLen: 16, ..Default::default() };
        assert_eq!(encrypt(s, with(CKM_AES_CCM, &mut ccm), keys.aes, b"x"), Err(CKR_MECHANISM_PARAM_INVALID));
        let mut oaep = CK_RSA_PKCS_OAEP_PARAMS {
            hashAlg: CKM_SHA256,
            mgf: CKG_MGF1_SHA256,
            source: CKZ_DATA_SPECIFIED,
            pSourceData: start.cast(),
            ulSourceDataLen: wild,
        };
        assert_eq!(encrypt(s, with(CKM_RSA_PKCS_OAEP, &mut oaep), keys.rsa.0, b"x"), Err(CKR_MECHANISM_PARAM_INVALID));
        let mut ecdh =
            CK_ECDH1_DERIVE_PARAMS { kdf: CKD_NULL, pPublicData: start, ulPublicDataLen: wild, ..Default::default() };
        assert_eq!(
            derive(s, with(CKM_ECDH1_DERIVE, &mut ecdh), keys.ec.1, Attributes::new()),
            Err(CKR_MECHANISM_PARAM_INVALID)
        );
        let mut kdf = CK_SP800_108_KDF_PARAMS {
            prfType: CKM_SHA256_HMAC,
            ulNumberOfDataParams: wild,
            pDataParams: start.cast(),
            ..Default::default()
        };
        let derived = derive(s, with(CKM_SP800_108_COUNTER_KDF, &mut kdf), keys.generic, Attributes::new());
        assert_eq!(derived, Err(CKR_MECHANISM_PARAM_INVALID));
        let mut length = wild;
        let mac = sign(s, with(CKM_SHA256_HMAC_GENERAL, &mut length), keys.generic, b"x");
        assert_eq!(mac, Err(CKR_MECHANISM_PARAM_INVALID));
        let mut pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: wild };
        let signature = sign(s, with(CKM_SHA256_RSA_PKCS_PSS, &mut pss), keys.rsa.1, b"x");
        assert_eq!(signature, Err(CKR_MECHANISM_PARAM_INVALID));
    }
    // Who demands a signature that is not hedged, a prehash of Ed25519 or a context of it is refused at once.
    let deterministic = |kind| {
        let mut context = CK_SIGN_ADDITIONAL_CONTEXT { hedgeVariant: CKH_DETERMINISTIC_REQUIRED, ..Default::default() };
        sign(s, with(kind, &mut context), keys.ec.1, b"x")
    };
    assert_eq!(deterministic(CKM_ML_DSA), Err(CKR_MECHANISM_PARAM_INVALID));
    assert_eq!(deterministic(CKM_HASH_ML_DSA_SHA512), Err(CKR_MECHANISM_PARAM_INVALID));
    let mut prehash = CK_EDDSA_PARAMS { phFlag: CK_TRUE, ..Default::default() };
    assert_eq!(sign(s, with(CKM_EDDSA, &mut prehash), keys.ec.1, b"x"), Err(CKR_MECHANISM_PARAM_INVALID));
    finalize();
}

#[test]
fn of_two_threads_that_begin_one_begins() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let public = Attributes::new().bytes(CKA_EC_PARAMS, P256).yes(&[CKA_VERIFY]);
    let (public, private) = generate_pair(s, CKM_EC_KEY_PAIR_GEN, public, Attributes::new().yes(&[CKA_SIGN])).unwrap();
    let template = Attributes::new().number(CKA_VALUE_LEN, 32).yes(&[CKA_ENCRYPT, CKA_DECRYPT]);
    let aes = generate(s, mechanism(CKM_AES_KEY_GEN), template).unwrap();
    type Begin = fn(CK_SESSION_HANDLE, [CK_OBJECT_HANDLE; 3]) -> CK_RV;
    let begins: [(Begin, CK_FLAGS); 5] = [
        (|s, [_, private, _]| ck!(C_SignInit(s, &mut mechanism(CKM_ECDSA_SHA256), private)), CKF_SIGN),
        (|s, [public, ..]| ck!(C_VerifyInit(s, &mut mechanism(CKM_ECDSA_SHA256), public)), CKF_VERIFY),
        (|s, [.., aes]| ck!(C_MessageEncryptInit(s, &mut mechanism(CKM_AES_GCM), aes)), CKF_MESSAGE_ENCRYPT),
        (|s, _| ck!(C_DigestInit(s, &mut mechanism(CKM_SHA256))), CKF_DIGEST),
        (|s, _| ck!(C_FindObjectsInit(s, null_mut(), 0)), CKF_FIND_OBJECTS),
    ];
    let keys = [public, private, aes];
    for (begin, flag) in begins {
        for _ in 0..100 {
            let together = Barrier::new(2);
            let mut answers = std::thread::scope(|scope| {
                let race = || {
                    together.wait();
                    begin(s, keys)
                };
                let (one, two) = (scope.spawn(race), scope.spawn(race));
                [one.join().unwrap(), two.join().unwrap()]
            });
            answers.sort_unstable();
            assert_eq!(answers, [CKR_OK, CKR_OPERATION_ACTIVE]);
            assert_eq!(ck!(C_SessionCancel(s, flag)), CKR_OK);
        }
    }
    finalize();
}

#[test]
fn many_threads_in_one_session_get_the_standards_answers() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let key = import(s, CKK_AES, &[7; 32], &[CKA_ENCRYPT, CKA_DECRYPT]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (mut iv, mut data) = ([1_u8; 16], [7_u8; 40]);
                let mut how = with(CKM_AES_CBC_PAD, &mut iv);
                while !stop.load(Ordering::Relaxed) {
                    let (mut out, mut n) = ([0_u8; 64], 64);
                    let answers = [
                        ck!(C_EncryptInit(s, &mut how, key)),
                        ck!(C_EncryptUpdate(s, data.as_mut_ptr(), 40, out.as_mut_ptr(), &mut n)),
                        ck!(C_DigestInit(s, &mut mechanism(CKM_SHA256))),
                        ck!(C_DigestEncryptUpdate(s, data.as_mut_ptr(), 7, out.as_mut_ptr(), &mut n)),
                        ck!(C_EncryptFinal(s, out.as_mut_ptr(), &mut n)),
                        ck!(C_Encrypt(s, data.as_mut_ptr(), 3, out.as_mut_ptr(), &mut n)),
                        ck!(C_SessionCancel(s, CK_FLAGS::MAX)),
                    ];
                    for rv in answers {
                        let known = [CKR_OK, CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED, CKR_BUFFER_TOO_SMALL];
                        assert!(known.contains(&rv), "{rv:#x}");
                    }
                }
            });
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
        stop.store(true, Ordering::Relaxed);
    });
    finalize();
}
