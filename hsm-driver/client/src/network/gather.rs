//! Whether to wait for others before sending.
//!
//! While the other end works on calls of this connection, further ones are held until their replies come: it would not look
//! at them before. Replies that came together wake their threads together, and these mostly call again at once. When the last of them
//! sends for all, a record, a system call and a wake-up of the other end serve many calls. Whoever is early sleeps in the
//! meantime, as it would have to anyway, and sends by itself when the others do not come.

use std::time::{Duration, Instant};

/// How long the early ones wait for the last: twice what was needed of late, within these bounds.
const LEAST_PATIENCE: Duration = Duration::from_micros(50);
const MOST_PATIENCE: Duration = Duration::from_micros(500);
/// After a wait in vain so many chances are let pass, twice as many after the next one.
const FIRST_BACKOFF: u32 = 2;
const LAST_BACKOFF: u32 = 64;

/// Who is expected.
pub(super) struct Gather {
    /// Threads that will call again soon.
    expected: usize,
    /// Whether replies are.
    is_held: bool,
    since: Instant,
    patience: Duration,
    /// Chances still to be let pass.
    pass: u32,
    backoff: u32,
}

impl Gather {
    pub(super) fn new() -> Self {
        let patience = LEAST_PATIENCE * 2;
        Gather { expected: 0, is_held: false, since: Instant::now(), patience, pass: 0, backoff: FIRST_BACKOFF }
    }

    /// So many threads got their replies at once; `others` wait already.
    pub(super) fn released(&mut self, threads: usize, others: bool, now: Instant) {
        let still = if self.is_open(now) { self.expected } else { 0 };
        self.is_held = false;
        if threads.saturating_add(usize::from(others)) < 2 {
            return;
        }
        if self.pass > 0 {
            self.pass -= 1;
            return;
        }
        self.expected = threads.saturating_add(still);
        self.since = now;
    }

    /// A frame can wait until replies come.
    pub(super) fn hold(&mut self, now: Instant) {
        if self.pass == 0 && !self.is_open(now) {
            self.is_held = true;
            self.since = now;
        }
    }

    /// One of them calls again.
    pub(super) fn returned(&mut self) {
        if self.expected == 1 {
            self.backoff = (self.backoff / 2).max(FIRST_BACKOFF);
            let needed = self.since.elapsed() * 2;
            self.patience = ((self.patience * 7 + needed) / 8).clamp(LEAST_PATIENCE, MOST_PATIENCE);
        }
        self.expected = self.expected.saturating_sub(1);
    }

    /// Whether more are expected.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        (self.expected > 0 || self.is_held) && now < self.until()
    }

    /// Until when.
    pub(super) fn until(&self) -> Instant {
        self.since + self.patience
    }

    /// What is there is sent. Who has not come when patience has ended was waited for in vain.
    pub(super) fn close(&mut self, now: Instant) {
        let is_late = (self.expected > 0 || self.is_held) && now >= self.until();
        self.expected = 0;
        self.is_held = false;
        if is_late {
            self.pass = self.backoff;
            self.backoff = (self.backoff * 2).min(LAST_BACKOFF);
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_closes_and_a_wait_in_vain_is_not_repeated_soon() {
        let (mut gather, now) = (Gather::new(), Instant::now());
        gather.released(1, false, now);
        assert!(!gather.is_open(now), "nobody waits for oneself");
        gather.released(2, false, now);
        gather.returned();
        assert!(gather.is_open(now));
        gather.returned();
        assert!(!gather.is_open(now));
        gather.released(2, false, now);
        assert!(gather.is_open(now) && !gather.is_open(now + MOST_PATIENCE));
        gather.close(now + MOST_PATIENCE);
        for _ in 0..FIRST_BACKOFF {
            gather.released(2, false, now);
            assert!(!gather.is_open(now));
        }
        gather.released(2, false, now);
        assert!(gather.is_open(now));
    }

    #[test]
    fn what_is_held_goes_when_replies_come_or_patience_ends() {
        let (mut gather, now) = (Gather::new(), Instant::now());
        gather.hold(now);
        assert!(gather.is_open(now));
        gather.released(0, true, now);
        assert!(!gather.is_open(now), "no thread will come");
        gather.hold(now);
        gather.released(1, true, now);
        assert!(gather.is_open(now), "one will");
        gather.returned();
        assert!(!gather.is_open(now));
        gather.hold(now);
        assert!(!gather.is_open(now + MOST_PATIENCE));
        gather.close(now + MOST_PATIENCE);
        gather.hold(now);
        assert!(!gather.is_open(now), "it was in vain");
    }
}
