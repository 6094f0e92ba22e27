//! ML-DSA: the message representative mu, errors and the pairwise test around [`MlDsaKey`].
//!
//! AWS-LC signs and verifies over mu, which is made here from its SHAKE256 for both variants of FIPS 204: pure (§5.2,
//! algorithm 2) and HashML-DSA (§5.4, algorithm 4).

use coloa_engine::crypto::{ML_DSA_SEED, MlDsa};
use coloa_engine::{CryptoError, Hash, KeyMaterial};

use crate::PAIRWISE_MESSAGE;
use crate::ffi::{MlDsaKey, shake256};

/// Bytes of the hash of a public key, and of mu.
const HASH: usize = 64;
/// DER of an object identifier in NIST's arc of hash functions, 2.16.840.1.101.3.4.2, without its last number.
const HASHES: [u8; 10] = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// A key with the hash of its public key.
pub(crate) struct MlDsaHalf {
    key: MlDsaKey,
    tr: [u8; HASH],
}

impl MlDsaHalf {
    pub(crate) fn private(set: MlDsa, secret: &[u8]) -> Option<Self> {
        MlDsaHalf::new(MlDsaKey::from_secret(set, secret)?)
    }

    pub(crate) fn public(set: MlDsa, public: &[u8]) -> Option<Self> {
        MlDsaHalf::new(MlDsaKey::from_public(set, public)?)
    }

    fn new(key: MlDsaKey) -> Option<Self> {
        let tr = shake256(&[&key.public()?]);
        Some(MlDsaHalf { key, tr })
    }

    pub(crate) fn sign(&self, message: &Message<'_>) -> Result<Vec<u8>, CryptoError> {
        self.key.sign(&message.mu(&self.tr)?).ok_or(CryptoError::Entropy)
    }

    pub(crate) fn verify(&self, message: &Message<'_>, signature: &[u8]) -> Result<(), CryptoError> {
        let mu = message.mu(&self.tr)?;
        if signature.len() != self.key.set().signature() {
            return Err(CryptoError::Invalid);
        }
        self.key.verify(&mu, signature).then_some(()).ok_or(CryptoError::Unauthentic)
    }
}

/// What is signed.
pub(crate) struct Message<'a> {
    pub(crate) context: &'a [u8],
    pub(crate) prehash: Option<Hash>,
    /// The message, or its digest.
    pub(crate) text: &'a [u8],
}

impl Message<'_> {
    /// `H(tr ‖ M')` (algorithm 7 line 6), where `M'` tells the variants apart.
    fn mu(&self, tr: &[u8; HASH]) -> Result<[u8; HASH], CryptoError> {
        let length = u8::try_from(self.context.len()).map_err(|_| CryptoError::Invalid)?;
        let Some(hash) = self.prehash else {
            return Ok(shake256(&[tr, &[0, length], self.context, self.text]));
        };
        if self.text.len() != hash.length() {
            return Err(CryptoError::Invalid);
        }
        let number = identifier(hash).ok_or(CryptoError::Invalid)?;
        Ok(shake256(&[tr, &[1, length], self.context, &HASHES, &[number], self.text]))
    }
}

/// The last number of a hash's object identifier. FIPS 204 §5.4 has none for SHA-1.
const fn identifier(hash: Hash) -> Option<u8> {
    match hash {
        Hash::Sha1 => None,
        Hash::Sha256 => Some(1),
        Hash::Sha384 => Some(2),
        Hash::Sha512 => Some(3),
        Hash::Sha224 => Some(4),
        Hash::Sha3_224 => Some(7),
        Hash::Sha3_256 => Some(8),
        Hash::Sha3_384 => Some(9),
        Hash::Sha3_512 => Some(10),
    }
}

/// The public key of a secret.
pub(crate) fn public(set: MlDsa, secret: &[u8]) -> Option<Vec<u8>> {
    MlDsaKey::from_secret(set, secret)?.public()
}

pub(crate) fn generate(set: MlDsa) -> Result<KeyMaterial, CryptoError> {
    let secret = crate::random(ML_DSA_SEED)?;
    let public = public(set, &secret).ok_or(CryptoError::Inconsistent)?;
    test_pair(set, &secret, &public)?;
    Ok(KeyMaterial { secret, public })
}

/// The pairwise consistency test (FIPS 140-3 IG 10.3.A): the public key verifies what the secret key signs.
fn test_pair(set: MlDsa, secret: &[u8], public: &[u8]) -> Result<(), CryptoError> {
    let signer = MlDsaHalf::private(set, secret).ok_or(CryptoError::Inconsistent)?;
    let verifier = MlDsaHalf::public(set, public).ok_or(CryptoError::Inconsistent)?;
    let message = Message { context: &[], prehash: None, text: PAIRWISE_MESSAGE };
    let signature = signer.sign(&message)?;
    verifier.verify(&message, &signature).map_err(|_| CryptoError::Inconsistent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairwise_test_can_fail() {
        for set in [MlDsa::L44, MlDsa::L65, MlDsa::L87] {
            let (ours, other) = (generate(set).expect("a pair"), generate(set).expect("a pair"));
            assert_eq!(test_pair(set, &ours.secret, &other.public), Err(CryptoError::Inconsistent));
            assert_eq!(test_pair(set, &ours.secret, &ours.public), Ok(()));
        }
    }
}
