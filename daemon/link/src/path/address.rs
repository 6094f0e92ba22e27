//! Where the peer is. A packet from elsewhere moves nothing by itself: the new address is challenged on its own path, and
//! traffic follows when the response came from there (as RFC 9000 §8.2 and §9.3 have it). Meanwhile the old one stays in use.

use super::message::Token;
use core::net::SocketAddr;
use core::time::Duration;

/// Between two challenges to one peer.
const PAUSE: Duration = Duration::from_secs(1);
/// A challenge without a response gives way to another address after so long.
const PATIENCE: Duration = Duration::from_secs(3);
/// Challenges to an address that the control channel named: its TLS handshake came from there.
const HINTED: usize = 3;

/// The address under challenge: one at a time.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    at: SocketAddr,
    token: Option<Token>,
    asked: Duration,
    /// Octets that may still be sent there: no more than came from there.
    credit: usize,
}

impl Candidate {
    fn gives_way(&self, now: Duration) -> bool {
        now >= self.asked.saturating_add(PATIENCE)
    }
}

/// The address in use, perhaps one under challenge, and the one that the control channel named last.
#[derive(Debug, Clone, Default)]
pub(super) struct Address {
    current: Option<SocketAddr>,
    candidate: Option<Candidate>,
    home: Option<SocketAddr>,
    /// Octets of challenges to `home` that wait for another address to give way.
    owed: usize,
}

impl Address {
    pub(super) fn current(&self) -> Option<SocketAddr> {
        self.current
    }

    /// The control channel says that the peer is at `to`. Returns whether that is taken at once: for want of any other.
    pub(super) fn hint(&mut self, now: Duration, to: SocketAddr, challenge: usize) -> bool {
        self.home = Some(to);
        if self.current.is_none() {
            self.current = Some(to);
            return true;
        }
        self.owed = challenge.saturating_mul(HINTED);
        self.turn_home(now);
        false
    }

    /// Nothing is heard of the peer where it was last: perhaps it is where the control channel said.
    pub(super) fn recall(&mut self, now: Duration, challenge: usize) {
        self.owed = self.owed.max(challenge);
        self.turn_home(now);
    }

    fn turn_home(&mut self, now: Duration) {
        let free = self.candidate.as_ref().is_none_or(|candidate| candidate.gives_way(now));
        if let Some(home) = self.home.filter(|_| free && self.owed > 0) {
            let credit = core::mem::take(&mut self.owed);
            self.consider(now, home, credit);
        }
    }

    /// An authenticated packet of `octets` that advanced the window came from `from`.
    pub(super) fn heard(&mut self, now: Duration, from: SocketAddr, octets: usize) {
        self.consider(now, from, octets);
    }

    fn consider(&mut self, now: Duration, at: SocketAddr, credit: usize) {
        if self.current == Some(at) {
            return;
        }
        match &mut self.candidate {
            Some(candidate) if candidate.at == at => candidate.credit = candidate.credit.max(credit),
            Some(candidate) if !candidate.gives_way(now) => {}
            // A first challenge goes out at once.
            _ => self.candidate = Some(Candidate { at, token: None, asked: now, credit }),
        }
    }

    /// The challenge that is due, of `octets`.
    pub(super) fn challenge(
        &mut self,
        now: Duration,
        octets: usize,
        draw: impl FnOnce() -> Token,
    ) -> Option<(SocketAddr, Token)> {
        self.turn_home(now);
        let candidate = self.candidate.as_mut()?;
        let waits = candidate.token.is_some() && now < candidate.asked.saturating_add(PAUSE);
        if waits || candidate.credit < octets {
            return None;
        }
        let token = draw();
        candidate.credit = candidate.credit.saturating_sub(octets);
        (candidate.token, candidate.asked) = (Some(token), now);
        Some((candidate.at, token))
    }

    /// A response with `token` came from `from`. Returns whether the peer has moved there.
    pub(super) fn respond(&mut self, from: SocketAddr, token: &Token) -> bool {
        let proved = |candidate: &mut Candidate| candidate.at == from && candidate.token.as_ref() == Some(token);
        let moved = self.candidate.take_if(proved).is_some();
        if moved {
            self.current = Some(from);
        }
        moved
    }
}
