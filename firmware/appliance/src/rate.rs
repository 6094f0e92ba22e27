//! How often a certificate may call (R22): the virtual scheduling form of a token bucket (GCRA), one atomic number for each
//! certificate, shared by all its channels. Who calls more often waits on its own channel's thread; nobody else does.

use crate::config::Limits;
use coloa_wire::Identity;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// More accounts than this are swept when another one is opened.
const SWEEP: usize = 1_024;

/// Every certificate's account, over reconnections.
pub(crate) struct Accounts {
    start: Instant,
    accounts: Mutex<HashMap<Identity, Arc<Account>>>,
}

/// When the next call would be on time, in nanoseconds since the accounts began.
#[derive(Default)]
pub(crate) struct Account(AtomicU64);

impl Accounts {
    pub(crate) fn new() -> Self {
        Accounts { start: Instant::now(), accounts: Mutex::default() }
    }

    /// The certificate's account. A new connection finds it as the old one left it.
    pub(crate) fn of(&self, identity: Identity) -> Arc<Account> {
        let now = nanos(self.start.elapsed());
        let mut accounts = self.accounts.lock();
        if accounts.len() >= SWEEP {
            // What is not in use and owes nothing is as good as a new one.
            accounts.retain(|_, a| Arc::strong_count(a) > 1 || a.0.load(Ordering::Relaxed) > now);
        }
        accounts.entry(identity).or_insert_with(|| Arc::new(Account(AtomicU64::new(0)))).clone()
    }

    /// Whether something may happen now of which there are so many in a second, and at once.
    pub(crate) fn admits(&self, account: &Account, (rate, burst): (u32, u32)) -> bool {
        account.admits(nanos(self.start.elapsed()), rate, burst)
    }

    /// How long a call that has come now has to wait.
    pub(crate) fn charge(&self, account: &Account, limits: &Limits) -> Duration {
        match limits.calls_per_second {
            0 => Duration::ZERO,
            rate => account.charge(nanos(self.start.elapsed()), rate, limits.burst()),
        }
    }
}

impl Account {
    /// Takes a turn only where there is one now.
    fn admits(&self, now: u64, rate: u32, burst: u32) -> bool {
        let apart = 1_000_000_000 / u64::from(rate.max(1));
        let early = apart.saturating_mul(u64::from(burst.saturating_sub(1)));
        let next = |due: u64| (due <= now.saturating_add(early)).then(|| due.max(now).saturating_add(apart));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    fn charge(&self, now: u64, rate: u32, burst: u32) -> Duration {
        let apart = 1_000_000_000 / u64::from(rate.max(1));
        let early = apart.saturating_mul(u64::from(burst.saturating_sub(1)));
        let next = |due: u64| Some(due.max(now).saturating_add(apart));
        let due = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or_else(|due| due);
        Duration::from_nanos(due.saturating_sub(now).saturating_sub(early))
    }
}

fn nanos(since: Duration) -> u64 {
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_burst_passes_and_the_rest_is_spread() {
        let account = Account(AtomicU64::new(0));
        let waits: Vec<_> = (0..8).map(|_| account.charge(5 * MS, 100, 5).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 10, 20, 30]);
        // Nothing is saved up beyond a burst.
        let later: Vec<_> = (0..6).map(|_| account.charge(60_000 * MS, 100, 5).as_millis()).collect();
        assert_eq!(later, [0, 0, 0, 0, 0, 10]);
    }

    #[test]
    fn a_flood_of_strangers_writes_a_bounded_log() {
        let account = Account::default();
        assert_eq!((0..10_000).filter(|_| account.admits(5 * MS, 5, 50)).count(), 50);
        assert_eq!((0..=10_000).filter(|n| account.admits((1_005 + n / 10) * MS, 5, 50)).count(), 10);
    }

    #[test]
    fn reconnecting_wins_nothing_and_the_past_is_swept() {
        let accounts = Accounts::new();
        let limits = Limits { calls_per_second: 1, burst: 1, ..Limits::default() };
        let of = |n: usize| {
            let mut identity = [0; 32];
            identity[..8].copy_from_slice(&n.to_be_bytes());
            accounts.of(Identity(identity))
        };
        assert_eq!(accounts.charge(&of(1), &limits), Duration::ZERO);
        assert!(accounts.charge(&of(1), &limits) > Duration::from_millis(500));
        (0..10 * SWEEP).for_each(|n| drop(of(n)));
        assert!(accounts.accounts.lock().len() <= SWEEP, "none of them owed anything");
        let off = Limits { calls_per_second: 0, ..limits };
        assert_eq!(accounts.charge(&of(1), &off), Duration::ZERO);
    }
}
