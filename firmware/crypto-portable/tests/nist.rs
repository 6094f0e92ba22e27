//! Known answers of NIST and the RFCs, through both providers.
#![forbid(unsafe_code)]

mod providers;
mod vectors;

use coloa_engine::crypto::{BLOCK, Mode};
use coloa_engine::{Aead, Crypto, Curve, Feature, Hash, KeyKind, PairKind, Scheme};
use providers::{Test, both, with};

const HASHES: [(Hash, &str); 3] = [(Hash::Sha256, "sha256"), (Hash::Sha384, "sha384"), (Hash::Sha512, "sha512")];

struct Sha(&'static [(Hash, &'static str)], &'static str);

impl Test for Sha {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let mut checked = 0;
        for case in vectors::parse(self.1) {
            let message = case.bytes("message");
            let (head, tail) = message.split_at(message.len() / 3);
            for &(hash, field) in self.0 {
                let Some(expected) = case.optional(field) else { continue };
                assert_eq!(crypto.digest(hash, &[message]).as_ref(), expected, "{name} {field}");
                assert_eq!(crypto.digest(hash, &[head, b"", tail]).as_ref(), expected, "{name} {field} in parts");
                checked += 1;
            }
        }
        assert!(checked >= 5, "{name}: only {checked}");
    }
}

#[test]
fn sha_2() {
    both(&Sha(&HASHES, include_str!("vectors/sha.txt")));
}

#[test]
fn sha_1_and_sha_224() {
    let hashes = &[(Hash::Sha1, "sha1"), (Hash::Sha224, "sha224")];
    with(Feature::Sha2Short, &Sha(hashes, include_str!("vectors/sha-1-3.txt")));
}

#[test]
fn sha_3() {
    let hashes = &[
        (Hash::Sha3_224, "sha3_224"),
        (Hash::Sha3_256, "sha3_256"),
        (Hash::Sha3_384, "sha3_384"),
        (Hash::Sha3_512, "sha3_512"),
    ];
    with(Feature::Sha3, &Sha(hashes, include_str!("vectors/sha-1-3.txt")));
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
            crypto.seal(&key, &Aead::gcm(iv, aad), &mut text).expect("sealed");
            assert_eq!(text, case.bytes("sealed"), "{name}");
            crypto.open(&key, &Aead::gcm(iv, aad), &mut text).expect("opened");
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
        let kind = PairKind::Ec(self.0);
        for case in vectors::parse(self.1) {
            let (secret, point) = (case.bytes("secret"), case.bytes("point"));
            let (digest, signature) = (case.bytes("digest"), case.bytes("signature"));
            assert_eq!(crypto.public(kind, secret).as_deref(), Ok(point), "{name}");
            let public = crypto.load_public(kind, point).expect("a public key");
            assert_eq!(crypto.verify(&public, Scheme::Ecdsa, digest, signature), Ok(()), "{name}");
            let key = crypto.load(KeyKind::Pair(kind), secret).expect("a key");
            let ours = crypto.sign(&key, Scheme::Ecdsa, digest).expect("a signature");
            let again = crypto.sign(&key, Scheme::Ecdsa, digest).expect("a signature");
            assert!(ours != signature && ours != again, "{name}: the nonce must be fresh");
            assert_eq!(crypto.verify(&public, Scheme::Ecdsa, digest, &ours), Ok(()), "{name}");
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

#[test]
fn ecdsa_p521() {
    with(Feature::P521, &Ecdsa(Curve::P521, include_str!("vectors/ecdsa-p521.txt")));
}

struct Ed25519;

impl Test for Ed25519 {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for case in vectors::parse(include_str!("vectors/ed25519.txt")) {
            let (secret, message, signature) = (case.bytes("secret"), case.bytes("message"), case.bytes("signature"));
            assert_eq!(crypto.public(PairKind::Ed25519, secret).as_deref(), Ok(case.bytes("public")), "{name}");
            let key = crypto.load(KeyKind::Pair(PairKind::Ed25519), secret).expect("a key");
            assert_eq!(crypto.sign(&key, Scheme::Ed25519, message).as_deref(), Ok(signature), "{name}");
        }
    }
}

#[test]
fn ed25519() {
    with(Feature::Ed25519, &Ed25519);
}

struct Modes;

impl Test for Modes {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for case in vectors::parse(include_str!("vectors/aes-modes.txt")) {
            let key = crypto.load(KeyKind::Aes, case.bytes("key")).expect("a key");
            let counter: [u8; BLOCK] = case.bytes("counter").try_into().expect("a block");
            check(name, crypto, &key, Mode::Ctr(&counter), case.bytes("plain"), case.bytes("ctr"));
            let Some(iv) = case.optional("iv") else { continue };
            let iv = iv.try_into().expect("a block");
            check(name, crypto, &key, Mode::Ecb, case.bytes("plain"), case.bytes("ecb"));
            check(name, crypto, &key, Mode::Cbc(iv), case.bytes("plain"), case.bytes("cbc"));
            // CBC-PAD is CBC with one more block here.
            let mut padded = case.bytes("plain").to_vec();
            crypto.encrypt(&key, Mode::CbcPad(iv), &mut padded).expect("encrypted");
            assert_eq!(padded[..case.bytes("cbc").len()], *case.bytes("cbc"), "{name}");
            check(name, crypto, &key, Mode::CbcPad(iv), case.bytes("plain"), &padded);
        }
    }
}

fn check<C: Crypto>(name: &str, crypto: &C, key: &C::Key, mode: Mode<'_>, plain: &[u8], cipher: &[u8]) {
    let mut text = plain.to_vec();
    assert_eq!(crypto.encrypt(key, mode, &mut text), Ok(()), "{name} {mode:?}");
    assert_eq!(text, cipher, "{name} {mode:?}");
    assert_eq!(crypto.decrypt(key, mode, &mut text), Ok(()), "{name} {mode:?}");
    assert_eq!(text, plain, "{name} {mode:?}");
}

#[test]
fn aes_modes() {
    with(Feature::AesModes, &Modes);
}
