//! The one global: this process's module, and that a forked child is another process.
//!
//! The pointer to the [`Cell`] stands in a page that the kernel wipes in the child (`MADV_WIPEONFORK`): a child finds NULL and
//! makes a cell of its own, without a system call in the parent's way and without touching a lock that another thread may
//! have held at the fork. Where the kernel cannot do that, the process id is compared. What the parent had is left where it
//! is; its sockets are closed without a word to the other end.

use crate::log;
use crate::module::Module;
use crate::rv::{Outcome, Rv};
use crate::session::Session;
use arc_swap::ArcSwapOption;
use coloa_client::{Config, Descriptor, Language, fork};
use cryptoki_sys::*;
use std::panic::catch_unwind;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

/// One process's module, if it is initialised.
struct Cell {
    process: u32,
    /// Whether the kernel does not wipe the page, so that `process` must be compared.
    compare: bool,
    /// Every call looks here, and none must make another one wait for it.
    module: ArcSwapOption<Module>,
    /// Held by `C_Initialize` and `C_Finalize`.
    turn: Mutex<()>,
}

/// The page; its first word is the cell of this process.
static PAGE: AtomicPtr<AtomicPtr<Cell>> = AtomicPtr::new(null_mut());
static COMPARE: AtomicBool = AtomicBool::new(false);
/// The cell made last, which a child inherits.
static LAST: AtomicPtr<Cell> = AtomicPtr::new(null_mut());

const PAGE_BYTES: usize = 4096;

/// The module, or `CKR_CRYPTOKI_NOT_INITIALIZED`.
pub(crate) fn module() -> Outcome<Arc<Module>> {
    cell().module.load_full().ok_or(Rv(CKR_CRYPTOKI_NOT_INITIALIZED))
}

/// An open session of the module.
pub(crate) fn session_of(handle: CK_SESSION_HANDLE) -> Outcome<Arc<Session>> {
    let held = cell().module.load();
    held.as_ref().ok_or(Rv(CKR_CRYPTOKI_NOT_INITIALIZED))?.session(handle)
}

/// `C_Initialize`.
pub(crate) fn initialize() -> Outcome {
    let inherited = last();
    let cell = cell();
    let _turn = cell.turn();
    if cell.module.load().is_some() {
        return Err(Rv(CKR_CRYPTOKI_ALREADY_INITIALIZED));
    }
    if let Some(parent) = inherited.filter(|c| !std::ptr::eq(*c, cell)) {
        parent.sockets().into_iter().for_each(close);
    }
    let trusted = believe_environment();
    let config = Config::load(trusted).map_err(|error| {
        // There is no log yet to say it in.
        eprintln!("coloa: {}", error.explain(language(trusted)));
        Rv(CKR_GENERAL_ERROR)
    })?;
    log::start(&config, trusted);
    guard_forks();
    cell.module.store(Some(Arc::new(Module::new(config))));
    Ok(())
}

/// `C_Finalize`.
pub(crate) fn finalize() -> Outcome {
    let cell = cell();
    let module = {
        let _turn = cell.turn();
        cell.module.swap(None)
    };
    module.ok_or(Rv(CKR_CRYPTOKI_NOT_INITIALIZED))?.finish();
    Ok(())
}

/// This process's cell.
fn cell() -> &'static Cell {
    let word = word();
    let found = word.load(Ordering::Acquire);
    // SAFETY: the word is NULL or a cell that was leaked, so it lives as long as the process.
    match unsafe { found.as_ref() } {
        Some(cell) if !cell.compare || cell.process == std::process::id() => cell,
        _ => new_cell(word, found),
    }
}

fn new_cell(word: &AtomicPtr<Cell>, found: *mut Cell) -> &'static Cell {
    let compare = COMPARE.load(Ordering::Relaxed);
    let (module, turn) = (ArcSwapOption::empty(), Mutex::default());
    let fresh = Box::into_raw(Box::new(Cell { process: std::process::id(), compare, module, turn }));
    match word.compare_exchange(found, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            LAST.store(fresh, Ordering::Release);
            // SAFETY: just leaked.
            unsafe { &*fresh }
        }
        Err(theirs) => {
            // SAFETY: nobody else saw it.
            drop(unsafe { Box::from_raw(fresh) });
            // SAFETY: another thread of this process has put its leaked cell there.
            unsafe { &*theirs }
        }
    }
}

fn last() -> Option<&'static Cell> {
    // SAFETY: NULL or a leaked cell.
    unsafe { LAST.load(Ordering::Acquire).as_ref() }
}

fn word() -> &'static AtomicPtr<Cell> {
    let page = PAGE.load(Ordering::Acquire);
    // SAFETY: NULL or a page that is never unmapped, whose first word is only used as this atomic.
    match unsafe { page.as_ref() } {
        Some(word) => word,
        None => new_page(),
    }
}

fn new_page() -> &'static AtomicPtr<Cell> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that exists.
    let mapped = unsafe { libc::mmap(null_mut(), PAGE_BYTES, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        COMPARE.store(true, Ordering::Relaxed);
        return publish_page(Box::into_raw(Box::new(AtomicPtr::new(null_mut()))));
    }
    // SAFETY: the page was just mapped and nobody else knows it.
    let wiped = unsafe { libc::madvise(mapped, PAGE_BYTES, libc::MADV_WIPEONFORK) } == 0;
    COMPARE.store(!wiped, Ordering::Relaxed);
    publish_page(mapped.cast())
}

/// Two threads may both have made a page: the second one's stays unused.
fn publish_page(page: *mut AtomicPtr<Cell>) -> &'static AtomicPtr<Cell> {
    let word = match PAGE.compare_exchange(null_mut(), page, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => page,
        Err(theirs) => theirs,
    };
    // SAFETY: zeroed or initialised memory that is never freed; all zero is a NULL `AtomicPtr`.
    unsafe { &*word }
}

impl Cell {
    /// What the parent had open; asks nobody who may hold a lock for ever.
    fn sockets(&self) -> Vec<Descriptor> {
        self.module.load().as_ref().map(|m| m.inherited()).unwrap_or_default()
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes an inherited socket, unless its number has become another file since.
fn close(descriptor: Descriptor) {
    // SAFETY: all zero is a valid `stat`.
    let mut found: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `found` has room for a `stat`; a bad descriptor is answered with an error.
    let is_open = unsafe { libc::fstat(descriptor.number, &mut found) } == 0;
    if is_open && found.st_mode & libc::S_IFMT == libc::S_IFSOCK && found.st_ino == descriptor.inode {
        // SAFETY: it is the socket the parent opened; in this process only the parent's module knew it, and that is gone.
        unsafe { libc::close(descriptor.number) };
    }
}

/// SQLite's locks do not survive a fork: embedded engines close their files before one, also those that calls are still in
/// after `C_Finalize`.
fn guard_forks() {
    static GUARDED: Once = Once::new();
    GUARDED.call_once(|| {
        // SAFETY: the handlers are plain functions of this library; glibc forgets them when it is unloaded.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
    });
}

extern "C" fn before_fork() {
    let _ = catch_unwind(fork::prepare);
}

extern "C" fn after_fork() {
    let _ = catch_unwind(fork::done);
}

/// A set-uid program's environment was chosen by whoever started it.
fn believe_environment() -> bool {
    // SAFETY: it only reads the auxiliary vector.
    unsafe { libc::getauxval(libc::AT_SECURE) == 0 }
}

fn language(believe_environment: bool) -> Language {
    let named = believe_environment.then(|| std::env::var("LANG").ok()).flatten();
    if named.is_some_and(|l| l.starts_with("vi")) { Language::Vietnamese } else { Language::English }
}
