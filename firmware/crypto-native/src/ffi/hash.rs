//! Hashes, HMAC and what is built on HMAC.
//!
//! Invariants: an `EVP_MD` is static in AWS-LC and never freed; an [`HmacState`] is keyed and only copied afterwards, which
//! is a copy of plain memory (`HMAC_CTX_copy_ex`), so many threads may do it at once.

use core::mem::MaybeUninit;
use core::ptr;

use aws_lc_sys as sys;
use coloa_engine::{Digest, Hash};

use super::{Owned, done};

/// Bytes of the longest digest.
const MAX_DIGEST: usize = 64;
/// Rust aborts as well when there is no memory; AWS-LC fails here for nothing else.
const NO_MEMORY: &str = "AWS-LC refused to hash: out of memory";

/// AWS-LC's description of a hash.
pub(super) fn md(hash: Hash) -> *const sys::EVP_MD {
    // SAFETY: these take nothing and return a pointer to a static description.
    unsafe {
        match hash {
            Hash::Sha1 => sys::EVP_sha1(),
            Hash::Sha224 => sys::EVP_sha224(),
            Hash::Sha256 => sys::EVP_sha256(),
            Hash::Sha384 => sys::EVP_sha384(),
            Hash::Sha512 => sys::EVP_sha512(),
            Hash::Sha3_224 => sys::EVP_sha3_224(),
            Hash::Sha3_256 => sys::EVP_sha3_256(),
            Hash::Sha3_384 => sys::EVP_sha3_384(),
            Hash::Sha3_512 => sys::EVP_sha3_512(),
        }
    }
}

/// A hash's state with `parts` in it.
fn absorbed(md: *const sys::EVP_MD, parts: &[&[u8]]) -> Option<Owned<sys::EVP_MD_CTX>> {
    // SAFETY: takes nothing; null is handled by `Owned::new`.
    let mut context = Owned::new(unsafe { sys::EVP_MD_CTX_new() }, sys::EVP_MD_CTX_free)?;
    // SAFETY: the context is live and `md` is static; null stands for "no engine".
    done(unsafe { sys::EVP_DigestInit_ex(context.as_mut(), md, ptr::null_mut()) })?;
    for part in parts {
        // SAFETY: the context was initialised, and `part` is readable for its length.
        done(unsafe { sys::EVP_DigestUpdate(context.as_mut(), part.as_ptr().cast(), part.len()) })?;
    }
    Some(context)
}

/// Hashes the concatenation of `parts`.
pub(crate) fn digest(hash: Hash, parts: &[&[u8]]) -> Digest {
    let mut context = absorbed(md(hash), parts).expect(NO_MEMORY);
    let mut bytes = [0; MAX_DIGEST];
    let mut length = 0;
    // SAFETY: the context was initialised; `bytes` holds the longest digest, and the length is written beside it.
    let finished = unsafe { sys::EVP_DigestFinal_ex(context.as_mut(), bytes.as_mut_ptr(), &mut length) };
    done(finished).expect(NO_MEMORY);
    Digest::new(bytes.get(..length as usize).unwrap_or_default())
}

/// SHAKE256 (FIPS 202 §6.2) of the concatenation of `parts`.
pub(crate) fn shake256<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    // SAFETY: takes nothing and returns a pointer to a static description.
    let mut context = absorbed(unsafe { sys::EVP_shake256() }, parts).expect(NO_MEMORY);
    let mut bytes = [0; N];
    // SAFETY: the context was initialised with an XOF, and `bytes` is writable for its length.
    done(unsafe { sys::EVP_DigestFinalXOF(context.as_mut(), bytes.as_mut_ptr(), N) }).expect(NO_MEMORY);
    bytes
}

/// HMAC's state, keyed for one hash. AWS-LC's state is plain memory; it is wiped on drop.
pub(crate) struct HmacState(sys::HMAC_CTX);

// SAFETY: the state holds pointers to static data and plain memory.
unsafe impl Send for HmacState {}
// SAFETY: once keyed, the state is only copied from.
unsafe impl Sync for HmacState {}

impl HmacState {
    pub(crate) fn new(hash: Hash, key: &[u8]) -> Option<Self> {
        let mut state = HmacState(empty());
        // SAFETY: the state is initialised, `key` is readable for its length, and null stands for "no engine".
        let keyed =
            unsafe { sys::HMAC_Init_ex(&mut state.0, key.as_ptr().cast(), key.len(), md(hash), ptr::null_mut()) };
        done(keyed).map(|()| state)
    }

    /// The MAC of the concatenation of `parts`.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> Option<Digest> {
        let mut state = HmacState(empty());
        // SAFETY: both states are initialised.
        done(unsafe { sys::HMAC_CTX_copy_ex(&mut state.0, &self.0) })?;
        for part in parts {
            // SAFETY: the state is keyed (invariant of `HmacState`), and `part` is readable for its length.
            done(unsafe { sys::HMAC_Update(&mut state.0, part.as_ptr(), part.len()) })?;
        }
        let mut bytes = [0; MAX_DIGEST];
        let mut length = 0;
        // SAFETY: as above; `bytes` holds the longest MAC, and its length is written beside it.
        done(unsafe { sys::HMAC_Final(&mut state.0, bytes.as_mut_ptr(), &mut length) })?;
        bytes.get(..length as usize).map(Digest::new)
    }
}

impl Drop for HmacState {
    fn drop(&mut self) {
        // SAFETY: the state is initialised; it owns nothing but its own memory, which this wipes.
        unsafe { sys::HMAC_CTX_cleanse(&mut self.0) }
    }
}

fn empty() -> sys::HMAC_CTX {
    let mut state = MaybeUninit::<sys::HMAC_CTX>::zeroed();
    // SAFETY: `HMAC_CTX_init` initialises the memory it is given; all zeros are valid for what it leaves alone.
    unsafe {
        sys::HMAC_CTX_init(state.as_mut_ptr());
        state.assume_init()
    }
}

/// HKDF-Extract (RFC 5869 §2.2); `out` must be as long as the hash.
pub(crate) fn hkdf_extract(hash: Hash, secret: &[u8], salt: &[u8], out: &mut [u8]) -> Option<()> {
    if out.len() != hash.length() {
        return None;
    }
    let mut length = 0;
    // SAFETY: `out` holds the hash's output, which is what the function writes; the others are readable for their lengths.
    done(unsafe {
        let (secret, secret_length) = (secret.as_ptr(), secret.len());
        sys::HKDF_extract(out.as_mut_ptr(), &mut length, md(hash), secret, secret_length, salt.as_ptr(), salt.len())
    })
}

/// HKDF-Expand (RFC 5869 §2.3); none for an output that is too long.
pub(crate) fn hkdf_expand(hash: Hash, secret: &[u8], info: &[u8], out: &mut [u8]) -> Option<()> {
    // SAFETY: `out` is writable and the others are readable for their lengths.
    done(unsafe {
        let (secret, secret_length) = (secret.as_ptr(), secret.len());
        sys::HKDF_expand(out.as_mut_ptr(), out.len(), md(hash), secret, secret_length, info.as_ptr(), info.len())
    })
}

/// PBKDF2 (RFC 8018 §5.2).
pub(crate) fn pbkdf2(hash: Hash, password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) -> Option<()> {
    let (password, password_length) = (password.as_ptr().cast(), password.len());
    let (salt, salt_length, length) = (salt.as_ptr(), salt.len(), out.len());
    let out = out.as_mut_ptr();
    // SAFETY: `out` is writable and the others are readable for their lengths.
    done(unsafe {
        sys::PKCS5_PBKDF2_HMAC(password, password_length, salt, salt_length, iterations, md(hash), length, out)
    })
}
