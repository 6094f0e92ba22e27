//! Objects in memory, and the index that finds them.

mod base;
mod index;
mod shape;
#[cfg(test)]
mod tests;

use crate::allowance::Allowance;
use crate::keypair::{self, Described};
use crate::record::ObjectRecord;
use crate::{Crypto, KeyKind, PairKind};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
pub(crate) use base::Base;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::KeyState;
use coloa_wire::{Attribute, AttributeType, ErrorCode, ObjectId, Template, Value};
pub(crate) use index::{Objects, Search};
use once_cell::race::OnceBox;
pub(crate) use shape::Shape;
use zeroize::Zeroizing;

/// An object as it was at one version. Changing it makes another; whoever holds this one keeps a snapshot.
pub struct Object<K> {
    pub(crate) id: ObjectId,
    /// 0 for a session object, which is not stored.
    pub(crate) version: u64,
    /// The attributes it has in common with others, and those of its own; neither has the secret.
    shape: Arc<Shape>,
    own: Vec<Attribute>,
    secret: Zeroizing<Vec<u8>>,
    key: OnceBox<K>,
    allowance: Arc<Allowance>,
    /// Its encryptions are counted in the store.
    durable: bool,
    /// The stored key that this one, of a session, is a copy of: its state counts too.
    origin: Option<ObjectId>,
}

impl<K> Object<K> {
    pub(crate) fn new(id: ObjectId, version: u64, attributes: Template, secret: Zeroizing<Vec<u8>>) -> Self {
        let (shape, own) = Shape::part(attributes.0);
        let (shape, durable) = (Arc::new(shape), version > 0);
        Object {
            id,
            version,
            shape,
            own,
            secret,
            key: OnceBox::new(),
            allowance: Arc::default(),
            durable,
            origin: None,
        }
    }

    /// A copy or a later version of another object: the same key, whose encryptions are counted together.
    pub(crate) fn sharing(self, original: &Object<K>) -> Self {
        let durable = self.durable || original.durable;
        let copied = original.is_stored() && original.id != self.id;
        let origin = if copied { Some(original.id) } else { original.origin };
        Object { allowance: original.allowance.clone(), durable, origin, ..self }
    }

    /// The same object, with an equal shape in place of its own.
    fn with_shape(&self, shape: Arc<Shape>) -> Self {
        let (own, secret, allowance) = (self.own.clone(), self.secret.clone(), self.allowance.clone());
        let Object { id, version, durable, origin, .. } = *self;
        Object { id, version, shape, own, secret, key: OnceBox::new(), allowance, durable, origin }
    }

    pub(crate) fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    pub(crate) fn counts_durably(&self) -> bool {
        self.durable
    }

    pub(crate) fn from_record(id: ObjectId, version: u64, mut record: ObjectRecord) -> Self {
        let secret = Zeroizing::new(core::mem::take(&mut record.secret));
        Object::new(id, version, stated(core::mem::take(&mut record.attributes)), secret)
    }

    /// The stored key whose state counts too.
    pub(crate) fn origin(&self) -> Option<ObjectId> {
        self.origin
    }

    pub(crate) fn to_record(&self) -> ObjectRecord {
        ObjectRecord { attributes: self.attributes(), secret: self.secret.to_vec() }
    }

    pub(crate) fn attributes(&self) -> Template {
        let mut all = [self.shape.attributes(), &self.own].concat();
        all.sort_by_key(|a| a.kind);
        Template(all)
    }

    pub(crate) fn secret(&self) -> &Zeroizing<Vec<u8>> {
        &self.secret
    }

    /// The value of an attribute that is not the secret.
    pub(crate) fn value(&self, kind: AttributeType) -> Option<&Value> {
        self.shape.value(kind).or_else(|| shape::value_in(&self.own, kind))
    }

    pub(crate) fn flag(&self, kind: AttributeType) -> bool {
        matches!(self.value(kind), Some(Value::Bool(true)))
    }

    pub(crate) fn number(&self, kind: AttributeType) -> Option<u64> {
        match self.value(kind) {
            Some(Value::Uint(n)) => Some(*n),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self, kind: AttributeType) -> Option<&[u8]> {
        match self.value(kind) {
            Some(Value::Bytes(b)) => Some(b),
            _ => None,
        }
    }

    /// A template that it keeps for other keys; empty for none.
    pub(crate) fn template(&self, kind: AttributeType) -> &[Attribute] {
        match self.value(kind) {
            Some(Value::Template(list)) => list,
            _ => &[],
        }
    }

    pub(crate) fn is_private(&self) -> bool {
        self.shape.is_private()
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.version > 0
    }

    pub(crate) fn class(&self) -> u64 {
        self.shape.class()
    }

    /// Whether the secret may be read in plaintext (PKCS#11 §4.9): never on a strict partition, whose templates see to it.
    pub(crate) fn is_readable(&self) -> bool {
        self.shape.is_readable()
    }

    /// What pair it is a half of.
    pub(crate) fn pair(&self) -> Option<PairKind> {
        let (key_type, set) = (self.number(AttributeType::KEY_TYPE), self.number(AttributeType::PARAMETER_SET));
        Described { key_type, params: self.bytes(AttributeType::EC_PARAMS), set }.kind().ok()
    }

    /// The parsed key; parsed at the first use and kept.
    pub(crate) fn open<C: Crypto<Key = K>>(&self, crypto: &C) -> Result<&K, ErrorCode> {
        self.key.get_or_try_init(|| {
            let loaded = match (self.class(), self.number(AttributeType::KEY_TYPE)) {
                (class::SECRET_KEY, Some(kind)) => crypto.load(secret_kind(kind), &self.secret),
                (class::PUBLIC_KEY, Some(_)) => {
                    let kind = self.pair().ok_or(ErrorCode::StoreCorrupt)?;
                    crypto.load_public(kind, &keypair::public_of(self, kind).ok_or(ErrorCode::StoreCorrupt)?)
                }
                (class::PRIVATE_KEY, Some(_)) => {
                    crypto.load(KeyKind::Pair(self.pair().ok_or(ErrorCode::StoreCorrupt)?), &self.secret)
                }
                _ => return Err(ErrorCode::KeyTypeInconsistent),
            };
            loaded.map(Box::new).map_err(|_| ErrorCode::StoreCorrupt)
        })
    }

    /// A secret part of the key, if it has that part.
    pub(crate) fn secret_part(&self, part: AttributeType) -> Option<Zeroizing<Vec<u8>>> {
        match self.class() {
            class::PRIVATE_KEY => keypair::secret_part(self.pair()?, &self.secret, part),
            _ => (part == AttributeType::VALUE).then(|| self.secret.clone()),
        }
    }

    /// Whether every attribute of `template` has the same value here.
    pub(crate) fn matches(&self, template: &Template) -> bool {
        template.0.iter().all(|wanted| {
            if wanted.kind.is_secret() && self.has_secret_value() {
                let part = if self.is_readable() { self.secret_part(wanted.kind) } else { None };
                matches!((&wanted.value, part), (Value::Bytes(b), Some(part)) if *b == *part)
            } else {
                self.value(wanted.kind) == Some(&wanted.value)
            }
        })
    }

    /// Roughly the bytes it takes in memory, index and parsed key included.
    pub(crate) fn size(&self) -> usize {
        const OBJECT: usize = 1024;
        let all = self.shape.attributes().iter().chain(&self.own);
        let size = |a: &Attribute| size_of_value(&a.value);
        all.map(size).fold(OBJECT.saturating_add(self.secret.len()), usize::saturating_add)
    }

    pub(crate) fn has_secret_value(&self) -> bool {
        self.shape.has_secret()
    }
}

/// Keys that were stored before keys had a state are active.
fn stated(template: Template) -> Template {
    let is_key =
        matches!(template.value(AttributeType::CLASS), Some(Value::Uint(class::PUBLIC_KEY..=class::SECRET_KEY)));
    let lacks = is_key && template.value(AttributeType::STATE).is_none();
    if lacks { template.with(AttributeType::STATE, KeyState::Active.number()) } else { template }
}

/// Bytes of a value beside those of its attribute.
fn size_of_value(value: &Value) -> usize {
    const ATTRIBUTE: usize = 128;
    match value {
        Value::Bytes(bytes) => bytes.len(),
        Value::Uints(list) => list.len().saturating_mul(8),
        Value::Template(list) => list.iter().map(|a| ATTRIBUTE.saturating_add(size_of_value(&a.value))).sum(),
        Value::Bool(_) | Value::Uint(_) => 0,
    }
}

/// What a secret of this key type is for a provider.
pub(crate) fn secret_kind(kind: u64) -> KeyKind {
    match kind {
        key_type::AES => KeyKind::Aes,
        key_type::AES_XTS => KeyKind::AesXts,
        _ => KeyKind::Hmac,
    }
}
