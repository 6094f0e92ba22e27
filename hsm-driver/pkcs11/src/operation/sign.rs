//! `C_Sign*`: signatures and MACs (§5.13). What `verify` needs of the same state is here too.

use super::{Begin, Buffer, begin, data_limit};
use crate::abi::memory::{Input, Output};
use crate::key::KeyFacts;
use crate::mechanism::{Given, Signing};
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use crate::slot::Slot;
use aws_lc_rs::digest::Context;
use coloa_wire::command::Sign;
use coloa_wire::{Mechanism, ObjectId};
use cryptoki_sys::*;

/// A signature or a MAC that is not made, or not verified, yet.
pub(crate) struct SignOperation {
    pub(super) key: ObjectId,
    pub(super) signing: Signing,
    pub(super) output_bytes: usize,
    pub(super) in_parts: bool,
    data: Data,
}

/// The data so far.
enum Data {
    Hashed(Box<Context>),
    Whole(Buffer),
}

impl SignOperation {
    pub(super) fn new(given: &Given, key: &KeyFacts, signs: bool) -> Outcome<Self> {
        let signing = Signing::parse(given)?;
        let output_bytes = signing.output_bytes(key, signs)?;
        let permitted = if signs { key.sign } else { key.verify };
        if !permitted {
            return Err(Rv(CKR_KEY_FUNCTION_NOT_PERMITTED));
        }
        let data =
            signing.digest.map_or(Data::Whole(Buffer::default()), |hash| Data::Hashed(Box::new(Context::new(hash))));
        Ok(SignOperation { key: key.id, signing, output_bytes, in_parts: false, data })
    }

    pub(super) fn update(&mut self, part: &[u8], slot: &Slot) -> Outcome {
        if !self.signing.takes_parts() {
            return Err(Rv(CKR_OPERATION_NOT_INITIALIZED));
        }
        self.in_parts = true;
        match &mut self.data {
            Data::Hashed(context) => {
                context.update(part);
                Ok(())
            }
            Data::Whole(buffer) => buffer.push(part, data_limit(slot, self.output_bytes)),
        }
    }

    /// What goes to the engine, of data that came at once: `then` gets the digest, or the data itself.
    pub(super) fn whole<T>(self, data: &[u8], slot: &Slot, then: impl FnOnce(&[u8]) -> Outcome<T>) -> Outcome<T> {
        match self.data {
            Data::Hashed(mut context) => {
                context.update(data);
                then(context.finish().as_ref())
            }
            Data::Whole(_) if data.len() > data_limit(slot, self.output_bytes) => Err(Rv(CKR_DATA_LEN_RANGE)),
            Data::Whole(_) => then(data),
        }
    }

    /// What goes to the engine, of data that came in parts.
    pub(super) fn parts<T>(self, then: impl FnOnce(&[u8]) -> Outcome<T>) -> Outcome<T> {
        match self.data {
            Data::Hashed(context) => then(context.finish().as_ref()),
            Data::Whole(buffer) => then(&buffer.0),
        }
    }
}

impl Session {
    pub(crate) fn sign_init(&self, given: Begin, key: CK_OBJECT_HANDLE) -> Outcome {
        let Some(given) = begin(&mut self.state().sign, given)? else { return Ok(()) };
        let operation = SignOperation::new(&given, &*self.key(key)?, true)?;
        self.state().sign = Some(operation);
        Ok(())
    }

    pub(crate) fn sign(&self, data: &Input, out: &Output) -> Outcome {
        let State { sign, scratch, .. } = &mut *self.state();
        let operation = sign.as_ref().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        if operation.in_parts {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        if !out.has_room(operation.output_bytes)? {
            return Ok(());
        }
        let Some(operation) = sign.take() else { return Err(Rv(CKR_OPERATION_NOT_INITIALIZED)) };
        let command = command(&operation);
        operation.whole(data.bytes(), &self.slot, |data| {
            self.slot.call(scratch, &command, data).map_err(Rv::of_key).map(drop)
        })?;
        out.put(scratch.bulk())
    }

    pub(crate) fn sign_update(&self, part: &Input) -> Outcome {
        let mut state = self.state();
        let operation = state.sign.as_mut().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        operation.update(part.bytes(), &self.slot).inspect_err(|_| state.sign = None)
    }

    pub(crate) fn sign_final(&self, out: &Output) -> Outcome {
        let State { sign, scratch, .. } = &mut *self.state();
        let operation = sign.as_ref().filter(|o| o.signing.takes_parts()).ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        if !out.has_room(operation.output_bytes)? {
            return Ok(());
        }
        let Some(operation) = sign.take() else { return Err(Rv(CKR_OPERATION_NOT_INITIALIZED)) };
        let command = command(&operation);
        operation.parts(|data| self.slot.call(scratch, &command, data).map_err(Rv::of_key).map(drop))?;
        out.put(scratch.bulk())
    }
}

fn command(operation: &SignOperation) -> Sign {
    Sign { key: operation.key, mechanism: Mechanism::from(operation.signing.wire), ticket: None }
}
