//! Known answers of NIST and the RFCs, through both providers.
#![forbid(unsafe_code)]

mod providers;
mod vectors;

use coloa_engine::{Crypto, Curve, Hash, KeyKind};
use providers::{Test, both};

const HASHES: [(Hash, &str); 3] = [(Hash::Sha256, "sha256"), (Hash::Sha384, "sha384"), (Hash::Sha512, "sha512")];

struct Sha;

impl Test for Sha {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for case in vectors::parse(include_str!("vectors/sha.txt")) {
            let message = case.bytes("message");
            let (head, tail) = message.split_at(message.len() / 3);
            for (hash, field) in HASHES {
                let Some(expected) = case.optional(field) else { continue };
                assert_eq!(crypto.digest(hash, &[message]).as_ref(), expected, "{name} {field}");
                assert_eq!(crypto.digest(hash, &[head, b"", tail]).as_ref(), expected, "{name} {field} in parts");
            }
        }
    }
}

#[test]
fn sha_2() {
    both(&Sha);
}

struct Hmac;

impl Test for Hmac {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for case in vectors::parse(include_str!("vectors/hmac.txt")) {
            let key = crypto.load(KeyKind::Hmac, case.bytes("key")).expect("a key");
            let (head, tail) = case.bytes("message").split_at(3);
            for (hash, field) in HASHES {
                let mac = crypto.mac(&key, hash, &[head, tail]).expect("a MAC");
                assert_eq!(mac.as_ref(), case.bytes(field), "{name} {field}");
            }
        }
    }
}

#[test]
fn hmac() {
    both(&Hmac);
}

struct Gcm;

impl Test for Gcm {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for case in vectors::parse(include_str!("vectors/gcm.txt")) {
            let key = crypto.load(KeyKind::Aes, case.bytes("key")).expect("a key");
            let (iv, aad) = (case.bytes("iv"), case.bytes("aad"));
            let mut text = case.bytes("plain").to_vec();
            crypto.seal(&key, iv, aad, &mut text).expect("sealed");
            assert_eq!(text, case.bytes("sealed"), "{name}");
            crypto.open(&key, iv, aad, &mut text).expect("opened");
            assert_eq!(text, case.bytes("plain"), "{name}");
        }
    }
}

#[test]
fn aes_gcm() {
    both(&Gcm);
}

struct Ecdsa(Curve, &'static str);

impl Test for Ecdsa {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let Ecdsa(curve, file) = *self;
        for case in vectors::parse(file) {
            let (secret, point) = (case.bytes("secret"), case.bytes("point"));
            let (digest, signature) = (case.bytes("digest"), case.bytes("signature"));
            assert_eq!(crypto.public(curve, secret).as_deref(), Ok(point), "{name}");
            assert_eq!(crypto.verify(curve, point, digest, signature), Ok(()), "{name}");
            let key = crypto.load(KeyKind::Ec(curve), secret).expect("a key");
            let ours = crypto.sign(&key, digest).expect("a signature");
            let again = crypto.sign(&key, digest).expect("a signature");
            assert!(ours != signature && ours != again, "{name}: the nonce must be fresh");
            assert_eq!(crypto.verify(curve, point, digest, &ours), Ok(()), "{name}");
        }
    }
}

#[test]
fn ecdsa_p256() {
    both(&Ecdsa(Curve::P256, include_str!("vectors/ecdsa-p256.txt")));
}

#[test]
fn ecdsa_p384() {
    both(&Ecdsa(Curve::P384, include_str!("vectors/ecdsa-p384.txt")));
}
