//! "Too large for the path", said to the sender: ICMPv4 fragmentation needed (RFC 792, 1191) and ICMPv6 packet too big
//! (RFC 4443 §3.2).
//!
//! The answer bears the packet's own destination as its source. RFC 1812 §4.3.2.4 wants an address of the router, but the
//! only one there is belongs to the red interface through which the answer enters the red kernel, and a kernel takes a
//! packet with an own address that comes from outside for forged and drops it. The destination routes back to that same
//! interface, so it passes reverse-path filters, and hosts judge the answer by what it quotes (RFC 5927), not by who sent it.

use crate::checksum::Sum;
use crate::ip::{self, ICMP, ICMPV6, be16, put};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of an ICMPv4 error at most (RFC 1812 §4.3.2.3).
const MAX_V4: usize = 576;
/// Octets of an ICMPv6 error at most: the smallest MTU of IPv6 (RFC 4443 §2.4 c).
const MAX_V6: usize = 1280;
/// A buffer of this size holds any answer.
pub const MAX_ANSWER: usize = MAX_V6;

const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const ICMP_LEN: usize = 8;
const HOP_LIMIT: u8 = 64;
/// Precedence "internetwork control" for errors (RFC 1812 §4.3.2.5).
const NETWORK_CONTROL: u8 = 0xc0;
const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const PACKET_TOO_BIG: u8 = 2;

/// Writes the answer to `packet`, which does not fit `mtu` and may not be fragmented; returns its length.
///
/// `None` where no error may be sent: about an error, a later fragment, or to and from addresses that are nobody's own
/// (RFC 1122 §3.2.2, RFC 4443 §2.4 e).
pub fn too_big(packet: &[u8], mtu: usize, out: &mut [u8]) -> Option<usize> {
    let selector = ip::Selector::parse(packet)?;
    let protocol = selector.protocol;
    match (selector.source, selector.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) if may_answer_v4(packet, source, destination) => {
            fragmentation_needed(packet, mtu, destination, source, out)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) if may_answer_v6(packet, protocol, source, destination) => {
            packet_too_big(packet, mtu, destination, source, out)
        }
        _ => None,
    }
}

fn may_answer_v4(packet: &[u8], source: Ipv4Addr, destination: Ipv4Addr) -> bool {
    let one = |address: Ipv4Addr| {
        let nobody = address.is_unspecified() || address.is_broadcast() || address.is_multicast();
        !nobody && !address.is_loopback()
    };
    let later_fragment = be16(packet, 6).is_none_or(|field| field & 0x1fff != 0);
    let is_error = packet.get(9) == Some(&ICMP) && icmp_type(packet, 4).is_none_or(|kind| !is_query_v4(kind));
    one(source) && one(destination) && !later_fragment && !is_error
}

/// Echo, timestamp and their like (RFC 792, 950, 1256); what is neither these nor known counts as an error.
fn is_query_v4(kind: u8) -> bool {
    matches!(kind, 0 | 8 | 9 | 10 | 13..=18)
}

fn may_answer_v6(packet: &[u8], protocol: u8, source: Ipv6Addr, destination: Ipv6Addr) -> bool {
    const REDIRECT: u8 = 137;
    let one = |address: Ipv6Addr| !address.is_unspecified() && !address.is_multicast() && !address.is_loopback();
    let is_error = protocol == ICMPV6 && icmp_type(packet, 6).is_none_or(|kind| kind < 128 || kind == REDIRECT);
    one(source) && one(destination) && !is_error
}

fn icmp_type(packet: &[u8], version: u8) -> Option<u8> {
    let (_, at) = ip::transport(packet, version)?;
    packet.get(at).copied()
}

fn fragmentation_needed(
    packet: &[u8],
    mtu: usize,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    out: &mut [u8],
) -> Option<usize> {
    let quoted = packet.get(..MAX_V4.checked_sub(IPV4_LEN + ICMP_LEN)?).unwrap_or(packet);
    let total = quoted.len().checked_add(IPV4_LEN + ICMP_LEN)?;
    let out = out.get_mut(..total)?;
    out.fill(0);
    put(out, 0, [0x45, NETWORK_CONTROL])?;
    put(out, 2, u16::try_from(total).ok()?.to_be_bytes())?;
    // Atomic (RFC 6864): it is never fragmented, so its identification means nothing.
    put(out, 6, [0x40, 0, HOP_LIMIT, ICMP])?;
    put(out, 12, source.octets())?;
    put(out, 16, destination.octets())?;
    ip::fix_checksum_v4(out)?;
    let icmp = out.get_mut(IPV4_LEN..)?;
    put(icmp, 0, [UNREACHABLE, FRAGMENTATION_NEEDED])?;
    put(icmp, 6, u16::try_from(mtu).unwrap_or(u16::MAX).to_be_bytes())?;
    icmp.get_mut(ICMP_LEN..)?.copy_from_slice(quoted);
    let checksum = Sum::default().add(icmp).finish();
    put(icmp, 2, checksum)?;
    Some(total)
}

fn packet_too_big(packet: &[u8], mtu: usize, source: Ipv6Addr, destination: Ipv6Addr, out: &mut [u8]) -> Option<usize> {
    let quoted = packet.get(..MAX_V6.checked_sub(IPV6_LEN + ICMP_LEN)?).unwrap_or(packet);
    let payload = quoted.len().checked_add(ICMP_LEN)?;
    let total = payload.checked_add(IPV6_LEN)?;
    let out = out.get_mut(..total)?;
    out.fill(0);
    put(out, 0, [0x60])?;
    put(out, 4, u16::try_from(payload).ok()?.to_be_bytes())?;
    put(out, 6, [ICMPV6, HOP_LIMIT])?;
    put(out, 8, source.octets())?;
    put(out, 24, destination.octets())?;
    let icmp = out.get_mut(IPV6_LEN..)?;
    put(icmp, 0, [PACKET_TOO_BIG])?;
    put(icmp, 4, u32::try_from(mtu).ok()?.to_be_bytes())?;
    icmp.get_mut(ICMP_LEN..)?.copy_from_slice(quoted);
    let checksum = Sum::pseudo_header(source.into(), destination.into(), ICMPV6, payload).add(icmp).finish();
    put(icmp, 2, checksum)?;
    Some(total)
}
