//! The file beside the store: who has it open, and which generation the last writer was about to commit.
//!
//! Asking SQLite for the generation takes two locks of the operating system. So a writer announces its generation here,
//! while it has SQLite's write lock and before it commits; who reads the number it already knows has missed nothing, and
//! anything else, such as what a crashed writer left, means: ask SQLite. The file is no part of the store and may be
//! deleted when nobody has the store open.

use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// No generation.
const NONE: u64 = u64::MAX;
const BYTES: usize = 8;

/// What this process knows and what was announced.
pub(crate) struct Announcements {
    /// Locked for as long as the store is open. A file of its own, for closing any descriptor of the store itself would drop
    /// SQLite's locks on it.
    file: Option<File>,
    /// The same file in memory: every command looks at it, and a system call each would cost more than some commands.
    page: Option<Page>,
    known: AtomicU64,
}

impl Announcements {
    /// On a file that is locked already; without one every question goes to SQLite.
    pub(crate) fn on(file: Option<File>) -> std::io::Result<Self> {
        // The bytes are allocated now, so that a full disk cannot refuse an announcement.
        match &file {
            Some(file) if file.metadata()?.len() < BYTES as u64 => file.write_all_at(&NONE.to_le_bytes(), 0)?,
            _ => {}
        }
        let page = file.as_ref().map(Page::of).transpose()?;
        Ok(Announcements { file, page, known: AtomicU64::new(NONE) })
    }

    /// The generation, if this process knows it and nobody has announced another since.
    pub(crate) fn current(&self) -> Option<u64> {
        let known = self.known.load(Ordering::Acquire);
        let announced = self.page.as_ref()?.read();
        (known != NONE && known == announced).then_some(known)
    }

    /// Tells the others, before the commit.
    pub(crate) fn announce(&self, generation: u64) -> std::io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.write_all_at(&generation.to_le_bytes(), 0))
    }

    /// Remembers what SQLite said.
    pub(crate) fn learn(&self, generation: u64) {
        self.known.store(generation, Ordering::Release);
    }
}

/// The file's eight bytes, shared with every process that has it open.
struct Page(MmapRaw);

impl Page {
    fn of(file: &File) -> std::io::Result<Self> {
        MmapOptions::new().len(BYTES).map_raw(file).map(Page)
    }

    /// What was announced last. Writers write the file: the system keeps both the same (mmap(2), `MAP_SHARED`).
    fn read(&self) -> u64 {
        // SAFETY: the mapping starts at a page and has eight bytes, which nobody takes from the file: it is written at its
        // beginning and locked while it is open, as SQLite's own `-shm` is. Other processes may write them meanwhile, so
        // they are read as one atomic.
        let announced = unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().cast()) };
        u64::from_le(announced.load(Ordering::Acquire))
    }
}
