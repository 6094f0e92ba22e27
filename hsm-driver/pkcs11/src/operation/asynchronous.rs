//! Calls of an asynchronous session (`CKF_ASYNC_SESSION`): the function puts its command on the wire and answers
//! `CKR_PENDING`; `C_AsyncComplete` looks for the reply. One call a session is under way; no thread works on it, so one thread
//! overlaps as many calls as it has sessions. What goes with a session that is closed is not waited for.
//!
//! A buffer has room for the longest result before its call begins, so no result is lost for lack of room.

use super::NOT_INITIALIZED;
use crate::abi::memory::Output;
use crate::rv::{Outcome, Rv};
use crate::session::{Session, State};
use crate::slot::Slot;
use coloa_client::{Answer, Scratch};
use coloa_wire::{Command, ObjectId};
use cryptoki_sys::*;
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

type Poll = Box<dyn FnMut(&Session, &mut State) -> Outcome<Option<Delivery>> + Send>;

/// A function of PKCS#11, by its name, and the flag that `C_SessionCancel` knows its operation by; 0 for none.
pub(crate) type Function = (&'static str, CK_FLAGS);

/// What a call came to.
#[derive(Default)]
pub(crate) struct Delivery {
    /// For the caller's buffer.
    pub(crate) bytes: Option<Zeroizing<Vec<u8>>>,
    /// Handles: the object, and the private key of a pair.
    pub(crate) objects: [CK_OBJECT_HANDLE; 2],
}

impl Delivery {
    pub(crate) fn bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Delivery { bytes: Some(bytes), ..Delivery::default() }
    }

    pub(crate) fn object(object: CK_OBJECT_HANDLE) -> Self {
        Delivery { objects: [object, 0], ..Delivery::default() }
    }
}

/// A call under way, and where its result goes. The caller keeps the buffer until then.
pub(crate) struct Pending {
    function: Function,
    out: Option<Output>,
    /// How long the result may be.
    room: RangeInclusive<usize>,
    poll: Poll,
}

/// What `C_AsyncComplete` found: the buffer's address, how many bytes came there and which objects, or why none did.
pub(crate) struct Completed {
    pub(crate) value: Option<*mut CK_BYTE>,
    pub(crate) outcome: Outcome<(usize, [CK_OBJECT_HANDLE; 2])>,
}

/// A command, its bulk, and what its errors are called where it stands.
pub(crate) type Call<'a, C> = (&'a C, &'a [u8], Naming);

/// The name of an error in the place of the object that it speaks of.
pub(crate) type Naming = fn(Rv) -> Rv;

impl Pending {
    /// Puts a command on the wire; `then` is what its answer comes to.
    pub(crate) fn begin<C: Command + 'static>(
        slot: &Slot,
        function: Function,
        (command, bulk, named): Call<'_, C>,
        then: impl FnOnce(&Session, &mut State, Answer<C>) -> Outcome<Delivery> + Send + 'static,
    ) -> Outcome<Self> {
        let (session, mut ticket) = slot.begin(command, bulk).map_err(named)?;
        let mut then = Some(then);
        let poll = Box::new(move |of: &Session, state: &mut State| {
            let Some(answer) = of.slot.poll(session, &mut ticket).map_err(named)? else { return Ok(None) };
            let then = then.take().ok_or(NOT_INITIALIZED)?;
            then(of, state, answer).map(Some)
        });
        Ok(Pending { function, out: None, room: 0..=0, poll })
    }

    /// With a buffer for the result, which has so many bytes.
    pub(crate) fn into_buffer(self, out: &Output, room: RangeInclusive<usize>) -> Self {
        Pending { out: Some(Output::fixed(out.start, *room.end())), room, ..self }
    }

    pub(crate) fn has_flag(&self, flags: CK_FLAGS) -> bool {
        flags & self.function.1 != 0
    }

    fn is_of(&self, name: &[u8]) -> bool {
        self.function.0.as_bytes() == name
    }

    fn deliver(&self, made: &Delivery) -> Outcome<(usize, [CK_OBJECT_HANDLE; 2])> {
        let (Some(out), Some(bytes)) = (&self.out, &made.bytes) else { return Ok((0, made.objects)) };
        if !self.room.contains(&bytes.len()) {
            return Err(Rv(CKR_DEVICE_ERROR));
        }
        out.put_at(0, bytes).map(|()| (bytes.len(), made.objects))
    }
}

impl State {
    /// `CKR_OPERATION_ACTIVE` while a call is under way.
    pub(crate) fn is_idle(&self) -> Outcome {
        if self.pending.is_some() { Err(Rv(CKR_OPERATION_ACTIVE)) } else { Ok(()) }
    }
}

impl Session {
    /// Carries a command out: now or, in an asynchronous session, later (`CKR_PENDING`). What `then` makes of the answer goes
    /// to `out`, where there is room for its so many bytes.
    pub(crate) fn carry_out<C: Command + 'static>(
        &self,
        function: Function,
        call: Call<'_, C>,
        out: Option<(&Output, usize)>,
        then: impl FnOnce(&Session, &mut State, Answer<C>) -> Outcome<Delivery> + Send + 'static,
    ) -> Outcome<Delivery> {
        if self.overlaps {
            let state = &mut *self.state();
            state.is_idle()?;
            let pending = Pending::begin(&self.slot, function, call, then)?;
            state.pending = Some(match out {
                Some((out, room)) => pending.into_buffer(out, room..=room),
                None => pending,
            });
            return Err(Rv(CKR_PENDING));
        }
        let ((command, bulk, named), mut scratch) = (call, Scratch::new());
        let reply = self.slot.call(&mut scratch, command, bulk).map_err(named)?;
        let answer = (reply, Zeroizing::new(scratch.bulk().to_vec()));
        let made = then(self, &mut self.state(), answer)?;
        if let (Some((out, _)), Some(bytes)) = (out, &made.bytes) {
            out.put(bytes)?;
        }
        Ok(made)
    }

    /// The same for a command that makes one object.
    pub(crate) fn make_object<C: Command + 'static>(
        &self,
        function: Function,
        call: Call<'_, C>,
        (token, object): (bool, fn(&C::Reply) -> ObjectId),
    ) -> Outcome<CK_OBJECT_HANDLE> {
        let adopt = move |of: &Session, state: &mut State, (reply, _): Answer<C>| {
            Ok(Delivery::object(state.adopt(&of.slot, object(&reply), token)))
        };
        Ok(self.carry_out(function, call, None, adopt)?.objects[0])
    }

    /// Whether the call under way is of this function, and has nothing to give but its success.
    pub(crate) fn awaits_nothing(&self, function: &[u8]) -> bool {
        self.state().pending.as_ref().is_some_and(|p| p.is_of(function) && p.has_flag(CKF_VERIFY))
    }

    /// `C_AsyncComplete`; `CKR_PENDING` while the reply is not there.
    pub(crate) fn async_complete(&self, function: &[u8]) -> Outcome<Completed> {
        let state = &mut *self.state();
        let mut active = state.pending.take_if(|p| p.is_of(function)).ok_or(NOT_INITIALIZED)?;
        let outcome = match (active.poll)(self, state) {
            Ok(None) => {
                state.pending = Some(active);
                return Err(Rv(CKR_PENDING));
            }
            Ok(Some(made)) => active.deliver(&made),
            Err(why) => Err(why),
        };
        Ok(Completed { value: active.out.map(|out| out.address()), outcome })
    }

    /// `C_AsyncGetID`: a call that is under way here does not outlive its session.
    pub(crate) fn async_id(&self, function: &[u8]) -> Outcome {
        let state = self.state();
        state.pending.as_ref().filter(|p| p.is_of(function)).ok_or(NOT_INITIALIZED)?;
        Err(Rv(CKR_STATE_UNSAVEABLE))
    }
}
