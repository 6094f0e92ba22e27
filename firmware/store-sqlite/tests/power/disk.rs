//! A disk that remembers what was flushed and what only was written, and whose power can be cut at any operation.

use coloa_store_testkit::Dice;
use sqlite_vfs::LockKind;
use sqlite_vfs::wip::WalIndexLock;
use std::collections::{BTreeMap, HashMap};
use std::io::{Error, ErrorKind};

/// The unit in which a disk writes.
const SECTOR: usize = 512;
/// What [`Disk::write`] answers when there is no room, as the VFS wants it.
const NO_ROOM: ErrorKind = ErrorKind::WriteZero;

/// What a cut does to bytes that were written and not flushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// They are gone.
    All,
    /// They are there.
    None,
    /// Some operations are there, in no order.
    Some,
    /// Some sectors of some operations are there.
    Torn,
}

/// One operation on a file that was not flushed yet.
#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
    Delete,
}

/// A file: what a cut leaves for certain, what happened since, and how it reads now.
#[derive(Clone, Default, Debug)]
struct File {
    durable: Option<Vec<u8>>,
    since: Vec<Change>,
    now: Option<Vec<u8>>,
    /// Its first flush also flushes the directory, as SQLite's own VFS does for journals and WALs.
    is_new: bool,
}

impl File {
    /// Makes deletions durable.
    fn sync_entry(&mut self) {
        if let Some(last) = self.since.iter().rposition(|change| matches!(change, Change::Delete)) {
            self.since.drain(..=last);
            self.durable = None;
        }
    }
}

/// What can go wrong with it.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Flushing answers and does nothing.
    pub sync_is_a_no_op: bool,
    /// That flush from now fails, and does nothing.
    pub fail_sync: Option<u64>,
    /// Bytes all files together may have.
    pub room: usize,
    /// That operation from now is the last.
    pub cut_at: Option<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Faults { sync_is_a_no_op: false, fail_sync: None, room: usize::MAX, cut_at: None }
    }
}

/// The disk, and the locks of those who use it.
pub struct Disk {
    files: BTreeMap<String, File>,
    pub faults: Faults,
    pub off: bool,
    dice: Dice,
    pub locks: HashMap<u64, LockKind>,
    pub index_locks: HashMap<(u64, u8), WalIndexLock>,
    pub index: HashMap<u32, [u8; 32768]>,
    handles: u64,
}

impl Disk {
    /// A disk with an empty file `main` on it.
    pub fn new(main: &str, seed: u64) -> Self {
        let empty = File { durable: Some(vec![]), since: vec![], now: Some(vec![]), is_new: false };
        Disk {
            files: BTreeMap::from([(main.to_owned(), empty)]),
            faults: Faults::default(),
            off: false,
            dice: Dice::new(seed),
            locks: HashMap::new(),
            index_locks: HashMap::new(),
            index: HashMap::new(),
            handles: 0,
        }
    }

    pub fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    pub fn exists(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.now.is_some())
    }

    pub fn create(&mut self, path: &str) -> Result<(), Error> {
        self.on()?;
        if !self.exists(path) {
            let file = self.files.entry(path.to_owned()).or_default();
            file.since.push(Change::Resize(0));
            (file.now, file.is_new) = (Some(vec![]), true);
        }
        Ok(())
    }

    pub fn size(&self, path: &str) -> usize {
        self.files.get(path).and_then(|file| file.now.as_ref()).map_or(0, Vec::len)
    }

    /// Reads what there is; the rest becomes zeros.
    pub fn read(&self, path: &str, at: usize, into: &mut [u8]) -> Result<(), Error> {
        self.on()?;
        let bytes = self.files.get(path).and_then(|file| file.now.as_deref()).unwrap_or_default();
        let found = bytes.get(at..).unwrap_or_default();
        let length = found.len().min(into.len());
        into[..length].copy_from_slice(&found[..length]);
        into[length..].fill(0);
        if length < into.len() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    pub fn write(&mut self, path: &str, at: usize, bytes: &[u8]) -> Result<(), Error> {
        self.on()?;
        let grows = (at + bytes.len()).saturating_sub(self.size(path));
        let used: usize = self.files.values().map(|file| file.now.as_ref().map_or(0, Vec::len)).sum();
        if grows > 0 && used + grows > self.faults.room {
            return Err(NO_ROOM.into());
        }
        self.change(path, Change::Write(at, bytes.to_vec()))
    }

    pub fn resize(&mut self, path: &str, length: usize) -> Result<(), Error> {
        self.on()?;
        self.change(path, Change::Resize(length))
    }

    pub fn delete(&mut self, path: &str) -> Result<(), Error> {
        self.on()?;
        if !self.exists(path) {
            return Err(ErrorKind::NotFound.into());
        }
        self.change(path, Change::Delete)
    }

    pub fn sync(&mut self, path: &str) -> Result<(), Error> {
        self.on()?;
        self.count()?;
        match &mut self.faults.fail_sync {
            Some(0) => {
                self.faults.fail_sync = None;
                return Err(ErrorKind::Other.into());
            }
            Some(left) => *left -= 1,
            None => {}
        }
        if self.faults.sync_is_a_no_op {
            return Ok(());
        }
        if let Some(file) = self.files.get_mut(path) {
            file.durable.clone_from(&file.now);
            file.since.clear();
            if std::mem::take(&mut file.is_new) {
                self.files.values_mut().for_each(File::sync_entry);
            }
        }
        Ok(())
    }

    /// Gives power again after a cut, or cuts it and gives it again.
    pub fn power_on(&mut self, loss: Loss) {
        for file in self.files.values_mut() {
            let mut found = file.durable.take();
            for change in file.since.drain(..) {
                survive(&mut found, change, loss, &mut self.dice);
            }
            (file.durable, file.now) = (found.clone(), found);
        }
        self.locks.clear();
        self.index_locks.clear();
        self.index.clear();
        (self.off, self.faults) = (false, Faults { sync_is_a_no_op: self.faults.sync_is_a_no_op, ..Faults::default() });
    }

    fn on(&self) -> Result<(), Error> {
        if self.off { Err(ErrorKind::Other.into()) } else { Ok(()) }
    }

    /// Counts an operation; fails when the power goes.
    fn count(&mut self) -> Result<(), Error> {
        match &mut self.faults.cut_at {
            Some(0) => self.off = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.on()
    }

    fn change(&mut self, path: &str, change: Change) -> Result<(), Error> {
        let file = self.files.entry(path.to_owned()).or_default();
        apply(&mut file.now, &change);
        file.since.push(change);
        self.count()
    }
}

fn apply(file: &mut Option<Vec<u8>>, change: &Change) {
    match change {
        Change::Delete => *file = None,
        Change::Resize(length) => file.get_or_insert_default().resize(*length, 0),
        Change::Write(at, bytes) => {
            let file = file.get_or_insert_default();
            file.resize(file.len().max(at + bytes.len()), 0);
            file[*at..at + bytes.len()].copy_from_slice(bytes);
        }
    }
}

fn survive(file: &mut Option<Vec<u8>>, change: Change, loss: Loss, dice: &mut Dice) {
    let lucky = dice.below(2) == 0;
    match (loss, change) {
        (Loss::None, change) => apply(file, &change),
        (Loss::Some, change) if lucky => apply(file, &change),
        (Loss::Torn, Change::Write(mut at, bytes)) => {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                if dice.below(2) == 0 {
                    apply(file, &Change::Write(at, piece.to_vec()));
                }
                (at, rest) = (at + piece.len(), later);
            }
        }
        (Loss::Torn, change) if lucky => apply(file, &change),
        (Loss::All | Loss::Some | Loss::Torn, _) => {}
    }
}
