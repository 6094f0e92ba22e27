//! ECDSA and ECDH: lengths, errors and the pairwise test around [`EcKey`].

use coloa_engine::{CryptoError, Curve, KeyMaterial};
use zeroize::Zeroizing;

use crate::PAIRWISE_MESSAGE;
use crate::ffi::EcKey;

/// The shortest and longest digest that ECDSA takes: SHA-1's and SHA-512's.
const DIGEST: core::ops::RangeInclusive<usize> = 20..=64;

pub(crate) fn generate(curve: Curve) -> Result<KeyMaterial, CryptoError> {
    let key = EcKey::generate(curve).ok_or(CryptoError::Entropy)?;
    let secret = key.secret().ok_or(CryptoError::Inconsistent)?;
    let public = key.public().ok_or(CryptoError::Inconsistent)?;
    test_pair(curve, &secret, &public)?;
    Ok(KeyMaterial { secret, public })
}

pub(crate) fn sign(key: &EcKey, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if !DIGEST.contains(&digest.len()) {
        return Err(CryptoError::Invalid);
    }
    key.sign(digest).ok_or(CryptoError::Entropy)
}

pub(crate) fn verify(key: &EcKey, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    if !DIGEST.contains(&digest.len()) || signature.len() != 2 * key.curve().scalar() {
        return Err(CryptoError::Invalid);
    }
    key.verify(digest, signature).then_some(()).ok_or(CryptoError::Unauthentic)
}

pub(crate) fn agree(key: &EcKey, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    EcKey::from_point(key.curve(), peer).and_then(|peer| key.agree(&peer)).ok_or(CryptoError::Invalid)
}

/// The pairwise consistency test (FIPS 140-3 IG 10.3.A): the public key verifies what the secret key signs, both read back
/// from their bytes.
fn test_pair(curve: Curve, secret: &[u8], public: &[u8]) -> Result<(), CryptoError> {
    let pair = EcKey::from_halves(curve, secret, public).ok_or(CryptoError::Inconsistent)?;
    let signature = pair.sign(PAIRWISE_MESSAGE).ok_or(CryptoError::Entropy)?;
    pair.verify(PAIRWISE_MESSAGE, &signature).then_some(()).ok_or(CryptoError::Inconsistent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairwise_test_can_fail() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let (ours, other) = (generate(curve).expect("a pair"), generate(curve).expect("a pair"));
            assert_eq!(test_pair(curve, &ours.secret, &other.public), Err(CryptoError::Inconsistent));
            assert_eq!(test_pair(curve, &ours.secret, &ours.public), Ok(()));
        }
    }
}
