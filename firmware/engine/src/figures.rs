//! Counts that a body shows its operator.

use crate::{Engine, Platform, Timestamp};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::PartitionId;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Uses of a partition's keys since the engine started.
#[derive(Default)]
pub(crate) struct Activity {
    uses: AtomicUsize,
    /// In seconds since 1970, so that it fits a board's word; 0 for never.
    last: AtomicUsize,
}

impl Activity {
    pub(crate) fn note(&self, now: Timestamp) {
        self.uses.fetch_add(1, Ordering::Relaxed);
        let seconds = usize::try_from(now.0 / 1000).unwrap_or(usize::MAX);
        self.last.fetch_max(seconds, Ordering::Relaxed);
    }

    pub(crate) fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed) as u64
    }

    /// In milliseconds since 1970.
    pub(crate) fn last(&self) -> Option<u64> {
        let seconds = self.last.load(Ordering::Relaxed) as u64;
        (seconds > 0).then(|| seconds.saturating_mul(1000))
    }
}

impl<P: Platform> Engine<P> {
    /// How many objects each partition has stored, with its label.
    pub fn objects_by_partition(&self) -> Vec<(PartitionId, String, usize)> {
        let all = self.state().partitions();
        all.iter().map(|p| (p.id, p.info().record.label.clone(), p.objects.read().len())).collect()
    }
}
