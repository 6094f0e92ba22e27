//! Arbitrary octets at every entrance: nothing panics, nothing is accepted (R34). The functions take what a fuzzer gives.

mod chance;
mod packets;
mod provider;

use coloa_link::ip::Selector;
use coloa_link::keys::SaKeys;
use coloa_link::marking::{self, Ecn};
use coloa_link::mss::{self, Checksum};
use coloa_link::path::Message;
use coloa_link::{Bundle, Coalescer, Cover, Datagram, Epoch, Inbound, Limits, Narrow, Outgoing, Seal, Spi};
use proptest::prelude::*;
use provider::AwsLc;
use std::time::Duration;

const SPI: u32 = 0x4444_4444;

fn keys() -> SaKeys {
    SaKeys::new([3; 32], [4; 4], Spi::new(SPI).unwrap())
}

/// Black side: a datagram from anywhere.
pub fn datagram(octets: &[u8]) {
    let _ = Datagram::parse(octets);
    let mut inbound = Inbound::<AwsLc>::blocked(Limits::DEFAULT);
    inbound.install(Duration::ZERO, Epoch(1), keys()).unwrap();
    assert!(inbound.open(&mut octets.to_vec()).is_err(), "a forgery");
    let aimed = [&SPI.to_be_bytes()[..], octets].concat();
    assert!(inbound.open(&mut aimed.clone()).is_err(), "a forgery for a known SPI");
    assert_eq!(inbound.counters().iter().map(|(_, count)| count).sum::<u64>(), 2, "each one is counted");
}

/// Red side: what a TUN device might deliver, and the inside of a packet from an authenticated but broken peer.
pub fn red(octets: &[u8]) {
    let _ = Selector::parse(octets);
    let mut seal = Seal::<AwsLc>::new(Duration::ZERO, Epoch(1), keys(), Limits::DEFAULT).unwrap();
    let mut out = vec![0; 65_536];
    if let Ok(mut outgoing) = Outgoing::parse(octets) {
        while !outgoing.is_done() && seal.seal_burst(&mut outgoing, &mut out).is_ok() {}
    }
    larger_than_the_path(octets);
    let mut coalescer = Coalescer::new();
    let half = octets.len() / 2;
    for range in [0..octets.len(), 0..half, half..octets.len(), 0..octets.len()] {
        coalescer.push(octets, range);
    }
    assert!(coalescer.frames(octets).map(|frame| frame.rest().count() + frame.head().len()).sum::<usize>() >= 4);
}

/// The same where it does not fit, and what is changed in headers on the way.
fn larger_than_the_path(octets: &[u8]) {
    let (mut narrow, second) = (Narrow::new(), Duration::from_secs(1));
    for mtu in [0, 28, 68, 1280] {
        if let Ok(mut outgoing) = Outgoing::parse(octets) {
            let fits = |piece: &mut Outgoing<'_>| {
                assert!(piece.packet().len() <= mtu);
                Ok(())
            };
            let _ = narrow.in_fragments(&mut outgoing.clone(), mtu, fits);
            let _ = narrow.tell_sender(outgoing.clone(), mtu, second);
            let _ = Cover::new(second, 1000, 1500, mtu).offer(&mut outgoing);
        }
        for checksum in [Checksum::Complete, Checksum::Partial] {
            let mut copy = octets.to_vec();
            let _ = (mss::opens_connection(&copy), mss::clamp(&mut copy, mtu, checksum));
        }
    }
    for outer in 0..4 {
        let mut copy = octets.to_vec();
        let _ = (marking::outer(&copy, true), marking::merge(&mut copy, Ecn::from_bits(outer)));
    }
    let _ = Message::parse(octets);
}

/// Policy: signed, and yet senseless.
pub fn bundle(octets: &[u8]) {
    if let Ok(bundle) = Bundle::parse(octets) {
        assert_eq!(bundle.to_bytes(), octets);
        let _ = bundle.accept(None);
    }
}

/// Octets that begin like something real.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let tail = || proptest::collection::vec(any::<u8>(), 0..200);
    let packet = packets::Tcp { payload: &[7; 60], ..packets::Tcp::default() }.build();
    let mutated = (Just(packet), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut packet, at, octet)| {
        let at = at.index(packet.len());
        packet[at] = octet;
        packet
    });
    let offload = (0u8..3, prop::sample::select(vec![0u8, 1, 4, 5, 0x81]), any::<[u8; 3]>());
    let header =
        offload.prop_map(|(flags, gso, [size, start, offset])| vec![flags, gso, 0, 0, size, 0, start, 0, offset, 0]);
    prop_oneof![
        tail(),
        tail().prop_map(|tail| [&[0x45, 0, 0, 60][..], &tail].concat()),
        tail().prop_map(|tail| [&[0x60, 0, 0, 0, 0, 20, 43][..], &tail].concat()),
        mutated.clone(),
        (header, mutated).prop_map(|(header, packet)| [header, packet].concat()),
        tail().prop_map(|tail| [&[0xa4, 0, 1, 1, 5, 2, 0x81, 0xa3][..], &tail].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..chance::fixed() })]

    #[test]
    fn nothing_panics(octets in plausible()) {
        datagram(&octets);
        red(&octets);
        bundle(&octets);
    }
}
