//! Commands about backups: the master backup key and its shares, archives, and restoring (R3, R20, R36).
//!
//! An archive is a file of chunks (`coloa_engine::archive` says what is in them); both ways they travel as bulk, one at a
//! time. A share travels as bulk too, and only once.

use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Holders of shares at most.
pub const MAX_SHARE_HOLDERS: usize = 16;
/// Longest name of a holder, in bytes of UTF-8.
pub const MAX_HOLDER_NAME: usize = 64;

/// Draws the master backup key and splits it. There is one; another in its place needs a quorum.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupKeyCreate {
    /// How many shares restore: from 2.
    #[n(0)]
    pub threshold: u8,
    /// Who holds the shares, in their order; each name once, at most [`MAX_SHARE_HOLDERS`].
    #[n(1)]
    pub holders: Vec<String>,
}

/// What may be known of the master backup key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupKeyInfoReply {
    /// Which key: random.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 16],
    /// Its check value.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub check: [u8; 8],
    /// How many shares restore.
    #[n(2)]
    pub threshold: u8,
    /// Who holds shares.
    #[n(3)]
    pub holders: Vec<ShareHolder>,
    /// When it was drawn, in milliseconds since 1970; 0 where there is no clock.
    #[n(4)]
    pub created: u64,
}

/// A holder in a [`BackupKeyInfoReply`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ShareHolder {
    /// The holder.
    #[n(0)]
    pub name: String,
    /// Whether the share was handed out.
    #[n(1)]
    pub taken: bool,
}

/// Hands a share out, once: it is erased here in the same commit. The reply's bulk is the share, so that no answer kept for a
/// retry has it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupShareTake {
    /// Which, from 1.
    #[n(0)]
    pub index: u8,
}

/// What there is to know of the master backup key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupKeyInfo {}

/// Begins an archive, in place of one that another began. For an incremental one the bulk is the header of the archive that it
/// builds on, whose catalogue follows by [`BackupExportBase`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupExportBegin {
    /// Where the catalogue of the base begins; `None` for a full archive.
    #[n(0)]
    pub base: Option<CataloguePlace>,
}

/// Where in an archive its catalogue begins.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CataloguePlace {
    /// The chain's value before it.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub chain: [u8; 32],
    /// Chunks before it.
    #[n(1)]
    pub chunks: u64,
}

/// A chunk of the base, as bulk: of its catalogue, then its footer.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupExportBase {}

/// The next chunk of the archive, as the reply's bulk.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupExportPage {
    /// Which: 0 for the header, then one more for each.
    #[n(0)]
    pub chunk: u64,
}

/// See [`BackupExportPage`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupExportPageReply {
    /// Whether this was the last chunk.
    #[n(0)]
    pub last: bool,
    /// Records in the archive so far.
    #[n(1)]
    pub done: u64,
    /// Records there will be, as it looks now.
    #[n(2)]
    pub total: u64,
}

/// Begins to restore, or to verify, an archive, whose header is the bulk. What was begun before is given up.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupRestoreBegin {
    /// Look at everything and keep nothing.
    #[n(0)]
    pub verify_only: bool,
}

/// See [`BackupRestoreBegin`]: what the header asks for. Nothing of it is proved before the shares are joined.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupRestoreBeginReply {
    /// The key it was made with.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 16],
    /// Shares that are needed; 0 when the device has the key itself and keeps nothing.
    #[n(1)]
    pub threshold: u8,
    /// Who holds them.
    #[n(2)]
    pub holders: Vec<String>,
}

/// Gives one share of the key.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BackupShareGive {
    /// As it was handed out.
    #[n(0)]
    pub share: ShareBytes,
}

/// A share's bytes: wiped on drop, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(transparent)]
pub struct ShareBytes(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

/// See [`BackupShareGive`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupShareGiveReply {
    /// What is to be said of the share.
    #[n(0)]
    pub verdict: ShareVerdict,
    /// Whose share it says it is; empty when it says nothing.
    #[n(1)]
    pub holder: String,
    /// Shares that are here now.
    #[n(2)]
    pub given: u8,
    /// Shares that are still wanted; 0 when the key is there.
    #[n(3)]
    pub wanted: u8,
}

/// What the engine thinks of a share (R3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ShareVerdict {
    /// It is one of this key.
    #[n(0)]
    Accepted,
    /// It is here already.
    #[n(1)]
    Repeated,
    /// It belongs to another key.
    #[n(2)]
    Foreign,
    /// It was altered: it is not what was handed out to its holder.
    #[n(3)]
    Altered,
    /// It is no share.
    #[n(4)]
    Unreadable,
}

/// The next chunk of an archive, as bulk; after the footer of one, the header of an incremental one that builds on it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupRestorePage {}

/// See [`BackupRestorePage`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupRestorePageReply {
    /// Records taken in so far, of all archives.
    #[n(0)]
    pub records: u64,
}

/// Reads back what was staged, compares check values, and makes all of it visible in one commit; or, where nothing is kept,
/// says what the archive holds.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupRestoreFinish {}

/// See [`BackupRestoreFinish`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupRestoreFinishReply {
    /// The partitions' labels.
    #[n(0)]
    pub partitions: Vec<String>,
    /// Objects in them.
    #[n(1)]
    pub objects: u64,
    /// The check value of the state, computed from what is in this device's store; equal to that of the last archive.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub check: [u8; 8],
}

/// Gives up what was begun; what was staged is erased.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct BackupRestoreAbort {}
