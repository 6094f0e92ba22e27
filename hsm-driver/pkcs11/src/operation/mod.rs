//! Operations: the init, update and final of one mechanism in one session.
//!
//! The engine's commands are whole, so multi-part state is here: a hash for what is hashed at the caller, a buffer for
//! the rest, never more than one frame takes. An operation ends when its result is delivered or it failed; a question for
//! the length, and a buffer that is too small, leave it as it was (§5.2).

mod asynchronous;
mod cipher;
mod combined;
mod digest;
mod find;
mod leave;
mod message;
mod random;
mod sign;
mod verify;

pub(crate) use asynchronous::{Delivery, Naming, Pending};
pub(crate) use cipher::Cipher;
pub(crate) use digest::Digesting;
pub(crate) use find::Find;
pub(crate) use message::{MessageCipher, MessageSigning};
pub(crate) use sign::SignOperation;
pub(crate) use verify::Verification;

use crate::mechanism::Given;
use crate::rv::{Outcome, Rv};
use crate::session::State;
use crate::slot::Slot;
use cryptoki_sys::*;
use zeroize::Zeroizing;

const NOT_INITIALIZED: Rv = Rv(CKR_OPERATION_NOT_INITIALIZED);

/// What a command's head, ids and tag take of a frame, beside additional data.
const HEAD_ROOM: usize = 512;

/// What `C_*Init` was given: a mechanism, or NULL to end the operation there is (PKCS#11 v3.1 §5.8.1).
pub(crate) type Begin = Option<Given>;

/// Handles the cases that all `C_*Init` share; `Some` is the mechanism to begin with. The caller holds the session's state
/// until the new operation stands there, so that of two threads one begins.
fn begin<T, G>(operation: &mut Option<T>, given: Option<G>) -> Outcome<Option<G>> {
    match (given, operation.is_some()) {
        (Some(_), true) => Err(Rv(CKR_OPERATION_ACTIVE)),
        (Some(given), false) => Ok(Some(given)),
        (None, true) => {
            *operation = None;
            Ok(None)
        }
        (None, false) => Err(Rv(CKR_ARGUMENTS_BAD)),
    }
}

/// The same for an operation whose end may be under way still: it is over when that was fetched or ended.
fn begin_idle<T, G>(
    state: &mut State,
    (flag, operation): (CK_FLAGS, fn(&mut State) -> &mut Option<T>),
    given: Option<G>,
) -> Outcome<Option<G>> {
    if given.is_none() && state.pending.take_if(|p| p.has_flag(flag)).is_some() {
        return Ok(None);
    }
    state.is_idle()?;
    begin(operation(state), given)
}

/// Data of a multi-part operation that must go to the engine at once.
#[derive(Default)]
struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    /// Takes a part; `CKR_DATA_LEN_RANGE` when it would be more than the engine's frame holds.
    fn push(&mut self, part: &[u8], limit: usize) -> Outcome {
        if self.0.len().saturating_add(part.len()) > limit {
            return Err(Rv(CKR_DATA_LEN_RANGE));
        }
        self.grow(part.len());
        self.0.extend_from_slice(part);
        Ok(())
    }

    /// Grows without leaving an unwiped copy behind.
    fn grow(&mut self, more: usize) {
        let needed = self.0.len().saturating_add(more);
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.0.capacity().saturating_mul(2)));
            larger.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(larger);
        }
    }
}

/// The most data one command of this slot's engine may carry beside `head` bytes of parameters.
fn data_limit(slot: &Slot, head: usize) -> usize {
    slot.target.max_frame().saturating_sub(HEAD_ROOM).saturating_sub(head)
}
