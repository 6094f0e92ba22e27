//! The appliance's local socket: frames without TLS, one call at a time. The socket's file permissions say who may.

use crate::network::greeting;
use crate::transport::number;
use crate::{CallError, Descriptor, Transport};
use coloa_wire::ErrorCode;
use coloa_wire::frame::{LENGTH_FIELD, MAX_FRAME_HOST, frame_length};
use coloa_wire::hello::ServerHello;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A connection made on the first call, and again after it was lost.
pub(crate) struct Local {
    socket: PathBuf,
    channel: Mutex<Option<Channel>>,
}

struct Channel {
    stream: UnixStream,
    hello: ServerHello,
    last_request: u32,
}

impl Local {
    pub(crate) fn new(socket: &Path) -> Self {
        Local { socket: socket.to_path_buf(), channel: Mutex::new(None) }
    }

    fn place(&self) -> String {
        self.socket.display().to_string()
    }

    fn channel(&self) -> MutexGuard<'_, Option<Channel>> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dial(&self, deadline: Instant) -> Result<Channel, CallError> {
        let unreachable = |e: std::io::Error| CallError::Unreachable(self.place(), e.to_string());
        let mut stream = UnixStream::connect(&self.socket).map_err(unreachable)?;
        let mut reply = Vec::new();
        self.round_trip(&mut stream, &greeting::request(), deadline, &mut reply)?;
        let hello = greeting::accept(&reply).map_err(|code| CallError::Protocol(self.place(), code))?;
        Ok(Channel { stream, hello, last_request: 0 })
    }

    fn round_trip(
        &self,
        stream: &mut UnixStream,
        frame: &[u8],
        deadline: Instant,
        reply: &mut Vec<u8>,
    ) -> Result<(), CallError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(CallError::Deadline(self.place()));
        }
        let bounded = stream.set_read_timeout(Some(left)).and_then(|()| stream.set_write_timeout(Some(left)));
        bounded.map_err(|e| self.broken(&e))?;
        stream.write_all(frame).map_err(|e| self.broken(&e))?;
        reply.clear();
        reply.resize(LENGTH_FIELD, 0);
        stream.read_exact(reply).map_err(|e| self.broken(&e))?;
        let length = frame_length(reply, MAX_FRAME_HOST).map_err(|code| CallError::Protocol(self.place(), code))?;
        reply.resize(length.unwrap_or(LENGTH_FIELD), 0);
        let body = reply.get_mut(LENGTH_FIELD..).unwrap_or_default();
        stream.read_exact(body).map_err(|e| self.broken(&e))
    }

    fn broken(&self, error: &std::io::Error) -> CallError {
        match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => CallError::Deadline(self.place()),
            _ => CallError::Lost(self.place(), error.to_string()),
        }
    }
}

impl Transport for Local {
    fn exchange(&self, frame: &mut [u8], deadline: Instant, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let mut held = self.channel();
        let mut channel = held.take().map_or_else(|| self.dial(deadline), Ok)?;
        channel.last_request = channel
            .last_request
            .checked_add(1)
            .ok_or_else(|| CallError::Protocol(self.place(), ErrorCode::RequestRepeated))?;
        number(frame, channel.last_request);
        self.round_trip(&mut channel.stream, frame, deadline, reply)?;
        *held = Some(channel);
        Ok(())
    }

    fn hello(&self, deadline: Instant) -> Result<ServerHello, CallError> {
        let mut held = self.channel();
        let channel = held.take().map_or_else(|| self.dial(deadline), Ok)?;
        Ok(held.insert(channel).hello.clone())
    }

    fn descriptors(&self) -> Vec<Descriptor> {
        Vec::new()
    }
}
