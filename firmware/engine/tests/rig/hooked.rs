//! The real provider, which lets a test do something in the middle of a command: at the nth call for random bytes.

use coloa_crypto_native::{Key, Native};
use coloa_engine::crypto::{Kdf, Mode, Padding};
use coloa_engine::{Aead, Crypto, CryptoError, Digest, Feature, Hash, KeyKind, KeyMaterial, PairKind, Scheme};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

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
    fn supports(&self, feature: Feature) -> bool {
        Native.supports(feature)
    }
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        if let Some(hook) = self.due() {
            hook();
        }
        if self.1.load(Ordering::Relaxed) { Err(CryptoError::Entropy) } else { Native.random(out) }
    }
    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest {
        Native.digest(hash, parts)
    }
    fn generate(&self, kind: PairKind) -> Result<KeyMaterial, CryptoError> {
        Native.generate(kind)
    }
    fn generate_rsa(&self, bits: u32) -> Result<KeyMaterial, CryptoError> {
        Native.generate_rsa(bits)
    }
    fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Key, CryptoError> {
        Native.load(kind, secret)
    }
    fn load_public(&self, kind: PairKind, public: &[u8]) -> Result<Key, CryptoError> {
        Native.load_public(kind, public)
    }
    fn public(&self, kind: PairKind, secret: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Native.public(kind, secret)
    }
    fn sign(&self, key: &Key, scheme: Scheme<'_>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Native.sign(key, scheme, message)
    }
    fn verify(&self, key: &Key, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        Native.verify(key, scheme, message, signature)
    }
    fn mac(&self, key: &Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        Native.mac(key, hash, parts)
    }
    fn cmac(&self, key: &Key, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        Native.cmac(key, parts)
    }
    fn seal(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.seal(key, aead, text)
    }
    fn open(&self, key: &Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.open(key, aead, text)
    }
    fn encrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.encrypt(key, mode, text)
    }
    fn decrypt(&self, key: &Key, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Native.decrypt(key, mode, text)
    }
    fn rsa_encrypt(&self, key: &Key, padding: Padding<'_>, text: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Native.rsa_encrypt(key, padding, text)
    }
    fn rsa_decrypt(&self, key: &Key, padding: Padding<'_>, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Native.rsa_decrypt(key, padding, text)
    }
    fn agree(&self, key: &Key, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Native.agree(key, peer)
    }
    fn encapsulate(&self, key: &Key) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        Native.encapsulate(key)
    }
    fn decapsulate(&self, key: &Key, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Native.decapsulate(key, ciphertext)
    }
    fn derive(&self, secret: &[u8], kdf: Kdf<'_>, out: &mut [u8]) -> Result<(), CryptoError> {
        Native.derive(secret, kdf, out)
    }
}
