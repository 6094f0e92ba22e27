//! Key derivation: HKDF and PBKDF2.

use coloa_engine::CryptoError;
use coloa_engine::crypto::Kdf;

use crate::ffi::{hkdf_expand, hkdf_extract, pbkdf2};

pub(crate) fn derive(secret: &[u8], kdf: Kdf<'_>, out: &mut [u8]) -> Result<(), CryptoError> {
    match kdf {
        Kdf::HkdfExtract { hash, salt } => hkdf_extract(hash, secret, salt, out),
        Kdf::HkdfExpand { hash, info } => hkdf_expand(hash, secret, info, out),
        Kdf::Pbkdf2 { iterations: 0, .. } => None,
        Kdf::Pbkdf2 { hash, salt, iterations } => pbkdf2(hash, secret, salt, iterations, out),
    }
    .ok_or(CryptoError::Invalid)
}
