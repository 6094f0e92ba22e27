//! The index against a plain scan: whatever was put, changed and removed, both find the same, page by page.

use super::{Base, Object, Objects, Search, Shape};
use crate::record::ObjectRecord;
use crate::root::{Member, SetHash};
use crate::snapshot::{Pairs, Row, Snapshot};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::class;
use coloa_wire::{Attribute, AttributeType as A, ObjectId, PartitionId, Template, Value};
use proptest::collection::vec as many;
use proptest::option::of;
use proptest::prelude::*;
use zeroize::Zeroizing;

/// What an engine stored that knew no states.
#[test]
fn a_key_without_a_state_is_active() {
    let read = |class: u64| {
        let attributes = Template::default().with(A::CLASS, class);
        Object::<()>::from_record(ObjectId([1; 16]), 1, ObjectRecord { attributes, secret: vec![] })
    };
    assert_eq!(read(class::SECRET_KEY).number(A::STATE), Some(2));
    assert_eq!(read(class::CERTIFICATE).number(A::STATE), None);
}

/// What was put, by id: attributes and secret.
type Model = BTreeMap<ObjectId, (Template, Vec<u8>)>;

#[derive(Clone, Debug)]
enum Step {
    Put {
        id: u8,
        template: Vec<(A, Given)>,
        secret: u8,
    },
    Remove(u8),
    /// As a logout does.
    KeepPublic,
    /// A snapshot is taken, and the set is opened from it.
    Reopen,
}

const PARTITION: PartitionId = PartitionId([3; 16]);

/// A set, and where it reads objects that are not in memory.
#[derive(Default)]
struct Set {
    objects: Objects<()>,
    store: BTreeMap<ObjectId, Arc<Object<()>>>,
}

impl Set {
    fn reopen(&mut self) {
        let mut shapes = Vec::<Arc<Shape>>::new();
        let member = Member { version: 1, element: SetHash::default() };
        let mut ids: Vec<_> = self.objects.versions().map(|(id, _)| crate::record::object_id(PARTITION, id)).collect();
        ids.sort();
        let mut rows: Vec<_> = ids.into_iter().map(|id| Row { id, member, shape: u32::MAX, size: 0 }).collect();
        let marks = Pairs::sorted(self.objects.describe(|id, shape, size| {
            let at = rows.iter().position(|row| row.id.id == id.0)?;
            let known = shapes.iter().position(|known| known == shape);
            let number = known.unwrap_or_else(|| {
                shapes.push(shape.clone());
                shapes.len() - 1
            });
            (rows[at].shape, rows[at].size) = (number as u32, size as u32);
            Some(at as u32)
        }));
        let snapshot = Arc::new(Snapshot::new(1, SetHash::default(), shapes, &rows, marks));
        self.objects = Objects::default();
        self.objects.stand_on(Base::new(&snapshot, PARTITION));
    }

    fn find(&mut self, search: &Search<'_>) -> Vec<ObjectId> {
        loop {
            match self.objects.find(search) {
                Ok(found) => return found,
                Err(unread) => {
                    assert!(!unread.is_empty() && unread.len() <= search.max);
                    unread.iter().for_each(|id| self.objects.put_read(self.store[id].clone()));
                }
            }
        }
    }
}

/// A [`Value`] that a failing test can show; real ones may hold secrets.
#[derive(Clone, PartialEq, Debug)]
enum Given {
    Bool(bool),
    Uint(u64),
    Bytes(Vec<u8>),
    Uints(Vec<u64>),
}

impl Given {
    fn value(&self) -> Value {
        match self.clone() {
            Given::Bool(value) => Value::Bool(value),
            Given::Uint(value) => Value::Uint(value),
            Given::Bytes(value) => Value::Bytes(value),
            Given::Uints(value) => Value::Uints(value),
        }
    }
}

fn id(n: u8) -> ObjectId {
    ObjectId([n.wrapping_mul(37); 16])
}

/// Values of few kinds, so that many objects share each.
fn attribute() -> impl Strategy<Value = (A, Given)> {
    let bytes = prop_oneof![Just(vec![]), Just(vec![1]), Just(vec![2]), Just(vec![1, 2])];
    let named = prop_oneof![Just(A::LABEL), Just(A::ID), Just(A::SUBJECT), Just(A::EC_PARAMS), Just(A::VALUE)];
    let flags = prop_oneof![Just(A::PRIVATE), Just(A::SENSITIVE), Just(A::EXTRACTABLE), Just(A::TOKEN)];
    let classes = prop_oneof![Just(class::DATA), Just(class::PUBLIC_KEY), Just(class::SECRET_KEY)];
    prop_oneof![
        4 => (named, bytes).prop_map(|(kind, value)| (kind, Given::Bytes(value))),
        2 => (flags, any::<bool>()).prop_map(|(kind, value)| (kind, Given::Bool(value))),
        1 => classes.prop_map(|value| (A::CLASS, Given::Uint(value))),
        1 => many(0..2u64, 0..2).prop_map(|list| (A::ALLOWED_MECHANISMS, Given::Uints(list))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let put = (0..12u8, many(attribute(), 0..8), 1..3u8);
    prop_oneof![
        6 => put.prop_map(|(id, template, secret)| Step::Put { id, template, secret }),
        2 => (0..12u8).prop_map(Step::Remove),
        1 => Just(Step::KeepPublic),
        2 => Just(Step::Reopen),
    ]
}

/// The first attribute of a type counts; a key's value is its secret.
fn template_of(given: &[(A, Given)], is_object: bool) -> Template {
    let hidden =
        given.iter().find(|(kind, _)| *kind == A::CLASS).is_some_and(|(_, v)| *v == Given::Uint(class::SECRET_KEY));
    let mut template = Template::default();
    for (kind, value) in given {
        if !is_object || template.value(*kind).is_none() && !(hidden && *kind == A::VALUE) {
            template.0.push(Attribute { kind: *kind, value: value.value() });
        }
    }
    template
}

fn is_private(template: &Template) -> bool {
    template.value(A::PRIVATE) == Some(&Value::Bool(true))
}

/// PKCS#11 §5.7.7, read literally.
fn fits(wanted: &Attribute, (object, secret): &(Template, Vec<u8>)) -> bool {
    let flag = |kind| object.value(kind) == Some(&Value::Bool(true));
    let hidden = object.value(A::CLASS) == Some(&Value::Uint(class::SECRET_KEY));
    if hidden && wanted.kind == A::VALUE {
        return !flag(A::SENSITIVE) && flag(A::EXTRACTABLE) && wanted.value == Value::Bytes(secret.clone());
    }
    object.value(wanted.kind) == Some(&wanted.value)
}

fn scan(model: &Model, wanted: &Template, sees_private: bool) -> Vec<ObjectId> {
    let all = model.iter().filter(|(_, object)| sees_private || !is_private(&object.0));
    all.filter(|(_, object)| wanted.0.iter().all(|a| fits(a, object))).map(|(id, _)| *id).collect()
}

fn search(set: &mut Set, wanted: &Template, page: usize, sees_private: bool) -> Vec<ObjectId> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let ids = set.find(&Search { template: wanted, after, max: page, sees_private });
        assert!(ids.len() <= page);
        let Some(last) = ids.last() else { return found };
        after = Some(*last);
        found.extend(ids);
    }
}

fn carry_out(step: &Step, set: &mut Set, model: &mut Model) {
    match step {
        Step::Put { id: n, template, secret } => {
            let (template, secret) = (template_of(template, true), vec![*secret]);
            let object = Arc::new(Object::new(id(*n), 1, template.clone(), Zeroizing::new(secret.clone())));
            set.objects.put(object.clone());
            set.store.insert(id(*n), object);
            model.insert(id(*n), (template, secret));
        }
        Step::Remove(n) => {
            set.objects.remove(id(*n));
            model.remove(&id(*n));
        }
        Step::KeepPublic => {
            let gone: Vec<_> = model.iter().filter(|(_, object)| is_private(&object.0)).map(|(id, _)| *id).collect();
            gone.iter().for_each(|id| set.objects.remove(*id));
            set.objects.retain(|object| !object.is_private());
            model.retain(|_, object| !is_private(&object.0));
        }
        Step::Reopen => set.reopen(),
    }
}

fn after_steps(steps: &[Step]) -> (Set, Model) {
    let (mut set, mut model) = (Set::default(), Model::new());
    steps.iter().for_each(|step| carry_out(step, &mut set, &mut model));
    (set, model)
}

proptest! {
    #[test]
    fn the_index_finds_what_a_scan_finds(
        steps in many(step(), 0..40),
        searches in many((many(attribute(), 0..4), 1..5usize, any::<bool>()), 1..12),
    ) {
        let (mut set, model) = after_steps(&steps);
        let mut ids: Vec<_> = set.objects.versions().map(|(id, _)| id).collect();
        ids.sort();
        prop_assert!(ids.iter().eq(model.keys()));
        let size: usize = model.keys().map(|id| set.store[id].size()).sum();
        prop_assert_eq!((set.objects.len(), set.objects.bytes()), (model.len(), size));
        for (wanted, page, sees_private) in &searches {
            let wanted = template_of(wanted, false);
            let kinds: Vec<_> = wanted.0.iter().map(|a| a.kind).collect();
            let found = search(&mut set, &wanted, *page, *sees_private);
            prop_assert_eq!(found, scan(&model, &wanted, *sees_private), "{:?}", kinds);
        }
        prop_assert_eq!((set.objects.len(), set.objects.bytes()), (model.len(), size));
    }

    /// Nothing is left behind that could be found, or that takes room.
    #[test]
    fn what_is_removed_is_gone(steps in many(step(), 0..40), wanted in of(attribute())) {
        let (mut set, model) = after_steps(&steps);
        model.keys().for_each(|id| set.objects.remove(*id));
        let wanted = template_of(wanted.as_slice(), false);
        prop_assert!(search(&mut set, &wanted, 9, true).is_empty());
        prop_assert_eq!((set.objects.len(), set.objects.bytes()), (0, 0));
        prop_assert!(set.objects.is_clean());
    }
}
