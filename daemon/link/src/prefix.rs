//! Address prefixes, and the table that finds the longest one that holds an address.
//!
//! The table is flattened when it is built: nested prefixes become disjoint spans in order, so a lookup is one binary search.

use crate::policy::SiteIndex;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An IPv4 or IPv6 prefix whose host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    len: u8,
}

/// The text or the octets are no prefix: not an address, too long, or host bits are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPrefix;

impl Prefix {
    /// Refuses a length beyond the address and host bits that are not zero.
    pub fn new(address: IpAddr, len: u8) -> Result<Self, BadPrefix> {
        let bits = width(address).checked_sub(u32::from(len)).ok_or(BadPrefix)?;
        if number(address) & host_mask(bits) != 0 { Err(BadPrefix) } else { Ok(Self { address, len }) }
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Length in bits.
    pub fn bits(&self) -> u8 {
        self.len
    }

    /// Whether an address lies in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && (self.first()..=self.last()).contains(&number(address))
    }

    fn first(&self) -> u128 {
        number(self.address)
    }

    fn last(&self) -> u128 {
        self.first() | host_mask(width(self.address).saturating_sub(u32::from(self.len)))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let (address, len) = text.split_once('/').ok_or(BadPrefix)?;
        Self::new(address.parse().map_err(|_| BadPrefix)?, len.parse().map_err(|_| BadPrefix)?)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The lowest `bits` bits.
fn host_mask(bits: u32) -> u128 {
    1u128.checked_shl(bits).map_or(u128::MAX, |bit| bit.wrapping_sub(1))
}

impl<C> minicbor::Encode<C> for Prefix {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?;
        match self.address {
            IpAddr::V4(v4) => e.bytes(&v4.octets())?,
            IpAddr::V6(v6) => e.bytes(&v6.octets())?,
        };
        e.u8(self.len)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Prefix {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let malformed = || minicbor::decode::Error::message("not a prefix");
        if d.array()? != Some(2) {
            return Err(malformed());
        }
        let octets = d.bytes()?;
        let v4 = <[u8; 4]>::try_from(octets).map(|octets| IpAddr::from(Ipv4Addr::from(octets)));
        let address = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into()));
        Self::new(address.map_err(|_| malformed())?, d.u8()?).map_err(|BadPrefix| malformed())
    }
}

/// Addresses `first..=last` belong to `site`, and to no longer prefix.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u128,
    last: u128,
    site: SiteIndex,
}

/// Longest-prefix match over both families.
#[derive(Debug, Clone, Default)]
pub struct Table {
    v4: Vec<Span>,
    v6: Vec<Span>,
}

/// Two sites, or one twice, claim exactly this prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicatePrefix(pub Prefix);

impl Table {
    /// Flattens the prefixes; nested ones are fine, equal ones are not.
    pub fn build(prefixes: impl Iterator<Item = (Prefix, SiteIndex)>) -> Result<Self, DuplicatePrefix> {
        let mut sorted: Vec<_> = prefixes.collect();
        sorted.sort_unstable();
        let twice = sorted.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(*a),
            _ => None,
        });
        if let Some(prefix) = twice {
            return Err(DuplicatePrefix(prefix));
        }
        let (v4, v6): (Vec<_>, Vec<_>) = sorted.into_iter().partition(|(prefix, _)| prefix.address.is_ipv4());
        Ok(Self { v4: flatten(&v4), v6: flatten(&v6) })
    }

    /// The site with the longest prefix that holds `address`.
    pub fn find(&self, address: IpAddr) -> Option<SiteIndex> {
        let spans = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let number = number(address);
        let after = spans.partition_point(|span| span.first <= number);
        let span = spans.get(after.checked_sub(1)?)?;
        (number <= span.last).then_some(span.site)
    }
}

/// Turns prefixes, sorted so that the outer one of a nest comes first, into disjoint spans.
fn flatten(sorted: &[(Prefix, SiteIndex)]) -> Vec<Span> {
    let (mut spans, mut open, mut from) = (Vec::new(), Vec::<Span>::new(), Some(0));
    for (prefix, site) in sorted {
        let first = prefix.first();
        while let Some(outer) = open.pop_if(|outer| outer.last < first) {
            from = close(&mut spans, outer, from);
        }
        if let (Some(outer), Some(last)) = (open.last(), first.checked_sub(1)) {
            close(&mut spans, Span { last, ..*outer }, from);
        }
        from = Some(first);
        open.push(Span { first, last: prefix.last(), site: *site });
    }
    while let Some(outer) = open.pop() {
        from = close(&mut spans, outer, from);
    }
    spans
}

/// Emits what is left of `span` from `from` on; returns where the next one begins.
fn close(spans: &mut Vec<Span>, span: Span, from: Option<u128>) -> Option<u128> {
    let first = from?.max(span.first);
    if first <= span.last {
        spans.push(Span { first, ..span });
    }
    span.last.checked_add(1)
}
