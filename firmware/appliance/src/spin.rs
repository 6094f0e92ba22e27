//! How long to spin before sleeping: for a channel without company as long as its client usually needs, else not at all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A wake-up of a sleeping core costs about 40 µs (ARCHITECTURE decision 4). Waits that are much longer are slept through.
const WORTH_SPINNING: Duration = Duration::from_micros(150);
/// Who spins does so for twice the usual wait and this.
const LEAST_SPIN: Duration = Duration::from_micros(30);
/// Who gets the core back only after that long has taken it from somebody else.
const TAKEN: Duration = Duration::from_micros(20);
/// So many waits are slept through after one that was spun through in vain.
const PASS: u32 = 32;

/// How much goes on in all channels together.
pub(crate) struct Crowd {
    cores: u64,
    /// How many channels' threads answer calls just now.
    at_work: AtomicU64,
    /// How often a channel got something to do.
    rounds: AtomicU64,
}

impl Crowd {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |n| u64::try_from(n.get()).unwrap_or(1));
        Crowd { cores, at_work: AtomicU64::new(0), rounds: AtomicU64::new(0) }
    }

    /// A channel's thread answers calls until the guard goes.
    pub(crate) fn go_to_work(&self) -> AtWork<'_> {
        self.at_work.fetch_add(1, Ordering::Relaxed);
        AtWork(&self.at_work)
    }

    /// Whether more of them do than there are cores.
    pub(crate) fn is_busy(&self) -> bool {
        self.at_work.load(Ordering::Relaxed) > self.cores
    }
}

/// A thread at work.
pub(crate) struct AtWork<'a>(&'a AtomicU64);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one channel has learnt of its client, and of the others.
#[derive(Default)]
pub(crate) struct Spin {
    /// How long the client usually takes to ask again.
    wait: Duration,
    /// The number of this channel's last round, and how many the others had before it.
    last: u64,
    others: u64,
    pass: u32,
}

impl Spin {
    /// Something has come.
    pub(crate) fn begin_round(&mut self, crowd: &Crowd) {
        let round = crowd.rounds.fetch_add(1, Ordering::Relaxed);
        self.others = round.saturating_sub(self.last).saturating_sub(1);
        self.last = round;
    }

    /// Whether half of the cores have nothing to do, as it seems.
    fn has_room(&self, crowd: &Crowd) -> bool {
        let others = crowd.rounds.load(Ordering::Relaxed).saturating_sub(self.last).saturating_sub(1);
        others.max(self.others).saturating_add(1).saturating_mul(2) <= crowd.cores
    }

    /// Looks again and again while that may be cheaper than sleeping; `None` means: sleep.
    pub(crate) fn until<T>(&mut self, crowd: &Crowd, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if self.wait > WORTH_SPINNING || !self.has_room(crowd) {
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
            if now.saturating_duration_since(before) > TAKEN || !self.has_room(crowd) {
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

    fn crowd() -> Crowd {
        Crowd { cores: 2, ..Crowd::new() }
    }

    fn looks(spin: &mut Spin, crowd: &Crowd) -> usize {
        let mut looks = 0;
        let found = spin.until(crowd, || {
            looks += 1;
            Some(())
        });
        assert_eq!(found.is_some(), looks > 0);
        looks
    }

    #[test]
    fn one_channel_spins_a_crowd_does_not() {
        let (crowd, mut one, mut other) = (crowd(), Spin::default(), Spin::default());
        one.begin_round(&crowd);
        assert_eq!(looks(&mut one, &crowd), 1);
        other.begin_round(&crowd);
        assert_eq!(looks(&mut one, &crowd), 0);
        one.begin_round(&crowd);
        assert_eq!(looks(&mut one, &crowd), 0);
        one.begin_round(&crowd);
        assert_eq!(looks(&mut one, &crowd), 1);
    }

    #[test]
    fn more_at_work_than_cores_is_busy() {
        let crowd = crowd();
        let (one, two) = (crowd.go_to_work(), crowd.go_to_work());
        assert!(!crowd.is_busy());
        let three = crowd.go_to_work();
        assert!(crowd.is_busy());
        drop((one, three));
        assert!(!crowd.is_busy());
        drop(two);
    }

    #[test]
    fn what_does_not_pay_is_not_done() {
        let (crowd, mut spin) = (crowd(), Spin::default());
        spin.begin_round(&crowd);
        assert!(spin.until(&crowd, || None::<()>).is_none());
        (0..PASS).for_each(|_| assert_eq!(looks(&mut spin, &crowd), 0));
        assert_eq!(looks(&mut spin, &crowd), 1);
        (0..64).for_each(|_| spin.note(Duration::from_millis(5)));
        assert_eq!(looks(&mut spin, &crowd), 0);
        (0..64).for_each(|_| spin.note(Duration::from_micros(5)));
        assert_eq!(looks(&mut spin, &crowd), 1);
    }
}
