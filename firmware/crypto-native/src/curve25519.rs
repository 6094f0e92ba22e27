//! Ed25519 and X25519: lengths, errors and the pairwise tests.
//!
//! AWS-LC decodes a public key of Ed25519 when it verifies, so one that is no point is found there: nothing verifies.

use coloa_engine::{CryptoError, KeyMaterial};
use zeroize::Zeroizing;

use crate::PAIRWISE_MESSAGE;
use crate::ffi::{Ed25519, X25519, verify_ed25519};

/// Bytes of a seed, scalar or point.
pub(crate) type Point = [u8; 32];

pub(crate) fn point(bytes: &[u8]) -> Result<Point, CryptoError> {
    bytes.try_into().map_err(|_| CryptoError::Invalid)
}

pub(crate) fn ed25519(seed: &[u8]) -> Result<Ed25519, CryptoError> {
    let seed = Zeroizing::new(point(seed)?);
    Ok(Ed25519::from_seed(&seed))
}

pub(crate) fn x25519(secret: &[u8]) -> Result<X25519, CryptoError> {
    let secret = Zeroizing::new(point(secret)?);
    Ok(X25519::new(&secret))
}

pub(crate) fn generate_ed25519() -> Result<KeyMaterial, CryptoError> {
    let secret = crate::random(32)?;
    let public = ed25519(&secret)?.public().ok_or(CryptoError::Inconsistent)?.to_vec();
    test_ed25519(&secret, &public)?;
    Ok(KeyMaterial { secret, public })
}

pub(crate) fn generate_x25519() -> Result<KeyMaterial, CryptoError> {
    let secret = crate::random(32)?;
    let public = x25519(&secret)?.public().to_vec();
    test_x25519(&secret, &public)?;
    Ok(KeyMaterial { secret, public })
}

pub(crate) fn verify(public: &Point, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    let signature = signature.try_into().map_err(|_| CryptoError::Invalid)?;
    verify_ed25519(public, message, signature).then_some(()).ok_or(CryptoError::Unauthentic)
}

pub(crate) fn agree(key: &X25519, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    key.agree(&point(peer)?).ok_or(CryptoError::Invalid)
}

/// The pairwise consistency test (FIPS 140-3 IG 10.3.A): the public key verifies what the secret key signs.
fn test_ed25519(secret: &[u8], public: &[u8]) -> Result<(), CryptoError> {
    let signature = ed25519(secret)?.sign(PAIRWISE_MESSAGE).ok_or(CryptoError::Inconsistent)?;
    verify(&point(public)?, PAIRWISE_MESSAGE, &signature).map_err(|_| CryptoError::Inconsistent)
}

/// The same for a key that only agrees: a second party, whose key is fixed, finds the same secret.
fn test_x25519(secret: &[u8], public: &[u8]) -> Result<(), CryptoError> {
    let other = X25519::new(PAIRWISE_MESSAGE);
    let ours = agree(&x25519(secret)?, &other.public()).map_err(|_| CryptoError::Inconsistent)?;
    let theirs = agree(&other, public).map_err(|_| CryptoError::Inconsistent)?;
    (*ours == *theirs).then_some(()).ok_or(CryptoError::Inconsistent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairwise_tests_can_fail() {
        let (ours, other) = (generate_ed25519().expect("a pair"), generate_ed25519().expect("a pair"));
        assert_eq!(test_ed25519(&ours.secret, &other.public), Err(CryptoError::Inconsistent));
        assert_eq!(test_ed25519(&ours.secret, &ours.public), Ok(()));
        let (ours, other) = (generate_x25519().expect("a pair"), generate_x25519().expect("a pair"));
        assert_eq!(test_x25519(&ours.secret, &other.public), Err(CryptoError::Inconsistent));
        assert_eq!(test_x25519(&ours.secret, &ours.public), Ok(()));
    }
}
