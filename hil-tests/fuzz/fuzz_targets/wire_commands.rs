//! Heads, mechanisms and templates from hostile CBOR (B1): nothing panics, and what parses round-trips.
#![no_main]

use coloa_wire::command::{self, decode_head, encode_head};
use coloa_wire::{Mechanism, Template};
use minicbor::{Decode, Encode};

fn round_trip<C: Encode<()> + for<'b> Decode<'b, ()>>(head: &[u8]) {
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
    round_trip::<command::KeyWrap>(bytes);
    round_trip::<command::KeyUnwrap>(bytes);
    round_trip::<command::KeyDerive>(bytes);
    round_trip::<command::KeyEncapsulate>(bytes);
    round_trip::<command::KeyEncapsulateReply>(bytes);
    round_trip::<command::KeyDecapsulate>(bytes);
    round_trip::<command::ContextLogin>(bytes);
    round_trip::<command::TicketIssueReply>(bytes);
    round_trip::<command::TicketLogin>(bytes);
    round_trip::<command::MechanismListReply>(bytes);
    round_trip::<command::AttributesReadReply>(bytes);
    round_trip::<command::Sign>(bytes);
    round_trip::<command::Verify>(bytes);
    round_trip::<command::Encrypt>(bytes);
    round_trip::<command::Decrypt>(bytes);
    round_trip::<Mechanism>(bytes);
    round_trip::<Template>(bytes);
});
