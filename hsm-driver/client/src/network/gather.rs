//! Whether to wait for others before sending.
//!
//! Replies that came together wake their threads together, and these mostly call again at once. When the last of them
//! sends for all, a record, a system call and a wake-up of the other end serve many calls. Whoever is early sleeps in the
//! meantime, as it would have to anyway, and sends by itself when the others do not come.

use std::time::{Duration, Instant};

/// How long the early ones wait for the last: about what so many threads need to be woken on a busy core.
const PATIENCE: Duration = Duration::from_micros(80);
/// After a wait in vain so many chances are let pass, twice as many after the next one.
const FIRST_BACKOFF: u32 = 16;
const LAST_BACKOFF: u32 = 4096;

/// Who is expected.
pub(super) struct Gather {
    expected: usize,
    until: Instant,
    /// Chances still to be let pass.
    pass: u32,
    backoff: u32,
}

impl Gather {
    pub(super) fn new() -> Self {
        Gather { expected: 0, until: Instant::now(), pass: 0, backoff: FIRST_BACKOFF }
    }

    /// So many threads got their replies at once.
    pub(super) fn released(&mut self, threads: usize, now: Instant) {
        if threads < 2 {
            return;
        }
        if self.pass > 0 {
            self.pass -= 1;
            return;
        }
        let still = if self.is_open(now) { self.expected } else { 0 };
        self.expected = threads.saturating_add(still);
        self.until = now + PATIENCE;
    }

    /// One of them calls again.
    pub(super) fn returned(&mut self) {
        if self.expected == 1 {
            self.backoff = (self.backoff / 2).max(FIRST_BACKOFF);
        }
        self.expected = self.expected.saturating_sub(1);
    }

    /// Whether more are expected.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.expected > 0 && now < self.until
    }

    /// Until when.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// What is there is sent; who has not come by now was waited for in vain.
    pub(super) fn close(&mut self) {
        if self.expected > 0 {
            self.expected = 0;
            self.pass = self.backoff;
            self.backoff = (self.backoff * 2).min(LAST_BACKOFF);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_closes_and_a_wait_in_vain_is_not_repeated_soon() {
        let (mut gather, now) = (Gather::new(), Instant::now());
        gather.released(1, now);
        assert!(!gather.is_open(now), "nobody waits for oneself");
        gather.released(2, now);
        gather.returned();
        assert!(gather.is_open(now));
        gather.returned();
        assert!(!gather.is_open(now));
        gather.released(2, now);
        assert!(gather.is_open(now) && !gather.is_open(now + PATIENCE));
        gather.close();
        for _ in 0..FIRST_BACKOFF {
            gather.released(2, now);
            assert!(!gather.is_open(now));
        }
        gather.released(2, now);
        assert!(gather.is_open(now));
    }
}
