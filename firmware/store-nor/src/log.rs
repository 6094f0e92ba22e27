//! The mounted log: appending a batch, and compacting into the other area.

use crate::format::{AreaHeader, EntryHeader, FrameHeader, MARK, frame_length, padded};
use crate::medium::{Appender, Area, Broken, Medium, grain};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use coloa_engine::{CommitError, RecordId, Write};
use core::mem::replace;
use embedded_storage::nor_flash::NorFlash;

/// A batch may not make the live records fill more than this many eighths of an area: the rest is what the log turns over
/// in, so that a nearly full store does not compact at every commit. Batches that do not grow the store may always be written.
const FILL_EIGHTHS: u32 = 7;

/// Where a live record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub(crate) version: u64,
    /// Offset of the value in the active area.
    pub(crate) at: u32,
    pub(crate) length: u32,
}

/// A mounted log.
pub(crate) struct Log<F> {
    medium: Medium<F>,
    active: Area,
    epoch: u64,
    generation: u64,
    index: BTreeMap<RecordId, Slot>,
    /// Where the next frame goes.
    end: u32,
    /// Everything from `end` on is erased.
    end_is_clean: bool,
    /// This program erased the other area to the end.
    other_is_erased: bool,
    /// Bytes of a snapshot of the live records.
    live: u32,
    /// The flash no longer says what was committed: nothing is answered until it is mounted anew.
    lost: bool,
}

impl<F: NorFlash> Log<F> {
    pub(crate) fn mounted(
        medium: Medium<F>,
        active: Area,
        epoch: u64,
        index: BTreeMap<RecordId, Slot>,
        (generation, end, end_is_clean): (u64, u32, bool),
    ) -> Self {
        let live = index.values().fold(0_u32, |sum, slot| sum.saturating_add(snapshot_length::<F>(slot.length)));
        let other_is_erased = false;
        Log { medium, active, epoch, generation, index, end, end_is_clean, other_is_erased, live, lost: false }
    }

    /// Removes what a cut left in the other area: an old log, which must never be taken for the present one, or a snapshot
    /// that was not finished. One that reads as erased is erased again before its use: a cut may have left it half so.
    pub(crate) fn tidy(mut self) -> Result<Self, Broken> {
        let other = self.active.other();
        if !self.medium.is_blank(other, 0)? {
            self.medium.erase(other)?;
            self.other_is_erased = true;
        }
        Ok(self)
    }

    /// The generation.
    pub(crate) fn generation(&self) -> Result<u64, Broken> {
        if self.lost { Err(Broken) } else { Ok(self.generation) }
    }

    /// The first live record after `after`.
    pub(crate) fn next_after(&self, after: Option<&RecordId>) -> Option<RecordId> {
        use core::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, |id| Excluded(*id));
        self.index.range((from, Unbounded)).next().map(|(id, _)| *id)
    }

    /// Version and value of a live record.
    pub(crate) fn read(&mut self, id: &RecordId) -> Result<Option<(u64, Vec<u8>)>, Broken> {
        self.generation()?;
        let Some(slot) = self.index.get(id) else { return Ok(None) };
        let value = self.medium.read_vec(self.active, slot.at, slot.length)?;
        Ok(Some((slot.version, value)))
    }

    /// Commits a batch.
    pub(crate) fn commit(&mut self, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        if self.generation().map_err(|Broken| CommitError::Failed)? != expected {
            return Err(CommitError::Conflict);
        }
        let new = expected.checked_add(1).ok_or(CommitError::Failed)?;
        let live = self.live_after(batch).ok_or(CommitError::Full)?;
        let header = FrameHeader::of(new, batch).ok_or(CommitError::Full)?;
        let frame = frame_length(header.body, grain::<F>()).ok_or(CommitError::Full)?;
        let fits = self.end.checked_add(frame).is_some_and(|end| end <= self.medium.size());
        if self.end_is_clean && fits { self.append(header, batch) } else { self.compact(new, batch) }?;
        (self.live, self.generation) = (live, new);
        Ok(())
    }

    /// Bytes of a snapshot after this batch; `None` when there is no room for it.
    fn live_after(&self, batch: &[Write<'_>]) -> Option<u32> {
        let mut live = self.live;
        for write in batch {
            let old = self.index.get(&write.id).map_or(0, |slot| snapshot_length::<F>(slot.length));
            let new = match EntryHeader::of(write)?.value {
                Some(length) => snapshot_length::<F>(length),
                None => 0,
            };
            live = live.checked_sub(old)?.checked_add(new)?;
        }
        let room = self.medium.size().checked_div(8)?.checked_mul(FILL_EIGHTHS)?;
        (live <= self.live || live <= room).then_some(live)
    }

    fn append(&mut self, header: FrameHeader, batch: &[Write<'_>]) -> Result<(), CommitError> {
        let at = self.end;
        match write_frame(&mut self.medium.write_at(self.active, at), header, batch) {
            Ok(end) => self.end = end,
            // What was written says whether the batch is in; a frame without its mark can never count later.
            Err(Broken) => {
                self.end_is_clean = false;
                if !self.has_mark(at, header)? {
                    return Err(CommitError::Failed);
                }
            }
        }
        self.place(at, batch).map_err(|Broken| self.lose())
    }

    /// Whether the frame at `at` counts.
    fn has_mark(&mut self, at: u32, header: FrameHeader) -> Result<bool, CommitError> {
        let mark = frame_length(header.body, grain::<F>())
            .and_then(|length| at.checked_add(length)?.checked_sub(padded(MARK, grain::<F>())?))
            .ok_or(CommitError::Failed)?;
        let found = self.medium.read_array::<{ MARK as usize }>(self.active, mark).map_err(|Broken| self.lose())?;
        Ok(found == header.mark())
    }

    fn lose(&mut self) -> CommitError {
        self.lost = true;
        CommitError::Unknown
    }

    /// Updates the index with a batch whose frame is at `at`.
    fn place(&mut self, at: u32, batch: &[Write<'_>]) -> Result<(), Broken> {
        let mut at = at.checked_add(padded(FrameHeader::LENGTH, grain::<F>()).ok_or(Broken)?).ok_or(Broken)?;
        for write in batch {
            at = at.checked_add(EntryHeader::LENGTH).ok_or(Broken)?;
            match EntryHeader::of(write).ok_or(Broken)?.value {
                Some(length) => {
                    self.index.insert(write.id, Slot { version: write.version, at, length });
                    at = at.checked_add(length).ok_or(Broken)?;
                }
                None => drop(self.index.remove(&write.id)),
            }
        }
        Ok(())
    }

    /// Writes the state after the batch into the other area and makes that one active.
    fn compact(&mut self, generation: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        let other = self.active.other();
        let front = padded(AreaHeader::LENGTH, grain::<F>()).ok_or(CommitError::Failed)?;
        let failed = |Broken| CommitError::Failed;
        if !replace(&mut self.other_is_erased, false) {
            self.medium.erase(other).map_err(failed)?;
        }
        let puts: Vec<Write<'_>> = batch.iter().filter(|write| write.value.is_some()).copied().collect();
        let puts_at = self.copy_live(other, front, generation, batch).map_err(failed)?;
        let snapshot_end = self.copy_batch(other, puts_at, generation, &puts).map_err(failed)?;
        let epoch = self.epoch.checked_add(1).ok_or(CommitError::Failed)?;
        self.activate(other, AreaHeader { epoch, generation, snapshot_end })?;
        self.index.retain(|id, _| !names(batch, id));
        self.place_live(front).and_then(|()| self.place(puts_at, &puts)).map_err(|Broken| self.lose())?;
        self.other_is_erased = self.medium.erase(other.other()).is_ok();
        Ok(())
    }

    fn copy_batch(&mut self, to: Area, at: u32, generation: u64, batch: &[Write<'_>]) -> Result<u32, Broken> {
        if batch.is_empty() {
            return Ok(at);
        }
        let header = FrameHeader::of(generation, batch).ok_or(Broken)?;
        write_frame(&mut self.medium.write_at(to, at), header, batch)
    }

    /// Copies every live record that the batch leaves alone. Says where the next frame goes.
    fn copy_live(&mut self, to: Area, mut at: u32, generation: u64, batch: &[Write<'_>]) -> Result<u32, Broken> {
        for (id, slot) in self.index.iter().filter(|(id, _)| !names(batch, id)) {
            let value = self.medium.read_vec(self.active, slot.at, slot.length)?;
            let alone = [Write { id: *id, version: slot.version, value: Some(&value) }];
            let header = FrameHeader::of(generation, &alone).ok_or(Broken)?;
            at = write_frame(&mut self.medium.write_at(to, at), header, &alone)?;
        }
        Ok(at)
    }

    /// The index's part of [`Log::copy_live`], once the copy is active: the same walk.
    fn place_live(&mut self, mut at: u32) -> Result<(), Broken> {
        let before_value =
            padded(FrameHeader::LENGTH, grain::<F>()).and_then(|front| front.checked_add(EntryHeader::LENGTH));
        let before_value = before_value.ok_or(Broken)?;
        for slot in self.index.values_mut() {
            slot.at = at.checked_add(before_value).ok_or(Broken)?;
            at = at.checked_add(snapshot_length::<F>(slot.length)).ok_or(Broken)?;
        }
        Ok(())
    }

    /// Writes the header that makes an area the active one: the moment a compaction commits.
    fn activate(&mut self, area: Area, header: AreaHeader) -> Result<(), CommitError> {
        let mut front = self.medium.write_at(area, 0);
        let written = front.push(&header.encode()).and_then(|()| front.end_part());
        if written.is_err() {
            let found = self.medium.read_array::<32>(area, 0).map_err(|Broken| self.lose())?;
            if AreaHeader::decode(&found) != Some(header) {
                return Err(CommitError::Failed);
            }
        }
        (self.active, self.epoch, self.end, self.end_is_clean) = (area, header.epoch, header.snapshot_end, true);
        Ok(())
    }
}

fn names(batch: &[Write<'_>], id: &RecordId) -> bool {
    batch.iter().any(|write| write.id == *id)
}

/// Bytes a record with a value of that length takes in a snapshot.
fn snapshot_length<F: NorFlash>(value: u32) -> u32 {
    let body = EntryHeader::LENGTH.saturating_add(value);
    frame_length(body, grain::<F>()).unwrap_or(u32::MAX)
}

/// Writes a frame, its mark last. Says where the next one goes.
fn write_frame<F: NorFlash>(to: &mut Appender<'_, F>, header: FrameHeader, batch: &[Write<'_>]) -> Result<u32, Broken> {
    to.push(&header.encode())?;
    to.end_part()?;
    for write in batch {
        to.push(&EntryHeader::of(write).ok_or(Broken)?.encode())?;
        to.push(write.value.unwrap_or_default())?;
    }
    to.end_part()?;
    to.push(&header.mark())?;
    to.end_part()
}
