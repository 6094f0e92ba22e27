//! Keys that ask for the PIN at each use, and attributes that only newer objects have.

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::c::*;
use rig::{P256, PIN, Rig};
use std::ptr::null_mut;

/// The PIN once more, for one use.
fn again(s: CK_SESSION_HANDLE, pin: &str) -> CK_RV {
    let mut pin = pin.as_bytes().to_vec();
    ck!(C_Login(s, CKU_CONTEXT_SPECIFIC, pin.as_mut_ptr(), pin.len() as CK_ULONG))
}

fn ec_pair(s: CK_SESSION_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let public = Attributes::new().bytes(CKA_EC_PARAMS, P256).yes(&[CKA_VERIFY]);
    let private = Attributes::new().yes(&[CKA_SIGN, CKA_PRIVATE, CKA_ALWAYS_AUTHENTICATE]);
    generate_pair(s, CKM_EC_KEY_PAIR_GEN, public, private).unwrap()
}

#[test]
fn each_signature_asks_for_the_pin() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (public, private) = ec_pair(s);
    let mut how = mechanism(CKM_ECDSA_SHA256);
    let mut data = *b"lenh chuyen tien";
    let start = data.as_mut_ptr();
    let signed = || deliver(|out, len| ck!(C_Sign(s, start, 16, out, len)));
    assert_eq!(again(s, PIN), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_SignInit(s, &mut how, private)), CKR_OK);
    assert_eq!(signed(), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(signed(), Err(CKR_OPERATION_NOT_INITIALIZED));
    for _ in 0..2 {
        assert_eq!(ck!(C_SignInit(s, &mut how, private)), CKR_OK);
        // A wrong PIN leaves the operation as it was.
        assert_eq!(again(s, "999999"), CKR_PIN_INCORRECT);
        assert_eq!(again(s, PIN), CKR_OK);
        assert_eq!(again(s, PIN), CKR_OPERATION_NOT_INITIALIZED, "nothing waits for a login any more");
        let signature = signed().unwrap();
        assert_eq!(verify(s, how, public, &data, &signature), CKR_OK);
    }
    // In parts, the login comes anywhere before the end.
    assert_eq!(ck!(C_SignInit(s, &mut how, private)), CKR_OK);
    assert_eq!(ck!(C_SignUpdate(s, start, 10)), CKR_OK);
    assert_eq!(again(s, PIN), CKR_OK);
    assert_eq!(ck!(C_SignUpdate(s, data[10..].as_mut_ptr(), 6)), CKR_OK);
    let signature = deliver(|out, len| ck!(C_SignFinal(s, out, len))).unwrap();
    assert_eq!(verify(s, how, public, &data, &signature), CKR_OK);
    finalize();
}

#[test]
fn each_message_asks_for_the_pin() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let (_, private) = ec_pair(s);
    let (mut how, none, mut data) = (mechanism(CKM_ECDSA_SHA256), null_mut(), [7_u8; 16]);
    let start = data.as_mut_ptr();
    let signed = || deliver(|out, len| ck!(C_SignMessage(s, none, 0, start, 16, out, len)));
    assert_eq!(ck!(C_MessageSignInit(s, &mut how, private)), CKR_OK);
    assert_eq!(signed(), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(again(s, PIN), CKR_OK);
    assert_eq!(signed().map(|signature| signature.len()), Ok(64));
    assert_eq!(signed(), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(ck!(C_SignMessageBegin(s, none, 0)), CKR_OK);
    assert_eq!(again(s, PIN), CKR_OK);
    let parts = deliver(|out, len| ck!(C_SignMessageNext(s, none, 0, start, 16, out, len)));
    assert_eq!(parts.map(|signature| signature.len()), Ok(64));
    assert_eq!(ck!(C_MessageSignFinal(s)), CKR_OK);
    finalize();
}

#[test]
fn a_plaintext_that_did_not_fit_needs_no_second_pin() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let public = Attributes::new().number(CKA_MODULUS_BITS, 2048).yes(&[CKA_ENCRYPT]);
    let private = Attributes::new().yes(&[CKA_DECRYPT, CKA_PRIVATE, CKA_ALWAYS_AUTHENTICATE]);
    let (public, private) = generate_pair(s, CKM_RSA_PKCS_KEY_PAIR_GEN, public, private).unwrap();
    let mut how = mechanism(CKM_RSA_PKCS);
    let mut sealed = encrypt(s, how, public, b"khoa phien").unwrap();
    assert_eq!(decrypt(s, how, private, &sealed), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(ck!(C_DecryptInit(s, &mut how, private)), CKR_OK);
    assert_eq!(again(s, PIN), CKR_OK);
    let (mut out, mut length) = ([0_u8; 10], 9);
    let (start, to) = (sealed.as_mut_ptr(), out.as_mut_ptr());
    assert_eq!((ck!(C_Decrypt(s, start, 256, to, &mut length)), length), (CKR_BUFFER_TOO_SMALL, 10));
    assert_eq!((ck!(C_Decrypt(s, start, 256, to, &mut length)), length), (CKR_OK, 10));
    assert_eq!(&out, b"khoa phien");
    finalize();
}

#[test]
fn check_values_profiles_and_trust_come_out_as_c_has_them() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let key = import(s, CKK_AES, &[0; 16], &[CKA_ENCRYPT]);
    // AES-128 of a block of zeros under a key of zeros: 66e94bd4…
    assert_eq!(value(s, key, CKA_CHECK_VALUE).unwrap(), hex("66e94b"));
    let mut class = [CKO_PROFILE];
    let mut template = [attribute(CKA_CLASS, &mut class)];
    assert_eq!(ck!(C_FindObjectsInit(s, template.as_mut_ptr(), 1)), CKR_OK);
    let (mut found, mut count) = ([0; 8], 0);
    assert_eq!(ck!(C_FindObjects(s, found.as_mut_ptr(), 8, &mut count)), CKR_OK);
    assert_eq!(ck!(C_FindObjectsFinal(s)), CKR_OK);
    assert!(count > 0, "a token says which profiles it serves");
    for profile in &found[..count as usize] {
        assert_eq!(value(s, *profile, CKA_PROFILE_ID).unwrap().len(), size_of::<CK_ULONG>());
    }
    let trust = Attributes::new()
        .number(CKA_CLASS, CKO_TRUST)
        .bytes(CKA_ISSUER, b"CN=goc")
        .bytes(CKA_SERIAL_NUMBER, &[2, 1, 7]);
    let trust = create(
        s,
        trust
            .bytes(CKA_HASH_OF_CERTIFICATE, &[7; 32])
            .number(CKA_NAME_HASH_ALGORITHM, CKM_SHA256)
            .number(CKA_TRUST_SERVER_AUTH, 2),
    )
    .unwrap();
    assert_eq!(value(s, trust, CKA_TRUST_SERVER_AUTH).unwrap(), (2 as CK_ULONG).to_ne_bytes());
    assert_eq!(value(s, trust, CKA_TRUST_CODE_SIGNING).unwrap(), (0 as CK_ULONG).to_ne_bytes());
    finalize();
}
