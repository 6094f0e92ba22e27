//! ML-DSA over an external mu (FIPS 204 §6.2, algorithm 7 from line 7), which aws-lc-rs does not expose.

use core::ffi::c_int;

use aws_lc_sys as sys;
use coloa_engine::crypto::MlDsa;
use zeroize::Zeroizing;

use super::done;
use super::pkey::Pkey;

/// Bytes of mu, the message representative.
pub(crate) const MU: usize = 64;

/// A key: public, and unless it was made from a public key alone, private.
pub(crate) struct MlDsaKey {
    key: Pkey,
    set: MlDsa,
}

impl MlDsaKey {
    /// From a seed or an expanded key; the length tells which. AWS-LC refuses an expanded key whose parts do not belong
    /// together.
    pub(crate) fn from_secret(set: MlDsa, secret: &[u8]) -> Option<Self> {
        // SAFETY: `secret` is readable for its length, which the function checks.
        let key = unsafe { sys::EVP_PKEY_pqdsa_new_raw_private_key(nid(set), secret.as_ptr(), secret.len()) };
        Pkey::new(key).map(|key| MlDsaKey { key, set })
    }

    /// From a public key.
    pub(crate) fn from_public(set: MlDsa, public: &[u8]) -> Option<Self> {
        // SAFETY: `public` is readable for its length, which the function checks.
        let key = unsafe { sys::EVP_PKEY_pqdsa_new_raw_public_key(nid(set), public.as_ptr(), public.len()) };
        Pkey::new(key).map(|key| MlDsaKey { key, set })
    }

    pub(crate) fn expanded(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.key.secret(self.set.private())
    }

    pub(crate) fn public(&self) -> Option<Vec<u8>> {
        self.key.public(self.set.public())
    }

    pub(crate) fn set(&self) -> MlDsa {
        self.set
    }

    /// Signs, hedged with AWS-LC's randomness.
    pub(crate) fn sign(&self, mu: &[u8; MU]) -> Option<Vec<u8>> {
        let mut context = self.key.context()?;
        let mut length = self.set.signature();
        let mut signature = vec![0; length];
        // SAFETY: the context is live with its key; the signature is writable for the length given.
        done(unsafe { sys::EVP_PKEY_sign_init(context.as_mut()) })?;
        // SAFETY: as above, and `mu` is readable for its length.
        done(unsafe { sys::EVP_PKEY_sign(context.as_mut(), signature.as_mut_ptr(), &mut length, mu.as_ptr(), MU) })?;
        (length == signature.len()).then_some(signature)
    }

    pub(crate) fn verify(&self, mu: &[u8; MU], signature: &[u8]) -> bool {
        let Some(mut context) = self.key.context() else { return false };
        // SAFETY: the context is live with its key; signature and `mu` are readable for their lengths.
        let verified = unsafe {
            sys::EVP_PKEY_verify_init(context.as_mut()) == 1
                && sys::EVP_PKEY_verify(context.as_mut(), signature.as_ptr(), signature.len(), mu.as_ptr(), MU) == 1
        };
        done(c_int::from(verified)).is_some()
    }
}

fn nid(set: MlDsa) -> c_int {
    match set {
        MlDsa::L44 => sys::NID_MLDSA44,
        MlDsa::L65 => sys::NID_MLDSA65,
        MlDsa::L87 => sys::NID_MLDSA87,
    }
}
