//! AES itself: key schedules and the modes over them, XTS, and CMAC.
//!
//! Invariants: an `AES_KEY` is plain memory, only read after it was made, so many threads may use it at once; a `CMAC_CTX`
//! that is kept is only copied from.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;

use aws_lc_sys as sys;
use coloa_engine::Digest;
use coloa_engine::crypto::BLOCK;
use zeroize::Zeroize;

use super::{Owned, done};

/// Bytes of a half-block, which KW works on (SP 800-38F §4).
const SEMIBLOCK: usize = 8;
/// Blocks of the longest data unit of XTS (SP 800-38E §4).
const MAX_XTS_BLOCKS: usize = 1 << 20;

/// The one of three for keys of 16, 24 or 32 bytes.
pub(super) fn with_length<T>(length: usize, first: T, second: T, third: T) -> Option<T> {
    match length {
        16 => Some(first),
        24 => Some(second),
        32 => Some(third),
        _ => None,
    }
}

/// A key schedule, wiped on drop.
struct Schedule(sys::AES_KEY);

impl Drop for Schedule {
    fn drop(&mut self) {
        self.0.rd_key.zeroize();
    }
}

impl Schedule {
    fn new(
        secret: &[u8],
        expand: unsafe extern "C" fn(*const u8, core::ffi::c_uint, *mut sys::AES_KEY) -> c_int,
    ) -> Option<Self> {
        let bits = with_length(secret.len(), 128, 192, 256)?;
        let mut key = MaybeUninit::<sys::AES_KEY>::zeroed();
        // SAFETY: `secret` has the length that `bits` says; an `AES_KEY` is numbers, for which zeros are valid.
        let (expanded, schedule) = unsafe {
            let expanded = expand(secret.as_ptr(), bits, key.as_mut_ptr());
            (expanded, Schedule(key.assume_init()))
        };
        (expanded == 0).then_some(schedule)
    }
}

/// AES, keyed for its forward direction.
pub(crate) struct EncryptKey(Schedule);

/// AES, keyed for its inverse.
pub(crate) struct DecryptKey(Schedule);

impl EncryptKey {
    /// From 16, 24 or 32 bytes.
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        Schedule::new(secret, sys::AES_set_encrypt_key).map(EncryptKey)
    }

    /// Whole blocks; what is left over stays as it is.
    pub(crate) fn ecb(&self, text: &mut [u8]) {
        ecb(&self.0, text, sys::AES_ENCRYPT);
    }

    /// Whole blocks; what is left over stays as it is.
    pub(crate) fn cbc(&self, iv: &[u8; BLOCK], text: &mut [u8]) {
        cbc(&self.0, iv, text, sys::AES_ENCRYPT);
    }

    pub(crate) fn ctr(&self, first: &[u8; BLOCK], text: &mut [u8]) {
        let (mut counter, mut stream, mut used) = (*first, [0; BLOCK], 0);
        let (buffer, length) = (text.as_mut_ptr(), text.len());
        // SAFETY: the schedule is made; `buffer` is read and written in place for its length, which AWS-LC allows, and
        // the two blocks have the length it reads and writes.
        unsafe {
            let (counter, stream) = (counter.as_mut_ptr(), stream.as_mut_ptr());
            sys::AES_ctr128_encrypt(buffer, buffer, length, &self.0.0, counter, stream, &mut used);
        }
        stream.zeroize();
    }

    /// Wraps (SP 800-38F §6.2): half a block longer. None for a length that KW does not take.
    pub(crate) fn wrap(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; text.len().checked_add(SEMIBLOCK)?];
        // SAFETY: the schedule is made and `text` readable for its length; `out` is a half-block longer, which is all the
        // function writes; null stands for the standard's initial value.
        let written = unsafe { sys::AES_wrap_key(&self.0.0, ptr::null(), out.as_mut_ptr(), text.as_ptr(), text.len()) };
        (usize::try_from(written) == Ok(out.len())).then_some(out)
    }

    /// Wraps with padding (§6.3). None for a length that KWP does not take.
    pub(crate) fn wrap_padded(&self, text: &[u8]) -> Option<Vec<u8>> {
        let longest = text.len().checked_next_multiple_of(SEMIBLOCK)?.checked_add(SEMIBLOCK)?;
        let (mut out, mut written) = (vec![0; longest], 0);
        // SAFETY: the schedule is made, `text` is readable and `out` writable for the lengths given.
        done(unsafe {
            let (text, length) = (text.as_ptr(), text.len());
            sys::AES_wrap_key_padded(&self.0.0, out.as_mut_ptr(), &mut written, longest, text, length)
        })?;
        out.truncate(written);
        Some(out)
    }
}

impl DecryptKey {
    /// From 16, 24 or 32 bytes.
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        Schedule::new(secret, sys::AES_set_decrypt_key).map(DecryptKey)
    }

    /// Whole blocks; what is left over stays as it is.
    pub(crate) fn ecb(&self, text: &mut [u8]) {
        ecb(&self.0, text, sys::AES_DECRYPT);
    }

    /// Whole blocks; what is left over stays as it is.
    pub(crate) fn cbc(&self, iv: &[u8; BLOCK], text: &mut [u8]) {
        cbc(&self.0, iv, text, sys::AES_DECRYPT);
    }

    /// Unwraps in place; the text's length afterwards. None for what is not authentic.
    pub(crate) fn unwrap(&self, text: &mut [u8]) -> Option<usize> {
        let (buffer, length) = (text.as_mut_ptr(), text.len());
        // SAFETY: the schedule is made; the function moves the text within `buffer` and writes less than it read.
        let written = unsafe { sys::AES_unwrap_key(&self.0.0, ptr::null(), buffer, buffer, length) };
        usize::try_from(written).ok()
    }

    /// Unwraps in place what was wrapped with padding; the text's length afterwards. None for what is not authentic.
    pub(crate) fn unwrap_padded(&self, text: &mut [u8]) -> Option<usize> {
        let (buffer, length, mut written) = (text.as_mut_ptr(), text.len(), 0);
        // SAFETY: as in `unwrap`.
        done(unsafe { sys::AES_unwrap_key_padded(&self.0.0, buffer, &mut written, length, buffer, length) })?;
        Some(written)
    }
}

fn ecb(key: &Schedule, text: &mut [u8], direction: c_int) {
    for block in text.chunks_exact_mut(BLOCK) {
        let block = block.as_mut_ptr();
        // SAFETY: the schedule is made, and `block` is read and written in place for one block.
        unsafe { sys::AES_ecb_encrypt(block, block, &key.0, direction) }
    }
}

fn cbc(key: &Schedule, iv: &[u8; BLOCK], text: &mut [u8], direction: c_int) {
    let (mut iv, whole) = (*iv, text.len() - text.len() % BLOCK);
    let buffer = text.as_mut_ptr();
    // SAFETY: the schedule is made; `buffer` is read and written in place for whole blocks within it, and `iv` is a block.
    unsafe { sys::AES_cbc_encrypt(buffer, buffer, whole, &key.0, iv.as_mut_ptr(), direction) }
}

/// Encrypts or decrypts one data unit in place with XTS-AES-256 (IEEE 1619). None for a length that it does not take.
pub(crate) fn xts(secret: &[u8; 64], tweak: &[u8; BLOCK], text: &mut [u8], encrypts: bool) -> Option<()> {
    if !(BLOCK..=BLOCK * MAX_XTS_BLOCKS).contains(&text.len()) {
        return None;
    }
    // SAFETY: takes nothing; null is handled by `Owned::new`.
    let mut context = Owned::new(unsafe { sys::EVP_CIPHER_CTX_new() }, sys::EVP_CIPHER_CTX_free)?;
    let (secret, tweak, direction) = (secret.as_ptr(), tweak.as_ptr(), c_int::from(encrypts));
    // SAFETY: the context is live and the cipher static; key and tweak have the lengths it reads.
    done(unsafe {
        sys::EVP_CipherInit_ex(context.as_mut(), sys::EVP_aes_256_xts(), ptr::null_mut(), secret, tweak, direction)
    })?;
    let (buffer, length) = (text.as_mut_ptr(), text.len());
    // SAFETY: the context is keyed; `buffer` is read and written in place for its length, which AWS-LC allows.
    done(unsafe { sys::EVP_Cipher(context.as_mut(), buffer, buffer, length) })
}

/// AES-CMAC (SP 800-38B), keyed.
pub(crate) struct Cmac(Owned<sys::CMAC_CTX>);

// SAFETY: a context is plain memory, not bound to the thread that made it.
unsafe impl Send for Cmac {}
// SAFETY: it is only copied from after it was made (invariant of this file), which reads it.
unsafe impl Sync for Cmac {}

impl Cmac {
    /// From 16, 24 or 32 bytes.
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        // SAFETY: these take nothing and return a pointer to a static description.
        let cipher = unsafe {
            with_length(secret.len(), sys::EVP_aes_128_cbc(), sys::EVP_aes_192_cbc(), sys::EVP_aes_256_cbc())?
        };
        let mut cmac = Cmac::empty()?;
        let (key, length) = (secret.as_ptr().cast(), secret.len());
        // SAFETY: the context is live and the cipher static, for keys of this length; null stands for "no engine".
        done(unsafe { sys::CMAC_Init(cmac.0.as_mut(), key, length, cipher, ptr::null_mut()) })?;
        Some(cmac)
    }

    /// The MAC of the concatenation of `parts`.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> Option<Digest> {
        let mut state = Cmac::empty()?;
        // SAFETY: both contexts are live, and this one is keyed.
        done(unsafe { sys::CMAC_CTX_copy(state.0.as_mut(), self.0.as_ptr()) })?;
        for part in parts {
            // SAFETY: the context is keyed, and `part` is readable for its length.
            done(unsafe { sys::CMAC_Update(state.0.as_mut(), part.as_ptr(), part.len()) })?;
        }
        let (mut bytes, mut length) = ([0; BLOCK], 0);
        // SAFETY: the context is keyed, and `bytes` holds the block that is written.
        done(unsafe { sys::CMAC_Final(state.0.as_mut(), bytes.as_mut_ptr(), &mut length) })?;
        Some(Digest::new(&bytes))
    }

    fn empty() -> Option<Self> {
        // SAFETY: takes nothing; null is handled by `Owned::new`.
        Owned::new(unsafe { sys::CMAC_CTX_new() }, sys::CMAC_CTX_free).map(Cmac)
    }
}
