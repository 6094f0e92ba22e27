//! What ML-DSA, ML-KEM and RSA share in AWS-LC: a key of any kind, and the context of one operation with it.
//!
//! Invariants: an [`Pkey`] is only read after it was made, which AWS-LC allows from many threads (a context counts a
//! reference, atomically); a context is used by the thread that made it, once.

use core::ptr;

use aws_lc_sys as sys;
use zeroize::Zeroizing;

use super::{Owned, done, forget_errors};

/// A key.
pub(super) struct Pkey(Owned<sys::EVP_PKEY>);

// SAFETY: a key is not bound to the thread that made it.
unsafe impl Send for Pkey {}
// SAFETY: it is only read after it was made (invariant of this file).
unsafe impl Sync for Pkey {}

/// The context of one operation.
pub(super) type Context = Owned<sys::EVP_PKEY_CTX>;

impl Pkey {
    /// Takes over what a constructor of AWS-LC returned; none when it returned null.
    pub(super) fn new(pointer: *mut sys::EVP_PKEY) -> Option<Self> {
        let key = Owned::new(pointer, sys::EVP_PKEY_free).map(Pkey);
        if key.is_none() {
            forget_errors();
        }
        key
    }

    pub(super) fn as_ptr(&self) -> *const sys::EVP_PKEY {
        self.0.as_ptr()
    }

    pub(super) fn as_mut(&mut self) -> *mut sys::EVP_PKEY {
        self.0.as_mut()
    }

    pub(super) fn context(&self) -> Option<Context> {
        // SAFETY: the key is live; the context counts a reference to it and otherwise only reads it. Null is handled by
        // `Owned::new`, and stands for "no engine" in the argument.
        let context = unsafe { sys::EVP_PKEY_CTX_new(self.0.as_ptr().cast_mut(), ptr::null_mut()) };
        Owned::new(context, sys::EVP_PKEY_CTX_free)
    }

    /// The expanded private key, `length` bytes.
    pub(super) fn secret(&self, length: usize) -> Option<Zeroizing<Vec<u8>>> {
        let (mut bytes, mut written) = (Zeroizing::new(vec![0; length]), length);
        // SAFETY: the key is live, and `bytes` is writable for the length given.
        done(unsafe { sys::EVP_PKEY_get_raw_private_key(self.as_ptr(), bytes.as_mut_ptr(), &mut written) })?;
        (written == length).then_some(bytes)
    }

    /// The public key, `length` bytes.
    pub(super) fn public(&self, length: usize) -> Option<Vec<u8>> {
        let (mut bytes, mut written) = (vec![0; length], length);
        // SAFETY: the key is live, and `bytes` is writable for the length given.
        done(unsafe { sys::EVP_PKEY_get_raw_public_key(self.as_ptr(), bytes.as_mut_ptr(), &mut written) })?;
        (written == length).then_some(bytes)
    }
}
