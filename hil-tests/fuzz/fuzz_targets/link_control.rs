//! A message of the control channel, from a peer that has a certificate and may still be broken: it is understood in its one
//! encoding or not at all, and never asks for more room than a record has.
#![no_main]

#[allow(dead_code, reason = "the daemon uses the rest")]
#[path = "../../../daemon/linkd/src/control/message.rs"]
mod message;

use message::{CHUNK, Message};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let body = Message::body_len(*kind).and_then(|length| rest.get(..length));
    let Some(body) = body.or_else(|| Message::body_len(*kind).is_none().then_some(rest)) else { return };
    if let Some(message) = Message::parse(*kind, body) {
        assert_eq!(message.encode(), [&[*kind], body].concat());
        if let Message::Piece(piece) = message {
            assert!(usize::from(piece.length) <= CHUNK);
        }
    }
});
