//! Path MTU discovery by padded probes (RFC 8899): what arrived is known to fit, and nothing that an ICMP says is believed,
//! for anybody can write one.
//!
//! Sizes are those of the outer IP packet. A search tries the largest first, which nearly always fits, then halves the gap.
//! Once it has ended, the size in use is confirmed from time to time while traffic flows: when it no longer arrives, but
//! small probes do, the path has become a black hole for it and the search begins anew below.

use super::message::Token;
use core::time::Duration;

/// The least that a path must carry.
pub const FLOOR: usize = 1280;
/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Probes of one size before it counts as too large (RFC 8899 §5.1.2, MAX_PROBES).
const TRIES: u32 = 3;
/// A gap that is worth no more probes.
const FINE: usize = 8;
/// A size in use is confirmed so often while traffic flows (RFC 8899 §4.3: a black hole is noticed within this and three tries).
const CONFIRM: Duration = Duration::from_secs(10);
/// The longest pause after which probes are tried again on a path that answers nothing and bears no traffic.
const LONGEST_REST: Duration = Duration::from_secs(128);
/// A path that carries less than it may is searched again so often (RFC 8899 §5.1.1, PMTU_RAISE_TIMER).
const RAISE: Duration = Duration::from_secs(600);

/// A probe on its way.
#[derive(Debug, Clone, Copy)]
struct Outstanding {
    size: usize,
    token: Token,
    first: Duration,
    last: Duration,
    tries: u32,
    /// A small probe was asked for as well, to tell a size that does not fit from a path that is dead.
    compared: bool,
}

/// The search on one path.
#[derive(Debug, Clone)]
pub(super) struct Search {
    start: usize,
    ceiling: usize,
    /// In use: assumed, or proved by a probe that was answered.
    confirmed: usize,
    proved: bool,
    /// The smallest size that is known not to fit.
    failed: Option<usize>,
    probe: Option<Outstanding>,
    /// When the size in use is confirmed next, and when a larger one is tried next.
    confirm_at: Duration,
    raise_at: Duration,
    /// No probe before this, and the pause that led to it: nothing was answered at all.
    rest_until: Duration,
    rest: Duration,
}

/// What a search wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A probe of this size.
    Probe(usize, Token),
    /// To know whether small probes arrive: large ones do not.
    SmallProbe,
}

impl Search {
    /// Begins at `start` octets, which are assumed to fit, and never tries more than `ceiling`.
    pub(super) fn new(start: usize, ceiling: usize) -> Self {
        let ceiling = ceiling.max(FLOOR);
        let start = start.clamp(FLOOR, ceiling);
        Self {
            start,
            ceiling,
            confirmed: start,
            proved: false,
            failed: None,
            probe: None,
            confirm_at: Duration::ZERO,
            raise_at: Duration::ZERO,
            rest_until: Duration::ZERO,
            rest: PATIENCE,
        }
    }

    /// What the path carries, as far as is known.
    pub(super) fn size(&self) -> usize {
        self.confirmed
    }

    /// So much got there a moment ago.
    pub(super) fn assume(&mut self, size: usize) {
        self.confirmed = size.clamp(FLOOR, self.ceiling);
    }

    /// The path is another one.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.start, self.ceiling);
    }

    /// Nothing arrives at all, so no probe tells anything about sizes.
    pub(super) fn suspend(&mut self) {
        self.probe = None;
    }

    /// What is to be sent now. `answered`: when a small probe was answered last; `active`: whether traffic flows.
    pub(super) fn poll(
        &mut self,
        now: Duration,
        answered: Option<Duration>,
        active: bool,
        draw: impl FnOnce() -> Token,
    ) -> Option<Wish> {
        if let Some(probe) = self.probe.take_if(|probe| now >= probe.last.saturating_add(PATIENCE)) {
            return self.again(now, probe, answered);
        }
        if self.probe.is_some() || now < self.rest_until {
            return None;
        }
        let size = self.next_size(now, active)?;
        let token = draw();
        self.probe = Some(Outstanding { size, token, first: now, last: now, tries: 1, compared: false });
        Some(Wish::Probe(size, token))
    }

    /// A probe went unanswered: once more, or its size is known not to fit.
    fn again(&mut self, now: Duration, probe: Outstanding, answered: Option<Duration>) -> Option<Wish> {
        if !probe.compared {
            self.probe = Some(Outstanding { compared: true, ..probe });
            return Some(Wish::SmallProbe);
        }
        if probe.tries < TRIES {
            self.probe = Some(Outstanding { last: now, tries: probe.tries.saturating_add(1), ..probe });
            return Some(Wish::Probe(probe.size, probe.token));
        }
        if answered > Some(probe.first) {
            self.fail(now, probe.size);
            return None;
        }
        self.rest = self.rest.saturating_mul(2).min(LONGEST_REST);
        self.rest_until = now.saturating_add(self.rest);
        None
    }

    fn fail(&mut self, now: Duration, size: usize) {
        self.failed = Some(size);
        self.raise_at = now.saturating_add(RAISE);
        if size <= self.confirmed {
            // A black hole (RFC 8899 §4.3): what is assumed now is confirmed before anything larger is tried.
            let below = if size > self.start { self.start } else { FLOOR };
            self.confirm_at = now.saturating_add(CONFIRM);
            // Where not even the floor fits there is nothing below to prove.
            (self.confirmed, self.proved) = (below, size <= FLOOR);
        }
    }

    /// The size to try: the one in use when it is time to confirm it, else a larger one while the search goes on.
    fn next_size(&mut self, now: Duration, active: bool) -> Option<usize> {
        let doubted = !self.proved && self.failed.is_some();
        if doubted || self.proved && active && now >= self.confirm_at {
            return Some(self.confirmed);
        }
        match self.failed.map(|failed| failed.saturating_sub(self.confirmed)) {
            None if self.confirmed < self.ceiling => Some(self.ceiling),
            Some(gap) if gap > FINE => Some(self.confirmed.saturating_add(gap / 2)),
            // The search has ended below the ceiling: after a while the path may be a better one.
            Some(_) if active && now >= self.raise_at => {
                self.failed = None;
                Some(self.ceiling)
            }
            _ => None,
        }
    }

    /// The probe with this token arrived. Returns whether the size in use changed.
    pub(super) fn acknowledge(&mut self, now: Duration, token: &Token) -> bool {
        let Some(probe) = self.probe.take_if(|probe| probe.token == *token) else { return false };
        self.confirm_at = now.saturating_add(CONFIRM);
        (self.proved, self.rest, self.rest_until) = (true, PATIENCE, now);
        core::mem::replace(&mut self.confirmed, probe.size) != probe.size
    }
}
