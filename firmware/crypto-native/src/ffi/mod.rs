//! Everything that calls AWS-LC's C functions, one file for each family; the only files of the crate with `unsafe`.
//!
//! Each file puts a family behind safe types and methods; what a `SAFETY` line rests on beyond its own block is an
//! invariant in the file's first comment, or this one: an [`Owned`] holds a pointer that AWS-LC handed over to us, that
//! nobody else frees, and the function that frees it.

mod aead;
mod block;
mod curve25519;
mod ec;
mod hash;
mod kem;
mod mldsa;
mod pkey;
mod rsa;

use core::ffi::c_int;
use core::ptr::{self, NonNull};

use aws_lc_sys as sys;

pub(crate) use aead::{Gcm, ccm_open, ccm_seal};
pub(crate) use block::{Cmac, DecryptKey, EncryptKey, xts};
pub(crate) use curve25519::{Ed25519, X25519, verify_ed25519};
pub(crate) use ec::EcKey;
pub(crate) use hash::{HmacState, digest, hkdf_expand, hkdf_extract, pbkdf2, shake256};
pub(crate) use kem::KemKey;
pub(crate) use mldsa::MlDsaKey;
pub(crate) use rsa::{Oaep, RsaKey};

/// An object of AWS-LC that is freed on drop.
pub(crate) struct Owned<T> {
    pointer: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes what a constructor of AWS-LC returned; none when it returned null.
    pub(crate) fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        Some(Owned { pointer: NonNull::new(pointer)?, free })
    }

    pub(crate) fn as_ptr(&self) -> *const T {
        self.pointer.as_ptr()
    }

    pub(crate) fn as_mut(&mut self) -> *mut T {
        self.pointer.as_ptr()
    }

    /// Gives the object away to a function that takes it over.
    pub(crate) fn release(self) -> *mut T {
        let pointer = self.pointer.as_ptr();
        core::mem::forget(self);
        pointer
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is ours and alive until here, and `free` is the function made for it (invariant of
        // `Owned`).
        unsafe { (self.free)(self.pointer.as_ptr()) }
    }
}

/// A big-endian number, wiped when freed.
pub(crate) fn number(bytes: &[u8]) -> Option<Owned<sys::BIGNUM>> {
    // SAFETY: `bytes` is readable for its length; null asks for a new number, which becomes ours.
    Owned::new(unsafe { sys::BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) }, sys::BN_clear_free)
}

/// Empties this thread's error queue, in which hostile input would otherwise leave entries for the next caller.
pub(crate) fn forget_errors() {
    // SAFETY: takes nothing and touches only this thread's queue.
    unsafe { sys::ERR_clear_error() }
}

/// What a function of AWS-LC that answers 1 for success did; after a failure the thread's error queue is emptied.
pub(crate) fn done(answer: c_int) -> Option<()> {
    if answer != 1 {
        forget_errors();
        return None;
    }
    Some(())
}
