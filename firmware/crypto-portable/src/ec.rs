//! ECDSA and ECDH on any of RustCrypto's prime curves; never audited as a whole, so label it so.

use alloc::boxed::Box;
use alloc::vec::Vec;

use coloa_engine::CryptoError;
use coloa_engine::crypto::Scheme;
use ecdsa::elliptic_curve::ecdh::diffie_hellman;
use ecdsa::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use ecdsa::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, PublicKey, SecretKey};
use ecdsa::{EcdsaCurve, Signature, hazmat};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::pair::{Draw, Private, Public};

/// SEC 1 §2.3.3: what an uncompressed point begins with.
const UNCOMPRESSED: u8 = 4;
/// Fresh randomness mixed into each ECDSA nonce.
const HEDGE: usize = 32;
/// The shortest and longest digest that ECDSA takes: SHA-1's and SHA-512's.
const DIGEST: core::ops::RangeInclusive<usize> = 20..=64;

/// A scalar of exactly the curve's length in `1..n`.
pub(crate) fn private<C>(bytes: &[u8]) -> Result<Box<dyn Private>, CryptoError>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    if bytes.len() != scalar_length::<C>() {
        return Err(CryptoError::Invalid);
    }
    let secret = SecretKey::<C>::from_slice(bytes).map_err(|_| CryptoError::Invalid)?;
    Ok(Box::new(Scalar(secret)))
}

/// An uncompressed point on the curve, not at infinity (SP 800-56A §5.6.2.3.4).
pub(crate) fn public<C>(bytes: &[u8]) -> Result<Box<dyn Public>, CryptoError>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    Ok(Box::new(Point(point::<C>(bytes)?)))
}

fn point<C>(bytes: &[u8]) -> Result<PublicKey<C>, CryptoError>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let length = scalar_length::<C>().saturating_mul(2).saturating_add(1);
    if bytes.len() != length || bytes.first() != Some(&UNCOMPRESSED) {
        return Err(CryptoError::Invalid);
    }
    PublicKey::from_sec1_bytes(bytes).map_err(|_| CryptoError::Invalid)
}

/// Bytes of a scalar and of a coordinate, which are the same on the curves of this crate.
fn scalar_length<C: ecdsa::elliptic_curve::Curve>() -> usize {
    use ecdsa::elliptic_curve::array::typenum::Unsigned;
    FieldBytesSize::<C>::USIZE
}

/// Only ECDSA, over what may be a digest.
fn only_ecdsa(scheme: Scheme<'_>, digest: &[u8]) -> Result<(), CryptoError> {
    if scheme != Scheme::Ecdsa {
        return Err(CryptoError::Invalid);
    }
    if DIGEST.contains(&digest.len()) { Ok(()) } else { Err(CryptoError::Invalid) }
}

/// A private key, wiped on drop.
struct Scalar<C: CurveArithmetic>(SecretKey<C>);

impl<C> Private for Scalar<C>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn public(&self) -> Result<Vec<u8>, CryptoError> {
        Ok(self.0.public_key().to_sec1_point(false).as_bytes().to_vec())
    }

    /// The nonce is RFC 6979's, hedged with fresh randomness as its §3.6 allows (`k'`), so neither a repeated random
    /// number nor a fault in a repeated computation gives the key away.
    fn sign(&self, scheme: Scheme<'_>, digest: &[u8], draw: Draw<'_>) -> Result<Vec<u8>, CryptoError> {
        only_ecdsa(scheme, digest)?;
        let mut hedge = Zeroizing::new([0; HEDGE]);
        draw(&mut *hedge)?;
        let mut scalar = self.0.to_nonzero_scalar();
        let (signature, _) = hazmat::sign_prehashed_rfc6979::<C, Sha256>(&scalar, digest, &*hedge);
        scalar.zeroize();
        let (r, s) = signature.split_bytes();
        Ok([r.as_slice(), s.as_slice()].concat())
    }

    fn agree(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let peer = point::<C>(peer)?;
        let scalar = Zeroizing::new(self.0.to_nonzero_scalar());
        #[expect(clippy::needless_borrows_for_generic_args, reason = "by value it leaves a copy that nobody wipes")]
        let shared = diffie_hellman(&*scalar, peer.as_affine());
        Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
    }
}

/// A public key.
struct Point<C: CurveArithmetic>(PublicKey<C>);

impl<C> Public for Point<C>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    /// Checks `r ‖ s`; out-of-range halves are not authentic.
    fn verify(&self, scheme: Scheme<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        only_ecdsa(scheme, digest)?;
        let (r, s) = signature.split_at_checked(scalar_length::<C>()).ok_or(CryptoError::Invalid)?;
        let half = |bytes: &[u8]| FieldBytes::<C>::try_from(bytes).map_err(|_| CryptoError::Invalid);
        let signature = Signature::from_scalars(half(r)?, half(s)?).map_err(|_| CryptoError::Unauthentic)?;
        hazmat::verify_prehashed::<C>(&self.0.to_projective(), digest, &signature).map_err(|_| CryptoError::Unauthentic)
    }
}
