//! Commands about the device: an administrator's, on the appliance's local socket.

use crate::hello::Body;
use crate::{Identity, MechanismType, PartitionId};
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// What the engine is and how it does.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct DeviceInfo {}

/// See [`DeviceInfo`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct DeviceInfoReply {
    /// Where the device is in its life.
    #[n(0)]
    pub lifecycle: Lifecycle,
    /// The engine's body.
    #[n(1)]
    pub body: Body,
    /// The operator's name for the device; empty before initialisation.
    #[n(2)]
    pub label: String,
    /// Serial number: 16 hexadecimal digits.
    #[n(3)]
    pub serial: String,
    /// Version of the engine.
    #[n(4)]
    pub version: String,
    /// Partitions there are (only for an administrator; else 0).
    #[n(5)]
    pub partitions: u32,
    /// Whether a rollback of the whole store would be noticed (R36).
    #[n(6)]
    pub rollback_detected: bool,
    /// Number of the last audit record.
    #[n(7)]
    pub audit_records: u64,
    /// Digest of the last audit record.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub audit_head: Vec<u8>,
    /// The engine's clock, in milliseconds since 1970; absent on a body that has no clock.
    #[n(9)]
    pub clock: Option<u64>,
}

/// Where a device is in its life (GLOSSARY "lifecycle").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Lifecycle {
    /// As it left the factory: only `DeviceInitialize` is served.
    #[n(0)]
    Manufactured,
    /// In service.
    #[n(1)]
    Operational,
    /// A self-test failed: no cryptography (R5).
    #[n(2)]
    Error,
    /// It was tampered with: its keys are destroyed, and it is refused until a quorum has it return (R15).
    #[n(3)]
    Tampered,
}

/// Makes a manufactured device operational.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct DeviceInitialize {
    /// The operator's name for the device, at most 32 bytes of UTF-8.
    #[n(0)]
    pub label: String,
}

/// Destroys every key, PIN, certificate and record of the device (R14). It begins at once and is finished at the next start
/// if the power fails meanwhile; there is no way back.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct DeviceZeroize {
    /// The device's serial number, as [`DeviceInfoReply::serial`] has it: who means another device destroys nothing.
    #[n(0)]
    pub serial: String,
}

/// See [`DeviceZeroize`]: the end of the audit log, which is gone with the rest.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct DeviceZeroizeReply {
    /// Number of the last audit record.
    #[n(0)]
    pub audit_records: u64,
    /// Its digest.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub audit_head: Vec<u8>,
}

/// Lets a device that was tampered with be used again: empty, with the serial number, the custodians and the audit log it
/// had. Only a quorum can (R15); where there were no custodians, nobody can.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TamperReturn {
    /// The device's serial number.
    #[n(0)]
    pub serial: String,
}

/// A partition's rules (ARCHITECTURE decision 8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum PartitionMode {
    /// One purpose a key, engine-made IVs.
    #[n(0)]
    Strict,
    /// What old clients need; visible wherever the token is listed.
    #[n(1)]
    Compatible,
}

/// Makes a partition. Its token is then initialised with an SO PIN by [`super::TokenInitialize`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionCreate {
    /// The token's label until `TokenInitialize` sets another, at most 32 bytes of UTF-8.
    #[n(0)]
    pub label: String,
    /// Its rules, for life.
    #[n(1)]
    pub mode: PartitionMode,
    /// Whether it serves approved services only, for life (R8); absent is no.
    #[n(2)]
    pub approved_only: Option<bool>,
}

/// See [`PartitionCreate`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionCreateReply {
    /// The new partition.
    #[n(0)]
    pub partition: PartitionId,
}

/// Destroys a partition with every key in it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PartitionDestroy {
    /// Which.
    #[n(0)]
    pub partition: PartitionId,
}

/// Lets the holder of a client certificate see a partition (R22).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ClientBind {
    /// Which partition.
    #[n(0)]
    pub partition: PartitionId,
    /// SHA-256 of the certificate.
    #[n(1)]
    pub identity: Identity,
    /// A name for logs and lists, at most 64 bytes of UTF-8.
    #[n(2)]
    pub name: String,
}

/// Takes that right back; a live channel loses it at its next command.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ClientUnbind {
    /// Which partition.
    #[n(0)]
    pub partition: PartitionId,
    /// SHA-256 of the certificate.
    #[n(1)]
    pub identity: Identity,
}

/// Reads the audit log, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditRead {
    /// The first record wanted, counted from 1.
    #[n(0)]
    pub from: u64,
    /// How many at most; the engine may return fewer.
    #[n(1)]
    pub max: u32,
}

/// See [`AuditRead`]. The bulk holds the records, each a CBOR byte string with the record's encoding.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditReadReply {
    /// Records in the bulk.
    #[n(0)]
    pub records: u32,
    /// Number of the last record there is.
    #[n(1)]
    pub last: u64,
}

/// Several commands of the same session in one frame, answered in order; one that fails does not stop the others.
/// A batch inside a batch is refused. The bulk is the items' bulk, one after the other.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Batch {
    /// At most [`MAX_BATCH`].
    #[n(0)]
    pub items: Vec<BatchItem>,
}

/// Items in one [`Batch`] at most; as many as one group commit takes.
pub const MAX_BATCH: usize = 64;

/// One command of a [`Batch`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BatchItem {
    /// Command number.
    #[n(0)]
    pub code: u16,
    /// The command's head.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub head: Vec<u8>,
    /// How many bytes of the bulk are its.
    #[n(2)]
    pub bulk: u32,
    /// Its retry id.
    #[n(3)]
    pub retry: Option<crate::RetryId>,
}

/// See [`Batch`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BatchReply {
    /// One for each item.
    #[n(0)]
    pub items: Vec<BatchResult>,
}

/// One answer of a [`BatchReply`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BatchResult {
    /// 0, or an [`crate::ErrorCode`].
    #[n(0)]
    pub code: u16,
    /// The reply's head.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub head: Vec<u8>,
    /// How many bytes of the bulk are its.
    #[n(2)]
    pub bulk: u32,
}

/// The mechanisms the engine has.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct MechanismList {}

/// See [`MechanismList`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct MechanismListReply {
    /// In the order of their numbers.
    #[n(0)]
    pub mechanisms: Vec<MechanismInfo>,
}

/// `CK_MECHANISM_INFO`.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct MechanismInfo {
    /// Which.
    #[n(0)]
    pub kind: MechanismType,
    /// Smallest key, in the unit PKCS#11 gives for the mechanism.
    #[n(1)]
    pub min_key: u32,
    /// Largest key.
    #[n(2)]
    pub max_key: u32,
    /// `CKF_*` flags.
    #[n(3)]
    pub flags: u32,
    /// Flags that a `strict` partition takes away; absent when it takes none.
    #[n(4)]
    pub not_strict: Option<u32>,
    /// Flags of the services that are approved with it (R8), where key and partition allow it; absent when none is.
    #[n(5)]
    pub approved: Option<u32>,
}
