//! How a mechanism wraps a key, from its number and parameter.

use super::cipher::{Cipher, padding};
use crate::crypto::{Mode, Padding};
use coloa_wire::mechanism::RsaAesParams;
use coloa_wire::{ErrorCode, Mechanism, MechanismType as M, Parameter};

/// The initial values of KW and KWP (SP 800-38F §6.2, §6.3): what a caller may name, and nothing else.
const ICV_KW: &[u8] = &[0xa6; 8];
const ICV_KWP: &[u8] = &[0xa6, 0x59, 0x59, 0xa6];

/// A way to wrap, with its parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wrapping<'a> {
    /// KW and KWP.
    Aes(Mode<'a>),
    /// A mechanism that encrypts data too.
    Cipher(Cipher<'a>),
    /// `CKM_RSA_AES_KEY_WRAP`: a fresh AES key of so many bytes under OAEP, then the key under that one by KWP.
    RsaAes(usize, Padding<'a>),
}

impl<'a> Wrapping<'a> {
    /// # Errors
    /// `MechanismParameter`; `MechanismUnsupported` for what does not wrap.
    pub(crate) fn parse(mechanism: &'a Mechanism) -> Result<Self, ErrorCode> {
        match (mechanism.kind, &mechanism.gcm, &mechanism.parameter) {
            (M::AES_KEY_WRAP, None, parameter) => named(parameter, ICV_KW).map(|()| Wrapping::Aes(Mode::Kw)),
            (M::AES_KEY_WRAP_PAD | M::AES_KEY_WRAP_KWP, None, parameter) => {
                named(parameter, ICV_KWP).map(|()| Wrapping::Aes(Mode::Kwp))
            }
            (M::RSA_AES_KEY_WRAP, None, Some(Parameter::RsaAes(params))) => rsa_aes(params),
            (M::AES_GCM | M::AES_CBC_PAD | M::RSA_PKCS | M::RSA_PKCS_OAEP, ..) => {
                Cipher::parse(mechanism).map(Wrapping::Cipher)
            }
            (M::AES_KEY_WRAP | M::AES_KEY_WRAP_PAD | M::AES_KEY_WRAP_KWP | M::RSA_AES_KEY_WRAP, ..) => {
                Err(ErrorCode::MechanismParameter)
            }
            _ => Err(ErrorCode::MechanismUnsupported),
        }
    }

    /// See [`Cipher::has_chosen_iv`].
    pub(crate) fn has_chosen_iv(self) -> bool {
        matches!(self, Wrapping::Cipher(cipher) if cipher.has_chosen_iv())
    }

    /// Whether a key may wrap only so often (R12).
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Wrapping::Cipher(Cipher::Aead { .. }))
    }
}

fn named(parameter: &Option<Parameter>, icv: &[u8]) -> Result<(), ErrorCode> {
    match parameter {
        None | Some(Parameter::Iv(None)) => Ok(()),
        Some(Parameter::Iv(Some(given))) if given == icv => Ok(()),
        Some(_) => Err(ErrorCode::MechanismParameter),
    }
}

fn rsa_aes(params: &RsaAesParams) -> Result<Wrapping<'_>, ErrorCode> {
    let bytes = match params.aes_bits {
        128 => 16,
        192 => 24,
        256 => 32,
        _ => return Err(ErrorCode::MechanismParameter),
    };
    Ok(Wrapping::RsaAes(bytes, padding(&params.oaep)?))
}
