//! `C_Sign*`: signatures and MACs (§5.13). What `verify` and messages need of the same state is here too.

use super::leave::Leave;
use super::{Begin, Buffer, Delivery, NOT_INITIALIZED, Pending, begin_idle, data_limit};
use crate::abi::memory::{Input, Output};
use crate::hash::Hashing;
use crate::key::KeyFacts;
use crate::mechanism::Signing;
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use crate::slot::Slot;
use coloa_client::Scratch;
use coloa_wire::command::Sign;
use coloa_wire::{AttributeType, ObjectId};
use cryptoki_sys::*;

/// A signature or a MAC that is not made, or not verified, yet.
pub(crate) struct SignOperation {
    pub(super) by: Signer,
    pub(super) output_bytes: usize,
    pub(super) in_parts: bool,
    data: Data,
}

/// Who signs or verifies.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) key: ObjectId,
    pub(super) signing: Signing,
    pub(super) leave: Leave,
}

/// The data so far.
enum Data {
    Hashed(Box<Hashing>),
    Whole(Buffer),
}

impl SignOperation {
    /// Decides whether this key signs, or verifies, so.
    pub(super) fn new(signing: Signing, key: &KeyFacts, signs: bool) -> Outcome<Self> {
        let output_bytes = signing.output_bytes(key, signs)?;
        key.permits(if signs { AttributeType::SIGN } else { AttributeType::VERIFY })?;
        Ok(SignOperation::begun(Signer { key: key.id, signing, leave: Leave::for_key(key) }, output_bytes))
    }

    /// With a key that was decided on.
    pub(super) fn begun(by: Signer, output_bytes: usize) -> Self {
        let data = match by.signing.digest {
            Some(hash) => Data::Hashed(Box::new(hash.start())),
            None => Data::Whole(Buffer::default()),
        };
        SignOperation { by, output_bytes, in_parts: false, data }
    }

    pub(super) fn leave(&mut self) -> &mut Leave {
        &mut self.by.leave
    }

    pub(super) fn takes_parts(&self) -> bool {
        self.by.signing.takes_parts()
    }

    /// Takes a part.
    pub(super) fn update(&mut self, part: &[u8], slot: &Slot) -> Outcome {
        self.in_parts = true;
        match &mut self.data {
            Data::Hashed(state) => {
                state.update(part);
                Ok(())
            }
            Data::Whole(buffer) => buffer.push(part, data_limit(slot, self.output_bytes)),
        }
    }

    /// To verify this signature; `CKR_SIGNATURE_LEN_RANGE` where it cannot be one.
    pub(super) fn with(self, signature: &[u8]) -> Outcome<Self> {
        if signature.len() == self.output_bytes { Ok(self) } else { Err(Rv(CKR_SIGNATURE_LEN_RANGE)) }
    }

    /// Ends with data that came at once: `then` gets who signs, and the digest or the data itself.
    pub(super) fn whole<T>(
        self,
        data: &[u8],
        slot: &Slot,
        then: impl FnOnce(Signer, &[u8]) -> Outcome<T>,
    ) -> Outcome<T> {
        let SignOperation { by, output_bytes, data: state, .. } = self;
        match state {
            Data::Hashed(mut state) => {
                state.update(data);
                then(by, state.finish().as_ref())
            }
            Data::Whole(_) if data.len() > data_limit(slot, output_bytes) => Err(Rv(CKR_DATA_LEN_RANGE)),
            Data::Whole(_) => then(by, data),
        }
    }

    /// Ends with data that came in parts.
    pub(super) fn parts<T>(self, then: impl FnOnce(Signer, &[u8]) -> Outcome<T>) -> Outcome<T> {
        let SignOperation { by, data, .. } = self;
        match data {
            Data::Hashed(state) => then(by, state.finish().as_ref()),
            Data::Whole(buffer) => then(by, &buffer.0),
        }
    }
}

impl Session {
    pub(crate) fn sign_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let state = &mut *self.state();
        let Some(given) = begin_idle(state, (CKF_SIGN, |s| &mut s.sign), given)? else { return Ok(()) };
        let signing = Signing::parse(given)?;
        self.slot.offers(signing.kind, CKF_SIGN)?;
        state.sign = Some(SignOperation::new(signing, &*self.key(key)?, true)?);
        Ok(())
    }

    pub(crate) fn sign(&self, data: &Input, out: &Output) -> Outcome {
        let state = &mut *self.state();
        state.is_idle()?;
        let State { sign, scratch, pending, .. } = state;
        let operation = sign.as_ref().ok_or(NOT_INITIALIZED)?;
        if operation.in_parts {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        if !out.has_room(operation.output_bytes)? {
            return Ok(());
        }
        let operation = sign.take().ok_or(NOT_INITIALIZED)?;
        if self.overlaps {
            let room = operation.output_bytes;
            let call = operation.whole(data.bytes(), &self.slot, |by, data| start(&self.slot, "C_Sign", by, data))?;
            *pending = Some(call.into_buffer(out, room..=room));
            return Err(Rv(CKR_PENDING));
        }
        operation.whole(data.bytes(), &self.slot, |by, data| make(&self.slot, scratch, by, data))?;
        out.put(scratch.bulk())
    }

    pub(crate) fn sign_update(&self, part: &Input) -> Outcome {
        let mut state = self.state();
        let operation = state.sign.as_mut().filter(|o| o.takes_parts()).ok_or(NOT_INITIALIZED)?;
        operation.update(part.bytes(), &self.slot).inspect_err(|_| state.sign = None)
    }

    pub(crate) fn sign_final(&self, out: &Output) -> Outcome {
        let state = &mut *self.state();
        state.is_idle()?;
        let State { sign, scratch, pending, .. } = state;
        let operation = sign.as_ref().filter(|o| o.takes_parts()).ok_or(NOT_INITIALIZED)?;
        if !out.has_room(operation.output_bytes)? {
            return Ok(());
        }
        let operation = sign.take().ok_or(NOT_INITIALIZED)?;
        if self.overlaps {
            let room = operation.output_bytes;
            let call = operation.parts(|by, data| start(&self.slot, "C_SignFinal", by, data))?;
            *pending = Some(call.into_buffer(out, room..=room));
            return Err(Rv(CKR_PENDING));
        }
        operation.parts(|by, data| make(&self.slot, scratch, by, data))?;
        out.put(scratch.bulk())
    }
}

/// Puts a signature's command on the wire.
fn start(slot: &Slot, function: &'static str, by: Signer, data: &[u8]) -> Outcome<Pending> {
    let Signer { key, signing, mut leave } = by;
    let sign = Sign { key, ticket: leave.spend()?, mechanism: signing.into_mechanism() };
    let signed = |_: &Session, _: &mut State, (_, signature)| Ok(Delivery::bytes(signature));
    Pending::begin(slot, (function, CKF_SIGN), (&sign, data, Rv::of_key), signed)
}

/// Has the engine sign; the signature is then in `scratch`.
pub(super) fn make(slot: &Slot, scratch: &mut Scratch, by: Signer, data: &[u8]) -> Outcome {
    let Signer { key, signing, mut leave } = by;
    let ticket = leave.spend()?;
    slot.call(scratch, &Sign { key, mechanism: signing.into_mechanism(), ticket }, data).map_err(Rv::of_key).map(drop)
}
