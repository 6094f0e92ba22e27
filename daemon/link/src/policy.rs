//! The security policy database: which packet may go to whom, and who may have sent one (RFC 4301 §4.4.1).
//!
//! Built from an [`Accepted`] bundle for one site. No match means drop (R26). Longest prefix wins; an inbound packet's
//! source must route back to the peer whose SA it came through, or to a site that the policy puts behind that hub.
//!
//! A hub relays what came from its sender's own SA and never what another relayed, so that nothing can circle.

use crate::bundle::{Accepted, Filter, Identity, PortRange, Site};
use crate::bypass::Custodians;
use crate::drops::DropReason;
use crate::ip::Selector;
use crate::prefix::{Prefix, Table};
use crate::rule::{Placed, Rule};
use alloc::vec::Vec;
use core::net::IpAddr;

/// A site's place in the bundle that an [`Spd`] was built from; means nothing in another bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteIndex(pub u32);

/// What to do with a packet that came through a peer's SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is for us.
    Here,
    /// We are the hub: seal it for this site, with one hop less.
    Relay(SiteIndex),
}

/// A rule that grants us something, and at which end of it we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grant {
    rule: usize,
    we_are_a: bool,
}

/// Whom we have a link with, and what we may exchange with them directly: with a hub that is perhaps nothing.
#[derive(Debug, Clone)]
struct Partner {
    site: SiteIndex,
    grants: Vec<Grant>,
}

/// Whom we reach through a hub.
#[derive(Debug, Clone)]
struct Far {
    site: SiteIndex,
    hub: SiteIndex,
    grants: Vec<Grant>,
}

/// The policy of one site. Immutable: a new bundle makes a new one.
#[derive(Debug, Clone)]
pub struct Spd {
    serial: u64,
    us: SiteIndex,
    table: Table,
    sites: Vec<Site>,
    bypass: Option<Custodians>,
    /// Those that concern us.
    rules: Vec<Rule>,
    partners: Vec<Partner>,
    far: Vec<Far>,
    /// Two single sites between which we relay, `a` and `b` of a rule.
    relayed: Vec<(SiteIndex, SiteIndex, usize)>,
    /// Other rules by which we relay.
    relaying: Vec<usize>,
}

impl Spd {
    /// The policy of the site with `identity`; `None` if the bundle does not know it.
    pub fn new(accepted: Accepted, identity: &Identity) -> Option<Self> {
        let (bundle, table) = accepted.into_parts();
        let us = find(&bundle.sites, identity)?;
        let (serial, sites, bypass) = (bundle.serial, bundle.sites, bundle.bypass);
        let mut spd = Self {
            serial,
            us,
            table,
            sites,
            bypass,
            rules: Vec::new(),
            partners: Vec::new(),
            far: Vec::new(),
            relayed: Vec::new(),
            relaying: Vec::new(),
        };
        bundle.pairs.into_iter().map(Rule::from).chain(bundle.rules.into_iter().flatten()).for_each(|r| spd.take(r));
        spd.settle();
        Some(spd)
    }

    /// Takes up a rule, if it concerns us.
    fn take(&mut self, rule: Rule) {
        let number = self.rules.len();
        let concerns = self.take_grants(&rule, number) | self.take_relay(&rule, number);
        if concerns {
            self.rules.push(rule);
        }
    }

    fn take_grants(&mut self, rule: &Rule, number: usize) -> bool {
        let Some(ours) = self.placed(self.us) else { return false };
        let mut found = Vec::new();
        for (we_are_a, others) in [(true, &rule.b), (false, &rule.a)] {
            for other in self.candidates(others.single()) {
                let (a, b) = if we_are_a { (ours, other) } else { (other, ours) };
                if rule.joins(a, b) {
                    found.push((other.0, rule.hub_of(a, b), Grant { rule: number, we_are_a }));
                }
            }
        }
        for (site, hub, grant) in &found {
            match hub {
                None => self.partners.push(Partner { site: *site, grants: [*grant].into() }),
                Some(hub) => {
                    self.far.push(Far { site: *site, hub: *hub, grants: [*grant].into() });
                    self.partners.push(Partner { site: *hub, grants: Vec::new() });
                }
            }
        }
        !found.is_empty()
    }

    fn take_relay(&mut self, rule: &Rule, number: usize) -> bool {
        if !rule.may_relay(self.us) {
            return false;
        }
        let singles = (rule.a.single(), rule.b.single());
        let users: Vec<SiteIndex> = match singles {
            (Some(a), Some(b)) => [a, b].into(),
            _ => self.candidates(None).filter(|site| rule.uses(*site, self.us)).map(|(index, _)| index).collect(),
        };
        match singles {
            (Some(a), Some(b)) => self.relayed.push((a, b, number)),
            _ if !users.is_empty() => self.relaying.push(number),
            _ => return false,
        }
        let partner = |site| Partner { site, grants: Vec::new() };
        self.partners.extend(users.into_iter().filter(|site| *site != self.us).map(partner));
        true
    }

    /// The sites that a rule's end may mean.
    fn candidates(&self, single: Option<SiteIndex>) -> impl Iterator<Item = Placed<'_>> {
        let all = single.is_none().then(|| (0..).map(SiteIndex).zip(&self.sites)).into_iter().flatten();
        single.and_then(|index| self.placed(index)).into_iter().chain(all)
    }

    /// One entry a site, in order, with all its grants.
    fn settle(&mut self) {
        self.partners.sort_by_key(|partner| partner.site);
        self.partners.dedup_by(|later, kept| {
            let same = later.site == kept.site;
            if same {
                kept.grants.append(&mut later.grants);
            }
            same
        });
        self.far.sort_by_key(|far| (far.site, far.hub));
        self.far.dedup_by(|later, kept| {
            let same = (later.site, later.hub) == (kept.site, kept.hub);
            if same {
                kept.grants.append(&mut later.grants);
            }
            same
        });
        self.relayed.sort_unstable();
    }

    /// The serial of the bundle.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Who may order a bypass.
    pub fn bypass(&self) -> Option<&Custodians> {
        self.bypass.as_ref()
    }

    /// The site that this policy is for.
    pub fn us(&self) -> SiteIndex {
        self.us
    }

    /// A site of the bundle.
    pub fn site(&self, index: SiteIndex) -> Option<&Site> {
        self.sites.get(usize::try_from(index.0).ok()?)
    }

    fn placed(&self, index: SiteIndex) -> Option<Placed<'_>> {
        self.site(index).map(|site| (index, site))
    }

    /// The sites that we have links with: those we may talk to, our hubs, and whom we relay for.
    pub fn peers(&self) -> impl Iterator<Item = (SiteIndex, &Site)> {
        self.partners.iter().filter_map(|partner| self.placed(partner.site))
    }

    /// The sites that our packets may go to, by a link of our own or through a hub; one may come twice.
    pub fn reachable(&self) -> impl Iterator<Item = (SiteIndex, &Site)> {
        let near = self.partners.iter().filter(|partner| !partner.grants.is_empty()).map(|partner| partner.site);
        near.chain(self.far.iter().map(|far| far.site)).filter_map(|site| self.placed(site))
    }

    /// The peer with this identity, if we have a link with it: call it with the hash of the TLS peer's key.
    pub fn peer_by_identity(&self, identity: &Identity) -> Option<SiteIndex> {
        self.peers().find(|(_, site)| site.identity == *identity).map(|(index, _)| index)
    }

    /// Whose SA an outbound packet goes through: its destination's, or a hub's. Its source must be ours.
    pub fn outbound(&self, selector: &Selector) -> Result<SiteIndex, DropReason> {
        if self.table.find(selector.source) != Some(self.us) {
            return Err(DropReason::ForeignSource);
        }
        let site = self.table.find(selector.destination).ok_or(DropReason::NoPolicy)?;
        let mut refused = DropReason::NoPolicy;
        let near = self.partner(site).map(|partner| (site, partner.grants.as_slice()));
        for (through, grants) in near.into_iter().chain(self.far(site).map(|far| (far.hub, far.grants.as_slice()))) {
            match self.permit(grants, selector, true) {
                Ok(()) => return Ok(through),
                Err(DropReason::NoPolicy) => {}
                Err(reason) => refused = reason,
            }
        }
        Err(refused)
    }

    /// Whether `peer` may have sent us this packet: source its own or behind it, destination ours, protocol permitted.
    pub fn permits_inbound(&self, peer: SiteIndex, packet: &[u8]) -> Result<(), DropReason> {
        self.inbound(peer, &Selector::parse(packet).ok_or(DropReason::MalformedIp)?)
    }

    /// The same for a packet of these fields.
    pub fn inbound(&self, peer: SiteIndex, selector: &Selector) -> Result<(), DropReason> {
        let source = self.table.find(selector.source).ok_or(DropReason::ForeignSource)?;
        let grants = if source == peer {
            self.partner(peer).map(|partner| partner.grants.as_slice()).unwrap_or_default()
        } else {
            // Only because the signed policy puts that site behind this hub.
            let behind = self.far(source).find(|far| far.hub == peer).ok_or(DropReason::ForeignSource)?;
            behind.grants.as_slice()
        };
        if self.table.find(selector.destination) != Some(self.us) {
            return Err(DropReason::NoPolicy);
        }
        self.permit(grants, selector, false)
    }

    /// What becomes of a packet that came through a peer's SA.
    pub fn arrival(&self, peer: SiteIndex, packet: &[u8]) -> Result<Arrival, DropReason> {
        self.arriving(peer, &Selector::parse(packet).ok_or(DropReason::MalformedIp)?)
    }

    /// The same for a packet of these fields.
    pub fn arriving(&self, peer: SiteIndex, selector: &Selector) -> Result<Arrival, DropReason> {
        let other = || self.table.find(selector.destination).filter(|to| *to != self.us);
        match self.is_relay().then(other).flatten() {
            Some(to) => self.relay(peer, to, selector).map(Arrival::Relay),
            None => self.inbound(peer, selector).map(|()| Arrival::Here),
        }
    }

    /// Whether the policy makes us the hub of anybody.
    pub fn is_relay(&self) -> bool {
        !self.relayed.is_empty() || !self.relaying.is_empty()
    }

    /// To whom we relay: only what its sender sent itself, to the other end of a rule that names us as the hub.
    fn relay(&self, from: SiteIndex, to: SiteIndex, selector: &Selector) -> Result<SiteIndex, DropReason> {
        if self.table.find(selector.source) != Some(from) {
            return Err(DropReason::ForeignSource);
        }
        let (source, destination) = self.placed(from).zip(self.placed(to)).ok_or(DropReason::NoPolicy)?;
        let mut refused = DropReason::NoPolicy;
        for from_a in [true, false] {
            let (a, b) = if from_a { (source, destination) } else { (destination, source) };
            let first = self.relayed.partition_point(|(x, y, _)| (*x, *y) < (a.0, b.0));
            let here = self.relayed.get(first..).unwrap_or_default();
            let pairs = here.iter().take_while(|(x, y, _)| (*x, *y) == (a.0, b.0)).map(|(.., rule)| rule);
            for rule in pairs.chain(&self.relaying).filter_map(|rule| self.rules.get(*rule)) {
                if !rule.joins(a, b) || rule.hub_of(a, b) != Some(self.us) {
                    continue;
                }
                if lets_pass(&rule.filters, selector, from_a) {
                    return Ok(to);
                }
                refused = DropReason::FilteredProtocol;
            }
        }
        Err(refused)
    }

    /// Whose an address is, and by which of its networks.
    pub fn owner(&self, address: IpAddr) -> Option<(SiteIndex, Prefix)> {
        let index = self.table.find(address)?;
        let holding = self.site(index)?.prefixes.iter().filter(|prefix| prefix.holds(address));
        holding.max_by_key(|prefix| prefix.bits()).map(|prefix| (index, *prefix))
    }

    /// The rules that concern us and join two sites, and through which hub: for people. The sites come in the rule's order.
    pub fn rules_between(
        &self,
        one: SiteIndex,
        other: SiteIndex,
    ) -> impl Iterator<Item = (&Rule, [SiteIndex; 2], Option<SiteIndex>)> {
        let both = self.placed(one).zip(self.placed(other));
        let orders = both.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]);
        orders.flat_map(|(a, b)| {
            let joining = self.rules.iter().filter(move |rule| rule.joins(a, b));
            joining.map(move |rule| (rule, [a.0, b.0], rule.hub_of(a, b)))
        })
    }

    fn partner(&self, site: SiteIndex) -> Option<&Partner> {
        let at = self.partners.binary_search_by_key(&site, |partner| partner.site).ok()?;
        self.partners.get(at)
    }

    fn far(&self, site: SiteIndex) -> impl Iterator<Item = &Far> {
        let first = self.far.partition_point(|far| far.site < site);
        self.far.get(first..).unwrap_or_default().iter().take_while(move |far| far.site == site)
    }

    fn permit(&self, grants: &[Grant], selector: &Selector, outbound: bool) -> Result<(), DropReason> {
        let permits = |grant: &Grant| {
            let rule = self.rules.get(grant.rule);
            rule.is_some_and(|rule| lets_pass(&rule.filters, selector, grant.we_are_a == outbound))
        };
        match grants.iter().any(permits) {
            true => Ok(()),
            false if grants.is_empty() => Err(DropReason::NoPolicy),
            false => Err(DropReason::FilteredProtocol),
        }
    }
}

fn find(sites: &[Site], identity: &Identity) -> Option<SiteIndex> {
    (0..).zip(sites).find(|(_, site)| site.identity == *identity).map(|(index, _)| SiteIndex(index))
}

pub(crate) fn lets_pass(filters: &[Filter], selector: &Selector, from_a: bool) -> bool {
    filters.is_empty() || filters.iter().any(|filter| admits(filter, selector, from_a))
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
