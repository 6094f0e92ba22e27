//! A counter of boots on NOR flash: no two boots ever see the same number, whenever the power goes.
//!
//! Two sectors, used in turn. Each boot appends one entry, the number and its complement; a full sector is left for the other,
//! which is erased first. An entry cut off half way does not count, and its place is not used again. The greatest whole
//! entry of both sectors is the count. The number is in use only after it was read back, so a boot that could not write it
//! fails instead of repeating one.

use embedded_storage::nor_flash::NorFlash;

use crate::layout::{BOOTS, SECTOR};

/// The number and its complement.
const ENTRY: u32 = 8;

/// Why the counter could not be raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootsError {
    /// The flash refused, or did not keep what was written.
    Flash,
    /// 2^32 boots.
    Exhausted,
}

/// Counts this boot and returns its number, from 1.
pub fn count<F: NorFlash>(flash: &mut F) -> Result<u32, BootsError> {
    let first = scan(flash, BOOTS.start)?;
    let second = scan(flash, BOOTS.start.saturating_add(SECTOR))?;
    let (current, other) = if first.greatest >= second.greatest { (first, second) } else { (second, first) };
    let number = current.greatest.checked_add(1).ok_or(BootsError::Exhausted)?;
    let place = match current.free {
        Some(place) => place,
        None => {
            let end = other.start.saturating_add(SECTOR);
            flash.erase(other.start, end).map_err(|_| BootsError::Flash)?;
            other.start
        }
    };
    flash.write(place, &entry(number)).map_err(|_| BootsError::Flash)?;
    if read(flash, place)? == entry(number) { Ok(number) } else { Err(BootsError::Flash) }
}

struct Sector {
    start: u32,
    greatest: u32,
    free: Option<u32>,
}

fn scan<F: NorFlash>(flash: &mut F, start: u32) -> Result<Sector, BootsError> {
    let mut sector = Sector { start, greatest: 0, free: None };
    for place in (start..start.saturating_add(SECTOR)).step_by(ENTRY as usize) {
        let found = read(flash, place)?;
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

fn read<F: NorFlash>(flash: &mut F, place: u32) -> Result<[u8; ENTRY as usize], BootsError> {
    let mut found = [0; ENTRY as usize];
    flash.read(place, &mut found).map_err(|_| BootsError::Flash)?;
    Ok(found)
}

fn entry(number: u32) -> [u8; ENTRY as usize] {
    ((u64::from(number) << 32) | u64::from(!number)).to_be_bytes()
}

fn number(entry: [u8; ENTRY as usize]) -> Option<u32> {
    let both = u64::from_be_bytes(entry);
    let (number, complement) = ((both >> 32) as u32, both as u32);
    (number == !complement).then_some(number)
}
