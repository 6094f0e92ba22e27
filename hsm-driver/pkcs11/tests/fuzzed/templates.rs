//! Templates as hostile C programs make them: types nobody knows, lengths nobody can have, NULL, values of another kind,
//! templates in templates, too many attributes, at odd addresses. Pointers are NULL or lead to as much memory as is said,
//! unless that much cannot be: then they must not be followed.

use super::is_sound;
use super::memory::{Memory, as_bytes};
use super::script::Script;
use crate::rig::P256;
use crate::rig::keys::Keys;
use cryptoki_sys::*;
use std::ptr::null_mut;

/// Words of a `CK_ATTRIBUTE`.
const ATTRIBUTE: CK_ULONG = size_of::<CK_ATTRIBUTE>() as CK_ULONG;
/// Room for a session's objects.
const FOUND: usize = 300;

const FLAGS: [CK_ATTRIBUTE_TYPE; 24] = [
    CKA_PRIVATE,
    CKA_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_SIGN,
    CKA_VERIFY,
    CKA_WRAP,
    CKA_UNWRAP,
    CKA_DERIVE,
    CKA_MODIFIABLE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    CKA_TRUSTED,
    CKA_WRAP_WITH_TRUSTED,
    CKA_ALWAYS_AUTHENTICATE,
    CKA_LOCAL,
    CKA_ALWAYS_SENSITIVE,
    CKA_NEVER_EXTRACTABLE,
    CKA_ENCAPSULATE,
    CKA_DECAPSULATE,
    CKA_SIGN_RECOVER,
    CKA_VERIFY_RECOVER,
    CKA_TOKEN,
];
const NUMBERS: [CK_ATTRIBUTE_TYPE; 13] = [
    CKA_CLASS,
    CKA_KEY_TYPE,
    CKA_VALUE_LEN,
    CKA_VALUE_BITS,
    CKA_MODULUS_BITS,
    CKA_PARAMETER_SET,
    CKA_CERTIFICATE_TYPE,
    CKA_CERTIFICATE_CATEGORY,
    CKA_KEY_GEN_MECHANISM,
    CKA_PROFILE_ID,
    CKA_NAME_HASH_ALGORITHM,
    CKA_JAVA_MIDP_SECURITY_DOMAIN,
    CKA_TRUST_SERVER_AUTH,
];
const BYTES: [CK_ATTRIBUTE_TYPE; 17] = [
    CKA_LABEL,
    CKA_ID,
    CKA_VALUE,
    CKA_APPLICATION,
    CKA_OBJECT_ID,
    CKA_ISSUER,
    CKA_SERIAL_NUMBER,
    CKA_SUBJECT,
    CKA_START_DATE,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_CHECK_VALUE,
    CKA_UNIQUE_ID,
    CKA_SEED,
];
const TEMPLATES: [CK_ATTRIBUTE_TYPE; 3] = [CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE];
/// Classes, key types, sizes and parameter sets.
const VALUES: [CK_ULONG; 20] = [
    CKO_DATA,
    CKO_CERTIFICATE,
    CKO_PUBLIC_KEY,
    CKO_PRIVATE_KEY,
    CKO_SECRET_KEY,
    CKO_PROFILE,
    CKO_TRUST,
    CKK_GENERIC_SECRET,
    CKK_AES,
    CKK_AES_XTS,
    CKK_HKDF,
    CKK_EC_EDWARDS,
    CKK_EC_MONTGOMERY,
    CKK_ML_KEM,
    CKK_ML_DSA,
    24,
    32,
    64,
    2048,
    CKM_AES_GCM,
];
const MECHANISMS: [CK_ULONG; 4] = [CKM_AES_CBC, CKM_AES_GCM, CKM_SHA256_HMAC, CKM_ECDSA];

/// Attributes of one kind, as C has them: an address and a count.
type Array = (CK_ULONG, CK_ULONG);

/// Gives one template to one function.
pub fn play(s: CK_SESSION_HANDLE, keys: &Keys, input: &[u8]) {
    let (mut script, mut memory) = (Script::new(input), Memory::default());
    let what = script.below(10);
    if what == 9 {
        read(s, keys, (&mut script, &mut memory));
    } else {
        made(s, keys, what, (&mut script, &mut memory));
    }
    memory.is_sound("a function with a template");
    // It still works.
    let mut size = 0;
    assert_eq!(ck!(C_GetObjectSize(s, keys.aes, &mut size)), CKR_OK);
}

/// A function that takes a template. What it makes is destroyed, as far as its own template allows.
fn made(s: CK_SESSION_HANDLE, keys: &Keys, what: usize, (script, memory): (&mut Script, &mut Memory)) {
    let (mut one, mut two) = (0, 0);
    let (start, count) = template(script, memory, what);
    let start = start as *mut CK_ATTRIBUTE;
    let other = keys.any(script.byte());
    let rv = match what {
        0 => ck!(C_CreateObject(s, start, count, &mut one)),
        1 => ck!(C_CopyObject(s, other, start, count, &mut one)),
        2 => ck!(C_SetAttributeValue(s, other, start, count)),
        3 => find(s, start, count),
        4 => ck!(C_GenerateKey(s, &mut plain(script.pick(&GENERATE)), start, count, &mut one)),
        5 => {
            let (second, more) = template(script, memory, 6);
            let kind = script.pick(&GENERATE_PAIR);
            let second = second as *mut CK_ATTRIBUTE;
            ck!(C_GenerateKeyPair(s, &mut plain(kind), start, count, second, more, &mut one, &mut two))
        }
        6 => {
            let wrapped = memory.input(&[7; 40]) as *mut CK_BYTE;
            ck!(C_UnwrapKey(s, &mut plain(CKM_AES_KEY_WRAP_KWP), keys.aes, wrapped, 40, start, count, &mut one))
        }
        7 => derive(s, keys, (start, count), &mut one),
        _ => {
            let (mut how, mut length) = (plain(CKM_ML_KEM), 2000);
            let out = memory.room(2000, 0) as *mut CK_BYTE;
            ck!(C_EncapsulateKey(s, &mut how, keys.ml_kem.0, start, count, out, &mut length, &mut one))
        }
    };
    is_sound(rv, "a function with a template");
    for object in [one, two] {
        is_sound(ck!(C_DestroyObject(s, object)), "C_DestroyObject");
    }
}

const GENERATE: [CK_MECHANISM_TYPE; 3] = [CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN, CKM_AES_XTS_KEY_GEN];
const GENERATE_PAIR: [CK_MECHANISM_TYPE; 4] =
    [CKM_EC_KEY_PAIR_GEN, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKM_ML_KEM_KEY_PAIR_GEN];

fn plain(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism: kind, pParameter: null_mut(), ulParameterLen: 0 }
}

fn derive(
    s: CK_SESSION_HANDLE,
    keys: &Keys,
    (start, count): (*mut CK_ATTRIBUTE, CK_ULONG),
    made: &mut CK_ULONG,
) -> CK_RV {
    let mut hkdf = CK_HKDF_PARAMS {
        bExtract: CK_TRUE,
        bExpand: CK_TRUE,
        prfHashMechanism: CKM_SHA256,
        ulSaltType: CKF_HKDF_SALT_NULL,
        ..Default::default()
    };
    let mut how = crate::rig::c::with(CKM_HKDF_DERIVE, &mut hkdf);
    ck!(C_DeriveKey(s, &mut how, keys.generic, start, count, made))
}

fn find(s: CK_SESSION_HANDLE, start: *mut CK_ATTRIBUTE, count: CK_ULONG) -> CK_RV {
    let rv = ck!(C_FindObjectsInit(s, start, count));
    if rv == CKR_OK {
        let (mut found, mut count) = ([0; FOUND], 0);
        is_sound(ck!(C_FindObjects(s, found.as_mut_ptr(), FOUND as CK_ULONG, &mut count)), "C_FindObjects");
        assert!(count <= FOUND as CK_ULONG);
        assert_eq!(ck!(C_FindObjectsFinal(s)), CKR_OK);
    }
    rv
}

/// `C_GetAttributeValue`, where the caller has as much room as it says.
fn read(s: CK_SESSION_HANDLE, keys: &Keys, (script, memory): (&mut Script, &mut Memory)) {
    let mut all = Vec::new();
    for _ in 0..script.below(12) {
        let kind = kind(script);
        let value = match (TEMPLATES.contains(&kind), script.below(4)) {
            (_, 0) => (0, script.word(&[])),
            (true, 1) => (memory.room(7, 0), 7),
            (true, _) => array_of_rooms(script, memory),
            (false, _) => {
                let length = script.pick(&[0, 1, 8, 16, 600]);
                (memory.room(length, 0), length as CK_ULONG)
            }
        };
        all.extend([kind, value.0, value.1]);
    }
    let (start, count) = (memory.words(&all) as *mut CK_ATTRIBUTE, all.len() as CK_ULONG / 3);
    is_sound(ck!(C_GetAttributeValue(s, keys.any(script.byte()), start, count)), "C_GetAttributeValue");
}

fn array_of_rooms(script: &mut Script, memory: &mut Memory) -> Array {
    let mut all = Vec::new();
    for _ in 0..script.below(6) {
        let length = script.pick(&[0, 1, 8, 60]);
        all.extend([script.byte().into(), memory.room(length, 0), length as CK_ULONG]);
    }
    let length = all.len() * size_of::<CK_ULONG>();
    (memory.words(&all), length as CK_ULONG)
}

/// A template for this function: sometimes one that is good at first.
fn template(script: &mut Script, memory: &mut Memory, what: usize) -> Array {
    let mut all = Vec::new();
    if !script.once_in(4) {
        good(what, memory, &mut all);
    }
    let most = script.pick(&[1, 1, 2, 3, 8, 130]);
    for _ in 0..script.below(most) {
        let kind = kind(script);
        let (start, length) = value(script, memory, (kind, 0));
        all.extend([kind, start, length]);
    }
    let (start, count) = (memory.input(&as_bytes(&all)), all.len() as CK_ULONG / 3);
    match script.below(32) {
        // A count that cannot be, and an array that is not there.
        31 => (start, script.wild()),
        30 => (0, count),
        29 => (0, script.wild()),
        _ => (start, count),
    }
}

/// What the function needs.
fn good(what: usize, memory: &mut Memory, all: &mut Vec<CK_ULONG>) {
    let mut put = |kind, value: &[u8]| all.extend([kind, memory.input(value), value.len() as CK_ULONG]);
    match what {
        0 => {
            put(CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes());
            put(CKA_KEY_TYPE, &CKK_AES.to_ne_bytes());
            put(CKA_VALUE, &[9; 32]);
        }
        4 => put(CKA_VALUE_LEN, &[32_u64.to_ne_bytes(), [0; 8]].concat()[..8]),
        5 => put(CKA_EC_PARAMS, P256),
        7 | 8 => {
            put(CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes());
            put(CKA_KEY_TYPE, &CKK_GENERIC_SECRET.to_ne_bytes());
            put(CKA_VALUE_LEN, &32_u64.to_ne_bytes());
        }
        _ => {}
    }
}

fn kind(script: &mut Script) -> CK_ATTRIBUTE_TYPE {
    match script.below(8) {
        0 | 1 => script.pick(&FLAGS),
        2 | 3 => script.pick(&NUMBERS),
        4 => script.pick(&BYTES),
        5 => script.pick(&TEMPLATES),
        6 => CKA_ALLOWED_MECHANISMS,
        _ => script.word(&BYTES),
    }
}

/// A value: its address and its length.
fn value(script: &mut Script, memory: &mut Memory, (kind, depth): (CK_ATTRIBUTE_TYPE, usize)) -> Array {
    let put = |memory: &mut Memory, bytes: &[u8]| (memory.input(bytes), bytes.len() as CK_ULONG);
    match script.below(16) {
        0 => (0, 0),
        1 => (0, script.word(&[1, 8, 24])),
        // More than any value has: whatever is there, it is not read.
        2 => (memory.input(&[]), script.wild()),
        3 => {
            let length = script.byte().into();
            put(memory, script.bytes(length))
        }
        4 => put(memory, &vec![script.byte(); 1 << script.below(17)]),
        _ if TEMPLATES.contains(&kind) && depth < 2 => nested(script, memory, depth),
        _ if FLAGS.contains(&kind) => put(memory, &[script.byte() & 1]),
        _ if NUMBERS.contains(&kind) => put(memory, &script.word(&VALUES).to_ne_bytes()),
        _ if kind == CKA_ALLOWED_MECHANISMS => {
            let words: Vec<_> = (0..script.below(5)).map(|_| script.word(&MECHANISMS)).collect();
            put(memory, &as_bytes(&words))
        }
        _ => {
            let length = script.pick(&[0, 1, 8, 16, 24, 32, 64, 65]);
            put(memory, script.bytes(length))
        }
    }
}

/// A template in a template. Its length is in bytes, and may be none of whole attributes.
fn nested(script: &mut Script, memory: &mut Memory, depth: usize) -> Array {
    let mut all = Vec::new();
    let most = script.pick(&[4, 4, 4, 130]);
    for _ in 0..script.below(most) {
        let kind = kind(script);
        let (start, length) = value(script, memory, (kind, depth + 1));
        all.extend([kind, start, length]);
    }
    let whole = all.len() as CK_ULONG / 3 * ATTRIBUTE;
    let start = memory.input(&as_bytes(&all));
    match script.below(8) {
        0 => (start, whole.saturating_sub(1)),
        1 => (start, script.wild() / ATTRIBUTE * ATTRIBUTE),
        2 => (0, whole),
        _ => (start, whole),
    }
}
