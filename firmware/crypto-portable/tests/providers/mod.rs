//! Both providers, so that every test runs through each.
#![allow(dead_code, reason = "each test file uses a part")]

use coloa_crypto_native::Native;
use coloa_crypto_portable::{Entropy, EntropyFailure, Portable};
use coloa_engine::CryptoError::Unsupported;
use coloa_engine::crypto::{AeadMode, BLOCK, Kdf, MlDsa, MlKem, Mode};
use coloa_engine::{Aead, Crypto, Curve, Feature, Hash, KeyKind, PairKind};

/// The operating system's randomness in place of a board's.
pub struct System;

impl Entropy for System {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyFailure> {
        getrandom::fill(out).map_err(|_| EntropyFailure)
    }
}

/// The provider of hosts.
pub fn native() -> Native {
    Native::new()
}

/// The provider of boards.
pub fn portable() -> Portable<System, parking_lot::RawMutex> {
    Portable::new(System, b"test").expect("the system has entropy")
}

/// A test over any provider.
pub trait Test {
    /// Runs it; `name` says which provider it is.
    fn run(&self, name: &str, crypto: &impl Crypto);
}

/// Runs a test through both.
pub fn both(test: &impl Test) {
    test.run("native", &native());
    test.run("portable", &portable());
}

/// Runs a test through each provider that has the feature; the other one must say that it has not.
pub fn with(feature: Feature, test: &impl Test) {
    each(feature, test, "native", &native());
    each(feature, test, "portable", &portable());
}

fn each(feature: Feature, test: &impl Test, name: &str, crypto: &impl Crypto) {
    if crypto.supports(feature) {
        test.run(name, crypto);
    } else {
        assert!(unsupported(feature, crypto), "{name} neither supports {feature:?} nor says so");
    }
}

/// Whether what needs the feature is refused as it must be.
fn unsupported(feature: Feature, crypto: &impl Crypto) -> bool {
    let key = |kind, length| crypto.load(kind, &vec![1; length]).expect("a key");
    let aes = || key(KeyKind::Aes, 32);
    let encrypt = |mode| crypto.encrypt(&aes(), mode, &mut vec![0; 2 * BLOCK]) == Err(Unsupported);
    let seal = |aead: Aead<'_>| crypto.seal(&aes(), &aead, &mut vec![0; BLOCK]) == Err(Unsupported);
    match feature {
        Feature::Core => false,
        Feature::Sha2Short => no_hash(crypto, Hash::Sha1) && no_hash(crypto, Hash::Sha224),
        Feature::Sha3 => no_hash(crypto, Hash::Sha3_256) && no_hash(crypto, Hash::Sha3_512),
        Feature::P521 => no_pair(crypto, PairKind::Ec(Curve::P521)),
        Feature::Ecdh => {
            let pair = crypto.generate(PairKind::Ec(Curve::P256)).expect("a pair");
            let key = crypto.load(KeyKind::Pair(PairKind::Ec(Curve::P256)), &pair.secret).expect("a key");
            crypto.agree(&key, &pair.public).err() == Some(Unsupported)
        }
        Feature::Ed25519 => no_pair(crypto, PairKind::Ed25519),
        Feature::X25519 => no_pair(crypto, PairKind::X25519),
        Feature::Rsa => crypto.generate_rsa(2048).err() == Some(Unsupported) && no_load(crypto, PairKind::Rsa),
        Feature::MlDsa => no_pair(crypto, PairKind::MlDsa(MlDsa::L65)),
        Feature::MlKem => no_pair(crypto, PairKind::MlKem(MlKem::L768)),
        Feature::AesModes => encrypt(Mode::Ecb) && encrypt(Mode::Cbc(&[0; BLOCK])) && encrypt(Mode::Ctr(&[0; BLOCK])),
        Feature::Xts => crypto.load(KeyKind::AesXts, &[1; 64]).err() == Some(Unsupported),
        Feature::Ccm => seal(Aead { mode: AeadMode::Ccm, iv: &[0; 12], aad: &[], tag: 16 }),
        Feature::GcmAny => seal(Aead { tag: 12, ..Aead::gcm(&[0; 12], &[]) }) && seal(Aead::gcm(&[0; 8], &[])),
        Feature::Cmac => crypto.cmac(&aes(), &[]) == Err(Unsupported),
        Feature::KeyWrap => encrypt(Mode::Kw) && encrypt(Mode::Kwp),
        Feature::Kdf => {
            let kdf = Kdf::Pbkdf2 { hash: Hash::Sha256, salt: &[1], iterations: 1 };
            crypto.derive(&[1], kdf, &mut [0; 32]) == Err(Unsupported)
        }
    }
}

fn no_hash(crypto: &impl Crypto, hash: Hash) -> bool {
    let key = crypto.load(KeyKind::Hmac, &[1; 32]).expect("a key");
    crypto.digest(hash, &[b"text"]).as_ref().is_empty() && crypto.mac(&key, hash, &[]) == Err(Unsupported)
}

fn no_pair(crypto: &impl Crypto, kind: PairKind) -> bool {
    crypto.generate(kind).err() == Some(Unsupported) && no_load(crypto, kind)
}

fn no_load(crypto: &impl Crypto, kind: PairKind) -> bool {
    crypto.load(KeyKind::Pair(kind), &[1; 32]).err() == Some(Unsupported)
        && crypto.load_public(kind, &[1; 32]).err() == Some(Unsupported)
        && crypto.public(kind, &[1; 32]).err() == Some(Unsupported)
}
