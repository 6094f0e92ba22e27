//! What may go in clear at this moment, for want of an SA: an order in force (R27), as both threads have it.

use std::net::SocketAddr;
use std::time::Instant;

use coloa_link::DropReason;
use coloa_link::bundle::Filter;
use coloa_link::bypass;
use coloa_link::ip::Selector;

use super::PeerNumber;

/// An order in force.
#[derive(Debug, PartialEq, Eq)]
pub struct Clear {
    /// Whom it names, and where each is, as far as the configuration says.
    pub peers: Vec<(PeerNumber, Option<SocketAddr>)>,
    /// What may pass.
    pub filters: Vec<Filter>,
    /// Until when, by the clock that nobody sets.
    pub until: Instant,
}

impl Clear {
    /// The same without a peer whose keys were taken: whether it may go on in clear is for the control side to say anew.
    pub fn without(&self, cut: PeerNumber) -> Self {
        let peers = self.peers.iter().filter(|(peer, _)| *peer != cut).copied().collect();
        Self { peers, filters: self.filters.clone(), until: self.until }
    }

    /// Whether a packet of these fields may go to this peer, and where that is.
    pub fn permits(&self, to: PeerNumber, selector: &Selector) -> Result<Option<SocketAddr>, DropReason> {
        let (_, at) = self.peers.iter().find(|(peer, _)| *peer == to).ok_or(DropReason::NoSa)?;
        self.lets_pass(selector).map(|()| *at)
    }

    /// The same for one that came from there. `known`: where a peer was last.
    pub fn sender(
        &self,
        from: SocketAddr,
        selector: &Selector,
        mut known: impl FnMut(PeerNumber) -> Option<SocketAddr>,
    ) -> Result<PeerNumber, DropReason> {
        let here = |(peer, at): &&(PeerNumber, Option<SocketAddr>)| *at == Some(from) || known(*peer) == Some(from);
        let (peer, _) = self.peers.iter().find(here).ok_or(DropReason::ClearNotOrdered)?;
        self.lets_pass(selector).map_err(|_| DropReason::ClearNotOrdered).map(|()| *peer)
    }

    fn lets_pass(&self, selector: &Selector) -> Result<(), DropReason> {
        if Instant::now() >= self.until {
            return Err(DropReason::NoSa);
        }
        bypass::permits(&self.filters, selector)
    }
}
