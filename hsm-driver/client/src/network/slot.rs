//! Where calls wait for their replies.
//!
//! All calls of a connection sleep on one [`Bell`], each with a bit of its own, so that the replies of a batch wake their
//! threads with one system call. A thread that is woken for another's sake looks and sleeps again.

use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Its thread runs, or nobody waits for it now.
const AWAKE: u32 = 0;
/// Its thread sleeps, or is about to.
const ASLEEP: u32 = 1;
/// The reply is there.
const DONE: u32 = 2;

/// One call under way.
pub(super) struct Slot {
    /// Its number on the connection.
    pub(super) request: u32,
    /// Whether a thread stands behind it that calls again soon; nobody knows that of a ticket.
    pub(super) has_thread: bool,
    state: AtomicU32,
    reply: Mutex<Zeroizing<Vec<u8>>>,
}

impl Slot {
    /// A call whose reply goes into this buffer.
    pub(super) fn new(request: u32, has_thread: bool, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Slot { request, has_thread, state: AtomicU32::new(AWAKE), reply: Mutex::new(Zeroizing::new(buffer)) }
    }

    /// Whether the reply is there.
    pub(super) fn is_done(&self) -> bool {
        self.state.load(Ordering::Acquire) == DONE
    }

    /// The reply's buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.reply.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The reply has come. Who must be woken.
    pub(super) fn finish(&self, reply: &[u8]) -> Sleepers {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(reply);
        match self.state.swap(DONE, Ordering::AcqRel) {
            ASLEEP => self.bit(),
            _ => Sleepers::default(),
        }
    }

    /// Has its thread look again. Who must be woken: nobody, when it does not sleep.
    pub(super) fn nudge(&self) -> Sleepers {
        match self.state.compare_exchange(ASLEEP, AWAKE, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => self.bit(),
            Err(_) => Sleepers::default(),
        }
    }

    fn bit(&self) -> Sleepers {
        Sleepers(1 << (self.request % u32::BITS))
    }
}

/// Some of those who sleep on a bell, by their bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Sleepers(u32);

impl Sleepers {
    /// Whether there is anybody.
    pub(super) fn any(self) -> bool {
        self.0 != 0
    }

    /// These too.
    pub(super) fn add(&mut self, others: Sleepers) {
        self.0 |= others.0;
    }
}

/// What the calls of one connection sleep on.
#[derive(Default)]
pub(super) struct Bell(AtomicU32);

/// How often it has been rung.
pub(super) struct Rung(u32);

impl Bell {
    /// Announces sleep where nobody can overlook it: under the lock of those who ring.
    pub(super) fn lie_down(&self, slot: &Slot) -> Rung {
        let rung = Rung(self.0.load(Ordering::Acquire));
        let _ = slot.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Relaxed);
        rung
    }

    /// Sleeps after [`Bell::lie_down`], until the bell rings for this call or so long.
    pub(super) fn sleep(&self, slot: &Slot, rung: Rung, at_most: Duration) {
        if let (Some(until), Some(bit)) = (after(at_most), NonZeroU32::new(slot.bit().0)) {
            let _ = futex::wait_bitset(&self.0, futex::Flags::PRIVATE, rung.0, Some(&until), bit);
        }
        let _ = slot.state.compare_exchange(ASLEEP, AWAKE, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Wakes them.
    pub(super) fn ring(&self, sleepers: Sleepers) {
        if let Some(bits) = NonZeroU32::new(sleepers.0) {
            self.0.fetch_add(1, Ordering::AcqRel);
            // The kernel counts in signed numbers.
            let _ = futex::wake_bitset(&self.0, futex::Flags::PRIVATE, i32::MAX.unsigned_abs(), bits);
        }
    }
}

/// The monotonic clock's time then.
fn after(wait: Duration) -> Option<Timespec> {
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).ok()?;
    Timespec::try_from(now.checked_add(wait)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn one_ring_wakes_all_whose_replies_have_come_and_nobody_else() {
        let bell = Arc::new(Bell::default());
        let slots: Vec<_> = (1..=4).map(|n| Arc::new(Slot::new(n, true, vec![9; 9]))).collect();
        let threads: Vec<_> = slots[..3]
            .iter()
            .map(|slot| {
                let (bell, slot) = (bell.clone(), slot.clone());
                std::thread::spawn(move || {
                    while !slot.is_done() {
                        let rung = bell.lie_down(&slot);
                        bell.sleep(&slot, rung, Duration::from_secs(60));
                    }
                    slot.take()
                })
            })
            .collect();
        let last = slots[3].clone();
        bell.lie_down(&last);
        let mut wake = Sleepers::default();
        slots[..3].iter().for_each(|s| wake.add(s.finish(b"reply")));
        bell.ring(wake);
        threads.into_iter().for_each(|t| assert_eq!(t.join().unwrap(), b"reply"));
        assert!(!last.is_done() && last.nudge().any(), "it still sleeps");
    }

    #[test]
    fn only_a_sleeper_is_woken_and_sleep_ends_in_time() {
        let (bell, slot) = (Bell::default(), Slot::new(1, true, vec![]));
        assert!(!slot.nudge().any());
        let rung = bell.lie_down(&slot);
        let begun = Instant::now();
        bell.sleep(&slot, rung, Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert!(!slot.nudge().any() && !slot.finish(b"").any());
    }
}
