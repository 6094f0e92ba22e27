//! RSA against OpenSSL: hashes that Wycheproof has no file for, implicit rejection, generation.
#![forbid(unsafe_code)]

mod providers;
mod vectors;

use coloa_engine::crypto::Padding;
use coloa_engine::{Crypto, CryptoError, Feature, Hash, KeyKind, PairKind, Scheme};
use providers::{Test, with};

const RSA: KeyKind = KeyKind::Pair(PairKind::Rsa);

fn hash(name: &[u8]) -> Hash {
    match name {
        b"sha1" => Hash::Sha1,
        b"sha512" => Hash::Sha512,
        b"sha3_256" => Hash::Sha3_256,
        b"sha3_384" => Hash::Sha3_384,
        b"sha3_512" => Hash::Sha3_512,
        _ => panic!("a hash"),
    }
}

struct OpenSsl;

impl Test for OpenSsl {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for case in vectors::parse(include_str!("vectors/rsa.txt")) {
            let (secret, message, digest) = (case.bytes("key"), case.bytes("message"), case.bytes("digest"));
            assert_eq!(crypto.public(PairKind::Rsa, secret).as_deref(), Ok(case.bytes("public")), "{name}");
            let public = crypto.load_public(PairKind::Rsa, case.bytes("public")).expect("a public key");
            let key = crypto.load(RSA, secret).expect("a key");
            let (hash, mgf, label) = (hash(case.bytes("hash")), hash(case.bytes("mgf")), case.bytes("label"));

            let pkcs1 = Scheme::Pkcs1(Some(hash));
            assert_eq!(crypto.sign(&key, pkcs1, digest).as_deref(), Ok(case.bytes("pkcs1")), "{name}");
            assert_eq!(crypto.verify(&public, pkcs1, digest, case.bytes("pkcs1")), Ok(()), "{name}");
            let pss = Scheme::Pss { hash, mgf, salt: usize::from(case.bytes("salt")[0]) };
            assert_eq!(crypto.verify(&public, pss, digest, case.bytes("pss")), Ok(()), "{name}");
            let ours = crypto.sign(&key, pss, digest).expect("a signature");
            assert_eq!(crypto.verify(&public, pss, digest, &ours), Ok(()), "{name}");

            for (padding, field) in [(Padding::Oaep { hash, mgf, label }, "oaep"), (Padding::Pkcs1, "encrypted")] {
                let text = crypto.rsa_decrypt(&key, padding, case.bytes(field)).expect("decrypted");
                assert_eq!(*text, message, "{name} {field}");
                let ours = crypto.rsa_encrypt(&public, padding, message).expect("encrypted");
                assert_eq!(*crypto.rsa_decrypt(&key, padding, &ours).expect("decrypted"), message, "{name}");
            }
        }
    }
}

#[test]
fn openssl_and_we_agree() {
    with(Feature::Rsa, &OpenSsl);
}

struct Rejection;

impl Test for Rejection {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut key, mut checked) = (None, 0);
        for case in vectors::parse(include_str!("vectors/rsa-rejection.txt")) {
            if let Some(secret) = case.optional("key") {
                key = Some(crypto.load(RSA, secret).expect("a key"));
            }
            let key = key.as_ref().expect("the first case has a key");
            let answer = crypto.rsa_decrypt(key, Padding::Pkcs1, case.bytes("ciphertext")).expect("an answer");
            assert_eq!(*answer, case.bytes("answer"), "{name} case {checked}");
            checked += 1;
        }
        assert!(checked >= 50, "{name}: only {checked}");
    }
}

/// R25: implicit rejection, octet by octet.
#[test]
fn wrong_padding_is_answered_as_openssl_does() {
    with(Feature::Rsa, &Rejection);
}

struct Without;

impl Test for Without {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let pair = crypto.generate_rsa(2048).expect("a pair");
        let key = crypto.load(RSA, &pair.secret).expect("a key");
        let public = crypto.load_public(PairKind::Rsa, &pair.public).expect("a public key");
        // The DigestInfo of SHA-256 (RFC 8017 §9.2 note 1) in place of a hash.
        let digest = crypto.digest(Hash::Sha256, &[b"text"]);
        let prefix = hex_literal::hex!("3031300d060960864801650304020105000420");
        let info = [&prefix, digest.as_ref()].concat();
        let signature = crypto.sign(&key, Scheme::Pkcs1(None), &info).expect("a signature");
        let hashed = crypto.sign(&key, Scheme::Pkcs1(Some(Hash::Sha256)), digest.as_ref()).expect("a signature");
        assert_eq!(signature, hashed, "{name}");
        assert_eq!(crypto.verify(&public, Scheme::Pkcs1(None), &info, &signature), Ok(()), "{name}");
        for length in [0, 1, 245] {
            let text = vec![7; length];
            let signature = crypto.sign(&key, Scheme::Pkcs1(None), &text).expect("a signature");
            assert_eq!(crypto.verify(&public, Scheme::Pkcs1(None), &text, &signature), Ok(()), "{name} {length}");
            let other = crypto.verify(&public, Scheme::Pkcs1(None), &[7; 2], &signature);
            assert_eq!(other, Err(CryptoError::Unauthentic), "{name} {length}");
        }
        assert_eq!(crypto.sign(&key, Scheme::Pkcs1(None), &[7; 246]), Err(CryptoError::Length), "{name}");
        let long = crypto.verify(&public, Scheme::Pkcs1(None), &[7; 246], &signature);
        assert_eq!(long, Err(CryptoError::Length), "{name}");
    }
}

#[test]
fn signatures_without_a_hash() {
    with(Feature::Rsa, &Without);
}
