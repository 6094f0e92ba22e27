//! What the engine asks of a medium (boundary B5): a set of small sealed records, changed by atomic, durable batches.
//!
//! The medium is not trusted: the engine seals every record and authenticates the set of them. What it does ask, and what
//! power-cut tests check of every implementation: after any cut the state is the one before or the one after a commit, never
//! between, and a commit that returned is there for good.

use crate::record::RecordKind;
use alloc::vec::Vec;

/// Which record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId {
    /// The partition it belongs to; zero for the device.
    pub partition: [u8; 16],
    /// What it is (the engine's business).
    pub kind: u8,
    /// Which of that kind.
    pub id: [u8; 16],
}

impl RecordId {
    /// Bytes of [`RecordId::to_bytes`].
    pub const LENGTH: usize = 33;

    /// Partition, kind and id, one after the other: sorts as the fields do.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        let parts = self.partition.iter().chain(core::iter::once(&self.kind)).chain(&self.id);
        out.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        out
    }

    /// Whether it is of the audit log: written once, read one by one, and far more of them than of all others. A medium may
    /// keep them apart and leave them out where it shows all records or what has changed.
    pub fn is_log(&self) -> bool {
        self.kind == RecordKind::Audit as u8
    }

    /// The reverse of [`RecordId::to_bytes`].
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        let mut id = RecordId { partition: [0; 16], kind: bytes[16], id: [0; 16] };
        id.partition.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        id.id.iter_mut().zip(bytes.iter().skip(17)).for_each(|(to, from)| *to = *from);
        id
    }
}

/// A record as the medium holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Which.
    pub id: RecordId,
    /// Counts the record's changes, from 1.
    pub version: u64,
    /// The sealed value; `None` when the record was deleted (only [`Store::changes`] reports those).
    pub value: Option<Vec<u8>>,
}

/// One change of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Which record.
    pub id: RecordId,
    /// Its new version.
    pub version: u64,
    /// Its new sealed value; `None` deletes it.
    pub value: Option<&'a [u8]>,
}

/// Why a medium could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// Input or output failed, or the medium's format is damaged.
    Failed,
    /// [`Store::changes`] no longer knows that far back: read everything with [`Store::scan`].
    TooOld,
}

/// Why a batch was not committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitError {
    /// Somebody else committed: the medium's generation is another. Nothing was changed.
    Conflict,
    /// No room. Nothing was changed, and reading still works.
    Full,
    /// It failed, and nothing was changed.
    Failed,
    /// It failed, and may or may not have been changed: read again.
    Unknown,
}

/// A transactional medium.
pub trait Store: Send + Sync + 'static {
    /// How many batches were committed, ever; 0 for a new medium. Called before each command where [`Store::is_shared`], so
    /// it has to be cheap there.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    fn generation(&self) -> Result<u64, StoreError>;

    /// Whether other processes may commit to it at the same time.
    fn is_shared(&self) -> bool;

    /// Shows every live record (those of the log need not be among them), in any order, as one consistent view, and returns the generation of that view. A record whose
    /// stored bytes cannot even be framed is a [`StoreError::Failed`]; `visit` may also return an error, which ends the scan.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    fn scan(&self, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError>;

    /// Shows every record written or deleted after generation `since` (of the log it need not), as one consistent view, and returns the generation of
    /// that view.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::TooOld`].
    fn changes(&self, since: u64, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError>;

    /// One record, or `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    fn read(&self, id: &RecordId) -> Result<Option<Record>, StoreError>;

    /// Makes all of `batch` durable, or none of it, if the generation is still `expected`; the new generation is
    /// `expected + 1`. A record appears once in a batch.
    ///
    /// # Errors
    /// See [`CommitError`].
    fn commit(&self, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError>;
}
