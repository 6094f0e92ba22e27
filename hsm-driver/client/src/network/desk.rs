//! What the threads of one connection share: frames to be sent, and the calls that wait.
//!
//! Its lock is held for moments, never while somebody encrypts, decrypts or sleeps. The *writer* and the *reader* are roles:
//! whoever takes their buffers from the desk has the role until it lays them back.

use super::gather::Gather;
use super::intake::Intake;
use super::slot::{Bell, Sleepers, Slot};
use crate::CallError;
use crate::transport::number;
use coloa_wire::{ErrorCode, FrameKind};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The writer's buffers.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) frames: Zeroizing<Vec<u8>>,
    pub(super) records: Vec<u8>,
}

/// What a delivery leads to.
#[derive(Default)]
pub(super) struct Delivered {
    pub(super) wake: Sleepers,
    /// How long the other end needed for each reply, if any came.
    pub(super) each: Option<Duration>,
}

/// The desk.
pub(super) struct Desk {
    /// Whole frames, in the order of their numbers, that nobody has taken to send.
    pub(super) out: Zeroizing<Vec<u8>>,
    /// The last number that was taken to be sent.
    pub(super) taken: u32,
    pub(super) waiting: HashMap<u32, Arc<Slot>>,
    pub(super) reader: Option<Box<Intake>>,
    pub(super) writer: Option<Box<Writer>>,
    pub(super) gather: Gather,
    /// The call whose thread sends what is here when the gathering takes too long; 0 is none.
    pub(super) watcher: u32,
    pub(super) last_heard: Instant,
    pub(super) broken: Option<CallError>,
    last_request: u32,
    /// Calls on the desk. One that was given up there counts until it is sent.
    unsent: usize,
    /// Since when the other end has had something to do that is not answered.
    busy_since: Instant,
}

impl Desk {
    pub(super) fn new(intake: Intake) -> Self {
        Desk {
            out: Zeroizing::default(),
            taken: 0,
            waiting: HashMap::new(),
            reader: Some(Box::new(intake)),
            writer: Some(Box::default()),
            gather: Gather::new(),
            watcher: 0,
            last_heard: Instant::now(),
            broken: None,
            last_request: 0,
            unsent: 0,
            busy_since: Instant::now(),
        }
    }

    /// Gives the frame a number, puts it with those to be sent, and makes a place for its reply.
    pub(super) fn enlist(
        &mut self,
        place: &str,
        frame: &mut [u8],
        (has_thread, may_wait): (bool, bool),
        buffer: Vec<u8>,
    ) -> Result<Arc<Slot>, CallError> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let Some(request) = self.last_request.checked_add(1) else {
            let why = CallError::Lost(place.to_owned(), "its request numbers are used up".into());
            self.broken = Some(why.clone());
            return Err(why);
        };
        self.last_request = request;
        number(frame, request);
        self.out.extend_from_slice(frame);
        if self.waiting.is_empty() {
            self.busy_since = Instant::now();
        }
        let at_work = self.waiting.len() > self.unsent;
        self.unsent = self.unsent.saturating_add(1);
        let slot = Arc::new(Slot::new(request, has_thread, buffer));
        self.waiting.insert(request, slot.clone());
        if has_thread {
            self.gather.returned();
        }
        if at_work && may_wait {
            self.gather.hold(Instant::now());
        }
        Ok(slot)
    }

    /// Calls that nobody has taken to send.
    pub(super) fn unsent(&self) -> usize {
        self.unsent
    }

    /// Whether something is to be sent now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.out.is_empty() && !self.gather.is_open(now)
    }

    /// Gives the writer what is to be sent; `false` when that is nothing.
    pub(super) fn load(&mut self, writer: &mut Writer) -> bool {
        writer.frames.clear();
        if self.out.is_empty() || self.broken.is_some() {
            return false;
        }
        self.gather.close(Instant::now());
        self.watcher = 0;
        self.taken = self.last_request;
        self.unsent = 0;
        std::mem::swap(&mut *self.out, &mut *writer.frames);
        true
    }

    /// Hands the frames that are whole to those who wait.
    ///
    /// # Errors
    /// What the other end says instead of replying, or that it does not follow the protocol.
    pub(super) fn deliver(&mut self, intake: &mut Intake) -> Result<Delivered, ErrorCode> {
        let now = Instant::now();
        let (mut threads, mut replies) = (0_usize, 0_u32);
        let mut wake = Sleepers::default();
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
                wake.add(slot.finish(bytes));
            }
            Ok(())
        })?;
        let each = now.saturating_duration_since(self.busy_since).checked_div(replies);
        if replies > 0 {
            self.busy_since = now;
            self.gather.released(threads, !self.out.is_empty(), now);
        }
        Ok(Delivered { wake, each })
    }

    /// One who still waits and sleeps, so that it reads; only while nobody does. To be woken.
    pub(super) fn next_reader(&self) -> Sleepers {
        match self.reader {
            Some(_) => self.waiting.values().map(|s| s.nudge()).find(|s| s.any()).unwrap_or_default(),
            None => Sleepers::default(),
        }
    }

    /// No call can succeed any more: everyone who waits is to look.
    pub(super) fn break_with(&mut self, why: CallError, bell: &Bell) {
        self.broken.get_or_insert(why);
        let mut all = Sleepers::default();
        self.waiting.values().for_each(|s| all.add(s.nudge()));
        bell.ring(all);
    }
}
