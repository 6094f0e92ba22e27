//! What an administrator sets for a partition, and what it has used.

use crate::{MechanismType, PartitionId};
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// What a partition may take of the device, beside the device's own limits. A field that is absent sets nothing.
#[derive(Clone, Default, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionSettings {
    /// Objects that it stores at most.
    #[n(0)]
    pub objects: Option<u64>,
    /// Bytes that they take in the engine's memory at most.
    #[n(1)]
    pub bytes: Option<u64>,
    /// Sessions that are open on it at most, at least 1. Each process has its own on an embedded body.
    #[n(2)]
    pub sessions: Option<u32>,
    /// The mechanisms that it still has, for new keys and present ones; at most [`MAX_MECHANISMS`].
    #[n(3)]
    pub mechanisms: Option<Vec<MechanismType>>,
    /// Bytes of a new PIN at least.
    #[n(4)]
    pub pin_min: Option<u32>,
    /// Bytes of a new PIN at most.
    #[n(5)]
    pub pin_max: Option<u32>,
    /// How many of lower-case letters, capitals, digits and other characters a new PIN has at least, at most 4.
    #[n(6)]
    pub pin_classes: Option<u32>,
    /// Wrong tries that lock a PIN, at least 1 and no more than the device allows.
    #[n(7)]
    pub pin_tries: Option<u32>,
}

/// Mechanisms in [`PartitionSettings::mechanisms`] at most.
pub const MAX_MECHANISMS: usize = 128;

/// Replaces all of a partition's settings. What is there already stays, also where it is more than it now may be.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionSet {
    /// Which.
    #[n(0)]
    pub partition: PartitionId,
    /// The settings.
    #[n(1)]
    pub settings: PartitionSettings,
}

/// Suspends a partition or lets it go on. While it is suspended every command in its sessions is refused; keys, PINs and
/// sessions stay as they are.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionSuspend {
    /// Which.
    #[n(0)]
    pub partition: PartitionId,
    /// Whether it is to be suspended.
    #[n(1)]
    pub suspended: bool,
}

/// What partitions have used: those that the caller may see.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionUsage {
    /// Only this one.
    #[n(0)]
    pub partition: Option<PartitionId>,
}

/// See [`PartitionUsage`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionUsageReply {
    /// In the order the partitions were made.
    #[n(0)]
    pub partitions: Vec<PartitionFigures>,
}

/// What one partition has used, and what it may.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionFigures {
    /// Which.
    #[n(0)]
    pub partition: PartitionId,
    /// Its token's label.
    #[n(1)]
    pub label: String,
    /// Since when it is suspended, in milliseconds since 1970; 0 where the clock was not set.
    #[n(2)]
    pub suspended: Option<u64>,
    /// What it may use.
    #[n(3)]
    pub settings: PartitionSettings,
    /// Objects stored.
    #[n(4)]
    pub objects: u64,
    /// What [`PartitionSettings::bytes`] bounds.
    #[n(5)]
    pub bytes: u64,
    /// Sessions open now.
    #[n(6)]
    pub sessions: u32,
    /// Uses of keys that succeeded since the engine started.
    #[n(7)]
    pub operations: u64,
    /// The last of them, in milliseconds since 1970, to the second.
    #[n(8)]
    pub last_use: Option<u64>,
}
