//! Every command's head from hostile CBOR (B1): nothing panics, and what parses round-trips.
#![no_main]

use coloa_wire::command::{self, Command, decode_head, encode_head};

fn round_trip<C: Command>(head: &[u8]) {
    if let Ok(value) = decode_head::<C>(head) {
        let mut once = Vec::new();
        encode_head(&value, &mut once);
        let mut twice = Vec::new();
        encode_head(&decode_head::<C>(&once).expect("our own encoding parses"), &mut twice);
        assert_eq!(once, twice);
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    round_trip::<command::PartitionCreate>(bytes);
    round_trip::<command::ClientBind>(bytes);
    round_trip::<command::Batch>(bytes);
    round_trip::<command::TokenInitialize>(bytes);
    round_trip::<command::SessionOpen>(bytes);
    round_trip::<command::Login>(bytes);
    round_trip::<command::ObjectCreate>(bytes);
    round_trip::<command::AttributesRead>(bytes);
    round_trip::<command::AttributesWrite>(bytes);
    round_trip::<command::ObjectFind>(bytes);
    round_trip::<command::KeyGenerate>(bytes);
    round_trip::<command::KeyPairGenerate>(bytes);
    round_trip::<command::Sign>(bytes);
    round_trip::<command::Encrypt>(bytes);
});
