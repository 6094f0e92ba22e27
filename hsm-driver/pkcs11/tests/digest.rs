//! Hashes, judged by OpenSSL.

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::c::*;
use rig::{Rig, run};

#[test]
fn every_hash_is_openssls_at_once_and_in_parts() {
    let rig = Rig::new("strict");
    let s = set_up();
    let directory = rig.directory.path();
    let mut data: Vec<u8> = (0..5000_u32).map(|n| n as u8).collect();
    std::fs::write(directory.join("data"), &data).unwrap();
    let hashes = [
        (CKM_SHA224, "sha224"),
        (CKM_SHA256, "sha256"),
        (CKM_SHA384, "sha384"),
        (CKM_SHA512, "sha512"),
        (CKM_SHA3_224, "sha3-224"),
        (CKM_SHA3_256, "sha3-256"),
        (CKM_SHA3_384, "sha3-384"),
        (CKM_SHA3_512, "sha3-512"),
    ];
    let digesting = listed().iter().filter(|(_, info)| info.flags & CKF_DIGEST != 0).count();
    assert_eq!(digesting, hashes.len(), "each one listed is tried");
    for (kind, name) in hashes {
        let theirs = run("openssl", &["dgst", "-r", &format!("-{name}"), "data"], directory);
        let theirs = hex(theirs.split(' ').next().unwrap());
        let mut how = mechanism(kind);
        assert_eq!(ck!(C_DigestInit(s, &mut how)), CKR_OK, "{name}");
        let whole = deliver(|out, len| ck!(C_Digest(s, data.as_mut_ptr(), 5000, out, len))).unwrap();
        assert_eq!(whole, theirs, "{name}");
        assert_eq!(ck!(C_DigestInit(s, &mut how)), CKR_OK, "{name}");
        for part in data.chunks_mut(777) {
            assert_eq!(ck!(C_DigestUpdate(s, part.as_mut_ptr(), part.len() as CK_ULONG)), CKR_OK);
        }
        let mut length = 0;
        assert_eq!(ck!(C_Digest(s, data.as_mut_ptr(), 1, std::ptr::null_mut(), &mut length)), CKR_OPERATION_ACTIVE);
        assert_eq!(deliver(|out, len| ck!(C_DigestFinal(s, out, len))).unwrap(), theirs, "{name}");
    }
    finalize();
}

#[test]
fn a_key_is_not_hashed() {
    let _rig = Rig::new("strict");
    let s = set_up();
    let template = Attributes::new().number(CKA_VALUE_LEN, 32).yes(&[CKA_SIGN]);
    let key = generate(s, mechanism(CKM_GENERIC_SECRET_KEY_GEN), template).unwrap();
    let mut how = mechanism(CKM_SHA256);
    assert_eq!(ck!(C_DigestKey(s, key)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_DigestInit(s, &mut how)), CKR_OK);
    assert_eq!(ck!(C_DigestKey(s, 9999)), CKR_KEY_HANDLE_INVALID);
    assert_eq!(ck!(C_DigestKey(s, key)), CKR_KEY_INDIGESTIBLE);
    finalize();
}
