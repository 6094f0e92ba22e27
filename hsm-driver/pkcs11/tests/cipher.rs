//! AES-GCM through the module.

#[macro_use]
mod rig;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use rig::{Token, aes_key};

const PLAIN: &[u8] = b"ho so toa an so 12";

fn encrypt(session: &Session, key: ObjectHandle, iv: &mut [u8], data: &[u8]) -> cryptoki::error::Result<Vec<u8>> {
    session.encrypt(&Mechanism::AesGcm(GcmParams::new(iv, b"aad", 128.into()).unwrap()), key, data)
}

fn decrypt(session: &Session, key: ObjectHandle, iv: &mut [u8], data: &[u8]) -> cryptoki::error::Result<Vec<u8>> {
    session.decrypt(&Mechanism::AesGcm(GcmParams::new(iv, b"aad", 128.into()).unwrap()), key, data)
}

fn refusal<T: std::fmt::Debug>(outcome: cryptoki::error::Result<T>) -> RvError {
    match outcome {
        Err(Error::Pkcs11(rv, _)) => rv,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_engine_makes_the_iv_of_a_strict_partition() {
    let token = Token::new("strict");
    let session = token.user();
    let key = aes_key(&session);
    let (mut first, mut second) = ([0; 12], [0; 12]);
    let sealed = encrypt(&session, key, &mut first, PLAIN).unwrap();
    encrypt(&session, key, &mut second, PLAIN).unwrap();
    assert_ne!(first, [0; 12]);
    assert_ne!(first, second);
    assert_eq!(decrypt(&session, key, &mut first, &sealed).unwrap(), PLAIN);
    assert_eq!(refusal(encrypt(&session, key, &mut [7; 12], PLAIN)), RvError::MechanismParamInvalid);
}

#[test]
fn what_was_changed_is_not_decrypted() {
    let token = Token::new("strict");
    let session = token.user();
    let (key, mut iv) = (aes_key(&session), [0; 12]);
    let mut sealed = encrypt(&session, key, &mut iv, PLAIN).unwrap();
    sealed[3] ^= 1;
    assert_eq!(refusal(decrypt(&session, key, &mut iv, &sealed)), RvError::EncryptedDataInvalid);
    assert_eq!(refusal(decrypt(&session, key, &mut iv, &sealed[..8])), RvError::EncryptedDataLenRange);
    sealed[3] ^= 1;
    assert_eq!(decrypt(&session, key, &mut iv, &sealed).unwrap(), PLAIN);
}

#[test]
fn parts_give_the_same_as_the_whole() {
    let token = Token::new("strict");
    let session = token.user();
    let (key, mut iv) = (aes_key(&session), [0; 12]);
    let data: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, b"aad", 128.into()).unwrap());
    session.encrypt_init(&mechanism, key).unwrap();
    let mut sealed: Vec<u8> = data.chunks(7000).flat_map(|part| session.encrypt_update(part).unwrap()).collect();
    sealed.extend(session.encrypt_final().unwrap());
    assert_eq!(sealed.len(), data.len() + 16);
    assert_eq!(decrypt(&session, key, &mut iv, &sealed).unwrap(), data);
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, b"aad", 128.into()).unwrap());
    session.decrypt_init(&mechanism, key).unwrap();
    let mut opened: Vec<u8> = sealed.chunks(999).flat_map(|part| session.decrypt_update(part).unwrap()).collect();
    opened.extend(session.decrypt_final().unwrap());
    assert_eq!(opened, data);
}

#[test]
fn what_no_frame_takes_is_refused_and_ends_the_operation() {
    let token = Token::new("strict");
    let session = token.user();
    let key = aes_key(&session);
    let large = vec![0; 2 * 1024 * 1024];
    assert_eq!(refusal(encrypt(&session, key, &mut [0; 12], &large)), RvError::DataLenRange);
    encrypt(&session, key, &mut [0; 12], &large[..1024 * 1024]).unwrap();
}

#[test]
fn a_compatible_partition_takes_the_callers_iv() {
    let token = Token::new("compatible");
    let session = token.user();
    // NIST GCM test case 14: an all-zero AES-256 key, IV and block.
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Value(vec![0; 32]),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ];
    let key = session.create_object(&template).unwrap();
    let mut iv = [0; 12];
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, b"", 128.into()).unwrap());
    let sealed = session.encrypt(&mechanism, key, &[0; 16]).unwrap();
    let hex: String = sealed.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    assert_eq!(iv, [0; 12]);
}
