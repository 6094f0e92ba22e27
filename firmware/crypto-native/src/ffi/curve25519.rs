//! Ed25519 (RFC 8032) and X25519 (RFC 7748). AWS-LC takes plain bytes of fixed length here, so the keys are Rust's.

use aws_lc_sys as sys;
use zeroize::Zeroizing;

use super::done;

/// Bytes of a seed, scalar or point.
pub(crate) const POINT: usize = 32;
/// Bytes of a signature, and of AWS-LC's private key: the seed and the public key.
pub(crate) const SIGNATURE: usize = 64;

/// A private key of Ed25519.
pub(crate) struct Ed25519(Zeroizing<[u8; SIGNATURE]>);

impl Ed25519 {
    pub(crate) fn from_seed(seed: &[u8; POINT]) -> Self {
        let mut key = Ed25519(Zeroizing::new([0; SIGNATURE]));
        let mut public = [0; POINT];
        // SAFETY: all three have the lengths that the function writes and reads.
        unsafe { sys::ED25519_keypair_from_seed(public.as_mut_ptr(), key.0.as_mut_ptr(), seed.as_ptr()) }
        key
    }

    pub(crate) fn public(&self) -> Option<[u8; POINT]> {
        self.0.last_chunk().copied()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; SIGNATURE];
        // SAFETY: the signature and the key have the lengths the function writes and reads; `message` has its own.
        let signed =
            unsafe { sys::ED25519_sign(signature.as_mut_ptr(), message.as_ptr(), message.len(), self.0.as_ptr()) };
        done(signed).map(|()| signature)
    }
}

/// Whether this is the signature that the key's owner made over the message.
pub(crate) fn verify_ed25519(public: &[u8; POINT], message: &[u8], signature: &[u8; SIGNATURE]) -> bool {
    // SAFETY: signature and key have the lengths the function reads; `message` has its own.
    let verified = unsafe { sys::ED25519_verify(message.as_ptr(), message.len(), signature.as_ptr(), public.as_ptr()) };
    done(verified).is_some()
}

/// A private key of X25519.
pub(crate) struct X25519(Zeroizing<[u8; POINT]>);

impl X25519 {
    pub(crate) fn new(secret: &[u8; POINT]) -> Self {
        X25519(Zeroizing::new(*secret))
    }

    pub(crate) fn public(&self) -> [u8; POINT] {
        let mut public = [0; POINT];
        // SAFETY: both have the lengths that the function writes and reads.
        unsafe { sys::X25519_public_from_private(public.as_mut_ptr(), self.0.as_ptr()) }
        public
    }

    /// The shared secret; none when it is zero, as it is for points of small order (RFC 7748 §6.1).
    pub(crate) fn agree(&self, peer: &[u8; POINT]) -> Option<Zeroizing<Vec<u8>>> {
        let mut shared = Zeroizing::new(vec![0; POINT]);
        // SAFETY: all three have the lengths that the function writes and reads.
        done(unsafe { sys::X25519(shared.as_mut_ptr(), self.0.as_ptr(), peer.as_ptr()) })?;
        Some(shared)
    }
}
