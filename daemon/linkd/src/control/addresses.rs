//! Addresses at which peers are or were: handshakes from there go before those of strangers. It is a hint and no right, for
//! TCP proves only that somebody answers there: who is admitted is decided by certificate and policy.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::data::PeerNumber;

/// The addresses: one a peer at most, beside the configured ones.
#[derive(Default)]
pub struct Addresses {
    of_peer: HashMap<PeerNumber, IpAddr>,
    peers_at: HashMap<IpAddr, usize>,
}

impl Addresses {
    /// With those that the configuration names.
    pub fn new(configured: impl Iterator<Item = IpAddr>) -> Self {
        let mut all = Self::default();
        configured.for_each(|address| all.enter(address));
        all
    }

    /// The configuration names other ones now.
    pub fn reconfigure(&mut self, old: &[IpAddr], new: &[IpAddr]) {
        new.iter().for_each(|address| self.enter(*address));
        old.iter().for_each(|address| self.leave(*address));
    }

    /// Whether a peer is or was here.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.peers_at.contains_key(&address)
    }

    /// The peer was admitted from here; where it was before no longer counts.
    pub fn remember(&mut self, peer: PeerNumber, address: IpAddr) {
        self.enter(address);
        if let Some(before) = self.of_peer.insert(peer, address) {
            self.leave(before);
        }
    }

    fn enter(&mut self, address: IpAddr) {
        let here = self.peers_at.entry(address).or_default();
        *here = here.saturating_add(1);
    }

    fn leave(&mut self, address: IpAddr) {
        if let Some(there) = self.peers_at.get_mut(&address) {
            *there = there.saturating_sub(1);
            if *there == 0 {
                self.peers_at.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_known_where_it_was_last_and_where_it_is_configured() {
        let [home, away, configured] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|a| a.parse().expect("address"));
        let mut addresses = Addresses::new([configured].into_iter());
        let (one, other) = (PeerNumber(1), PeerNumber(2));
        for peer in [one, one, other] {
            addresses.remember(peer, home);
        }
        addresses.remember(one, away);
        assert!(addresses.knows(home) && addresses.knows(away));
        addresses.remember(other, configured);
        assert!(!addresses.knows(home));
        addresses.remember(other, away);
        assert!(addresses.knows(configured));
        addresses.reconfigure(&[configured], &[away]);
        assert!(!addresses.knows(configured) && addresses.knows(away));
    }
}
