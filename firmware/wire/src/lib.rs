//! What crosses the line between a caller and the engine: frames, a hello, commands with numbered fields, replies and
//! error numbers.
//!
//! Both ends use this crate, so a wrong pair of request and response does not compile. Everything that parses takes
//! hostile bytes (boundary B1): it returns an [`ErrorCode`], it never panics, and it never allocates more than the frame
//! it was given could hold. Numbers and encodings are frozen by the golden files under `tests/golden`; a field or a
//! command may be added, none may change its meaning.
//!
//! A frame is `length: u32` (of what follows), then `kind: u8, flags: u8, code: u16, request: u32`, then the session and
//! the retry id where `flags` announces them, then `head length: u32`, the head (a CBOR map with numbered keys) and the
//! bulk, raw to the end. All integers are big-endian.
#![no_std]
#![forbid(unsafe_code)]
// No panic in what hostile bytes reach; a unit test may.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;

pub mod admin;
pub mod attribute;
pub mod command;
pub mod error;
pub mod frame;
pub mod hello;
pub mod id;
pub mod mechanism;

pub use attribute::{Attribute, AttributeType, Template, Value};
pub use command::{Command, CommandCode};
pub use error::{Culprit, ErrorCode};
pub use frame::{Frame, FrameKind};
pub use id::{Identity, LoginTicket, ObjectId, PartitionId, RequestId, RetryId, SessionId, UseTicket};
pub use mechanism::{GcmParams, Mechanism, MechanismType, Parameter};
