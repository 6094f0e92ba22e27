//! How a frame gets to an engine and its reply back.

use crate::CallError;
use coloa_wire::ErrorCode;
use coloa_wire::hello::ServerHello;
use std::os::fd::RawFd;
use std::time::Instant;
use zeroize::Zeroizing;

/// Where the request number stands in a frame.
const REQUEST_FIELD: std::ops::Range<usize> = 8..12;

/// A way to an engine, used by many threads at once.
pub trait Transport: Send + Sync {
    /// Sends one call frame and waits until `deadline` for its reply frame, which replaces what is in `reply`. The transport
    /// writes the request number into the frame, because numbers rise on a connection.
    ///
    /// # Errors
    /// [`CallError::Lost`] when the call may be repeated, anything else when repeating it is of no use.
    fn exchange(&self, frame: &mut [u8], deadline: Instant, reply: &mut Vec<u8>) -> Result<(), CallError>;

    /// Sends one call frame, or has it ready to be sent, and does not wait for its reply.
    ///
    /// Where there is no wire to overlap on, the call is done at once.
    ///
    /// # Errors
    /// As [`Transport::exchange`].
    fn begin(&self, mut frame: Zeroizing<Vec<u8>>, deadline: Instant) -> Result<Box<dyn Pending>, CallError> {
        let mut reply = Vec::new();
        let outcome = match self.exchange(&mut frame, deadline, &mut reply) {
            Err(lost) if lost.is_lost() => self.exchange(&mut frame, deadline, &mut reply),
            outcome => outcome,
        };
        Ok(Box::new(Done(Some(outcome.map(|()| reply)))))
    }

    /// The engine's greeting; connects when there is no connection.
    ///
    /// # Errors
    /// Why there is no connection.
    fn hello(&self, deadline: Instant) -> Result<ServerHello, CallError>;

    /// Whether a call can be lost on the way, so that it must be safe to repeat.
    fn loses_calls(&self) -> bool {
        true
    }

    /// What this transport holds open, so that the child of a fork can close it without touching anything else.
    fn descriptors(&self) -> Vec<Descriptor>;
}

/// A call under way. Nobody works on it but those who call its functions: no thread stands behind it.
pub trait Pending: Send {
    /// Sends, and takes in what has arrived; waits only for room to send, when the way there is full. The reply frame, once.
    ///
    /// # Errors
    /// As [`Transport::exchange`], repeated once already where that is safe.
    fn poll(&mut self) -> Result<Option<Vec<u8>>, CallError>;

    /// Waits for the reply frame.
    ///
    /// # Errors
    /// As [`Pending::poll`].
    fn wait(&mut self) -> Result<Vec<u8>, CallError>;
}

/// A call that was done at once.
struct Done(Option<Result<Vec<u8>, CallError>>);

impl Pending for Done {
    fn poll(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        self.0.take().transpose()
    }

    fn wait(&mut self) -> Result<Vec<u8>, CallError> {
        self.0.take().unwrap_or(Err(CallError::Engine(ErrorCode::Internal)))
    }
}

/// An open socket: its number, and which file it is, so that a number that was reused is left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor {
    /// The descriptor's number.
    pub number: RawFd,
    /// The socket's inode.
    pub inode: u64,
}

/// Writes the request number into an encoded frame.
pub(crate) fn number(frame: &mut [u8], request: u32) {
    if let Some(field) = frame.get_mut(REQUEST_FIELD) {
        field.copy_from_slice(&request.to_be_bytes());
    }
}
