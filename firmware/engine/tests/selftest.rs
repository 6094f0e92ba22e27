//! Self-tests are tested by breaking what they test (R5, R6): a provider that gives one wrong answer gets no service.

use coloa_crypto_native::{Key, Native};
use coloa_engine::{Crypto, CryptoError, Curve, Digest, Engine, Hash, KeyKind, KeyMaterial, Limits, Peer, Platform};
use coloa_engine::{StartError, Timestamp};
use coloa_store_testkit::RamStore;
use coloa_wire::command::{self, DeviceInitialize, Lifecycle};
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::Body;
use coloa_wire::{Command, ErrorCode, Frame};
use std::sync::Mutex;
use zeroize::Zeroizing;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Broken {
    Nothing,
    Hash(Hash),
    Mac,
    Seal,
    TagCheck,
    Sign,
    VerifyAll(Curve),
    Entropy,
}

/// The real provider, with one thing broken.
struct Faulty(Mutex<Broken>);

impl Faulty {
    fn is(&self, broken: Broken) -> bool {
        *self.0.lock().unwrap() == broken
    }
}

impl Crypto for Faulty {
    type Key = Key;
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        if self.is(Broken::Entropy) { Err(CryptoError::Entropy) } else { Native.random(out) }
    }
    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        if self.is(Broken::Hash(hash)) { Digest::new(&vec![0; hash.length()]) } else { Native.digest(hash, parts) }
    }
    fn generate_ec(&self, curve: Curve) -> Result<KeyMaterial, CryptoError> {
        Native.generate_ec(curve)
    }
    fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Key, CryptoError> {
        Native.load(kind, secret)
    }
    fn public(&self, curve: Curve, secret: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Native.public(curve, secret)
    }
    fn valid_point(&self, curve: Curve, point: &[u8]) -> bool {
        Native.valid_point(curve, point)
    }
    fn sign(&self, key: &Key, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut made = Native.sign(key, digest)?;
        made[0] ^= u8::from(self.is(Broken::Sign));
        Ok(made)
    }
    fn verify(&self, curve: Curve, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if self.is(Broken::VerifyAll(curve)) { Ok(()) } else { Native.verify(curve, point, digest, signature) }
    }
    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        if self.is(Broken::Mac) { Ok(Digest::new(&[1; 32])) } else { Native.mac(key, hash, parts) }
    }
    fn seal(&self, key: &Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.seal(key, iv, aad, text)?;
        text[0] ^= u8::from(self.is(Broken::Seal));
        Ok(())
    }
    fn open(&self, key: &Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        if self.is(Broken::TagCheck) {
            text.truncate(text.len() - 16);
            text.fill(0);
            return Ok(());
        }
        Native.open(key, iv, aad, text)
    }
}

struct Bench {
    crypto: Faulty,
    store: RamStore,
    root_key: Zeroizing<[u8; 32]>,
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
}

fn start(broken: Broken) -> Result<Engine<Bench>, StartError> {
    let crypto = Faulty(Mutex::new(broken));
    Engine::start(Bench { crypto, store: RamStore::new(), root_key: Zeroizing::new([7; 32]) })
}

#[test]
fn every_algorithm_that_answers_wrongly_is_named() {
    assert!(start(Broken::Nothing).is_ok());
    let named = |broken| match start(broken).err() {
        Some(StartError::SelfTest(name)) => name,
        other => panic!("{broken:?} was not noticed: {other:?}"),
    };
    assert_eq!(named(Broken::Hash(Hash::Sha256)), "SHA-256");
    assert_eq!(named(Broken::Hash(Hash::Sha384)), "SHA-384");
    assert_eq!(named(Broken::Hash(Hash::Sha512)), "SHA-512");
    assert_eq!(named(Broken::Mac), "HMAC-SHA-256");
    assert_eq!(named(Broken::Seal), "AES-256-GCM");
    assert_eq!(named(Broken::TagCheck), "AES-256-GCM");
    assert_eq!(named(Broken::Sign), "ECDSA P-256");
    assert_eq!(named(Broken::VerifyAll(Curve::P256)), "ECDSA P-256");
    assert_eq!(named(Broken::VerifyAll(Curve::P384)), "ECDSA P-384");
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
