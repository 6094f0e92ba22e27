//! The rules of one stream: a hello first, then calls whose request numbers rise.

use coloa_wire::frame::{FrameKind, MAX_HELLO_FRAME, frame_length};
use coloa_wire::{ErrorCode, Frame};

/// What a body keeps for each connection. A body that gets [`ErrorCode`] sends it as a fault and closes.
#[derive(Default)]
pub struct Conversation {
    greeted: bool,
    last_request: Option<u32>,
}

impl Conversation {
    /// How many bytes the frame at the start of the stream has; `None` when more must be read to know. Before the hello,
    /// frames are short: a stranger gets no memory (R34).
    ///
    /// # Errors
    /// See [`frame_length`].
    pub fn frame_length(&self, stream: &[u8], max_frame: usize) -> Result<Option<usize>, ErrorCode> {
        frame_length(stream, if self.greeted { max_frame } else { MAX_HELLO_FRAME.min(max_frame) })
    }

    /// Admits a whole frame to [`crate::Engine::handle`].
    ///
    /// # Errors
    /// `HelloExpected`, `RequestRepeated`, and those of [`Frame::parse`].
    pub fn admit(&mut self, frame: &[u8]) -> Result<(), ErrorCode> {
        let frame = Frame::parse(frame)?;
        match (self.greeted, frame.kind) {
            (false, FrameKind::Hello) => self.greeted = true,
            (false, _) => return Err(ErrorCode::HelloExpected),
            (true, FrameKind::Call) => {}
            (true, _) => return Err(ErrorCode::FrameMalformed),
        }
        if self.last_request.is_some_and(|last| frame.request <= last) {
            return Err(ErrorCode::RequestRepeated);
        }
        self.last_request = Some(frame.request);
        Ok(())
    }
}
