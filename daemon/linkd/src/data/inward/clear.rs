//! What came in clear: only by an order in force (R27), from where a peer that it names is, and only what the policy lets that
//! peer send here. Nothing about it is authentic: that is what the quorum has ordered.

use std::net::SocketAddr;

use coloa_link::{Arrival, DropReason, bypass};

use super::Inward;

impl Inward {
    /// The length of the packet behind the mark.
    pub(super) fn take_clear(&mut self, datagram: &[u8], from: SocketAddr) -> Result<usize, DropReason> {
        let (len, selector) = bypass::unwrap(datagram)?;
        let clear = self.clear.clone().ok_or(DropReason::ClearNotOrdered)?;
        let peers = &mut self.peers;
        let number = clear.sender(from, &selector, |peer| peers.get(peer).and_then(|peer| peer.address))?;
        let spd = self.routing.spd.as_ref().ok_or(DropReason::NoPolicy)?;
        let site = self.routing.sites.get(number.0).copied().flatten().ok_or(DropReason::NoPolicy)?;
        match spd.arriving(site, &selector)? {
            Arrival::Here => {}
            // In clear nobody speaks for another.
            Arrival::Relay(_) => return Err(DropReason::ClearNotOrdered),
        }
        self.received_in_clear.count(len);
        Ok(len)
    }
}
