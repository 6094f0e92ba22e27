//! The module as a C program uses it: for what the `cryptoki` crate does not know.

use super::{PIN, SO_PIN};
use cryptoki_sys::*;
use std::ptr::null_mut;

/// Calls a function of the list.
#[macro_export]
macro_rules! ck {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        let function = $crate::rig::functions().$name.expect(stringify!($name));
        // SAFETY: the test gives valid pointers, or wrong ones that the module must refuse.
        #[allow(clippy::macro_metavars_in_unsafe, reason = "arguments are plain expressions")]
        unsafe {
            function($($argument),*)
        }
    }};
}

/// What a call answered when it did not do what it should.
pub type Answer<T> = Result<T, CK_RV>;

pub fn ok(rv: CK_RV) -> Answer<()> {
    if rv == CKR_OK { Ok(()) } else { Err(rv) }
}

/// The module initialised, a token with PINs in its first slot, and a read-write user session.
pub fn set_up() -> CK_SESSION_HANDLE {
    // A test that failed has left the module as it was.
    let _ = ck!(C_Finalize(null_mut()));
    assert_eq!(ck!(C_Initialize(null_mut())), CKR_OK);
    new_token(0)
}

/// A token with PINs and a read-write user session.
pub fn new_token(slot: CK_SLOT_ID) -> CK_SESSION_HANDLE {
    let mut label = *b"bench                           ";
    let (mut so, mut pin) = (SO_PIN.as_bytes().to_vec(), PIN.as_bytes().to_vec());
    assert_eq!(ck!(C_InitToken(slot, so.as_mut_ptr(), 8, label.as_mut_ptr())), CKR_OK);
    let session = session(slot).unwrap();
    assert_eq!(ck!(C_Login(session, CKU_SO, so.as_mut_ptr(), 8)), CKR_OK);
    assert_eq!(ck!(C_InitPIN(session, pin.as_mut_ptr(), 6)), CKR_OK);
    assert_eq!(ck!(C_Logout(session)), CKR_OK);
    assert_eq!(log_in(session), CKR_OK);
    session
}

/// A read-write session.
pub fn session(slot: CK_SLOT_ID) -> Answer<CK_SESSION_HANDLE> {
    let (flags, mut session) = (CKF_SERIAL_SESSION | CKF_RW_SESSION, 0);
    ok(ck!(C_OpenSession(slot, flags, null_mut(), None, &mut session))).map(|()| session)
}

/// The user's login, with the right PIN.
pub fn log_in(session: CK_SESSION_HANDLE) -> CK_RV {
    let mut pin = PIN.as_bytes().to_vec();
    ck!(C_Login(session, CKU_USER, pin.as_mut_ptr(), pin.len() as CK_ULONG))
}

pub fn finalize() {
    assert_eq!(ck!(C_Finalize(null_mut())), CKR_OK);
}

pub fn attribute<T>(kind: CK_ATTRIBUTE_TYPE, value: &mut [T]) -> CK_ATTRIBUTE {
    let length = size_of_val(value) as CK_ULONG;
    CK_ATTRIBUTE { type_: kind, pValue: value.as_mut_ptr().cast(), ulValueLen: length }
}

/// A mechanism without a parameter.
pub fn mechanism(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism: kind, pParameter: null_mut(), ulParameterLen: 0 }
}

/// A mechanism with a parameter that must outlive its use.
pub fn with<T>(kind: CK_MECHANISM_TYPE, parameter: &mut T) -> CK_MECHANISM {
    let length = size_of::<T>() as CK_ULONG;
    CK_MECHANISM { mechanism: kind, pParameter: (&raw mut *parameter).cast(), ulParameterLen: length }
}

/// A template that owns its values.
#[derive(Clone, Default)]
pub struct Attributes(Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>);

impl Attributes {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn yes(self, kinds: &[CK_ATTRIBUTE_TYPE]) -> Self {
        kinds.iter().fold(self, |all, kind| all.bytes(*kind, &[CK_TRUE]))
    }

    pub fn no(self, kind: CK_ATTRIBUTE_TYPE) -> Self {
        self.bytes(kind, &[CK_FALSE])
    }

    pub fn number(self, kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    pub fn bytes(mut self, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        self.0.push((kind, value.to_vec()));
        self
    }

    /// As C has it.
    pub fn raw(&mut self) -> Vec<CK_ATTRIBUTE> {
        self.0.iter_mut().map(|(kind, value)| attribute(*kind, value)).collect()
    }
}

/// Every object that matches.
pub fn find(s: CK_SESSION_HANDLE, mut template: Attributes) -> Answer<Vec<CK_OBJECT_HANDLE>> {
    let mut raw = template.raw();
    ok(ck!(C_FindObjectsInit(s, raw.as_mut_ptr(), raw.len() as CK_ULONG)))?;
    let mut all = Vec::new();
    loop {
        let (mut found, mut count) = ([0; 64], 0);
        ok(ck!(C_FindObjects(s, found.as_mut_ptr(), found.len() as CK_ULONG, &mut count)))?;
        all.extend_from_slice(&found[..count as usize]);
        if count == 0 {
            break;
        }
    }
    ok(ck!(C_FindObjectsFinal(s)))?;
    Ok(all)
}

pub fn create(s: CK_SESSION_HANDLE, mut template: Attributes) -> Answer<CK_OBJECT_HANDLE> {
    let (mut raw, mut made) = (template.raw(), 0);
    ok(ck!(C_CreateObject(s, raw.as_mut_ptr(), raw.len() as CK_ULONG, &mut made))).map(|()| made)
}

/// A secret key with a value that the caller chose.
pub fn import(s: CK_SESSION_HANDLE, kind: CK_KEY_TYPE, value: &[u8], uses: &[CK_ATTRIBUTE_TYPE]) -> CK_OBJECT_HANDLE {
    let template = Attributes::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, kind);
    create(s, template.bytes(CKA_VALUE, value).yes(uses)).unwrap()
}

pub fn generate(s: CK_SESSION_HANDLE, mut how: CK_MECHANISM, mut template: Attributes) -> Answer<CK_OBJECT_HANDLE> {
    let (mut raw, mut made) = (template.raw(), 0);
    ok(ck!(C_GenerateKey(s, &mut how, raw.as_mut_ptr(), raw.len() as CK_ULONG, &mut made))).map(|()| made)
}

/// Public key, private key.
pub fn generate_pair(
    s: CK_SESSION_HANDLE,
    kind: CK_MECHANISM_TYPE,
    mut public: Attributes,
    mut private: Attributes,
) -> Answer<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
    let (mut how, mut made) = (mechanism(kind), (0, 0));
    let (mut a, mut b) = (public.raw(), private.raw());
    let lengths = (a.len() as CK_ULONG, b.len() as CK_ULONG);
    let (a, b) = (a.as_mut_ptr(), b.as_mut_ptr());
    ok(ck!(C_GenerateKeyPair(s, &mut how, a, lengths.0, b, lengths.1, &mut made.0, &mut made.1)))?;
    Ok(made)
}

/// One attribute's bytes.
pub fn value(s: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> Answer<Vec<u8>> {
    let mut asked = CK_ATTRIBUTE { type_: kind, pValue: null_mut(), ulValueLen: 0 };
    ok(ck!(C_GetAttributeValue(s, object, &mut asked, 1)))?;
    let mut value = vec![0_u8; asked.ulValueLen as usize];
    asked.pValue = value.as_mut_ptr().cast();
    ok(ck!(C_GetAttributeValue(s, object, &mut asked, 1)))?;
    Ok(value)
}

/// Asks for the length, tries a buffer that is one byte short, then takes the result: what every function with an output does.
pub fn deliver(mut call: impl FnMut(*mut CK_BYTE, *mut CK_ULONG) -> CK_RV) -> Answer<Vec<u8>> {
    let mut length = 0;
    ok(call(null_mut(), &mut length))?;
    let mut out = vec![0_u8; length as usize];
    if length > 0 {
        let mut short = length - 1;
        match call(out.as_mut_ptr(), &mut short) {
            CKR_BUFFER_TOO_SMALL => assert_eq!(short, length, "the length of the result"),
            // A plaintext may be shorter than what was announced.
            CKR_OK => {
                out.truncate(short as usize);
                return Ok(out);
            }
            other => return Err(other),
        }
    }
    ok(call(out.as_mut_ptr(), &mut length))?;
    out.truncate(length as usize);
    Ok(out)
}

pub fn sign(s: CK_SESSION_HANDLE, mut how: CK_MECHANISM, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
    ok(ck!(C_SignInit(s, &mut how, key)))?;
    let mut data = data.to_vec();
    deliver(|out, len| ck!(C_Sign(s, data.as_mut_ptr(), data.len() as CK_ULONG, out, len)))
}

pub fn sign_parts(s: CK_SESSION_HANDLE, mut how: CK_MECHANISM, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
    ok(ck!(C_SignInit(s, &mut how, key)))?;
    for part in data.chunks(5) {
        let mut part = part.to_vec();
        ok(ck!(C_SignUpdate(s, part.as_mut_ptr(), part.len() as CK_ULONG)))?;
    }
    deliver(|out, len| ck!(C_SignFinal(s, out, len)))
}

pub fn verify(
    s: CK_SESSION_HANDLE,
    mut how: CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
    data: &[u8],
    signature: &[u8],
) -> CK_RV {
    let (mut data, mut signature) = (data.to_vec(), signature.to_vec());
    let rv = ck!(C_VerifyInit(s, &mut how, key));
    if rv != CKR_OK {
        return rv;
    }
    let lengths = (data.len() as CK_ULONG, signature.len() as CK_ULONG);
    ck!(C_Verify(s, data.as_mut_ptr(), lengths.0, signature.as_mut_ptr(), lengths.1))
}

pub fn encrypt(s: CK_SESSION_HANDLE, mut how: CK_MECHANISM, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
    ok(ck!(C_EncryptInit(s, &mut how, key)))?;
    let mut data = data.to_vec();
    deliver(|out, len| ck!(C_Encrypt(s, data.as_mut_ptr(), data.len() as CK_ULONG, out, len)))
}

pub fn decrypt(s: CK_SESSION_HANDLE, mut how: CK_MECHANISM, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
    ok(ck!(C_DecryptInit(s, &mut how, key)))?;
    let mut data = data.to_vec();
    deliver(|out, len| ck!(C_Decrypt(s, data.as_mut_ptr(), data.len() as CK_ULONG, out, len)))
}

/// Encryption in parts of these sizes, in turn.
pub fn encrypt_parts(
    s: CK_SESSION_HANDLE,
    mut how: CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
    data: &[u8],
    sizes: &[usize],
) -> Answer<Vec<u8>> {
    ok(ck!(C_EncryptInit(s, &mut how, key)))?;
    let mut all = Vec::new();
    for mut part in parts(data, sizes) {
        all.extend(deliver(|out, len| ck!(C_EncryptUpdate(s, part.as_mut_ptr(), part.len() as CK_ULONG, out, len)))?);
    }
    all.extend(deliver(|out, len| ck!(C_EncryptFinal(s, out, len)))?);
    Ok(all)
}

/// Decryption in parts of these sizes, in turn.
pub fn decrypt_parts(
    s: CK_SESSION_HANDLE,
    mut how: CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
    data: &[u8],
    sizes: &[usize],
) -> Answer<Vec<u8>> {
    ok(ck!(C_DecryptInit(s, &mut how, key)))?;
    let mut all = Vec::new();
    for mut part in parts(data, sizes) {
        all.extend(deliver(|out, len| ck!(C_DecryptUpdate(s, part.as_mut_ptr(), part.len() as CK_ULONG, out, len)))?);
    }
    all.extend(deliver(|out, len| ck!(C_DecryptFinal(s, out, len)))?);
    Ok(all)
}

fn parts(mut data: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for size in sizes.iter().cycle() {
        if data.is_empty() {
            break;
        }
        let (part, rest) = data.split_at((*size).min(data.len()));
        all.push(part.to_vec());
        data = rest;
    }
    all
}

/// What a mechanism list says of each mechanism.
pub fn listed() -> Vec<(CK_MECHANISM_TYPE, CK_MECHANISM_INFO)> {
    let mut count = 0;
    assert_eq!(ck!(C_GetMechanismList(0, null_mut(), &mut count)), CKR_OK);
    let mut kinds = vec![0; count as usize];
    assert_eq!(ck!(C_GetMechanismList(0, kinds.as_mut_ptr(), &mut count)), CKR_OK);
    let info = |kind| {
        let mut info = CK_MECHANISM_INFO::default();
        assert_eq!(ck!(C_GetMechanismInfo(0, kind, &mut info)), CKR_OK);
        (kind, info)
    };
    kinds.into_iter().map(info).collect()
}

pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub fn wrap(
    s: CK_SESSION_HANDLE,
    mut how: CK_MECHANISM,
    wrapping: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
) -> Answer<Vec<u8>> {
    deliver(|out, len| ck!(C_WrapKey(s, &mut how, wrapping, key, out, len)))
}

pub fn unwrap(
    s: CK_SESSION_HANDLE,
    mut how: CK_MECHANISM,
    unwrapping: CK_OBJECT_HANDLE,
    wrapped: &[u8],
    mut template: Attributes,
) -> Answer<CK_OBJECT_HANDLE> {
    let (mut wrapped, mut raw, mut made) = (wrapped.to_vec(), template.raw(), 0);
    let (start, length) = (wrapped.as_mut_ptr(), wrapped.len() as CK_ULONG);
    let count = raw.len() as CK_ULONG;
    ok(ck!(C_UnwrapKey(s, &mut how, unwrapping, start, length, raw.as_mut_ptr(), count, &mut made)))?;
    Ok(made)
}

pub fn derive(
    s: CK_SESSION_HANDLE,
    mut how: CK_MECHANISM,
    base: CK_OBJECT_HANDLE,
    mut template: Attributes,
) -> Answer<CK_OBJECT_HANDLE> {
    let (mut raw, mut made) = (template.raw(), 0);
    ok(ck!(C_DeriveKey(s, &mut how, base, raw.as_mut_ptr(), raw.len() as CK_ULONG, &mut made)))?;
    Ok(made)
}
