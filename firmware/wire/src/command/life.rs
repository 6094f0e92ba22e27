//! Commands about a key's life (R11, R12, R35): its state by SP 800-57 part 1 §7, what it is for and whose, how it is replaced,
//! and what is known when it is gone. None of them shows a secret.

use crate::{ObjectId, PartitionId};
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Where a key is in its life (SP 800-57 part 1 rev. 5 §7). Its number is the value of [`crate::AttributeType::STATE`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum KeyState {
    /// Not to be used yet.
    #[n(1)]
    PreActive,
    /// Protects and processes.
    #[n(2)]
    Active,
    /// Not to be used until the security officer says so.
    #[n(3)]
    Suspended,
    /// Protects nothing new: decrypts, verifies, unwraps and decapsulates.
    #[n(4)]
    Deactivated,
    /// Others may know it: as deactivated, and each use is marked in the audit log.
    #[n(5)]
    Compromised,
    /// It is no more.
    #[n(6)]
    Destroyed,
}

impl KeyState {
    /// Every state, in the order of its number.
    pub const ALL: [KeyState; 6] = [
        KeyState::PreActive,
        KeyState::Active,
        KeyState::Suspended,
        KeyState::Deactivated,
        KeyState::Compromised,
        KeyState::Destroyed,
    ];

    /// Its number.
    pub fn number(self) -> u64 {
        match self {
            KeyState::PreActive => 1,
            KeyState::Active => 2,
            KeyState::Suspended => 3,
            KeyState::Deactivated => 4,
            KeyState::Compromised => 5,
            KeyState::Destroyed => 6,
        }
    }

    /// The state with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// Its name, in logs and documents.
    pub fn name(self) -> &'static str {
        match self {
            KeyState::PreActive => "pre-active",
            KeyState::Active => "active",
            KeyState::Suspended => "suspended",
            KeyState::Deactivated => "deactivated",
            KeyState::Compromised => "compromised",
            KeyState::Destroyed => "destroyed",
        }
    }
}

/// What people say of a key. In [`KeyDescribe`] an absent field stays as it is; nothing is ever cleared.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct KeyMetadata {
    /// Whose it is.
    #[n(0)]
    pub organ: Option<String>,
    /// Where it is used.
    #[n(1)]
    pub site: Option<String>,
    /// What for, in words.
    #[n(2)]
    pub purpose: Option<String>,
    /// The person who answers for it.
    #[n(3)]
    pub owner: Option<String>,
    /// 0 none, 1 Mật, 2 Tối mật, 3 Tuyệt mật. It only rises.
    #[n(4)]
    pub classification: Option<u8>,
    /// Days from activation in which it protects. They only become fewer.
    #[n(5)]
    pub crypto_period: Option<u32>,
    /// How often it protects at most; for keys that have a secret. It only becomes less.
    #[n(6)]
    pub max_uses: Option<u64>,
}

/// Lists the keys of a partition without a login, private ones too: an administrator, or who is logged in there.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyList {
    /// Which.
    #[n(0)]
    pub partition: PartitionId,
    /// The last key of the page before.
    #[n(1)]
    pub after: Option<ObjectId>,
    /// How many at most; the engine may return fewer.
    #[n(2)]
    pub max: u32,
}

/// See [`KeyList`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyListReply {
    /// In the order of their ids.
    #[n(0)]
    pub keys: Vec<KeyEntry>,
    /// Whether there are more.
    #[n(1)]
    pub more: bool,
}

/// What the inventory says of a key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyEntry {
    /// Its id.
    #[n(0)]
    pub object: ObjectId,
    /// `CKA_CLASS`.
    #[n(1)]
    pub class: u64,
    /// `CKA_KEY_TYPE`.
    #[n(2)]
    pub key_type: u64,
    /// Its size in bits; 0 when the type tells it.
    #[n(3)]
    pub bits: u32,
    /// `CKA_LABEL`, cut at [`MAX_LISTED`] bytes.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub label: Vec<u8>,
    /// `CKA_ID`, likewise.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub id: Vec<u8>,
    /// Its state now: dates and crypto-period counted.
    #[n(6)]
    pub state: KeyState,
    /// Since when, in milliseconds since 1970; absent when it never changed or no clock said.
    #[n(7)]
    pub since: Option<u64>,
    /// Why, in the words of who changed it.
    #[n(8)]
    pub reason: Option<String>,
    /// `CKA_CHECK_VALUE`, or the first eight bytes of SHA-256 of the public key (SubjectPublicKeyInfo).
    #[cbor(n(9), with = "minicbor::bytes")]
    pub check_value: Vec<u8>,
    /// `CKA_START_DATE`.
    #[cbor(n(10), with = "minicbor::bytes")]
    pub start: Vec<u8>,
    /// `CKA_END_DATE`.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub end: Vec<u8>,
    /// When it was made, in milliseconds since 1970.
    #[n(12)]
    pub created: Option<u64>,
    /// When it stops protecting, in milliseconds since 1970: by its end date or its crypto-period.
    #[n(13)]
    pub expires: Option<u64>,
    /// 1, and one more at each rotation.
    #[n(14)]
    pub version: u64,
    /// The key it replaces.
    #[n(15)]
    pub predecessor: Option<ObjectId>,
    /// How often it may have protected, where that is counted.
    #[n(16)]
    pub uses: Option<u64>,
    /// What people say of it.
    #[n(17)]
    pub metadata: KeyMetadata,
}

/// Bytes of a label or an id in a [`KeyEntry`] at most.
pub const MAX_LISTED: usize = 128;
/// Bytes of a reason at most.
pub const MAX_REASON: usize = 200;

/// Puts a key into another state, with every stored copy and both halves of a pair. Who may: to suspend, to deactivate and
/// to call compromised, an administrator, the security officer or the user; to make it active, the security officer.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyStateSet {
    /// Its partition.
    #[n(0)]
    pub partition: PartitionId,
    /// Which.
    #[n(1)]
    pub object: ObjectId,
    /// Not [`KeyState::Destroyed`]: that is [`KeyDestroy`].
    #[n(2)]
    pub state: KeyState,
    /// Why, for the log.
    #[n(3)]
    pub reason: String,
}

/// See [`KeyStateSet`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyStateSetReply {
    /// Every object that changed: the key, its copies, its other half.
    #[n(0)]
    pub objects: Vec<ObjectId>,
}

/// Says what a key is for and whose.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyDescribe {
    /// Its partition.
    #[n(0)]
    pub partition: PartitionId,
    /// Which.
    #[n(1)]
    pub object: ObjectId,
    /// What to add.
    #[n(2)]
    pub metadata: KeyMetadata,
}

/// Destroys a key and answers with what there is to certify. Only the partition's user or security officer.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyDestroy {
    /// Its partition.
    #[n(0)]
    pub partition: PartitionId,
    /// Which.
    #[n(1)]
    pub object: ObjectId,
    /// Why, for the log.
    #[n(2)]
    pub reason: String,
}

/// The destruction record of one object. It proves that the object is no member of the store any more: the audit record was
/// committed with the removal. It proves nothing about what was made of the key before: `remaining` copies here, copies in
/// sessions, wrapped keys outside, and sealed bytes in old pages of the medium or in backups, which open for who has the
/// partition's KEK.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyDestroyReply {
    /// Which.
    #[n(0)]
    pub object: ObjectId,
    /// `CKA_CLASS`.
    #[n(1)]
    pub class: u64,
    /// `CKA_KEY_TYPE`.
    #[n(2)]
    pub key_type: u64,
    /// As in [`KeyEntry`].
    #[cbor(n(3), with = "minicbor::bytes")]
    pub check_value: Vec<u8>,
    /// SHA-256 of the label.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub label_hash: [u8; 32],
    /// When, in milliseconds since 1970.
    #[n(5)]
    pub time: u64,
    /// Stored objects of the partition that have the same value still.
    #[n(6)]
    pub remaining: Vec<ObjectId>,
    /// The record of the audit log; absent when the answer is that to a retry.
    #[n(7)]
    pub audit: Option<AuditPlace>,
}

/// A record of the audit log.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditPlace {
    /// Its number.
    #[n(0)]
    pub number: u64,
    /// SHA-256 of its encoding.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub digest: [u8; 32],
}

/// Replaces a key that was generated here by a new one with the same label, id and attributes, and deactivates the old one:
/// both or neither. Only the user.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyRotate {
    /// Its partition, on which the call's session is.
    #[n(0)]
    pub partition: PartitionId,
    /// The secret key, or the private one of a pair.
    #[n(1)]
    pub object: ObjectId,
    /// Why, for the log.
    #[n(2)]
    pub reason: String,
}

/// See [`KeyRotate`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyRotateReply {
    /// The new key.
    #[n(0)]
    pub object: ObjectId,
    /// Its public half.
    #[n(1)]
    pub public: Option<ObjectId>,
    /// Its version.
    #[n(2)]
    pub version: u64,
    /// What was deactivated: the old key, its copies, its other half.
    #[n(3)]
    pub old: Vec<ObjectId>,
}
