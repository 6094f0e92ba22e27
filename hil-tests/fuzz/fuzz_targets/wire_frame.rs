//! One frame from hostile bytes (B1): what parses encodes to the same bytes.
#![no_main]

use coloa_wire::Frame;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Frame::parse(bytes) {
        let mut again = Vec::new();
        frame.encode(&mut again);
        assert_eq!(again, bytes);
    }
});
