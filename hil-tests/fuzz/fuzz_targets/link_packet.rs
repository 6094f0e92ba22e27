//! An IP packet from the red side: its selector is read without a panic.
#![no_main]

use coloa_link::ip::Selector;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Selector::parse(bytes);
});
