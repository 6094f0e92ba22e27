//! The obvious store: a sorted map, a generation, and tombstones kept for ever.

use coloa_engine::{CommitError, Record, RecordId, Write};
use std::collections::BTreeMap;

/// What the model knows of one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Counts the record's changes.
    pub version: u64,
    /// The generation that wrote it last.
    pub changed_in: u64,
    /// Its value; `None` when it was deleted.
    pub value: Option<Vec<u8>>,
}

/// The whole content of a store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Model {
    generation: u64,
    entries: BTreeMap<RecordId, Entry>,
}

impl Model {
    /// How many batches were applied.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Every live record, in the order of ids.
    pub fn live(&self) -> Vec<Record> {
        self.records().filter(|(_, record)| record.value.is_some()).map(|(_, record)| record).collect()
    }

    /// Every record changed after `since`, tombstones too, in the order of ids.
    pub fn changes(&self, since: u64) -> Vec<Record> {
        self.records().filter(|(changed_in, _)| *changed_in > since).map(|(_, record)| record).collect()
    }

    /// One live record.
    pub fn read(&self, id: &RecordId) -> Option<Record> {
        self.live().into_iter().find(|record| record.id == *id)
    }

    /// Every record there ever was.
    pub fn ids(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.entries.keys().copied()
    }

    /// The version that record had last, deleted or not; 0 when there never was one.
    pub fn version(&self, id: &RecordId) -> u64 {
        self.entries.get(id).map_or(0, |entry| entry.version)
    }

    /// Applies a batch.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when the generation is not `expected`.
    pub fn apply(&mut self, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        if self.generation != expected {
            return Err(CommitError::Conflict);
        }
        self.generation += 1;
        for write in batch {
            let value = write.value.map(<[u8]>::to_vec);
            self.entries.insert(write.id, Entry { version: write.version, changed_in: self.generation, value });
        }
        Ok(())
    }

    /// The stored entry, for a test to damage or to put back an older one (boundary B5).
    pub fn entries(&mut self) -> &mut BTreeMap<RecordId, Entry> {
        &mut self.entries
    }

    fn records(&self) -> impl Iterator<Item = (u64, Record)> + '_ {
        self.entries.iter().map(|(id, entry)| {
            (entry.changed_in, Record { id: *id, version: entry.version, value: entry.value.clone() })
        })
    }
}
