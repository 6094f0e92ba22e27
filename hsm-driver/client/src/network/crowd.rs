//! How many threads of this process call, how long the other end needs, and what follows from that.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A wake-up of a sleeping core costs about 40 µs (ARCHITECTURE decision 4). Waits that are much longer are slept through.
const WORTH_SPINNING: u32 = 150;
/// Who spins does so for twice the usual wait and this.
const LEAST_SPIN: Duration = Duration::from_micros(30);
/// Who gets the core back only after that long has taken it from somebody else.
const TAKEN: Duration = Duration::from_micros(20);
/// So many waits are slept through after that.
const PASS: u32 = 32;
/// A reply that needs longer is worth a connection of its own, which is a thread of its own at the other end. What that
/// spares the others in waiting is more than what gathered calls spare in system calls and records.
const QUICK: u32 = 400;

/// What the connections of one place have in common. Times are running means in microseconds.
pub(crate) struct Crowd {
    cores: usize,
    callers: AtomicUsize,
    wait: AtomicU32,
    service: AtomicU32,
    pass: AtomicU32,
}

/// A thread that waits for a reply.
pub(crate) struct Caller<'a>(&'a Crowd);

impl Crowd {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Crowd { cores, callers: 0.into(), wait: 0.into(), service: 0.into(), pass: 0.into() }
    }

    /// Counts a caller until it is dropped.
    pub(crate) fn enter(&self) -> Caller<'_> {
        self.callers.fetch_add(1, Ordering::Relaxed);
        Caller(self)
    }

    /// Whether replies come quickly, so that gathering calls is worth more than spreading them.
    pub(crate) fn is_quick(&self) -> bool {
        self.service.load(Ordering::Relaxed) < QUICK
    }

    /// The other end needed so long for one reply.
    pub(crate) fn note_service(&self, each: Duration) {
        blend(&self.service, each);
    }

    /// Looks again and again while that may be cheaper than sleeping; `None` means: sleep.
    ///
    /// Only a caller without company spins: as many cores as it has, the engine may need them too.
    pub(crate) fn spin<T>(&self, since: Instant, until: Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let wait = self.wait.load(Ordering::Relaxed);
        if wait > WORTH_SPINNING || self.callers.load(Ordering::Relaxed).saturating_mul(2) > self.cores {
            return None;
        }
        if self.pass.load(Ordering::Relaxed) > 0 {
            self.pass.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let patience = Duration::from_micros(u64::from(wait).saturating_mul(2)) + LEAST_SPIN;
        let until = until.min(since + patience);
        let mut before = since;
        while before < until {
            std::thread::yield_now();
            if let Some(found) = look() {
                return Some(found);
            }
            let now = Instant::now();
            if now.saturating_duration_since(before) > TAKEN {
                self.pass.store(PASS, Ordering::Relaxed);
                return None;
            }
            before = now;
        }
        // It may be that the engine waits for this very core.
        self.pass.store(PASS, Ordering::Relaxed);
        None
    }

    /// A wait took so long.
    pub(crate) fn note_wait(&self, waited: Duration) {
        blend(&self.wait, waited);
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.callers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A running mean over about eight. Two threads that do it at once may lose one value.
fn blend(mean: &AtomicU32, value: Duration) {
    let value = u32::try_from(value.as_micros()).unwrap_or(u32::MAX).min(1_000_000);
    let old = mean.load(Ordering::Relaxed);
    mean.store(old.saturating_mul(7).saturating_add(value) / 8, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(cores: usize) -> Crowd {
        Crowd { cores, ..Crowd::new() }
    }

    fn looks(crowd: &Crowd) -> usize {
        let (mut looks, now) = (0, Instant::now());
        let found = crowd.spin(now, now + Duration::from_secs(1), || {
            looks += 1;
            Some(())
        });
        assert_eq!(found.is_some(), looks > 0);
        looks
    }

    #[test]
    fn one_caller_spins_a_crowd_and_a_slow_engine_do_not() {
        let two = crowd(2);
        let _one = two.enter();
        assert_eq!(looks(&two), 1);
        let second = two.enter();
        assert_eq!(looks(&two), 0);
        drop(second);
        (0..64).for_each(|_| two.note_wait(Duration::from_millis(1)));
        assert_eq!(looks(&two), 0);
        (0..64).for_each(|_| two.note_wait(Duration::from_micros(20)));
        assert_eq!(looks(&two), 1);
        let single = crowd(1);
        let _one = single.enter();
        assert_eq!(looks(&single), 0);
    }

    #[test]
    fn slow_replies_are_noticed() {
        let crowd = crowd(2);
        assert!(crowd.is_quick());
        (0..64).for_each(|_| crowd.note_service(Duration::from_millis(1)));
        assert!(!crowd.is_quick());
    }
}
