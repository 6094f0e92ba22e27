//! ML-KEM (FIPS 203); never audited.
//!
//! A private key stays its seed or its encoding and is expanded for each use, as in [`crate::mldsa`].
#![expect(deprecated, reason = "the expanded form of a private key, which PKCS#11 has too")]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;

use coloa_engine::CryptoError;
use coloa_engine::crypto::{ML_KEM_SEED, MlKem};
use ml_kem::array::sizes::{U32, U64};
use ml_kem::kem::Decapsulator;
use ml_kem::{Decapsulate, ExpandedKeyEncoding, Kem, KeyExport, KeyInit, MlKem512, MlKem768, MlKem1024, TryKeyInit};
use zeroize::{Zeroize, Zeroizing};

use crate::pair::{Draw, Encapsulated, Private, Public};

/// Bytes of randomness of an encapsulation (FIPS 203 `m`).
type Message = ml_kem::array::Array<u8, U32>;

/// A private key from its seed, or from its expanded form, whose public key must be valid and hash to what is in it (§7.3).
pub(crate) fn private(set: MlKem, secret: &[u8]) -> Result<Box<dyn Private>, CryptoError> {
    match set {
        MlKem::L512 => parse::<MlKem512>(secret),
        MlKem::L768 => parse::<MlKem768>(secret),
        MlKem::L1024 => parse::<MlKem1024>(secret),
    }
}

fn parse<K>(secret: &[u8]) -> Result<Box<dyn Private>, CryptoError>
where
    K: Kem,
    K::DecapsulationKey: KeyInit<KeySize = U64> + ExpandedKeyEncoding + Decapsulate,
{
    expand::<K>(secret)?;
    Ok(Box::new(Decapsulation::<K>(Zeroizing::new(secret.to_vec()), PhantomData)))
}

/// The key as it is used, wiped on drop.
fn expand<K>(secret: &[u8]) -> Result<K::DecapsulationKey, CryptoError>
where
    K: Kem,
    K::DecapsulationKey: KeyInit<KeySize = U64> + ExpandedKeyEncoding,
{
    if secret.len() == ML_KEM_SEED {
        return K::DecapsulationKey::new_from_slice(secret).map_err(|_| CryptoError::Invalid);
    }
    let expanded = secret.try_into().map_err(|_| CryptoError::Invalid)?;
    K::DecapsulationKey::from_expanded_bytes(expanded).map_err(|_| CryptoError::Invalid)
}

/// A public key whose coefficients are all reduced (§7.2).
pub(crate) fn public(set: MlKem, encoded: &[u8]) -> Result<Box<dyn Public>, CryptoError> {
    match set {
        MlKem::L512 => parse_public::<MlKem512>(encoded),
        MlKem::L768 => parse_public::<MlKem768>(encoded),
        MlKem::L1024 => parse_public::<MlKem1024>(encoded),
    }
}

fn parse_public<K>(encoded: &[u8]) -> Result<Box<dyn Public>, CryptoError>
where
    K: Kem,
    K::EncapsulationKey: Deterministic + Send + Sync,
{
    let key = K::EncapsulationKey::new_from_slice(encoded).map_err(|_| CryptoError::Invalid)?;
    Ok(Box::new(Encapsulation::<K>(key)))
}

/// A valid secret, wiped on drop.
struct Decapsulation<K>(Zeroizing<Vec<u8>>, PhantomData<K>);

impl<K> Private for Decapsulation<K>
where
    K: Kem,
    K::DecapsulationKey: KeyInit<KeySize = U64> + ExpandedKeyEncoding + Decapsulate,
{
    fn public(&self) -> Result<Vec<u8>, CryptoError> {
        Ok(expand::<K>(&self.0)?.encapsulation_key().to_bytes().to_vec())
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let mut shared = expand::<K>(&self.0)?.decapsulate_slice(ciphertext).map_err(|_| CryptoError::Length)?;
        let secret = Zeroizing::new(shared.to_vec());
        shared.zeroize();
        Ok(secret)
    }
}

struct Encapsulation<K: Kem>(K::EncapsulationKey);

impl<K> Public for Encapsulation<K>
where
    K: Kem,
    K::EncapsulationKey: Deterministic + Send + Sync,
{
    fn encapsulate(&self, draw: Draw<'_>) -> Result<Encapsulated, CryptoError> {
        let mut message = Zeroizing::new(Message::default());
        draw(message.as_mut_slice())?;
        Ok(self.0.encapsulated(&message))
    }
}

/// Encapsulation with randomness that was drawn before, because drawing can fail and the crate's trait lets it not.
trait Deterministic {
    fn encapsulated(&self, message: &Message) -> Encapsulated;
}

macro_rules! deterministic {
    ($($set:ty),*) => {$(
        impl Deterministic for ml_kem::EncapsulationKey<$set> {
            fn encapsulated(&self, message: &Message) -> Encapsulated {
                let (ciphertext, mut shared) = self.encapsulate_deterministic(message);
                let secret = Zeroizing::new(shared.to_vec());
                shared.zeroize();
                (ciphertext.to_vec(), secret)
            }
        }
    )*};
}

deterministic!(MlKem512, MlKem768, MlKem1024);
