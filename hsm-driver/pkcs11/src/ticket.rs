//! The login ticket of a slot: it logs a session in again whose engine has lost it, so that no PIN is kept.

use coloa_wire::LoginTicket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Seconds after which a new one is asked for: it is good for a day, so a login in use lasts.
const RENEWAL: u64 = 60 * 60;
const NEVER: u64 = u64::MAX;

/// What is kept of a login.
pub(crate) struct Kept {
    ticket: Mutex<Option<LoginTicket>>,
    /// When it is renewed, in seconds since `born`.
    due: AtomicU64,
    born: Instant,
}

impl Default for Kept {
    fn default() -> Self {
        Kept { ticket: Mutex::default(), due: AtomicU64::new(NEVER), born: Instant::now() }
    }
}

impl Kept {
    pub(crate) fn put(&self, ticket: LoginTicket) {
        *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
        self.due.store(self.born.elapsed().as_secs().saturating_add(RENEWAL), Ordering::Relaxed);
    }

    pub(crate) fn wipe(&self) {
        self.due.store(NEVER, Ordering::Relaxed);
        *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn get(&self) -> Option<LoginTicket> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether to ask for a new one now; of all threads one is told so.
    pub(crate) fn is_due(&self) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        if due == NEVER {
            return false;
        }
        let now = self.born.elapsed().as_secs();
        let next = now.saturating_add(RENEWAL);
        now >= due && self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_renews_when_it_is_time() {
        let kept = Kept::default();
        assert!(!kept.is_due(), "there is none");
        kept.put(LoginTicket([1; 41]));
        assert!(!kept.is_due());
        kept.due.store(0, Ordering::Relaxed);
        assert!(kept.is_due());
        assert!(!kept.is_due());
        kept.wipe();
        assert!(kept.get().is_none() && !kept.is_due());
    }
}
