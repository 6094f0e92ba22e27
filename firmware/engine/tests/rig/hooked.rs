//! The real provider, which lets a test do something in the middle of a command: at the nth call for random bytes.

use coloa_crypto_native::{Key, Native};
use coloa_engine::{Crypto, CryptoError, Curve, Digest, Hash, KeyKind, KeyMaterial};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

type Hook = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub struct Hooked(Mutex<Option<(usize, Hook)>>, AtomicBool);

impl Hooked {
    /// Runs `hook` at the nth call from now (0 is the next one), before it is answered.
    pub fn at_random(&self, nth: usize, hook: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some((nth, Box::new(hook)));
    }

    /// The random source fails from now on, or works again.
    pub fn fail_random(&self, fail: bool) {
        self.1.store(fail, Ordering::Relaxed);
    }

    fn due(&self) -> Option<Hook> {
        let mut waiting = self.0.lock().unwrap();
        match waiting.take() {
            Some((0, hook)) => Some(hook),
            Some((n, hook)) => {
                *waiting = Some((n - 1, hook));
                None
            }
            None => None,
        }
    }
}

impl Crypto for Hooked {
    type Key = Key;
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        if let Some(hook) = self.due() {
            hook();
        }
        if self.1.load(Ordering::Relaxed) { Err(CryptoError::Entropy) } else { Native.random(out) }
    }
    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        Native.digest(hash, parts)
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
        Native.sign(key, digest)
    }
    fn verify(&self, curve: Curve, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        Native.verify(curve, point, digest, signature)
    }
    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        Native.mac(key, hash, parts)
    }
    fn seal(&self, key: &Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.seal(key, iv, aad, text)
    }
    fn open(&self, key: &Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.open(key, iv, aad, text)
    }
}
