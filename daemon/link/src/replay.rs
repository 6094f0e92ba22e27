//! Anti-replay window with 64-bit sequence numbers of which 32 bits travel (RFC 4303 §3.4.3 and appendix A2).
//!
//! A ring of words as in RFC 6479: moving right clears whole words, nothing shifts. [`Window::examine`] changes nothing;
//! only [`Window::accept`] does, and the caller may call it only after the ICV was verified.

use crate::drops::DropReason;
use alloc::vec::Vec;

const WORDS: usize = 256;
const RING: u64 = WORDS as u64;
const WORD_BITS: u64 = 64;
/// Sequence numbers left of the highest accepted one that are still told apart. One word of the ring is always being cleared.
/// 16,320: bursts of segmentation offload and parallel paths reorder by hundreds, and 8,192 is what is asked for.
pub const WINDOW: u64 = (RING - 1) * WORD_BITS;

/// How far the window's left end lies below its right end.
const REACH: u32 = WINDOW as u32 - 1;

/// A sequence number that was fresh when examined. It says nothing about the packet's authenticity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate(u64);

impl Candidate {
    /// The full 64-bit sequence number.
    pub fn sequence(self) -> u64 {
        self.0
    }
}

/// Which sequence numbers an inbound SA has accepted.
#[derive(Debug, Clone)]
pub struct Window {
    highest: u64,
    bits: [u64; WORDS],
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    /// Nothing accepted yet; the first valid sequence number is 1 (RFC 4303 §2.2).
    pub const fn new() -> Self {
        Self { highest: 0, bits: [0; WORDS] }
    }

    /// The highest accepted sequence number, 0 before the first.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Its words, big-endian.
    pub(crate) fn octets(&self) -> Vec<u8> {
        self.bits.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// From [`Self::highest`] and [`Self::octets`].
    pub(crate) fn from_octets(highest: u64, octets: &[u8]) -> Option<Self> {
        let (words, []) = octets.as_chunks::<8>() else { return None };
        let mut bits = [0; WORDS];
        if words.len() != bits.len() {
            return None;
        }
        bits.iter_mut().zip(words).for_each(|(to, from)| *to = u64::from_be_bytes(*from));
        Some(Self { highest, bits })
    }

    /// Reconstructs the sequence number and refuses one that was accepted before.
    ///
    /// Only 32 bits travel, so a packet from left of the window is taken for one of the next 2^32 and fails authentication
    /// there; only near the beginning of an SA can it be named too old.
    pub fn examine(&self, sequence_low: u32) -> Result<Candidate, DropReason> {
        let sequence = self.reconstruct(sequence_low).ok_or(DropReason::TooOld)?;
        if sequence == 0 {
            return Err(DropReason::TooOld);
        }
        if sequence <= self.highest && self.is_set(sequence) {
            return Err(DropReason::Replayed);
        }
        Ok(Candidate(sequence))
    }

    /// Remembers an authenticated packet. Returns whether it is the newest so far.
    pub fn accept(&mut self, candidate: Candidate) -> bool {
        let sequence = candidate.0;
        let advances = sequence > self.highest;
        if advances {
            self.clear_between(word_of(self.highest), word_of(sequence));
            self.highest = sequence;
        }
        if let Some(word) = self.bits.get_mut(slot_of(sequence)) {
            *word |= mask_of(sequence);
        }
        advances
    }

    /// RFC 4303 appendix A2.2: the high half that places `low` nearest to the window.
    fn reconstruct(&self, low: u32) -> Option<u64> {
        let (top_low, top_high) = (self.highest as u32, (self.highest >> 32) as u32);
        let bottom = top_low.wrapping_sub(REACH);
        let window_in_one_subspace = top_low >= REACH;
        let high = match (window_in_one_subspace, low >= bottom) {
            (true, true) | (false, false) => Some(top_high),
            (true, false) => top_high.checked_add(1),
            (false, true) => top_high.checked_sub(1),
        };
        high.map(|high| u64::from(high) << 32 | u64::from(low))
    }

    fn is_set(&self, sequence: u64) -> bool {
        self.bits.get(slot_of(sequence)).is_some_and(|word| word & mask_of(sequence) != 0)
    }

    /// Clears the words that the window moves into.
    fn clear_between(&mut self, old_word: u64, new_word: u64) {
        let steps = new_word.saturating_sub(old_word).min(RING);
        for step in 0..steps {
            let slot = ring_slot(new_word.wrapping_sub(step));
            if let Some(word) = self.bits.get_mut(slot) {
                *word = 0;
            }
        }
    }
}

fn word_of(sequence: u64) -> u64 {
    sequence / WORD_BITS
}

fn slot_of(sequence: u64) -> usize {
    ring_slot(word_of(sequence))
}

fn ring_slot(word: u64) -> usize {
    (word % RING) as usize
}

fn mask_of(sequence: u64) -> u64 {
    1 << (sequence % WORD_BITS)
}
