//! What many objects have alike: a hundred thousand keys of one kind differ in a handful of byte strings only.
//!
//! An object's attributes are therefore two lists: its [`Shape`], which a set of objects keeps once for all that have it, and
//! those of its own. A shape holds every truth value and number, so a search for such attributes is a search among the few
//! shapes, and whether an object may be seen at all is told by its shape.

use alloc::vec::Vec;
use coloa_wire::attribute::class;
use coloa_wire::{Attribute, AttributeType, Template, Value};
use core::cmp::Ordering;

/// Byte strings that name a family of keys, not one of them.
const FAMILY: [AttributeType; 2] = [AttributeType::EC_PARAMS, AttributeType::PUBLIC_EXPONENT];

/// Whether objects are told apart by such a value; all others are part of their shape.
pub(super) fn tells_apart(attribute: &Attribute) -> bool {
    match &attribute.value {
        Value::Bytes(bytes) => !bytes.is_empty() && !FAMILY.contains(&attribute.kind),
        Value::Bool(_) | Value::Uint(_) | Value::Uints(_) | Value::Template(_) => false,
    }
}

/// Attributes that tell nobody apart, sorted by type.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Shape(Vec<Attribute>);

impl Shape {
    /// Parts attributes into their shape and those that are one object's own, both sorted by type.
    pub(super) fn part(mut attributes: Vec<Attribute>) -> (Shape, Vec<Attribute>) {
        attributes.sort_by_key(|a| a.kind);
        let (mut own, mut shape): (Vec<_>, Vec<_>) = attributes.into_iter().partition(tells_apart);
        own.shrink_to_fit();
        shape.shrink_to_fit();
        (Shape(shape), own)
    }

    /// Of attributes that tell nobody apart.
    pub(crate) fn of(mut template: Template) -> Self {
        let mut attributes = core::mem::take(&mut template.0);
        attributes.sort_by_key(|a| a.kind);
        Shape(attributes)
    }

    pub(crate) fn attributes(&self) -> &[Attribute] {
        &self.0
    }

    pub(super) fn value(&self, kind: AttributeType) -> Option<&Value> {
        value_in(&self.0, kind)
    }

    fn flag(&self, kind: AttributeType) -> bool {
        self.value(kind) == Some(&Value::Bool(true))
    }

    pub(super) fn is_private(&self) -> bool {
        self.flag(AttributeType::PRIVATE)
    }

    pub(super) fn class(&self) -> u64 {
        match self.value(AttributeType::CLASS) {
            Some(Value::Uint(class)) => *class,
            _ => u64::MAX,
        }
    }

    /// Whether objects of this shape keep their value apart from their attributes.
    pub(super) fn has_secret(&self) -> bool {
        matches!(self.class(), class::PRIVATE_KEY | class::SECRET_KEY)
    }

    /// See `Object::is_readable`.
    pub(super) fn is_readable(&self) -> bool {
        !self.has_secret() || !self.flag(AttributeType::SENSITIVE) && self.flag(AttributeType::EXTRACTABLE)
    }

    /// Whether an object of this shape may match: whether everything that is asked for and that a shape tells is so.
    pub(super) fn may_match(&self, template: &Template) -> bool {
        template.0.iter().filter(|a| !tells_apart(a)).all(|a| self.value(a.kind) == Some(&a.value))
    }
}

/// The value of an attribute in a list sorted by type.
pub(super) fn value_in(sorted: &[Attribute], kind: AttributeType) -> Option<&Value> {
    let at = sorted.binary_search_by_key(&kind, |a| a.kind).ok()?;
    sorted.get(at).map(|a| &a.value)
}

impl Ord for Shape {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_attribute = |(a, b): (&Attribute, &Attribute)| a.kind.cmp(&b.kind).then_with(|| a.value.cmp(&b.value));
        let differs = || self.0.iter().zip(&other.0).map(by_attribute).find(|order| order.is_ne());
        self.0.len().cmp(&other.0.len()).then_with(|| differs().unwrap_or(Ordering::Equal))
    }
}

impl PartialOrd for Shape {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
