//! ML-KEM: lengths, errors and the pairwise test around [`KemKey`].

use coloa_engine::crypto::{ML_KEM_SEED, MlKem};
use coloa_engine::{CryptoError, KeyMaterial};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::ffi::KemKey;

pub(crate) fn generate(set: MlKem) -> Result<KeyMaterial, CryptoError> {
    let secret = crate::random(ML_KEM_SEED)?;
    let key = KemKey::from_secret(set, &secret).ok_or(CryptoError::Inconsistent)?;
    let public = key.public().ok_or(CryptoError::Inconsistent)?;
    test_pair(&key, set, &public)?;
    Ok(KeyMaterial { secret, public })
}

pub(crate) fn encapsulate(key: &KemKey) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
    key.encapsulate().ok_or(CryptoError::Entropy)
}

pub(crate) fn decapsulate(key: &KemKey, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if ciphertext.len() != key.set().ciphertext() {
        return Err(CryptoError::Length);
    }
    key.decapsulate(ciphertext).ok_or(CryptoError::Invalid)
}

/// The pairwise consistency test (FIPS 140-3 IG 10.3.A): the secret key finds what was encapsulated to the public key.
fn test_pair(key: &KemKey, set: MlKem, public: &[u8]) -> Result<(), CryptoError> {
    let other = KemKey::from_public(set, public).ok_or(CryptoError::Inconsistent)?;
    let (ciphertext, theirs) = encapsulate(&other)?;
    let ours = decapsulate(key, &ciphertext).map_err(|_| CryptoError::Inconsistent)?;
    bool::from(ours.ct_eq(&theirs)).then_some(()).ok_or(CryptoError::Inconsistent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairwise_test_can_fail() {
        for set in [MlKem::L512, MlKem::L768, MlKem::L1024] {
            let (ours, other) = (generate(set).expect("a pair"), generate(set).expect("a pair"));
            let key = KemKey::from_secret(set, &ours.secret).expect("a key");
            assert_eq!(test_pair(&key, set, &other.public), Err(CryptoError::Inconsistent));
            assert_eq!(test_pair(&key, set, &ours.public), Ok(()));
        }
    }
}
