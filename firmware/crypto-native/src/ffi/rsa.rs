//! RSA (RFC 8017): keys, signatures and encryption, blinded and checked for faults by AWS-LC.
//!
//! Invariant: an [`RsaKey`] holds an `RSA`, and after it was made nothing is set in it. Most functions take it by mutable
//! pointer, because they fill its caches under its own lock: AWS-LC allows that from many threads
//! (`include/openssl/rsa.h`).

use core::ffi::c_int;
use core::ptr;

use aws_lc_sys as sys;
use coloa_engine::Hash;
use coloa_engine::crypto::RSA_BITS;
use zeroize::Zeroizing;

use super::hash::md;
use super::pkey::{Context, Pkey};
use super::{Owned, done, forget_errors, number};

/// The public exponent of what is generated, and the least that is loaded.
const EXPONENT: [u8; 3] = [1, 0, 1];
/// Bits of [`EXPONENT`]; an odd number of as many bits is at least as large.
const EXPONENT_BITS: u32 = 17;

/// A key: public, and unless it was made from a public key alone, private.
pub(crate) struct RsaKey {
    key: Pkey,
    length: usize,
}

impl RsaKey {
    /// A fresh pair; none when AWS-LC refused.
    pub(crate) fn generate(bits: u32) -> Option<Self> {
        let exponent = number(&EXPONENT)?;
        // SAFETY: takes nothing; null is handled by `Owned::new`.
        let mut rsa = Owned::new(unsafe { sys::RSA_new() }, sys::RSA_free)?;
        let bits = c_int::try_from(bits).ok()?;
        // SAFETY: both are live; null stands for "no callback".
        done(unsafe { sys::RSA_generate_key_ex(rsa.as_mut(), bits, exponent.as_ptr(), ptr::null_mut()) })?;
        RsaKey::new(rsa)
    }

    /// From a DER `RSAPrivateKey` with all its numbers, which AWS-LC checks to belong together.
    pub(crate) fn from_secret(der: &[u8]) -> Option<Self> {
        // SAFETY: `der` is readable for its length; null is handled by `parsed`.
        let key = parsed(unsafe { sys::RSA_private_key_from_bytes(der.as_ptr(), der.len()) })?;
        // SAFETY: the key is live, and the number belongs to it. AWS-LC leaves it out for a key that has n and d only.
        (!unsafe { sys::RSA_get0_iqmp(key.rsa()) }.is_null()).then_some(key)
    }

    /// From a DER `RSAPublicKey`.
    pub(crate) fn from_public(der: &[u8]) -> Option<Self> {
        // SAFETY: `der` is readable for its length; null is handled by `parsed`.
        parsed(unsafe { sys::RSA_public_key_from_bytes(der.as_ptr(), der.len()) })
    }

    /// Takes a key whose modulus and exponent are ones we take.
    fn new(rsa: Owned<sys::RSA>) -> Option<Self> {
        // SAFETY: the key is live, and the exponent, checked for null, belongs to it.
        let (bits, exponent) = unsafe {
            let exponent = sys::RSA_get0_e(rsa.as_ptr());
            (sys::RSA_bits(rsa.as_ptr()), if exponent.is_null() { 0 } else { sys::BN_num_bits(exponent) })
        };
        if !RSA_BITS.contains(&bits) || bits % 8 != 0 || exponent < EXPONENT_BITS {
            return None;
        }
        // SAFETY: takes nothing; null is handled by `Pkey::new`.
        let mut key = Pkey::new(unsafe { sys::EVP_PKEY_new() })?;
        // SAFETY: both are live; the key counts a reference to the RSA, so ours may go.
        done(unsafe { sys::EVP_PKEY_set1_RSA(key.as_mut(), rsa.as_ptr().cast_mut()) })?;
        Some(RsaKey { key, length: usize::try_from(bits / 8).ok()? })
    }

    /// Bytes of the modulus, of a signature and of a ciphertext.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    fn rsa(&self) -> *mut sys::RSA {
        // SAFETY: the key is live and holds an RSA, which lives as long as it.
        unsafe { sys::EVP_PKEY_get0_RSA(self.key.as_ptr()) }
    }

    /// DER `RSAPublicKey`.
    pub(crate) fn public(&self) -> Option<Vec<u8>> {
        let der = self.der(sys::RSA_public_key_to_bytes)?;
        Some(der.to_vec())
    }

    /// DER `RSAPrivateKey`.
    pub(crate) fn secret(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.der(sys::RSA_private_key_to_bytes)
    }

    fn der(
        &self,
        write: unsafe extern "C" fn(*mut *mut u8, *mut usize, *const sys::RSA) -> c_int,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (mut bytes, mut length) = (ptr::null_mut(), 0);
        // SAFETY: the key is live; the bytes that are written become ours.
        done(unsafe { write(&mut bytes, &mut length, self.rsa()) })?;
        // SAFETY: AWS-LC wrote `length` bytes there, and frees and wipes them when we are done.
        unsafe {
            let copy = Zeroizing::new(core::slice::from_raw_parts(bytes, length).to_vec());
            sys::OPENSSL_free(bytes.cast());
            Some(copy)
        }
    }

    /// The private exponent, as long as the modulus; none for a public key.
    pub(crate) fn exponent(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(vec![0; self.length]);
        // SAFETY: the key is live; the number belongs to it, is checked for null and is not kept.
        let written = unsafe {
            let exponent = sys::RSA_get0_d(self.rsa());
            !exponent.is_null() && sys::BN_bn2bin_padded(bytes.as_mut_ptr(), bytes.len(), exponent) == 1
        };
        written.then_some(bytes)
    }

    /// Whether a number is 0, 1 or the modulus less 1, which AWS-LC's private operation refuses: anybody knows that it leaves
    /// them as they are.
    pub(crate) fn is_fixed(&self, number: &[u8]) -> bool {
        let mut modulus = vec![0; self.length];
        // SAFETY: the key is live and has a modulus, which belongs to it; `modulus` is writable for its length.
        let written =
            unsafe { sys::BN_bn2bin_padded(modulus.as_mut_ptr(), modulus.len(), sys::RSA_get0_n(self.rsa())) };
        let Some((last, rest)) = number.split_last() else { return false };
        let Some((modulus_last, modulus_rest)) = modulus.split_last() else { return false };
        // The modulus is odd.
        let less_one = rest == modulus_rest && last ^ 1 == *modulus_last;
        written == 1 && (less_one && last % 2 == 0 || *last <= 1 && rest.iter().all(|&byte| byte == 0))
    }

    /// RSASSA-PKCS1-v1_5 over a digest, or over what the caller puts in place of the DigestInfo.
    pub(crate) fn sign(&self, hash: Option<Hash>, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.length];
        let (out, bytes, length) = (signature.as_mut_ptr(), message.as_ptr(), message.len());
        let (mut written, mut written_raw) = (0, 0);
        // SAFETY: the key is live, the signature is as long as the modulus, and `message` is readable for its length.
        done(unsafe {
            match hash {
                Some(hash) => sys::RSA_sign(nid(hash), bytes, length, out, &mut written, self.rsa()),
                None => {
                    let padding = sys::RSA_PKCS1_PADDING;
                    sys::RSA_sign_raw(self.rsa(), &mut written_raw, out, self.length, bytes, length, padding)
                }
            }
        })?;
        Some(signature)
    }

    /// Whether this is a signature of RSASSA-PKCS1-v1_5.
    pub(crate) fn verify(&self, hash: Option<Hash>, message: &[u8], signature: &[u8]) -> bool {
        let (bytes, length) = (signature.as_ptr(), signature.len());
        let Some(hash) = hash else { return self.recover(signature).is_some_and(|signed| signed == message) };
        // SAFETY: the key is live, and digest and signature are readable for their lengths.
        let verified =
            unsafe { sys::RSA_verify(nid(hash), message.as_ptr(), message.len(), bytes, length, self.rsa()) };
        done(verified).is_some()
    }

    /// What was signed without a hash.
    fn recover(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let (mut out, mut written) = (vec![0; self.length], 0);
        let (bytes, length, padding) = (signature.as_ptr(), signature.len(), sys::RSA_PKCS1_PADDING);
        // SAFETY: the key is live, `out` is as long as the modulus, and the signature is readable for its length.
        done(unsafe {
            sys::RSA_verify_raw(self.rsa(), &mut written, out.as_mut_ptr(), out.len(), bytes, length, padding)
        })?;
        out.truncate(written);
        Some(out)
    }

    /// RSASSA-PSS over a digest of the hash's length.
    pub(crate) fn sign_pss(&self, hash: Hash, mgf: Hash, salt: usize, digest: &[u8]) -> Option<Vec<u8>> {
        let (mut signature, mut written) = (vec![0; self.length], 0);
        let (out, bytes, length) = (signature.as_mut_ptr(), digest.as_ptr(), digest.len());
        let salt = c_int::try_from(salt).ok()?;
        // SAFETY: the key is live, the signature is as long as the modulus, and `digest` is readable for its length,
        // which the function checks.
        done(unsafe {
            let (rsa, hash, mgf) = (self.rsa(), md(hash), md(mgf));
            sys::RSA_sign_pss_mgf1(rsa, &mut written, out, self.length, bytes, length, hash, mgf, salt)
        })?;
        Some(signature)
    }

    /// Whether this is a signature of RSASSA-PSS with a salt of this length.
    pub(crate) fn verify_pss(&self, hash: Hash, mgf: Hash, salt: usize, digest: &[u8], signature: &[u8]) -> bool {
        let Ok(salt) = c_int::try_from(salt) else { return false };
        let (bytes, length) = (digest.as_ptr(), digest.len());
        // SAFETY: the key is live, and digest and signature are readable for their lengths, which the function checks.
        let verified = unsafe {
            let (rsa, hash, mgf, sig, sig_length) =
                (self.rsa(), md(hash), md(mgf), signature.as_ptr(), signature.len());
            sys::RSA_verify_pss_mgf1(rsa, bytes, length, hash, mgf, salt, sig, sig_length)
        };
        done(verified).is_some()
    }

    /// RSAES-PKCS1-v1_5 encryption of a text that fits.
    pub(crate) fn encrypt(&self, text: &[u8]) -> Option<Vec<u8>> {
        let (mut out, mut written) = (vec![0; self.length], 0);
        let (bytes, length, padding) = (text.as_ptr(), text.len(), sys::RSA_PKCS1_PADDING);
        // SAFETY: the key is live, `out` is as long as the modulus, and `text` is readable for its length.
        done(unsafe {
            sys::RSA_encrypt(self.rsa(), &mut written, out.as_mut_ptr(), out.len(), bytes, length, padding)
        })?;
        (written == out.len()).then_some(out)
    }

    /// The private operation alone, blinded: the padded message. None for a number that is not below the modulus, or 0,
    /// 1 or the modulus less 1: what anybody sees.
    pub(crate) fn decrypt_raw(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (mut out, mut written) = (Zeroizing::new(vec![0; self.length]), 0);
        let (bytes, length, padding) = (ciphertext.as_ptr(), ciphertext.len(), sys::RSA_NO_PADDING);
        // SAFETY: the key is live, `out` is as long as the modulus, and the ciphertext is readable for its length.
        done(unsafe {
            sys::RSA_decrypt(self.rsa(), &mut written, out.as_mut_ptr(), out.len(), bytes, length, padding)
        })?;
        (written == out.len()).then_some(out)
    }

    /// RSAES-OAEP encryption of a text that fits.
    pub(crate) fn encrypt_oaep(&self, oaep: &Oaep<'_>, text: &[u8]) -> Option<Vec<u8>> {
        let mut context = self.key.context()?;
        // SAFETY: the context is live with its key.
        done(unsafe { sys::EVP_PKEY_encrypt_init(context.as_mut()) })?;
        oaep.set(&mut context)?;
        let (mut out, mut written) = (vec![0; self.length], self.length);
        // SAFETY: as above; `out` is as long as the modulus, and `text` is readable for its length.
        done(unsafe {
            sys::EVP_PKEY_encrypt(context.as_mut(), out.as_mut_ptr(), &mut written, text.as_ptr(), text.len())
        })?;
        (written == out.len()).then_some(out)
    }

    /// RSAES-OAEP decryption; none, in a time that does not tell why, for what is not authentic.
    pub(crate) fn decrypt_oaep(&self, oaep: &Oaep<'_>, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut context = self.key.context()?;
        // SAFETY: the context is live with its key.
        done(unsafe { sys::EVP_PKEY_decrypt_init(context.as_mut()) })?;
        oaep.set(&mut context)?;
        let (mut out, mut written) = (Zeroizing::new(vec![0; self.length]), self.length);
        let (bytes, length) = (ciphertext.as_ptr(), ciphertext.len());
        // SAFETY: as above; `out` is as long as the modulus, and the ciphertext is readable for its length.
        done(unsafe { sys::EVP_PKEY_decrypt(context.as_mut(), out.as_mut_ptr(), &mut written, bytes, length) })?;
        out.truncate(written);
        Some(out)
    }
}

/// The parameters of OAEP.
pub(crate) struct Oaep<'a> {
    pub(crate) hash: Hash,
    pub(crate) mgf: Hash,
    pub(crate) label: &'a [u8],
}

impl Oaep<'_> {
    fn set(&self, context: &mut Context) -> Option<()> {
        let padding = sys::RSA_PKCS1_OAEP_PADDING;
        // SAFETY: the context is live with an RSA key and its operation set; the hashes are static.
        done(unsafe { sys::EVP_PKEY_CTX_set_rsa_padding(context.as_mut(), padding) })?;
        // SAFETY: as above.
        done(unsafe { sys::EVP_PKEY_CTX_set_rsa_oaep_md(context.as_mut(), md(self.hash)) })?;
        // SAFETY: as above.
        done(unsafe { sys::EVP_PKEY_CTX_set_rsa_mgf1_md(context.as_mut(), md(self.mgf)) })?;
        self.set_label(context)
    }

    fn set_label(&self, context: &mut Context) -> Option<()> {
        if self.label.is_empty() {
            return Some(());
        }
        // SAFETY: the label is readable for its length; null is handled by `Owned::new`.
        let copy = unsafe { sys::OPENSSL_memdup(self.label.as_ptr().cast(), self.label.len()) };
        let label = Owned::new(copy.cast::<u8>(), free_bytes)?;
        let pointer = label.as_ptr().cast_mut();
        // SAFETY: the context is live, and takes the label over when this succeeds.
        done(unsafe { sys::EVP_PKEY_CTX_set0_rsa_oaep_label(context.as_mut(), pointer, self.label.len()) })?;
        label.release();
        Some(())
    }
}

/// # Safety
/// `bytes` must come from AWS-LC's allocator and not be used again.
unsafe extern "C" fn free_bytes(bytes: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { sys::OPENSSL_free(bytes.cast()) }
}

fn parsed(rsa: *mut sys::RSA) -> Option<RsaKey> {
    let key = Owned::new(rsa, sys::RSA_free).and_then(RsaKey::new);
    if key.is_none() {
        forget_errors();
    }
    key
}

fn nid(hash: Hash) -> c_int {
    // SAFETY: the description is static.
    unsafe { sys::EVP_MD_type(md(hash)) }
}
