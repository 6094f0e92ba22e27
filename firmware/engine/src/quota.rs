//! What a partition may store (R21). A service asks before it makes an object; the ledger asks again when it puts commits in
//! their order, so that of two who make the last one that fits at the same moment one is refused.
//!
//! Nothing is counted in the store: what is there is the count, so that a power cut cannot make it wrong.

use crate::Platform;
use crate::keyring::Key;
use crate::ledger::{Change, Request};
use crate::object::Object;
use crate::record::RecordKind;
use crate::state::{Fact, Partition, State};
use alloc::collections::BTreeMap;
use coloa_wire::{ErrorCode, ObjectId, PartitionId};

/// What is added to a partition, less what goes from it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Growth {
    objects: i64,
    bytes: i64,
}

impl Growth {
    /// What an object adds that replaces another, or none.
    pub(crate) fn of<K>(object: &Object<K>, replaced: Option<&Object<K>>) -> Self {
        let bytes = length(object.size()).saturating_sub(replaced.map_or(0, |old| length(old.size())));
        Growth { objects: i64::from(replaced.is_none()), bytes }
    }

    fn without<K>(object: Option<&Object<K>>) -> Self {
        Growth { objects: -1, bytes: object.map_or(0, |old| length(old.size()).saturating_neg()) }
    }

    fn and(self, other: Growth) -> Self {
        let objects = self.objects.saturating_add(other.objects);
        Growth { objects, bytes: self.bytes.saturating_add(other.bytes) }
    }
}

fn length(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// `QuotaReached` where a partition would hold more than it may. Who holds too much may still shrink it.
pub(crate) fn admits<P: Platform>(partition: &Partition<P>, growth: &Growth) -> Result<(), ErrorCode> {
    let (most, room) = (partition.setting(|s| s.objects), partition.setting(|s| s.bytes));
    if most.is_none() && room.is_none() {
        return Ok(());
    }
    let objects = partition.objects.read();
    let over = |most: Option<u64>, present: usize, more: i64| {
        let after = length(present).saturating_add(more);
        more > 0 && most.is_some_and(|most| u64::try_from(after).is_ok_and(|after| after > most))
    };
    if over(most, objects.len(), growth.objects) || over(room, objects.bytes(), growth.bytes) {
        Err(ErrorCode::QuotaReached)
    } else {
        Ok(())
    }
}

/// What the requests of one group add, which are not in memory yet.
#[derive(Default)]
pub(crate) struct Tally(BTreeMap<PartitionId, Growth>);

impl Tally {
    /// Whether a request fits beside what the group adds already.
    ///
    /// # Errors
    /// `QuotaReached` when it would not fit alone; `Conflict` when it is the others who take the room.
    pub(crate) fn admits<P: Platform>(&self, state: &State<P>, request: &Request<Key<P>>) -> Result<(), ErrorCode> {
        for (id, growth) in growths(state, request) {
            let Ok(partition) = state.partition(id) else { continue };
            admits(&partition, &growth)?;
            if let Some(others) = self.0.get(&id) {
                admits(&partition, &growth.and(*others)).map_err(|_| ErrorCode::Conflict)?;
            }
        }
        Ok(())
    }

    /// Counts a request in.
    pub(crate) fn add<P: Platform>(&mut self, state: &State<P>, request: &Request<Key<P>>) {
        for (id, growth) in growths(state, request) {
            let sum = self.0.entry(id).or_default();
            *sum = sum.and(growth);
        }
    }
}

/// What a request adds to each partition that has a quota.
fn growths<P: Platform>(state: &State<P>, request: &Request<Key<P>>) -> BTreeMap<PartitionId, Growth> {
    let mut all = BTreeMap::<PartitionId, Growth>::new();
    for change in &request.changes {
        if let Some((id, growth)) = growth(state, change) {
            let sum = all.entry(id).or_default();
            *sum = sum.and(growth);
        }
    }
    all
}

fn growth<P: Platform>(state: &State<P>, change: &Change<Key<P>>) -> Option<(PartitionId, Growth)> {
    let is_object = change.id.kind == RecordKind::Object as u8;
    let id = PartitionId(change.id.partition);
    let partition = if is_object { state.partition(id).ok()? } else { return None };
    partition.setting(|s| s.objects.or(s.bytes))?;
    let present = partition.objects.read().get(ObjectId(change.id.id));
    match &change.fact {
        Fact::Object(_, object) => {
            let grown = Growth::of(object, present.as_deref());
            // One that is replaced counts as there already, in memory or not.
            Some((id, Growth { objects: i64::from(change.expected == 0), ..grown }))
        }
        _ => Some((id, Growth::without(present.as_deref()))),
    }
}
