//! Lets callers in, or keeps all of them out across a fork. There is one for all stores of a process, as SQLite's books of
//! open files and of locks are the process's.
//!
//! A mutex cannot do this: one that another thread holds at the moment of the fork is locked in the child for ever. Here a
//! waiting caller only looks at an atomic.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SHUT: u32 = 1 << 31;
const PAUSE: Duration = Duration::from_micros(50);

/// The number of callers inside, and whether more may come in.
static GATE: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// How often this thread is inside, or has the gate shut: it need not wait for itself.
    static MINE: Cell<u32> = const { Cell::new(0) };
}

/// One caller inside; it stays on its thread.
pub(crate) struct Pass(PhantomData<*const ()>);

/// Comes in, after waiting for the gate to be opened.
pub(crate) fn enter() -> Pass {
    let waits = MINE.get() == 0;
    loop {
        let now = GATE.load(Ordering::Relaxed);
        if now & SHUT != 0 && waits {
            std::thread::sleep(PAUSE);
        } else if GATE.compare_exchange_weak(now, now + 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            MINE.set(MINE.get() + 1);
            return Pass(PhantomData);
        }
    }
}

/// Shuts the gate, when nobody else has, and waits for the last caller to leave.
pub(crate) fn shut() {
    while GATE.fetch_or(SHUT, Ordering::AcqRel) & SHUT != 0 {
        std::thread::sleep(PAUSE);
    }
    while GATE.load(Ordering::Acquire) != SHUT {
        std::thread::sleep(PAUSE);
    }
    MINE.set(MINE.get() + 1);
}

/// Opens it again: the thread that shut it, or its copy in a child.
pub(crate) fn open() {
    MINE.set(MINE.get().saturating_sub(1));
    GATE.fetch_and(!SHUT, Ordering::AcqRel);
}

impl Drop for Pass {
    fn drop(&mut self) {
        MINE.set(MINE.get().saturating_sub(1));
        GATE.fetch_sub(1, Ordering::Release);
    }
}
