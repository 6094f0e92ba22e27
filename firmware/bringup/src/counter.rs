//! A number on NOR flash that only rises, whenever the power goes.
//!
//! Two sectors, used in turn. Each rise appends one entry, the number and its complement; a full sector is left for the other,
//! which is erased first. An entry cut off half way does not count, and its place is not used again. The greatest whole
//! entry of both sectors is the number. It is in use only after it was read back.
//!
//! On a real board these sectors lie in the controller's own flash, where the boot stage's write protection reaches, or the
//! number is in fuses; under QEMU they are part of a file, and whoever can write the file can lower it.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

use crate::layout::SECTOR;

/// The number and its complement.
const ENTRY: u32 = 8;

/// Why a number could not be read or raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CounterError {
    /// The flash refused, or did not keep what was written.
    Flash,
    /// It is at its end, 2^32 - 1.
    Exhausted,
}

/// The number; 0 on blank flash.
///
/// # Errors
/// [`CounterError::Flash`].
pub fn read<F: NorFlash>(flash: &mut F, region: &Range<u32>) -> Result<u32, CounterError> {
    let (current, _) = sectors(flash, region)?;
    Ok(current.greatest)
}

/// Raises the number to `to`; does nothing when it is there or above. Returns what it is now.
///
/// # Errors
/// [`CounterError::Flash`]: it may or may not have been raised.
pub fn raise<F: NorFlash>(flash: &mut F, region: &Range<u32>, to: u32) -> Result<u32, CounterError> {
    let (current, other) = sectors(flash, region)?;
    if to <= current.greatest {
        return Ok(current.greatest);
    }
    let place = match current.free {
        Some(place) => place,
        None => {
            let end = other.start.saturating_add(SECTOR);
            flash.erase(other.start, end).map_err(|_| CounterError::Flash)?;
            other.start
        }
    };
    flash.write(place, &entry(to)).map_err(|_| CounterError::Flash)?;
    if entry_at(flash, place)? == entry(to) { Ok(to) } else { Err(CounterError::Flash) }
}

struct Sector {
    start: u32,
    greatest: u32,
    free: Option<u32>,
}

/// The one with the number, then the other.
fn sectors<F: NorFlash>(flash: &mut F, region: &Range<u32>) -> Result<(Sector, Sector), CounterError> {
    let first = scan(flash, region.start)?;
    let second = scan(flash, region.start.saturating_add(SECTOR))?;
    Ok(if first.greatest >= second.greatest { (first, second) } else { (second, first) })
}

fn scan<F: NorFlash>(flash: &mut F, start: u32) -> Result<Sector, CounterError> {
    let mut sector = Sector { start, greatest: 0, free: None };
    for place in (start..start.saturating_add(SECTOR)).step_by(ENTRY as usize) {
        let found = entry_at(flash, place)?;
        if found == [0xff; ENTRY as usize] {
            sector.free = sector.free.or(Some(place));
        } else {
            // Behind a used place nothing is free: an erase may have been cut off between them.
            sector.free = None;
            sector.greatest = sector.greatest.max(number(found).unwrap_or(0));
        }
    }
    Ok(sector)
}

fn entry_at<F: NorFlash>(flash: &mut F, place: u32) -> Result<[u8; ENTRY as usize], CounterError> {
    let mut found = [0; ENTRY as usize];
    flash.read(place, &mut found).map_err(|_| CounterError::Flash)?;
    Ok(found)
}

fn entry(number: u32) -> [u8; ENTRY as usize] {
    ((u64::from(number) << 32) | u64::from(!number)).to_be_bytes()
}

/// A write that was cut off leaves bits set that should be clear, in both halves: then they are no complements.
fn number(entry: [u8; ENTRY as usize]) -> Option<u32> {
    let both = u64::from_be_bytes(entry);
    let (number, complement) = ((both >> 32) as u32, both as u32);
    (number == !complement).then_some(number)
}
