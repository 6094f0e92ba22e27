//! A stream cut into frames: the length never exceeds the limit and never stands still.
#![no_main]

use coloa_wire::frame::{Frame, frame_length};

const MAX: usize = 65_536;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(length)) = frame_length(rest, MAX) {
        assert!(0 < length && length <= MAX);
        let Some((frame, after)) = rest.split_at_checked(length) else { break };
        let _ = Frame::parse(frame);
        rest = after;
    }
});
