//! Messages: authenticated encryption whose tag stands beside the ciphertext.

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::Rig;
use rig::c::*;
use std::ffi::c_void;
use std::ptr::null_mut;

const PLAIN: &[u8] = b"ho so toa an so 12, ban sao so 3";

/// IV and tag of one message, and the structure that points to them.
struct Gcm {
    iv: Box<[u8; 12]>,
    tag: Box<[u8; 16]>,
    params: Box<CK_GCM_MESSAGE_PARAMS>,
}

impl Gcm {
    fn new(generator: CK_GENERATOR_FUNCTION, iv: [u8; 12]) -> Self {
        let (mut iv, mut tag) = (Box::new(iv), Box::new([0; 16]));
        let params = Box::new(CK_GCM_MESSAGE_PARAMS {
            pIv: iv.as_mut_ptr(),
            ulIvLen: 12,
            ulIvFixedBits: 0,
            ivGenerator: generator,
            pTag: tag.as_mut_ptr(),
            ulTagBits: 128,
        });
        Gcm { iv, tag, params }
    }

    fn at(&mut self) -> (*mut c_void, CK_ULONG) {
        ((&raw mut *self.params).cast(), size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG)
    }
}

fn aes(s: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let template = Attributes::new().number(CKA_VALUE_LEN, 32).yes(&[CKA_ENCRYPT, CKA_DECRYPT]);
    generate(s, mechanism(CKM_AES_KEY_GEN), template).unwrap()
}

fn encrypt_message(s: CK_SESSION_HANDLE, gcm: &mut Gcm, aad: &[u8], data: &[u8]) -> Answer<Vec<u8>> {
    let ((at, size), mut aad, mut data) = (gcm.at(), aad.to_vec(), data.to_vec());
    let lengths = (aad.len() as CK_ULONG, data.len() as CK_ULONG);
    let (aad, data) = (aad.as_mut_ptr(), data.as_mut_ptr());
    deliver(|out, len| ck!(C_EncryptMessage(s, at, size, aad, lengths.0, data, lengths.1, out, len)))
}

fn decrypt_message(s: CK_SESSION_HANDLE, gcm: &mut Gcm, aad: &[u8], data: &[u8]) -> Answer<Vec<u8>> {
    let ((at, size), mut aad, mut data) = (gcm.at(), aad.to_vec(), data.to_vec());
    let lengths = (aad.len() as CK_ULONG, data.len() as CK_ULONG);
    let (aad, data) = (aad.as_mut_ptr(), data.as_mut_ptr());
    deliver(|out, len| ck!(C_DecryptMessage(s, at, size, aad, lengths.0, data, lengths.1, out, len)))
}

#[test]
fn the_engine_makes_the_iv_of_each_message() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (key, mut how) = (aes(s), mechanism(CKM_AES_GCM));
    assert_eq!(ck!(C_MessageEncryptInit(s, &mut how, key)), CKR_OK);
    assert_eq!(ck!(C_MessageEncryptInit(s, &mut how, key)), CKR_OPERATION_ACTIVE);
    let mut sealed: Vec<(Gcm, Vec<u8>)> = Vec::new();
    for _ in 0..3 {
        let mut gcm = Gcm::new(CKG_GENERATE_RANDOM, [0; 12]);
        let text = encrypt_message(s, &mut gcm, b"aad", PLAIN).unwrap();
        assert_eq!(text.len(), PLAIN.len());
        assert!(sealed.iter().all(|(other, _)| other.iv != gcm.iv));
        sealed.push((gcm, text));
    }
    // A caller's IV is refused where the engine makes them, and a counter is nobody's.
    let chosen = encrypt_message(s, &mut Gcm::new(CKG_NO_GENERATE, [7; 12]), b"", PLAIN);
    assert_eq!(chosen, Err(CKR_MECHANISM_PARAM_INVALID));
    let counter = encrypt_message(s, &mut Gcm::new(CKG_GENERATE_COUNTER, [7; 12]), b"", PLAIN);
    assert_eq!(counter, Err(CKR_MECHANISM_PARAM_INVALID));
    assert_eq!(ck!(C_MessageEncryptFinal(s)), CKR_OK);
    assert_eq!(ck!(C_MessageDecryptInit(s, &mut how, key)), CKR_OK);
    for (gcm, text) in &mut sealed {
        assert_eq!(decrypt_message(s, gcm, b"aad", text).unwrap(), PLAIN);
        assert_eq!(decrypt_message(s, gcm, b"aa", text), Err(CKR_ENCRYPTED_DATA_INVALID));
        gcm.tag[0] ^= 1;
        assert_eq!(decrypt_message(s, gcm, b"aad", text), Err(CKR_ENCRYPTED_DATA_INVALID));
    }
    assert_eq!(ck!(C_MessageDecryptFinal(s)), CKR_OK);
    assert_eq!(ck!(C_MessageDecryptFinal(s)), CKR_OPERATION_NOT_INITIALIZED);
    finalize();
}

#[test]
fn a_message_comes_in_parts() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (key, mut how) = (aes(s), mechanism(CKM_AES_GCM));
    let (mut aad, mut data) = (*b"aad", PLAIN.to_vec());
    let (first, second) = data.split_at_mut(10);
    let rest = second.len() as CK_ULONG;
    let mut gcm = Gcm::new(CKG_GENERATE, [0; 12]);
    let (at, size) = gcm.at();
    assert_eq!(ck!(C_MessageEncryptInit(s, &mut how, key)), CKR_OK);
    let mut none = 0;
    let early = ck!(C_EncryptMessageNext(s, at, size, first.as_mut_ptr(), 10, null_mut(), &mut none, 0));
    assert_eq!(early, CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_EncryptMessageBegin(s, at, size, aad.as_mut_ptr(), 3)), CKR_OK);
    assert_eq!(ck!(C_EncryptMessageBegin(s, at, size, aad.as_mut_ptr(), 3)), CKR_OPERATION_ACTIVE);
    let mut out = [0_u8; 64];
    let mut length = 64;
    let rv = ck!(C_EncryptMessageNext(s, at, size, first.as_mut_ptr(), 10, out.as_mut_ptr(), &mut length, 0));
    assert_eq!((rv, length), (CKR_OK, 0));
    let (start, ends) = (second.as_mut_ptr(), CKF_END_OF_MESSAGE);
    let sealed = deliver(|out, len| ck!(C_EncryptMessageNext(s, at, size, start, rest, out, len, ends))).unwrap();
    assert_eq!(sealed.len(), PLAIN.len());
    assert_eq!(ck!(C_SessionCancel(s, CKF_MESSAGE_ENCRYPT)), CKR_OK);
    assert_eq!(ck!(C_MessageEncryptFinal(s)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_MessageDecryptInit(s, &mut how, key)), CKR_OK);
    assert_eq!(decrypt_message(s, &mut gcm, b"aad", &sealed).unwrap(), PLAIN);
    let mut sealed = sealed;
    assert_eq!(ck!(C_DecryptMessageBegin(s, at, size, aad.as_mut_ptr(), 3)), CKR_OK);
    let (first, second) = sealed.split_at_mut(7);
    let rv = ck!(C_DecryptMessageNext(s, at, size, first.as_mut_ptr(), 7, out.as_mut_ptr(), &mut length, 0));
    assert_eq!((rv, length), (CKR_OK, 0));
    let (start, rest) = (second.as_mut_ptr(), second.len() as CK_ULONG);
    let opened = deliver(|out, len| ck!(C_DecryptMessageNext(s, at, size, start, rest, out, len, ends))).unwrap();
    assert_eq!(opened, PLAIN);
    finalize();
}

#[test]
fn ccm_messages_and_a_callers_iv_where_it_may_be_chosen() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let key = import(s, CKK_AES, &hex("404142434445464748494a4b4c4d4e4f"), &[CKA_ENCRYPT, CKA_DECRYPT]);
    // SP 800-38C, example 1.
    let (mut nonce, mut mac, mut aad, mut data) =
        (hex("10111213141516"), [0_u8; 4], hex("0001020304050607"), hex("20212223"));
    let mut params = CK_CCM_MESSAGE_PARAMS {
        ulDataLen: 4,
        pNonce: nonce.as_mut_ptr(),
        ulNonceLen: 7,
        ulNonceFixedBits: 0,
        nonceGenerator: CKG_NO_GENERATE,
        pMAC: mac.as_mut_ptr(),
        ulMACLen: 4,
    };
    let (at, size) = ((&raw mut params).cast(), size_of::<CK_CCM_MESSAGE_PARAMS>() as CK_ULONG);
    let mut how = mechanism(CKM_AES_CCM);
    assert_eq!(ck!(C_MessageEncryptInit(s, &mut how, key)), CKR_OK);
    let (start, text) = (aad.as_mut_ptr(), data.as_mut_ptr());
    let sealed = deliver(|out, len| ck!(C_EncryptMessage(s, at, size, start, 8, text, 4, out, len))).unwrap();
    assert_eq!((sealed, mac.to_vec()), (hex("7162015b"), hex("4dac255d")));
    // Parameters of another mechanism, and none, are refused.
    assert_eq!(encrypt_message(s, &mut Gcm::new(CKG_GENERATE, [0; 12]), b"", b"x"), Err(CKR_MECHANISM_PARAM_INVALID));
    let mut length = 0;
    let rv = ck!(C_EncryptMessage(s, null_mut(), 0, start, 8, text, 4, null_mut(), &mut length));
    assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID);
    finalize();
}

#[test]
fn parameters_of_messages_are_looked_at() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (key, mut how) = (aes(s), mechanism(CKM_AES_GCM));
    assert_eq!(ck!(C_MessageEncryptInit(s, &mut how, key)), CKR_OK);
    let wrong: [fn(&mut CK_GCM_MESSAGE_PARAMS); 8] = [
        |p| p.pTag = null_mut(),
        |p| p.pIv = null_mut(),
        |p| p.ulIvLen = CK_ULONG::MAX,
        |p| p.ulIvLen = 0,
        |p| p.ulIvLen = 11,
        |p| p.ulTagBits = 32,
        |p| p.ulTagBits = CK_ULONG::MAX,
        |p| p.ulIvFixedBits = 32,
    ];
    for (n, spoil) in wrong.into_iter().enumerate() {
        let mut gcm = Gcm::new(CKG_GENERATE_RANDOM, [0; 12]);
        spoil(&mut gcm.params);
        assert_eq!(encrypt_message(s, &mut gcm, b"", PLAIN), Err(CKR_MECHANISM_PARAM_INVALID), "{n}");
    }
    let (mut gcm, mut length, mut data) = (Gcm::new(CKG_GENERATE_RANDOM, [0; 12]), 64, [7_u8; 64]);
    let ((at, _), start) = (gcm.at(), data.as_mut_ptr());
    for size in [1, 47, 49, 56, CK_ULONG::MAX] {
        let rv = ck!(C_EncryptMessage(s, at, size, null_mut(), 0, start, 8, start, &mut length));
        assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "{size:#x}");
    }
    // A message that failed ends; the operation goes on, here in one buffer.
    let rv = ck!(C_EncryptMessage(s, at, 48, null_mut(), 0, start, 40, start, &mut length));
    assert_eq!((rv, length), (CKR_OK, 40));
    assert_eq!(ck!(C_MessageDecryptInit(s, &mut how, key)), CKR_OK);
    assert_eq!(decrypt_message(s, &mut gcm, b"", &data[..40]).unwrap(), [7; 40]);
    // Signatures have no parameters.
    let template = Attributes::new().number(CKA_VALUE_LEN, 32).yes(&[CKA_SIGN]);
    let mac = generate(s, mechanism(CKM_GENERIC_SECRET_KEY_GEN), template).unwrap();
    assert_eq!(ck!(C_MessageSignInit(s, &mut mechanism(CKM_SHA256_HMAC), mac)), CKR_OK);
    let rv = ck!(C_SignMessage(s, at, 48, start, 8, start, &mut length));
    assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID);
    finalize();
}

/// The engine's IV has to have a place: one of its length, in what the message begins with and in what it ends with.
#[test]
fn an_iv_that_has_no_place_is_not_made() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let (key, mut how, mut data) = (aes(s), mechanism(CKM_AES_GCM), PLAIN.to_vec());
    assert_eq!(ck!(C_MessageEncryptInit(s, &mut how, key)), CKR_OK);
    let (mut first, mut last) = (Gcm::new(CKG_GENERATE, [0; 12]), Gcm::new(CKG_NO_GENERATE, [0; 12]));
    last.params.ulIvLen = 8;
    let ((begin, size), (end, _)) = (first.at(), last.at());
    assert_eq!(ck!(C_EncryptMessageBegin(s, begin, size, null_mut(), 0)), CKR_OK);
    let (mut out, mut n, length) = ([0_u8; 64], 64, data.len() as CK_ULONG);
    let rv = ck!(C_EncryptMessageNext(
        s,
        end,
        size,
        data.as_mut_ptr(),
        length,
        out.as_mut_ptr(),
        &mut n,
        CKF_END_OF_MESSAGE
    ));
    assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID);
    let mut iv = [0_u8; 8];
    let mut wide = CK_GCM_WRAP_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: 8,
        ivGenerator: CKG_GENERATE,
        ulTagBits: 128,
        ..Default::default()
    };
    assert_eq!(ck!(C_MessageEncryptFinal(s)), CKR_OK);
    assert_eq!(encrypt(s, with(CKM_AES_GCM, &mut wide), key, PLAIN), Err(CKR_MECHANISM_PARAM_INVALID));
    finalize();
}
