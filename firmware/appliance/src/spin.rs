//! How long to spin before sleeping: for a channel without company as long as its client usually needs, else not at all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A wake-up of a sleeping core costs about 40 µs (ARCHITECTURE decision 4). Waits that are much longer are slept through.
const WORTH_SPINNING: Duration = Duration::from_micros(150);
/// Who spins does so for twice the usual wait and this.
const LEAST_SPIN: Duration = Duration::from_micros(30);
/// Who gets the core back only after that long has taken it from somebody else.
const TAKEN: Duration = Duration::from_micros(20);
/// So many waits are slept through after one that was spun through in vain.
const PASS: u32 = 32;

/// How many channels' threads run.
pub(crate) struct Crowd {
    cores: usize,
    awake: AtomicUsize,
}

/// A thread that runs, unless it rests.
pub(crate) struct Awake<'a>(&'a Crowd);

impl Crowd {
    pub(crate) fn new() -> Self {
        Crowd { cores: std::thread::available_parallelism().map_or(1, usize::from), awake: AtomicUsize::new(0) }
    }

    /// Counts this thread until it is dropped.
    pub(crate) fn enter(&self) -> Awake<'_> {
        self.awake.fetch_add(1, Ordering::Relaxed);
        Awake(self)
    }

    /// Whether half of the cores have nothing to do.
    fn has_room(&self) -> bool {
        self.awake.load(Ordering::Relaxed).saturating_mul(2) <= self.cores
    }
}

impl Awake<'_> {
    /// Sleeps.
    pub(crate) fn rest<T>(&self, sleep: impl FnOnce() -> T) -> T {
        self.0.awake.fetch_sub(1, Ordering::Relaxed);
        let slept = sleep();
        self.0.awake.fetch_add(1, Ordering::Relaxed);
        slept
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.0.awake.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one channel has learnt of its client.
#[derive(Default)]
pub(crate) struct Spin {
    /// How long it usually takes to ask again.
    wait: Duration,
    pass: u32,
}

impl Spin {
    /// Looks again and again while that may be cheaper than sleeping; `None` means: sleep.
    pub(crate) fn until<T>(&mut self, awake: &Awake<'_>, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if self.wait > WORTH_SPINNING || !awake.0.has_room() {
            return None;
        }
        if self.pass > 0 {
            self.pass -= 1;
            return None;
        }
        let mut before = Instant::now();
        let until = before + self.wait * 2 + LEAST_SPIN;
        while before < until {
            std::thread::yield_now();
            if let Some(found) = look() {
                return Some(found);
            }
            let now = Instant::now();
            if now.saturating_duration_since(before) > TAKEN || !awake.0.has_room() {
                break;
            }
            before = now;
        }
        // It may be that the client waits for this very core.
        self.pass = PASS;
        None
    }

    /// A wait took so long.
    pub(crate) fn note(&mut self, wait: Duration) {
        self.wait = (self.wait * 7 + wait.min(Duration::from_secs(1))) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(spin: &mut Spin, awake: &Awake<'_>) -> usize {
        let mut looks = 0;
        let found = spin.until(awake, || {
            looks += 1;
            Some(())
        });
        assert_eq!(found.is_some(), looks > 0);
        looks
    }

    #[test]
    fn one_channel_spins_a_crowd_does_not() {
        let crowd = Crowd { cores: 2, ..Crowd::new() };
        let (mut spin, first) = (Spin::default(), crowd.enter());
        assert_eq!(looks(&mut spin, &first), 1);
        let second = crowd.enter();
        assert_eq!(looks(&mut spin, &first), 0);
        second.rest(|| assert_eq!(looks(&mut spin, &first), 1));
        drop(second);
        assert_eq!(looks(&mut spin, &first), 1);
    }

    #[test]
    fn what_does_not_pay_is_not_done() {
        let crowd = Crowd { cores: 2, ..Crowd::new() };
        let (mut spin, awake) = (Spin::default(), crowd.enter());
        assert!(spin.until(&awake, || None::<()>).is_none());
        (0..PASS).for_each(|_| assert_eq!(looks(&mut spin, &awake), 0));
        assert_eq!(looks(&mut spin, &awake), 1);
        (0..64).for_each(|_| spin.note(Duration::from_millis(5)));
        assert_eq!(looks(&mut spin, &awake), 0);
        (0..64).for_each(|_| spin.note(Duration::from_micros(5)));
        assert_eq!(looks(&mut spin, &awake), 1);
    }
}
