//! What RSA, the Edwards and Montgomery curves, ML-DSA and ML-KEM must refuse in both providers, and with which error.
#![forbid(unsafe_code)]

mod providers;
mod vectors;

use coloa_engine::CryptoError::{Invalid, Length, Unauthentic};
use coloa_engine::crypto::{MlDsa, MlKem, Padding};
use coloa_engine::{Crypto, Curve, Feature, Hash, KeyKind, PairKind, Scheme};
use providers::{Test, with};

const SHA_256: Scheme<'static> = Scheme::Pkcs1(Some(Hash::Sha256));
const OAEP: Padding<'static> = Padding::Oaep { hash: Hash::Sha256, mgf: Hash::Sha256, label: b"label" };

/// Neither half of another kind of key, nor the other half, does what a pair of this kind does.
fn strangers<C: Crypto>(name: &str, crypto: &C, ours: &[C::Key; 2], scheme: Scheme<'_>, text: &[u8]) {
    let kind = PairKind::Ec(Curve::P384);
    let pair = crypto.generate(kind).expect("a pair");
    let private = crypto.load(KeyKind::Pair(kind), &pair.secret).expect("a key");
    let public = crypto.load_public(kind, &pair.public).expect("a key");
    let aes = crypto.load(KeyKind::Aes, &[1; 32]).expect("a key");
    let [our_private, our_public] = ours;
    for key in [&private, &public, &aes, our_public] {
        assert_eq!(crypto.sign(key, scheme, text), Err(Invalid), "{name}");
    }
    for key in [&private, &public, &aes, our_private] {
        assert_eq!(crypto.verify(key, scheme, text, &[1; 64]), Err(Invalid), "{name}");
    }
    assert_eq!(crypto.sign(our_private, Scheme::Ecdsa, &[1; 32]), Err(Invalid), "{name}");
    assert_eq!(crypto.verify(our_public, Scheme::Ecdsa, &[1; 32], &[1; 64]), Err(Invalid), "{name}");
}

/// A signature is refused when a bit of it, its length or the text changes.
fn forged<C: Crypto>(name: &str, crypto: &C, ours: &[C::Key; 2], scheme: Scheme<'_>, text: &[u8]) {
    let good = crypto.sign(&ours[0], scheme, text).expect("a signature");
    let verify = |text: &[u8], signature: &[u8]| crypto.verify(&ours[1], scheme, text, signature);
    assert_eq!(verify(text, &good), Ok(()), "{name}");
    for bit in (0..8 * good.len()).step_by(61) {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verify(text, &flipped), Err(Unauthentic), "{name} {bit}");
    }
    let mut other = text.to_vec();
    other[0] ^= 1;
    assert_eq!(verify(&other, &good), Err(Unauthentic), "{name}");
    for wrong in [&good[1..], &[good.as_slice(), &[0]].concat(), &[]] {
        assert_eq!(verify(text, wrong), Err(Invalid), "{name} {}", wrong.len());
    }
}

/// Both halves of a fresh pair.
fn pair<C: Crypto>(crypto: &C, kind: PairKind) -> [C::Key; 2] {
    let pair = if kind == PairKind::Rsa { crypto.generate_rsa(2048) } else { crypto.generate(kind) };
    let pair = pair.expect("a pair");
    let private = crypto.load(KeyKind::Pair(kind), &pair.secret).expect("a key");
    [private, crypto.load_public(kind, &pair.public).expect("a key")]
}

/// No key of this kind has one of these lengths.
fn lengths(name: &str, crypto: &impl Crypto, kind: PairKind, secret: &[usize], public: &[usize]) {
    for &length in secret {
        assert_eq!(crypto.load(KeyKind::Pair(kind), &vec![1; length]).err(), Some(Invalid), "{name} {length}");
        assert_eq!(crypto.public(kind, &vec![1; length]).err(), Some(Invalid), "{name} {length}");
    }
    for &length in public {
        assert_eq!(crypto.load_public(kind, &vec![1; length]).err(), Some(Invalid), "{name} {length}");
    }
}

struct RsaKeys;

impl Test for RsaKeys {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let rsa = KeyKind::Pair(PairKind::Rsa);
        for case in vectors::parse(include_str!("vectors/rsa-refused.txt")) {
            assert_eq!(crypto.load(rsa, case.bytes("key")).err(), Some(Invalid), "{name}");
            assert_eq!(crypto.load_public(PairKind::Rsa, case.bytes("public")).err(), Some(Invalid), "{name}");
        }
        for case in vectors::parse(include_str!("vectors/rsa.txt")) {
            let (key, public) = (case.bytes("key"), case.bytes("public"));
            assert!(crypto.load(rsa, key).is_ok() && crypto.load_public(PairKind::Rsa, public).is_ok(), "{name}");
            // A fault in any number of the private key, or in how it is written.
            for at in (0..key.len()).step_by(23) {
                let mut changed = key.to_vec();
                changed[at] ^= 2;
                assert_eq!(crypto.load(rsa, &changed).err(), Some(Invalid), "{name} {at}");
            }
            for wrong in [&key[..key.len() - 1], &[key, &[0]].concat(), &[], public] {
                assert_eq!(crypto.load(rsa, wrong).err(), Some(Invalid), "{name}");
            }
            for wrong in [&public[..public.len() - 1], &[public, &[0]].concat(), &[], key] {
                assert_eq!(crypto.load_public(PairKind::Rsa, wrong).err(), Some(Invalid), "{name}");
            }
        }
        for bits in [0, 1024, 2040, 2047, 2049, 2052, 4104, u32::MAX] {
            assert_eq!(crypto.generate_rsa(bits).err(), Some(Invalid), "{name} {bits}");
        }
        assert!(crypto.generate(PairKind::Rsa).is_err(), "{name}: RSA needs a length");
    }
}

#[test]
fn rsa_keys() {
    with(Feature::Rsa, &RsaKeys);
}

struct RsaUse;

impl Test for RsaUse {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let ours = pair(crypto, PairKind::Rsa);
        let pss = Scheme::Pss { hash: Hash::Sha256, mgf: Hash::Sha1, salt: 32 };
        for scheme in [SHA_256, pss, Scheme::Pkcs1(None)] {
            strangers(name, crypto, &ours, scheme, &[7; 32]);
            forged(name, crypto, &ours, scheme, &[7; 32]);
        }
        for length in [0, 31, 33] {
            for scheme in [SHA_256, pss] {
                assert_eq!(crypto.sign(&ours[0], scheme, &vec![7; length]), Err(Invalid), "{name} {length}");
                let verified = crypto.verify(&ours[1], scheme, &vec![7; length], &[1; 256]);
                assert_eq!(verified, Err(Invalid), "{name} {length}");
            }
        }
        // RFC 8017 §9.1.1: 256 bytes hold a digest of 32, two more and a salt of 222.
        let salted = |salt| crypto.sign(&ours[0], Scheme::Pss { hash: Hash::Sha256, mgf: Hash::Sha1, salt }, &[7; 32]);
        assert!(salted(222).is_ok(), "{name}");
        assert_eq!(salted(223), Err(Invalid), "{name}");
        assert_eq!(salted(usize::MAX), Err(Invalid), "{name}");
        let signature = salted(20).expect("a signature");
        assert_eq!(crypto.verify(&ours[1], pss, &[7; 32], &signature), Err(Unauthentic), "{name}: another salt");
        // A number that is not below the modulus.
        assert_eq!(crypto.verify(&ours[1], SHA_256, &[7; 32], &[0xff; 256]), Err(Unauthentic), "{name}");
    }
}

#[test]
fn rsa_signatures() {
    with(Feature::Rsa, &RsaUse);
}

struct RsaDecrypt;

impl Test for RsaDecrypt {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let [private, public] = &pair(crypto, PairKind::Rsa);
        // RFC 8017 §7.1.1 and §7.2.1: 256 bytes less 66, and less 11.
        for (padding, longest) in [(OAEP, 190), (Padding::Pkcs1, 245)] {
            for length in [0, 1, longest] {
                let text = vec![7; length];
                let encrypted = crypto.rsa_encrypt(public, padding, &text).expect("encrypted");
                assert_ne!(crypto.rsa_encrypt(public, padding, &text).as_ref(), Ok(&encrypted), "{name}");
                assert_eq!(*crypto.rsa_decrypt(private, padding, &encrypted).expect("decrypted"), text, "{name}");
            }
            assert_eq!(crypto.rsa_encrypt(public, padding, &vec![7; longest + 1]), Err(Length), "{name}");
            assert_eq!(crypto.rsa_encrypt(private, padding, &[7; 9]), Err(Invalid), "{name}");
            assert_eq!(crypto.rsa_decrypt(public, padding, &[7; 256]).err(), Some(Invalid), "{name}");
            for length in [0, 255, 257] {
                assert_eq!(crypto.rsa_decrypt(private, padding, &vec![1; length]).err(), Some(Length), "{name}");
            }
        }
        let encrypted = crypto.rsa_encrypt(public, OAEP, b"text").expect("encrypted");
        for bit in (0..2048).step_by(61) {
            let mut flipped = encrypted.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(crypto.rsa_decrypt(private, OAEP, &flipped).err(), Some(Unauthentic), "{name} {bit}");
        }
        for other in [
            Padding::Oaep { hash: Hash::Sha256, mgf: Hash::Sha256, label: b"" },
            Padding::Oaep { hash: Hash::Sha256, mgf: Hash::Sha1, label: b"label" },
            Padding::Oaep { hash: Hash::Sha512, mgf: Hash::Sha256, label: b"label" },
        ] {
            assert_eq!(crypto.rsa_decrypt(private, other, &encrypted).err(), Some(Unauthentic), "{name}");
        }
        let answer = crypto.rsa_decrypt(private, Padding::Pkcs1, &encrypted).expect("an answer, never an error");
        assert_ne!(*answer, *b"text", "{name}");
    }
}

#[test]
fn rsa_encryption() {
    with(Feature::Rsa, &RsaDecrypt);
}

struct Ed25519;

impl Test for Ed25519 {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let ours = pair(crypto, PairKind::Ed25519);
        strangers(name, crypto, &ours, Scheme::Ed25519, b"text");
        forged(name, crypto, &ours, Scheme::Ed25519, b"text");
        lengths(name, crypto, PairKind::Ed25519, &[0, 31, 33, 64], &[0, 31, 33]);
        assert_eq!(crypto.agree(&ours[0], &[9; 32]).err(), Some(Invalid), "{name}");
    }
}

#[test]
fn ed25519() {
    with(Feature::Ed25519, &Ed25519);
}

struct X25519;

impl Test for X25519 {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let [private, public] = &pair(crypto, PairKind::X25519);
        lengths(name, crypto, PairKind::X25519, &[0, 31, 33, 64], &[0, 31, 33]);
        for length in [0, 31, 33] {
            assert_eq!(crypto.agree(private, &vec![9; length]).err(), Some(Invalid), "{name}");
        }
        assert_eq!(crypto.agree(public, &[9; 32]).err(), Some(Invalid), "{name}");
        assert_eq!(crypto.agree(private, &[0; 32]).err(), Some(Invalid), "{name}: a point of small order");
        assert_eq!(crypto.sign(private, Scheme::Ed25519, b"text"), Err(Invalid), "{name}");
        let other = crypto.generate(PairKind::X25519).expect("a pair");
        let other_private = crypto.load(KeyKind::Pair(PairKind::X25519), &other.secret).expect("a key");
        let once = crypto.agree(private, &other.public).expect("a secret");
        assert_ne!(once, crypto.agree(&other_private, &other.public).expect("a secret"), "{name}");
    }
}

#[test]
fn x25519() {
    with(Feature::X25519, &X25519);
}

struct Dsa;

impl Test for Dsa {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for set in [MlDsa::L44, MlDsa::L65, MlDsa::L87] {
            let ours = pair(crypto, PairKind::MlDsa(set));
            let scheme = Scheme::MlDsa { context: b"context", prehash: None };
            let hashed = Scheme::MlDsa { context: b"context", prehash: Some(Hash::Sha512) };
            strangers(name, crypto, &ours, scheme, b"text");
            forged(name, crypto, &ours, scheme, b"text");
            forged(name, crypto, &ours, hashed, &[7; 64]);
            let (private, public) = (set.private(), set.public());
            lengths(
                name,
                crypto,
                PairKind::MlDsa(set),
                &[0, 31, 33, private - 1, private + 1],
                &[0, public - 1, public + 1],
            );

            let signature = crypto.sign(&ours[0], scheme, b"text").expect("a signature");
            let other = Scheme::MlDsa { context: b"", prehash: None };
            assert_eq!(crypto.verify(&ours[1], other, b"text", &signature), Err(Unauthentic), "{name}");
            let long = Scheme::MlDsa { context: &[1; 256], prehash: None };
            assert_eq!(crypto.sign(&ours[0], long, b"text"), Err(Invalid), "{name}");
            assert_eq!(crypto.verify(&ours[1], long, b"text", &signature), Err(Invalid), "{name}");
            let longest = Scheme::MlDsa { context: &[1; 255], prehash: None };
            assert!(crypto.sign(&ours[0], longest, b"text").is_ok(), "{name}");
            let sha_1 = Scheme::MlDsa { context: b"", prehash: Some(Hash::Sha1) };
            assert_eq!(crypto.sign(&ours[0], sha_1, &[7; 20]), Err(Invalid), "{name}: FIPS 204 has no SHA-1");
        }
    }
}

#[test]
fn ml_dsa() {
    with(Feature::MlDsa, &Dsa);
}

struct Kem;

impl Test for Kem {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for set in [MlKem::L512, MlKem::L768, MlKem::L1024] {
            let [private, public] = &pair(crypto, PairKind::MlKem(set));
            let (secret, encapsulation) = (set.private(), set.public());
            let public_lengths = [0, encapsulation - 1, encapsulation + 1];
            lengths(name, crypto, PairKind::MlKem(set), &[0, 32, 63, 65, secret - 1, secret + 1], &public_lengths);
            let (ciphertext, shared) = crypto.encapsulate(public).expect("a secret");
            assert_eq!((ciphertext.len(), shared.len()), (set.ciphertext(), 32), "{name}");
            assert_eq!(crypto.decapsulate(private, &ciphertext).as_ref(), Ok(&shared), "{name}");
            for bit in (0..8 * ciphertext.len()).step_by(997) {
                let mut flipped = ciphertext.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let other = crypto.decapsulate(private, &flipped).expect("another secret, not an error");
                assert_ne!(other, shared, "{name} {bit}");
                assert_eq!(crypto.decapsulate(private, &flipped), Ok(other), "{name}: always the same");
            }
            for wrong in [&ciphertext[1..], &[ciphertext.as_slice(), &[0]].concat(), &[]] {
                assert_eq!(crypto.decapsulate(private, wrong).err(), Some(Length), "{name}");
            }
            assert_eq!(crypto.encapsulate(private).err(), Some(Invalid), "{name}");
            assert_eq!(crypto.decapsulate(public, &ciphertext).err(), Some(Invalid), "{name}");
            // FIPS 203 §7.2: coefficients of 12 bits that are not below q.
            assert_eq!(
                crypto.load_public(PairKind::MlKem(set), &vec![0xff; encapsulation]).err(),
                Some(Invalid),
                "{name}"
            );
        }
    }
}

#[test]
fn ml_kem() {
    with(Feature::MlKem, &Kem);
}
