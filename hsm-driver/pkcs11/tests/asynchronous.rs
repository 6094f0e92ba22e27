//! Asynchronous sessions (`CKF_ASYNC_SESSION`): what is under way is fetched by `C_AsyncComplete`, once, by its function's name.

#[macro_use]
mod rig;
#[path = "rig/place.rs"]
mod place;

use coloa_wire::command::PartitionMode;
use cryptoki::mechanism::Mechanism;
use cryptoki::session::UserType;
use cryptoki_sys::*;
use place::Place;
use rig::c::{Attributes, mechanism, with};
use rig::{P256, PIN, key_pair, pin};
use std::ptr::null_mut;

/// One thread, many signatures under way; what is not fetched goes with its session.
#[test]
fn one_thread_overlaps_as_many_signatures_as_it_has_sessions() {
    let place = Place::new();
    let (_server, module, slot) = place.start();
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&pin(PIN))).unwrap();
    let (public, _) = key_pair(&session, P256, true);
    let mut token = CK_TOKEN_INFO::default();
    assert_eq!(ck!(C_GetTokenInfo(slot.id(), &mut token)), CKR_OK);
    assert_ne!(token.flags & CKF_ASYNC_SESSION_SUPPORTED, 0);
    let sessions: Vec<_> = (0..32).map(|_| open_asynchronous(slot.id()).unwrap()).collect();
    let mut buffers = vec![[0_u8; 64]; sessions.len()];
    for (s, buffer) in sessions.iter().zip(&mut buffers) {
        begin_signature(*s, &[7; 32], buffer);
    }
    assert_eq!(complete(sessions[0], b"C_Decrypt\0").0, CKR_OPERATION_NOT_INITIALIZED);
    let (mut id, mut name) = (0, *b"C_Sign\0");
    assert_eq!(ck!(C_AsyncGetID(sessions[0], name.as_mut_ptr(), &mut id)), CKR_STATE_UNSAVEABLE);
    for (s, buffer) in sessions.iter().zip(&buffers).take(30) {
        let (rv, done) = fetch(*s, b"C_Sign\0");
        assert_eq!((rv, done.ulValue, done.pValue.cast_const()), (CKR_OK, 64, buffer.as_ptr()));
        session.verify(&Mechanism::Ecdsa, public, &[7; 32], buffer).unwrap();
        assert_eq!(complete(*s, b"C_Sign\0").0, CKR_OPERATION_NOT_INITIALIZED);
    }
    assert_eq!(ck!(C_SessionCancel(sessions[30], CKF_SIGN)), CKR_OK);
    assert_eq!(complete(sessions[30], b"C_Sign\0").0, CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_CloseSession(sessions[31])), CKR_OK);
    begin_signature(sessions[30], &[8; 32], &mut buffers[30]);
    drop(session);
    module.finalize().unwrap();
}

fn open_asynchronous(slot: CK_SLOT_ID) -> Result<CK_SESSION_HANDLE, CK_RV> {
    let (flags, mut session) = (CKF_SERIAL_SESSION | CKF_RW_SESSION | CKF_ASYNC_SESSION, 0);
    match ck!(C_OpenSession(slot, flags, std::ptr::null_mut(), None, &mut session)) {
        CKR_OK => Ok(session),
        other => Err(other),
    }
}

fn begin_signature(s: CK_SESSION_HANDLE, data: &[u8; 32], buffer: &mut [u8; 64]) {
    let (mut data, mut length) = (*data, 64);
    assert_eq!(ck!(C_SignInit(s, &mut mechanism(CKM_ECDSA), find(s, CKO_PRIVATE_KEY))), CKR_OK);
    assert_eq!(ck!(C_Sign(s, data.as_mut_ptr(), 32, buffer.as_mut_ptr(), &mut length)), CKR_PENDING);
}

fn complete(s: CK_SESSION_HANDLE, name: &[u8]) -> (CK_RV, CK_ASYNC_DATA) {
    let (mut name, mut done) = (name.to_vec(), CK_ASYNC_DATA::default());
    (ck!(C_AsyncComplete(s, name.as_mut_ptr(), &mut done)), done)
}

fn find(s: CK_SESSION_HANDLE, class: CK_OBJECT_CLASS) -> CK_OBJECT_HANDLE {
    let (mut raw, mut found, mut count) = (Attributes::new().number(CKA_CLASS, class), 0, 0);
    assert_eq!(ck!(C_FindObjectsInit(s, raw.raw().as_mut_ptr(), 1)), CKR_OK);
    assert_eq!(ck!(C_FindObjects(s, &mut found, 1, &mut count)), CKR_OK);
    assert_eq!(ck!(C_FindObjectsFinal(s)), CKR_OK);
    found
}

#[test]
fn an_engine_in_process_refuses_asynchronous_sessions() {
    let token = rig::Token::new("strict");
    assert_eq!(open_asynchronous(token.slot.id()), Err(CKR_SESSION_ASYNC_NOT_SUPPORTED));
}

/// The first answer that is not `CKR_PENDING`.
fn fetch(s: CK_SESSION_HANDLE, name: &[u8]) -> (CK_RV, CK_ASYNC_DATA) {
    std::iter::repeat_with(|| complete(s, name)).find(|(rv, _)| *rv != CKR_PENDING).unwrap()
}

/// An asynchronous session beside one that logged the user in.
struct Logged {
    s: CK_SESSION_HANDLE,
    beside: CK_SESSION_HANDLE,
}

impl Logged {
    fn new(slot: CK_SLOT_ID) -> Self {
        let (s, mut beside) = (open_asynchronous(slot).unwrap(), 0);
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        assert_eq!(ck!(C_OpenSession(slot, flags, null_mut(), None, &mut beside)), CKR_OK);
        let mut pin = PIN.as_bytes().to_vec();
        assert_eq!(ck!(C_Login(s, CKU_USER, pin.as_mut_ptr(), pin.len() as CK_ULONG)), CKR_OK);
        Logged { s, beside }
    }

    /// An AES key, made while nobody waited.
    fn aes(&self) -> CK_OBJECT_HANDLE {
        let template = Attributes::new().number(CKA_VALUE_LEN, 32).yes(&[CKA_ENCRYPT, CKA_DECRYPT]);
        let pending = rig::c::generate(self.s, mechanism(CKM_AES_KEY_GEN), template);
        assert_eq!(pending.err(), Some(CKR_PENDING));
        let (rv, done) = fetch(self.s, b"C_GenerateKey\0");
        assert_eq!((rv, done.ulValue, done.hAdditionalObject), (CKR_OK, 0, 0));
        assert_eq!(rig::c::value(self.s, done.hObject, CKA_VALUE_LEN), Ok(32_u64.to_ne_bytes().to_vec()));
        done.hObject
    }

    fn pair(&self) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
        let public = Attributes::new().bytes(CKA_EC_PARAMS, P256).yes(&[CKA_VERIFY]);
        let pending = rig::c::generate_pair(self.s, CKM_EC_KEY_PAIR_GEN, public, Attributes::new().yes(&[CKA_SIGN]));
        assert_eq!(pending.err(), Some(CKR_PENDING));
        let (rv, done) = fetch(self.s, b"C_GenerateKeyPair\0");
        assert_eq!(rv, CKR_OK);
        (done.hObject, done.hAdditionalObject)
    }
}

/// Begins with a buffer of so many bytes, of which the session's call keeps the address, and fetches the result.
fn through(s: CK_SESSION_HANDLE, name: &[u8], data: &[u8], room: usize) -> Result<Vec<u8>, CK_RV> {
    let (mut data, mut out, mut length) = (data.to_vec(), vec![0_u8; room], room as CK_ULONG);
    let (start, bytes) = (data.as_mut_ptr(), data.len() as CK_ULONG);
    let rv = match name {
        b"C_Encrypt\0" => ck!(C_Encrypt(s, start, bytes, out.as_mut_ptr(), &mut length)),
        b"C_Decrypt\0" => ck!(C_Decrypt(s, start, bytes, out.as_mut_ptr(), &mut length)),
        _ => ck!(C_Sign(s, start, bytes, out.as_mut_ptr(), &mut length)),
    };
    if rv != CKR_PENDING {
        return Err(rv);
    }
    drop(data);
    let (rv, done) = fetch(s, name);
    assert_eq!(done.pValue, out.as_mut_ptr());
    out.truncate(done.ulValue as usize);
    if rv == CKR_OK { Ok(out) } else { Err(rv) }
}

#[test]
fn a_strict_token_writes_its_iv_when_the_ciphertext_is_fetched() {
    let place = Place::new();
    let (_server, module, slot) = place.start();
    let logged = Logged::new(slot.id());
    let (s, key, mut iv) = (logged.s, logged.aes(), [0_u8; 12]);
    let mut gcm = CK_GCM_PARAMS { pIv: iv.as_mut_ptr(), ulIvLen: 12, ulTagBits: 128, ..Default::default() };
    assert_eq!(ck!(C_EncryptInit(s, &mut with(CKM_AES_GCM, &mut gcm), key)), CKR_OK);
    assert_eq!(through(s, b"C_Encrypt\0", b"sixteen bytes...", 31), Err(CKR_BUFFER_TOO_SMALL));
    let mut sealed = through(s, b"C_Encrypt\0", b"sixteen bytes...", 64).unwrap();
    assert_ne!(iv, [0; 12]);
    assert_eq!(through(s, b"C_Encrypt\0", b"again", 64), Err(CKR_OPERATION_NOT_INITIALIZED));
    assert_eq!(ck!(C_DecryptInit(s, &mut with(CKM_AES_GCM, &mut gcm), key)), CKR_OK);
    assert_eq!(through(s, b"C_Decrypt\0", &sealed, 16).unwrap(), b"sixteen bytes...");
    sealed[3] ^= 1;
    assert_eq!(ck!(C_DecryptInit(s, &mut with(CKM_AES_GCM, &mut gcm), key)), CKR_OK);
    assert_eq!(through(s, b"C_Decrypt\0", &sealed, 16), Err(CKR_ENCRYPTED_DATA_INVALID));
    assert_eq!(ck!(C_CloseSession(logged.beside)), CKR_OK);
    module.finalize().unwrap();
}

/// Nobody knows how long a padded plaintext is: a buffer that may be too small is refused before anything is under way.
#[test]
fn a_plaintext_is_not_lost_for_lack_of_room() {
    let place = Place { mode: PartitionMode::Compatible, ..Place::new() };
    let (_server, module, slot) = place.start();
    let logged = Logged::new(slot.id());
    let (s, key, mut iv) = (logged.s, logged.aes(), [7_u8; 16]);
    assert_eq!(ck!(C_EncryptInit(s, &mut with(CKM_AES_CBC_PAD, &mut iv), key)), CKR_OK);
    let sealed = through(s, b"C_Encrypt\0", &[1; 20], 32).unwrap();
    assert_eq!(ck!(C_DecryptInit(s, &mut with(CKM_AES_CBC_PAD, &mut iv), key)), CKR_OK);
    assert_eq!(through(s, b"C_Decrypt\0", &sealed, 20), Err(CKR_BUFFER_TOO_SMALL));
    assert_eq!(through(s, b"C_Decrypt\0", &sealed, 31).unwrap(), [1; 20]);
    // In parts: what is left at the end is under way.
    assert_eq!(ck!(C_EncryptInit(s, &mut with(CKM_AES_CBC_PAD, &mut iv), key)), CKR_OK);
    let (mut part, mut out, mut length) = ([1_u8; 20], [0_u8; 32], 32);
    assert_eq!(ck!(C_EncryptUpdate(s, part.as_mut_ptr(), 20, out.as_mut_ptr(), &mut length)), CKR_OK);
    assert_eq!((length, &out[..16]), (16, &sealed[..16]));
    length = 16;
    assert_eq!(ck!(C_EncryptFinal(s, out[16..].as_mut_ptr(), &mut length)), CKR_PENDING);
    let (rv, done) = fetch(s, b"C_EncryptFinal\0");
    assert_eq!((rv, done.ulValue, &out[..]), (CKR_OK, 16, &sealed[..]));
    module.finalize().unwrap();
}

#[test]
fn a_verification_gives_nothing_but_its_code() {
    let place = Place::new();
    let (_server, module, slot) = place.start();
    let logged = Logged::new(slot.id());
    let (s, (public, private)) = (logged.s, logged.pair());
    assert_eq!(ck!(C_SignInit(s, &mut mechanism(CKM_ECDSA), private)), CKR_OK);
    let mut signature = through(s, b"C_Sign\0", &[7; 32], 64).unwrap();
    for expected in [CKR_OK, CKR_SIGNATURE_INVALID] {
        let (mut data, mut name) = ([7_u8; 32], *b"C_Verify\0");
        assert_eq!(ck!(C_VerifyInit(s, &mut mechanism(CKM_ECDSA), public)), CKR_OK);
        assert_eq!(ck!(C_Verify(s, data.as_mut_ptr(), 32, signature.as_mut_ptr(), 64)), CKR_PENDING);
        let rv = std::iter::repeat_with(|| ck!(C_AsyncComplete(s, name.as_mut_ptr(), null_mut())));
        assert_eq!(rv.into_iter().find(|rv| *rv != CKR_PENDING), Some(expected));
        signature[9] ^= 1;
    }
    module.finalize().unwrap();
}

#[test]
fn what_is_encapsulated_comes_with_its_key() {
    let place = Place::new();
    let (_server, module, slot) = place.start();
    let logged = Logged::new(slot.id());
    let (s, (mut how, mut none)) = (logged.s, (mechanism(CKM_ML_KEM), 0));
    let public = Attributes::new().number(CKA_PARAMETER_SET, CKP_ML_KEM_768).yes(&[CKA_ENCAPSULATE]);
    let private = Attributes::new().yes(&[CKA_DECAPSULATE]);
    let pending = rig::c::generate_pair(s, CKM_ML_KEM_KEY_PAIR_GEN, public, private);
    assert_eq!(pending.err(), Some(CKR_PENDING));
    let pair = fetch(s, b"C_GenerateKeyPair\0").1;
    let mut template = Attributes::new().number(CKA_KEY_TYPE, CKK_GENERIC_SECRET).yes(&[CKA_SIGN]);
    let (mut raw, mut text, mut length) = (template.raw(), [0_u8; 1088], 1087);
    let (start, count, out) = (raw.as_mut_ptr(), raw.len() as CK_ULONG, text.as_mut_ptr());
    let mut encapsulate =
        |length| ck!(C_EncapsulateKey(s, &mut how, pair.hObject, start, count, out, length, &mut none));
    assert_eq!(encapsulate(&mut length), CKR_BUFFER_TOO_SMALL);
    assert_eq!((encapsulate(&mut length), length), (CKR_PENDING, 1088));
    let (rv, ours) = fetch(s, b"C_EncapsulateKey\0");
    assert_eq!((rv, ours.ulValue, ours.pValue), (CKR_OK, 1088, out));
    let private = pair.hAdditionalObject;
    let rv = ck!(C_DecapsulateKey(s, &mut how, private, start, count, out, length, &mut none));
    assert_eq!((rv, none), (CKR_PENDING, 0));
    let theirs = fetch(s, b"C_DecapsulateKey\0").1;
    let mac = |key| rig::c::sign(logged.beside, mechanism(CKM_SHA256_HMAC), key, b"x").unwrap();
    assert_eq!(mac(ours.hObject), mac(theirs.hObject));
    module.finalize().unwrap();
}

#[test]
fn one_call_a_session_is_under_way() {
    let place = Place::new();
    let (_server, module, slot) = place.start();
    let logged = Logged::new(slot.id());
    let (s, (_, private)) = (logged.s, logged.pair());
    let (mut data, mut out, mut length) = ([7_u8; 32], [0_u8; 64], 64);
    let mut begin = || {
        assert_eq!(ck!(C_SignInit(s, &mut mechanism(CKM_ECDSA), private)), CKR_OK);
        assert_eq!(ck!(C_Sign(s, data.as_mut_ptr(), 32, out.as_mut_ptr(), &mut length)), CKR_PENDING);
    };
    begin();
    assert_eq!(ck!(C_SignInit(s, &mut mechanism(CKM_ECDSA), private)), CKR_OPERATION_ACTIVE);
    let another = rig::c::generate(s, mechanism(CKM_AES_KEY_GEN), Attributes::new().number(CKA_VALUE_LEN, 32));
    assert_eq!(another.err(), Some(CKR_OPERATION_ACTIVE));
    // Without a place for the result nothing is fetched, and nothing is lost.
    let mut name = *b"C_Sign\0";
    assert_eq!(ck!(C_AsyncComplete(s, name.as_mut_ptr(), null_mut())), CKR_ARGUMENTS_BAD);
    assert_eq!(fetch(s, b"C_Sign\0").0, CKR_OK);
    begin();
    // NULL for a mechanism ends the operation, which here is the call.
    assert_eq!(ck!(C_SignInit(s, null_mut(), private)), CKR_OK);
    assert_eq!(complete(s, b"C_Sign\0").0, CKR_OPERATION_NOT_INITIALIZED);
    begin();
    assert_eq!(fetch(s, b"C_Sign\0").0, CKR_OK);
    module.finalize().unwrap();
}

#[test]
fn a_call_that_a_restart_lost_says_so_and_the_session_goes_on() {
    let place = Place { mode: PartitionMode::Compatible, ..Place::new() };
    let (server, module, slot) = place.start();
    let logged = Logged::new(slot.id());
    let (s, mut key) = (logged.s, logged.aes());
    let mut iv = [7_u8; 16];
    let (address, mut data, mut out, mut length) = (server.address, [1_u8; 20], [0_u8; 32], 32);
    assert_eq!(ck!(C_EncryptInit(s, &mut with(CKM_AES_CBC_PAD, &mut iv), key)), CKR_OK);
    assert_eq!(ck!(C_Encrypt(s, data.as_mut_ptr(), 20, out.as_mut_ptr(), &mut length)), CKR_PENDING);
    drop(server);
    let server = place.serve(address);
    assert_eq!(fetch(s, b"C_Encrypt\0").0, CKR_DEVICE_ERROR);
    key = logged.aes();
    assert_eq!(ck!(C_EncryptInit(s, &mut with(CKM_AES_CBC_PAD, &mut iv), key)), CKR_OK);
    assert_eq!(through(s, b"C_Encrypt\0", &[1; 20], 32).map(|sealed| sealed.len()), Ok(32));
    drop(server);
    module.finalize().unwrap();
}
