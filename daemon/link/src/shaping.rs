//! Traffic-flow confidentiality (R33): packets are padded to classes of size (RFC 4303 §2.7), and a pair of sites may speak at
//! a constant rate, with packets of one size at equal distances and dummies in the gaps (RFC 4303 §2.6).
//!
//! What remains visible: that there is a link, when it is up, and words about the path itself. At a constant rate the DSCP and
//! ECN of red packets do not go outside.

use crate::drops::DropReason;
use crate::segment::Outgoing;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

/// How sizes are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Padding {
    /// Only what ESP needs.
    #[default]
    None,
    /// Up to a multiple of so many octets.
    Multiple(u16),
    /// Every packet looks as large as the largest.
    Full,
}

/// A padding class on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    /// Inner lengths are multiples of this; 0 and 1 leave them alone.
    block: usize,
    /// But padding takes none beyond this.
    largest: usize,
}

impl Shape {
    pub(crate) const fn new(padding: Padding, largest: usize) -> Self {
        match padding {
            Padding::None => Self { block: 0, largest: 0 },
            Padding::Multiple(block) => Self { block: block as usize, largest },
            Padding::Full => Self { block: largest, largest },
        }
    }

    /// The length to which an inner packet is padded: at least one block, so that a dummy looks like a packet.
    pub(crate) fn padded(self, inner: usize) -> usize {
        if self.block <= 1 {
            return inner;
        }
        let up = inner.max(1).checked_next_multiple_of(self.block).unwrap_or(inner);
        up.min(self.largest).max(inner)
    }
}

/// Packets that wait at most, and at least, and the time for which they do: what exceeds it comes too late to be of use.
const MOST_WAITING: u64 = 256;
const LEAST_WAITING: u64 = 8;
const WAIT_MILLISECONDS: u64 = 200;
/// Slots that are made up for after a delay; what is older is forgotten, or a delay would end in a flood.
const MOST_DUE: u32 = 32;

/// A constant rate to one peer: one packet or dummy each `interval`.
#[derive(Debug)]
pub struct Cover {
    interval: Duration,
    next: Duration,
    /// A ring of packets in clear, of equal room.
    slots: Vec<u8>,
    room: usize,
    lengths: Vec<usize>,
    first: usize,
    waiting: usize,
}

impl Cover {
    /// So many kilobits a second on the black wire, in datagrams of `datagram` octets that hold inner packets of up to `room`.
    /// All its memory is taken here.
    pub fn new(now: Duration, kilobits: u32, datagram: usize, room: usize) -> Self {
        // kbit/s are bits a millisecond: a datagram of n octets takes 8 n / rate milliseconds.
        let nanoseconds = (datagram as u64).saturating_mul(8_000_000).checked_div(kilobits.into()).unwrap_or(u64::MAX);
        let interval = Duration::from_nanos(nanoseconds.max(1000));
        let wait = Duration::from_millis(WAIT_MILLISECONDS).as_nanos() as u64;
        let depth = wait.checked_div(nanoseconds.max(1000)).unwrap_or(0).clamp(LEAST_WAITING, MOST_WAITING) as usize;
        let slots = vec![0; depth.saturating_mul(room)];
        Self { interval, next: now, slots, room, lengths: vec![0; depth], first: 0, waiting: 0 }
    }

    /// Takes the packets of `outgoing` in; returns how many did not find room and are lost.
    pub fn offer(&mut self, outgoing: &mut Outgoing<'_>) -> Result<u64, DropReason> {
        let mut lost = 0u64;
        while let Some(len) = outgoing.next_len() {
            let place = self.place(self.waiting).filter(|_| self.waiting < self.lengths.len());
            let slot = place.and_then(|at| self.slots.get_mut(at.checked_mul(self.room)?..)?.get_mut(..len));
            match (slot.filter(|_| len <= self.room), place) {
                (Some(slot), Some(at)) => {
                    outgoing.write_next(slot)?;
                    if let Some(length) = self.lengths.get_mut(at) {
                        *length = len;
                    }
                    self.waiting = self.waiting.saturating_add(1);
                }
                _ => {
                    outgoing.skip_next();
                    lost = lost.saturating_add(1);
                }
            }
        }
        Ok(lost)
    }

    fn place(&self, offset: usize) -> Option<usize> {
        self.first.checked_add(offset)?.checked_rem(self.lengths.len())
    }

    /// How many packets are to go out now; they count as gone.
    pub fn due(&mut self, now: Duration) -> u32 {
        let mut due = 0;
        while self.next <= now && due < MOST_DUE {
            (self.next, due) = (self.next.saturating_add(self.interval), due.saturating_add(1));
        }
        if self.next <= now {
            self.next = now.saturating_add(self.interval);
        }
        due
    }

    /// When the next packet is to go out.
    pub fn next_deadline(&self) -> Duration {
        self.next
    }

    /// The packet that waits longest.
    pub(crate) fn take(&mut self) -> Option<&[u8]> {
        if self.waiting == 0 {
            return None;
        }
        let at = self.first;
        (self.first, self.waiting) = (self.place(1)?, self.waiting.saturating_sub(1));
        self.slots.get(at.checked_mul(self.room)?..)?.get(..*self.lengths.get(at)?)
    }
}
