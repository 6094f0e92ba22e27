//! The security policy database: which packet may go to whom, and who may have sent one (RFC 4301 §4.4.1).
//!
//! Built from an [`Accepted`] bundle for one site. No match means drop (R26). Longest prefix wins; an inbound packet's
//! source must route back to the peer whose SA it came through.

use crate::bundle::{Accepted, Filter, Identity, Pair, PortRange, Site};
use crate::drops::DropReason;
use crate::ip::Selector;
use crate::prefix::{Prefix, Table};
use alloc::vec::Vec;
use core::net::IpAddr;

/// A site's place in the bundle that an [`Spd`] was built from; means nothing in another bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteIndex(pub u32);

/// What a peer may exchange with us.
#[derive(Debug, Clone)]
struct Peer {
    site: SiteIndex,
    we_are_a: bool,
    filters: Vec<Filter>,
}

/// The policy of one site. Immutable: a new bundle makes a new one.
#[derive(Debug, Clone)]
pub struct Spd {
    serial: u64,
    us: SiteIndex,
    table: Table,
    sites: Vec<Site>,
    peers: Vec<Peer>,
}

impl Spd {
    /// The policy of the site with `identity`; `None` if the bundle does not know it.
    pub fn new(accepted: Accepted, identity: &Identity) -> Option<Self> {
        let (bundle, table) = accepted.into_parts();
        let us = find(&bundle.sites, identity)?;
        let mut peers: Vec<Peer> = bundle.pairs.into_iter().filter_map(|pair| Peer::new(pair, us)).collect();
        peers.sort_unstable_by_key(|peer| peer.site);
        Some(Self { serial: bundle.serial, us, table, sites: bundle.sites, peers })
    }

    /// The serial of the bundle.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The site that this policy is for.
    pub fn us(&self) -> SiteIndex {
        self.us
    }

    /// A site of the bundle.
    pub fn site(&self, index: SiteIndex) -> Option<&Site> {
        self.sites.get(usize::try_from(index.0).ok()?)
    }

    /// The sites that we may talk to.
    pub fn peers(&self) -> impl Iterator<Item = (SiteIndex, &Site)> {
        self.peers.iter().filter_map(|peer| Some((peer.site, self.site(peer.site)?)))
    }

    /// The peer with this identity, if we may talk to it: call it with the hash of the TLS peer's key.
    pub fn peer_by_identity(&self, identity: &Identity) -> Option<SiteIndex> {
        self.peers().find(|(_, site)| site.identity == *identity).map(|(index, _)| index)
    }

    /// Where an outbound packet goes. Its source must be ours.
    pub fn outbound(&self, selector: &Selector) -> Result<SiteIndex, DropReason> {
        if self.table.find(selector.source) != Some(self.us) {
            return Err(DropReason::ForeignSource);
        }
        let peer =
            self.table.find(selector.destination).and_then(|site| self.peer(site)).ok_or(DropReason::NoPolicy)?;
        peer.permits(selector, true).map(|()| peer.site)
    }

    /// Whether `peer` may have sent us this packet: source its own, destination ours, protocol permitted.
    pub fn permits_inbound(&self, peer: SiteIndex, packet: &[u8]) -> Result<(), DropReason> {
        self.inbound(peer, &Selector::parse(packet).ok_or(DropReason::MalformedIp)?)
    }

    /// The same for a packet of these fields.
    pub fn inbound(&self, peer: SiteIndex, selector: &Selector) -> Result<(), DropReason> {
        if self.table.find(selector.source) != Some(peer) {
            return Err(DropReason::ForeignSource);
        }
        if self.table.find(selector.destination) != Some(self.us) {
            return Err(DropReason::NoPolicy);
        }
        self.peer(peer).ok_or(DropReason::NoPolicy)?.permits(selector, false)
    }

    /// Whose an address is, and by which of its networks.
    pub fn owner(&self, address: IpAddr) -> Option<(SiteIndex, Prefix)> {
        let index = self.table.find(address)?;
        let holding = self.site(index)?.prefixes.iter().filter(|prefix| prefix.holds(address));
        holding.max_by_key(|prefix| prefix.bits()).map(|prefix| (index, *prefix))
    }

    /// What we may exchange with a site: nothing, or everything where there are no filters. Says also whether we are the
    /// filters' site `a`.
    pub fn filters(&self, site: SiteIndex) -> Option<(&[Filter], bool)> {
        self.peer(site).map(|peer| (peer.filters.as_slice(), peer.we_are_a))
    }

    fn peer(&self, site: SiteIndex) -> Option<&Peer> {
        let at = self.peers.binary_search_by_key(&site, |peer| peer.site).ok()?;
        self.peers.get(at)
    }
}

fn find(sites: &[Site], identity: &Identity) -> Option<SiteIndex> {
    (0..).zip(sites).find(|(_, site)| site.identity == *identity).map(|(index, _)| SiteIndex(index))
}

impl Peer {
    fn new(pair: Pair, us: SiteIndex) -> Option<Self> {
        let we_are_a = pair.a == us.0;
        let other = if we_are_a { pair.b } else { pair.a };
        let concerns_us = we_are_a || pair.b == us.0;
        concerns_us.then_some(Self { site: SiteIndex(other), we_are_a, filters: pair.filters })
    }

    fn permits(&self, selector: &Selector, outbound: bool) -> Result<(), DropReason> {
        let from_a = self.we_are_a == outbound;
        let permitted = self.filters.is_empty() || self.filters.iter().any(|filter| admits(filter, selector, from_a));
        if permitted { Ok(()) } else { Err(DropReason::FilteredProtocol) }
    }
}

/// Ports that a fragment hides match no range (RFC 4301 §4.4.1.1, OPAQUE).
fn admits(filter: &Filter, selector: &Selector, from_a: bool) -> bool {
    let ports =
        selector.ports.map(|(source, destination)| if from_a { (source, destination) } else { (destination, source) });
    let inside = |range: &Option<PortRange>, port: Option<u16>| match range {
        None => true,
        Some(range) => port.is_some_and(|port| (range.first..=range.last).contains(&port)),
    };
    filter.protocol == selector.protocol
        && inside(&filter.a_ports, ports.map(|(a, _)| a))
        && inside(&filter.b_ports, ports.map(|(_, b)| b))
}
