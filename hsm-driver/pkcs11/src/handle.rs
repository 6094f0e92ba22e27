//! Object handles: numbers of this module for the engine's object ids, and what is known of a key.

use crate::key::KeyFacts;
use crate::rv::{Outcome, Rv};
use coloa_wire::ObjectId;
use cryptoki_sys::{CK_OBJECT_HANDLE, CKR_OBJECT_HANDLE_INVALID};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// One slot's handles. A number is never used for a second object.
#[derive(Default)]
pub(crate) struct Handles(RwLock<Table>);

#[derive(Default)]
struct Table {
    objects: HashMap<CK_OBJECT_HANDLE, Entry>,
    numbers: HashMap<ObjectId, CK_OBJECT_HANDLE>,
    last: CK_OBJECT_HANDLE,
}

struct Entry {
    id: ObjectId,
    facts: Option<Arc<KeyFacts>>,
}

impl Handles {
    /// The object's handle, the same one each time.
    pub(crate) fn of(&self, id: ObjectId) -> CK_OBJECT_HANDLE {
        if let Some(known) = self.read().numbers.get(&id) {
            return *known;
        }
        let mut table = self.write();
        let Table { objects, numbers, last } = &mut *table;
        *numbers.entry(id).or_insert_with(|| {
            *last += 1;
            objects.insert(*last, Entry { id, facts: None });
            *last
        })
    }

    /// The object of a handle.
    pub(crate) fn id(&self, handle: CK_OBJECT_HANDLE) -> Outcome<ObjectId> {
        self.read().objects.get(&handle).map(|e| e.id).ok_or(Rv(CKR_OBJECT_HANDLE_INVALID))
    }

    /// What is known of a key, when it is known.
    pub(crate) fn facts(&self, handle: CK_OBJECT_HANDLE) -> Option<Arc<KeyFacts>> {
        self.read().objects.get(&handle)?.facts.clone()
    }

    /// Keeps what the engine said of a key.
    pub(crate) fn learn(&self, handle: CK_OBJECT_HANDLE, facts: Arc<KeyFacts>) {
        if let Some(entry) = self.write().objects.get_mut(&handle) {
            entry.facts = Some(facts);
        }
    }

    /// Forgets what is known of one key: its attributes were changed.
    pub(crate) fn unlearn(&self, handle: CK_OBJECT_HANDLE) {
        if let Some(entry) = self.write().objects.get_mut(&handle) {
            entry.facts = None;
        }
    }

    /// Forgets what is known of all keys: who may see them has changed.
    pub(crate) fn unlearn_all(&self) {
        self.write().objects.values_mut().for_each(|e| e.facts = None);
    }

    /// The object is gone.
    pub(crate) fn forget(&self, handle: CK_OBJECT_HANDLE) {
        let mut table = self.write();
        if let Some(entry) = table.objects.remove(&handle) {
            table.numbers.remove(&entry.id);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_stable_and_never_reused() {
        let handles = Handles::default();
        let (a, b) = (ObjectId([1; 16]), ObjectId([2; 16]));
        let first = handles.of(a);
        assert_eq!(handles.of(a), first);
        assert_ne!(handles.of(b), first);
        handles.forget(first);
        assert_eq!(handles.id(first), Err(Rv(CKR_OBJECT_HANDLE_INVALID)));
        assert_ne!(handles.of(a), first);
        assert_eq!(handles.id(0), Err(Rv(CKR_OBJECT_HANDLE_INVALID)));
    }
}
