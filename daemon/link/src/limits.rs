//! How long a key may serve. Soft: ask for a new epoch. Hard: stop (R12, R28). Each number has its source.

use core::time::Duration;

/// Packets under one key before a rekey is wanted. RFC 9001 appendix B.1.1: 2^28 packets of up to 2^11 octets keep the
/// attacker's advantage against AES-GCM below 2^-57.
pub const SOFT_PACKETS: u64 = 1 << 28;
/// Packets under one key, at most. SP 800-38D §8.3, taken though the IV is a counter; far before a sequence number wraps.
pub const HARD_PACKETS: u64 = 1 << 32;
/// Octets under one key before a rekey is wanted: 256 GiB.
pub const SOFT_BYTES: u64 = 1 << 38;
/// Octets under one key, at most: 2^36 AES blocks, advantage below 2^(2·36-129) = 2^-57 (the bound of RFC 8446 §5.5).
pub const HARD_BYTES: u64 = 1 << 40;
/// Age before a rekey is wanted: one hour, so that a stolen epoch key opens no more (R29).
pub const SOFT_AGE: Duration = Duration::from_secs(3600);
/// Age at which a key is dropped though no successor came: fail closed.
pub const HARD_AGE: Duration = Duration::from_secs(2 * 3600);
/// How long an old epoch still receives after the new one sends: far above path delay and reordering; then its keys are gone (R29).
pub const DRAIN: Duration = Duration::from_secs(10);
/// How long an epoch may stay staged for sending while nobody says that the peer receives on it. A negotiation takes its steps
/// of ten seconds; when it broke off, the next one brings keys of its own, and these must not lie about (R29).
pub const STAGED: Duration = Duration::from_secs(60);
/// Failed authentications under one key after which it is dropped. RFC 9001 §6.6: 2^52 for AES-GCM.
pub const FORGERY_LIMIT: u64 = 1 << 52;

/// The limits of one SA. [`Limits::DEFAULT`] is what the product uses; smaller ones serve stricter policies and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// See [`SOFT_PACKETS`].
    pub soft_packets: u64,
    /// See [`HARD_PACKETS`].
    pub hard_packets: u64,
    /// See [`SOFT_BYTES`].
    pub soft_bytes: u64,
    /// See [`HARD_BYTES`].
    pub hard_bytes: u64,
    /// See [`SOFT_AGE`].
    pub soft_age: Duration,
    /// See [`HARD_AGE`].
    pub hard_age: Duration,
    /// See [`DRAIN`].
    pub drain: Duration,
    /// See [`FORGERY_LIMIT`].
    pub forgeries: u64,
}

impl Limits {
    /// The product's limits.
    pub const DEFAULT: Self = Self {
        soft_packets: SOFT_PACKETS,
        hard_packets: HARD_PACKETS,
        soft_bytes: SOFT_BYTES,
        hard_bytes: HARD_BYTES,
        soft_age: SOFT_AGE,
        hard_age: HARD_AGE,
        drain: DRAIN,
        forgeries: FORGERY_LIMIT,
    };
}
