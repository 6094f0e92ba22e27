//! Cutting and joining super-packets, judged by packets that the tests build and checksum octet by octet.

mod chance;
mod packets;
mod provider;

use coloa_link::keys::SaKeys;
use coloa_link::virtio::{self, Header};
use coloa_link::{Burst, Coalescer, DropReason, Epoch, Limits, Open, Outgoing, Seal, Spi};
use packets::{Tcp, internet_checksum, pseudo_sum, transport_checksum, udp};
use proptest::prelude::*;
use provider::AwsLc;
use std::net::IpAddr;
use std::time::Duration;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const CWR: u8 = 0x80;
const V6: (&str, &str) = ("fd00:1::5", "fd00:2::9");

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn tcp(v6: bool) -> Tcp<'static> {
    let base = Tcp::default();
    if v6 { Tcp { source: address(V6.0), destination: address(V6.1), ..base } } else { base }
}

fn tso(v6: bool, mss: u16, options: usize) -> Header {
    let ip = if v6 { 40 } else { 20 };
    let gso_type = if v6 { virtio::GSO_TCPV6 } else { virtio::GSO_TCPV4 };
    let header_len = ip + 20 + options as u16;
    Header { flags: virtio::NEEDS_CSUM, gso_type, header_len, gso_size: mss, csum_start: ip, csum_offset: 16 }
}

fn read(header: Header, packet: &[u8]) -> Vec<u8> {
    [&header.encode()[..], packet].concat()
}

fn cut(read: &[u8]) -> Result<Vec<Vec<u8>>, DropReason> {
    let (mut outgoing, mut packets) = (Outgoing::parse(read)?, Vec::new());
    while let Some(len) = outgoing.next_len() {
        let mut out = vec![0xee; len];
        outgoing.write_next(&mut out)?;
        packets.push(out);
    }
    Ok(packets)
}

/// The segments that a TCP stack would have sent itself.
fn expected_segments(whole: Tcp<'_>, mss: usize) -> Vec<Vec<u8>> {
    let count = whole.payload.len().div_ceil(mss);
    let segment = |(index, payload)| {
        let not_last = if index + 1 == count { 0 } else { FIN | PSH };
        let not_first = if index == 0 { 0 } else { CWR };
        Tcp {
            sequence: whole.sequence.wrapping_add((index * mss) as u32),
            id: whole.id.wrapping_add(index as u16),
            flags: whole.flags & !not_last & !not_first,
            payload,
            ..whole
        }
        .build()
    };
    whole.payload.chunks(mss).enumerate().map(segment).collect()
}

/// Bytes that differ from each other, so that a shifted copy shows.
fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 131 + at / 251) as u8).collect()
}

proptest! {
    #![proptest_config(chance::fixed())]

    #[test]
    fn tcp_segments_are_those_that_the_stack_would_have_sent(
        v6 in any::<bool>(), mss in 1usize..2000, len in 1usize..20_000, flags in prop::sample::select(vec![ACK, ACK | PSH, ACK | FIN | PSH | CWR]),
    ) {
        let payload = payload(len);
        let whole = Tcp { payload: &payload, flags, ..tcp(v6) };
        let segments = cut(&read(tso(v6, mss as u16, whole.options.len()), &whole.build_partial())).unwrap();
        prop_assert_eq!(segments, expected_segments(whole, mss));
    }

    #[test]
    fn udp_datagrams_are_those_that_the_stack_would_have_sent(v6 in any::<bool>(), size in 1usize..1500, len in 1usize..20_000) {
        let (source, destination) = if v6 { V6 } else { ("10.1.0.5", "10.2.0.9") };
        let (source, destination, payload) = (address(source), address(destination), payload(len));
        let whole = udp(source, destination, (7, 9), &payload);
        let csum_start = if v6 { 40 } else { 20 };
        let header = Header { flags: 1, gso_type: virtio::GSO_UDP_L4, gso_size: size as u16, csum_start, csum_offset: 6, header_len: 0 };
        let datagrams = cut(&read(header, &whole)).unwrap();
        let expected: Vec<_> = (0u16..).zip(payload.chunks(size)).map(|(index, chunk)| {
            let mut packet = udp(source, destination, (7, 9), chunk);
            if !v6 {
                packet[4..6].copy_from_slice(&(7 + index).to_be_bytes());
                packet[10..12].fill(0);
                let checksum = internet_checksum(&packet[..20]);
                packet[10..12].copy_from_slice(&checksum.to_be_bytes());
            }
            packet
        }).collect();
        prop_assert_eq!(datagrams, expected);
    }

    #[test]
    fn cut_sealed_opened_and_joined_a_super_packet_is_itself_again(v6 in any::<bool>(), mss in 500usize..1400, len in 1usize..50_000, psh in any::<bool>()) {
        let payload = payload(len);
        let whole = Tcp { payload: &payload, flags: if psh { ACK | PSH } else { ACK }, ..tcp(v6) };
        let header = tso(v6, mss as u16, whole.options.len());
        let frames = join(&travel(&read(header, &whole.build_partial())));
        let (firsts, count): (Vec<_>, usize) = (frames.iter().collect(), len.div_ceil(mss));
        prop_assert_eq!(firsts.len(), count.div_ceil(48));
        if count > 1 && count <= 48 {
            prop_assert_eq!(firsts[0], &read(header, &whole.build_partial()));
        }
        let recut: Vec<_> = frames.iter().flat_map(|frame| cut(frame).unwrap()).collect();
        prop_assert_eq!(recut, expected_segments(whole, mss));
    }

    #[test]
    fn joining_loses_doubles_and_reorders_nothing(choices in proptest::collection::vec((0usize..3, 0usize..8, 1usize..4), 1..120)) {
        let sent = traffic(&choices);
        let mut recut: Vec<_> = join(&sent).iter().flat_map(|frame| cut(frame).unwrap()).collect();
        recut.iter_mut().for_each(|packet| clear_identification(packet));
        for flow in 0..3u16 {
            let of_flow = |packets: &[Vec<u8>]| -> Vec<Vec<u8>> {
                packets.iter().filter(|packet| packet[20..22] == (100 + flow).to_be_bytes()).cloned().collect()
            };
            prop_assert_eq!(of_flow(&recut), of_flow(&sent));
        }
        prop_assert_eq!(recut.len(), sent.len());
    }
}

/// Three flows, with gaps, changed flags, changed options, wrong checksums, short segments and pure acknowledgements between.
fn traffic(choices: &[(usize, usize, usize)]) -> Vec<Vec<u8>> {
    let mut sequences = [1u32, 1 << 20, u32::MAX - 3000];
    let mut sent = Vec::new();
    for (index, (flow, oddity, size)) in choices.iter().enumerate() {
        let payload = payload(if *oddity == 0 { 0 } else { size * 400 });
        let options: &[u8] = if *oddity == 1 { &[1; 12] } else { &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2] };
        sequences[*flow] = sequences[*flow].wrapping_add(if *oddity == 2 { 5 } else { 0 });
        let flags = if *oddity == 3 { ACK | FIN } else { ACK };
        let ports = (100 + *flow as u16, 9);
        let segment = Tcp {
            ports,
            sequence: sequences[*flow],
            flags,
            options,
            id: index as u16,
            payload: &payload,
            ..tcp(false)
        };
        let mut packet = segment.build();
        if *oddity == 4 {
            packet[36] ^= 1;
        }
        sequences[*flow] = sequences[*flow].wrapping_add(payload.len() as u32);
        sent.push(packet);
    }
    sent.iter_mut().for_each(|packet| clear_identification(packet));
    sent
}

/// The identification of a joined frame counts up from its head; DF is set, so nobody minds, and the test compares without.
fn clear_identification(packet: &mut [u8]) {
    packet[4..6].fill(0);
    packet[10..12].fill(0);
    let checksum = internet_checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

/// Through a real pair of SAs.
fn travel(read: &[u8]) -> Vec<Vec<u8>> {
    let keys = || SaKeys::new([1; 32], [2; 4], Spi::new(5000).unwrap());
    let mut seal = Seal::<AwsLc>::new(Duration::ZERO, Epoch(1), keys(), Limits::DEFAULT).unwrap();
    let mut open = Open::<AwsLc>::new(Duration::ZERO, Epoch(1), keys(), Limits::DEFAULT).unwrap();
    let (mut outgoing, mut inner, mut out) = (Outgoing::parse(read).unwrap(), Vec::new(), vec![0; 65_536]);
    while !outgoing.is_done() {
        let burst = seal.seal_burst(&mut outgoing, &mut out).unwrap();
        assert!(burst.count <= 44 && burst.len <= 65_507 && burst.count == burst.len.div_ceil(burst.segment_size));
        inner.extend(
            out[..burst.len].chunks_mut(burst.segment_size).map(|datagram| open.open(datagram).unwrap().to_vec()),
        );
    }
    inner
}

/// What would be written to the TUN device.
fn join(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (arena, mut coalescer) = (packets.concat(), Coalescer::new());
    let mut at = 0;
    for packet in packets {
        coalescer.push(&arena, at..at + packet.len());
        at += packet.len();
    }
    let frames = coalescer.frames(&arena);
    frames.map(|frame| frame.rest().fold(frame.head().to_vec(), |all, slice| [&all[..], slice].concat())).collect()
}

#[test]
fn small_packets_share_a_send_while_their_sizes_allow() {
    assert_eq!(shared([100, 100, 100, 40, 40]), [true, true, true, true, false], "nothing follows a shorter one");
    assert_eq!(
        shared([100, 100, 140, 140, 140]),
        [true, true, false, false, false],
        "nothing is longer than the first"
    );
}

/// Which of the packets went into one send.
fn shared(sizes: [usize; 5]) -> [bool; 5] {
    let keys = SaKeys::new([1; 32], [2; 4], Spi::new(5000).unwrap());
    let mut seal = Seal::<AwsLc>::new(Duration::ZERO, Epoch(1), keys, Limits::DEFAULT).unwrap();
    let (mut burst, mut out) = (Burst::default(), vec![0; 4096]);
    sizes.map(|size| {
        let packet = Tcp { payload: &payload(size), ..tcp(false) }.build();
        let mut outgoing = Outgoing::single(&packet).unwrap();
        seal.seal_onto(&mut burst, &mut outgoing, &mut out).unwrap();
        assert_eq!(burst.count, burst.len.div_ceil(burst.segment_size));
        outgoing.is_done()
    })
}

#[test]
fn a_packet_with_a_partial_checksum_is_completed() {
    for (v6, len) in [(false, 0), (false, 1), (true, 999)] {
        let payload = payload(len);
        let whole = Tcp { payload: &payload, ..tcp(v6) };
        let header = Header { gso_type: virtio::GSO_NONE, gso_size: 0, ..tso(v6, 0, 12) };
        assert_eq!(cut(&read(header, &whole.build_partial())), Ok(vec![whole.build()]));
        assert_eq!(cut(&read(Header::default(), &whole.build())), Ok(vec![whole.build()]));
    }
}

#[test]
fn a_udp_checksum_is_never_zero() {
    let (source, destination) = (address("10.1.0.5"), address("10.2.0.9"));
    let searched = (0u16..=u16::MAX).map(|filler| (filler, udp(source, destination, (7, 9), &filler.to_be_bytes())));
    let (_, whole) =
        searched.into_iter().find(|(_, packet)| packet[26..28] == [0xff, 0xff]).expect("some payload sums up to zero");
    let mut partial = whole.clone();
    partial[26..28].copy_from_slice(&pseudo_sum(source, destination, 17, 10).to_be_bytes());
    let header = Header { flags: virtio::NEEDS_CSUM, csum_start: 20, csum_offset: 6, ..Header::default() };
    assert_eq!(cut(&read(header, &partial)), Ok(vec![whole]));
}

#[test]
fn contradictory_offload_headers_are_refused() {
    let payload = payload(3000);
    let packet = Tcp { payload: &payload, ..tcp(false) }.build_partial();
    let good = tso(false, 1000, 12);
    let bad = [
        Header { gso_size: 0, ..good },
        Header { gso_type: virtio::GSO_TCPV6, ..good },
        Header { gso_type: virtio::GSO_UDP_L4, ..good },
        Header { gso_type: 77, ..good },
        Header { csum_start: 24, ..good },
        Header { gso_type: virtio::GSO_NONE, csum_start: 60_000, ..good },
    ];
    for header in bad {
        assert_eq!(cut(&read(header, &packet)), Err(DropReason::MalformedOffload), "{header:?}");
    }
    assert_eq!(cut(&read(good, &packet[..200])), Err(DropReason::MalformedIp));
    assert_eq!(cut(&[1, 2, 3]), Err(DropReason::MalformedOffload));
}

#[test]
fn a_damaged_segment_is_neither_joined_nor_laundered() {
    let payload = payload(3000);
    let whole = Tcp { payload: &payload, ..tcp(false) };
    for (damaged, at) in [(0, 700), (1, 700), (2, 700), (0, 10), (1, 10)] {
        let mut segments = expected_segments(whole, 1000);
        segments[damaged][at] ^= 4;
        let frames = join(&segments);
        assert!(
            frames
                .iter()
                .any(|frame| frame[..virtio::LEN] == [0; virtio::LEN] && frame[virtio::LEN..] == segments[damaged])
        );
        assert!(frames.iter().filter(|frame| frame[0] == virtio::NEEDS_CSUM).count() <= 1);
    }
}

#[test]
fn without_df_the_identification_has_to_count_up() {
    let payload = payload(3000);
    let fragmentable = |mut packet: Vec<u8>| {
        packet[6] = 0;
        packet[10..12].fill(0);
        let checksum = internet_checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet
    };
    let rising: Vec<_> =
        expected_segments(Tcp { payload: &payload, ..tcp(false) }, 1000).into_iter().map(fragmentable).collect();
    assert_eq!(join(&rising).len(), 1);
    let mut equal = rising;
    equal.iter_mut().for_each(|packet| clear_identification(packet));
    assert_eq!(join(&equal).len(), 3);
}

#[test]
fn what_a_join_would_lose_prevents_it() {
    // TOS, hop limit; traffic class, flow label, hop limit; acknowledgement; reserved bits of TCP.
    let fields: [(bool, &[usize]); 2] = [(false, &[1, 8, 28, 32]), (true, &[1, 3, 7, 48, 52])];
    for (v6, at) in fields.iter().flat_map(|(v6, fields)| fields.iter().map(|at| (*v6, *at))) {
        let payload = payload(2000);
        let mut segments = expected_segments(Tcp { payload: &payload, ..tcp(v6) }, 1000);
        assert_eq!(join(&segments).len(), 1);
        segments[1][at] ^= 1;
        restore_checksums(&mut segments[1], v6);
        assert_eq!(join(&segments).len(), 2, "v6 {v6}, octet {at}");
    }
}

fn restore_checksums(packet: &mut [u8], v6: bool) {
    let (start, source, destination) = if v6 { (40, V6.0, V6.1) } else { (20, "10.1.0.5", "10.2.0.9") };
    packet[start + 16..start + 18].fill(0);
    let checksum = transport_checksum(address(source), address(destination), 6, &packet[start..]);
    packet[start + 16..start + 18].copy_from_slice(&checksum.to_be_bytes());
    if !v6 {
        packet[10..12].fill(0);
        let checksum = internet_checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
}

#[test]
fn the_last_window_is_the_one_that_counts() {
    let payload = payload(2000);
    let mut segments = expected_segments(Tcp { payload: &payload, ..tcp(false) }, 1000);
    segments[1][34..36].copy_from_slice(&[0x12, 0x34]);
    restore_checksums(&mut segments[1], false);
    let frames = join(&segments);
    assert_eq!((frames.len(), &frames[0][virtio::LEN + 34..virtio::LEN + 36]), (1, &[0x12, 0x34][..]));
}

#[test]
fn no_frame_exceeds_what_ip_can_say() {
    let payload = payload(140_000);
    let segments = expected_segments(Tcp { payload: &payload, ..tcp(false) }, 1400);
    let frames = join(&segments);
    assert!(frames.iter().all(|frame| frame.len() <= virtio::LEN + 65_535));
    let mut recut: Vec<_> = frames.iter().flat_map(|frame| cut(frame).unwrap()).collect();
    recut.iter_mut().for_each(|packet| clear_identification(packet));
    let mut sent = segments;
    sent.iter_mut().for_each(|packet| clear_identification(packet));
    assert_eq!(recut, sent);
}

#[test]
fn different_flows_are_joined_side_by_side() {
    let payload = payload(10_000);
    let flow = |ports| expected_segments(Tcp { ports, payload: &payload, ..tcp(false) }, 1000);
    let (one, two) = (flow((1, 2)), flow((3, 4)));
    let mixed: Vec<_> = one.into_iter().zip(two).flat_map(|(left, right)| [left, right]).collect();
    assert_eq!(join(&mixed).len(), 2);
}

#[test]
fn the_coalescer_can_be_used_again() {
    let packet = Tcp { payload: b"once", ..tcp(false) }.build();
    let mut coalescer = Coalescer::new();
    for _ in 0..3 {
        coalescer.clear();
        coalescer.push(&packet, 0..packet.len());
        coalescer.push(&packet, 5..packet.len() + 1);
        assert_eq!(coalescer.frames(&packet).count(), 1, "and a range outside the arena is ignored");
    }
}
