//! A call whose reply is fetched later.

use crate::{CallError, Pending};
use coloa_wire::Command;
use std::marker::PhantomData;
use zeroize::Zeroizing;

/// One call under way, from [`Client::begin`](crate::Client::begin).
///
/// No thread works on it: [`Client::poll`](crate::Client::poll) and [`Client::wait`](crate::Client::wait) do, of this ticket
/// or of another one on the same connection. Calls that are begun one after the other travel together when the first of them
/// is polled. One that is dropped may still be carried out.
pub struct Ticket<C: Command> {
    pending: Box<dyn Pending>,
    kind: PhantomData<fn() -> C>,
}

impl<C: Command> Ticket<C> {
    pub(crate) fn new(pending: Box<dyn Pending>) -> Self {
        Ticket { pending, kind: PhantomData }
    }

    pub(crate) fn poll(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, CallError> {
        Ok(self.pending.poll()?.map(Zeroizing::new))
    }

    pub(crate) fn wait(&mut self) -> Result<Zeroizing<Vec<u8>>, CallError> {
        Ok(Zeroizing::new(self.pending.wait()?))
    }
}
