//! The flash as the log uses it: two areas, reads and writes at any length, alignment seen to.

use crate::format::padded;
use alloc::vec::Vec;
use core::ops::Range;
use embedded_storage::nor_flash::NorFlash;

/// Reads and writes go in pieces of this, and never across a multiple of it: a page of SPI NOR.
const CHUNK: u32 = 256;

/// The flash refused, or an address was outside its area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Broken;

/// One of the two areas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Area {
    First,
    Second,
}

impl Area {
    pub(crate) fn other(self) -> Self {
        match self {
            Area::First => Area::Second,
            Area::Second => Area::First,
        }
    }
}

/// Two areas of a flash. Offsets are within an area.
pub(crate) struct Medium<F> {
    flash: F,
    start: u32,
    /// Bytes of one area.
    size: u32,
    /// The one buffer.
    buffer: Vec<u8>,
}

/// The grain of the flash: what every part of the layout is padded to.
pub(crate) const fn grain<F: NorFlash>() -> u32 {
    // Grains are small powers of two; `Medium::new` refuses what does not fit.
    let larger = if F::WRITE_SIZE > F::READ_SIZE { F::WRITE_SIZE } else { F::READ_SIZE };
    if larger as u64 > CHUNK as u64 { CHUNK } else { larger as u32 }
}

impl<F: NorFlash> Medium<F> {
    /// The areas in `region`; `None` when it is not two times a whole number of sectors inside the flash.
    pub(crate) fn new(flash: F, region: &Range<u32>) -> Option<Self> {
        let sector = u32::try_from(F::ERASE_SIZE).ok()?;
        let length = region.end.checked_sub(region.start)?;
        let size = length.checked_div(2)?;
        let whole = |bytes: u32| bytes.is_multiple_of(sector);
        let grains = [F::WRITE_SIZE, F::READ_SIZE].iter().all(|size| {
            u32::try_from(*size)
                .is_ok_and(|size| size > 0 && CHUNK.is_multiple_of(size) && grain::<F>().is_multiple_of(size))
        });
        let inside = usize::try_from(region.end).is_ok_and(|end| end <= flash.capacity());
        let fits = grains && inside && size >= CHUNK.checked_mul(2)? && sector.is_multiple_of(CHUNK);
        let aligned = whole(region.start) && whole(size) && length.is_multiple_of(2);
        (fits && aligned).then(|| Medium { flash, start: region.start, size, buffer: Vec::new() })
    }

    /// Bytes of one area.
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Calls `piece` with the bytes from `at` on, `length` of them, at most [`CHUNK`] at a time.
    pub(crate) fn read(
        &mut self,
        area: Area,
        at: u32,
        length: u32,
        mut piece: impl FnMut(&[u8]),
    ) -> Result<(), Broken> {
        let (mut at, end) = (at, at.checked_add(length).filter(|end| *end <= self.size).ok_or(Broken)?);
        while at < end {
            let chunk = start_of_chunk(at);
            let next = chunk.saturating_add(CHUNK).min(end);
            let (from, to) = (index(at, chunk)?, index(next, chunk)?);
            piece(self.chunk(area, chunk)?.get(from..to).ok_or(Broken)?);
            at = next;
        }
        Ok(())
    }

    /// The bytes at `at`.
    pub(crate) fn read_vec(&mut self, area: Area, at: u32, length: u32) -> Result<Vec<u8>, Broken> {
        let room = usize::try_from(length.min(self.size)).map_err(|_| Broken)?;
        let mut bytes = Vec::with_capacity(room);
        self.read(area, at, length, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// The bytes at `at`, as many as there are of `N` before the end of the area; the rest is `FF`.
    pub(crate) fn read_array<const N: usize>(&mut self, area: Area, at: u32) -> Result<[u8; N], Broken> {
        let mut bytes = [0xff; N];
        let wanted = u32::try_from(N).map_err(|_| Broken)?;
        let mut filled = 0_usize;
        self.read(area, at, wanted.min(self.size.saturating_sub(at)), |piece| {
            bytes.iter_mut().skip(filled).zip(piece).for_each(|(to, from)| *to = *from);
            filled = filled.saturating_add(piece.len());
        })?;
        Ok(bytes)
    }

    /// Whether everything from `at` to the end of the area is erased.
    pub(crate) fn is_blank(&mut self, area: Area, at: u32) -> Result<bool, Broken> {
        let mut blank = true;
        let from = at.min(self.size);
        self.read(area, from, self.size.saturating_sub(from), |piece| {
            blank = blank && piece.iter().all(|byte| *byte == 0xff)
        })?;
        Ok(blank)
    }

    /// Erases an area, its header first.
    pub(crate) fn erase(&mut self, area: Area) -> Result<(), Broken> {
        let from = self.address(area, 0)?;
        let to = from.checked_add(self.size).ok_or(Broken)?;
        self.flash.erase(from, to).map_err(|_| Broken)
    }

    /// Starts writing at `at`.
    pub(crate) fn write_at(&mut self, area: Area, at: u32) -> Appender<'_, F> {
        self.buffer.clear();
        Appender { medium: self, area, at }
    }

    fn chunk(&mut self, area: Area, at: u32) -> Result<&[u8], Broken> {
        let address = self.address(area, at)?;
        self.buffer.clear();
        self.buffer.resize(index(CHUNK, 0)?, 0xff);
        self.flash.read(address, &mut self.buffer).map_err(|_| Broken)?;
        Ok(&self.buffer)
    }

    fn address(&self, area: Area, at: u32) -> Result<u32, Broken> {
        let base = match area {
            Area::First => self.start,
            Area::Second => self.start.checked_add(self.size).ok_or(Broken)?,
        };
        base.checked_add(at).ok_or(Broken)
    }
}

/// Writes parts one after the other.
pub(crate) struct Appender<'a, F> {
    medium: &'a mut Medium<F>,
    area: Area,
    /// Where the buffer will go.
    at: u32,
}

impl<F: NorFlash> Appender<'_, F> {
    /// Adds bytes to the present part.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let chunk_end = start_of_chunk(self.at).checked_add(CHUNK).ok_or(Broken)?;
            let room = index(chunk_end, self.at)?.saturating_sub(self.medium.buffer.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.medium.buffer.extend_from_slice(now);
            bytes = later;
            if now.len() == room {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends the part: pads it and writes it. Says where the next one starts.
    pub(crate) fn end_part(&mut self) -> Result<u32, Broken> {
        let used = u32::try_from(self.medium.buffer.len()).map_err(|_| Broken)?;
        let padded = padded(used, grain::<F>()).ok_or(Broken)?;
        self.medium.buffer.resize(index(padded, 0)?, 0xff);
        self.flush()?;
        Ok(self.at)
    }

    fn flush(&mut self) -> Result<(), Broken> {
        let length = u32::try_from(self.medium.buffer.len()).map_err(|_| Broken)?;
        if length == 0 {
            return Ok(());
        }
        let next = self.at.checked_add(length).filter(|next| *next <= self.medium.size).ok_or(Broken)?;
        let address = self.medium.address(self.area, self.at)?;
        self.medium.flash.write(address, &self.medium.buffer).map_err(|_| Broken)?;
        self.medium.buffer.clear();
        self.at = next;
        Ok(())
    }
}

fn start_of_chunk(at: u32) -> u32 {
    at.saturating_sub(at.checked_rem(CHUNK).unwrap_or(0))
}

fn index(at: u32, from: u32) -> Result<usize, Broken> {
    at.checked_sub(from).and_then(|distance| usize::try_from(distance).ok()).ok_or(Broken)
}
