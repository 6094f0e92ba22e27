//! NOR flash whose power can be cut at any byte.

use coloa_bringup::layout::{SECTOR, SLOTS};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// NOR flash in memory: a write can only clear bits; power fails once `budget` bytes were touched.
#[derive(Clone)]
pub struct Flash {
    pub cells: Vec<u8>,
    pub budget: usize,
}

impl Flash {
    /// Erased, as large as a board's.
    pub fn new() -> Self {
        Self { cells: vec![0xff; SLOTS[1].end as usize], budget: usize::MAX }
    }

    fn powered(&mut self) -> Result<(), NorFlashErrorKind> {
        self.budget = self.budget.checked_sub(1).ok_or(NorFlashErrorKind::Other)?;
        Ok(())
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.copy_from_slice(&self.cells[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.cells.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        for cell in from..to {
            self.powered()?;
            self.cells[cell as usize] = 0xff;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        for (cell, byte) in self.cells[offset as usize..].iter_mut().zip(bytes) {
            self.budget = self.budget.checked_sub(1).ok_or(NorFlashErrorKind::Other)?;
            *cell &= byte;
        }
        Ok(())
    }
}
