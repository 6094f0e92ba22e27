//! Parameters of every mechanism there is, with any bytes: what the module takes for a pointer is NULL or leads to as much
//! memory as is said, unless that much cannot be. Each is used in one way to the end.

use super::is_sound;
use super::memory::Memory;
use super::script::Script;
use super::shapes::{self, Shape};
use crate::rig::c::listed;
use crate::rig::keys::Keys;
use cryptoki_sys::*;
use std::cell::Cell;
use std::ptr::null_mut;

/// Bytes of the longest result that is asked for.
const ROOM: usize = 2500;
const ROOMS: [usize; 6] = [0, 1, 16, 64, 256, ROOM];

/// What is used: a mechanism, a key, and where.
struct Use<'a, 'b> {
    s: CK_SESSION_HANDLE,
    how: CK_MECHANISM,
    keys: Vec<CK_OBJECT_HANDLE>,
    key: CK_OBJECT_HANDLE,
    script: &'a mut Script<'b>,
    memory: &'a mut Memory,
}

type Service = fn(&mut Use<'_, '_>, &Keys);

/// What a mechanism does, and how that is done.
const SERVICES: [(CK_FLAGS, Service); 14] = [
    (CKF_SIGN, |u, _| u.sign()),
    (CKF_VERIFY, |u, _| u.verify()),
    (CKF_ENCRYPT, |u, _| u.encrypt()),
    (CKF_DECRYPT, |u, _| u.decrypt()),
    (CKF_DIGEST, |u, _| u.digest()),
    (CKF_WRAP, |u, keys| u.wrap(keys)),
    (CKF_UNWRAP, |u, _| u.unwrap()),
    (CKF_DERIVE, |u, _| u.derive()),
    (CKF_GENERATE, |u, _| u.generate()),
    (CKF_ENCAPSULATE, |u, _| u.encapsulate()),
    (CKF_DECAPSULATE, |u, _| u.decapsulate()),
    (CKF_MESSAGE_SIGN, |u, _| u.sign_message()),
    (CKF_MESSAGE_ENCRYPT, |u, _| u.crypt_message(true)),
    (CKF_MESSAGE_DECRYPT, |u, _| u.crypt_message(false)),
];
/// Answers to a key that another one might serve better than.
const OTHER_KEY: [CK_RV; 5] = [
    CKR_KEY_TYPE_INCONSISTENT,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_KEY_SIZE_RANGE,
];

/// What the first token lists, and what it does not.
pub fn kinds() -> Vec<(CK_MECHANISM_TYPE, CK_MECHANISM_INFO)> {
    let unknown = [CKM_SHA_1, 0x1234_5678, CK_ULONG::MAX].map(|kind| (kind, CK_MECHANISM_INFO::default()));
    listed().into_iter().chain(unknown).collect()
}

/// Gives one parameter to one of these mechanisms, for something that it does, or now and then for something else.
pub fn play(s: CK_SESSION_HANDLE, keys: &Keys, kinds: &[(CK_MECHANISM_TYPE, CK_MECHANISM_INFO)], input: &[u8]) {
    let (mut script, mut memory) = (Script::new(input), Memory::default());
    let (kind, info) = script.pick(kinds);
    let its: Vec<_> = SERVICES.iter().filter(|(flag, _)| info.flags & flag != 0).collect();
    let service = if its.is_empty() || script.once_in(8) {
        &SERVICES[script.below(SERVICES.len())]
    } else {
        its[script.below(its.len())]
    };
    let how = mechanism(kind, &mut script, &mut memory);
    let mut this = Use { s, how, keys: keys.all().to_vec(), key: 0, script: &mut script, memory: &mut memory };
    let first = this.script.below(this.keys.len());
    this.keys.rotate_left(first);
    this.key = this.keys[0];
    (service.1)(&mut this, keys);
    is_sound(ck!(C_SessionCancel(s, CK_FLAGS::MAX)), "C_SessionCancel");
    memory.is_sound("a function with a mechanism");
}

fn mechanism(kind: CK_MECHANISM_TYPE, script: &mut Script, memory: &mut Memory) -> CK_MECHANISM {
    let (start, length) = parameter(shapes::of(kind), script, memory);
    CK_MECHANISM { mechanism: kind, pParameter: start as *mut _, ulParameterLen: length }
}

/// A parameter: its address and its length.
fn parameter(of: &[Shape], script: &mut Script, memory: &mut Memory) -> (CK_ULONG, CK_ULONG) {
    match script.below(16) {
        0 | 4 | 5 => (0, 0),
        1 => (0, script.word(&[16, 24, 48])),
        2 => (memory.both(&[]), script.wild()),
        // Bytes that are no structure of this mechanism's.
        3 => {
            let length = usize::from(script.byte());
            let length = if of.iter().any(|shape| shape.size == length) { length + 1 } else { length };
            let mut bytes = script.bytes(length).to_vec();
            bytes.resize(length, 0xff);
            (memory.both(&bytes), length as CK_ULONG)
        }
        _ if of.is_empty() => (0, 0),
        _ => {
            let shape = script.pick(of);
            let bytes = shape.filled(script, memory);
            (memory.both(&bytes), shape.size as CK_ULONG)
        }
    }
}

impl Use<'_, '_> {
    fn data(&mut self) -> (*mut CK_BYTE, CK_ULONG) {
        let length = self.script.pick(&[0, 1, 16, 20, 32, 40, 48, 64, 256]);
        let mut bytes = self.script.bytes(length).to_vec();
        bytes.resize(length, 7);
        (self.memory.input(&bytes) as *mut CK_BYTE, length as CK_ULONG)
    }

    /// A call that gives a result: into a buffer of some size, and when it was too small into one that is not.
    fn result(&mut self, what: &str, call: impl Fn(*mut CK_BYTE, *mut CK_ULONG) -> CK_RV) {
        for length in [self.script.pick(&ROOMS), ROOM] {
            let mut said = length as CK_ULONG;
            let out = self.memory.room(length, 0) as *mut CK_BYTE;
            let rv = is_sound(call(if length == 0 { null_mut() } else { out }, &mut said), what);
            assert!(rv != CKR_OK || length == 0 || said <= length as CK_ULONG, "{what}: {said} in {length}");
            if rv != CKR_BUFFER_TOO_SMALL && length != 0 {
                break;
            }
        }
    }

    /// With the first key that this takes: whether it was taken.
    fn with_a_key(&mut self, what: &str, call: impl Fn(*mut CK_MECHANISM, CK_OBJECT_HANDLE) -> CK_RV) -> bool {
        let how = &raw mut self.how;
        let mut answers = self.keys.iter().map(|key| (*key, is_sound(call(how, *key), what)));
        let (key, rv) = answers.find(|(_, rv)| !OTHER_KEY.contains(rv)).unwrap_or((0, CKR_KEY_HANDLE_INVALID));
        self.key = key;
        rv == CKR_OK
    }

    fn sign(&mut self) {
        let s = self.s;
        if self.with_a_key("C_SignInit", |how, key| ck!(C_SignInit(s, how, key))) {
            let (data, length) = self.data();
            self.result("C_Sign", |out, out_len| ck!(C_Sign(s, data, length, out, out_len)));
        }
    }

    fn verify(&mut self) {
        let s = self.s;
        if self.with_a_key("C_VerifyInit", |how, key| ck!(C_VerifyInit(s, how, key))) {
            let ((data, length), (signature, bytes)) = (self.data(), self.data());
            is_sound(ck!(C_Verify(s, data, length, signature, bytes)), "C_Verify");
        }
    }

    fn encrypt(&mut self) {
        let s = self.s;
        if self.with_a_key("C_EncryptInit", |how, key| ck!(C_EncryptInit(s, how, key))) {
            let (data, length) = self.data();
            if self.script.once_in(2) {
                self.result("C_EncryptUpdate", |out, n| ck!(C_EncryptUpdate(s, data, length, out, n)));
                self.result("C_EncryptFinal", |out, n| ck!(C_EncryptFinal(s, out, n)));
            }
            self.result("C_Encrypt", |out, n| ck!(C_Encrypt(s, data, length, out, n)));
        }
    }

    fn decrypt(&mut self) {
        let s = self.s;
        if self.with_a_key("C_DecryptInit", |how, key| ck!(C_DecryptInit(s, how, key))) {
            let (data, length) = self.data();
            if self.script.once_in(2) {
                self.result("C_DecryptUpdate", |out, n| ck!(C_DecryptUpdate(s, data, length, out, n)));
                self.result("C_DecryptFinal", |out, n| ck!(C_DecryptFinal(s, out, n)));
            }
            self.result("C_Decrypt", |out, n| ck!(C_Decrypt(s, data, length, out, n)));
        }
    }

    fn digest(&mut self) {
        let s = self.s;
        if is_sound(ck!(C_DigestInit(s, &mut self.how)), "C_DigestInit") == CKR_OK {
            let (data, length) = self.data();
            self.result("C_Digest", |out, n| ck!(C_Digest(s, data, length, out, n)));
        }
    }

    fn wrap(&mut self, keys: &Keys) {
        let (s, how, wrapped) = (self.s, self.how, keys.generic);
        let mut length = 0;
        self.with_a_key("C_WrapKey", |how, key| ck!(C_WrapKey(s, how, key, wrapped, null_mut(), &mut { length })));
        let (wrapping, (aad, more)) = (self.key, self.data());
        length = more;
        if self.script.once_in(3) {
            self.result("C_WrapKeyAuthenticated", |out, n| {
                ck!(C_WrapKeyAuthenticated(s, &mut { how }, wrapping, wrapped, aad, length, out, n))
            });
        } else {
            self.result("C_WrapKey", |out, n| ck!(C_WrapKey(s, &mut { how }, wrapping, wrapped, out, n)));
        }
    }

    fn unwrap(&mut self) {
        let ((wrapped, bytes), (aad, length)) = (self.data(), self.data());
        let (s, made, authenticated) = (self.s, Cell::new(0), self.script.once_in(3));
        self.with_a_key("C_UnwrapKey", |how, key| {
            let mut one = 0;
            let rv = if authenticated {
                ck!(C_UnwrapKeyAuthenticated(s, how, key, wrapped, bytes, null_mut(), 0, aad, length, &mut one))
            } else {
                ck!(C_UnwrapKey(s, how, key, wrapped, bytes, null_mut(), 0, &mut one))
            };
            made.set(one);
            rv
        });
        self.destroy(made.get());
    }

    fn derive(&mut self) {
        let (s, made) = (self.s, Cell::new(0));
        let (mut template, mut length) = (CK_ATTRIBUTE::default(), 32 as CK_ULONG);
        template.type_ = CKA_VALUE_LEN;
        template.pValue = (&raw mut length).cast();
        template.ulValueLen = size_of::<CK_ULONG>() as CK_ULONG;
        self.with_a_key("C_DeriveKey", |how, key| {
            let mut one = 0;
            let rv = ck!(C_DeriveKey(s, how, key, &mut { template }, 1, &mut one));
            made.set(one);
            rv
        });
        self.destroy(made.get());
    }

    fn generate(&mut self) {
        let mut made = 0;
        is_sound(ck!(C_GenerateKey(self.s, &mut self.how, null_mut(), 0, &mut made)), "C_GenerateKey");
        self.destroy(made);
    }

    fn encapsulate(&mut self) {
        let (s, how, mut length) = (self.s, self.how, 0);
        self.with_a_key("C_EncapsulateKey", |how, key| {
            ck!(C_EncapsulateKey(s, how, key, null_mut(), 0, null_mut(), &mut { length }, &mut { 0 }))
        });
        let (key, made) = (self.key, Cell::new(0));
        length = 0;
        self.result("C_EncapsulateKey", |out, n| {
            let mut one = length;
            let rv = ck!(C_EncapsulateKey(s, &mut { how }, key, null_mut(), 0, out, n, &mut one));
            made.set(one);
            rv
        });
        self.destroy(made.get());
    }

    fn decapsulate(&mut self) {
        let (s, made, (data, length)) = (self.s, Cell::new(0), self.data());
        self.with_a_key("C_DecapsulateKey", |how, key| {
            let mut one = 0;
            let rv = ck!(C_DecapsulateKey(s, how, key, null_mut(), 0, data, length, &mut one));
            made.set(one);
            rv
        });
        self.destroy(made.get());
    }

    fn destroy(&self, made: CK_OBJECT_HANDLE) {
        is_sound(ck!(C_DestroyObject(self.s, made)), "C_DestroyObject");
    }

    fn sign_message(&mut self) {
        let s = self.s;
        if self.with_a_key("C_MessageSignInit", |how, key| ck!(C_MessageSignInit(s, how, key))) {
            let (data, length) = self.data();
            self.result("C_SignMessage", |out, n| ck!(C_SignMessage(s, null_mut(), 0, data, length, out, n)));
        }
    }

    /// Messages have their own parameters, in which IV and tag are put.
    fn crypt_message(&mut self, encrypts: bool) {
        let s = self.s;
        let begun = self.with_a_key("C_MessageEncryptInit", |how, key| match encrypts {
            true => ck!(C_MessageEncryptInit(s, how, key)),
            false => ck!(C_MessageDecryptInit(s, how, key)),
        });
        if !begun {
            return;
        }
        let of = shapes::of_messages(self.how.mechanism);
        let (start, bytes) = parameter(of, self.script, self.memory);
        let ((aad, more), (data, length)) = (self.data(), self.data());
        let start = start as *mut std::ffi::c_void;
        if self.script.once_in(2) {
            let begun = match encrypts {
                true => ck!(C_EncryptMessageBegin(s, start, bytes, aad, more)),
                false => ck!(C_DecryptMessageBegin(s, start, bytes, aad, more)),
            };
            is_sound(begun, "C_EncryptMessageBegin");
            let (start, bytes) = parameter(of, self.script, self.memory);
            let (start, flags) = (start as *mut std::ffi::c_void, CK_FLAGS::from(!self.script.once_in(4)));
            self.result("C_EncryptMessageNext", |out, n| match encrypts {
                true => ck!(C_EncryptMessageNext(s, start, bytes, data, length, out, n, flags)),
                false => ck!(C_DecryptMessageNext(s, start, bytes, data, length, out, n, flags)),
            });
        }
        self.result("C_EncryptMessage", |out, n| match encrypts {
            true => ck!(C_EncryptMessage(s, start, bytes, aad, more, data, length, out, n)),
            false => ck!(C_DecryptMessage(s, start, bytes, aad, more, data, length, out, n)),
        });
    }
}
