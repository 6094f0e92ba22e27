//! `C_Verify*` and `C_VerifySignature*` (§5.14, §5.15): they end the operation whatever comes of it.

use super::sign::Signer;
use super::{Begin, NOT_INITIALIZED, SignOperation, begin};
use crate::abi::memory::Input;
use crate::mechanism::Signing;
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use crate::slot::Slot;
use coloa_client::Scratch;
use coloa_wire::command::Verify;
use cryptoki_sys::*;
use zeroize::Zeroizing;

/// A verification that is not done.
pub(crate) struct Verification {
    operation: SignOperation,
    /// The signature, where it was given before the data (`C_VerifySignatureInit`).
    signature: Option<Vec<u8>>,
}

impl Session {
    pub(crate) fn verify_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        self.begin_verifying(given, key, None)
    }

    pub(crate) fn verify_signature_init(&self, given: Begin, key: CK_OBJECT_HANDLE, signature: &Input) -> Outcome {
        self.begin_verifying(given, key, Some(signature))
    }

    fn begin_verifying(&self, given: Begin, key: CK_OBJECT_HANDLE, signature: Option<&Input>) -> Outcome {
        let state = &mut *self.state();
        let Some(given) = begin(&mut state.verify, given)? else { return Ok(()) };
        let signing = Signing::parse(given)?;
        self.slot.offers(signing.kind, CKF_VERIFY)?;
        let operation = SignOperation::new(signing, &*self.key(key)?, false)?;
        if signature.is_some_and(|s| s.len() != operation.output_bytes) {
            return Err(Rv(CKR_SIGNATURE_LEN_RANGE));
        }
        state.verify = Some(Verification { operation, signature: signature.map(|s| s.bytes().to_vec()) });
        Ok(())
    }

    pub(crate) fn verify(&self, data: &Input, signature: &Input) -> Outcome {
        let State { verify, scratch, .. } = &mut *self.state();
        let operation = at_once(verify, false)?.operation;
        whole(operation, &self.slot, scratch, (data.bytes(), signature.bytes()))
    }

    pub(crate) fn verify_signature(&self, data: &Input) -> Outcome {
        let State { verify, scratch, .. } = &mut *self.state();
        let Verification { operation, signature } = at_once(verify, true)?;
        whole(operation, &self.slot, scratch, (data.bytes(), &signature.unwrap_or_default()))
    }

    pub(crate) fn verify_update(&self, part: &Input) -> Outcome {
        self.take_part(part, false)
    }

    pub(crate) fn verify_signature_update(&self, part: &Input) -> Outcome {
        self.take_part(part, true)
    }

    fn take_part(&self, part: &Input, signature_first: bool) -> Outcome {
        let verify = &mut self.state().verify;
        let active = verify.as_mut().filter(|v| v.signature.is_some() == signature_first && v.takes_parts());
        active.ok_or(NOT_INITIALIZED)?.operation.update(part.bytes(), &self.slot).inspect_err(|_| *verify = None)
    }

    pub(crate) fn verify_final(&self, signature: &Input) -> Outcome {
        let State { verify, scratch, .. } = &mut *self.state();
        let ended = verify.take_if(|v| v.takes_parts_before_signature()).ok_or(NOT_INITIALIZED)?;
        parts(ended.operation, &self.slot, scratch, signature.bytes())
    }

    pub(crate) fn verify_signature_final(&self) -> Outcome {
        let State { verify, scratch, .. } = &mut *self.state();
        let ended = verify.take_if(|v| v.signature.is_some() && v.takes_parts()).ok_or(NOT_INITIALIZED)?;
        parts(ended.operation, &self.slot, scratch, &ended.signature.unwrap_or_default())
    }
}

impl Verification {
    fn takes_parts(&self) -> bool {
        self.operation.takes_parts()
    }

    /// Whether parts come before the signature (`C_VerifyInit`).
    pub(super) fn takes_parts_before_signature(&self) -> bool {
        self.signature.is_none() && self.takes_parts()
    }

    /// Takes a part of data whose signature comes at the end.
    pub(super) fn update(&mut self, part: &[u8], slot: &Slot) -> Outcome {
        self.operation.update(part, slot)
    }
}

/// The operation that data at once ends.
fn at_once(verify: &mut Option<Verification>, signature_first: bool) -> Outcome<Verification> {
    match verify.take_if(|v| !v.operation.in_parts && v.signature.is_some() == signature_first) {
        Some(found) => Ok(found),
        None if verify.as_ref().is_some_and(|v| v.operation.in_parts) => Err(Rv(CKR_OPERATION_ACTIVE)),
        None => Err(NOT_INITIALIZED),
    }
}

/// Verifies data that came at once, with its signature.
pub(super) fn whole(
    operation: SignOperation,
    slot: &Slot,
    scratch: &mut Scratch,
    (data, signature): (&[u8], &[u8]),
) -> Outcome {
    has_length(&operation, signature)?;
    operation.whole(data, slot, |by, data| ask(slot, scratch, by, (data, signature)))
}

/// Verifies data that came in parts.
pub(super) fn parts(operation: SignOperation, slot: &Slot, scratch: &mut Scratch, signature: &[u8]) -> Outcome {
    has_length(&operation, signature)?;
    operation.parts(|by, data| ask(slot, scratch, by, (data, signature)))
}

fn has_length(operation: &SignOperation, signature: &[u8]) -> Outcome {
    if signature.len() == operation.output_bytes { Ok(()) } else { Err(Rv(CKR_SIGNATURE_LEN_RANGE)) }
}

fn ask(slot: &Slot, scratch: &mut Scratch, by: Signer, (data, end): (&[u8], &[u8])) -> Outcome {
    let (key, mechanism) = (by.key, by.signing.into_mechanism());
    let bulk = Zeroizing::new([data, end].concat());
    let signature = u32::try_from(end.len()).map_err(|_| Rv(CKR_SIGNATURE_LEN_RANGE))?;
    slot.call(scratch, &Verify { key, mechanism, signature }, &bulk).map_err(Rv::of_key).map(drop)
}
