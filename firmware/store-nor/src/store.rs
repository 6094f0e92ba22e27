//! The log behind the trait, under one lock.

use crate::log::Log;
use crate::medium::Broken;
use crate::mount::{self, IfBlank, MountError};
use coloa_engine::{CommitError, Record, RecordId, Store, StoreError, Write};
use core::ops::Range;
use embedded_storage::nor_flash::NorFlash;
use lock_api::{Mutex, RawMutex};

/// A [`Store`] on the flash `F`, under a lock of kind `R` (a critical section, a spin lock, or the host's).
pub struct NorStore<F, R: RawMutex> {
    log: Mutex<R, Log<F>>,
}

impl<F: NorFlash, R: RawMutex> NorStore<F, R> {
    /// Mounts the log in `region` (byte addresses; two areas of whole sectors each), or makes an empty one when the region is
    /// blank.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn open(flash: F, region: Range<u32>) -> Result<Self, MountError> {
        mount::mount(flash, &region, IfBlank::Format).map(NorStore::of)
    }

    /// Mounts the log in `region`.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn mount(flash: F, region: Range<u32>) -> Result<Self, MountError> {
        mount::mount(flash, &region, IfBlank::Refuse).map(NorStore::of)
    }

    /// Makes an empty log in `region`, whatever was there.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn format(flash: F, region: Range<u32>) -> Result<Self, MountError> {
        mount::format(flash, &region).map(NorStore::of)
    }

    fn of(log: Log<F>) -> Self {
        NorStore { log: Mutex::new(log) }
    }
}

impl<F, R> Store for NorStore<F, R>
where
    F: NorFlash + Send + 'static,
    R: RawMutex + Send + Sync + 'static,
{
    fn generation(&self) -> Result<u64, StoreError> {
        self.log.lock().generation().map_err(failed)
    }

    fn is_shared(&self) -> bool {
        false
    }

    /// The lock is free while `visit` runs; a commit in the meantime makes the scan fail.
    fn scan(&self, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError> {
        let generation = self.generation()?;
        let mut last = None;
        loop {
            let record = {
                let mut log = self.log.lock();
                if log.generation().map_err(failed)? != generation {
                    return Err(StoreError::Failed);
                }
                let Some(id) = log.next_after(last.as_ref()) else { return Ok(generation) };
                last = Some(id);
                live(id, log.read(&id))?.ok_or(StoreError::Failed)?
            };
            visit(record)?;
        }
    }

    /// Knows only the present generation: nobody else writes.
    fn changes(&self, since: u64, _: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError> {
        let generation = self.generation()?;
        if since == generation { Ok(generation) } else { Err(StoreError::TooOld) }
    }

    fn read(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        live(*id, self.log.lock().read(id))
    }

    fn commit(&self, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        self.log.lock().commit(expected, batch)
    }
}

fn live(id: RecordId, found: Result<Option<(u64, alloc::vec::Vec<u8>)>, Broken>) -> Result<Option<Record>, StoreError> {
    let found = found.map_err(failed)?;
    Ok(found.map(|(version, value)| Record { id, version, value: Some(value) }))
}

fn failed(_: Broken) -> StoreError {
    StoreError::Failed
}
