//! Rules for many sites at once: by organ, by group, by the hub that a site belongs to. A rule only ever grants; what no
//! rule and no pair grants is denied (R26, R37).

use crate::bundle::{BundleError, Filter, MAX_FILTERS, MAX_NAME, Pair, Site};
use crate::organ::Organ;
use crate::policy::SiteIndex;
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Some sites of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Members {
    /// This one.
    #[n(0)]
    Site(#[n(0)] u32),
    /// All of an organ.
    #[n(1)]
    Organ(#[n(0)] Organ),
    /// All that say this group.
    #[n(2)]
    Group(#[n(0)] String),
    /// The hub of whichever site is at the other end; only as a rule's `b`.
    #[n(3)]
    TheirHub,
}

/// Through which hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Via {
    /// This one.
    #[n(0)]
    Site(#[n(0)] u32),
    /// The one that both sites have; sites without a common hub have nothing by such a rule.
    #[n(1)]
    CommonHub,
}

/// Each site of `a` may talk to each other site of `b`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Rule {
    /// Some sites.
    #[n(0)]
    pub a: Members,
    /// Some sites, the same ones perhaps.
    #[n(1)]
    pub b: Members,
    /// What they may use; empty means everything.
    #[n(2)]
    pub filters: Vec<Filter>,
    /// Not by a link of their own, but through a hub.
    #[n(3)]
    pub via: Option<Via>,
}

impl From<Pair> for Rule {
    fn from(pair: Pair) -> Self {
        let [a, b] = [pair.a, pair.b].map(Members::Site);
        Self { a, b, filters: pair.filters, via: pair.via.map(Via::Site) }
    }
}

/// A site and its place.
pub(crate) type Placed<'a> = (SiteIndex, &'a Site);

impl Members {
    /// Whether these hold a site, whose counterpart is `other`.
    fn hold(&self, (index, site): Placed<'_>, other: &Site) -> bool {
        match self {
            Self::Site(one) => *one == index.0,
            Self::Organ(organ) => site.organ == Some(*organ),
            Self::Group(name) => site.groups.iter().flatten().any(|group| group == name),
            Self::TheirHub => other.hub == Some(index.0),
        }
    }

    fn verify(&self, sites: usize) -> Result<(), BundleError> {
        let good = match self {
            Self::Site(index) => usize::try_from(*index).is_ok_and(|index| index < sites),
            Self::Group(name) => (1..=MAX_NAME).contains(&name.len()),
            Self::Organ(_) | Self::TheirHub => true,
        };
        if good { Ok(()) } else { Err(BundleError::BadRule) }
    }

    /// The single site, where that is all.
    pub(crate) fn single(&self) -> Option<SiteIndex> {
        match self {
            Self::Site(index) => Some(SiteIndex(*index)),
            _ => None,
        }
    }
}

impl Rule {
    /// Whether it grants `a` and `b`, in this order, something; they may be connected through a hub.
    pub(crate) fn joins(&self, a: Placed<'_>, b: Placed<'_>) -> bool {
        a.0 != b.0
            && self.a.hold(a, b.1)
            && self.b.hold(b, a.1)
            && (self.via.is_none() || self.hub_of(a, b).is_some_and(|hub| hub != a.0 && hub != b.0))
    }

    /// The hub between two sites that it joins; nothing where their link is their own.
    pub(crate) fn hub_of(&self, a: Placed<'_>, b: Placed<'_>) -> Option<SiteIndex> {
        match self.via? {
            Via::Site(index) => Some(SiteIndex(index)),
            Via::CommonHub => a.1.hub.filter(|hub| b.1.hub == Some(*hub)).map(SiteIndex),
        }
    }

    /// Whether it makes a site a relay, for whomever.
    pub(crate) fn may_relay(&self, us: SiteIndex) -> bool {
        match self.via {
            None => false,
            Some(Via::Site(index)) => index == us.0,
            Some(Via::CommonHub) => true,
        }
    }

    /// Whether a site needs a link with `hub` for what this grants.
    pub(crate) fn uses(&self, site: Placed<'_>, hub: SiteIndex) -> bool {
        let through_it = match self.via {
            None => false,
            Some(Via::Site(index)) => index == hub.0,
            Some(Via::CommonHub) => site.1.hub == Some(hub.0),
        };
        through_it && site.0 != hub && [&self.a, &self.b].into_iter().any(|members| members.hold(site, site.1))
    }

    pub(crate) fn verify(&self, sites: usize) -> Result<(), BundleError> {
        self.a.verify(sites)?;
        self.b.verify(sites)?;
        if self.filters.len() > MAX_FILTERS {
            return Err(BundleError::TooLarge);
        }
        let via_exists = match self.via {
            Some(Via::Site(index)) => usize::try_from(index).is_ok_and(|index| index < sites),
            Some(Via::CommonHub) | None => true,
        };
        let hub_misplaced = self.a == Members::TheirHub || self.b == Members::TheirHub && self.via.is_some();
        if via_exists && !hub_misplaced { Ok(()) } else { Err(BundleError::BadRule) }
    }
}
