//! Self-tests are tested by breaking what they test (R5, R6): a provider that gives one wrong answer gets no service.

#[macro_use]
#[path = "rig/forward.rs"]
mod forward;

use coloa_crypto_native::{Key, Native};
use coloa_engine::crypto::*;
use coloa_engine::{Engine, Image, Limits, Peer, Platform, StartError, Timestamp};
use coloa_store_testkit::RamStore;
use coloa_wire::command::{self, DeviceInitialize, Lifecycle};
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::Body;
use coloa_wire::{Command, ErrorCode, Frame};
use std::collections::BTreeSet;
use std::sync::Mutex;
use zeroize::Zeroizing;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Broken {
    Nothing,
    Hash(Hash),
    Mac,
    Cmac,
    /// Of this mode and IV length.
    Seal(AeadMode, usize),
    /// Of this mode and IV length.
    TagCheck(AeadMode, usize),
    Encrypt(&'static str),
    Decrypt(&'static str),
    /// Unwrapping and unpadding take anything.
    Checks(&'static str),
    /// Of this scheme, when the signature has this length.
    Sign(&'static str, usize),
    VerifyAll(&'static str, usize),
    Public(PairKind),
    Agree(PairKind),
    RsaDecrypt,
    AnyLabel,
    Encapsulate,
    Decapsulate,
    NoRejection,
    Derive(&'static str),
    Entropy,
}

fn scheme_name(scheme: Scheme<'_>) -> &'static str {
    match scheme {
        Scheme::Ecdsa => "ECDSA",
        Scheme::Ed25519 => "Ed25519",
        Scheme::Pkcs1(_) => "PKCS1",
        Scheme::Pss { .. } => "PSS",
        Scheme::MlDsa { .. } => "ML-DSA",
    }
}

fn mode_name(mode: Mode<'_>) -> &'static str {
    match mode {
        Mode::Ecb => "ECB",
        Mode::Cbc(_) => "CBC",
        Mode::CbcPad(_) => "CBC-PAD",
        Mode::Ctr(_) => "CTR",
        Mode::Xts(_) => "XTS",
        Mode::Kw => "KW",
        Mode::Kwp => "KWP",
    }
}

fn kdf_name(kdf: Kdf<'_>) -> &'static str {
    match kdf {
        Kdf::HkdfExtract { .. } => "extract",
        Kdf::HkdfExpand { .. } => "expand",
        Kdf::Pbkdf2 { .. } => "PBKDF2",
    }
}

/// The real provider, with one thing broken.
struct Faulty(Mutex<Broken>);

impl Faulty {
    fn is(&self, broken: Broken) -> bool {
        *self.0.lock().unwrap() == broken
    }

    fn spoil(&self, broken: Broken, bytes: &mut [u8]) {
        bytes[0] ^= u8::from(self.is(broken));
    }
}

impl Crypto for Faulty {
    type Key = Key;
    forward!(supports, generate, generate_rsa, load, load_public);
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        if self.is(Broken::Entropy) { Err(CryptoError::Entropy) } else { Native.random(out) }
    }
    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        if self.is(Broken::Hash(hash)) { Digest::new(&vec![0; hash.length()]) } else { Native.digest(hash, parts) }
    }
    fn public(&self, kind: PairKind, secret: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut made = Native.public(kind, secret)?;
        let last = made.len() - 1;
        self.spoil(Broken::Public(kind), &mut made[last..]);
        Ok(made)
    }
    fn sign(&self, key: &Key, scheme: Scheme<'_>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut made = Native.sign(key, scheme, message)?;
        self.spoil(Broken::Sign(scheme_name(scheme), made.len()), &mut made);
        Ok(made)
    }
    fn verify(&self, key: &Key, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if self.is(Broken::VerifyAll(scheme_name(scheme), signature.len())) {
            return Ok(());
        }
        Native.verify(key, scheme, message, signature)
    }
    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        if self.is(Broken::Mac) { Ok(Digest::new(&[1; 32])) } else { Native.mac(key, hash, parts) }
    }
    fn cmac(&self, key: &Key, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        if self.is(Broken::Cmac) { Ok(Digest::new(&[1; 16])) } else { Native.cmac(key, parts) }
    }
    fn seal(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.seal(key, aead, text)?;
        self.spoil(Broken::Seal(aead.mode, aead.iv.len()), text);
        Ok(())
    }
    fn open(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let sealed = text.clone();
        let opened = Native.open(key, aead, text);
        if opened.is_err() && self.is(Broken::TagCheck(aead.mode, aead.iv.len())) {
            *text = sealed;
            return Ok(());
        }
        opened
    }
    fn encrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.encrypt(key, mode, text)?;
        self.spoil(Broken::Encrypt(mode_name(mode)), text);
        Ok(())
    }
    fn decrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let opened = Native.decrypt(key, mode, text);
        if self.is(Broken::Checks(mode_name(mode))) {
            return Ok(());
        }
        opened?;
        self.spoil(Broken::Decrypt(mode_name(mode)), text);
        Ok(())
    }
    forward!(rsa_encrypt);
    fn rsa_decrypt(&self, key: &Key, padding: Padding<'_>, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let opened = Native.rsa_decrypt(key, padding, text);
        if opened.is_err() && self.is(Broken::AnyLabel) {
            return Ok(Zeroizing::default());
        }
        let mut plain = opened?;
        self.spoil(Broken::RsaDecrypt, &mut plain);
        Ok(plain)
    }
    fn agree(&self, key: &Key, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let mut shared = Native.agree(key, peer)?;
        let kind = if peer.len() == 32 { PairKind::X25519 } else { PairKind::Ec(Curve::P256) };
        self.spoil(Broken::Agree(kind), &mut shared);
        Ok(shared)
    }
    fn encapsulate(&self, key: &Key) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        let (ciphertext, mut shared) = Native.encapsulate(key)?;
        self.spoil(Broken::Encapsulate, &mut shared);
        Ok((ciphertext, shared))
    }
    fn decapsulate(&self, key: &Key, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        // The first byte is what the test forges.
        let mut ciphertext = ciphertext.to_vec();
        if self.is(Broken::NoRejection) && ciphertext[0] == KEM_FIRST ^ 1 {
            ciphertext[0] ^= 1;
        }
        let mut shared = Native.decapsulate(key, &ciphertext)?;
        self.spoil(Broken::Decapsulate, &mut shared);
        Ok(shared)
    }
    fn derive(&self, secret: &[u8], kdf: Kdf<'_>, out: &mut [u8]) -> Result<(), CryptoError> {
        Native.derive(secret, kdf, out)?;
        self.spoil(Broken::Derive(kdf_name(kdf)), out);
        Ok(())
    }
}

/// The first byte of the self-test's ciphertext.
const KEM_FIRST: u8 = 0x11;

struct Bench {
    crypto: Faulty,
    store: RamStore,
    root_key: Zeroizing<[u8; 32]>,
    image: Option<Image>,
}

impl Platform for Bench {
    type Crypto = Faulty;
    type Store = RamStore;
    type Lock = parking_lot::RawRwLock;
    fn crypto(&self) -> &Faulty {
        &self.crypto
    }
    fn store(&self) -> &RamStore {
        &self.store
    }
    fn now(&self) -> Timestamp {
        Timestamp(1)
    }
    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }
    fn body(&self) -> Body {
        Body::Embedded
    }
    fn limits(&self) -> Limits {
        Limits::HOST
    }
    fn image(&self) -> Option<Image> {
        self.image.clone()
    }
}

fn start(broken: Broken) -> Result<Engine<Bench>, StartError> {
    start_image(broken, None)
}

fn start_image(broken: Broken, image: Option<Image>) -> Result<Engine<Bench>, StartError> {
    let crypto = Faulty(Mutex::new(broken));
    Engine::start(Bench { crypto, store: RamStore::new(), root_key: Zeroizing::new([7; 32]), image })
}

const BREAKS: &[(Broken, &str)] = &[
    (Broken::Hash(Hash::Sha256), "SHA-256"),
    (Broken::Hash(Hash::Sha384), "SHA-384"),
    (Broken::Hash(Hash::Sha512), "SHA-512"),
    (Broken::Hash(Hash::Sha1), "SHA-1"),
    (Broken::Hash(Hash::Sha224), "SHA-224"),
    (Broken::Hash(Hash::Sha3_224), "SHA3-224"),
    (Broken::Hash(Hash::Sha3_256), "SHA3-256"),
    (Broken::Hash(Hash::Sha3_384), "SHA3-384"),
    (Broken::Hash(Hash::Sha3_512), "SHA3-512"),
    (Broken::Mac, "HMAC-SHA-256"),
    (Broken::Derive("extract"), "HKDF"),
    (Broken::Derive("expand"), "HKDF"),
    (Broken::Derive("PBKDF2"), "PBKDF2"),
    (Broken::Seal(AeadMode::Gcm, 12), "AES-256-GCM"),
    (Broken::TagCheck(AeadMode::Gcm, 12), "AES-256-GCM"),
    (Broken::Seal(AeadMode::Gcm, 8), "AES-256-GCM with any IV"),
    (Broken::TagCheck(AeadMode::Gcm, 8), "AES-256-GCM with any IV"),
    (Broken::Seal(AeadMode::Ccm, 12), "AES-256-CCM"),
    (Broken::TagCheck(AeadMode::Ccm, 12), "AES-256-CCM"),
    (Broken::Encrypt("ECB"), "AES-ECB"),
    (Broken::Decrypt("ECB"), "AES-ECB"),
    (Broken::Encrypt("CBC"), "AES-CBC"),
    (Broken::Decrypt("CBC"), "AES-CBC"),
    (Broken::Encrypt("CBC-PAD"), "AES-CBC-PAD"),
    (Broken::Decrypt("CBC-PAD"), "AES-CBC-PAD"),
    (Broken::Checks("CBC-PAD"), "AES-CBC-PAD"),
    (Broken::Encrypt("CTR"), "AES-CTR"),
    (Broken::Decrypt("CTR"), "AES-CTR"),
    (Broken::Encrypt("XTS"), "AES-XTS"),
    (Broken::Decrypt("XTS"), "AES-XTS"),
    (Broken::Encrypt("KW"), "AES-KW"),
    (Broken::Decrypt("KW"), "AES-KW"),
    (Broken::Checks("KW"), "AES-KW"),
    (Broken::Encrypt("KWP"), "AES-KWP"),
    (Broken::Decrypt("KWP"), "AES-KWP"),
    (Broken::Checks("KWP"), "AES-KWP"),
    (Broken::Cmac, "AES-CMAC"),
    (Broken::Sign("ECDSA", 64), "ECDSA P-256"),
    (Broken::VerifyAll("ECDSA", 64), "ECDSA P-256"),
    (Broken::Public(PairKind::Ec(Curve::P256)), "ECDSA P-256"),
    (Broken::Sign("ECDSA", 96), "ECDSA P-384"),
    (Broken::VerifyAll("ECDSA", 96), "ECDSA P-384"),
    (Broken::Sign("ECDSA", 132), "ECDSA P-521"),
    (Broken::VerifyAll("ECDSA", 132), "ECDSA P-521"),
    (Broken::Agree(PairKind::Ec(Curve::P256)), "ECDH P-256"),
    (Broken::Agree(PairKind::X25519), "X25519"),
    (Broken::Sign("Ed25519", 64), "Ed25519"),
    (Broken::VerifyAll("Ed25519", 64), "Ed25519"),
    (Broken::Public(PairKind::Ed25519), "Ed25519"),
    (Broken::Sign("PKCS1", 256), "RSA signature"),
    (Broken::VerifyAll("PKCS1", 256), "RSA signature"),
    (Broken::Sign("PSS", 256), "RSA signature"),
    (Broken::VerifyAll("PSS", 256), "RSA signature"),
    (Broken::RsaDecrypt, "RSA decryption"),
    (Broken::AnyLabel, "RSA decryption"),
    (Broken::Sign("ML-DSA", 2420), "ML-DSA-44"),
    (Broken::VerifyAll("ML-DSA", 2420), "ML-DSA-44"),
    (Broken::Public(PairKind::MlDsa(MlDsa::L44)), "ML-DSA-44"),
    (Broken::Encapsulate, "ML-KEM-512"),
    (Broken::Decapsulate, "ML-KEM-512"),
    (Broken::NoRejection, "ML-KEM-512"),
    (Broken::Public(PairKind::MlKem(MlKem::L512)), "ML-KEM-512"),
];

#[test]
fn every_algorithm_that_answers_wrongly_is_named() {
    assert!(start(Broken::Nothing).is_ok());
    for (broken, name) in BREAKS {
        assert_eq!(start(*broken).err(), Some(StartError::SelfTest(name)), "{broken:?}");
    }
}

/// No test is there that nobody has seen fail.
#[test]
fn every_test_can_fail() {
    let sources = [
        include_str!("../src/selftest/hash.rs"),
        include_str!("../src/selftest/cipher.rs"),
        include_str!("../src/selftest/curve.rs"),
        include_str!("../src/selftest/rsa.rs"),
        include_str!("../src/selftest/lattice.rs"),
    ];
    let rows = sources.iter().flat_map(|source| source.split("(Feature::").skip(1));
    let tests: BTreeSet<_> = rows.map(|row| row.split('"').nth(1).unwrap()).collect();
    assert_eq!(tests, BREAKS.iter().map(|(_, name)| *name).collect());
}

/// Every process with an embedded token pays for the start.
#[test]
fn the_start_stays_fast() {
    let fastest = (0..20).map(|_| {
        let begun = std::time::Instant::now();
        start(Broken::Nothing).ok().unwrap();
        begun.elapsed()
    });
    let fastest = fastest.min().unwrap();
    println!("the fastest of twenty starts took {fastest:?}");
    assert!(fastest.as_millis() < 30, "{fastest:?}");
}

fn initialize(engine: &Engine<Bench>) -> Option<ErrorCode> {
    let (mut head, mut call, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    command::encode_head(&DeviceInitialize { label: "x".into() }, &mut head);
    Frame { head: &head, ..Frame::status(FrameKind::Call, DeviceInitialize::CODE as u16, 1) }.encode(&mut call);
    engine.handle(&Peer::Owner, &call, &mut reply);
    ErrorCode::from_number(Frame::parse(&reply).unwrap().code)
}

#[test]
fn a_random_source_that_fails_in_service_leads_to_the_error_state() {
    let engine = start(Broken::Nothing).unwrap();
    *engine.platform().crypto.0.lock().unwrap() = Broken::Entropy;
    assert_eq!(initialize(&engine), Some(ErrorCode::EntropyFailed));
    assert_eq!(engine.lifecycle(), Lifecycle::Error);
    *engine.platform().crypto.0.lock().unwrap() = Broken::Nothing;
    assert_eq!(initialize(&engine), Some(ErrorCode::ErrorState), "the error state does not heal by itself");
}

// R5
#[test]
fn another_image_than_was_installed_serves_nothing() {
    let starts = |recorded| start_image(Broken::Nothing, Some(Image { digest: [5; 48], recorded })).err();
    assert!(starts(None).is_none() && starts(Some([5; 48])).is_none());
    for at in 0..48 {
        let mut other = [5; 48];
        other[at] ^= 1;
        let refused = starts(Some(other));
        assert!(matches!(refused, Some(StartError::SelfTest("the firmware image"))), "{at}");
    }
    // The hash that measures is tested before what it measured is believed.
    let image = Image { digest: [5; 48], recorded: Some([6; 48]) };
    let refused = start_image(Broken::Hash(Hash::Sha384), Some(image)).err();
    assert!(matches!(refused, Some(StartError::SelfTest("SHA-384"))));
}
