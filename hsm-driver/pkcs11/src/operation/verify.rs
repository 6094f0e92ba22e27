//! `C_Verify*` and `C_VerifySignature*` (§5.14, §5.15): they end the operation whatever comes of it.

use super::sign::Signer;
use super::{Begin, Delivery, NOT_INITIALIZED, Naming, Pending, SignOperation, begin_idle};
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
        let Some(given) = begin_idle(state, (CKF_VERIFY, |s| &mut s.verify), given)? else { return Ok(()) };
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
        let state = &mut *self.state();
        state.is_idle()?;
        let operation = at_once(&mut state.verify, false)?.operation;
        let end = signature.bytes();
        let end_here = |by, asked: &[u8]| self.verified(state, "C_Verify", by, (asked, end));
        operation.with(end)?.whole(data.bytes(), &self.slot, end_here)
    }

    pub(crate) fn verify_signature(&self, data: &Input) -> Outcome {
        let state = &mut *self.state();
        state.is_idle()?;
        let Verification { operation, signature } = at_once(&mut state.verify, true)?;
        let end = signature.unwrap_or_default();
        let end_here = |by, asked: &[u8]| self.verified(state, "C_VerifySignature", by, (asked, &end));
        operation.with(&end)?.whole(data.bytes(), &self.slot, end_here)
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
        let state = &mut *self.state();
        state.is_idle()?;
        let ended = state.verify.take_if(|v| v.takes_parts_before_signature()).ok_or(NOT_INITIALIZED)?;
        let end = signature.bytes();
        ended.operation.with(end)?.parts(|by, asked| self.verified(state, "C_VerifyFinal", by, (asked, end)))
    }

    pub(crate) fn verify_signature_final(&self) -> Outcome {
        let state = &mut *self.state();
        state.is_idle()?;
        let ended = state.verify.take_if(|v| v.signature.is_some() && v.takes_parts()).ok_or(NOT_INITIALIZED)?;
        let end = ended.signature.unwrap_or_default();
        ended.operation.with(&end)?.parts(|by, asked| self.verified(state, "C_VerifySignatureFinal", by, (asked, &end)))
    }

    /// Asks the engine: now or, in an asynchronous session, for `C_AsyncComplete`.
    fn verified(&self, state: &mut State, function: &'static str, by: Signer, what: (&[u8], &[u8])) -> Outcome {
        if !self.overlaps {
            return ask(&self.slot, &mut state.scratch, by, what);
        }
        let (command, bulk) = command(by, what)?;
        let verified = |_: &Session, _: &mut State, _| Ok(Delivery::default());
        let call = (&command, bulk.as_slice(), Rv::of_key as Naming);
        state.pending = Some(Pending::begin(&self.slot, (function, CKF_VERIFY), call, verified)?);
        Err(Rv(CKR_PENDING))
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

/// Has the engine verify.
pub(super) fn ask(slot: &Slot, scratch: &mut Scratch, by: Signer, what: (&[u8], &[u8])) -> Outcome {
    let (command, bulk) = command(by, what)?;
    slot.call(scratch, &command, &bulk).map_err(Rv::of_key).map(drop)
}

fn command(by: Signer, (data, end): (&[u8], &[u8])) -> Outcome<(Verify, Zeroizing<Vec<u8>>)> {
    let signature = u32::try_from(end.len()).map_err(|_| Rv(CKR_SIGNATURE_LEN_RANGE))?;
    let verify = Verify { key: by.key, mechanism: by.signing.into_mechanism(), signature };
    Ok((verify, Zeroizing::new([data, end].concat())))
}
