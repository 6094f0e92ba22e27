//! [`Disk`] as SQLite sees it.
//!
//! The crate sqlite-vfs makes SQLite's C interface out of these safe traits, and copies the WAL index in and out at each
//! lock, which is enough for connections that take turns, as they do here.

use crate::disk::Disk;
use sqlite_vfs::wip::{WalIndex, WalIndexLock};
use sqlite_vfs::{DatabaseHandle, LockKind, OpenOptions, Vfs};
use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Every disk there is, by the name that its files' paths begin with.
#[derive(Clone, Default)]
pub struct Disks(Arc<Mutex<HashMap<String, SharedDisk>>>);

/// A disk that a test and SQLite both hold.
pub type SharedDisk = Arc<Mutex<Disk>>;

impl Disks {
    /// Registers a VFS of this name.
    pub fn register(name: &str) -> Self {
        let disks = Disks::default();
        sqlite_vfs::register(name, disks.clone(), false).unwrap();
        disks
    }

    pub fn insert(&self, name: &str, disk: SharedDisk) {
        self.0.lock().unwrap().insert(name.to_owned(), disk);
    }

    pub fn remove(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }

    fn of(&self, path: &str) -> Result<SharedDisk, Error> {
        let name = path.split('/').next().unwrap_or_default();
        self.0.lock().unwrap().get(name).cloned().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// An open file.
pub struct Handle {
    disk: SharedDisk,
    path: String,
    number: u64,
}

impl Handle {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let number = self.number;
        let mut disk = self.disk();
        disk.locks.remove(&number);
        disk.index_locks.retain(|(holder, _), _| *holder != number);
    }
}

impl Vfs for Disks {
    type Handle = Handle;

    fn open(&self, path: &str, _: OpenOptions) -> Result<Handle, Error> {
        let disk = self.of(path)?;
        let number = {
            let mut disk = disk.lock().unwrap();
            disk.create(path)?;
            disk.next_handle()
        };
        Ok(Handle { disk, path: path.to_owned(), number })
    }

    fn delete(&self, path: &str) -> Result<(), Error> {
        self.of(path)?.lock().unwrap().delete(path)
    }

    fn exists(&self, path: &str) -> Result<bool, Error> {
        Ok(self.of(path)?.lock().unwrap().exists(path))
    }

    fn temporary_name(&self) -> String {
        "nowhere/temporary".to_owned()
    }

    fn random(&self, buffer: &mut [i8]) {
        // The same salts each time: an old WAL that comes back must be told from a new one by more than luck.
        buffer.fill(4);
    }

    fn sleep(&self, duration: Duration) -> Duration {
        duration
    }
}

impl DatabaseHandle for Handle {
    type WalIndex = Index;

    fn size(&self) -> Result<u64, Error> {
        Ok(self.disk().size(&self.path) as u64)
    }

    fn read_exact_at(&mut self, buf: &mut [u8], offset: u64) -> Result<(), Error> {
        self.disk().read(&self.path, offset as usize, buf)
    }

    fn write_all_at(&mut self, buf: &[u8], offset: u64) -> Result<(), Error> {
        self.disk().write(&self.path, offset as usize, buf)
    }

    fn sync(&mut self, _: bool) -> Result<(), Error> {
        self.disk().sync(&self.path)
    }

    fn set_len(&mut self, size: u64) -> Result<(), Error> {
        self.disk().resize(&self.path, size as usize)
    }

    fn lock(&mut self, lock: LockKind) -> Result<bool, Error> {
        let mut disk = self.disk();
        let others = disk.locks.iter().filter(|(holder, _)| **holder != self.number).map(|(_, lock)| rank(*lock)).max();
        let free = match lock {
            LockKind::None => true,
            LockKind::Shared => others < Some(rank(LockKind::Pending)),
            LockKind::Reserved | LockKind::Pending => others < Some(rank(LockKind::Reserved)),
            LockKind::Exclusive => others.is_none(),
        };
        match (free, lock) {
            (false, _) => {}
            (true, LockKind::None) => drop(disk.locks.remove(&self.number)),
            (true, lock) => drop(disk.locks.insert(self.number, lock)),
        }
        Ok(free)
    }

    fn reserved(&mut self) -> Result<bool, Error> {
        Ok(self.disk().locks.values().any(|lock| rank(*lock) >= rank(LockKind::Reserved)))
    }

    fn current_lock(&self) -> Result<LockKind, Error> {
        Ok(self.disk().locks.get(&self.number).copied().unwrap_or(LockKind::None))
    }

    fn wal_index(&self, _: bool) -> Result<Index, Error> {
        Ok(Index { disk: self.disk.clone(), number: self.number })
    }
}

fn rank(lock: LockKind) -> u8 {
    match lock {
        LockKind::None => 0,
        LockKind::Shared => 1,
        LockKind::Reserved => 2,
        LockKind::Pending => 3,
        LockKind::Exclusive => 4,
    }
}

/// The WAL index: memory that a cut empties.
pub struct Index {
    disk: SharedDisk,
    number: u64,
}

impl WalIndex for Index {
    fn map(&mut self, region: u32) -> Result<[u8; 32768], Error> {
        Ok(*self.disk.lock().unwrap().index.entry(region).or_insert([0; 32768]))
    }

    fn lock(&mut self, locks: Range<u8>, lock: WalIndexLock) -> Result<bool, Error> {
        let mut disk = self.disk.lock().unwrap();
        let in_the_way = disk.index_locks.iter().any(|((holder, slot), held)| {
            let conflict = match lock {
                WalIndexLock::None => false,
                WalIndexLock::Shared => *held == WalIndexLock::Exclusive,
                WalIndexLock::Exclusive => true,
            };
            *holder != self.number && locks.contains(slot) && conflict
        });
        if in_the_way {
            return Ok(false);
        }
        for slot in locks {
            match lock {
                WalIndexLock::None => drop(disk.index_locks.remove(&(self.number, slot))),
                lock => drop(disk.index_locks.insert((self.number, slot), lock)),
            }
        }
        Ok(true)
    }

    fn delete(self) -> Result<(), Error> {
        self.disk.lock().unwrap().index.clear();
        Ok(())
    }

    fn pull(&mut self, region: u32, data: &mut [u8; 32768]) -> Result<(), Error> {
        if let Some(shared) = self.disk.lock().unwrap().index.get(&region) {
            *data = *shared;
        }
        Ok(())
    }

    fn push(&mut self, region: u32, data: &[u8; 32768]) -> Result<(), Error> {
        self.disk.lock().unwrap().index.insert(region, *data);
        Ok(())
    }
}
