//! A NOR flash in RAM that keeps NOR's rules and whose power can be cut at any word.

use coloa_store_nor::NorStore;
use coloa_store_testkit::{Dice, Medium};
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes of the part.
pub const BYTES: usize = 6 * 1024;
/// The two areas, not at the start of the part.
pub const REGION: Range<u32> = 512..5632;
/// What the driver of a flash does with its writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driver {
    /// Writes are done when they return.
    Honest,
    /// The last write waits in a buffer until the next: what a commit without a flush is.
    Late,
    /// Writes wait four at a time and are done newest first: the mark before the data.
    Reversed,
}

type Words = Vec<(u32, Vec<u8>)>;

struct Part {
    cells: Vec<u8>,
    programmed: Vec<bool>,
    waiting: Words,
    driver: Driver,
    dice: Dice,
    until_cut: Option<u64>,
    off: bool,
    erases: Vec<u32>,
}

/// A handle on a flash; clones are handles on the same. `W` is the write size.
#[derive(Clone)]
pub struct RamFlash<const W: usize> {
    part: Arc<Mutex<Part>>,
}

impl<const W: usize> RamFlash<W> {
    /// A blank part. The seed decides what torn words and sectors look like.
    pub fn new(driver: Driver, seed: u64) -> Self {
        let part = Part {
            cells: vec![0xff; BYTES],
            programmed: vec![false; BYTES],
            waiting: Vec::new(),
            driver,
            dice: Dice::new(seed),
            until_cut: None,
            off: false,
            erases: vec![0; BYTES / Self::ERASE_SIZE],
        };
        RamFlash { part: Arc::new(Mutex::new(part)) }
    }

    /// How often each sector was erased.
    pub fn erases(&self) -> Vec<u32> {
        self.part().erases.clone()
    }

    /// Changes cells behind the store's back.
    pub fn damage(&self, change: impl FnOnce(&mut [u8])) {
        change(&mut self.part().cells);
    }

    /// A copy of the cells.
    pub fn image(&self) -> Vec<u8> {
        self.part().cells.clone()
    }

    fn part(&self) -> MutexGuard<'_, Part> {
        self.part.lock().unwrap()
    }
}

impl Part {
    /// Counts an operation; true when the power goes during this one.
    fn is_cut_now(&mut self) -> bool {
        match &mut self.until_cut {
            Some(0) => self.off = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.off
    }

    fn program(&mut self, offset: u32, word: &[u8]) -> Result<(), NorFlashErrorKind> {
        let torn = self.is_cut_now();
        let start = offset as usize;
        for (at, byte) in (start..).zip(word) {
            // Flash with an error-correcting code takes each word once; nothing sets a bit.
            assert!(!self.programmed[at] && self.cells[at] & byte == *byte, "word at {offset:#x} written twice");
            let kept = if torn { self.dice.bits().to_be_bytes()[0] } else { 0 };
            self.cells[at] &= byte | kept;
        }
        let whole = start..start + word.len();
        // A torn word that still reads as erased, check bits and all, may be written.
        let untouched = torn && self.cells[whole.clone()].iter().all(|cell| *cell == 0xff);
        self.programmed[whole].fill(!untouched);
        if torn { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }

    fn erase(&mut self, sector: Range<usize>, size: usize) -> Result<(), NorFlashErrorKind> {
        let torn = self.is_cut_now();
        self.erases[sector.start / size] += 1;
        for at in sector {
            // What is half erased may read as anything between.
            let set = if torn { self.dice.bits().to_be_bytes()[0] } else { 0xff };
            self.cells[at] |= set;
            self.programmed[at] = false;
        }
        if torn { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }

    fn drain(&mut self, keep: usize) -> Result<(), NorFlashErrorKind> {
        if self.waiting.len() <= keep {
            return Ok(());
        }
        let mut words: Words = self.waiting.drain(..).collect();
        let kept = words.split_off(words.len() - keep);
        if self.driver == Driver::Reversed {
            words.reverse();
        }
        self.waiting = kept;
        words.into_iter().try_for_each(|(offset, word)| self.program(offset, &word))
    }
}

impl<const W: usize> ErrorType for RamFlash<W> {
    type Error = NorFlashErrorKind;
}

impl<const W: usize> ReadNorFlash for RamFlash<W> {
    const READ_SIZE: usize = if W < 4 { W } else { 4 };

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        let mut part = self.part();
        if part.off {
            return Err(NorFlashErrorKind::Other);
        }
        part.drain(0)?;
        let start = offset as usize;
        bytes.copy_from_slice(&part.cells[start..start + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES
    }
}

impl<const W: usize> NorFlash for RamFlash<W> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = 512;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let mut part = self.part();
        if part.off {
            return Err(NorFlashErrorKind::Other);
        }
        part.drain(0)?;
        let sectors = (from as usize..to as usize).step_by(Self::ERASE_SIZE);
        sectors.into_iter().try_for_each(|start| part.erase(start..start + Self::ERASE_SIZE, Self::ERASE_SIZE))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let mut part = self.part();
        if part.off {
            return Err(NorFlashErrorKind::Other);
        }
        let words = (offset..).step_by(W).zip(bytes.chunks_exact(W)).map(|(offset, word)| (offset, word.to_vec()));
        part.waiting.extend(words);
        match part.driver {
            Driver::Honest => part.drain(0),
            Driver::Late => part.drain(bytes.len() / W),
            Driver::Reversed if part.waiting.len() >= 4 * bytes.len() / W => part.drain(0),
            Driver::Reversed => Ok(()),
        }
    }
}

/// The store on such a flash.
pub type TestStore<const W: usize> = NorStore<RamFlash<W>, parking_lot::RawMutex>;

impl<const W: usize> Medium for RamFlash<W> {
    type Store = TestStore<W>;

    fn open(&mut self) -> Result<Self::Store, String> {
        NorStore::open(self.clone(), REGION).map_err(|error| error.to_string())
    }

    fn cut_at(&mut self, nth: u64) {
        self.part().until_cut = Some(nth);
    }

    fn is_cut(&self) -> bool {
        self.part().off
    }

    fn power_on(&mut self) {
        let mut part = self.part();
        part.waiting.clear();
        (part.off, part.until_cut) = (false, None);
    }
}
