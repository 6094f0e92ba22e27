//! Batches to commit: a mixed workload, the same for the same seed.

use crate::model::Model;
use coloa_engine::{Record, RecordId, Write};

/// A deterministic source of numbers (SplitMix64); nothing secret comes from it.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.bits() % limit
    }

    /// Some bytes.
    pub fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.bits().to_be_bytes()[0]).collect()
    }
}

/// Makes batches of new, changed and deleted records among a few ids.
#[derive(Clone, Debug)]
pub struct Workload {
    dice: Dice,
    ids: u64,
    longest: u64,
    largest: u64,
}

impl Workload {
    /// Batches of up to `largest` records among `ids` different ones, with values of up to `longest` bytes.
    pub fn new(seed: u64, ids: u64, longest: u64, largest: u64) -> Self {
        Workload { dice: Dice::new(seed), ids, longest, largest }
    }

    /// The next batch for a store that holds what `model` does. A fifth of the changes are deletions.
    pub fn batch(&mut self, model: &Model) -> Vec<Record> {
        let mut batch: Vec<Record> = Vec::new();
        for _ in 0..=self.dice.below(self.largest) {
            let id = self.id();
            if batch.iter().any(|record| record.id == id) {
                continue;
            }
            let value = (self.dice.below(5) != 0).then(|| self.value());
            batch.push(Record { id, version: model.version(&id) + 1, value });
        }
        batch
    }

    fn id(&mut self) -> RecordId {
        let n = u8::try_from(self.dice.below(self.ids) % 256).unwrap_or(0);
        // The last is the log's.
        let kind = [0, 1, 2, 3, 6].get(usize::from(n % 5)).copied().unwrap_or_default();
        RecordId { partition: [n % 3; 16], kind, id: [n; 16] }
    }

    fn value(&mut self) -> Vec<u8> {
        // Often erased or zero flash, which a careless format takes for nothing.
        let length = self.dice.below(self.longest + 1);
        match self.dice.below(8) {
            0 => vec![0xff; usize::try_from(length).unwrap_or(0)],
            1 => vec![0; usize::try_from(length).unwrap_or(0)],
            _ => self.dice.bytes(length),
        }
    }
}

/// The batch as [`Store::commit`](coloa_engine::Store::commit) takes it.
pub fn writes(batch: &[Record]) -> Vec<Write<'_>> {
    fn write(record: &Record) -> Write<'_> {
        Write { id: record.id, version: record.version, value: record.value.as_deref() }
    }
    batch.iter().map(write).collect()
}
