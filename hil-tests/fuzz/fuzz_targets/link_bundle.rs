//! A link policy: only its one deterministic encoding is taken, and taking it never panics.
#![no_main]

use coloa_link::bundle::Bundle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(bundle.to_bytes(), bytes);
        let _ = bundle.accept(None);
    }
});
