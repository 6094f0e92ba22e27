//! ECN through the tunnel against the table of RFC 6040 figure 4, and DSCP.

mod packets;

use coloa_link::DropReason;
use coloa_link::marking::{Ecn, merge, outer};
use packets::{internet_checksum, udp};

const NOT: u8 = 0;
const ECT1: u8 = 1;
const ECT0: u8 = 2;
const CE: u8 = 3;

/// A packet with this traffic class and a right header checksum.
fn marked(v6: bool, class: u8) -> Vec<u8> {
    let (source, destination) = if v6 { ("fd00::1", "fd00::2") } else { ("10.1.0.1", "10.2.0.1") };
    let mut packet = udp(source.parse().unwrap(), destination.parse().unwrap(), (5, 6), b"payload");
    if v6 {
        (packet[0], packet[1]) = (0x60 | class >> 4, class << 4 | 0x0a);
    } else {
        packet[1] = class;
        packet[10..12].fill(0);
        let checksum = internet_checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    packet
}

/// Inner, outer, and what leaves: nothing where the packet is dropped.
const FIGURE_4: [(u8, [Option<u8>; 4]); 4] = [
    (NOT, [Some(NOT), Some(NOT), Some(NOT), None]),
    (ECT0, [Some(ECT0), Some(ECT1), Some(ECT0), Some(CE)]),
    (ECT1, [Some(ECT1), Some(ECT1), Some(ECT1), Some(CE)]),
    (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
];

#[test]
fn the_outer_mark_is_merged_as_rfc_6040_says() {
    for v6 in [false, true] {
        for dscp in [0, 0x2e << 2, 0xfc] {
            for (inner, outgoing) in FIGURE_4 {
                for (outer, expected) in (0..).zip(outgoing) {
                    let mut packet = marked(v6, dscp | inner);
                    let merged = merge(&mut packet, Ecn::from_bits(outer)).map(|()| packet);
                    let expected = expected.map(|ecn| marked(v6, dscp | ecn));
                    assert_eq!(merged, expected.ok_or(DropReason::CongestionUnmarkable), "{inner} in {outer}");
                }
            }
        }
    }
}

#[test]
fn dscp_goes_outside_if_wanted_and_ecn_always() {
    for v6 in [false, true] {
        for class in 0..=255 {
            assert_eq!(outer(&marked(v6, class), true), class);
            assert_eq!(outer(&marked(v6, class), false), class & 3);
        }
    }
}
