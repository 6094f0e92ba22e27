//! A datagram from the black side (B3): it is dropped with a name, it never panics and never opens by chance.
#![no_main]

use coloa_link::encap::Datagram;
use coloa_link::esp::{Prefix, Trailer};
use coloa_link::path::Message;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Datagram::parse(bytes);
    let _ = Trailer::parse(bytes);
    let _ = Message::parse(bytes);
    let mut copy = bytes.to_vec();
    if let Ok((_, sealed)) = Prefix::split(&mut copy) {
        assert!(sealed.len() < bytes.len());
    }
});
