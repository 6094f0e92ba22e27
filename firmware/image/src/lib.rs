//! Firmware images (R23): what one says of itself, whose signatures it needs, and which versions may still run.
//!
//! ```text
//! manifest   "CLFW"  format: u16  length: u32  statement: CBOR, numbered fields
//!            count: u8  count × ( suite: u8  key: 16 bytes of the key's SHA-384  signature: 96 bytes, r ‖ s )
//! ```
//! Numbers are big-endian. The statement names the body that the image is for, its version, the lowest version that may run
//! once this one has run, and the image's length and SHA-384. Custodians of firmware sign the exact bytes of the statement,
//! each with ECDSA on P-384 (the suite's number leaves room for others). They need not be the custodians of any device.
//!
//! Nothing here is trusted but a [`Trust`], which comes with the device: a [`Manifest`] is hostile until [`Trust::verify`]
//! makes a [`Verified`] of it, and an image until [`Verified::holds`] has measured it. No I/O; no randomness is drawn.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod known;
mod manifest;
mod refusal;
mod trust;
mod version;

pub use known::self_test;
pub use manifest::{MAX_MANIFEST, MAX_VOICES, Manifest, Statement, Voice};
pub use refusal::Refusal;
pub use trust::{Custodian, MAX_CUSTODIANS, Trust, Verified, key_id};
pub use version::Version;

/// Bytes of a custodian's public key: an uncompressed point on P-384 (SEC 1 §2.3.3).
pub const KEY: usize = 97;
/// Bytes of a signature: `r ‖ s`.
pub const SIGNATURE: usize = 96;
/// Bytes of SHA-384.
pub const DIGEST: usize = 48;
/// Bytes by which a manifest names a custodian's key.
pub const KEY_ID: usize = 16;
