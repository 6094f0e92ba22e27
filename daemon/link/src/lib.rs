//! The security-association machine of a link encryptor: ESP in UDP (RFC 4303, 3948, 4106) without a socket, clock or thread.
//!
//! Time, packets and key material come in as arguments; bytes, events and named drops go out. Whoever drives this crate owns
//! the sockets. What arrives from the black side is hostile (boundary B3): nothing here panics on it, allocates for it, or
//! remembers it before its ICV has been verified.
//!
//! ```text
//! red ─▶ virtio/segment ─▶ policy (SPD) ─▶ Outbound ─▶ Seal ─▶ black      Link = Outbound + Inbound of one peer and queue
//! red ◀─ coalesce       ◀─ policy (SPD) ◀─ Inbound  ◀─ Open ◀─ black      KeyMaterial comes from the TLS exporter
//! ```
//!
//! Invariants:
//! - No SA, no packet (R26): [`Outbound`] hands out no [`Seal`] unless an epoch is established and within its hard limits.
//! - A sequence number is used once per key: [`Seal`] cannot be cloned and counts before it seals (R28).
//! - The replay window moves only after authentication (RFC 4303 §3.4.3).
//! - Keys are zeroized on drop, and an old epoch is dropped when its drain ends (R29).
//! - The data path takes no lock and allocates nothing; [`Outbound`] and [`Inbound`] are separate values, so each data-plane
//!   thread owns its own.
#![no_std]
#![forbid(unsafe_code)]
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

pub mod aead;
pub mod bundle;
pub mod bypass;
mod checksum;
pub mod coalesce;
pub mod discovery;
pub mod drops;
pub mod encap;
pub mod esp;
pub mod fragment;
pub mod handover;
pub mod hop;
pub mod icmp;
mod inbound;
pub mod ip;
pub mod keys;
pub mod limiter;
pub mod limits;
mod link;
pub mod marking;
pub mod measure;
pub mod mss;
pub mod narrow;
mod open;
pub mod organ;
mod outbound;
pub mod path;
pub mod policy;
pub mod prefix;
pub mod replay;
pub mod rule;
mod seal;
pub mod segment;
pub mod shaping;
pub mod virtio;

pub use aead::{Aead, AeadError};
pub use bundle::{Accepted, Bundle};
pub use coalesce::Coalescer;
pub use drops::{Counters, DropReason};
pub use encap::Datagram;
pub use esp::Spi;
pub use fragment::Fragments;
pub use inbound::{Inbound, InboundEvent};
pub use keys::{Epoch, InstallError, KeyMaterial, Role};
pub use limiter::Limiter;
pub use limits::Limits;
pub use link::{Event, Link};
pub use narrow::Narrow;
pub use open::{Inner, Open, Opened};
pub use organ::Organ;
pub use outbound::{Outbound, OutboundEvent};
pub use path::Path;
pub use policy::{Arrival, SiteIndex, Spd};
pub use prefix::Prefix;
pub use seal::{Burst, MAX_BURST_BYTES, MAX_BURST_SEGMENTS, Seal};
pub use segment::{Fit, Outgoing};
pub use shaping::{Cover, Padding};
