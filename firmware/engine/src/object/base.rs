//! The objects of a partition that nobody has asked for yet: a [`Snapshot`] tells what they are like, the store has them.

use super::index::{After, Search};
use super::shape::Shape;
use crate::record;
use crate::snapshot::Snapshot;
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::{ObjectId, PartitionId};
use core::ops::Range;

/// One partition's part of a snapshot.
pub(crate) struct Base {
    pub(super) snapshot: Arc<Snapshot>,
    partition: PartitionId,
    range: Range<u32>,
    /// Those that are not in memory and not known to be gone, and their sizes together.
    pub(super) unread: usize,
    pub(super) bytes: usize,
}

impl Base {
    /// `None` when the partition had no object.
    pub(crate) fn new(snapshot: &Arc<Snapshot>, partition: PartitionId) -> Option<Self> {
        let range = snapshot.objects(partition);
        let (bytes, unread) = (snapshot.sizes(&range), range.len());
        (unread > 0).then(|| Base { snapshot: snapshot.clone(), partition, range, unread, bytes })
    }

    /// Where an object stands.
    pub(super) fn position(&self, id: ObjectId) -> Option<u32> {
        self.snapshot.position(&record::object_id(self.partition, id)).filter(|at| self.range.contains(at))
    }

    /// It is in memory, or gone.
    pub(super) fn cover(&mut self, at: u32) {
        let size = self.snapshot.row(at).map_or(0, |row| row.size as usize);
        self.unread = self.unread.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }

    /// Every object there was, with its version.
    pub(super) fn versions(&self) -> impl Iterator<Item = (ObjectId, u64)> + '_ {
        let rows = self.range.clone().filter_map(|at| self.snapshot.row(at));
        rows.map(|row| (ObjectId(row.id.id), row.member.version))
    }

    /// Gives `place` every unread object with its shape and size, and returns their marks with the numbers that it answers.
    pub(super) fn describe(
        &self,
        counts: impl Fn(&ObjectId) -> bool,
        mut place: impl FnMut(ObjectId, &Arc<Shape>, usize) -> Option<u32>,
    ) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut number = |at: u32| {
            let row = self.snapshot.row(at)?;
            let shape = self.snapshot.shapes.get(row.shape as usize)?;
            Some(ObjectId(row.id.id)).filter(&counts).and_then(|id| place(id, shape, row.size as usize))
        };
        let numbers: Vec<Option<u32>> = self.range.clone().map(&mut number).collect();
        self.snapshot.marks.iter().filter_map(move |(mark, at)| {
            let here = at.checked_sub(self.range.start)?;
            numbers.get(here as usize).copied().flatten().map(|number| (mark, number))
        })
    }

    /// The first objects that may match, before `until`, and that `counts` says are unread. When the search compares nothing,
    /// they do match.
    pub(super) fn candidates(
        &self,
        search: &Search<'_>,
        until: Option<ObjectId>,
        counts: impl Fn(&ObjectId) -> bool,
    ) -> Vec<ObjectId> {
        let snapshot = &self.snapshot;
        let shapes: Vec<u32> =
            (0..).zip(&snapshot.shapes).filter(|(_, shape)| search.may_be(shape)).map(|(n, _)| n).collect();
        let shape = |n: &u32| snapshot.shapes.get(*n as usize).map(|shape| &**shape);
        let marks = search.marks(shapes.iter().filter_map(shape));
        let within = self.rest(search.after, until);
        let unread = |at: u32| snapshot.object_id(at).filter(&counts);
        let rarest = marks.iter().map(|mark| snapshot.marks.of(*mark, &within)).min_by_key(ExactSizeIterator::len);
        if let Some(marked) = rarest {
            let possible = |at: &u32| snapshot.row(*at).is_some_and(|row| shapes.contains(&row.shape));
            return marked.filter(possible).filter_map(unread).take(search.max).collect();
        }
        let alike = shapes.iter().flat_map(|n| snapshot.alike.of(*n, &within).filter_map(unread).take(search.max));
        let mut found: Vec<_> = alike.collect();
        found.sort_unstable();
        found.truncate(search.max);
        found
    }

    /// What stands after one object and before another.
    fn rest(&self, after: After, until: Option<ObjectId>) -> Range<u32> {
        let place = |id| self.snapshot.lower(&record::object_id(self.partition, id));
        let from = after.map_or(self.range.start, |id| {
            place(id).saturating_add(u32::from(self.position(id).is_some())).clamp(self.range.start, self.range.end)
        });
        let to = until.map_or(self.range.end, |id| place(id).clamp(from, self.range.end));
        from..to
    }
}
