//! The signed policy bundle: sites, their identities and prefixes, and which pairs may talk (R37).
//!
//! `linkd` verifies the signature; here the verified octets become a [`Bundle`], and a [`Bundle`] with a serial that rose
//! becomes [`Accepted`], the only thing that a [`crate::Spd`] is built from.
//!
//! Encoding: CBOR maps with numbered keys, deterministic (RFC 8949 §4.2.1). Octets that do not re-encode to themselves are
//! refused: an unknown field could be a restriction that this version would not honour.

use crate::prefix::{Prefix, Table};
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
    /// A port range that ends before it begins.
    BadPorts,
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
            Self::BadPorts => f.write_str("a port range ends before it begins"),
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
        if self.sites.len() > MAX_SITES || self.pairs.len() > MAX_PAIRS {
            return Err(BundleError::TooLarge);
        }
        verify_sites(&self.sites)?;
        verify_pairs(&self.pairs, self.sites.len())?;
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
    Ok(())
}

fn has_twins<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort_unstable();
    !sorted.is_sorted_by(|left, right| left < right)
}

fn verify_pairs(pairs: &[Pair], sites: usize) -> Result<(), BundleError> {
    let inside = |pair: &Pair| pair.a < pair.b && usize::try_from(pair.b).is_ok_and(|b| b < sites);
    if !pairs.iter().all(inside) || !pairs.is_sorted_by(|left, right| (left.a, left.b) < (right.a, right.b)) {
        return Err(BundleError::BadPair);
    }
    if pairs.iter().any(|pair| pair.filters.len() > MAX_FILTERS) {
        return Err(BundleError::TooLarge);
    }
    let ranges =
        pairs.iter().flat_map(|pair| &pair.filters).flat_map(|filter| filter.a_ports.iter().chain(&filter.b_ports));
    if ranges.into_iter().any(|range| range.first > range.last) { Err(BundleError::BadPorts) } else { Ok(()) }
}
