//! The red packet's headers, as far as policy and offload need them. Every accessor tolerates garbage.

use crate::checksum::Sum;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// ICMP.
pub const ICMP: u8 = 1;
/// ICMPv6.
pub const ICMPV6: u8 = 58;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;

const IPV4_MIN: usize = 20;
const IPV6_LEN: usize = 40;

/// The fields that a selector looks at (RFC 4301 §4.4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selector {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Upper protocol, behind IPv6 extension headers.
    pub protocol: u8,
    /// Source and destination port; `None` where the protocol has none or a fragment hides them.
    pub ports: Option<(u16, u16)>,
}

impl Selector {
    /// Reads the headers of a whole IPv4 or IPv6 packet.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::parse_v4(packet),
            6 => Self::parse_v6(packet),
            _ => None,
        }
    }

    fn parse_v4(packet: &[u8]) -> Option<Self> {
        let header = header_v4(packet)?;
        let fragment_offset = be16(packet, 6)? & 0x1fff;
        let protocol = *packet.get(9)?;
        let upper = if fragment_offset == 0 { packet.get(header..)? } else { &[] };
        Some(Self {
            source: Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?).into(),
            destination: Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?).into(),
            protocol,
            ports: ports(protocol, upper),
        })
    }

    fn parse_v6(packet: &[u8]) -> Option<Self> {
        let (protocol, upper) = upper_v6(*packet.get(6)?, packet.get(IPV6_LEN..)?);
        Some(Self {
            source: Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?).into(),
            destination: Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?).into(),
            protocol,
            ports: ports(protocol, upper),
        })
    }
}

/// Length of the IPv4 header, options included.
pub(crate) fn header_v4(packet: &[u8]) -> Option<usize> {
    let words = usize::from(packet.first()? & 0x0f);
    let len = words.checked_mul(4)?;
    (len >= IPV4_MIN && packet.len() >= len).then_some(len)
}

/// Total length that the header claims, if the buffer holds it and the version matches.
pub(crate) fn packet_len(packet: &[u8], version: u8) -> Option<usize> {
    if packet.first()? >> 4 != version {
        return None;
    }
    let len = match version {
        4 => usize::from(be16(packet, 2)?).max(header_v4(packet)?),
        _ => usize::from(be16(packet, 4)?).checked_add(IPV6_LEN)?,
    };
    (len <= packet.len()).then_some(len)
}

/// Whether routers may fragment this packet: IPv4 without DF.
pub(crate) fn may_fragment(packet: &[u8]) -> bool {
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    is_v4 && packet.get(6).is_some_and(|flags| flags & 0x40 == 0)
}

/// Skips extension headers (RFC 8200 §4); at a later fragment the upper octets are hidden.
fn upper_v6(mut next: u8, mut rest: &[u8]) -> (u8, &[u8]) {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const DESTINATION: u8 = 60;
    while let HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION = next {
        let [following, units, offset @ ..] = rest.first_chunk::<4>().copied().unwrap_or_default();
        if next == FRAGMENT && u16::from_be_bytes(offset) >> 3 != 0 {
            return (following, &[]);
        }
        let units = if next == FRAGMENT { 0 } else { usize::from(units) };
        let Some(after) = rest.get(units.saturating_add(1).saturating_mul(8)..) else { return (following, &[]) };
        (next, rest) = (following, after);
    }
    (next, rest)
}

fn ports(protocol: u8, upper: &[u8]) -> Option<(u16, u16)> {
    const SCTP: u8 = 132;
    matches!(protocol, TCP | UDP | SCTP).then(|| Some((be16(upper, 0)?, be16(upper, 2)?))).flatten()
}

/// A big-endian 16-bit field.
pub(crate) fn be16(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk::<2>().map(|field| u16::from_be_bytes(*field))
}

/// A big-endian 32-bit field.
pub(crate) fn be32(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk::<4>().map(|field| u32::from_be_bytes(*field))
}

/// Overwrites a field; `None` if it lies outside.
pub(crate) fn put<const N: usize>(octets: &mut [u8], at: usize, field: [u8; N]) -> Option<()> {
    *octets.get_mut(at..)?.first_chunk_mut::<N>()? = field;
    Some(())
}

/// Upper protocol and where its header begins.
pub(crate) fn transport(packet: &[u8], version: u8) -> Option<(u8, usize)> {
    match version {
        4 => Some((*packet.get(9)?, header_v4(packet)?)),
        _ => {
            let (protocol, upper) = upper_v6(*packet.get(6)?, packet.get(IPV6_LEN..)?);
            Some((protocol, packet.len().checked_sub(upper.len())?))
        }
    }
}

/// Computes the IPv4 header checksum (RFC 791 §3.1).
pub(crate) fn fix_checksum_v4(packet: &mut [u8]) -> Option<()> {
    let header = header_v4(packet)?;
    put(packet, 10, [0; 2])?;
    let checksum = Sum::default().add(packet.get(..header)?).finish();
    put(packet, 10, checksum)
}
