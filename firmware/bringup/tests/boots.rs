//! The boot counter against flash that forgets power at every write.

use coloa_bringup::boots::{BootsError, count};
use coloa_bringup::layout::{BOOTS, SECTOR};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// NOR flash in memory: a write can only clear bits; power fails once `budget` bytes were touched.
#[derive(Clone)]
struct Flash {
    cells: Vec<u8>,
    budget: usize,
}

impl Flash {
    fn new() -> Self {
        Self { cells: vec![0xff; BOOTS.end as usize], budget: usize::MAX }
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

#[test]
fn boots_are_numbered_one_after_the_other_over_many_sectors() {
    let mut flash = Flash::new();
    for boot in 1..=1700 {
        assert_eq!(count(&mut flash), Ok(boot));
    }
}

#[test]
fn power_lost_at_any_byte_never_repeats_a_number() {
    // Around the turn from one sector to the other and back: 512 entries a sector.
    for start in [0, 1, 510, 511, 512, 1023, 1024] {
        let mut before = Flash::new();
        let last = (0..start).map(|_| count(&mut before).unwrap()).last().unwrap_or(0);
        for budget in (0..24).chain((24..4090).step_by(211)).chain(4090..4112) {
            let mut flash = Flash { budget, ..before.clone() };
            let seen = count(&mut flash).ok();
            flash.budget = usize::MAX;
            let next = count(&mut flash).expect("a later boot succeeds");
            assert!(next > last && Some(next) > seen, "after {last}: saw {seen:?}, then {next}, budget {budget}");
        }
    }
}

#[test]
fn flash_that_keeps_nothing_stops_the_boot() {
    let mut flash = Flash::new();
    flash.cells.fill(0);
    flash.budget = 0;
    assert_eq!(count(&mut flash), Err(BootsError::Flash));
}
