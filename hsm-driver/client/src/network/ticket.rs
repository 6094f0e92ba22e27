//! A call that its caller looks after now and then.

use super::connection::Connection;
use super::slot::Slot;
use super::{Line, fits};
use crate::{CallError, Pending};
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

/// One call under way. It is driven by polling, its own or that of any other call on the same connection.
pub(super) struct Call {
    line: Arc<Line>,
    frame: Zeroizing<Vec<u8>>,
    /// Until it has its reply.
    under_way: Option<(Arc<Connection>, Arc<Slot>)>,
    begun: Instant,
    deadline: Instant,
    was_lost: bool,
}

impl Call {
    pub(super) fn begin(line: Arc<Line>, frame: Zeroizing<Vec<u8>>, deadline: Instant) -> Result<Self, CallError> {
        let begun = Instant::now();
        let mut call = Call { line, frame, under_way: None, begun, deadline, was_lost: false };
        call.start().or_else(|lost| call.start_again(lost))?;
        Ok(call)
    }

    fn start(&mut self) -> Result<(), CallError> {
        let line = &self.line;
        let connection = line.places.choose_for_ticket(line.crowd.is_quick(), || line.open(self.deadline))?;
        fits(&self.frame, &connection)?;
        let slot = connection.begin(&mut self.frame, false, Vec::new(), self.deadline)?;
        self.under_way = Some((connection, slot));
        Ok(())
    }

    /// Sends it once more when its connection was lost; the retry id makes that safe.
    fn start_again(&mut self, why: CallError) -> Result<(), CallError> {
        if !why.is_lost() || self.was_lost {
            return Err(why);
        }
        tracing::debug!(place = %self.line.address, reason = %why, "connection lost; the call is sent once more");
        self.was_lost = true;
        self.line.places.forget_idle();
        self.start()
    }
}

impl Pending for Call {
    fn poll(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let Some((connection, slot)) = self.under_way.take() else { return Ok(None) };
        if !slot.is_done() {
            self.line.places.flush(self.deadline);
        }
        match connection.poll(&slot, self.begun, self.deadline) {
            Ok(None) => {
                self.under_way = Some((connection, slot));
                Ok(None)
            }
            Ok(reply) => Ok(reply),
            Err(why) => self.start_again(why).map(|()| None),
        }
    }

    fn wait(&mut self) -> Result<Vec<u8>, CallError> {
        loop {
            let Some((connection, slot)) = self.under_way.take() else {
                return Err(CallError::Deadline(self.line.address.clone()));
            };
            self.line.places.flush(self.deadline);
            let caller = self.line.crowd.enter();
            let outcome = connection.finish(&slot, self.deadline);
            drop(caller);
            match outcome {
                Ok(reply) => return Ok(reply),
                Err(why) => self.start_again(why)?,
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some((connection, slot)) = self.under_way.take() {
            connection.end(&slot);
        }
    }
}
