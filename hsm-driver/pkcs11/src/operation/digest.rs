//! `C_Digest*`: SHA-2 and SHA-3 over the caller's own data, computed here (§5.12).

use super::{Begin, NOT_INITIALIZED, begin};
use crate::abi::memory::{Input, Output};
use crate::hash::{Hash, Hashing};
use crate::mechanism::hashing;
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use cryptoki_sys::*;

/// A hash that is not done.
pub(crate) struct Digesting {
    hash: &'static Hash,
    state: Box<Hashing>,
    in_parts: bool,
}

impl Digesting {
    /// Takes a part.
    pub(super) fn update(&mut self, part: &[u8]) {
        self.in_parts = true;
        self.state.update(part);
    }
}

impl Session {
    pub(crate) fn digest_init(&self, given: Begin) -> Outcome {
        let state = &mut *self.state();
        if let Some(given) = begin(&mut state.digest, given)? {
            let hash = hashing(&given)?;
            state.digest = Some(Digesting { hash, state: Box::new(hash.start()), in_parts: false });
        }
        Ok(())
    }

    pub(crate) fn digest(&self, data: &Input, out: &Output) -> Outcome {
        let state = &mut *self.state();
        let operation = state.digest.as_mut().ok_or(NOT_INITIALIZED)?;
        if operation.in_parts {
            return Err(Rv(CKR_OPERATION_ACTIVE));
        }
        if !out.has_room(operation.hash.length())? {
            return Ok(());
        }
        let mut operation = state.digest.take().ok_or(NOT_INITIALIZED)?;
        operation.state.update(data.bytes());
        out.put(operation.state.finish().as_ref())
    }

    pub(crate) fn digest_update(&self, part: &Input) -> Outcome {
        self.state().digest.as_mut().ok_or(NOT_INITIALIZED)?.update(part.bytes());
        Ok(())
    }

    /// `C_DigestKey`: a key's value is not here, and does not come here.
    pub(crate) fn digest_key(&self, key: CK_OBJECT_HANDLE) -> Outcome {
        self.state().digest.as_ref().ok_or(NOT_INITIALIZED)?;
        self.key(key)?;
        self.state().digest = None;
        Err(Rv(CKR_KEY_INDIGESTIBLE))
    }

    pub(crate) fn digest_final(&self, out: &Output) -> Outcome {
        let mut state = self.state();
        let operation = state.digest.as_ref().ok_or(NOT_INITIALIZED)?;
        if !out.has_room(operation.hash.length())? {
            return Ok(());
        }
        let operation = state.digest.take().ok_or(NOT_INITIALIZED)?;
        out.put(operation.state.finish().as_ref())
    }
}
