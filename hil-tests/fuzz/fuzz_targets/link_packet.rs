//! An IP packet from the red side, or from a broken peer: read, cut, fragmented, answered and marked without a panic, and no
//! piece is larger than asked for.
#![no_main]

use coloa_link::ip::Selector;
use coloa_link::marking::{self, Ecn};
use coloa_link::mss::{self, Checksum};
use coloa_link::{Narrow, Outgoing};
use std::time::Duration;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Selector::parse(bytes);
    let [low, high, ecn, bytes @ ..] = bytes else { return };
    let mtu = usize::from(u16::from_le_bytes([*low, *high]));
    if let Ok(mut outgoing) = Outgoing::parse(bytes) {
        let mut narrow = Narrow::new();
        let _ = narrow.tell_sender(outgoing.clone(), mtu, Duration::from_secs(1));
        let _ = narrow.in_fragments(&mut outgoing, mtu, |piece| {
            assert!(piece.packet().len() <= mtu);
            Ok(())
        });
    }
    let mut copy = bytes.to_vec();
    let _ = mss::clamp(&mut copy, mtu, Checksum::Complete);
    let _ = marking::merge(&mut copy, Ecn::from_bits(*ecn));
});
