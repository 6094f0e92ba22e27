//! A set of objects that answers searches from an index: finding one takes the same time among ten and among a million.
//!
//! There are two indexes. [`Shape`]s answer for truth values and numbers: few shapes, each with its objects. Marks answer for
//! byte strings: a hash of an attribute with its value leads to the objects that have it. A search follows the mark that
//! fewest objects have and compares those; one that names no byte string compares no object at all. A mark is four bytes, so
//! two values may share one: it says where to look, never what matches. Who makes many values collide slows searches for
//! those, as does who gives many objects the same label.
//!
//! A set may stand on a [`Base`] of objects that are not in memory yet: see there.

use super::Object;
use super::base::Base;
use super::shape::{Shape, tells_apart};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::{Attribute, ObjectId, Template, Value};
#[expect(deprecated, reason = "SipHash-2-4 of core; what replaces it is in std")]
use core::hash::{Hasher, SipHasher};
use core::ops::Bound;

/// How far marks are counted to learn which one fewest objects have.
const PROBE: usize = 256;

/// Where a search goes on: after this object, or at the beginning.
pub(crate) type After = Option<ObjectId>;

/// See the module.
pub(crate) struct Objects<K> {
    objects: BTreeMap<ObjectId, Arc<Object<K>>>,
    shapes: BTreeMap<Arc<Shape>, BTreeSet<ObjectId>>,
    marks: BTreeSet<(u32, ObjectId)>,
    bytes: usize,
    base: Option<Base>,
    /// Objects of the base that were removed.
    gone: BTreeSet<ObjectId>,
}

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Objects {
            objects: BTreeMap::new(),
            shapes: BTreeMap::new(),
            marks: BTreeSet::new(),
            bytes: 0,
            base: None,
            gone: BTreeSet::new(),
        }
    }
}

/// One page of a search.
pub(crate) struct Search<'a> {
    pub template: &'a Template,
    pub after: After,
    /// Ids at most.
    pub max: usize,
    /// Whether private objects are found.
    pub sees_private: bool,
}

impl Search<'_> {
    fn shows(&self, shape: &Shape) -> bool {
        self.sees_private || !shape.is_private()
    }

    /// Whether objects of this shape may match.
    pub(super) fn may_be(&self, shape: &Shape) -> bool {
        self.shows(shape) && shape.may_match(self.template)
    }

    /// Whether a shape does not tell all.
    fn compares(&self) -> bool {
        self.template.0.iter().any(tells_apart)
    }

    /// The marks of what is looked for among objects of these shapes.
    pub(super) fn marks<'s>(&self, mut shapes: impl Iterator<Item = &'s Shape>) -> Vec<u32> {
        // A secret that may be read is compared with the value that is looked for, and has no mark.
        let secrets = shapes.any(|shape| shape.has_secret() && shape.is_readable());
        let leads = |a: &&Attribute| tells_apart(a) && !(secrets && a.kind.is_secret());
        self.template.0.iter().filter(leads).map(mark).collect()
    }
}

impl<K> Objects<K> {
    /// A set of what a snapshot knows.
    pub(crate) fn stand_on(&mut self, base: Option<Base>) {
        self.base = base;
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len().saturating_add(self.base.as_ref().map_or(0, |base| base.unread))
    }

    /// The sum of their [`Object::size`].
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.saturating_add(self.base.as_ref().map_or(0, |base| base.bytes))
    }

    /// Every object with its version.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (ObjectId, u64)> + '_ {
        let known = self.objects.values().map(|object| (object.id, object.version));
        let unread = self.base.iter().flat_map(Base::versions).filter(|(id, _)| !self.covers(id));
        known.chain(unread)
    }

    /// Those in memory after one of them, in the order of their ids.
    pub(crate) fn after(&self, after: After) -> impl Iterator<Item = &Arc<Object<K>>> {
        self.objects
            .range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
            .map(|(_, object)| object)
    }

    /// Those that only the store has.
    pub(crate) fn unread(&self) -> Vec<ObjectId> {
        self.base.iter().flat_map(Base::versions).map(|(id, _)| id).filter(|id| !self.covers(id)).collect()
    }

    /// An object that is in memory.
    pub(crate) fn get(&self, id: ObjectId) -> Option<Arc<Object<K>>> {
        self.objects.get(&id).cloned()
    }

    /// Whether there is such an object, and only the store has it.
    pub(crate) fn is_unread(&self, id: ObjectId) -> bool {
        !self.covers(&id) && self.base.as_ref().is_some_and(|base| base.position(id).is_some())
    }

    /// Puts an object that was read, unless a later version is there already, or it is gone.
    pub(crate) fn put_read(&mut self, object: Arc<Object<K>>) {
        if self.is_unread(object.id) {
            self.put(object);
        }
    }

    pub(crate) fn put(&mut self, object: Arc<Object<K>>) {
        self.remove(object.id);
        self.gone.remove(&object.id);
        let object = self.sharing_shape(object);
        self.shapes.entry(object.shape.clone()).or_default().insert(object.id);
        self.marks.extend(marks_of(&object).map(|mark| (mark, object.id)));
        self.bytes = self.bytes.saturating_add(object.size());
        self.objects.insert(object.id, object);
    }

    pub(crate) fn remove(&mut self, id: ObjectId) {
        let covered = self.covers(&id);
        if let Some(base) = &mut self.base
            && let Some(at) = base.position(id)
        {
            if !covered {
                base.cover(at);
            }
            self.gone.insert(id);
        }
        let Some(old) = self.objects.remove(&id) else { return };
        self.bytes = self.bytes.saturating_sub(old.size());
        for mark in marks_of(&old) {
            self.marks.remove(&(mark, id));
        }
        if let Some(alike) = self.shapes.get_mut(&old.shape) {
            alike.remove(&id);
            if alike.is_empty() {
                self.shapes.remove(&old.shape);
            }
        }
    }

    /// Of a set without a base.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Object<K>) -> bool) {
        let gone: Vec<ObjectId> = self.objects.values().filter(|o| !keep(o)).map(|o| o.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    /// The first ids that match, rising; or, as an error, objects that must be read before that can be said.
    pub(crate) fn find(&self, search: &Search<'_>) -> Result<Vec<ObjectId>, Vec<ObjectId>> {
        let mut found = self.find_known(search);
        let Some(base) = &self.base else { return Ok(found) };
        // What comes after a full page is of no interest.
        let until = if found.len() >= search.max { found.last().copied() } else { None };
        let mut unread = base.candidates(search, until, |id| !self.covers(id));
        if search.compares() {
            return if unread.is_empty() { Ok(found) } else { Err(unread) };
        }
        found.append(&mut unread);
        found.sort_unstable();
        found.truncate(search.max);
        Ok(found)
    }

    fn find_known(&self, search: &Search<'_>) -> Vec<ObjectId> {
        let possible = self.shapes.iter().filter(|(shape, _)| search.may_be(shape));
        let shapes: Vec<_> = possible.collect();
        if shapes.is_empty() {
            return Vec::new();
        }
        let marks = search.marks(shapes.iter().map(|(shape, _)| &***shape));
        let fits = |object: &Arc<Object<K>>| search.shows(&object.shape) && object.matches(search.template);
        let matches = |id: &ObjectId| self.objects.get(id).is_some_and(fits);
        if let Some(mark) = self.rarest(&marks, search.after) {
            return self.marked(mark, search.after).filter(matches).take(search.max).collect();
        }
        let chosen = |id: &&ObjectId| !search.compares() || matches(id);
        let rest = (search.after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let alike = shapes.iter().flat_map(|(_, alike)| alike.range(rest).filter(chosen).take(search.max));
        let mut found: Vec<_> = alike.copied().collect();
        found.sort_unstable();
        found.truncate(search.max);
        found
    }

    /// The mark that fewest objects have, as far as is worth knowing.
    fn rarest(&self, marks: &[u32], after: After) -> Option<u32> {
        let mut paths: Vec<_> = marks.iter().map(|mark| (*mark, self.marked(*mark, after))).collect();
        let steps = if marks.len() > 1 { PROBE } else { 0 };
        for _ in 0..steps {
            let ended = paths.iter_mut().find_map(|(mark, path)| path.next().is_none().then_some(*mark));
            if ended.is_some() {
                return ended;
            }
        }
        marks.first().copied()
    }

    /// The objects in memory with a mark, rising.
    fn marked(&self, mark: u32, after: After) -> impl Iterator<Item = ObjectId> + '_ {
        let from = after.map_or(Bound::Included((mark, ObjectId([0; 16]))), |id| Bound::Excluded((mark, id)));
        self.marks.range((from, Bound::Included((mark, ObjectId([0xff; 16]))))).map(|(_, id)| *id)
    }

    /// Whether the base does not speak for it.
    fn covers(&self, id: &ObjectId) -> bool {
        self.objects.contains_key(id) || self.gone.contains(id)
    }

    /// The object with the one copy of its shape.
    fn sharing_shape(&self, mut object: Arc<Object<K>>) -> Arc<Object<K>> {
        let Some((known, _)) = self.shapes.get_key_value(&object.shape) else { return object };
        if Arc::ptr_eq(known, &object.shape) {
            return object;
        }
        if let Some(sole) = Arc::get_mut(&mut object) {
            sole.shape = known.clone();
            return object;
        }
        Arc::new(object.with_shape(known.clone()))
    }

    /// Gives `place` every object with its shape and size, and returns all marks with the numbers that it answers.
    pub(crate) fn describe(
        &self,
        mut place: impl FnMut(ObjectId, &Arc<Shape>, usize) -> Option<u32>,
    ) -> Vec<(u32, u32)> {
        let mut marks = Vec::new();
        for object in self.objects.values() {
            if let Some(number) = place(object.id, &object.shape, object.size()) {
                marks.extend(marks_of(object).map(|mark| (mark, number)));
            }
        }
        if let Some(base) = &self.base {
            marks.extend(base.describe(|id| !self.covers(id), place));
        }
        marks
    }

    /// Whether the indexes lead nowhere.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.marks.is_empty() && self.shapes.is_empty() && self.objects.is_empty()
    }
}

fn marks_of<K>(object: &Object<K>) -> impl Iterator<Item = u32> + '_ {
    object.own.iter().map(mark)
}

/// Where objects with this attribute are looked for.
#[expect(deprecated, reason = "as above")]
fn mark(attribute: &Attribute) -> u32 {
    let mut hasher = SipHasher::new();
    hasher.write_u32(attribute.kind.0);
    if let Value::Bytes(bytes) = &attribute.value {
        hasher.write(bytes);
    }
    (hasher.finish() & u64::from(u32::MAX)) as u32
}
