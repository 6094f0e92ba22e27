//! The hellos that open every connection.

use coloa_wire::command::{decode_head, encode_head};
use coloa_wire::frame::MAX_FRAME_HOST;
use coloa_wire::hello::{ClientHello, PROTOCOL, ServerHello};
use coloa_wire::{ErrorCode, Frame, FrameKind};

/// Our greeting, as a whole frame.
pub(crate) fn request() -> Vec<u8> {
    let hello = ClientHello {
        protocol: PROTOCOL,
        features: 0,
        max_frame: u32::try_from(MAX_FRAME_HOST).unwrap_or(u32::MAX),
        software: concat!("coloa-client ", env!("CARGO_PKG_VERSION")).into(),
    };
    let mut head = Vec::new();
    encode_head(&hello, &mut head);
    let mut frame = Vec::new();
    Frame { head: &head, ..Frame::status(FrameKind::Hello, 0, 0) }.encode(&mut frame);
    frame
}

/// The engine's greeting, from a whole frame.
///
/// # Errors
/// What the engine said instead, or [`ErrorCode::VersionUnsupported`].
pub(crate) fn accept(reply: &[u8]) -> Result<ServerHello, ErrorCode> {
    let frame = Frame::parse(reply)?;
    match frame.kind {
        FrameKind::Hello => {}
        FrameKind::Fault => return Err(ErrorCode::from_number(frame.code).unwrap_or(ErrorCode::FrameMalformed)),
        FrameKind::Call | FrameKind::Reply => return Err(ErrorCode::FrameMalformed),
    }
    let hello: ServerHello = decode_head(frame.head)?;
    if hello.protocol == PROTOCOL { Ok(hello) } else { Err(ErrorCode::VersionUnsupported) }
}
