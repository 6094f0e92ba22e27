//! RSA: lengths, errors and the pairwise test around [`RsaKey`].

use coloa_engine::crypto::{Padding, RSA_BITS};
use coloa_engine::{CryptoError, Hash, KeyMaterial};
use zeroize::Zeroizing;

use crate::PAIRWISE_MESSAGE;
use crate::ffi::{Oaep, RsaKey};
use crate::rejection::Rejection;

/// Bytes that PKCS#1 v1.5 adds at least (RFC 8017 §7.2.1, §9.2).
const PKCS1_OVERHEAD: usize = 11;
/// AWS-LC rounds other lengths down, so they are not generated; they are loaded.
const GENERATED_STEP: u32 = 128;

/// A private key.
pub(crate) struct RsaPrivate {
    pub(crate) key: RsaKey,
    rejection: Rejection,
}

impl RsaPrivate {
    pub(crate) fn load(der: &[u8]) -> Option<Self> {
        RsaKey::from_secret(der).map(|key| RsaPrivate { key, rejection: Rejection::default() })
    }

    pub(crate) fn decrypt(&self, padding: Padding<'_>, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        if text.len() != self.key.length() {
            return Err(CryptoError::Length);
        }
        match padding {
            Padding::Pkcs1 => self.rejection.decrypt(&self.key, text),
            Padding::Oaep { hash, mgf, label } => {
                self.key.decrypt_oaep(&Oaep { hash, mgf, label }, text).ok_or(CryptoError::Unauthentic)
            }
        }
    }
}

pub(crate) fn generate(bits: u32) -> Result<KeyMaterial, CryptoError> {
    if !RSA_BITS.contains(&bits) || !bits.is_multiple_of(8) {
        return Err(CryptoError::Invalid);
    }
    if !bits.is_multiple_of(GENERATED_STEP) {
        return Err(CryptoError::Unsupported);
    }
    let key = RsaKey::generate(bits).ok_or(CryptoError::Entropy)?;
    let secret = key.secret().ok_or(CryptoError::Inconsistent)?;
    let public = key.public().ok_or(CryptoError::Inconsistent)?;
    test_pair(&secret, &public)?;
    Ok(KeyMaterial { secret, public })
}

pub(crate) fn sign_pkcs1(key: &RsaKey, hash: Option<Hash>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    check_pkcs1(key, hash, message)?;
    key.sign(hash, message).ok_or(CryptoError::Entropy)
}

pub(crate) fn verify_pkcs1(
    key: &RsaKey,
    hash: Option<Hash>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    check_pkcs1(key, hash, message)?;
    if signature.len() != key.length() {
        return Err(CryptoError::Invalid);
    }
    key.verify(hash, message, signature).then_some(()).ok_or(CryptoError::Unauthentic)
}

fn check_pkcs1(key: &RsaKey, hash: Option<Hash>, message: &[u8]) -> Result<(), CryptoError> {
    match hash {
        Some(hash) if message.len() != hash.length() => Err(CryptoError::Invalid),
        None if message.len() > key.length().saturating_sub(PKCS1_OVERHEAD) => Err(CryptoError::Length),
        _ => Ok(()),
    }
}

/// The parameters of PSS.
#[derive(Clone, Copy)]
pub(crate) struct Pss {
    pub(crate) hash: Hash,
    pub(crate) mgf: Hash,
    pub(crate) salt: usize,
}

impl Pss {
    pub(crate) fn sign(self, key: &RsaKey, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.check(key, digest)?;
        key.sign_pss(self.hash, self.mgf, self.salt, digest).ok_or(CryptoError::Entropy)
    }

    pub(crate) fn verify(self, key: &RsaKey, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        self.check(key, digest)?;
        if signature.len() != key.length() {
            return Err(CryptoError::Invalid);
        }
        let verified = key.verify_pss(self.hash, self.mgf, self.salt, digest, signature);
        verified.then_some(()).ok_or(CryptoError::Unauthentic)
    }

    /// RFC 8017 §9.1.1 step 3: digest, salt and two bytes fit into the modulus.
    fn check(self, key: &RsaKey, digest: &[u8]) -> Result<(), CryptoError> {
        let room = key.length().checked_sub(self.hash.length() + 2);
        let fits = room.is_some_and(|room| self.salt <= room);
        (fits && digest.len() == self.hash.length()).then_some(()).ok_or(CryptoError::Invalid)
    }
}

pub(crate) fn encrypt(key: &RsaKey, padding: Padding<'_>, text: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let overhead = match padding {
        Padding::Pkcs1 => PKCS1_OVERHEAD,
        // RFC 8017 §7.1.1 step 1.
        Padding::Oaep { hash, .. } => 2 * hash.length() + 2,
    };
    if text.len() > key.length().saturating_sub(overhead) {
        return Err(CryptoError::Length);
    }
    match padding {
        Padding::Pkcs1 => key.encrypt(text),
        Padding::Oaep { hash, mgf, label } => key.encrypt_oaep(&Oaep { hash, mgf, label }, text),
    }
    .ok_or(CryptoError::Entropy)
}

/// The pairwise consistency test (FIPS 140-3 IG 10.3.A): the public key verifies what the secret key, read back from its
/// DER and so checked, signs.
fn test_pair(secret: &[u8], public: &[u8]) -> Result<(), CryptoError> {
    let signer = RsaKey::from_secret(secret).ok_or(CryptoError::Inconsistent)?;
    let verifier = RsaKey::from_public(public).ok_or(CryptoError::Inconsistent)?;
    let hash = Some(Hash::Sha256);
    let signature = signer.sign(hash, PAIRWISE_MESSAGE).ok_or(CryptoError::Inconsistent)?;
    verifier.verify(hash, PAIRWISE_MESSAGE, &signature).then_some(()).ok_or(CryptoError::Inconsistent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairwise_test_can_fail() {
        let (ours, other) = (generate(2048).expect("a pair"), generate(2048).expect("a pair"));
        assert_eq!(test_pair(&ours.secret, &other.public), Err(CryptoError::Inconsistent));
        assert_eq!(test_pair(&ours.secret, &ours.public), Ok(()));
    }
}
