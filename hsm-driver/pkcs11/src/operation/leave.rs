//! Keys that ask for the PIN at each use (`CKA_ALWAYS_AUTHENTICATE`, §4.9): `C_Login` with `CKU_CONTEXT_SPECIFIC` gives leave
//! for one use by the operation that has begun.

use super::NOT_INITIALIZED;
use crate::key::KeyFacts;
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use coloa_wire::UseTicket;
use coloa_wire::command::{ContextLogin, Pin};
use cryptoki_sys::CKR_USER_NOT_LOGGED_IN;

/// Whether an operation may use its key.
#[derive(Clone, Copy)]
pub(super) enum Leave {
    /// As often as it likes.
    Free,
    /// After a login of its own.
    Wanted,
    /// Once.
    Given(UseTicket),
}

impl Leave {
    pub(super) fn for_key(key: &KeyFacts) -> Self {
        if key.always_authenticates() { Leave::Wanted } else { Leave::Free }
    }

    /// Spends it: what goes to the engine with the use. `CKR_USER_NOT_LOGGED_IN` where a login is missing.
    pub(super) fn spend(&mut self) -> Outcome<Option<UseTicket>> {
        match *self {
            Leave::Free => Ok(None),
            Leave::Wanted => Err(Rv(CKR_USER_NOT_LOGGED_IN)),
            Leave::Given(ticket) => {
                *self = Leave::Wanted;
                Ok(Some(ticket))
            }
        }
    }

    fn is_wanted(&self) -> bool {
        matches!(self, Leave::Wanted)
    }
}

impl Session {
    /// `C_Login` with `CKU_CONTEXT_SPECIFIC`. A wrong PIN leaves the operation as it was.
    pub(crate) fn log_in_for_one_use(&self, pin: Pin) -> Outcome {
        let State { sign, decrypt, sign_messages, .. } = &mut *self.state();
        let signing = sign.as_mut().map(|o| o.leave());
        let decrypting = decrypt.as_mut().map(|o| o.leave());
        let messages = sign_messages.as_mut().map(|o| o.leave());
        let mut waiting = [signing, decrypting, messages].into_iter().flatten();
        let leave = waiting.find(|leave| leave.is_wanted()).ok_or(NOT_INITIALIZED)?;
        *leave = Leave::Given(self.slot.ask(&ContextLogin { pin })?.ticket);
        Ok(())
    }
}
