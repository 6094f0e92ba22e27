//! Counts that a body shows its operator.

use crate::{Engine, Platform};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::PartitionId;

impl<P: Platform> Engine<P> {
    /// How many objects each partition has stored, with its label.
    pub fn objects_by_partition(&self) -> Vec<(PartitionId, String, usize)> {
        let all = self.state().partitions();
        all.iter().map(|p| (p.id, p.info().record.label.clone(), p.objects.read().len())).collect()
    }
}
