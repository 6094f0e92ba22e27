//! Traffic-flow confidentiality (R33): what sizes and times show, and that the far end sees none of it.

mod chance;
mod packets;
mod provider;

use coloa_link::keys::SaKeys;
use coloa_link::{Cover, DropReason, Epoch, Limits, Open, Outbound, Outgoing, Padding, Spi, esp};
use packets::udp;
use proptest::prelude::*;
use provider::AwsLc;
use std::collections::BTreeSet;
use std::time::Duration;

const MTU: usize = 1438;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn keys() -> SaKeys {
    SaKeys::new([1; 32], [2; 4], Spi::new(5000).unwrap())
}

fn outbound(padding: Padding) -> Outbound<AwsLc> {
    let mut outbound = Outbound::blocked(Limits::DEFAULT);
    outbound.set_padding(padding, MTU);
    outbound.install(ms(0), Epoch(1), keys()).unwrap();
    assert!(outbound.activate(Epoch(1)));
    outbound
}

fn open() -> Open<AwsLc> {
    Open::new(ms(0), Epoch(1), keys(), Limits::DEFAULT).unwrap()
}

/// An inner packet of `len` octets, at least 28.
fn packet(v6: bool, len: usize) -> Vec<u8> {
    let (source, destination, header) = if v6 { ("fd00::1", "fd00::2", 48) } else { ("10.1.0.1", "10.2.0.1", 28) };
    udp(source.parse().unwrap(), destination.parse().unwrap(), (1, 2), &vec![7; len.max(header) - header])
}

proptest! {
    #![proptest_config(chance::fixed())]

    #[test]
    fn padding_shows_classes_only_and_is_cut_at_the_far_end(v6 in any::<bool>(), len in 48usize..=MTU, class in 0usize..3) {
        let (padding, block) = [(Padding::Multiple(128), 128), (Padding::Multiple(512), 512), (Padding::Full, MTU)][class];
        let (mut outbound, mut out) = (outbound(padding), vec![0xee; 2048]);
        let packet = packet(v6, len);
        let sealed = outbound.seal().unwrap().seal(&packet, &mut out).unwrap();
        let shown = len.next_multiple_of(block).min(MTU);
        prop_assert_eq!(sealed, esp::sealed_len(shown));
        prop_assert!(sealed <= esp::sealed_len(MTU), "padding never makes a packet too large for the path");
        prop_assert_eq!(open().open(&mut out[..sealed]).unwrap(), &packet[..]);
    }
}

#[test]
fn a_dummy_looks_like_a_small_packet() {
    for (padding, shown) in [(Padding::Multiple(128), 128), (Padding::Full, MTU), (Padding::None, 0)] {
        let (mut outbound, mut out) = (outbound(padding), vec![0xee; 2048]);
        let sealed = outbound.seal().unwrap().seal_dummy(&mut out).unwrap();
        assert_eq!(sealed, esp::sealed_len(shown));
        assert_eq!(open().open(&mut out[..sealed]), Err(DropReason::Dummy));
    }
}

#[test]
fn padding_stays_over_a_rekey() {
    let (mut outbound, mut out) = (outbound(Padding::Full), vec![0; 2048]);
    outbound.install(ms(1), Epoch(2), SaKeys::new([3; 32], [4; 4], Spi::new(6000).unwrap())).unwrap();
    outbound.activate(Epoch(2));
    let seal = outbound.seal().unwrap();
    assert_eq!((seal.epoch(), seal.seal(&packet(false, 100), &mut out)), (Epoch(2), Ok(esp::sealed_len(MTU))));
}

/// What the wire shows of a second at 1200 kbit/s, in which `offered` packets are sent at once in the middle.
fn second(offered: usize) -> (Vec<(u64, usize)>, Vec<Vec<u8>>, u64) {
    let mut cover = Cover::new(ms(0), 1200, 1500, MTU);
    let (mut outbound, mut receiver, mut out) = (outbound(Padding::Full), open(), vec![0; 65_507]);
    let (mut shown, mut arrived, mut lost) = (Vec::new(), Vec::new(), 0);
    for now in 0..1000 {
        if now == 500 {
            for number in 0..offered {
                let packet = packet(number % 2 == 1, 100 + number);
                lost += cover.offer(&mut Outgoing::single(&packet).unwrap()).unwrap();
            }
        }
        let due = cover.due(ms(now));
        let burst = outbound.seal().unwrap().seal_cover(&mut cover, due, &mut out).unwrap();
        for datagram in out[..burst.len].chunks_mut(burst.segment_size.max(1)) {
            shown.push((now, datagram.len()));
            arrived.extend(receiver.open(datagram).map(|inner| inner.to_vec()));
        }
    }
    (shown, arrived, lost)
}

#[test]
fn at_a_constant_rate_traffic_and_silence_look_alike() {
    let (idle, nothing, _) = second(0);
    let (busy, arrived, lost) = second(15);
    assert_eq!(idle, busy, "the wire shows the same");
    assert_eq!(idle.len(), 100, "1200 kbit/s are a packet of 1500 octets each 10 ms");
    assert_eq!(idle.iter().map(|(_, len)| *len).collect::<BTreeSet<_>>(), BTreeSet::from([esp::sealed_len(MTU)]));
    assert_eq!((nothing.len(), arrived.len(), lost), (0, 15, 0));
    assert!(arrived.iter().enumerate().all(|(number, packet)| packet.len() == 100 + number), "in order");
}

#[test]
fn what_exceeds_the_rate_waits_shortly_and_is_then_lost_by_name() {
    let (_, arrived, lost) = second(50);
    // 200 ms at a packet each 10 ms.
    assert_eq!((arrived.len(), lost), (20, 30));
}

#[test]
fn a_delay_is_not_made_up_for_by_a_flood() {
    let mut cover = Cover::new(ms(0), 12_000, 1500, MTU);
    assert_eq!((cover.due(ms(0)), cover.due(ms(0)), cover.next_deadline()), (1, 0, ms(1)));
    assert_eq!(cover.due(ms(10)), 10, "a short one is");
    assert_eq!((cover.due(ms(60_000)), cover.next_deadline()), (32, ms(60_001)));
}
