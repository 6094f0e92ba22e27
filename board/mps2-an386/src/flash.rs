//! The board's NOR flash.
//!
//! Under QEMU it is the PSRAM at 0x2100_0000, 16 MiB, backed by a file that outlives the emulator. Memory has no rules, so
//! the driver enforces those of NOR: an erase sets bits, a write only clears them, and a write that would have to set one is
//! refused, not done.

use core::ptr;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

const BASE: usize = 0x2100_0000;
/// The whole part.
pub const BYTES: usize = 16 * 1024 * 1024;

/// The flash. There is one, and one thread: who takes it uses it before anybody else does again, or ends in a reset.
pub struct Flash(());

impl Flash {
    /// The flash itself.
    pub fn take() -> Self {
        Self(())
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        let cells = cell(offset);
        for (distance, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: `check_read` holds the range within the part, which the machine maps and nothing else uses.
            *byte = unsafe { cells.add(distance).read_volatile() };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let words = cell(from).cast::<u32>();
        for distance in 0..(to - from) as usize / 4 {
            // SAFETY: `check_erase` holds the range within the part and at a multiple of 4,096.
            unsafe { words.add(distance).write_volatile(u32::MAX) };
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let words = cell(offset).cast::<u32>();
        for (distance, word) in bytes.chunks_exact(Self::WRITE_SIZE).enumerate() {
            let wanted = word.iter().rev().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
            // SAFETY: `check_write` holds the range within the part and at a multiple of 4.
            let word = unsafe { words.add(distance) };
            // SAFETY: as above.
            let present = unsafe { word.read_volatile() };
            if present & wanted != wanted {
                return Err(NorFlashErrorKind::Other);
            }
            // SAFETY: as above.
            unsafe { word.write_volatile(wanted) };
        }
        Ok(())
    }
}

fn cell(offset: u32) -> *mut u8 {
    ptr::with_exposed_provenance_mut(BASE + offset as usize)
}
