//! What ciphers take and refuse: IVs, tags, counters and lengths.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::key_type as K;
use coloa_wire::command::*;
use coloa_wire::mechanism::*;
use coloa_wire::{AttributeType as A, ErrorCode, GcmParams, Mechanism, MechanismType as M, ObjectId, Parameter};
use rig::*;

const PARAMETER: Option<ErrorCode> = Some(ErrorCode::MechanismParameter);
const LENGTH: Option<ErrorCode> = Some(ErrorCode::DataLength);
const FAILED: Option<ErrorCode> = Some(ErrorCode::DecryptionFailed);

fn gcm_with(iv: Option<&[u8]>, tag_bits: u32) -> Mechanism {
    let gcm = GcmParams { iv: iv.map(<[u8]>::to_vec), aad: b"aad".to_vec(), tag_bits };
    Mechanism { kind: M::AES_GCM, gcm: Some(gcm), parameter: None }
}

fn ccm_with(nonce: Option<&[u8]>, tag: u32) -> Mechanism {
    let ccm = CcmParams { nonce: nonce.map(<[u8]>::to_vec), aad: b"aad".to_vec(), tag };
    Mechanism::with(M::AES_CCM, Parameter::Ccm(ccm))
}

fn aes(caller: &Caller<'_>) -> ObjectId {
    caller.secret(M::AES_KEY_GEN, 16, &[A::ENCRYPT, A::DECRYPT]).unwrap()
}

/// Encrypts, decrypts, and refuses what was changed: ciphertext, tag, additional data, or the tag cut off.
fn authenticates(caller: &Caller<'_>, key: ObjectId, mechanism: &Mechanism, other_aad: &Mechanism, tag: usize) {
    for length in [0, 1, 16, 33] {
        let text = vec![4; length];
        let sealed = caller.encrypt(key, mechanism, &text).unwrap().1;
        assert_eq!(sealed.len(), length + tag);
        assert_eq!(caller.decrypt(key, mechanism, &sealed).unwrap(), text);
        for at in [0, length, length + tag - 1] {
            let mut forged = sealed.clone();
            forged[at] ^= 0x80;
            assert_eq!(caller.decrypt(key, mechanism, &forged).err(), FAILED, "{mechanism:?} {at}");
        }
        assert_eq!(caller.decrypt(key, other_aad, &sealed).err(), FAILED);
        assert_eq!(caller.decrypt(key, mechanism, &sealed[..length + tag - 1]).err(), FAILED);
    }
    let short = caller.decrypt(key, mechanism, &vec![0; tag - 1]).err();
    assert!(short == FAILED || short == LENGTH, "{mechanism:?} {short:?}");
}

#[test]
fn gcm_takes_every_tag_and_iv_of_the_standard() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    for tag_bits in 0..=160 {
        let key = aes(&caller);
        let mechanism = gcm_with(Some(&[6; 12]), tag_bits);
        if [96, 104, 112, 120, 128].contains(&tag_bits) {
            let mut other = mechanism.clone();
            other.gcm.as_mut().unwrap().aad.push(0);
            authenticates(&caller, key, &mechanism, &other, tag_bits as usize / 8);
        } else {
            assert_eq!(caller.encrypt(key, &mechanism, b"text").err(), PARAMETER, "{tag_bits}");
            assert_eq!(caller.decrypt(key, &mechanism, &[0; 40]).err(), PARAMETER, "{tag_bits}");
        }
        caller.call(&ObjectDestroy { object: key }).unwrap();
    }
    let key = aes(&caller);
    for length in [1, 8, 11, 13, 16, 64, 256] {
        let mechanism = gcm_with(Some(&vec![6; length]), 128);
        let sealed = caller.encrypt(key, &mechanism, b"text").unwrap().1;
        assert_eq!(caller.decrypt(key, &mechanism, &sealed).unwrap(), b"text");
    }
    for length in [0, 257] {
        assert_eq!(caller.encrypt(key, &gcm_with(Some(&vec![6; length]), 128), b"text").err(), PARAMETER);
    }
    assert_eq!(caller.decrypt(key, &gcm_with(None, 128), &[0; 32]).err(), PARAMETER, "decryption needs the IV");
    assert_eq!(caller.encrypt(key, &M::AES_GCM.into(), b"text").err(), PARAMETER);
    let both = Mechanism { parameter: Some(Parameter::Iv(None)), ..gcm_with(None, 128) };
    assert_eq!(caller.encrypt(key, &both, b"text").err(), PARAMETER);
}

#[test]
fn ccm_takes_every_tag_and_nonce_of_the_standard() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    for tag in 0..=20 {
        let key = aes(&caller);
        let mechanism = ccm_with(Some(&[6; 13]), tag);
        if [4, 6, 8, 10, 12, 14, 16].contains(&tag) {
            let other = Parameter::Ccm(CcmParams { nonce: Some(vec![6; 13]), aad: vec![], tag });
            authenticates(&caller, key, &mechanism, &Mechanism::with(M::AES_CCM, other), tag as usize);
        } else {
            assert_eq!(caller.encrypt(key, &mechanism, b"text").err(), PARAMETER, "{tag}");
        }
    }
    let key = aes(&caller);
    for length in 0..16 {
        let mechanism = ccm_with(Some(&vec![6; length]), 8);
        let sealed = caller.encrypt(key, &mechanism, b"text");
        match sealed {
            Ok((None, sealed)) => assert_eq!(caller.decrypt(key, &mechanism, &sealed).unwrap(), b"text"),
            other => assert_eq!(other.err(), PARAMETER, "{length}"),
        }
        assert_eq!((7..=13).contains(&length), caller.encrypt(key, &mechanism, b"text").is_ok(), "{length}");
    }
    // With a nonce of 13 bytes two count the message (SP 800-38C A.1).
    let long = ccm_with(Some(&[6; 13]), 8);
    assert_eq!(caller.encrypt(key, &long, &vec![0; 0x1_0000]).err(), LENGTH);
    caller.encrypt(key, &long, &vec![0; 0xffff]).unwrap();
    let limit = (0..100).find_map(|_| caller.encrypt(key, &ccm_with(None, 16), b"text").err());
    assert_eq!(limit, Some(ErrorCode::KeyLimitReached), "random nonces are counted (R12)");
}

#[test]
fn block_modes_take_whole_blocks() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let key = aes(&caller);
    let iv = Some(vec![1; 16]);
    let cbc = Mechanism::with(M::AES_CBC, Parameter::Iv(iv.clone()));
    for mechanism in [M::AES_ECB.into(), cbc.clone()] {
        for length in [0, 16, 32, 4096] {
            let sealed = caller.encrypt(key, &mechanism, &vec![2; length]).unwrap().1;
            assert_eq!(sealed.len(), length);
            assert_eq!(caller.decrypt(key, &mechanism, &sealed).unwrap(), vec![2; length]);
        }
        for length in [1, 15, 17] {
            assert_eq!(caller.encrypt(key, &mechanism, &vec![2; length]).err(), LENGTH, "{mechanism:?} {length}");
            assert_eq!(caller.decrypt(key, &mechanism, &vec![2; length]).err(), LENGTH, "{mechanism:?} {length}");
        }
    }
    for bad in [Some(vec![1; 15]), Some(vec![1; 17]), Some(vec![])] {
        let mechanism = Mechanism::with(M::AES_CBC, Parameter::Iv(bad));
        assert_eq!(caller.encrypt(key, &mechanism, &[2; 16]).err(), PARAMETER);
    }
    assert_eq!(caller.encrypt(key, &M::AES_CBC.into(), &[2; 16]).err(), PARAMETER);
    let ecb = Mechanism::with(M::AES_ECB, Parameter::Iv(iv));
    assert_eq!(caller.encrypt(key, &ecb, &[2; 16]).err(), PARAMETER);
    assert_eq!(caller.decrypt(key, &Mechanism::with(M::AES_CBC, Parameter::Iv(None)), &[2; 16]).err(), PARAMETER);
}

/// Whatever is wrong with padded ciphertext is one error: there is no padding oracle that tells more than that.
#[test]
fn cbc_pad_pads_and_tells_nothing_else() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let key = aes(&caller);
    let mechanism = Mechanism::with(M::AES_CBC_PAD, Parameter::Iv(Some(vec![1; 16])));
    for length in [0, 1, 15, 16, 17, 100] {
        let sealed = caller.encrypt(key, &mechanism, &vec![2; length]).unwrap().1;
        assert_eq!(sealed.len(), (length / 16 + 1) * 16);
        assert_eq!(caller.decrypt(key, &mechanism, &sealed).unwrap(), vec![2; length]);
        assert_eq!(caller.decrypt(key, &mechanism, &sealed[1..]).err(), FAILED);
    }
    assert_eq!(caller.decrypt(key, &mechanism, &[]).err(), FAILED);
    let cbc = Mechanism::with(M::AES_CBC, Parameter::Iv(Some(vec![1; 16])));
    for last in [[0; 16], [17; 16], [255; 16]] {
        let sealed = caller.encrypt(key, &cbc, &last).unwrap().1;
        assert_eq!(caller.decrypt(key, &mechanism, &sealed).err(), FAILED, "{last:?}");
    }
}

#[test]
fn ctr_does_not_run_over() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let key = aes(&caller);
    let ctr =
        |bits, block: &[u8]| Mechanism::with(M::AES_CTR, Parameter::Ctr(CtrParams { bits, block: block.to_vec() }));
    let mut block = [0xff; 16];
    block[15] = 0xfe;
    for bits in [8, 32, 64, 128] {
        let mechanism = ctr(bits, &block);
        for length in [0, 1, 16, 31, 32] {
            let sealed = caller.encrypt(key, &mechanism, &vec![2; length]).unwrap().1;
            assert_eq!(sealed.len(), length);
            assert_eq!(caller.decrypt(key, &mechanism, &sealed).unwrap(), vec![2; length]);
        }
        assert_eq!(caller.encrypt(key, &mechanism, &[2; 33]).err(), LENGTH, "{bits}");
        assert_eq!(caller.decrypt(key, &mechanism, &[2; 33]).err(), LENGTH, "{bits}");
    }
    caller.encrypt(key, &ctr(9, &[0; 16]), &[2; 8192]).unwrap();
    for (bits, length) in [(0, 16), (129, 16), (u32::MAX, 16), (32, 15), (32, 17), (32, 0)] {
        assert_eq!(caller.encrypt(key, &ctr(bits, &vec![0; length]), &[2; 16]).err(), PARAMETER, "{bits} {length}");
    }
}

#[test]
fn xts_takes_a_block_and_more() {
    let engine = start(&RamStore::new()).unwrap();
    let strict = user(&engine, token(&engine, PartitionMode::Strict));
    let xts = |tweak: Option<&[u8]>| Mechanism::with(M::AES_XTS, Parameter::Iv(tweak.map(<[u8]>::to_vec)));
    for length in [32, 64] {
        let key = strict.secret(M::AES_XTS_KEY_GEN, length, &[A::ENCRYPT, A::DECRYPT]).unwrap();
        let (first, second) = (xts(Some(&[0; 16])), xts(Some(&[1; 16])));
        for length in [16, 17, 31, 32, 512, 4099] {
            let sealed = strict.encrypt(key, &first, &vec![3; length]).unwrap().1;
            assert_eq!(sealed.len(), length);
            assert_eq!(strict.decrypt(key, &first, &sealed).unwrap(), vec![3; length]);
            assert_ne!(strict.decrypt(key, &second, &sealed).unwrap(), vec![3; length]);
        }
        assert_eq!(strict.encrypt(key, &first, &[3; 15]).err(), LENGTH);
        assert_eq!(strict.encrypt(key, &first, &[]).err(), LENGTH);
        assert_eq!(strict.encrypt(key, &xts(None), &[3; 16]).err(), PARAMETER);
        assert_eq!(strict.encrypt(key, &xts(Some(&[0; 8])), &[3; 16]).err(), PARAMETER);
    }
    // FIPS 140-3 IG C.I: the halves differ.
    let twin = secret_template(K::AES_XTS, &[5; 64]).with(A::ENCRYPT, true);
    assert_eq!(strict.import(twin).err(), Some(ErrorCode::KeySize));
}

#[test]
fn rsa_encrypts_what_fits() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let pair = caller.pair(K::RSA, (A::ENCRYPT, A::DECRYPT)).unwrap();
    let oaep = |hash, mgf, label: &[u8]| {
        Mechanism::with(M::RSA_PKCS_OAEP, Parameter::Oaep(OaepParams { hash, mgf, label: label.to_vec() }))
    };
    let cases = [
        (M::RSA_PKCS.into(), 384 - 11),
        (oaep(M::SHA_1, M::SHA_1, b""), 384 - 42),
        (oaep(M::SHA256, M::SHA256, b"label"), 384 - 66),
        (oaep(M::SHA3_512, M::SHA384, b""), 384 - 130),
    ];
    for (mechanism, most) in &cases {
        for length in [0, 1, *most] {
            let sealed = caller.encrypt(pair.public, mechanism, &vec![7; length]).unwrap().1;
            assert_eq!(sealed.len(), 384);
            assert_eq!(caller.decrypt(pair.private, mechanism, &sealed).unwrap(), vec![7; length]);
        }
        assert_eq!(caller.encrypt(pair.public, mechanism, &vec![7; most + 1]).err(), LENGTH);
        assert_eq!(caller.decrypt(pair.private, mechanism, &[7; 383]).err(), LENGTH);
        let wrong_half = caller.encrypt(pair.private, mechanism, b"text").err();
        assert_eq!(wrong_half, Some(ErrorCode::KeyTypeInconsistent));
    }
    let sealed = caller.encrypt(pair.public, &cases[2].0, b"text").unwrap().1;
    for other in [oaep(M::SHA256, M::SHA256, b""), oaep(M::SHA256, M::SHA_1, b"label"), cases[1].0.clone()] {
        assert_eq!(caller.decrypt(pair.private, &other, &sealed).err(), FAILED);
    }
    // R25: PKCS#1 v1.5 does not say that the padding is wrong.
    let made_up = caller.decrypt(pair.private, &M::RSA_PKCS.into(), &sealed).unwrap();
    assert_eq!(made_up, caller.decrypt(pair.private, &M::RSA_PKCS.into(), &sealed).unwrap());
    assert_ne!(made_up, b"text");
    for bad in [oaep(M::SHA256_HMAC, M::SHA256, b""), oaep(M::SHA256, M::RSA_PKCS, b""), M::RSA_PKCS_OAEP.into()] {
        assert_eq!(caller.encrypt(pair.public, &bad, b"text").err(), PARAMETER);
    }
}

/// ARCHITECTURE decision 8: what strict takes away is answered so that a person knows why.
#[test]
fn a_strict_partition_forbids_what_does_not_authenticate() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let key = aes(&caller);
    let forbidden = Some(ErrorCode::MechanismForbidden);
    for kind in [M::AES_ECB, M::AES_CBC, M::AES_CBC_PAD, M::AES_CTR, M::RSA_PKCS] {
        assert_eq!(caller.encrypt(key, &kind.into(), &[0; 16]).err(), forbidden, "{kind:x?}");
        assert_eq!(caller.decrypt(key, &kind.into(), &[0; 16]).err(), forbidden, "{kind:x?}");
    }
    for chosen in [gcm_with(Some(&[0; 12]), 128), ccm_with(Some(&[0; 12]), 16)] {
        assert_eq!(caller.encrypt(key, &chosen, b"text").err(), PARAMETER);
    }
}
