//! Lets callers in, or keeps all of them out across a fork.
//!
//! A mutex cannot do this: one that another thread holds at the moment of the fork is locked in the child for ever. Here a
//! waiting caller only looks at an atomic.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SHUT: u32 = 1 << 31;
const PAUSE: Duration = Duration::from_micros(50);

/// The number of callers inside, and whether more may come in.
#[derive(Default)]
pub(crate) struct Gate(AtomicU32);

/// One caller inside.
pub(crate) struct Pass<'a>(&'a Gate);

impl Gate {
    /// Comes in, after waiting for the gate to be opened.
    pub(crate) fn enter(&self) -> Pass<'_> {
        loop {
            let inside = self.0.load(Ordering::Relaxed) & !SHUT;
            let entered = self.0.compare_exchange_weak(inside, inside + 1, Ordering::Acquire, Ordering::Relaxed);
            match entered {
                Ok(_) => return Pass(self),
                Err(now) if now & SHUT != 0 => std::thread::sleep(PAUSE),
                Err(_) => std::hint::spin_loop(),
            }
        }
    }

    /// Shuts the gate and waits for the last caller to leave.
    pub(crate) fn shut(&self) {
        self.0.fetch_or(SHUT, Ordering::AcqRel);
        while self.0.load(Ordering::Acquire) != SHUT {
            std::thread::sleep(PAUSE);
        }
    }

    /// Opens it again.
    pub(crate) fn open(&self) {
        self.0.fetch_and(!SHUT, Ordering::AcqRel);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}
