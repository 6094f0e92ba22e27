//! The real provider, which lets a test do something in the middle of a command: at the nth call for random bytes.

use coloa_crypto_native::{Key, Native};
use coloa_engine::crypto::*;
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
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        if let Some(hook) = self.due() {
            hook();
        }
        if self.1.load(Ordering::Relaxed) { Err(CryptoError::Entropy) } else { Native.random(out) }
    }
    forward!(
        supports,
        digest,
        generate,
        generate_rsa,
        load,
        load_public,
        public,
        expand,
        sign,
        verify,
        mac,
        cmac,
        seal,
        open
    );
    forward!(encrypt, decrypt, rsa_encrypt, rsa_decrypt, agree, encapsulate, decapsulate, derive, split, join);
}
