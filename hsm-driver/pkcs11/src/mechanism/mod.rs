//! Mechanisms this module serves, and what each needs from the caller.
//!
//! PKCS#11's numbers are the wire's, so a mechanism is known by its wire number; what is not in the lists here is
//! `CKR_MECHANISM_INVALID`. Whether the engine has it, and whether the partition's rules leave it, says the slot's list.

mod cipher;
mod list;
mod signing;
#[cfg(test)]
mod table;

pub(crate) use cipher::{Aead, BLOCK, Chaining, Ciphering, Message, Nonce};
pub(crate) use list::{left, offered};
pub(crate) use signing::{Algorithm, Signing};

use crate::hash::Hash;
use crate::rv::{Outcome, Rv};
use coloa_wire::mechanism::HkdfParams;
use coloa_wire::{Mechanism, MechanismType, Parameter as Wire};
use cryptoki_sys::*;

/// A `CK_MECHANISM`, copied in.
pub(crate) struct Given {
    pub(crate) kind: CK_MECHANISM_TYPE,
    pub(crate) parameter: Parameter,
}

/// A mechanism's parameter, copied in.
pub(crate) enum Parameter {
    /// None, or one that says what is so anyway.
    None,
    /// As it goes to the engine.
    Wire(Wire),
    /// GCM's and CCM's.
    Aead(Aead),
    /// `CK_HKDF_PARAMS`, and the handle of its salt.
    Hkdf(HkdfParams, Option<CK_OBJECT_HANDLE>),
    /// Bytes that no mechanism here takes.
    Unknown,
}

/// The wire's number of a mechanism.
pub(crate) fn wire_number(kind: CK_MECHANISM_TYPE) -> Option<MechanismType> {
    u32::try_from(kind).ok().map(MechanismType)
}

impl Given {
    /// The wire's number; `CKR_MECHANISM_INVALID` for one that nobody can have.
    pub(crate) fn number(&self) -> Outcome<MechanismType> {
        wire_number(self.kind).ok_or(Rv(CKR_MECHANISM_INVALID))
    }

    /// With the associated data of `C_WrapKeyAuthenticated` and `C_UnwrapKeyAuthenticated`, which take authenticated
    /// encryption only (§5.18.6).
    pub(crate) fn authenticating(mut self, aad: Vec<u8>) -> Outcome<Self> {
        match &mut self.parameter {
            Parameter::Aead(aead) if aead.aad.is_empty() => aead.aad = aad,
            Parameter::Aead(_) if aad.is_empty() => {}
            Parameter::Aead(_) => return Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
            Parameter::None | Parameter::Wire(_) | Parameter::Hkdf(..) | Parameter::Unknown => {
                return Err(Rv(CKR_MECHANISM_INVALID));
            }
        }
        Ok(self)
    }

    /// The wire's mechanism of one that unwraps keys: the IV is the one the key was wrapped with.
    pub(crate) fn into_decrypting(self) -> Outcome<Mechanism> {
        match self.parameter {
            Parameter::Aead(aead) => Ok(aead.decrypting()),
            _ => self.into_wire(false, |_| Err(Rv(CKR_MECHANISM_PARAM_INVALID))),
        }
    }

    /// The wire's mechanism of one that makes, wraps or derives keys. `strict` is whether the engine chooses IVs; `key`
    /// finds the object of a handle.
    pub(crate) fn into_wire(
        self,
        strict: bool,
        key: impl FnOnce(CK_OBJECT_HANDLE) -> Outcome<coloa_wire::ObjectId>,
    ) -> Outcome<Mechanism> {
        let kind = self.number()?;
        match self.parameter {
            Parameter::None => Ok(kind.into()),
            Parameter::Wire(parameter) => Ok(Mechanism::with(kind, parameter)),
            Parameter::Aead(aead) => Ok(aead.encrypting(strict)),
            Parameter::Hkdf(params, salt) => {
                let params = HkdfParams { salt_key: salt.map(key).transpose()?, ..params };
                Ok(Mechanism::with(kind, Wire::Hkdf(params)))
            }
            Parameter::Unknown => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
        }
    }
}

/// The hash of a digest mechanism.
pub(crate) fn hashing(given: &Given) -> Outcome<&'static Hash> {
    let hash = wire_number(given.kind).and_then(Hash::of_digest).ok_or(Rv(CKR_MECHANISM_INVALID))?;
    match given.parameter {
        Parameter::None => Ok(hash),
        _ => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
    }
}
