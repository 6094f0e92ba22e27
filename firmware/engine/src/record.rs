//! The records the engine keeps in the [`crate::Store`]: their kinds, encodings and seals.
//!
//! A sealed record is `suite: u8 ‖ IV (12) ‖ ciphertext ‖ tag (16)`; its id, version and suite are the associated data, so a
//! record cannot be moved, renamed or aged. Suites are numbered so that a national cipher gets a number, not a format.

use crate::{Aead, Crypto, CryptoError, RecordId, crypto};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::command::{Custodian, PartitionMode, PartitionSettings, SUITE_AES_256_GCM, Voice};
use coloa_wire::{ErrorCode, Identity, ObjectId, PartitionId, RequestId, RetryId, Template};
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What a record is: the `kind` of its id. Numbers are never reused. Records are applied in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum RecordKind {
    /// [`RootRecord`], sealed under the root record key.
    Root = 1,
    /// [`DeviceRecord`], sealed under the device key, as are the next two.
    Device = 2,
    /// [`PartitionRecord`].
    Partition = 3,
    /// [`AuthRecord`].
    Auth = 4,
    /// [`ObjectRecord`], sealed under its partition's KEK.
    Object = 5,
    /// An audit record: not sealed, chained (see [`crate::audit`]).
    Audit = 6,
    /// An answer under its retry id, as stores of old have them: not looked at any more.
    OldRetry = 7,
    /// A secret of the body's own (a TLS key), sealed under the device key.
    Body = 8,
    /// [`UsesRecord`], sealed under the device key.
    Uses = 9,
    /// [`RetryRecord`], sealed under the device key; its id is a place (see [`crate::retries`]).
    Retry = 10,
    /// [`CustodiansRecord`], sealed under the device key.
    Custodians = 11,
    /// [`ProposalRecord`], sealed under the device key.
    Proposal = 12,
    /// The master backup key (see [`crate::backup::key`]), sealed under the device key.
    BackupKey = 13,
    /// A partition that is being restored and that nobody sees yet (see [`crate::backup::staging`]), sealed under the device
    /// key. Its objects are records like all objects: it is applied before them.
    Staged = 14,
    /// [`crate::witness::WitnessRecord`], and the last [`coloa_wire::command::SignedCheckpoint`], sealed under the device key.
    Witness = 16,
    /// [`AuditorsRecord`], sealed under the device key.
    Auditors = 17,
    /// [`TamperRecord`], sealed under the device key.
    Tamper = 30,
}

impl RecordKind {
    pub(crate) fn of(id: &RecordId) -> Option<Self> {
        use RecordKind::*;
        let old = [Root, Device, Partition, Auth, Object, Audit, OldRetry, Body, Uses, Retry];
        let kinds = old.into_iter().chain([Custodians, Proposal, BackupKey, Staged, Witness, Auditors, Tamper]);
        kinds.into_iter().find(|k| *k as u8 == id.kind)
    }
}

/// A record's version and what it says.
pub(crate) type Opened = (u64, Zeroizing<Vec<u8>>);

const DEVICE: [u8; 16] = [0; 16];

pub(crate) const ROOT: RecordId = RecordId { partition: DEVICE, kind: RecordKind::Root as u8, id: [0; 16] };
pub(crate) const BACKUP_KEY: RecordId = RecordId { partition: DEVICE, kind: RecordKind::BackupKey as u8, id: [0; 16] };
pub(crate) const DEVICE_RECORD: RecordId = RecordId { partition: DEVICE, kind: RecordKind::Device as u8, id: [0; 16] };

pub(crate) const CUSTODIANS: RecordId = RecordId { partition: DEVICE, kind: RecordKind::Custodians as u8, id: [0; 16] };

/// The device's signing keys.
pub(crate) const WITNESS: RecordId = RecordId { partition: DEVICE, kind: RecordKind::Witness as u8, id: [0; 16] };
/// The last checkpoint of the audit log.
pub(crate) const CHECKPOINT: RecordId = RecordId { partition: DEVICE, kind: RecordKind::Witness as u8, id: [1; 16] };
/// It was tampered with, and has not returned.
pub(crate) const TAMPER: RecordId = RecordId { partition: DEVICE, kind: RecordKind::Tamper as u8, id: [0; 16] };
pub(crate) const AUDITORS: RecordId = RecordId { partition: DEVICE, kind: RecordKind::Auditors as u8, id: [0; 16] };

pub(crate) fn proposal_id(id: RequestId) -> RecordId {
    RecordId { partition: DEVICE, kind: RecordKind::Proposal as u8, id: id.0 }
}

pub(crate) fn partition_id(partition: PartitionId) -> RecordId {
    RecordId { partition: partition.0, kind: RecordKind::Partition as u8, id: [0; 16] }
}

pub(crate) fn staged_id(partition: PartitionId) -> RecordId {
    RecordId { partition: partition.0, kind: RecordKind::Staged as u8, id: [0; 16] }
}

/// The order in which records are applied: a partition, staged or not, before what is in it.
pub(crate) fn turn(id: &RecordId) -> (bool, u8) {
    let holds = id.kind <= RecordKind::Partition as u8 || id.kind == RecordKind::Staged as u8;
    (!holds, id.kind)
}

pub(crate) fn auth_id(partition: PartitionId) -> RecordId {
    RecordId { partition: partition.0, kind: RecordKind::Auth as u8, id: [0; 16] }
}

pub(crate) fn object_id(partition: PartitionId, object: ObjectId) -> RecordId {
    RecordId { partition: partition.0, kind: RecordKind::Object as u8, id: object.0 }
}

/// Every object a partition can have.
pub(crate) fn objects(partition: PartitionId) -> core::ops::RangeInclusive<RecordId> {
    object_id(partition, ObjectId([0; 16]))..=object_id(partition, ObjectId([0xff; 16]))
}

pub(crate) fn audit_id(number: u64) -> RecordId {
    RecordId { partition: DEVICE, kind: RecordKind::Audit as u8, id: u128::from(number).to_be_bytes() }
}

/// The number of an [`audit_id`]; `None` for a record of another kind.
pub(crate) fn audit_number(id: &RecordId) -> Option<u64> {
    u64::try_from(u128::from_be_bytes(id.id)).ok().filter(|_| id.is_log())
}

pub(crate) fn retry_id(place: u64) -> RecordId {
    RecordId { partition: DEVICE, kind: RecordKind::Retry as u8, id: u128::from(place).to_be_bytes() }
}

/// The place of a [`retry_id`].
pub(crate) fn retry_place(id: &RecordId) -> Result<u64, ErrorCode> {
    u64::try_from(u128::from_be_bytes(id.id)).map_err(|_| ErrorCode::StoreCorrupt)
}

/// `key` is a keyed digest of a key's value.
pub(crate) fn uses_id(partition: PartitionId, key: [u8; 16]) -> RecordId {
    RecordId { partition: partition.0, kind: RecordKind::Uses as u8, id: key }
}

pub(crate) fn body_id(name: [u8; 16]) -> RecordId {
    RecordId { partition: DEVICE, kind: RecordKind::Body as u8, id: name }
}

/// Authenticates everything else: see [`crate::root`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct RootRecord {
    #[n(0)]
    pub generation: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub set: [u8; 32],
    #[n(2)]
    pub records: u64,
    #[n(3)]
    pub audit_number: u64,
    #[cbor(n(4), with = "minicbor::bytes")]
    pub audit_head: [u8; 32],
}

#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct DeviceRecord {
    #[n(0)]
    pub label: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub serial: [u8; 8],
}

impl DeviceRecord {
    /// The serial number as it is told.
    pub(crate) fn serial(&self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.serial))
    }
}

/// Who the custodians are (R2).
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct CustodiansRecord {
    #[n(0)]
    pub threshold: u32,
    #[n(1)]
    pub custodians: Vec<Custodian>,
}

/// What a line told of a device that has not returned since (R15).
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct TamperRecord {
    #[n(0)]
    pub time: u64,
    #[n(1)]
    pub sensor: String,
}

/// Who may read all and use nothing (R1).
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct AuditorsRecord {
    #[n(0)]
    pub auditors: Vec<Client>,
}

/// An act that was proposed, and what custodians said.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ProposalRecord {
    #[n(0)]
    pub code: u16,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub head: Vec<u8>,
    #[n(2)]
    pub subject: String,
    #[n(3)]
    pub reason: String,
    #[n(4)]
    pub proposer: String,
    #[n(5)]
    pub proposed: u64,
    #[n(6)]
    pub expires: u64,
    /// The version of the custodians' record when they were asked.
    #[n(7)]
    pub set: u64,
    #[n(8)]
    pub votes: Vec<VoteRecord>,
}

impl ProposalRecord {
    pub(crate) fn count(&self, voice: Voice) -> u32 {
        u32::try_from(self.votes.iter().filter(|v| v.voice == voice).count()).unwrap_or(u32::MAX)
    }
}

#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct VoteRecord {
    #[n(0)]
    pub custodian: String,
    #[n(1)]
    pub voice: Voice,
}

#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PartitionRecord {
    #[n(0)]
    pub label: String,
    #[n(1)]
    pub mode: PartitionMode,
    /// Partitions are listed in this order.
    #[n(2)]
    pub order: u64,
    #[n(3)]
    pub clients: Vec<Client>,
    #[n(4)]
    pub kek: Kek,
    /// Serves approved services only (R8).
    #[n(5)]
    pub approved_only: Option<bool>,
    /// What the administrator has set. In this record, so that whoever relies on it relies on them too.
    #[n(6)]
    pub settings: Option<PartitionSettings>,
    /// Since when it is suspended, in milliseconds since 1970; 0 where the clock was not set.
    #[n(7)]
    pub suspended: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Client {
    #[n(0)]
    pub identity: Identity,
    #[n(1)]
    pub name: String,
}

/// A partition's key-encryption key.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct Kek(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// The PINs of one token. A token without an SO PIN is not initialised.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(map)]
pub(crate) struct AuthRecord {
    #[n(0)]
    pub so: Option<PinRecord>,
    #[n(1)]
    pub user: Option<PinRecord>,
}

#[derive(Clone, Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PinRecord {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// Argon2id of the PIN.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub verifier: [u8; 32],
    /// Wrong tries since the last right one; counted before the PIN is looked at (R4).
    #[n(2)]
    pub failures: u32,
    #[n(3)]
    pub memory_kib: u32,
    #[n(4)]
    pub passes: u32,
    /// When the last of them was counted, in milliseconds since 1970, where the clock was set.
    #[n(5)]
    pub counted_at: Option<u64>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct ObjectRecord {
    #[n(0)]
    pub attributes: Template,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub secret: Vec<u8>,
}

impl Drop for ObjectRecord {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// What was answered to a request that changed state.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct RetryRecord {
    /// SHA-256 of who asked for what.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub request: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    pub head: Vec<u8>,
    /// When, so that the oldest go first.
    #[n(2)]
    pub order: u64,
    #[n(3)]
    pub id: RetryId,
}

/// How many encryptions of a key may have happened: those reserved (see [`crate::allowance`]).
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct UsesRecord {
    #[n(0)]
    pub reserved: u64,
}

/// Counts what would be written.
struct Length(usize);

impl minicbor::encode::Write for Length {
    type Error = core::convert::Infallible;
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }
}

/// Bytes of a record's plaintext.
pub(crate) fn encoded_length<T: Encode<()>>(record: &T) -> usize {
    let mut length = Length(0);
    // Counting cannot fail.
    let _ = minicbor::encode(record, &mut length);
    length.0
}

/// Encodes a record's plaintext into memory that is wiped, and that is never moved while it grows.
pub(crate) fn encode<T: Encode<()>>(record: &T) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(encoded_length(record)));
    // Writing to a `Vec` cannot fail.
    let _ = minicbor::encode(record, &mut *out);
    out
}

pub(crate) fn decode<T: for<'b> Decode<'b, ()>>(plain: &[u8]) -> Result<T, ErrorCode> {
    minicbor::decode(plain).map_err(|_| ErrorCode::StoreCorrupt)
}

pub(crate) fn seal<C: Crypto>(
    crypto: &C,
    key: &C::Key,
    id: &RecordId,
    version: u64,
    plain: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let mut iv = [0; crypto::IV];
    crypto.random(&mut iv)?;
    let mut text = Vec::with_capacity(plain.len().saturating_add(crypto::TAG));
    text.extend_from_slice(plain);
    crypto.seal(key, &Aead::gcm(&iv, &associated(id, version)), &mut text)?;
    let mut out = Vec::with_capacity(text.len().saturating_add(1 + crypto::IV));
    out.push(SUITE_AES_256_GCM);
    out.extend_from_slice(&iv);
    out.append(&mut text);
    Ok(out)
}

pub(crate) fn open<C: Crypto>(
    crypto: &C,
    key: &C::Key,
    id: &RecordId,
    version: u64,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let (&suite, rest) = sealed.split_first().ok_or(ErrorCode::StoreCorrupt)?;
    let (iv, text) = rest.split_first_chunk::<{ crypto::IV }>().ok_or(ErrorCode::StoreCorrupt)?;
    if suite != SUITE_AES_256_GCM {
        return Err(ErrorCode::StoreCorrupt);
    }
    let mut text = Zeroizing::new(text.to_vec());
    let associated = associated(id, version);
    let aead = Aead::gcm(iv, &associated);
    crypto.open(key, &aead, &mut text).map_err(|_| ErrorCode::StoreCorrupt)?;
    Ok(text)
}

fn associated(id: &RecordId, version: u64) -> Vec<u8> {
    [&id.to_bytes()[..], &version.to_be_bytes(), &[SUITE_AES_256_GCM]].concat()
}
