//! Where one call waits for its reply.

use rustix::thread::futex;
use rustix::time::Timespec;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Its thread runs, or nobody waits for it now.
const AWAKE: u32 = 0;
/// Its thread sleeps.
const ASLEEP: u32 = 1;
/// The reply is there.
const DONE: u32 = 2;

/// One call under way.
pub(super) struct Slot {
    /// Its number on the connection.
    pub(super) request: u32,
    /// Whether a thread stands behind it that calls again soon; nobody knows that of a ticket.
    pub(super) has_thread: bool,
    word: AtomicU32,
    reply: Mutex<Zeroizing<Vec<u8>>>,
}

impl Slot {
    /// A call whose reply goes into this buffer.
    pub(super) fn new(request: u32, has_thread: bool, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Slot { request, has_thread, word: AtomicU32::new(AWAKE), reply: Mutex::new(Zeroizing::new(buffer)) }
    }

    /// Whether the reply is there.
    pub(super) fn is_done(&self) -> bool {
        self.word.load(Ordering::Acquire) == DONE
    }

    /// Whether its thread sleeps.
    pub(super) fn is_asleep(&self) -> bool {
        self.word.load(Ordering::Relaxed) == ASLEEP
    }

    /// The reply's buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.reply.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The reply has come. Answers whether its thread must be woken.
    pub(super) fn finish(&self, reply: &[u8]) -> bool {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(reply);
        self.word.swap(DONE, Ordering::AcqRel) == ASLEEP
    }

    /// Has its thread look again. Answers whether it must be woken.
    pub(super) fn nudge(&self) -> bool {
        self.word.compare_exchange(ASLEEP, AWAKE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Wakes its thread, after [`Slot::finish`] or [`Slot::nudge`] said so.
    pub(super) fn wake(&self) {
        let _ = futex::wake(&self.word, futex::Flags::PRIVATE, 1);
    }

    /// Announces sleep, where nobody can overlook it: under the desk's lock.
    pub(super) fn lie_down(&self) {
        let _ = self.word.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Sleeps after [`Slot::lie_down`], until woken or for so long.
    pub(super) fn sleep(&self, at_most: Duration) {
        if let Ok(timeout) = Timespec::try_from(at_most) {
            let _ = futex::wait(&self.word, futex::Flags::PRIVATE, ASLEEP, Some(&timeout));
        }
        let _ = self.word.compare_exchange(ASLEEP, AWAKE, Ordering::AcqRel, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_reply_wakes_and_stays() {
        let slot = Arc::new(Slot::new(1, true, vec![9; 9]));
        slot.lie_down();
        let sleeper = slot.clone();
        let thread = std::thread::spawn(move || {
            while !sleeper.is_done() {
                sleeper.lie_down();
                sleeper.sleep(Duration::from_secs(60));
            }
            sleeper.take()
        });
        if slot.finish(b"reply") {
            slot.wake();
        }
        assert_eq!(thread.join().unwrap(), b"reply");
    }

    #[test]
    fn only_a_sleeper_is_woken() {
        let slot = Slot::new(1, true, vec![]);
        assert!(!slot.nudge());
        slot.lie_down();
        assert!(slot.is_asleep() && slot.nudge() && !slot.nudge());
        slot.lie_down();
        slot.sleep(Duration::from_millis(1));
        assert!(!slot.is_asleep() && !slot.finish(b""));
    }
}
