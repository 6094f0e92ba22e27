//! Calls of an asynchronous session (`CKF_ASYNC_SESSION`): the function that ends an operation puts its command on the wire
//! and answers `CKR_PENDING`; `C_AsyncComplete` looks for the reply. One call a session is under way; no thread works on it,
//! so one thread overlaps as many calls as it has sessions. What goes with a session that is closed is not waited for.

use super::NOT_INITIALIZED;
use crate::abi::memory::Output;
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use crate::slot::Slot;
use coloa_wire::Command;
use cryptoki_sys::*;
use zeroize::Zeroizing;

type Poll = Box<dyn FnMut(&Slot) -> Outcome<Option<Zeroizing<Vec<u8>>>> + Send>;

/// A call under way, and where its result goes. The caller keeps the buffer until then.
pub(crate) struct Pending {
    function: &'static str,
    /// What `C_SessionCancel` names it by.
    flag: CK_FLAGS,
    out: Output,
    room: usize,
    poll: Poll,
}

/// What `C_AsyncComplete` found: the buffer's address, and how many bytes came or why none did.
pub(crate) struct Completed {
    pub(crate) value: *mut CK_BYTE,
    pub(crate) outcome: Outcome<usize>,
}

impl Pending {
    /// Puts a command on the wire whose result, at most `room` bytes, goes to `out`.
    pub(super) fn begin<C: Command + 'static>(
        slot: &Slot,
        (function, flag): (&'static str, CK_FLAGS),
        (out, room): (&Output, usize),
        (command, bulk): (&C, &[u8]),
    ) -> Outcome<Self> {
        let (session, mut ticket) = slot.begin(command, bulk)?;
        let poll = Box::new(move |slot: &Slot| slot.poll(session, &mut ticket));
        Ok(Pending { function, flag, out: Output::fixed(out.start), room, poll })
    }

    pub(crate) fn has_flag(&self, flags: CK_FLAGS) -> bool {
        flags & self.flag != 0
    }

    fn deliver(&self, bytes: &[u8]) -> Outcome<usize> {
        if bytes.len() > self.room {
            return Err(Rv(CKR_DEVICE_ERROR));
        }
        self.out.put_at(0, bytes).map(|()| bytes.len())
    }
}

impl State {
    /// `CKR_OPERATION_ACTIVE` while a call is under way.
    pub(super) fn is_idle(&self) -> Outcome {
        if self.pending.is_some() { Err(Rv(CKR_OPERATION_ACTIVE)) } else { Ok(()) }
    }
}

impl Session {
    /// `C_AsyncComplete`; `CKR_PENDING` while the reply is not there.
    pub(crate) fn async_complete(&self, function: &[u8]) -> Outcome<Completed> {
        let pending = &mut self.state().pending;
        let mut active = pending.take_if(|p| p.function.as_bytes() == function).ok_or(NOT_INITIALIZED)?;
        let outcome = match (active.poll)(&self.slot) {
            Ok(None) => {
                *pending = Some(active);
                return Err(Rv(CKR_PENDING));
            }
            Ok(Some(bytes)) => active.deliver(&bytes),
            Err(why) => Err(why.of_key()),
        };
        Ok(Completed { value: active.out.address(), outcome })
    }

    /// `C_AsyncGetID`: a call that is under way here does not outlive its session.
    pub(crate) fn async_id(&self, function: &[u8]) -> Outcome {
        let state = self.state();
        state.pending.as_ref().filter(|p| p.function.as_bytes() == function).ok_or(NOT_INITIALIZED)?;
        Err(Rv(CKR_STATE_UNSAVEABLE))
    }
}
