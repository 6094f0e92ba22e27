//! Frames: the only thing a stream between caller and engine holds.

use crate::{ErrorCode, RetryId, SessionId};
use alloc::vec::Vec;

/// Bytes of the length field.
pub const LENGTH_FIELD: usize = 4;
/// Bytes from the length field to the head of a frame without session and retry id.
pub const MIN_HEADER: usize = LENGTH_FIELD + 8 + 4;
/// The longest frame anyone accepts before the hellos are exchanged.
pub const MAX_HELLO_FRAME: usize = 1024;
/// The longest frame of a host body: 1 MiB of bulk and its head.
pub const MAX_FRAME_HOST: usize = 1024 * 1024 + 8 * 1024;
/// The longest frame of a board.
pub const MAX_FRAME_BOARD: usize = 8 * 1024;

const HAS_SESSION: u8 = 1;
const HAS_RETRY: u8 = 2;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FrameKind {
    /// A [`crate::hello`].
    Hello = 0,
    /// A command; `code` is its number.
    Call = 1,
    /// A command's answer; `code` is 0 or an [`ErrorCode`].
    Reply = 2,
    /// The stream can no longer be trusted; `code` says why, then the sender closes.
    Fault = 3,
}

/// A frame, borrowed from the bytes it was parsed from or about to be encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: FrameKind,
    /// Command number, or result number; see [`FrameKind`].
    pub code: u16,
    /// Chosen by the caller, rising on a connection; the reply repeats it.
    pub request: u32,
    /// The session a call belongs to.
    pub session: Option<SessionId>,
    /// Makes repeating a state-changing call safe.
    pub retry: Option<RetryId>,
    /// CBOR.
    pub head: &'a [u8],
    /// Raw data.
    pub bulk: &'a [u8],
}

/// How many bytes the frame at the start of `stream` has, with its length field; `None` when more must be read to know.
///
/// # Errors
/// [`ErrorCode::FrameTooLong`] and [`ErrorCode::FrameTruncated`]: close the stream.
pub fn frame_length(stream: &[u8], max: usize) -> Result<Option<usize>, ErrorCode> {
    let Some(field) = stream.first_chunk::<LENGTH_FIELD>() else { return Ok(None) };
    let body = usize::try_from(u32::from_be_bytes(*field)).map_err(|_| ErrorCode::FrameTooLong)?;
    let whole = body.checked_add(LENGTH_FIELD).filter(|l| *l <= max).ok_or(ErrorCode::FrameTooLong)?;
    if whole < MIN_HEADER { Err(ErrorCode::FrameTruncated) } else { Ok(Some(whole)) }
}

impl<'a> Frame<'a> {
    /// Parses one whole frame, its length field included.
    ///
    /// # Errors
    /// [`ErrorCode::FrameTruncated`], [`ErrorCode::FrameTooLong`] (bytes after the end) or [`ErrorCode::FrameMalformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ErrorCode> {
        let mut r = Reader(bytes);
        let body = u32::from_be_bytes(r.array()?);
        match usize::try_from(body).map_err(|_| ErrorCode::FrameTooLong)?.cmp(&r.0.len()) {
            core::cmp::Ordering::Greater => return Err(ErrorCode::FrameTruncated),
            core::cmp::Ordering::Less => return Err(ErrorCode::FrameTooLong),
            core::cmp::Ordering::Equal => {}
        }
        let [kind, flags] = r.array()?;
        let kind = FrameKind::try_from(kind)?;
        if flags & !(HAS_SESSION | HAS_RETRY) != 0 || (flags != 0 && kind != FrameKind::Call) {
            return Err(ErrorCode::FrameMalformed);
        }
        let code = u16::from_be_bytes(r.array()?);
        let request = u32::from_be_bytes(r.array()?);
        let session = (flags & HAS_SESSION != 0).then(|| r.array().map(SessionId)).transpose()?;
        let retry = (flags & HAS_RETRY != 0).then(|| r.array().map(RetryId)).transpose()?;
        let head_length = u32::from_be_bytes(r.array()?);
        let (head, bulk) = r.split(head_length)?;
        Ok(Frame { kind, code, request, session, retry, head, bulk })
    }

    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let ids = [self.session.map_or(0, |_| 16), self.retry.map_or(0, |_| 16)];
        let parts = ids.into_iter().chain([self.head.len(), self.bulk.len()]);
        let body = parts.fold(MIN_HEADER - LENGTH_FIELD, usize::saturating_add);
        out.reserve(body.saturating_add(LENGTH_FIELD));
        out.extend_from_slice(&length_field(body));
        let flags = self.session.map_or(0, |_| HAS_SESSION) | self.retry.map_or(0, |_| HAS_RETRY);
        out.extend_from_slice(&[self.kind as u8, flags]);
        out.extend_from_slice(&self.code.to_be_bytes());
        out.extend_from_slice(&self.request.to_be_bytes());
        self.session.iter().for_each(|s| out.extend_from_slice(&s.0));
        self.retry.iter().for_each(|r| out.extend_from_slice(&r.0));
        out.extend_from_slice(&length_field(self.head.len()));
        out.extend_from_slice(self.head);
        out.extend_from_slice(self.bulk);
    }

    /// A reply or a fault that carries only a number.
    pub fn status(kind: FrameKind, code: u16, request: u32) -> Frame<'static> {
        Frame { kind, code, request, session: None, retry: None, head: &[], bulk: &[] }
    }
}

/// Lengths beyond `u32` saturate; the receiver then refuses the frame as too long.
fn length_field(length: usize) -> [u8; LENGTH_FIELD] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

impl TryFrom<u8> for FrameKind {
    type Error = ErrorCode;
    fn try_from(kind: u8) -> Result<Self, ErrorCode> {
        match kind {
            0 => Ok(FrameKind::Hello),
            1 => Ok(FrameKind::Call),
            2 => Ok(FrameKind::Reply),
            3 => Ok(FrameKind::Fault),
            _ => Err(ErrorCode::FrameMalformed),
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], ErrorCode> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(ErrorCode::FrameTruncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn split(self, at: u32) -> Result<(&'a [u8], &'a [u8]), ErrorCode> {
        let at = usize::try_from(at).map_err(|_| ErrorCode::FrameMalformed)?;
        self.0.split_at_checked(at).ok_or(ErrorCode::FrameMalformed)
    }
}
