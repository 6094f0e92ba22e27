//! The signed policy bundle: sites, their identities and prefixes, and which pairs may talk (R37).
//!
//! `linkd` verifies the signature; here the verified octets become a [`Bundle`], and a [`Bundle`] with a serial that rose
//! becomes [`Accepted`], the only thing that a [`crate::Spd`] is built from.
//!
//! Encoding: CBOR maps with numbered keys, deterministic (RFC 8949 §4.2.1). Octets that do not re-encode to themselves are
//! refused: an unknown field could be a restriction that this version would not honour. A field that is not used is not
//! written, so that a bundle signed before the field existed reads as it did.

use crate::bypass::Custodians;
use crate::organ::Organ;
use crate::prefix::{Prefix, Table};
use crate::rule::Rule;
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// The layout described here.
pub const VERSION: u8 = 1;
/// Sites in a bundle: planned for 10,000 identities.
pub const MAX_SITES: usize = 16_384;
/// Prefixes of one site.
pub const MAX_PREFIXES: usize = 256;
/// Allowed pairs.
pub const MAX_PAIRS: usize = 65_536;
/// Filters on one pair.
pub const MAX_FILTERS: usize = 64;
/// Rules for many sites at once.
pub const MAX_RULES: usize = 1024;
/// Groups that one site is in.
pub const MAX_GROUPS: usize = 32;
/// Octets of a site's name.
pub const MAX_NAME: usize = 64;

/// SHA-256 of the DER SubjectPublicKeyInfo in a site's certificate.
pub type Identity = [u8; 32];

/// One organ's location.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Site {
    /// For people; unique.
    #[n(0)]
    pub name: String,
    /// Who it is; unique.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub identity: Identity,
    /// The red addresses behind it. Several sites may nest, none may share one.
    #[n(2)]
    pub prefixes: Vec<Prefix>,
    /// Of which organ it is: then its certificate must say so too.
    #[n(3)]
    pub organ: Option<Organ>,
    /// Index of the hub that it belongs to.
    #[n(4)]
    pub hub: Option<u32>,
    /// Groups that rules name, in order.
    #[n(5)]
    pub groups: Option<Vec<String>>,
}

/// Ports `first..=last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PortRange {
    /// Lowest.
    #[n(0)]
    pub first: u16,
    /// Highest.
    #[n(1)]
    pub last: u16,
}

/// A protocol that a pair may use, and the ports at either end (`None`: any, or none at all).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Filter {
    /// IP protocol number.
    #[n(0)]
    pub protocol: u8,
    /// Ports at site `a`.
    #[n(1)]
    pub a_ports: Option<PortRange>,
    /// Ports at site `b`.
    #[n(2)]
    pub b_ports: Option<PortRange>,
}

/// Two sites that may talk.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Pair {
    /// Index into the sites.
    #[n(0)]
    pub a: u32,
    /// Index into the sites, greater than `a`.
    #[n(1)]
    pub b: u32,
    /// What they may use; empty means everything.
    #[n(2)]
    pub filters: Vec<Filter>,
    /// Index of the hub that relays between them; without it their link is their own.
    #[n(3)]
    pub via: Option<u32>,
}

/// A well-formed policy. Not yet in force: see [`Bundle::accept`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Bundle {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Only rises.
    #[n(1)]
    pub serial: u64,
    /// All sites of the network.
    #[n(2)]
    pub sites: Vec<Site>,
    /// All pairs that may talk.
    #[n(3)]
    pub pairs: Vec<Pair>,
    /// What organs and groups may do; they grant beside the pairs.
    #[n(4)]
    pub rules: Option<Vec<Rule>>,
    /// Who may order a bypass; without it nobody can.
    #[n(5)]
    pub bypass: Option<Custodians>,
}

/// Why a bundle is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleError {
    /// Not the CBOR described here, or not its deterministic form.
    Encoding,
    /// A layout that this version does not know.
    Version(u8),
    /// More of something than [`MAX_SITES`] and its like allow.
    TooLarge,
    /// Two sites share a name or an identity, or a name is empty or too long.
    AmbiguousSite,
    /// Two sites claim exactly this prefix.
    AmbiguousPrefix(Prefix),
    /// A pair names a site that is not there, one site twice, or comes twice or out of order.
    BadPair,
    /// A rule names a site that is not there, or a hub where none can be meant.
    BadRule,
    /// A site's hub is not there or is the site itself, or its groups are unnamed, repeated or out of order.
    BadMembership,
    /// A port range that ends before it begins.
    BadPorts,
    /// A quorum for bypass that is none: fewer than two, more than there are, or for too long.
    BadBypass,
    /// The serial is not above the one in force: an old bundle, put back.
    StaleSerial {
        /// In force.
        current: u64,
        /// Offered.
        offered: u64,
    },
}

impl core::fmt::Display for BundleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Encoding => f.write_str("the policy bundle is not in its deterministic CBOR form"),
            Self::Version(version) => write!(f, "the policy bundle has layout {version}, this program knows {VERSION}"),
            Self::TooLarge => f.write_str("the policy bundle exceeds a size limit"),
            Self::AmbiguousSite => f.write_str("two sites share a name or an identity, or a name is empty or too long"),
            Self::AmbiguousPrefix(prefix) => write!(f, "two sites claim {prefix}"),
            Self::BadPair => {
                f.write_str("an allowed pair names a site that does not exist, or is repeated or unordered")
            }
            Self::BadRule => f.write_str("a rule names a site that does not exist, or a hub where none can be meant"),
            Self::BadMembership => f.write_str(
                "a site's hub does not exist or is itself, or its groups are unnamed, repeated or unordered",
            ),
            Self::BadPorts => f.write_str("a port range ends before it begins"),
            Self::BadBypass => {
                f.write_str("a bypass takes two of its custodians at least, each named once, and a day at most")
            }
            Self::StaleSerial { current, offered } => {
                write!(f, "the policy bundle has serial {offered}, but {current} is in force already")
            }
        }
    }
}

impl core::error::Error for BundleError {}

/// A bundle that may be put in force: its serial was above the one before.
#[derive(Debug, Clone)]
pub struct Accepted {
    bundle: Bundle,
    table: Table,
}

impl Bundle {
    /// Parses octets whose signature was verified.
    pub fn parse(verified: &[u8]) -> Result<Self, BundleError> {
        let bundle: Self = minicbor::decode(verified).map_err(|_| BundleError::Encoding)?;
        if bundle.version != VERSION {
            return Err(BundleError::Version(bundle.version));
        }
        if bundle.to_bytes() != verified {
            return Err(BundleError::Encoding);
        }
        Ok(bundle)
    }

    /// The deterministic encoding: what gets signed. Writing to memory cannot fail.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// The one way to put a bundle in force: its serial must be above `current` (R37).
    pub fn accept(self, current: Option<u64>) -> Result<Accepted, BundleError> {
        match current {
            Some(current) if self.serial <= current => Err(BundleError::StaleSerial { current, offered: self.serial }),
            _ => self.into_accepted(),
        }
    }

    /// Takes up, after a restart, the very bundle that was in force: its serial must not be below the recorded one.
    pub fn resume(self, recorded: u64) -> Result<Accepted, BundleError> {
        match recorded.checked_sub(1) {
            Some(below) => self.accept(Some(below)),
            None => self.into_accepted(),
        }
    }

    fn into_accepted(self) -> Result<Accepted, BundleError> {
        let table = self.verify()?;
        Ok(Accepted { bundle: self, table })
    }

    fn verify(&self) -> Result<Table, BundleError> {
        let rules = self.rules.as_deref().unwrap_or_default();
        if self.sites.len() > MAX_SITES || self.pairs.len() > MAX_PAIRS || rules.len() > MAX_RULES {
            return Err(BundleError::TooLarge);
        }
        if self.rules.is_some() && rules.is_empty() {
            return Err(BundleError::Encoding);
        }
        if self.bypass.as_ref().is_some_and(|custodians| !custodians.is_sound()) {
            return Err(BundleError::BadBypass);
        }
        verify_sites(&self.sites)?;
        verify_pairs(&self.pairs, self.sites.len())?;
        rules.iter().try_for_each(|rule| rule.verify(self.sites.len()))?;
        let filters = self.pairs.iter().map(|pair| &pair.filters).chain(rules.iter().map(|rule| &rule.filters));
        verify_ports(filters.flatten())?;
        let prefixes = (0..).zip(&self.sites).flat_map(|(index, site)| {
            site.prefixes.iter().map(move |prefix| (*prefix, crate::policy::SiteIndex(index)))
        });
        Table::build(prefixes).map_err(|twice| BundleError::AmbiguousPrefix(twice.0))
    }
}

impl Accepted {
    /// The policy.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The serial to record before this is put in force.
    pub fn serial(&self) -> u64 {
        self.bundle.serial
    }

    pub(crate) fn into_parts(self) -> (Bundle, Table) {
        (self.bundle, self.table)
    }
}

fn verify_sites(sites: &[Site]) -> Result<(), BundleError> {
    if sites.iter().any(|site| site.prefixes.len() > MAX_PREFIXES) {
        return Err(BundleError::TooLarge);
    }
    let named = sites.iter().all(|site| (1..=MAX_NAME).contains(&site.name.len()));
    if !named || has_twins(sites.iter().map(|site| &site.name)) || has_twins(sites.iter().map(|site| &site.identity)) {
        return Err(BundleError::AmbiguousSite);
    }
    (0..).zip(sites).try_for_each(|(index, site)| verify_membership(index, site, sites.len()))
}

fn verify_membership(index: u32, site: &Site, sites: usize) -> Result<(), BundleError> {
    let hub = site.hub.is_none_or(|hub| hub != index && usize::try_from(hub).is_ok_and(|hub| hub < sites));
    let groups = site.groups.as_ref().is_none_or(|groups| {
        let named = groups.iter().all(|group| (1..=MAX_NAME).contains(&group.len()));
        named && (1..=MAX_GROUPS).contains(&groups.len()) && groups.is_sorted_by(|left, right| left < right)
    });
    if hub && groups { Ok(()) } else { Err(BundleError::BadMembership) }
}

fn has_twins<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort_unstable();
    !sorted.is_sorted_by(|left, right| left < right)
}

fn verify_pairs(pairs: &[Pair], sites: usize) -> Result<(), BundleError> {
    let exists = |index: u32| usize::try_from(index).is_ok_and(|index| index < sites);
    let inside = |pair: &Pair| {
        let relayed = pair.via.is_none_or(|via| via != pair.a && via != pair.b && exists(via));
        pair.a < pair.b && exists(pair.b) && relayed
    };
    if !pairs.iter().all(inside) || !pairs.is_sorted_by(|left, right| (left.a, left.b) < (right.a, right.b)) {
        return Err(BundleError::BadPair);
    }
    if pairs.iter().any(|pair| pair.filters.len() > MAX_FILTERS) { Err(BundleError::TooLarge) } else { Ok(()) }
}

fn verify_ports<'a>(filters: impl Iterator<Item = &'a Filter>) -> Result<(), BundleError> {
    let mut ranges = filters.flat_map(|filter| filter.a_ports.iter().chain(&filter.b_ports));
    if ranges.any(|range| range.first > range.last) { Err(BundleError::BadPorts) } else { Ok(()) }
}
