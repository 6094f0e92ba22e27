//! Ed25519 (RFC 8032) and X25519 (RFC 7748).

use alloc::boxed::Box;
use alloc::vec::Vec;

use coloa_engine::CryptoError;
use coloa_engine::crypto::Scheme;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::pair::{Draw, Private, Public};

/// Bytes of a secret and of a public key of either.
pub(crate) const LENGTH: usize = 32;

fn bytes(encoded: &[u8]) -> Result<&[u8; LENGTH], CryptoError> {
    encoded.try_into().map_err(|_| CryptoError::Invalid)
}

pub(crate) fn ed25519_private(seed: &[u8]) -> Result<Box<dyn Private>, CryptoError> {
    Ok(Box::new(Ed25519Private(SigningKey::from_bytes(bytes(seed)?))))
}

/// A point on the curve.
pub(crate) fn ed25519_public(encoded: &[u8]) -> Result<Box<dyn Public>, CryptoError> {
    let key = VerifyingKey::from_bytes(bytes(encoded)?).map_err(|_| CryptoError::Invalid)?;
    Ok(Box::new(Ed25519Public(key)))
}

pub(crate) fn x25519_private(secret: &[u8]) -> Result<Box<dyn Private>, CryptoError> {
    Ok(Box::new(X25519Private(StaticSecret::from(*bytes(secret)?))))
}

/// Any 32 bytes are a public key (RFC 7748 §5).
pub(crate) fn x25519_public(encoded: &[u8]) -> Result<Box<dyn Public>, CryptoError> {
    bytes(encoded)?;
    Ok(Box::new(X25519Public))
}

/// Wiped on drop.
struct Ed25519Private(SigningKey);

impl Private for Ed25519Private {
    fn public(&self) -> Result<Vec<u8>, CryptoError> {
        Ok(self.0.verifying_key().as_bytes().to_vec())
    }

    fn sign(&self, scheme: Scheme<'_>, message: &[u8], _draw: Draw<'_>) -> Result<Vec<u8>, CryptoError> {
        if scheme != Scheme::Ed25519 {
            return Err(CryptoError::Invalid);
        }
        self.0.try_sign(message).map(|signature| signature.to_vec()).map_err(|_| CryptoError::Invalid)
    }
}

struct Ed25519Public(VerifyingKey);

impl Public for Ed25519Public {
    fn verify(&self, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if scheme != Scheme::Ed25519 {
            return Err(CryptoError::Invalid);
        }
        let signature = Signature::from_slice(signature).map_err(|_| CryptoError::Invalid)?;
        self.0.verify(message, &signature).map_err(|_| CryptoError::Unauthentic)
    }
}

/// Wiped on drop.
struct X25519Private(StaticSecret);

impl Private for X25519Private {
    fn public(&self) -> Result<Vec<u8>, CryptoError> {
        Ok(PublicKey::from(&self.0).as_bytes().to_vec())
    }

    fn agree(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*bytes(peer)?));
        if !shared.was_contributory() {
            return Err(CryptoError::Invalid);
        }
        Ok(Zeroizing::new(shared.as_bytes().to_vec()))
    }
}

/// No operation takes it as a key.
struct X25519Public;

impl Public for X25519Public {}
