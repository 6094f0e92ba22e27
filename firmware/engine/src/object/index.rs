//! A set of objects that answers searches from an index: finding one takes the same time among ten and among a million.
//!
//! There are two indexes. [`Shape`]s answer for truth values and numbers: few shapes, each with its objects. Marks answer for
//! byte strings: a hash of an attribute with its value leads to the objects that have it. A search follows the mark that
//! fewest objects have and compares those; one that names no byte string compares no object at all. A mark is four bytes, so
//! two values may share one: it says where to look, never what matches. Who makes many values collide slows searches for
//! those, as does who gives many objects the same label.

use super::Object;
use super::shape::{Shape, tells_apart};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::{Attribute, AttributeType, ObjectId, Template, Value};
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
}

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Objects { objects: BTreeMap::new(), shapes: BTreeMap::new(), marks: BTreeSet::new(), bytes: 0 }
    }
}

impl<K> Objects<K> {
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// The sum of their [`Object::size`].
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.objects.keys().copied()
    }

    pub(crate) fn get(&self, id: ObjectId) -> Option<Arc<Object<K>>> {
        self.objects.get(&id).cloned()
    }

    pub(crate) fn put(&mut self, object: Arc<Object<K>>) {
        self.remove(object.id);
        let object = self.sharing_shape(object);
        self.shapes.entry(object.shape.clone()).or_default().insert(object.id);
        self.marks.extend(marks_of(&object).map(|mark| (mark, object.id)));
        self.bytes = self.bytes.saturating_add(object.size());
        self.objects.insert(object.id, object);
    }

    pub(crate) fn remove(&mut self, id: ObjectId) {
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

    pub(crate) fn retain(&mut self, keep: impl Fn(&Object<K>) -> bool) {
        let gone: Vec<ObjectId> = self.objects.values().filter(|o| !keep(o)).map(|o| o.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    /// Whether the indexes lead nowhere.
    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.marks.is_empty() && self.shapes.is_empty()
    }

    /// The ids after `after`, rising, of at most `max` objects that match; private ones only for who sees them.
    pub(crate) fn find(&self, template: &Template, after: After, max: usize, sees_private: bool) -> Vec<ObjectId> {
        let visible = |shape: &Shape| sees_private || !shape.is_private();
        let possible = |shape: &Shape| visible(shape) && shape.may_match(template);
        let shapes: Vec<_> = self.shapes.iter().filter(|(shape, _)| possible(shape)).collect();
        if shapes.is_empty() {
            return Vec::new();
        }
        // A secret that may be read is compared with the value that is looked for, and has no mark.
        let secrets = shapes.iter().any(|(shape, _)| shape.has_secret() && shape.is_readable());
        let leads = |a: &&Attribute| tells_apart(a) && !(secrets && a.kind == AttributeType::VALUE);
        let marks: Vec<u32> = template.0.iter().filter(leads).map(mark).collect();
        let matches = |id: &ObjectId| {
            self.objects.get(id).is_some_and(|object| visible(&object.shape) && object.matches(template))
        };
        match self.rarest(&marks, after) {
            Some(mark) => self.marked(mark, after).filter(matches).take(max).collect(),
            None => {
                let compare = template.0.iter().any(tells_apart);
                let chosen = |id: &&ObjectId| !compare || matches(id);
                let alike = shapes.iter().flat_map(|(_, alike)| alike.range(rest(after)).filter(chosen).take(max));
                let mut found: Vec<_> = alike.copied().collect();
                found.sort_unstable();
                found.truncate(max);
                found
            }
        }
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

    /// The objects with a mark, rising.
    fn marked(&self, mark: u32, after: After) -> impl Iterator<Item = ObjectId> + '_ {
        let from = after.map_or(Bound::Included((mark, ObjectId([0; 16]))), |id| Bound::Excluded((mark, id)));
        self.marks.range((from, Bound::Included((mark, ObjectId([0xff; 16]))))).map(|(_, id)| *id)
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
}

fn rest(after: After) -> (Bound<ObjectId>, Bound<ObjectId>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
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
