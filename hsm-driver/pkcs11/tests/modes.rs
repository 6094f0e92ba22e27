//! Every mode of encryption: judged by OpenSSL or by published vectors, at once and in parts of any size.

#[macro_use]
mod rig;

use cryptoki_sys::*;
use rig::c::*;
use rig::{Rig, run};

const KEY: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
const IV: &str = "000102030405060708090a0b0c0d0e0f";
/// Sizes of parts, in turn: within a block, whole blocks, more than a command takes.
const SIZES: [&[usize]; 4] = [&[1, 15, 16, 17, 40], &[16], &[7], &[1_200_000, 5]];
const BOTH: &[CK_ATTRIBUTE_TYPE] = &[CKA_ENCRYPT, CKA_DECRYPT];

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
}

/// What OpenSSL makes of it.
fn openssl(rig: &Rig, mode: &str, pad: bool, data: &[u8]) -> Vec<u8> {
    let directory = rig.directory.path();
    std::fs::write(directory.join("plain"), data).unwrap();
    let cipher = format!("-aes-256-{mode}");
    let mut arguments = vec!["enc", &cipher, "-K", KEY, "-in", "plain", "-out", "sealed"];
    if mode != "ecb" {
        arguments.extend(["-iv", IV]);
    }
    if !pad {
        arguments.push("-nopad");
    }
    run("openssl", &arguments, directory);
    std::fs::read(directory.join("sealed")).unwrap()
}

/// One mode with OpenSSL's name and whether it pads.
fn is_openssls(rig: &Rig, s: CK_SESSION_HANDLE, how: CK_MECHANISM, (mode, pad): (&str, bool), lengths: &[usize]) {
    let key = import(s, CKK_AES, &hex(KEY), BOTH);
    for length in lengths {
        let data = sample(*length);
        let theirs = openssl(rig, mode, pad, &data);
        assert_eq!(encrypt(s, how, key, &data).unwrap(), theirs, "{mode} {length}");
        assert_eq!(decrypt(s, how, key, &theirs).unwrap(), data, "{mode} {length}");
        for sizes in SIZES {
            if *length > 100_000 && sizes[0] < 1000 {
                continue;
            }
            assert_eq!(encrypt_parts(s, how, key, &data, sizes).unwrap(), theirs, "{mode} {length} {sizes:?}");
            assert_eq!(decrypt_parts(s, how, key, &theirs, sizes).unwrap(), data, "{mode} {length} {sizes:?}");
        }
    }
}

#[test]
fn block_modes_are_openssls_at_once_and_in_parts() {
    let rig = Rig::new("compatible");
    let s = set_up();
    let mut iv: [u8; 16] = hex(IV).try_into().unwrap();
    let mut ctr = CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: iv };
    let whole = [16, 32, 160, 2_500_000 / 16 * 16];
    is_openssls(&rig, s, mechanism(CKM_AES_ECB), ("ecb", false), &whole);
    is_openssls(&rig, s, with(CKM_AES_CBC, &mut iv), ("cbc", false), &whole);
    let any = [0, 1, 15, 16, 17, 31, 32, 33, 160, 2_500_001, 1_056_768 - 512];
    is_openssls(&rig, s, with(CKM_AES_CBC_PAD, &mut iv), ("cbc", true), &any);
    is_openssls(&rig, s, with(CKM_AES_CTR, &mut ctr), ("ctr", false), &any[1..]);
    finalize();
}

#[test]
fn a_key_for_the_padded_mode_only_has_all_at_once() {
    let rig = Rig::new("compatible");
    let s = set_up();
    let mut iv: [u8; 16] = hex(IV).try_into().unwrap();
    let template = Attributes::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).yes(BOTH);
    let key = create(s, template.bytes(CKA_VALUE, &hex(KEY)).number(CKA_ALLOWED_MECHANISMS, CKM_AES_CBC_PAD)).unwrap();
    let how = with(CKM_AES_CBC_PAD, &mut iv);
    for length in [1, 16, 100, 1000] {
        let data = sample(length);
        let theirs = openssl(&rig, "cbc", true, &data);
        assert_eq!(encrypt_parts(s, how, key, &data, &[7]).unwrap(), theirs);
        assert_eq!(decrypt_parts(s, how, key, &theirs, &[9]).unwrap(), data);
        assert_eq!(decrypt(s, how, key, &theirs).unwrap(), data);
    }
    finalize();
}

#[test]
fn lengths_that_are_no_blocks_end_the_operation() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let mut iv = [0_u8; 16];
    let key = import(s, CKK_AES, &hex(KEY), BOTH);
    for how in [mechanism(CKM_AES_ECB), with(CKM_AES_CBC, &mut iv)] {
        assert_eq!(encrypt(s, how, key, &[1; 15]), Err(CKR_DATA_LEN_RANGE));
        assert_eq!(decrypt(s, how, key, &[1; 17]), Err(CKR_ENCRYPTED_DATA_LEN_RANGE));
        assert_eq!(encrypt_parts(s, how, key, &[1; 33], &[10]), Err(CKR_DATA_LEN_RANGE));
    }
    let how = with(CKM_AES_CBC_PAD, &mut iv);
    assert_eq!(decrypt(s, how, key, &[]), Err(CKR_ENCRYPTED_DATA_LEN_RANGE));
    assert_eq!(decrypt_parts(s, how, key, &[1; 20], &[20]), Err(CKR_ENCRYPTED_DATA_LEN_RANGE));
    assert_eq!(decrypt(s, how, key, &[1; 32]), Err(CKR_ENCRYPTED_DATA_INVALID));
    finalize();
}

#[test]
fn a_plaintext_that_is_shorter_than_announced_fits_its_buffer() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let mut iv = [3_u8; 16];
    let key = import(s, CKK_AES, &hex(KEY), BOTH);
    let mut how = with(CKM_AES_CBC_PAD, &mut iv);
    let mut sealed = encrypt(s, how, key, b"ngan").unwrap();
    let (mut out, mut length) = ([0_u8; 4], 3);
    assert_eq!(ck!(C_DecryptInit(s, &mut how, key)), CKR_OK);
    assert_eq!(ck!(C_Decrypt(s, sealed.as_mut_ptr(), 16, out.as_mut_ptr(), &mut length)), CKR_BUFFER_TOO_SMALL);
    assert_eq!(length, 4);
    assert_eq!(ck!(C_Decrypt(s, sealed.as_mut_ptr(), 16, out.as_mut_ptr(), &mut length)), CKR_OK);
    assert_eq!((&out, length), (b"ngan", 4));
    finalize();
}

#[test]
fn a_counter_does_not_run_over_however_the_data_comes() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let mut cb = [0_u8; 16];
    cb[15] = 0xfe;
    let mut ctr = CK_AES_CTR_PARAMS { ulCounterBits: 8, cb };
    let (how, key) = (with(CKM_AES_CTR, &mut ctr), import(s, CKK_AES, &hex(KEY), BOTH));
    let two = encrypt(s, how, key, &[0; 32]).unwrap();
    assert_eq!(encrypt_parts(s, how, key, &[0; 32], &[5]).unwrap(), two);
    assert_eq!(encrypt(s, how, key, &[0; 33]), Err(CKR_DATA_LEN_RANGE));
    assert_eq!(encrypt_parts(s, how, key, &[0; 33], &[16]), Err(CKR_DATA_LEN_RANGE));
    finalize();
}

#[test]
fn input_and_output_may_be_one_buffer_in_parts_too() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let mut iv = [9_u8; 16];
    let key = import(s, CKK_AES, &hex(KEY), BOTH);
    let mut how = with(CKM_AES_CBC_PAD, &mut iv);
    let plain = sample(100);
    let expected = encrypt(s, how, key, &plain).unwrap();
    let mut sealed = Vec::new();
    assert_eq!(ck!(C_EncryptInit(s, &mut how, key)), CKR_OK);
    for part in plain.chunks(23) {
        let (mut buffer, mut length) = ([0_u8; 64], 64);
        buffer[..part.len()].copy_from_slice(part);
        let start = buffer.as_mut_ptr();
        assert_eq!(ck!(C_EncryptUpdate(s, start, part.len() as CK_ULONG, start, &mut length)), CKR_OK);
        sealed.extend_from_slice(&buffer[..length as usize]);
    }
    let (mut buffer, mut length) = ([0_u8; 16], 16);
    assert_eq!(ck!(C_EncryptFinal(s, buffer.as_mut_ptr(), &mut length)), CKR_OK);
    sealed.extend_from_slice(&buffer[..length as usize]);
    assert_eq!(sealed, expected);
    finalize();
}

#[test]
fn xts_and_ccm_are_the_standards() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    // IEEE 1619 B, vector 4 (its first block), and one made of two halves.
    let key = hex("27182818284590452353602874713526 31415926535897932384626433832795");
    let key = import(s, CKK_AES_XTS, &key, BOTH);
    let mut tweak = [0_u8; 16];
    let plain: Vec<u8> = (0..=255_u8).cycle().take(512).collect();
    let sealed = encrypt(s, with(CKM_AES_XTS, &mut tweak), key, &plain).unwrap();
    assert_eq!(sealed[..16], hex("27a7479befa1d476489f308cd4cfa6e2")[..]);
    assert_eq!(encrypt_parts(s, with(CKM_AES_XTS, &mut tweak), key, &plain, &[100]).unwrap(), sealed);
    assert_eq!(decrypt_parts(s, with(CKM_AES_XTS, &mut tweak), key, &sealed, &[99]).unwrap(), plain);
    // SP 800-38C, example 1.
    let key = import(s, CKK_AES, &hex("404142434445464748494a4b4c4d4e4f"), BOTH);
    let (mut nonce, mut aad) = (hex("10111213141516"), hex("0001020304050607"));
    let mut params = CK_CCM_PARAMS {
        ulDataLen: 4,
        pNonce: nonce.as_mut_ptr(),
        ulNonceLen: 7,
        pAAD: aad.as_mut_ptr(),
        ulAADLen: 8,
        ulMACLen: 4,
    };
    let sealed = encrypt(s, with(CKM_AES_CCM, &mut params), key, &hex("20212223")).unwrap();
    assert_eq!(sealed, hex("7162015b4dac255d"));
    assert_eq!(encrypt_parts(s, with(CKM_AES_CCM, &mut params), key, &hex("20212223"), &[3]).unwrap(), sealed);
    assert_eq!(decrypt(s, with(CKM_AES_CCM, &mut params), key, &sealed).unwrap(), hex("20212223"));
    assert_eq!(encrypt(s, with(CKM_AES_CCM, &mut params), key, &[1; 5]), Err(CKR_DATA_LEN_RANGE));
    assert_eq!(decrypt(s, with(CKM_AES_CCM, &mut params), key, &[1; 8]), Err(CKR_ENCRYPTED_DATA_INVALID));
    finalize();
}

#[test]
fn old_clients_gcm_parameters_are_known_by_their_length() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let key = import(s, CKK_AES, &[0; 32], BOTH);
    let mut iv = [0_u8; 12];
    // pIv, ulIvLen, pAAD, ulAADLen, ulTagBits: the layout of 2.40.
    let mut old = [iv.as_mut_ptr() as CK_ULONG, 12, 0, 0, 128];
    let sealed = encrypt(s, with(CKM_AES_GCM, &mut old), key, &[0; 16]).unwrap();
    // NIST GCM test case 14.
    assert_eq!(sealed, hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"));
    let mut new = CK_GCM_PARAMS { pIv: iv.as_mut_ptr(), ulIvLen: 12, ulTagBits: 128, ..Default::default() };
    assert_eq!(decrypt(s, with(CKM_AES_GCM, &mut new), key, &sealed).unwrap(), [0; 16]);
    finalize();
}

#[test]
fn rsa_encrypts_one_block() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let public = Attributes::new().number(CKA_MODULUS_BITS, 2048).yes(&[CKA_ENCRYPT]);
    let private = Attributes::new().yes(&[CKA_DECRYPT]);
    let (public, private) = generate_pair(s, CKM_RSA_PKCS_KEY_PAIR_GEN, public, private).unwrap();
    let mut label = *b"nhan";
    let mut oaep = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA256,
        mgf: CKG_MGF1_SHA256,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: label.as_mut_ptr().cast(),
        ulSourceDataLen: 4,
    };
    let mut other = CK_RSA_PKCS_OAEP_PARAMS { ulSourceDataLen: 3, ..oaep };
    for how in [mechanism(CKM_RSA_PKCS), with(CKM_RSA_PKCS_OAEP, &mut oaep)] {
        let sealed = encrypt(s, how, public, b"khoa phien").unwrap();
        assert_eq!(sealed.len(), 256);
        assert_eq!(decrypt(s, how, private, &sealed).unwrap(), b"khoa phien");
        assert_eq!(decrypt(s, how, private, &sealed[1..]), Err(CKR_ENCRYPTED_DATA_LEN_RANGE));
        assert_eq!(encrypt(s, how, public, &[7; 250]), Err(CKR_DATA_LEN_RANGE));
        assert_eq!(encrypt_parts(s, how, public, b"x", &[1]), Err(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(ck!(C_SessionCancel(s, CKF_ENCRYPT)), CKR_OK);
        assert_eq!(encrypt(s, how, private, b"x"), Err(CKR_KEY_TYPE_INCONSISTENT));
    }
    let sealed = encrypt(s, with(CKM_RSA_PKCS_OAEP, &mut oaep), public, b"x").unwrap();
    let wrong = decrypt(s, with(CKM_RSA_PKCS_OAEP, &mut other), private, &sealed);
    assert_eq!(wrong, Err(CKR_ENCRYPTED_DATA_INVALID));
    finalize();
}

#[test]
fn two_operations_at_once_give_what_each_gives_alone() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let (mut iv, data) = ([4_u8; 16], sample(1000));
    let key = import(s, CKK_AES, &hex(KEY), BOTH);
    let mac = import(s, CKK_GENERIC_SECRET, &[7; 32], &[CKA_SIGN, CKA_VERIFY]);
    let mut cbc = with(CKM_AES_CBC_PAD, &mut iv);
    let (mut sha, mut hmac) = (mechanism(CKM_SHA3_256), mechanism(CKM_SHA256_HMAC));
    let sealed = encrypt(s, cbc, key, &data).unwrap();
    let expected_mac = sign(s, hmac, mac, &data).unwrap();
    let digest = |s| deliver(|out, len| ck!(C_DigestFinal(s, out, len))).unwrap();
    assert_eq!(ck!(C_DigestInit(s, &mut sha)), CKR_OK);
    let mut copy = data.clone();
    let expected = deliver(|out, len| ck!(C_Digest(s, copy.as_mut_ptr(), 1000, out, len))).unwrap();

    let run = |parts: &[u8], both: &dyn Fn(*mut u8, CK_ULONG, *mut u8, *mut CK_ULONG) -> CK_RV| {
        let mut all = Vec::new();
        for part in parts.chunks(77) {
            let mut part = part.to_vec();
            let (start, length) = (part.as_mut_ptr(), part.len() as CK_ULONG);
            all.extend(deliver(|out, len| both(start, length, out, len)).unwrap());
        }
        all
    };
    assert_eq!(ck!(C_DigestInit(s, &mut sha)), CKR_OK);
    assert_eq!(ck!(C_EncryptInit(s, &mut cbc, key)), CKR_OK);
    let mut made = run(&data, &|part, n, out, len| ck!(C_DigestEncryptUpdate(s, part, n, out, len)));
    made.extend(deliver(|out, len| ck!(C_EncryptFinal(s, out, len))).unwrap());
    assert_eq!((made, digest(s)), (sealed.clone(), expected.clone()));

    assert_eq!(ck!(C_DigestInit(s, &mut sha)), CKR_OK);
    assert_eq!(ck!(C_DecryptInit(s, &mut cbc, key)), CKR_OK);
    let mut made = run(&sealed, &|part, n, out, len| ck!(C_DecryptDigestUpdate(s, part, n, out, len)));
    let mut last = deliver(|out, len| ck!(C_DecryptFinal(s, out, len))).unwrap();
    // What the final call gives is no update: the caller hashes it.
    assert_eq!(ck!(C_DigestUpdate(s, last.as_mut_ptr(), last.len() as CK_ULONG)), CKR_OK);
    made.extend(last);
    assert_eq!((made, digest(s)), (data.clone(), expected));

    assert_eq!(ck!(C_SignInit(s, &mut hmac, mac)), CKR_OK);
    assert_eq!(ck!(C_EncryptInit(s, &mut cbc, key)), CKR_OK);
    let mut made = run(&data, &|part, n, out, len| ck!(C_SignEncryptUpdate(s, part, n, out, len)));
    made.extend(deliver(|out, len| ck!(C_EncryptFinal(s, out, len))).unwrap());
    assert_eq!(made, sealed);
    assert_eq!(deliver(|out, len| ck!(C_SignFinal(s, out, len))).unwrap(), expected_mac);

    assert_eq!(ck!(C_VerifyInit(s, &mut hmac, mac)), CKR_OK);
    assert_eq!(ck!(C_DecryptInit(s, &mut cbc, key)), CKR_OK);
    run(&sealed, &|part, n, out, len| ck!(C_DecryptVerifyUpdate(s, part, n, out, len)));
    let mut last = deliver(|out, len| ck!(C_DecryptFinal(s, out, len))).unwrap();
    assert_eq!(ck!(C_VerifyUpdate(s, last.as_mut_ptr(), last.len() as CK_ULONG)), CKR_OK);
    let mut signature = expected_mac;
    assert_eq!(ck!(C_VerifyFinal(s, signature.as_mut_ptr(), 32)), CKR_OK);
    finalize();
}
