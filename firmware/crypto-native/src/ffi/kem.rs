//! ML-KEM (FIPS 203).

use core::ffi::c_int;
use core::mem::MaybeUninit;

use aws_lc_sys as sys;
use coloa_engine::crypto::{ML_KEM_SEED, MlKem};
use zeroize::Zeroizing;

use super::done;
use super::pkey::Pkey;

/// Bytes of a shared secret.
const SHARED: usize = 32;
/// Bytes at the end of a decapsulation key: the hash of the encapsulation key, and `z` (FIPS 203 algorithm 16).
const HASH_AND_Z: usize = 64;

/// A `PrivateKeyInfo` (RFC 5208 §5) up to the last number of the algorithm's identifier, 2.16.840.1.101.3.4.4.
const PKCS8: [u8; 17] =
    [0x30, 0x54, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04];
/// The private key's octet string with the seed, 64 bytes, as its choice 0.
const SEED_CHOICE: [u8; 4] = [0x04, 0x42, 0x80, 0x40];

/// A key: for encapsulation, and unless it was made from a public key alone, for decapsulation.
pub(crate) struct KemKey {
    key: Pkey,
    set: MlKem,
}

impl KemKey {
    /// From a seed or a decapsulation key; the length tells which. A decapsulation key passes FIPS 203 §7.3's checks.
    pub(crate) fn from_secret(set: MlKem, secret: &[u8]) -> Option<Self> {
        match secret.len() {
            ML_KEM_SEED => KemKey::from_seed(set, secret),
            length if length == set.private() => KemKey::from_expanded(set, secret),
            _ => None,
        }
    }

    /// By way of PKCS#8 with the seed alone (RFC 9935 §6), the form in which AWS-LC's stable functions take a seed.
    fn from_seed(set: MlKem, seed: &[u8]) -> Option<Self> {
        let mut der = Zeroizing::new(Vec::with_capacity(PKCS8.len() + 1 + SEED_CHOICE.len() + seed.len()));
        der.extend_from_slice(&PKCS8);
        der.push(identifier(set));
        der.extend_from_slice(&SEED_CHOICE);
        der.extend_from_slice(seed);
        let mut bytes = MaybeUninit::<sys::CBS>::uninit();
        // SAFETY: `CBS_init` initialises the reader; `der` is readable for its length and outlives the parsing, which
        // copies. A key that is made becomes ours.
        let key = unsafe {
            sys::CBS_init(bytes.as_mut_ptr(), der.as_ptr(), der.len());
            sys::EVP_parse_private_key(bytes.as_mut_ptr())
        };
        Pkey::new(key).map(|key| KemKey { key, set })
    }

    fn from_expanded(set: MlKem, secret: &[u8]) -> Option<Self> {
        let end = secret.len().checked_sub(HASH_AND_Z)?;
        let public = secret.get(end.checked_sub(set.public())?..end)?;
        let (bytes, length) = (secret.as_ptr(), secret.len());
        // SAFETY: both are readable for their lengths, which the function checks.
        let key = unsafe { sys::EVP_PKEY_kem_new_raw_key(nid(set), public.as_ptr(), public.len(), bytes, length) };
        Pkey::new(key).map(|key| KemKey { key, set })?.checked()
    }

    /// From an encapsulation key, which passes FIPS 203 §7.2's check.
    pub(crate) fn from_public(set: MlKem, public: &[u8]) -> Option<Self> {
        // SAFETY: `public` is readable for its length, which the function checks.
        let key = unsafe { sys::EVP_PKEY_kem_new_raw_public_key(nid(set), public.as_ptr(), public.len()) };
        Pkey::new(key).map(|key| KemKey { key, set })?.checked()
    }

    /// The checks of its encoding, and for a pair that the halves belong together.
    fn checked(self) -> Option<Self> {
        let mut context = self.key.context()?;
        // SAFETY: the context is live with its key, which the function reads.
        done(unsafe { sys::EVP_PKEY_public_check(context.as_mut()) })?;
        Some(self)
    }

    pub(crate) fn set(&self) -> MlKem {
        self.set
    }

    pub(crate) fn expanded(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.key.secret(self.set.private())
    }

    pub(crate) fn public(&self) -> Option<Vec<u8>> {
        self.key.public(self.set.public())
    }

    /// A ciphertext and the shared secret in it.
    pub(crate) fn encapsulate(&self) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
        let mut context = self.key.context()?;
        let (mut length, mut shared_length) = (self.set.ciphertext(), SHARED);
        let (mut ciphertext, mut shared) = (vec![0; length], Zeroizing::new(vec![0; SHARED]));
        // SAFETY: the context is live with its key, and both are writable for the lengths given.
        done(unsafe {
            let (out, shared_out) = (ciphertext.as_mut_ptr(), shared.as_mut_ptr());
            sys::EVP_PKEY_encapsulate(context.as_mut(), out, &mut length, shared_out, &mut shared_length)
        })?;
        ((length, shared_length) == (ciphertext.len(), SHARED)).then_some((ciphertext, shared))
    }

    /// The shared secret of a ciphertext of the right length.
    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut context = self.key.context()?;
        let (mut shared, mut length) = (Zeroizing::new(vec![0; SHARED]), SHARED);
        // SAFETY: the context is live with its key; the ciphertext is readable and the secret writable for the lengths
        // given.
        done(unsafe {
            let (bytes, bytes_length) = (ciphertext.as_ptr(), ciphertext.len());
            sys::EVP_PKEY_decapsulate(context.as_mut(), shared.as_mut_ptr(), &mut length, bytes, bytes_length)
        })?;
        (length == SHARED).then_some(shared)
    }
}

fn nid(set: MlKem) -> c_int {
    match set {
        MlKem::L512 => sys::NID_MLKEM512,
        MlKem::L768 => sys::NID_MLKEM768,
        MlKem::L1024 => sys::NID_MLKEM1024,
    }
}

/// The last number of a parameter set's object identifier.
fn identifier(set: MlKem) -> u8 {
    match set {
        MlKem::L512 => 1,
        MlKem::L768 => 2,
        MlKem::L1024 => 3,
    }
}
