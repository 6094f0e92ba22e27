//! Boundary B2: what a C program may get wrong. Each wrong call has its answer, and the module works afterwards (R24).

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::c::{attribute, mechanism, set_up};
use rig::{P256, Rig};
use std::ffi::c_void;
use std::ptr::null_mut;

const NO_SESSION: CK_SESSION_HANDLE = 9999;

/// A P-256 pair that lives with the session: public, private.
fn key_pair(session: CK_SESSION_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let (mut params, mut yes) = (P256.to_vec(), [CK_TRUE]);
    let mut public = [attribute(CKA_EC_PARAMS, &mut params), attribute(CKA_VERIFY, &mut yes)];
    let mut yes = [CK_TRUE];
    let mut private = [attribute(CKA_SIGN, &mut yes)];
    let (mut how, mut pair) = (mechanism(CKM_EC_KEY_PAIR_GEN), (0, 0));
    let rv = ck!(C_GenerateKeyPair(
        session,
        &mut how,
        public.as_mut_ptr(),
        2,
        private.as_mut_ptr(),
        1,
        &mut pair.0,
        &mut pair.1
    ));
    assert_eq!(rv, CKR_OK);
    pair
}

#[test]
fn nothing_works_before_initialize_and_after_finalize() {
    let _rig = Rig::new("strict");
    for _ in 0..2 {
        let mut info = CK_INFO::default();
        let mut count = 0;
        assert_eq!(ck!(C_GetInfo(&mut info)), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_eq!(ck!(C_GetSlotList(CK_TRUE, null_mut(), &mut count)), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_eq!(ck!(C_OpenSession(0, 4, null_mut(), None, &mut count)), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_eq!(ck!(C_Sign(1, null_mut(), 0, null_mut(), null_mut())), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_eq!(ck!(C_Finalize(null_mut())), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_eq!(ck!(C_Initialize(null_mut())), CKR_OK);
        assert_eq!(ck!(C_Initialize(null_mut())), CKR_CRYPTOKI_ALREADY_INITIALIZED);
        assert_eq!(ck!(C_GetInfo(&mut info)), CKR_OK);
        assert_eq!(ck!(C_Finalize(std::ptr::dangling_mut::<c_void>())), CKR_ARGUMENTS_BAD);
        assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
    }
}

unsafe extern "C" fn lock(_: *mut c_void) -> CK_RV {
    CKR_OK
}

unsafe extern "C" fn create(_: *mut *mut c_void) -> CK_RV {
    CKR_OK
}

#[test]
fn initialize_looks_at_its_arguments() {
    let _rig = Rig::new("strict");
    let all = CK_C_INITIALIZE_ARGS {
        CreateMutex: Some(create),
        DestroyMutex: Some(lock),
        LockMutex: Some(lock),
        UnlockMutex: Some(lock),
        flags: 0,
        pReserved: null_mut(),
    };
    let initialize = |mut arguments: CK_C_INITIALIZE_ARGS| {
        let rv = ck!(C_Initialize((&raw mut arguments).cast()));
        if rv == CKR_OK {
            assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
        }
        rv
    };
    assert_eq!(initialize(CK_C_INITIALIZE_ARGS::default()), CKR_OK);
    assert_eq!(initialize(CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..all }), CKR_OK);
    assert_eq!(initialize(all), CKR_CANT_LOCK);
    assert_eq!(initialize(CK_C_INITIALIZE_ARGS { LockMutex: None, ..all }), CKR_ARGUMENTS_BAD);
    let reserved = std::ptr::dangling_mut::<c_void>();
    assert_eq!(initialize(CK_C_INITIALIZE_ARGS { pReserved: reserved, ..Default::default() }), CKR_ARGUMENTS_BAD);
}

#[test]
fn null_pointers_are_refused() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (_, key) = key_pair(s);
    let (mut how, mut n) = (mechanism(CKM_ECDSA_SHA256), 0);
    let bad = [
        ck!(C_GetInfo(null_mut())),
        ck!(C_GetSlotList(CK_TRUE, null_mut(), null_mut())),
        ck!(C_GetSlotInfo(0, null_mut())),
        ck!(C_GetTokenInfo(0, null_mut())),
        ck!(C_GetMechanismList(0, null_mut(), null_mut())),
        ck!(C_GetMechanismInfo(0, CKM_ECDSA, null_mut())),
        ck!(C_OpenSession(0, CKF_SERIAL_SESSION, null_mut(), None, null_mut())),
        ck!(C_GetSessionInfo(s, null_mut())),
        ck!(C_Login(s, CKU_USER, null_mut(), 0)),
        ck!(C_SetPIN(s, null_mut(), 0, null_mut(), 0)),
        ck!(C_CreateObject(s, null_mut(), 1, &mut n)),
        ck!(C_CreateObject(s, null_mut(), 0, null_mut())),
        ck!(C_GetAttributeValue(s, key, null_mut(), 1)),
        ck!(C_SetAttributeValue(s, key, null_mut(), 1)),
        ck!(C_FindObjectsInit(s, null_mut(), 1)),
        ck!(C_FindObjects(s, null_mut(), 1, null_mut())),
        ck!(C_SignInit(s, null_mut(), key)),
        ck!(C_DigestInit(s, null_mut())),
        ck!(C_GenerateKey(s, null_mut(), null_mut(), 0, &mut n)),
        ck!(C_GenerateKeyPair(s, &mut how, null_mut(), 0, null_mut(), 0, null_mut(), null_mut())),
        ck!(C_GenerateRandom(s, null_mut(), 1)),
        ck!(C_WaitForSlotEvent(CKF_DONT_BLOCK, null_mut(), null_mut())),
    ];
    for (index, rv) in bad.into_iter().enumerate() {
        assert_eq!(rv, CKR_ARGUMENTS_BAD, "call {index}");
    }
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
}

#[test]
fn handles_nobody_gave_out_are_refused() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (mut how, mut n) = (mechanism(CKM_ECDSA_SHA256), 0);
    let mut info = CK_SLOT_INFO::default();
    assert_eq!(ck!(C_GetSlotInfo(77, &mut info)), CKR_SLOT_ID_INVALID);
    assert_eq!(ck!(C_OpenSession(77, CKF_SERIAL_SESSION, null_mut(), None, &mut n)), CKR_SLOT_ID_INVALID);
    assert_eq!(ck!(C_OpenSession(0, 0, null_mut(), None, &mut n)), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    assert_eq!(ck!(C_CloseSession(NO_SESSION)), CKR_SESSION_HANDLE_INVALID);
    assert_eq!(ck!(C_SignInit(NO_SESSION, &mut how, 1)), CKR_SESSION_HANDLE_INVALID);
    for handle in [0, 77, CK_OBJECT_HANDLE::MAX] {
        assert_eq!(ck!(C_SignInit(s, &mut how, handle)), CKR_KEY_HANDLE_INVALID);
        assert_eq!(ck!(C_DestroyObject(s, handle)), CKR_OBJECT_HANDLE_INVALID);
        assert_eq!(ck!(C_GetObjectSize(s, handle, &mut n)), CKR_OBJECT_HANDLE_INVALID);
    }
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
}

#[test]
fn operations_begin_once_and_end_once() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (_, key) = key_pair(s);
    let (mut how, mut data, mut out, mut n) = (mechanism(CKM_ECDSA_SHA256), [7_u8; 32], [0_u8; 64], 64);
    let sign = |out: *mut u8, n: &mut CK_ULONG, data: &mut [u8]| ck!(C_Sign(s, data.as_mut_ptr(), 32, out, n));
    assert_eq!(sign(out.as_mut_ptr(), &mut n, &mut data), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_SignUpdate(s, data.as_mut_ptr(), 1)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_SignFinal(s, out.as_mut_ptr(), &mut n)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_FindObjectsFinal(s)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_SignInit(s, &mut how, key)), CKR_OK);
    assert_eq!(ck!(C_SignInit(s, &mut how, key)), CKR_OPERATION_ACTIVE);
    // A question for the length, and a buffer that is too small, keep the operation.
    n = 0;
    assert_eq!((sign(null_mut(), &mut n, &mut data), n), (CKR_OK, 64));
    n = 63;
    assert_eq!((sign(out.as_mut_ptr(), &mut n, &mut data), n), (CKR_BUFFER_TOO_SMALL, 64));
    assert_eq!(sign(out.as_mut_ptr(), &mut n, &mut data), CKR_OK);
    assert_eq!(sign(out.as_mut_ptr(), &mut n, &mut data), CKR_OPERATION_NOT_INITIALIZED);
    // An operation that is not wanted any more can be ended.
    assert_eq!(ck!(C_SignInit(s, &mut how, key)), CKR_OK);
    assert_eq!(ck!(C_SessionCancel(s, CKF_SIGN)), CKR_OK);
    assert_eq!(ck!(C_SignInit(s, &mut how, key)), CKR_OK);
    assert_eq!(ck!(C_SignInit(s, null_mut(), 0)), CKR_OK);
    assert_eq!(sign(out.as_mut_ptr(), &mut n, &mut data), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
}

#[test]
fn huge_counts_are_refused_before_anything_is_read() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (_, key) = key_pair(s);
    let (mut byte, mut out, mut n) = ([0_u8], [0_u8; 64], 64);
    let mut attributes = [attribute(CKA_LABEL, &mut byte)];
    for count in [CK_ULONG::MAX, 1 << 62, 129] {
        assert_eq!(ck!(C_CreateObject(s, attributes.as_mut_ptr(), count, &mut n)), CKR_ARGUMENTS_BAD, "{count}");
        assert_eq!(ck!(C_GetAttributeValue(s, key, attributes.as_mut_ptr(), count)), CKR_ARGUMENTS_BAD, "{count}");
    }
    attributes[0].ulValueLen = CK_ULONG::MAX;
    assert_eq!(ck!(C_CreateObject(s, attributes.as_mut_ptr(), 1, &mut n)), CKR_ATTRIBUTE_VALUE_INVALID);
    let mut how = mechanism(CKM_ECDSA_SHA256);
    assert_eq!(ck!(C_SignInit(s, &mut how, key)), CKR_OK);
    let sign = ck!(C_Sign(s, byte.as_mut_ptr(), CK_ULONG::MAX, out.as_mut_ptr(), &mut n));
    assert_eq!(sign, CKR_ARGUMENTS_BAD);
    assert_eq!(ck!(C_GenerateRandom(s, byte.as_mut_ptr(), CK_ULONG::MAX)), CKR_ARGUMENTS_BAD);
    let pin = ck!(C_Login(s, CKU_USER, byte.as_mut_ptr(), CK_ULONG::MAX));
    assert_eq!(pin, CKR_ARGUMENTS_BAD);
    let mut params = CK_GCM_PARAMS { pIv: byte.as_mut_ptr(), ulIvLen: CK_ULONG::MAX, ..Default::default() };
    let parameter = (&raw mut params).cast();
    let length = size_of::<CK_GCM_PARAMS>() as CK_ULONG;
    let mut how = CK_MECHANISM { mechanism: CKM_AES_GCM, pParameter: parameter, ulParameterLen: length };
    assert_eq!(ck!(C_EncryptInit(s, &mut how, key)), CKR_MECHANISM_PARAM_INVALID);
    how.ulParameterLen = 3;
    assert_eq!(ck!(C_EncryptInit(s, &mut how, key)), CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
}

#[test]
fn the_same_buffer_may_be_input_and_output_and_pointers_may_be_odd() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let mut yes = [CK_TRUE];
    let mut no = [CK_TRUE];
    let mut length = [32 as CK_ULONG];
    let mut template =
        [attribute(CKA_ENCRYPT, &mut yes), attribute(CKA_DECRYPT, &mut no), attribute(CKA_VALUE_LEN, &mut length)];
    // The template at an odd address.
    let mut bytes = vec![0_u8; size_of_val(&template) + 1];
    // SAFETY: there is room for the template after the first byte.
    unsafe {
        let target = bytes.as_mut_ptr().add(1);
        std::ptr::copy_nonoverlapping(template.as_mut_ptr().cast::<u8>(), target, size_of_val(&template));
    }
    let odd = bytes[1..].as_mut_ptr().cast();
    let (mut how, mut key) = (mechanism(CKM_AES_KEY_GEN), 0);
    assert_eq!(ck!(C_GenerateKey(s, &mut how, odd, 3, &mut key)), CKR_OK);
    let mut iv = [0_u8; 12];
    let mut params = CK_GCM_PARAMS { pIv: iv.as_mut_ptr(), ulIvLen: 12, ulTagBits: 128, ..Default::default() };
    let length = size_of::<CK_GCM_PARAMS>() as CK_ULONG;
    let mut how = CK_MECHANISM { mechanism: CKM_AES_GCM, pParameter: (&raw mut params).cast(), ulParameterLen: length };
    let (mut buffer, mut n) = ([5_u8; 48], 48);
    let start = buffer.as_mut_ptr();
    assert_eq!(ck!(C_EncryptInit(s, &mut how, key)), CKR_OK);
    assert_eq!(ck!(C_Encrypt(s, start, 32, start, &mut n)), CKR_OK);
    assert_eq!(n, 48);
    assert_ne!(buffer[..32], [5; 32]);
    let start = buffer.as_mut_ptr();
    assert_eq!(ck!(C_DecryptInit(s, &mut how, key)), CKR_OK);
    assert_eq!(ck!(C_Decrypt(s, start, 48, start, &mut n)), CKR_OK);
    assert_eq!((n, &buffer[..32]), (32, &[5_u8; 32][..]));
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
}

#[test]
fn attribute_values_say_in_their_length_what_became_of_them() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (public, private) = key_pair(s);
    let (mut small, mut class) = ([0_u8; 2], [0 as CK_ULONG]);
    let mut asked = [
        attribute(CKA_CLASS, &mut class),
        attribute(CKA_EC_PARAMS, &mut small),
        CK_ATTRIBUTE { type_: CKA_EC_POINT, pValue: null_mut(), ulValueLen: 0 },
    ];
    assert_eq!(ck!(C_GetAttributeValue(s, public, asked.as_mut_ptr(), 3)), CKR_BUFFER_TOO_SMALL);
    let lengths = asked.map(|a| a.ulValueLen);
    assert_eq!(lengths, [8, CK_UNAVAILABLE_INFORMATION, 67]);
    assert_eq!(class, [CKO_PUBLIC_KEY]);
    let mut value = [0_u8; 64];
    let mut asked = [attribute(CKA_VALUE, &mut value), attribute(CKA_MODULUS, &mut small)];
    assert_eq!(ck!(C_GetAttributeValue(s, private, asked.as_mut_ptr(), 1)), CKR_ATTRIBUTE_SENSITIVE);
    assert_eq!(asked[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    assert_eq!(value, [0; 64]);
    assert_eq!(ck!(C_GetAttributeValue(s, public, asked[1..].as_mut_ptr(), 1)), CKR_ATTRIBUTE_TYPE_INVALID);
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
}

#[test]
fn what_is_not_there_says_so() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let mut how = mechanism(CKM_RSA_PKCS);
    assert_eq!(ck!(C_SignRecoverInit(s, &mut how, 1)), CKR_FUNCTION_NOT_SUPPORTED);
    assert_eq!(ck!(C_VerifyRecoverInit(s, &mut how, 1)), CKR_FUNCTION_NOT_SUPPORTED);
    assert_eq!(ck!(C_GetOperationState(s, null_mut(), null_mut())), CKR_FUNCTION_NOT_SUPPORTED);
    assert_eq!(ck!(C_GetFunctionStatus(s)), CKR_FUNCTION_NOT_PARALLEL);
    assert_eq!(ck!(C_CancelFunction(s)), CKR_FUNCTION_NOT_PARALLEL);
    let mut slot = 0;
    assert_eq!(ck!(C_WaitForSlotEvent(CKF_DONT_BLOCK, &mut slot, null_mut())), CKR_NO_EVENT);
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
}

#[test]
fn finalize_wakes_who_waits_and_survives_who_works() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (_, key) = key_pair(s);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut slot = 0;
            ck!(C_WaitForSlotEvent(0, &mut slot, null_mut()))
        });
        let working = scope.spawn(move || {
            let (mut how, mut data, mut out) = (mechanism(CKM_ECDSA_SHA256), [7_u8; 32], [0_u8; 64]);
            loop {
                let mut n = 64;
                let mut rv = ck!(C_SignInit(s, &mut how, key));
                if rv == CKR_OK {
                    rv = ck!(C_Sign(s, data.as_mut_ptr(), 32, out.as_mut_ptr(), &mut n));
                }
                if rv != CKR_OK {
                    return rv;
                }
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
        assert_eq!(waiting.join().unwrap(), CKR_CRYPTOKI_NOT_INITIALIZED);
        assert_ne!(working.join().unwrap(), CKR_GENERAL_ERROR);
    });
}

#[test]
fn every_list_is_complete_and_names_its_version() {
    let _rig = Rig::new("strict");
    let mut count = 0;
    assert_eq!(ck!(C_GetInterfaceList(null_mut(), &mut count)), CKR_OK);
    let mut interfaces = [CK_INTERFACE::default(); 3];
    assert_eq!(count, 3);
    assert_eq!(ck!(C_GetInterfaceList(interfaces.as_mut_ptr(), &mut count)), CKR_OK);
    let sizes = [size_of::<CK_FUNCTION_LIST_3_2>(), size_of::<CK_FUNCTION_LIST_3_0>(), size_of::<CK_FUNCTION_LIST>()];
    for ((interface, version), size) in interfaces.iter().zip([(3, 2), (3, 0), (2, 40)]).zip(sizes) {
        // SAFETY: each list begins with its version, and has `size` bytes of which the rest are pointers.
        let (found, words) = unsafe {
            let words = std::slice::from_raw_parts(interface.pFunctionList.cast::<usize>(), size / 8);
            (*interface.pFunctionList.cast::<CK_VERSION>(), words)
        };
        assert_eq!((found.major, found.minor), version);
        assert!(words[1..].iter().all(|pointer| *pointer != 0), "{version:?} has a hole");
    }
    let mut found = null_mut();
    let (mut name, mut wrong) = (*b"PKCS 11\0", CK_VERSION { major: 9, minor: 9 });
    assert_eq!(ck!(C_GetInterface(name.as_mut_ptr(), null_mut(), &mut found, 0)), CKR_OK);
    assert_eq!(ck!(C_GetInterface(null_mut(), &mut wrong, &mut found, 0)), CKR_FUNCTION_FAILED);
    name[0] = b'Q';
    assert_eq!(ck!(C_GetInterface(name.as_mut_ptr(), null_mut(), &mut found, 0)), CKR_FUNCTION_FAILED);
}
