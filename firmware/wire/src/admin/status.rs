//! What the appliance tells of itself on one screen.

use super::AdminCommand;
use crate::PartitionId;
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

impl AdminCommand for ServiceStatus {
    const CODE: u16 = 0x8010;
    type Reply = ServiceStatusReply;
}

/// How the appliance is.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ServiceStatus {}

/// See [`ServiceStatus`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ServiceStatusReply {
    /// Seconds since the service started.
    #[n(0)]
    pub uptime: u64,
    /// Its clock, in milliseconds since 1970-01-01T00:00:00Z.
    #[n(1)]
    pub clock: u64,
    /// Bytes that the store takes.
    #[n(2)]
    pub store_bytes: u64,
    /// Bytes that are free on its medium.
    #[n(3)]
    pub free_bytes: u64,
    /// `whole`, `partial` (an older kernel; a hijacked thread is held) or `absent`.
    #[n(4)]
    pub sandbox: String,
    /// Whether its memory stays out of the swap (R16).
    #[n(5)]
    pub memory_locked: bool,
    /// Commands answered since the start.
    #[n(6)]
    pub calls: u64,
    /// How many of them with an error.
    #[n(7)]
    pub errors: u64,
    /// Commands answered in a second, lately.
    #[n(8)]
    pub calls_per_second: u32,
    /// How many of them with an error.
    #[n(9)]
    pub errors_per_second: u32,
    /// Sessions that are open.
    #[n(10)]
    pub sessions: u32,
    /// Channels that may be open.
    #[n(11)]
    pub channel_limit: u32,
    /// Each partition and what it holds.
    #[n(12)]
    pub partitions: Vec<PartitionFigures>,
}

/// A partition of a [`ServiceStatusReply`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionFigures {
    /// Which.
    #[n(0)]
    pub partition: PartitionId,
    /// Its label.
    #[n(1)]
    pub label: String,
    /// Objects that it has stored.
    #[n(2)]
    pub objects: u64,
}
