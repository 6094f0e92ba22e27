//! ECDSA over a digest of any length, which aws-lc-rs does not expose, and ECDH: EC keys of AWS-LC behind safe methods.
//!
//! aws-lc-rs ties a digest's length to the curve and takes signatures through DER; AWS-LC itself does neither.
//! Invariants, on which the `SAFETY` lines rest:
//! - an [`EcKey`] has its group and its public point set; [`EcKey::secret`] and [`EcKey::sign`] check for the scalar;
//! - after it was made an `EC_KEY` is only read, which AWS-LC allows from many threads (`include/openssl/ec_key.h`).

use core::ffi::c_int;
use core::ptr;

use aws_lc_sys as sys;
use coloa_engine::Curve;
use zeroize::Zeroizing;

use super::{Owned, forget_errors, number};

/// Bytes of the longest uncompressed point, P-521's.
const MAX_POINT: usize = 1 + 2 * 66;

/// An EC key: its public point and, unless it was made from a point alone, its secret scalar. AWS-LC wipes what it
/// frees.
pub(crate) struct EcKey {
    key: Owned<sys::EC_KEY>,
    curve: Curve,
}

// SAFETY: an EC_KEY is not bound to the thread that made it.
unsafe impl Send for EcKey {}
// SAFETY: every method takes the key by const pointer once it is made, and AWS-LC documents such use as thread-safe.
unsafe impl Sync for EcKey {}

impl EcKey {
    /// A fresh key pair (FIPS 186-5 A.2.1); none when AWS-LC refused, which for these curves means no randomness.
    pub(crate) fn generate(curve: Curve) -> Option<Self> {
        let mut key = EcKey::empty(curve)?;
        // SAFETY: `key` is a live EC_KEY with its group set, and we are its only user.
        let made = unsafe { sys::EC_KEY_generate_key(key.key.as_mut()) };
        (made == 1).then_some(key)
    }

    /// From a scalar of exactly [`Curve::scalar`] bytes in `1..n`.
    pub(crate) fn from_secret(curve: Curve, secret: &[u8]) -> Option<Self> {
        let scalar = scalar(curve, secret)?;
        let mut key = EcKey::empty(curve)?;
        key.set_secret(&scalar)?;
        let mut point = Owned::new(
            // SAFETY: the group is static in AWS-LC and never freed.
            unsafe { sys::EC_POINT_new(group(curve)) },
            sys::EC_POINT_free,
        )?;
        // SAFETY: all pointers are live and of one group; null stands for "no second product" and "no context".
        let multiplied = unsafe {
            let (none, no_context) = (ptr::null(), ptr::null_mut());
            sys::EC_POINT_mul(group(curve), point.as_mut(), scalar.as_ptr(), none, ptr::null(), no_context)
        };
        // SAFETY: both objects are live; the function copies the point.
        let set = multiplied == 1 && unsafe { sys::EC_KEY_set_public_key(key.key.as_mut(), point.as_ptr()) } == 1;
        set.then_some(key)
    }

    /// From both halves, which nobody has compared: the pairwise test does, without computing the public one again.
    pub(crate) fn from_halves(curve: Curve, secret: &[u8], public: &[u8]) -> Option<Self> {
        let mut key = EcKey::from_point(curve, public)?;
        key.set_secret(&scalar(curve, secret)?)?;
        Some(key)
    }

    fn set_secret(&mut self, scalar: &Owned<sys::BIGNUM>) -> Option<()> {
        // SAFETY: both objects are live; the function copies the scalar and refuses one that is not in 1..n.
        if unsafe { sys::EC_KEY_set_private_key(self.key.as_mut(), scalar.as_ptr()) } != 1 {
            forget_errors();
            return None;
        }
        Some(())
    }

    /// From an uncompressed point on the curve, not at infinity.
    pub(crate) fn from_point(curve: Curve, point: &[u8]) -> Option<Self> {
        if point.len() != point_length(curve) || point.first() != Some(&4) {
            return None;
        }
        let mut key = EcKey::empty(curve)?;
        let mut parsed = Owned::new(
            // SAFETY: the group is static in AWS-LC and never freed.
            unsafe { sys::EC_POINT_new(group(curve)) },
            sys::EC_POINT_free,
        )?;
        // SAFETY: the point is live and of this group, and `point` is readable for its length. The function refuses
        // coordinates out of range and points off the curve.
        let read = unsafe {
            let (bytes, length) = (point.as_ptr(), point.len());
            sys::EC_POINT_oct2point(group(curve), parsed.as_mut(), bytes, length, ptr::null_mut())
        };
        // SAFETY: both objects are live; the function copies the point.
        let set = read == 1 && unsafe { sys::EC_KEY_set_public_key(key.key.as_mut(), parsed.as_ptr()) } == 1;
        if !set {
            forget_errors();
            return None;
        }
        Some(key)
    }

    pub(crate) fn curve(&self) -> Curve {
        self.curve
    }

    /// The uncompressed public point.
    pub(crate) fn public(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; MAX_POINT];
        let form = sys::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;
        // SAFETY: the key is live, its point belongs to it, and `bytes` is writable for the length given.
        let length = unsafe {
            let point = sys::EC_KEY_get0_public_key(self.key.as_ptr());
            sys::EC_POINT_point2oct(group(self.curve), point, form, bytes.as_mut_ptr(), bytes.len(), ptr::null_mut())
        };
        bytes.truncate(length);
        (length == point_length(self.curve)).then_some(bytes)
    }

    /// The scalar, [`Curve::scalar`] bytes; none when this key was made from a point.
    pub(crate) fn secret(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(vec![0; self.curve.scalar()]);
        // SAFETY: the key is live; the scalar belongs to it, is checked for null and is not kept.
        let written = unsafe {
            let scalar = sys::EC_KEY_get0_private_key(self.key.as_ptr());
            !scalar.is_null() && sys::BN_bn2bin_padded(bytes.as_mut_ptr(), bytes.len(), scalar) == 1
        };
        written.then_some(bytes)
    }

    /// Signs a digest, which AWS-LC cuts to the curve's size (FIPS 186-5 §6.4.1), with a fresh nonce from its DRBG.
    /// Returns `r ‖ s`; none without a scalar or without randomness.
    pub(crate) fn sign(&self, digest: &[u8]) -> Option<Vec<u8>> {
        let signature = Owned::new(
            // SAFETY: `digest` is readable for its length and the key is live; a key without a scalar gives null.
            unsafe { sys::ECDSA_do_sign(digest.as_ptr(), digest.len(), self.key.as_ptr()) },
            sys::ECDSA_SIG_free,
        )?;
        let half = self.curve.scalar();
        let mut bytes = vec![0; 2 * half];
        let (r_bytes, s_bytes) = bytes.split_at_mut(half);
        let (mut r, mut s) = (ptr::null(), ptr::null());
        // SAFETY: the signature is live and owns `r` and `s`, which are read before it is dropped; each half is
        // writable for its length.
        let written = unsafe {
            sys::ECDSA_SIG_get0(signature.as_ptr(), &mut r, &mut s);
            sys::BN_bn2bin_padded(r_bytes.as_mut_ptr(), half, r) == 1
                && sys::BN_bn2bin_padded(s_bytes.as_mut_ptr(), half, s) == 1
        };
        written.then_some(bytes)
    }

    /// Whether `r ‖ s` is this key's signature over the digest.
    pub(crate) fn verify(&self, digest: &[u8], signature: &[u8]) -> bool {
        let Some(parsed) = self.parse_signature(signature) else { return false };
        // SAFETY: `digest` is readable for its length; signature and key are live.
        let verified =
            unsafe { sys::ECDSA_do_verify(digest.as_ptr(), digest.len(), parsed.as_ptr(), self.key.as_ptr()) };
        if verified != 1 {
            forget_errors();
        }
        verified == 1
    }

    /// The x coordinate of the shared point (SP 800-56A §5.7.1.2); none without a scalar.
    pub(crate) fn agree(&self, peer: &EcKey) -> Option<Zeroizing<Vec<u8>>> {
        let mut shared = Zeroizing::new(vec![0; self.curve.scalar()]);
        // SAFETY: both keys are live, the peer's has its point, which lives as long as it; the coordinate fits exactly. No
        // function to derive with: the coordinate itself is written.
        let written = unsafe {
            let point = sys::EC_KEY_get0_public_key(peer.key.as_ptr());
            sys::ECDH_compute_key(shared.as_mut_ptr().cast(), shared.len(), point, self.key.as_ptr(), None)
        };
        if usize::try_from(written) != Ok(shared.len()) {
            forget_errors();
            return None;
        }
        Some(shared)
    }

    fn parse_signature(&self, signature: &[u8]) -> Option<Owned<sys::ECDSA_SIG>> {
        if signature.len() != 2 * self.curve.scalar() {
            return None;
        }
        let (r, s) = signature.split_at_checked(self.curve.scalar())?;
        let (r, s) = (number(r)?, number(s)?);
        let mut parsed = Owned::new(
            // SAFETY: takes nothing; null is handled by `Owned::new`.
            unsafe { sys::ECDSA_SIG_new() },
            sys::ECDSA_SIG_free,
        )?;
        // SAFETY: all three are live and not null, so the signature takes `r` and `s` over and frees them.
        let set = unsafe { sys::ECDSA_SIG_set0(parsed.as_mut(), r.release(), s.release()) };
        (set == 1).then_some(parsed)
    }

    fn empty(curve: Curve) -> Option<Self> {
        // SAFETY: takes a number; null is handled by `Owned::new`.
        let key = Owned::new(unsafe { sys::EC_KEY_new_by_curve_name(nid(curve)) }, sys::EC_KEY_free)?;
        Some(EcKey { key, curve })
    }
}

/// A scalar of exactly [`Curve::scalar`] bytes.
fn scalar(curve: Curve, secret: &[u8]) -> Option<Owned<sys::BIGNUM>> {
    (secret.len() == curve.scalar()).then(|| number(secret)).flatten()
}

fn group(curve: Curve) -> *const sys::EC_GROUP {
    // SAFETY: these take nothing and return a pointer to a static group.
    unsafe {
        match curve {
            Curve::P256 => sys::EC_group_p256(),
            Curve::P384 => sys::EC_group_p384(),
            Curve::P521 => sys::EC_group_p521(),
        }
    }
}

fn nid(curve: Curve) -> c_int {
    match curve {
        Curve::P256 => sys::NID_X9_62_prime256v1,
        Curve::P384 => sys::NID_secp384r1,
        Curve::P521 => sys::NID_secp521r1,
    }
}

fn point_length(curve: Curve) -> usize {
    1 + 2 * curve.scalar()
}
