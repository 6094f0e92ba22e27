//! Finding the active area and replaying its log.

use crate::format::{AreaHeader, BodyCrc, EntryHeader, FrameHeader, MARK, frame_length, padded};
use crate::log::{Log, Slot};
use crate::medium::{Area, Broken, Medium, grain};
use alloc::collections::BTreeMap;
use coloa_engine::RecordId;
use core::ops::Range;
use embedded_storage::nor_flash::NorFlash;

/// Why a log could not be mounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MountError {
    /// The region is not twice a whole number of sectors, outside the flash, or the flash's grain is over 256 bytes.
    #[error("the store's region does not fit the flash: check the board's memory map")]
    Region,
    /// The flash refused to be read, written or erased.
    #[error("the flash could not be read or written: check its wiring, then replace the board")]
    Flash,
    /// Everything is erased: there is no log yet.
    #[error("the flash is blank: format it")]
    Blank,
    /// There is something, and it is not a log, or one that no cut of power explains.
    #[error("the store in flash is damaged: restore a backup on another board, or zeroize this one")]
    Damaged,
}

impl From<Broken> for MountError {
    fn from(_: Broken) -> Self {
        MountError::Flash
    }
}

/// How a frame ended.
enum Frame {
    /// It counts; the next one starts there.
    Whole(FrameHeader, u32),
    /// There is none, or only what a cut left of it: nothing was written from there on.
    End(u32),
}

/// What to do with a region that is blank.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfBlank {
    Refuse,
    Format,
}

/// Mounts the log in `region`.
pub(crate) fn mount<F: NorFlash>(flash: F, region: &Range<u32>, if_blank: IfBlank) -> Result<Log<F>, MountError> {
    let mut medium = Medium::new(flash, region).ok_or(MountError::Region)?;
    let first = area_header(&mut medium, Area::First)?;
    let second = area_header(&mut medium, Area::Second)?;
    let (active, header) = match (first, second) {
        (Some(first), Some(second)) if second.epoch > first.epoch => (Area::Second, second),
        (Some(first), _) => (Area::First, first),
        (None, Some(second)) => (Area::Second, second),
        (None, None) => {
            is_blank(&mut medium)?;
            return if if_blank == IfBlank::Format { start(medium) } else { Err(MountError::Blank) };
        }
    };
    Ok(replay(medium, active, header)?.tidy()?)
}

/// Makes an empty log in `region`, whatever was there.
pub(crate) fn format<F: NorFlash>(flash: F, region: &Range<u32>) -> Result<Log<F>, MountError> {
    start(Medium::new(flash, region).ok_or(MountError::Region)?)
}

fn start<F: NorFlash>(mut medium: Medium<F>) -> Result<Log<F>, MountError> {
    medium.erase(Area::Second)?;
    medium.erase(Area::First)?;
    let snapshot_end = padded(AreaHeader::LENGTH, grain::<F>()).ok_or(MountError::Region)?;
    let header = AreaHeader { epoch: 1, generation: 0, snapshot_end };
    let mut front = medium.write_at(Area::First, 0);
    front.push(&header.encode())?;
    front.end_part()?;
    replay(medium, Area::First, header)
}

fn area_header<F: NorFlash>(medium: &mut Medium<F>, area: Area) -> Result<Option<AreaHeader>, MountError> {
    Ok(AreaHeader::decode(&medium.read_array::<32>(area, 0)?))
}

/// Blank it is also when a cut left a part of the very first area header.
fn is_blank<F: NorFlash>(medium: &mut Medium<F>) -> Result<(), MountError> {
    let after_header = padded(AreaHeader::LENGTH, grain::<F>()).ok_or(MountError::Region)?;
    let blank = medium.is_blank(Area::First, after_header)? && medium.is_blank(Area::Second, 0)?;
    if blank { Ok(()) } else { Err(MountError::Damaged) }
}

fn replay<F: NorFlash>(mut medium: Medium<F>, active: Area, header: AreaHeader) -> Result<Log<F>, MountError> {
    let mut index = BTreeMap::new();
    let mut at = padded(AreaHeader::LENGTH, grain::<F>()).ok_or(MountError::Damaged)?;
    let mut generation = header.generation;
    let clean = loop {
        match frame(&mut medium, active, at)? {
            Frame::Whole(found, next) => {
                let expected = if at < header.snapshot_end { Some(generation) } else { generation.checked_add(1) };
                if Some(found.generation) != expected || (at < header.snapshot_end && next > header.snapshot_end) {
                    return Err(MountError::Damaged);
                }
                apply(&mut medium, active, at, found.body, &mut index)?;
                (generation, at) = (found.generation, next);
            }
            Frame::End(_) if at < header.snapshot_end => return Err(MountError::Damaged),
            Frame::End(blank) => break blank == at,
        }
    };
    Ok(Log::mounted(medium, active, header.epoch, index, (generation, at, clean)))
}

/// What is at `at`.
fn frame<F: NorFlash>(medium: &mut Medium<F>, area: Area, at: u32) -> Result<Frame, MountError> {
    let Some(header) = FrameHeader::decode(&medium.read_array::<24>(area, at)?) else {
        // The header is written whole before the body is begun.
        return end(medium, area, at, body_of::<F>(at)?);
    };
    let extent = frame_length(header.body, grain::<F>()).and_then(|length| at.checked_add(length));
    let next = extent.filter(|next| *next <= medium.size()).ok_or(MountError::Damaged)?;
    let mark = next.saturating_sub(padded(MARK, grain::<F>()).ok_or(MountError::Damaged)?);
    if medium.read_array::<{ MARK as usize }>(area, mark)? != header.mark() {
        return end(medium, area, at, next);
    }
    let mut crc = BodyCrc::new();
    medium.read(area, body_of::<F>(at)?, header.body, |piece| crc.update(piece))?;
    // The mark is written after the body: this is no cut.
    if crc.finish() != header.body_crc { Err(MountError::Damaged) } else { Ok(Frame::Whole(header, next)) }
}

/// The end of the log is at `at`, and a cut may have left something before `written`, but not after it.
fn end<F: NorFlash>(medium: &mut Medium<F>, area: Area, at: u32, written: u32) -> Result<Frame, MountError> {
    match (medium.is_blank(area, at)?, medium.is_blank(area, written)?) {
        (true, _) => Ok(Frame::End(at)),
        (false, true) => Ok(Frame::End(written)),
        (false, false) => Err(MountError::Damaged),
    }
}

fn body_of<F: NorFlash>(frame: u32) -> Result<u32, MountError> {
    let header = padded(FrameHeader::LENGTH, grain::<F>()).ok_or(MountError::Damaged)?;
    frame.checked_add(header).ok_or(MountError::Damaged)
}

/// Brings the index up to date with the frame at `at`.
fn apply<F: NorFlash>(
    medium: &mut Medium<F>,
    area: Area,
    at: u32,
    body: u32,
    index: &mut BTreeMap<RecordId, Slot>,
) -> Result<(), MountError> {
    let mut at = body_of::<F>(at)?;
    let end = at.checked_add(body).ok_or(MountError::Damaged)?;
    while at < end {
        let entry = EntryHeader::decode(&medium.read_array::<45>(area, at)?).ok_or(MountError::Damaged)?;
        at = at.checked_add(EntryHeader::LENGTH).ok_or(MountError::Damaged)?;
        match entry.value {
            Some(length) => {
                index.insert(entry.id, Slot { version: entry.version, at, length });
                at = at.checked_add(length).filter(|at| *at <= end).ok_or(MountError::Damaged)?;
            }
            None => drop(index.remove(&entry.id)),
        }
    }
    Ok(())
}
