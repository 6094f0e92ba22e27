//! Proxy neighbour discovery (RFC 4861 §7.2.8, RFC 4389): a solicitation for an address behind a link is answered in the far
//! neighbour's name, so that hosts keep their addresses and their gateway when an encryptor comes between them.
//!
//! IPv4 needs none of this: the kernel answers ARP for whatever it routes elsewhere (proxy ARP, RFC 1027).

use crate::checksum::Sum;
use crate::ip::{ICMPV6, be16, put};
use core::net::Ipv6Addr;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// Octets of an answer: Ethernet, IPv6, neighbour advertisement with a target link-layer address.
pub const ANSWER_LEN: usize = IPV6_AT + IPV6_LEN + ICMP_LEN + OPTION_LEN;

const IPV6_AT: usize = 14;
const IPV6_LEN: usize = 40;
const ICMP_LEN: usize = 24;
const OPTION_LEN: usize = 8;
const IPV6: u16 = 0x86dd;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// A packet that a router forwarded has less (RFC 4861 §7.1.1).
const HOP_LIMIT: u8 = 255;
const SOLICITED: u8 = 0x40;
const TARGET_ADDRESS: u8 = 2;
/// All nodes of the wire, as IPv6 and as Ethernet have them (RFC 2464 §7).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];

/// The answer to `frame`, if it solicits an address that is far away: `own` is where its packets are to go.
///
/// A host that is about to take a far address for itself (duplicate address detection, RFC 4862 §5.4) is told that it is
/// taken. What is no well-formed solicitation has no answer.
pub fn answer(frame: &[u8], own: Mac, is_far: impl Fn(Ipv6Addr) -> bool) -> Option<[u8; ANSWER_LEN]> {
    let asked_by = *frame.get(6..)?.first_chunk::<6>()?;
    let packet = frame.get(IPV6_AT..)?;
    if be16(frame, 12)? != IPV6 || packet.first()? >> 4 != 6 {
        return None;
    }
    let (source, destination) = (address(packet, 8)?, address(packet, 24)?);
    let icmp = packet.get(IPV6_LEN..)?.get(..usize::from(be16(packet, 4)?))?;
    let is_solicitation = packet.get(6..8)? == [ICMPV6, HOP_LIMIT] && icmp.get(..2)? == [SOLICITATION, 0];
    let sum = Sum::pseudo_header(source.into(), destination.into(), ICMPV6, icmp.len()).add(icmp);
    if !is_solicitation || !sum.is_valid() || source.is_multicast() {
        return None;
    }
    let target = address(icmp, 8)?;
    if target.is_multicast() || !is_far(target) {
        return None;
    }
    let (to, to_mac, flags) =
        if source.is_unspecified() { (ALL_NODES, ALL_NODES_MAC, 0) } else { (source, asked_by, SOLICITED) };
    advertisement((own, to_mac), target, to, flags)
}

fn advertisement((own, to_mac): (Mac, Mac), target: Ipv6Addr, to: Ipv6Addr, flags: u8) -> Option<[u8; ANSWER_LEN]> {
    let mut out = [0; ANSWER_LEN];
    put(&mut out, 0, to_mac)?;
    put(&mut out, 6, own)?;
    put(&mut out, 12, IPV6.to_be_bytes())?;
    let packet = out.get_mut(IPV6_AT..)?;
    put(packet, 0, [0x60])?;
    put(packet, 4, u16::try_from(ICMP_LEN + OPTION_LEN).ok()?.to_be_bytes())?;
    put(packet, 6, [ICMPV6, HOP_LIMIT])?;
    put(packet, 8, target.octets())?;
    put(packet, 24, to.octets())?;
    let icmp = packet.get_mut(IPV6_LEN..)?;
    put(icmp, 0, [ADVERTISEMENT])?;
    put(icmp, 4, [flags])?;
    put(icmp, 8, target.octets())?;
    put(icmp, ICMP_LEN, [TARGET_ADDRESS, 1])?;
    put(icmp, ICMP_LEN + 2, own)?;
    let checksum = Sum::pseudo_header(target.into(), to.into(), ICMPV6, icmp.len()).add(icmp).finish();
    put(icmp, 2, checksum)?;
    Some(out)
}

fn address(packet: &[u8], at: usize) -> Option<Ipv6Addr> {
    packet.get(at..)?.first_chunk::<16>().copied().map(Ipv6Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Mac = [2, 0, 0, 0, 0, 9];
    const HOST: Mac = [2, 0, 0, 0, 0, 1];
    const FAR: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x80);
    const NEAR: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);

    fn is_far(target: Ipv6Addr) -> bool {
        target == FAR
    }

    fn solicitation(source: Ipv6Addr, target: Ipv6Addr) -> [u8; IPV6_AT + IPV6_LEN + ICMP_LEN] {
        let mut frame = [0; IPV6_AT + IPV6_LEN + ICMP_LEN];
        frame[6..12].copy_from_slice(&HOST);
        frame[12..14].copy_from_slice(&IPV6.to_be_bytes());
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0x80);
        let packet = &mut frame[IPV6_AT..];
        packet[0] = 0x60;
        packet[5] = ICMP_LEN as u8;
        packet[6..8].copy_from_slice(&[ICMPV6, HOP_LIMIT]);
        packet[8..24].copy_from_slice(&source.octets());
        packet[24..40].copy_from_slice(&group.octets());
        packet[40] = SOLICITATION;
        packet[48..64].copy_from_slice(&target.octets());
        let sum = Sum::pseudo_header(source.into(), group.into(), ICMPV6, ICMP_LEN).add(&packet[40..]).finish();
        packet[42..44].copy_from_slice(&sum);
        frame
    }

    #[test]
    fn a_far_address_is_answered_with_our_own_and_a_valid_checksum() {
        let answer = answer(&solicitation(NEAR, FAR), OWN, is_far).expect("an answer");
        assert_eq!((&answer[..6], &answer[6..12]), (&HOST[..], &OWN[..]));
        let packet = &answer[IPV6_AT..];
        assert_eq!((address(packet, 8), address(packet, 24)), (Some(FAR), Some(NEAR)));
        assert_eq!((packet[40], packet[44] & SOLICITED), (ADVERTISEMENT, SOLICITED));
        let sum = Sum::pseudo_header(FAR.into(), NEAR.into(), ICMPV6, packet.len() - IPV6_LEN).add(&packet[IPV6_LEN..]);
        assert!(sum.is_valid());
    }

    #[test]
    fn who_would_take_a_far_address_is_told_before_everybody() {
        let answer = answer(&solicitation(Ipv6Addr::UNSPECIFIED, FAR), OWN, is_far).expect("an answer");
        assert_eq!(&answer[..6], &ALL_NODES_MAC);
        assert_eq!((address(&answer[IPV6_AT..], 24), answer[IPV6_AT + 44]), (Some(ALL_NODES), 0));
    }

    #[test]
    fn what_is_near_forwarded_damaged_or_cut_has_no_answer() {
        assert!(answer(&solicitation(NEAR, NEAR), OWN, is_far).is_none());
        let good = solicitation(NEAR, FAR);
        for at in 12..good.len() {
            let mut bad = good;
            bad[at] ^= 0x5a;
            assert!(answer(&bad, OWN, is_far).is_none() || (IPV6_AT + 1..IPV6_AT + 4).contains(&at), "octet {at}");
        }
        for len in 0..good.len() {
            assert!(answer(&good[..len], OWN, is_far).is_none(), "cut to {len}");
        }
    }
}
