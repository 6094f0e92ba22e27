//! What the threads of one connection share: frames to be sent, and the calls that wait.
//!
//! Its lock is held for moments, never while somebody encrypts, decrypts or sleeps. The *writer* and the *reader* are roles:
//! whoever takes their buffers from the desk has the role until it lays them back.

use super::gather::Gather;
use super::intake::Intake;
use super::slot::Slot;
use crate::CallError;
use crate::transport::number;
use coloa_wire::{ErrorCode, FrameKind};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The reader's buffers.
pub(super) struct Reader {
    pub(super) intake: Intake,
    /// Those whose replies have come and who must be woken.
    pub(super) wake: Vec<Arc<Slot>>,
}

/// The writer's buffers.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) frames: Zeroizing<Vec<u8>>,
    pub(super) records: Vec<u8>,
}

/// The desk.
pub(super) struct Desk {
    /// Whole frames, in the order of their numbers, that nobody has taken to send.
    pub(super) out: Zeroizing<Vec<u8>>,
    /// The last number that was taken to be sent.
    pub(super) taken: u32,
    pub(super) waiting: HashMap<u32, Arc<Slot>>,
    pub(super) reader: Option<Box<Reader>>,
    pub(super) writer: Option<Box<Writer>>,
    pub(super) gather: Gather,
    pub(super) last_heard: Instant,
    pub(super) broken: Option<CallError>,
    last_request: u32,
    /// Since when the other end has had something to do that is not answered.
    busy_since: Instant,
}

impl Desk {
    pub(super) fn new(intake: Intake) -> Self {
        Desk {
            out: Zeroizing::default(),
            taken: 0,
            waiting: HashMap::new(),
            reader: Some(Box::new(Reader { intake, wake: Vec::new() })),
            writer: Some(Box::default()),
            gather: Gather::new(),
            last_heard: Instant::now(),
            broken: None,
            last_request: 0,
            busy_since: Instant::now(),
        }
    }

    /// Gives the frame a number, puts it with those to be sent, and makes a place for its reply.
    pub(super) fn enlist(
        &mut self,
        place: &str,
        frame: &mut [u8],
        has_thread: bool,
        buffer: Vec<u8>,
    ) -> Result<Arc<Slot>, CallError> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let Some(request) = self.last_request.checked_add(1) else {
            let why = CallError::Lost(place.to_owned(), "its request numbers are used up".into());
            self.break_with(why.clone());
            return Err(why);
        };
        self.last_request = request;
        number(frame, request);
        self.out.extend_from_slice(frame);
        if self.waiting.is_empty() {
            self.busy_since = Instant::now();
        }
        let slot = Arc::new(Slot::new(request, has_thread, buffer));
        self.waiting.insert(request, slot.clone());
        if has_thread {
            self.gather.returned();
        }
        Ok(slot)
    }

    /// Gives the writer what is to be sent; `false` when that is nothing.
    pub(super) fn load(&mut self, writer: &mut Writer) -> bool {
        writer.frames.clear();
        if self.out.is_empty() || self.broken.is_some() {
            return false;
        }
        self.gather.close();
        self.taken = self.last_request;
        std::mem::swap(&mut *self.out, &mut *writer.frames);
        true
    }

    /// Hands the frames that are whole to those who wait. Answers how long the other end needed for each, if any came.
    ///
    /// # Errors
    /// What the other end says instead of replying, or that it does not follow the protocol.
    pub(super) fn deliver(&mut self, reader: &mut Reader, heard: bool) -> Result<Option<Duration>, ErrorCode> {
        if !heard {
            return Ok(None);
        }
        let now = Instant::now();
        self.last_heard = now;
        let (mut threads, mut replies) = (0_usize, 0_u32);
        let Reader { intake, wake } = reader;
        let taken = self.taken;
        let waiting = &mut self.waiting;
        intake.frames(|bytes, frame| {
            if frame.kind != FrameKind::Reply || frame.request > taken {
                return Err(ErrorCode::from_number(frame.code).unwrap_or(ErrorCode::FrameMalformed));
            }
            replies = replies.saturating_add(1);
            // A reply nobody waits for belongs to a call whose deadline has passed.
            if let Some(slot) = waiting.remove(&frame.request) {
                threads = threads.saturating_add(usize::from(slot.has_thread));
                if slot.finish(bytes) {
                    wake.push(slot);
                }
            }
            Ok(())
        })?;
        let each = now.saturating_duration_since(self.busy_since).checked_div(replies);
        if replies > 0 {
            self.busy_since = now;
            self.gather.released(threads, now);
        }
        Ok(each)
    }

    /// One who still waits and sleeps, so that it reads; only while nobody does. To be woken.
    pub(super) fn next_reader(&self) -> Option<Arc<Slot>> {
        self.reader.as_ref()?;
        self.waiting.values().find(|s| s.is_asleep() && s.nudge()).cloned()
    }

    /// No call can succeed any more: everyone who waits is to look.
    pub(super) fn break_with(&mut self, why: CallError) {
        self.broken.get_or_insert(why);
        for slot in self.waiting.values().filter(|s| s.nudge()) {
            slot.wake();
        }
    }
}
