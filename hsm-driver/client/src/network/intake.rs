//! What arrives: records become plaintext, plaintext becomes frames.

use super::tls;
use crate::CallError;
use coloa_wire::frame::{MAX_FRAME_HOST, frame_length};
use coloa_wire::{ErrorCode, Frame};
use rustls::ClientConnection;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// One read takes this much: a few TLS records.
const READ_BYTES: usize = 64 * 1024;

/// The bytes on their way.
pub(super) struct Intake {
    /// What one read takes from the socket.
    pub(super) buffer: Box<[u8]>,
    /// Plaintext that is not a whole frame yet.
    plain: Zeroizing<Vec<u8>>,
}

impl Intake {
    pub(super) fn new() -> Self {
        Intake { buffer: vec![0; READ_BYTES].into(), plain: Zeroizing::default() }
    }

    /// Decrypts the first bytes of the buffer. Answers whether something is to be sent in return.
    pub(super) fn decrypt(
        &mut self,
        tls: &Mutex<ClientConnection>,
        place: &str,
        arrived: usize,
    ) -> Result<bool, CallError> {
        let mut bytes = self.buffer.get(..arrived).unwrap_or_default();
        let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
        while !bytes.is_empty() {
            let lost = |e: io::Error| CallError::Lost(place.to_owned(), e.to_string());
            tls.read_tls(&mut bytes).map_err(lost)?;
            let state = tls.process_new_packets().map_err(|e| tls::fault(place, &e))?;
            let more = state.plaintext_bytes_to_read();
            if more > 0 {
                let whole = self.plain.len();
                self.plain.resize(whole.saturating_add(more), 0);
                tls.reader().read_exact(self.plain.get_mut(whole..).unwrap_or_default()).map_err(lost)?;
            }
            if state.peer_has_closed() {
                return Err(CallError::Lost(place.to_owned(), "the other end closed it".into()));
            }
        }
        Ok(tls.wants_write())
    }

    /// Takes out the frames that are whole.
    pub(super) fn frames(
        &mut self,
        mut each: impl FnMut(&[u8], &Frame<'_>) -> Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let mut start = 0_usize;
        loop {
            let rest = self.plain.get(start..).unwrap_or_default();
            let Some(length) = frame_length(rest, MAX_FRAME_HOST)? else { break };
            let Some(bytes) = rest.get(..length) else { break };
            each(bytes, &Frame::parse(bytes)?)?;
            start = start.saturating_add(length);
        }
        if start == self.plain.len() {
            self.plain.clear();
        } else {
            self.plain.drain(..start);
        }
        Ok(())
    }
}
