//! AES-GCM and AES-CCM.
//!
//! Invariant: an `EVP_AEAD_CTX` is only read after it was made, which AWS-LC allows from many threads
//! (`include/openssl/aead.h`: sealing and opening are thread-safe).

use core::ffi::c_int;
use core::ptr;

use aws_lc_sys as sys;

use super::block::with_length;
use super::{Owned, done};

/// AES-GCM, keyed, for tags of one length.
pub(crate) struct Gcm {
    context: Owned<sys::EVP_AEAD_CTX>,
    tag: usize,
}

// SAFETY: the context is plain memory, not bound to the thread that made it.
unsafe impl Send for Gcm {}
// SAFETY: it is only read after it was made (invariant of this file).
unsafe impl Sync for Gcm {}

impl Gcm {
    /// From a key of 16, 24 or 32 bytes, for tags of 1 to 16.
    pub(crate) fn new(secret: &[u8], tag: usize) -> Option<Self> {
        // SAFETY: these take nothing and return a pointer to a static description.
        let algorithm = unsafe {
            match secret.len() {
                16 => sys::EVP_aead_aes_128_gcm(),
                24 => sys::EVP_aead_aes_192_gcm(),
                32 => sys::EVP_aead_aes_256_gcm(),
                _ => return None,
            }
        };
        let context = Owned::new(
            // SAFETY: the description is static and `secret` readable for its length; null is handled by `Owned::new`.
            unsafe { sys::EVP_AEAD_CTX_new(algorithm, secret.as_ptr(), secret.len(), tag) },
            sys::EVP_AEAD_CTX_free,
        )?;
        Some(Gcm { context, tag })
    }

    /// Encrypts in place and writes the tag; none for a text that is too long.
    pub(crate) fn seal(&self, iv: &[u8], aad: &[u8], text: &mut [u8], tag: &mut [u8]) -> Option<()> {
        let mut written = 0;
        let (buffer, length) = (text.as_mut_ptr(), text.len());
        // SAFETY: the context is live; `buffer` is read and written in place, which AWS-LC allows, `tag` is writable and
        // the others are readable for their lengths; null with length 0 stands for "nothing more".
        done(unsafe {
            sys::EVP_AEAD_CTX_seal_scatter(
                self.context.as_ptr(),
                buffer,
                tag.as_mut_ptr(),
                &mut written,
                tag.len(),
                iv.as_ptr(),
                iv.len(),
                buffer,
                length,
                ptr::null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        })?;
        (written == self.tag).then_some(())
    }

    /// Decrypts in place when the tag is authentic; otherwise AWS-LC wipes the text.
    pub(crate) fn open(&self, iv: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Option<()> {
        let (buffer, length) = (text.as_mut_ptr(), text.len());
        // SAFETY: as in `seal`.
        done(unsafe {
            sys::EVP_AEAD_CTX_open_gather(
                self.context.as_ptr(),
                buffer,
                iv.as_ptr(),
                iv.len(),
                buffer,
                length,
                tag.as_ptr(),
                tag.len(),
                aad.as_ptr(),
                aad.len(),
            )
        })
    }
}

/// Encrypts in place with AES-CCM (SP 800-38C) and writes the tag. None for lengths that CCM does not take.
pub(crate) fn ccm_seal(secret: &[u8], iv: &[u8], aad: &[u8], text: &mut [u8], tag: &mut [u8]) -> Option<()> {
    let mut context = ccm(secret, iv, tag.len(), None)?;
    ccm_run(&mut context, aad, text)?;
    control(&mut context, sys::EVP_CTRL_AEAD_GET_TAG, tag.len(), tag.as_mut_ptr())
}

/// Decrypts in place with AES-CCM when the tag is authentic; otherwise AWS-LC wipes the text.
pub(crate) fn ccm_open(secret: &[u8], iv: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Option<()> {
    let mut context = ccm(secret, iv, tag.len(), Some(tag))?;
    ccm_run(&mut context, aad, text)
}

/// A context of CCM, keyed; with a tag it decrypts.
fn ccm(secret: &[u8], iv: &[u8], tag: usize, expected: Option<&[u8]>) -> Option<Owned<sys::EVP_CIPHER_CTX>> {
    // SAFETY: these take nothing and return a pointer to a static description.
    let cipher =
        unsafe { with_length(secret.len(), sys::EVP_aes_128_ccm(), sys::EVP_aes_192_ccm(), sys::EVP_aes_256_ccm())? };
    // SAFETY: takes nothing; null is handled by `Owned::new`.
    let mut context = Owned::new(unsafe { sys::EVP_CIPHER_CTX_new() }, sys::EVP_CIPHER_CTX_free)?;
    let encrypts = c_int::from(expected.is_none());
    let no_engine = ptr::null_mut();
    // SAFETY: the context is live and the cipher static; key and IV follow below.
    done(unsafe { sys::EVP_CipherInit_ex(context.as_mut(), cipher, no_engine, ptr::null(), ptr::null(), encrypts) })?;
    control(&mut context, sys::EVP_CTRL_AEAD_SET_IVLEN, iv.len(), ptr::null_mut())?;
    // AWS-LC only reads the tag here, though the function takes a mutable pointer.
    let expected = expected.map_or(ptr::null_mut(), |tag| tag.as_ptr().cast_mut());
    control(&mut context, sys::EVP_CTRL_AEAD_SET_TAG, tag, expected)?;
    // SAFETY: the cipher was set with this key's length, and `iv` has the length that was set.
    done(unsafe {
        sys::EVP_CipherInit_ex(context.as_mut(), ptr::null(), no_engine, secret.as_ptr(), iv.as_ptr(), encrypts)
    })?;
    Some(context)
}

/// Tells CCM the text's length, then gives it what is authenticated and the text.
fn ccm_run(context: &mut Owned<sys::EVP_CIPHER_CTX>, aad: &[u8], text: &mut [u8]) -> Option<()> {
    let (length, aad_length) = (c_int::try_from(text.len()).ok()?, c_int::try_from(aad.len()).ok()?);
    let mut written = 0;
    // SAFETY: the context is keyed and has an IV; null for both buffers says that this is only the length.
    done(unsafe { sys::EVP_CipherUpdate(context.as_mut(), ptr::null_mut(), &mut written, ptr::null(), length) })?;
    if !aad.is_empty() {
        let out = ptr::null_mut();
        // SAFETY: as above; `aad` is readable for its length, and null for the output says what it is.
        done(unsafe { sys::EVP_CipherUpdate(context.as_mut(), out, &mut written, aad.as_ptr(), aad_length) })?;
    }
    let buffer = text.as_mut_ptr();
    // SAFETY: as above; `buffer` is read and written in place for its length, which AWS-LC allows.
    done(unsafe { sys::EVP_CipherUpdate(context.as_mut(), buffer, &mut written, buffer, length) })?;
    (written == length).then_some(())
}

/// Sets or reads what belongs to an AEAD; `pointer` must be null or valid for `length` bytes.
fn control(context: &mut Owned<sys::EVP_CIPHER_CTX>, command: c_int, length: usize, pointer: *mut u8) -> Option<()> {
    let length = c_int::try_from(length).ok()?;
    // SAFETY: the context is live and has its cipher; the callers above pass a pointer that fits the command and length.
    done(unsafe { sys::EVP_CIPHER_CTX_ctrl(context.as_mut(), command, length, pointer.cast()) })
}
