//! How one direction of one peer does lately: since when it stands as it does, and how much passes.

use std::time::Duration;

/// What a rate is averaged over.
const WINDOW: Duration = Duration::from_secs(5);

/// Since when, and how much a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trend {
    keyed: bool,
    changed: Duration,
    marked: Duration,
    octets: u64,
    rate: u64,
}

impl Trend {
    /// As things stand now: whether there are keys, and the octets so far. The longer ago the last look, the longer the
    /// average; a link that went idle falls to zero within a window.
    pub fn look(&mut self, now: Duration, keyed: bool, octets: u64) {
        if self.keyed != keyed {
            (self.keyed, self.changed) = (keyed, now);
        }
        let passed = now.saturating_sub(self.marked);
        if passed >= WINDOW {
            let gained = u128::from(octets.saturating_sub(self.octets)).saturating_mul(1000);
            self.rate = u64::try_from(gained / passed.as_millis().max(1)).unwrap_or(u64::MAX);
            (self.marked, self.octets) = (now, octets);
        }
    }

    /// How long it has had keys, or has been without.
    pub fn stands_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.changed)
    }

    /// Octets a second, lately.
    pub fn rate(&self) -> u64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_what_passes_and_a_change_is_dated() {
        let (mut trend, at) = (Trend::default(), Duration::from_secs);
        trend.look(at(1), false, 0);
        trend.look(at(3), true, 0);
        trend.look(at(7), true, 7_000);
        assert_eq!((trend.rate(), trend.stands_for(at(10))), (1_000, at(7)));
        trend.look(at(11), true, 9_000);
        assert_eq!(trend.rate(), 1_000, "not before the window is over");
        trend.look(at(12), true, 9_000);
        assert_eq!(trend.rate(), 400);
        trend.look(at(20), false, 9_000);
        assert_eq!((trend.rate(), trend.stands_for(at(21))), (0, at(1)));
    }
}
