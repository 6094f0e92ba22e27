//! Modes whose whole blocks go to the engine as they come: it gets the IV or the counter that the blocks before left.

use super::{By, Line, Made};
use crate::abi::memory::Home;
use crate::mechanism::{BLOCK, Chaining};
use crate::operation::Pending;
use crate::rv::Outcome;
use crate::slot::Slot;
use zeroize::Zeroizing;

/// A mode and where it stands.
pub(super) struct Chain(pub(super) Chaining);

impl Chain {
    /// How many of `there` bytes go to the engine now. Decryption holds back the block that may be padding.
    pub(super) fn ready(&self, by: &By, there: usize) -> usize {
        match (&self.0, by.encrypts) {
            (Chaining::CbcPad(_), false) => there.saturating_sub(1) / BLOCK * BLOCK,
            _ => there / BLOCK * BLOCK,
        }
    }

    /// The most that comes of the last `given` bytes; an error for lengths that cannot be.
    pub(super) fn most(&self, by: &By, given: usize) -> Outcome<usize> {
        match (&self.0, by.encrypts) {
            (Chaining::CbcPad(_), true) => Ok(given / BLOCK * BLOCK + BLOCK),
            (Chaining::CbcPad(_), false) if given > 0 && given.is_multiple_of(BLOCK) => Ok(given - 1),
            (Chaining::Ctr(..), _) => Ok(given),
            (Chaining::Ecb | Chaining::Cbc(_), _) if given.is_multiple_of(BLOCK) => Ok(given),
            _ => Err(by.wrong_length()),
        }
    }

    /// Whether [`Chain::most`] is what comes.
    pub(super) fn is_exact(&self, encrypts: bool) -> bool {
        encrypts || !matches!(self.0, Chaining::CbcPad(_))
    }

    /// Whether one command is all that the last bytes need.
    pub(super) fn is_one(&self, by: &By, data: &[u8]) -> bool {
        data.len() <= blocks(by.limit) && (!data.is_empty() || self.ends_with_padding())
    }

    /// Puts that command on the wire.
    pub(super) fn begin(&self, by: &By, at: (&Slot, &'static str), data: &[u8]) -> Outcome<Pending> {
        by.command(self.0.mechanism(true)?).begin(by, at, (data, Home::nowhere()))
    }

    /// The last bytes, however many.
    pub(super) fn all(&mut self, by: &By, (slot, scratch): Line<'_>, data: &[u8]) -> Outcome<Made> {
        if data.is_empty() && !self.ends_with_padding() {
            return Ok(Made::Nothing);
        }
        if self.is_one(by, data) {
            by.run((slot, &mut *scratch), self.0.mechanism(true)?, data)?;
            return Ok(Made::Bulk);
        }
        let place = self.0;
        let (first, rest) = data.split_at(self.ready(by, data.len()));
        let mut joined = self.pieces(by, (slot, &mut *scratch), first)?;
        if !rest.is_empty() || self.ends_with_padding() {
            by.run((slot, &mut *scratch), self.0.mechanism(true)?, rest)?;
            joined.extend_from_slice(scratch.bulk());
        }
        // The caller's buffer may be too small: then all this is done once more.
        self.0 = place;
        Ok(Made::Joined(joined))
    }

    fn ends_with_padding(&self) -> bool {
        matches!(self.0, Chaining::CbcPad(_))
    }

    /// Whole blocks, in as many commands as it takes.
    pub(super) fn run(&mut self, by: &By, line: Line<'_>, data: &[u8]) -> Outcome<Made> {
        if data.len() <= blocks(by.limit) {
            return self.step(by, line, data).map(|()| Made::Bulk);
        }
        self.pieces(by, line, data).map(Made::Joined)
    }

    fn pieces(&mut self, by: &By, (slot, scratch): Line<'_>, data: &[u8]) -> Outcome<Zeroizing<Vec<u8>>> {
        // With room for the last blocks, so that nothing is left unwiped by growing.
        let mut joined = Zeroizing::new(Vec::with_capacity(data.len().saturating_add(2 * BLOCK)));
        for piece in data.chunks(blocks(by.limit)) {
            self.step(by, (slot, &mut *scratch), piece)?;
            joined.extend_from_slice(scratch.bulk());
        }
        Ok(joined)
    }

    fn step(&mut self, by: &By, (slot, scratch): Line<'_>, data: &[u8]) -> Outcome {
        by.run((slot, &mut *scratch), self.0.mechanism(false)?, data)?;
        self.0.advance(if by.encrypts { scratch.bulk() } else { data });
        Ok(())
    }
}

/// Bytes of the whole blocks that one command takes, of which the answer may be one block longer.
fn blocks(limit: usize) -> usize {
    (limit / BLOCK).saturating_sub(1).max(1).saturating_mul(BLOCK)
}
