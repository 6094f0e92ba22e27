//! What an application does with a token, each use with buffers of exactly the right size. Objects are those of
//! [`super::truth::OBJECTS`].

use super::memory::as_bytes;
use super::replies::Stage;
use super::truth::CAREFUL;
use crate::rig::c::{mechanism, with};
use crate::said;
use cryptoki_sys::*;
use std::ptr::null_mut;

const AES: usize = 0;
const GENERIC: usize = 1;
const RSA: (usize, usize) = (2, 3);
const EC: (usize, usize) = (4, 5);
const ML_KEM: (usize, usize) = (6, 7);
const ML_DSA: usize = 8;

pub const ALL: [fn(&mut Stage<'_>); 25] = [
    sign_with_each_key,
    sign_parts,
    verify,
    encrypt_cbc_parts,
    encrypt_at_once,
    decrypt_at_once,
    decrypt_padded_parts,
    encrypt_gcm,
    encrypt_gcm_with_iv,
    rsa,
    wrap,
    unwrap_and_derive,
    encapsulate,
    attributes,
    changes,
    makes,
    random,
    messages,
    signed_messages,
    two_at_once,
    asynchronous,
    one_use,
    pins,
    lists,
    find_again,
];

fn sign_with_each_key(t: &mut Stage<'_>) {
    let s = t.s;
    let ways = [
        (CKM_SHA256_HMAC, GENERIC, 32),
        (CKM_AES_CMAC, AES, 16),
        (CKM_SHA256_RSA_PKCS, RSA.1, 256),
        (CKM_ECDSA_SHA256, EC.1, 64),
        (CKM_ML_DSA, ML_DSA, 2420),
    ];
    for (kind, key, length) in ways {
        let ((data, n), (out, mut room)) = (t.data(20), t.room(length));
        said!(t, C_SignInit(s, &mut mechanism(kind), t.object(key)));
        said!(t, C_Sign(s, data, n, null_mut(), &mut room));
        room = length as CK_ULONG;
        said!(t, C_Sign(s, data, n, out, &mut room));
    }
}

fn sign_parts(t: &mut Stage<'_>) {
    let s = t.s;
    let ((data, n), (out, mut room)) = (t.data(33), t.room(32));
    said!(t, C_SignInit(s, &mut mechanism(CKM_SHA256_HMAC), t.object(GENERIC)));
    said!(t, C_SignUpdate(s, data, n));
    said!(t, C_SignFinal(s, out, &mut room));
}

fn verify(t: &mut Stage<'_>) {
    let s = t.s;
    let ((data, n), (signature, m)) = (t.data(20), t.data(64));
    said!(t, C_VerifyInit(s, &mut mechanism(CKM_ECDSA_SHA256), t.object(EC.0)));
    said!(t, C_Verify(s, data, n, signature, m));
    said!(t, C_VerifySignatureInit(s, &mut mechanism(CKM_ECDSA_SHA256), t.object(EC.0), signature, m));
    said!(t, C_VerifySignatureUpdate(s, data, n));
    said!(t, C_VerifySignatureFinal(s));
}

/// Blocks that are ready when they come: each part's buffer is as long as they are.
fn encrypt_cbc_parts(t: &mut Stage<'_>) {
    let (s, mut iv) = (t.s, [1_u8; 16]);
    said!(t, C_EncryptInit(s, &mut with(CKM_AES_CBC, &mut iv), t.object(AES)));
    for (length, ready) in [(16, 16), (20, 16), (12, 16)] {
        let ((data, n), (out, mut room)) = (t.data(length), t.room(ready));
        said!(t, C_EncryptUpdate(s, data, n, out, &mut room));
    }
    let (out, mut room) = t.room(0);
    said!(t, C_EncryptFinal(s, out, &mut room));
}

fn encrypt_at_once(t: &mut Stage<'_>) {
    let s = t.s;
    let (mut iv, mut ctr) = ([1_u8; 16], CK_AES_CTR_PARAMS { ulCounterBits: 64, cb: [1; 16] });
    let ways = [
        (mechanism(CKM_AES_ECB), 48),
        (with(CKM_AES_CBC, &mut iv), 48),
        (with(CKM_AES_CBC_PAD, &mut iv), 64),
        (with(CKM_AES_CTR, &mut ctr), 48),
    ];
    for (mut how, length) in ways {
        let ((data, n), (out, mut room)) = (t.data(48), t.room(length));
        said!(t, C_EncryptInit(s, &mut how, t.object(AES)));
        said!(t, C_Encrypt(s, data, n, out, &mut room));
    }
}

fn decrypt_at_once(t: &mut Stage<'_>) {
    let (s, mut iv) = (t.s, [1_u8; 16]);
    for (kind, length) in [(CKM_AES_CBC, 48), (CKM_AES_CBC_PAD, 47)] {
        let ((data, n), (out, mut room)) = (t.data(48), t.room(length));
        said!(t, C_DecryptInit(s, &mut with(kind, &mut iv), t.object(AES)));
        said!(t, C_Decrypt(s, data, n, out, &mut room));
    }
}

fn decrypt_padded_parts(t: &mut Stage<'_>) {
    let (s, mut iv) = (t.s, [1_u8; 16]);
    said!(t, C_DecryptInit(s, &mut with(CKM_AES_CBC_PAD, &mut iv), t.object(AES)));
    let ((data, n), (out, mut room)) = (t.data(48), t.room(32));
    said!(t, C_DecryptUpdate(s, data, n, out, &mut room));
    let (out, mut room) = t.room(15);
    said!(t, C_DecryptFinal(s, out, &mut room));
}

/// Parameters whose IV the engine makes, and puts there.
fn gcm(t: &mut Stage<'_>) -> CK_GCM_WRAP_PARAMS {
    let iv = t.memory.both(&[0; 12]) as *mut CK_BYTE;
    CK_GCM_WRAP_PARAMS { pIv: iv, ulIvLen: 12, ivGenerator: CKG_GENERATE, ulTagBits: 128, ..Default::default() }
}

fn encrypt_gcm(t: &mut Stage<'_>) {
    let (s, mut gcm) = (t.s, gcm(t));
    let ((data, n), (out, mut room)) = (t.data(40), t.room(56));
    said!(t, C_EncryptInit(s, &mut with(CKM_AES_GCM, &mut gcm), t.object(AES)));
    said!(t, C_EncryptUpdate(s, data, n, out, &mut room));
    room = 56;
    said!(t, C_EncryptFinal(s, out, &mut room));
    said!(t, C_DecryptInit(s, &mut with(CKM_AES_GCM, &mut gcm), t.object(AES)));
    room = 24;
    said!(t, C_Decrypt(s, data, n, out, &mut room));
}

/// An IV of the caller's own may stand where nobody can write, or be gone.
fn encrypt_gcm_with_iv(t: &mut Stage<'_>) {
    let (s, iv) = (t.s, t.memory.input(&[1; 12]) as *mut CK_BYTE);
    let mut gcm = CK_GCM_PARAMS { pIv: iv, ulIvLen: 12, ulTagBits: 128, ..Default::default() };
    let ((data, n), (out, mut room)) = (t.data(40), t.room(56));
    said!(t, C_EncryptInit(s, &mut with(CKM_AES_GCM, &mut gcm), t.object(AES)));
    said!(t, C_Encrypt(s, data, n, out, &mut room));
    let (out, mut room) = t.room(48);
    said!(t, C_WrapKey(s, &mut with(CKM_AES_GCM, &mut gcm), t.object(AES), t.object(GENERIC), out, &mut room));
}

fn rsa(t: &mut Stage<'_>) {
    let s = t.s;
    let mut oaep = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA256,
        mgf: CKG_MGF1_SHA256,
        source: CKZ_DATA_SPECIFIED,
        ..Default::default()
    };
    let ((data, n), (out, mut room)) = (t.data(20), t.room(256));
    said!(t, C_EncryptInit(s, &mut with(CKM_RSA_PKCS_OAEP, &mut oaep), t.object(RSA.0)));
    said!(t, C_Encrypt(s, data, n, out, &mut room));
    let ((data, n), (out, mut room)) = (t.data(256), t.room(10));
    said!(t, C_DecryptInit(s, &mut with(CKM_RSA_PKCS_OAEP, &mut oaep), t.object(RSA.1)));
    said!(t, C_Decrypt(s, data, n, out, &mut room));
}

fn wrap(t: &mut Stage<'_>) {
    let (s, mut gcm) = (t.s, gcm(t));
    let (out, mut room) = t.room(48);
    said!(t, C_WrapKey(s, &mut with(CKM_AES_GCM, &mut gcm), t.object(AES), t.object(GENERIC), out, &mut room));
    room = 48;
    said!(t, C_WrapKey(s, &mut mechanism(CKM_AES_KEY_WRAP_KWP), t.object(AES), t.object(GENERIC), out, &mut room));
}

fn unwrap_and_derive(t: &mut Stage<'_>) {
    let (s, mut made, (wrapped, n)) = (t.s, 0, t.data(40));
    let mut how = mechanism(CKM_AES_KEY_WRAP_KWP);
    said!(t, C_UnwrapKey(s, &mut how, t.object(AES), wrapped, n, null_mut(), 0, &mut made));
    let mut hkdf = CK_HKDF_PARAMS {
        bExpand: CK_TRUE,
        prfHashMechanism: CKM_SHA256,
        ulSaltType: CKF_HKDF_SALT_NULL,
        ..Default::default()
    };
    said!(t, C_DeriveKey(s, &mut with(CKM_HKDF_DERIVE, &mut hkdf), t.object(GENERIC), null_mut(), 0, &mut made));
    said!(t, C_DestroyObject(s, made));
}

fn encapsulate(t: &mut Stage<'_>) {
    let (s, mut made, (out, mut room)) = (t.s, 0, t.room(768));
    let mut how = mechanism(CKM_ML_KEM);
    said!(t, C_EncapsulateKey(s, &mut how, t.object(ML_KEM.0), null_mut(), 0, out, &mut room, &mut made));
    let (sent, n) = t.data(768);
    said!(t, C_DecapsulateKey(s, &mut how, t.object(ML_KEM.1), null_mut(), 0, sent, n, &mut made));
}

/// Buffers that would be an array of attributes, if the server said that it is one, lead to memory that must not change.
fn attributes(t: &mut Stage<'_>) {
    let s = t.s;
    for number in [AES, RSA.0, EC.1] {
        let trap = t.memory.input(&[0; 4096]);
        let label = t.memory.words(&[CKA_LABEL, trap, 4096].repeat(4));
        let modulus = t.memory.words(&[CKA_LABEL, trap, 4096].repeat(11));
        let inner = t.memory.room(1, 4096);
        let inner = t.memory.words(&[0, inner, 1]);
        let (class, token) = (t.memory.room(8, 4096), t.memory.room(1, 4096));
        let asked = [
            [CKA_LABEL, label, 96],
            [CKA_MODULUS, modulus, 264],
            [CKA_WRAP_TEMPLATE, inner, 24],
            [CKA_CLASS, class, 8],
            [CKA_TOKEN, token, 1],
            [CKA_EC_PARAMS, 0, 0],
        ];
        let start = t.memory.both(&as_bytes(&asked.concat())) as *mut CK_ATTRIBUTE;
        said!(t, C_GetAttributeValue(s, t.object(number), start, asked.len() as CK_ULONG));
    }
    let mut size = 0;
    said!(t, C_GetObjectSize(s, t.object(AES), &mut size));
}

fn changes(t: &mut Stage<'_>) {
    let (s, mut made, value) = (t.s, 0, t.memory.input(b"new"));
    let mut label = CK_ATTRIBUTE { type_: CKA_LABEL, pValue: value as *mut _, ulValueLen: 3 };
    said!(t, C_SetAttributeValue(s, t.object(AES), &mut label, 1));
    said!(t, C_CopyObject(s, t.object(AES), &mut label, 1, &mut made));
    said!(t, C_DestroyObject(s, made));
}

fn makes(t: &mut Stage<'_>) {
    let (s, mut one, mut two) = (t.s, 0, 0);
    let (class, kind, value) =
        (t.memory.words(&[CKO_SECRET_KEY]), t.memory.words(&[CKK_AES]), t.memory.input(&[1; 32]));
    let words = [[CKA_CLASS, class, 8], [CKA_KEY_TYPE, kind, 8], [CKA_VALUE, value, 32]].concat();
    let start = t.memory.input(&as_bytes(&words)) as *mut CK_ATTRIBUTE;
    said!(t, C_CreateObject(s, start, 3, &mut one));
    said!(t, C_GenerateKey(s, &mut mechanism(CKM_AES_KEY_GEN), null_mut(), 0, &mut one));
    let mut how = mechanism(CKM_EC_KEY_PAIR_GEN);
    said!(t, C_GenerateKeyPair(s, &mut how, null_mut(), 0, null_mut(), 0, &mut one, &mut two));
}

fn random(t: &mut Stage<'_>) {
    let (s, (out, length)) = (t.s, t.room(10_000));
    said!(t, C_GenerateRandom(s, out, length));
}

fn messages(t: &mut Stage<'_>) {
    let s = t.s;
    let (iv, tag) = (t.memory.both(&[0; 12]) as *mut CK_BYTE, t.memory.room(16, 4096) as *mut CK_BYTE);
    let mut p = CK_GCM_MESSAGE_PARAMS {
        pIv: iv,
        ulIvLen: 12,
        ivGenerator: CKG_GENERATE,
        pTag: tag,
        ulTagBits: 128,
        ..Default::default()
    };
    let length = size_of::<CK_GCM_MESSAGE_PARAMS>() as CK_ULONG;
    let start: *mut std::ffi::c_void = (&raw mut p).cast();
    said!(t, C_MessageEncryptInit(s, &mut mechanism(CKM_AES_GCM), t.object(AES)));
    let ((data, n), (out, mut room)) = (t.data(30), t.room(30));
    said!(t, C_EncryptMessage(s, start, length, null_mut(), 0, data, n, out, &mut room));
    said!(t, C_EncryptMessageBegin(s, start, length, null_mut(), 0));
    room = 30;
    said!(t, C_EncryptMessageNext(s, start, length, data, n, out, &mut room, CKF_END_OF_MESSAGE));
    said!(t, C_MessageEncryptFinal(s));
    p.ivGenerator = CKG_NO_GENERATE;
    said!(t, C_MessageDecryptInit(s, &mut mechanism(CKM_AES_GCM), t.object(AES)));
    room = 30;
    said!(t, C_DecryptMessage(s, (&raw mut p).cast(), length, null_mut(), 0, data, n, out, &mut room));
    said!(t, C_MessageDecryptFinal(s));
}

fn signed_messages(t: &mut Stage<'_>) {
    let s = t.s;
    said!(t, C_MessageSignInit(s, &mut mechanism(CKM_ECDSA_SHA256), t.object(EC.1)));
    let ((data, n), (out, mut room)) = (t.data(30), t.room(64));
    said!(t, C_SignMessage(s, null_mut(), 0, data, n, out, &mut room));
    said!(t, C_SignMessageBegin(s, null_mut(), 0));
    room = 64;
    said!(t, C_SignMessageNext(s, null_mut(), 0, data, n, out, &mut room));
    said!(t, C_MessageSignFinal(s));
}

fn two_at_once(t: &mut Stage<'_>) {
    let (s, mut iv) = (t.s, [1_u8; 16]);
    said!(t, C_DigestInit(s, &mut mechanism(CKM_SHA256)));
    said!(t, C_DecryptInit(s, &mut with(CKM_AES_CBC, &mut iv), t.object(AES)));
    let ((data, n), (out, mut room)) = (t.data(32), t.room(32));
    said!(t, C_DecryptDigestUpdate(s, data, n, out, &mut room));
    let (out, mut room) = t.room(32);
    said!(t, C_DecryptFinal(s, out, &mut room));
    room = 32;
    said!(t, C_DigestFinal(s, out, &mut room));
}

/// Calls that are fetched; where the way there cannot overlap, the session is refused.
fn asynchronous(t: &mut Stage<'_>) {
    let mut s = 0;
    let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION | CKF_ASYNC_SESSION;
    if said!(t, C_OpenSession(0, flags, null_mut(), None, &mut s)) != CKR_OK {
        return;
    }
    let ((data, n), (out, mut room), mut gcm) = (t.data(32), t.room(64), gcm(t));
    said!(t, C_SignInit(s, &mut mechanism(CKM_ECDSA), t.object(EC.1)));
    let rv = said!(t, C_Sign(s, data, n, out, &mut room));
    fetch(t, s, b"C_Sign\0", rv);
    let (out, mut room) = t.room(48);
    said!(t, C_EncryptInit(s, &mut with(CKM_AES_GCM, &mut gcm), t.object(AES)));
    let rv = said!(t, C_Encrypt(s, data, n, out, &mut room));
    fetch(t, s, b"C_Encrypt\0", rv);
    let (out, mut room) = t.room(16);
    said!(t, C_DecryptInit(s, &mut with(CKM_AES_GCM, &mut gcm), t.object(AES)));
    let rv = said!(t, C_Decrypt(s, data, n, out, &mut room));
    fetch(t, s, b"C_Decrypt\0", rv);
    let (mut made, (out, mut room)) = (0, t.room(768));
    let mut how = mechanism(CKM_ML_KEM);
    let rv = said!(t, C_EncapsulateKey(s, &mut how, t.object(ML_KEM.0), null_mut(), 0, out, &mut room, &mut made));
    fetch(t, s, b"C_EncapsulateKey\0", rv);
    let rv = said!(t, C_GenerateKey(s, &mut mechanism(CKM_AES_KEY_GEN), null_mut(), 0, &mut made));
    fetch(t, s, b"C_GenerateKey\0", rv);
    said!(t, C_CloseSession(s));
}

/// What was put on the wire.
fn fetch(t: &mut Stage<'_>, s: CK_SESSION_HANDLE, name: &[u8], begun: CK_RV) {
    let (mut name, mut done) = (name.to_vec(), CK_ASYNC_DATA::default());
    if begun == CKR_PENDING {
        while said!(t, C_AsyncComplete(s, name.as_mut_ptr(), &mut done)) == CKR_PENDING {
            std::thread::yield_now();
        }
    }
}

fn one_use(t: &mut Stage<'_>) {
    let (s, (out, mut room), mut pin) = (t.s, t.room(64), *b"123456");
    said!(t, C_SignInit(s, &mut mechanism(CKM_ECDSA_SHA256), t.object(CAREFUL)));
    said!(t, C_Login(s, CKU_CONTEXT_SPECIFIC, pin.as_mut_ptr(), 6));
    said!(t, C_SignFinal(s, out, &mut room));
    said!(t, C_SessionCancel(s, CKF_SIGN));
}

fn pins(t: &mut Stage<'_>) {
    let (s, mut pin, mut new) = (t.s, *b"123456", *b"654321");
    said!(t, C_SetPIN(s, pin.as_mut_ptr(), 6, new.as_mut_ptr(), 6));
    said!(t, C_Logout(s));
    said!(t, C_Login(s, CKU_SO, pin.as_mut_ptr(), 6));
    said!(t, C_InitPIN(s, new.as_mut_ptr(), 6));
    said!(t, C_Logout(s));
    said!(t, C_Login(s, CKU_USER, pin.as_mut_ptr(), 6));
}

fn find_again(t: &mut Stage<'_>) {
    t.find();
}

fn lists(t: &mut Stage<'_>) {
    let (mut token, mut slot, mut session) =
        (CK_TOKEN_INFO::default(), CK_SLOT_INFO::default(), CK_SESSION_INFO::default());
    let (mut kinds, mut count) = (vec![0; 512], 512);
    let mut info = CK_MECHANISM_INFO::default();
    said!(t, C_GetTokenInfo(0, &mut token));
    said!(t, C_GetSlotInfo(0, &mut slot));
    said!(t, C_GetSessionInfo(t.s, &mut session));
    said!(t, C_GetMechanismList(0, kinds.as_mut_ptr(), &mut count));
    said!(t, C_GetMechanismInfo(0, CKM_AES_GCM, &mut info));
}
