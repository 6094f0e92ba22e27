//! `C_Digest*`: SHA-2 over the caller's own data, computed here (§5.12).

use super::{Begin, begin};
use crate::abi::memory::{Input, Output};
use crate::mechanism::hashing;
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use aws_lc_rs::digest::Context;
use cryptoki_sys::*;

/// A hash that is not done.
pub(crate) struct Digesting {
    context: Context,
    in_parts: bool,
}

impl Session {
    pub(crate) fn digest_init(&self, given: Begin) -> Outcome {
        let state = &mut *self.state();
        if let Some(given) = begin(&mut state.digest, given)? {
            state.digest = Some(Digesting { context: Context::new(hashing(&given)?), in_parts: false });
        }
        Ok(())
    }

    pub(crate) fn digest(&self, data: &Input, out: &Output) -> Outcome {
        let state = &mut *self.state();
        let operation = state.digest.as_mut().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        if operation.in_parts {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        if !out.has_room(operation.context.algorithm().output_len())? {
            return Ok(());
        }
        let Some(mut operation) = state.digest.take() else { return Err(Rv(CKR_OPERATION_NOT_INITIALIZED)) };
        operation.context.update(data.bytes());
        out.put(operation.context.finish().as_ref())
    }

    pub(crate) fn digest_update(&self, part: &Input) -> Outcome {
        let mut state = self.state();
        let operation = state.digest.as_mut().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        operation.in_parts = true;
        operation.context.update(part.bytes());
        Ok(())
    }

    pub(crate) fn digest_final(&self, out: &Output) -> Outcome {
        let mut state = self.state();
        let operation = state.digest.as_ref().ok_or(Rv(CKR_OPERATION_NOT_INITIALIZED))?;
        if !out.has_room(operation.context.algorithm().output_len())? {
            return Ok(());
        }
        let Some(operation) = state.digest.take() else { return Err(Rv(CKR_OPERATION_NOT_INITIALIZED)) };
        out.put(operation.context.finish().as_ref())
    }
}
