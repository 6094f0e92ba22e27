//! Packets larger than the link carries: the answer to the sender, fragmentation, and the segment size that handshakes
//! announce. Checksums and headers are judged octet by octet, fragments by a reassembly of the tests' own.

mod chance;
mod packets;

use coloa_link::icmp::{MAX_ANSWER, too_big};
use coloa_link::mss::{self, Checksum};
use coloa_link::virtio::{self, Header};
use coloa_link::{DropReason, Fit, Fragments, Limiter, Narrow, Outgoing};
use packets::{Tcp, internet_checksum, ip, pseudo_sum, transport_checksum, udp};
use proptest::prelude::*;
use std::net::IpAddr;
use std::time::Duration;

const V4: (&str, &str) = ("10.1.0.5", "10.2.0.9");
const V6: (&str, &str) = ("fd00:1::5", "fd00:2::9");

fn ends(v6: bool) -> (IpAddr, IpAddr) {
    let (source, destination) = if v6 { V6 } else { V4 };
    (source.parse().unwrap(), destination.parse().unwrap())
}

/// A UDP packet; IPv4 gets DF from the builder.
fn datagram(v6: bool, len: usize) -> Vec<u8> {
    let (source, destination) = ends(v6);
    let payload: Vec<u8> = (0..len).map(|at| (at * 7) as u8).collect();
    udp(source, destination, (1, 2), &payload)
}

/// Clears DF and whatever else is to be changed, and makes the header's checksum right again.
fn edit(mut packet: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    packet[6] &= !0x40;
    change(&mut packet);
    let header = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let checksum = internet_checksum(&packet[..header]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}

fn answer(packet: &[u8], mtu: usize) -> Option<Vec<u8>> {
    let mut out = vec![0xee; MAX_ANSWER];
    too_big(packet, mtu, &mut out).map(|len| out[..len].to_vec())
}

#[test]
fn the_answer_over_ipv4_is_what_rfc_792_and_1191_say() {
    for len in [0, 20, 2000] {
        let packet = datagram(false, len);
        let answer = answer(&packet, 1338).unwrap();
        let (header, icmp) = answer.split_at(20);
        assert_eq!((header[0], header[9], &header[6..8]), (0x45, 1, &[0x40, 0][..]));
        assert_eq!((&header[12..16], &header[16..20]), (&packet[16..20], &packet[12..16]), "back to the sender");
        assert_eq!(usize::from(u16::from_be_bytes([header[2], header[3]])), answer.len());
        assert_eq!((internet_checksum(header), internet_checksum(icmp)), (0, 0));
        assert_eq!((icmp[0], icmp[1], &icmp[4..8]), (3, 4, &[0, 0, 5, 58][..]), "1338 is 5 * 256 + 58");
        assert_eq!(answer.len(), (28 + packet.len()).min(576));
        assert!(packet.starts_with(&icmp[8..]) && icmp.len() >= 8 + 28, "header and at least eight octets more");
    }
}

#[test]
fn the_answer_over_ipv6_is_what_rfc_4443_says() {
    for len in [10, 3000] {
        let packet = datagram(true, len);
        let answer = answer(&packet, 1300).unwrap();
        let (header, icmp) = answer.split_at(40);
        assert_eq!((header[0] >> 4, header[6]), (6, 58));
        assert_eq!((&header[8..24], &header[24..40]), (&packet[24..40], &packet[8..24]));
        assert_eq!(usize::from(u16::from_be_bytes([header[4], header[5]])), icmp.len());
        let (source, destination) = ends(true);
        assert_eq!(transport_checksum(destination, source, 58, icmp), 0);
        assert_eq!((icmp[0], icmp[1], &icmp[4..8]), (2, 0, &1300u32.to_be_bytes()[..]));
        assert_eq!(answer.len(), (48 + packet.len()).min(1280));
        assert!(packet.starts_with(&icmp[8..]));
    }
}

#[test]
fn no_error_answers_an_error_a_later_fragment_or_a_crowd() {
    let (source, destination) = ends(false);
    let icmp = |kind: u8| ip(source, destination, 1, 1, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    for (kind, answered) in [(3, false), (11, false), (5, false), (8, true), (0, true)] {
        assert_eq!(answer(&icmp(kind), 1300).is_some(), answered, "ICMP type {kind}");
    }
    let later = edit(datagram(false, 100), |packet| packet[7] = 9);
    let to = |from: &str, to: &str| udp(from.parse().unwrap(), to.parse().unwrap(), (1, 2), &[0; 100]);
    for packet in [later, to(V4.0, "224.0.0.5"), to(V4.0, "255.255.255.255"), to("0.0.0.0", V4.1), to("::", V6.1)] {
        assert_eq!(answer(&packet, 1300), None);
    }
    let (source, destination) = ends(true);
    let icmp = |kind: u8| ip(source, destination, 58, 1, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    for (kind, answered) in [(1, false), (2, false), (137, false), (128, true), (129, true)] {
        assert_eq!(answer(&icmp(kind), 1300).is_some(), answered, "ICMPv6 type {kind}");
    }
    assert_eq!(answer(&to(V6.0, "ff02::1"), 1300), None);
}

#[test]
fn one_loud_host_is_answered_ten_times_a_second_and_another_all_the_same() {
    let mut limiter = Limiter::new();
    let (loud, quiet) = ends(false);
    let second = |limiter: &mut Limiter, from: u64| {
        (0..1000).filter(|at| limiter.admits(Duration::from_millis(from + at), loud)).count()
    };
    assert_eq!(second(&mut limiter, 5000), 8 + 9);
    assert_eq!(second(&mut limiter, 6000), 10);
    assert!(limiter.admits(Duration::from_millis(7000), quiet));
}

/// RFC 791 §3.2 from the receiving side: payload by offset, header of the first.
fn reassemble(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut whole = vec![0; 65_536];
    let (mut end, mut header) = (0, Vec::new());
    for fragment in fragments {
        let len = usize::from(fragment[0] & 15) * 4;
        assert_eq!(internet_checksum(&fragment[..len]), 0);
        assert_eq!(usize::from(u16::from_be_bytes([fragment[2], fragment[3]])), fragment.len());
        let field = u16::from_be_bytes([fragment[6], fragment[7]]);
        let (at, more) = (usize::from(field & 0x1fff) * 8, field & 0x2000 != 0);
        let payload = &fragment[len..];
        assert!(!more || payload.len() % 8 == 0 && !payload.is_empty());
        whole[at..at + payload.len()].copy_from_slice(payload);
        if at == 0 {
            header = fragment[..len].to_vec();
        }
        if !more {
            end = at + payload.len();
        }
    }
    whole.truncate(end);
    let total = (header.len() + whole.len()) as u16;
    edit([header, whole].concat(), |packet| {
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet[6..8].fill(0);
    })
}

fn fragments(packet: &[u8], mtu: usize) -> Result<Vec<Vec<u8>>, DropReason> {
    let (mut fragments, mut all) = (Fragments::of(packet, mtu)?, Vec::new());
    while let Some(len) = fragments.next_len() {
        let mut out = vec![0xee; len];
        fragments.write_next(&mut out)?;
        all.push(out);
    }
    Ok(all)
}

/// Inserts options; their length must be a multiple of four.
fn with_options(packet: &[u8], options: &[u8]) -> Vec<u8> {
    let packet = [&packet[..20], options, &packet[20..]].concat();
    let total = packet.len() as u16;
    edit(packet, |packet| {
        packet[0] = 0x45 + (options.len() / 4) as u8;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
    })
}

proptest! {
    #![proptest_config(chance::fixed())]

    #[test]
    fn fragments_come_together_again_whatever_is_cut_again(len in 0usize..5000, mtu in 68usize..1500, second in 68usize..1500, options in any::<bool>()) {
        let packet = edit(datagram(false, len), |_| {});
        // Router alert is copied, record route is not.
        let packet = if options { with_options(&packet, &[7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0]) } else { packet };
        let once = fragments(&packet, mtu).unwrap();
        prop_assert!(once.iter().all(|fragment| fragment.len() <= mtu));
        prop_assert_eq!(once.len() == 1, packet.len() <= mtu);
        let twice: Vec<_> = once.iter().flat_map(|fragment| fragments(fragment, second).unwrap()).collect();
        prop_assert!(twice.iter().all(|fragment| fragment.len() <= second));
        prop_assert_eq!(reassemble(&once), packet.clone());
        prop_assert_eq!(reassemble(&twice), packet);
        if options {
            prop_assert!(once.iter().skip(1).all(|later| later[0] == 0x46 && later[20..24] == [0x94, 4, 0, 0]));
        }
    }

    #[test]
    fn no_octets_make_fragmentation_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), mtu in 0usize..300) {
        let mut octets = octets;
        if let [first, ..] = &mut octets[..] {
            *first = 0x40 | (*first & 15);
        }
        let _ = fragments(&octets, mtu);
        let _ = answer(&octets, mtu);
        let _ = mss::clamp(&mut octets, mtu, Checksum::Complete);
    }

    #[test]
    fn a_clamped_handshake_has_right_checksums_at_any_offset(v6 in any::<bool>(), before in 0usize..6, announced in 0u16.., mtu in 576usize..1500, answer in any::<bool>()) {
        let mut options = vec![1; before];
        options.extend([2, 4]);
        options.extend(announced.to_be_bytes());
        options.extend([3, 3, 7]);
        options.resize(options.len().next_multiple_of(4), 0);
        let flags = if answer { 0x12 } else { 0x02 };
        let (source, destination) = ends(v6);
        let syn = Tcp { source, destination, flags, options: &options, ..Tcp::default() };
        let most = (mtu - if v6 { 60 } else { 40 }) as u16;
        let mut lower = options.clone();
        lower[before + 2..before + 4].copy_from_slice(&announced.min(most).to_be_bytes());
        let expected = Tcp { options: &lower, ..syn };
        let (mut complete, mut partial) = (syn.build(), syn.build_partial());
        prop_assert!(mss::opens_connection(&complete));
        prop_assert_eq!(mss::clamp(&mut complete, mtu, Checksum::Complete), announced > most);
        mss::clamp(&mut partial, mtu, Checksum::Partial);
        prop_assert_eq!(complete, expected.build());
        prop_assert_eq!(partial, expected.build_partial());
    }
}

#[test]
fn what_may_not_be_fragmented_is_not() {
    assert_eq!(fragments(&datagram(false, 3000), 1300), Err(DropReason::MalformedIp), "DF");
    assert_eq!(fragments(&datagram(true, 3000), 1300), Err(DropReason::MalformedIp), "IPv6");
    let packet = edit(datagram(false, 100), |_| {});
    assert_eq!(fragments(&packet, 27), Err(DropReason::MalformedIp), "no room for eight octets");
    for options in [[7, 0, 0, 0], [7, 9, 0, 0], [1, 1, 1, 7]] {
        assert_eq!(fragments(&with_options(&packet, &options), 60), Err(DropReason::MalformedIp), "{options:?}");
    }
}

#[test]
fn only_the_handshake_is_clamped() {
    let options = [2, 4, 5, 180];
    let established = Tcp { flags: 0x10, options: &options, ..Tcp::default() }.build();
    let broken: [&[u8]; 3] = [&[2, 3, 5, 180], &[5, 0, 2, 4], &[0, 2, 4, 5]];
    let mut packets = vec![established, datagram(false, 100)];
    packets.extend(broken.map(|options| Tcp { flags: 2, options, ..Tcp::default() }.build()));
    // A later fragment shows no handshake, whatever its octets look like.
    let syn = Tcp { flags: 2, options: &options, ..Tcp::default() }.build();
    packets.push(edit(syn, |packet| packet[7] = 1));
    for (case, packet) in packets.into_iter().enumerate() {
        let mut clamped = packet.clone();
        assert!(!mss::clamp(&mut clamped, 1000, Checksum::Complete) && clamped == packet, "case {case}");
    }
}

#[test]
fn a_super_packet_fits_by_its_segments() {
    let (payload, (source, destination)) = (vec![9; 9000], ends(false));
    let tcp = Tcp { payload: &payload, options: &[], ..Tcp::default() };
    let tso = Header {
        flags: virtio::NEEDS_CSUM,
        gso_type: virtio::GSO_TCPV4,
        header_len: 40,
        gso_size: 1398,
        csum_start: 20,
        csum_offset: 16,
    };
    let packet = tcp.build_partial();
    let outgoing = Outgoing::with_header(tso, &packet).unwrap();
    assert_eq!((outgoing.largest(), outgoing.fit(1438), outgoing.fit(1437)), (1438, Fit::Whole, Fit::No));
    let packet = edit(packet, |_| {});
    assert_eq!(Outgoing::with_header(tso, &packet).unwrap().fit(1437), Fit::InFragments);

    // UDP super-packet without DF: each datagram is fragmented by itself and comes together again.
    let uso = Header { gso_type: virtio::GSO_UDP_L4, csum_offset: 6, gso_size: 1400, ..tso };
    let packet = edit(udp(source, destination, (1, 2), &payload), |packet| {
        let sum = pseudo_sum(source, destination, 17, packet.len() - 20);
        packet[26..28].copy_from_slice(&sum.to_be_bytes());
    });
    let mut outgoing = Outgoing::with_header(uso, &packet).unwrap();
    assert_eq!(outgoing.fit(1300), Fit::InFragments);
    let (mut pieces, mut narrow) = (Vec::new(), Narrow::new());
    narrow
        .in_fragments(&mut outgoing, 1300, |piece| {
            pieces.push(piece.packet().to_vec());
            Ok(())
        })
        .unwrap();
    let datagrams = 9000usize.div_ceil(1400);
    assert_eq!(pieces.len(), 2 * datagrams - 1, "the last one fits");
    for (index, pair) in pieces.chunks(2).enumerate() {
        let whole = reassemble(pair);
        assert_eq!(whole.len(), 28 + if index + 1 == datagrams { 600 } else { 1400 });
        assert_eq!(transport_checksum(source, destination, 17, &whole[20..]), 0);
    }
    let narrow = datagram(true, 1280 - 48);
    assert_eq!(Outgoing::single(&narrow).unwrap().fit(1279), Fit::NoThoughEntitled);
    assert_eq!(Outgoing::single(&datagram(true, 1281 - 48)).unwrap().fit(1279), Fit::No);
}

#[test]
fn the_sender_of_a_super_packet_is_told_of_its_first_segment() {
    let payload = vec![9; 9000];
    let tcp = Tcp { payload: &payload, options: &[], ..Tcp::default() };
    let header = Header {
        flags: virtio::NEEDS_CSUM,
        gso_type: virtio::GSO_TCPV4,
        gso_size: 1400,
        csum_start: 20,
        csum_offset: 16,
        ..Header::default()
    };
    let packet = tcp.build_partial();
    let (mut narrow, second) = (Narrow::new(), Duration::from_secs(1));
    let mut tell = |now| {
        let outgoing = Outgoing::with_header(header, &packet).unwrap();
        narrow.tell_sender(outgoing, 1300, now).map(<[u8]>::to_vec)
    };
    let told = tell(second).unwrap();
    assert_eq!(told[..10], Header::default().encode());
    let first = Tcp { payload: &payload[..1400], ..tcp }.build();
    assert_eq!(told[10..], answer(&first, 1300).unwrap());
    assert_eq!((0..100).filter(|_| tell(second).is_some()).count(), 7, "eight at once");
}
