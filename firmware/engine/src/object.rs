//! Objects in memory, and the index that finds them.

use crate::allowance::Allowance;
use crate::keypair::{self, Described};
use crate::record::ObjectRecord;
use crate::{Crypto, KeyKind, PairKind};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::{Attribute, AttributeType, ErrorCode, ObjectId, Template, Value};
use core::ops::Bound;
use once_cell::race::OnceBox;
use zeroize::Zeroizing;

/// An object as it was at one version. Changing it makes another; whoever holds this one keeps a snapshot.
pub struct Object<K> {
    pub(crate) id: ObjectId,
    /// 0 for a session object, which is not stored.
    pub(crate) version: u64,
    /// Sorted by type, without the secret.
    attributes: Vec<Attribute>,
    secret: Zeroizing<Vec<u8>>,
    key: OnceBox<K>,
    allowance: Arc<Allowance>,
    /// Its encryptions are counted in the store.
    durable: bool,
}

impl<K> Object<K> {
    pub(crate) fn new(id: ObjectId, version: u64, attributes: Template, secret: Zeroizing<Vec<u8>>) -> Self {
        let mut attributes = attributes.0;
        attributes.sort_by_key(|a| a.kind);
        Object { id, version, attributes, secret, key: OnceBox::new(), allowance: Arc::default(), durable: version > 0 }
    }

    /// A copy or a later version of another object: the same key, whose encryptions are counted together.
    pub(crate) fn sharing(self, original: &Object<K>) -> Self {
        let durable = self.durable || original.durable;
        Object { allowance: original.allowance.clone(), durable, ..self }
    }

    pub(crate) fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    pub(crate) fn counts_durably(&self) -> bool {
        self.durable
    }

    pub(crate) fn from_record(id: ObjectId, version: u64, mut record: ObjectRecord) -> Self {
        let secret = Zeroizing::new(core::mem::take(&mut record.secret));
        Object::new(id, version, core::mem::take(&mut record.attributes), secret)
    }

    pub(crate) fn to_record(&self) -> ObjectRecord {
        ObjectRecord { attributes: self.attributes(), secret: self.secret.to_vec() }
    }

    pub(crate) fn attributes(&self) -> Template {
        Template(self.attributes.clone())
    }

    pub(crate) fn secret(&self) -> &Zeroizing<Vec<u8>> {
        &self.secret
    }

    /// The value of an attribute that is not the secret.
    pub(crate) fn value(&self, kind: AttributeType) -> Option<&Value> {
        let at = self.attributes.binary_search_by_key(&kind, |a| a.kind).ok()?;
        self.attributes.get(at).map(|a| &a.value)
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
        self.flag(AttributeType::PRIVATE)
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.version > 0
    }

    pub(crate) fn class(&self) -> u64 {
        self.number(AttributeType::CLASS).unwrap_or(u64::MAX)
    }

    /// Whether the secret may be read in plaintext (PKCS#11 §4.9): never on a strict partition, whose templates see to it.
    pub(crate) fn is_readable(&self) -> bool {
        match self.class() {
            class::PRIVATE_KEY | class::SECRET_KEY => {
                !self.flag(AttributeType::SENSITIVE) && self.flag(AttributeType::EXTRACTABLE)
            }
            _ => true,
        }
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
        let size = |a: &Attribute| size_of_value(&a.value);
        self.attributes.iter().map(size).fold(OBJECT.saturating_add(self.secret.len()), usize::saturating_add)
    }

    pub(crate) fn has_secret_value(&self) -> bool {
        matches!(self.class(), class::PRIVATE_KEY | class::SECRET_KEY)
    }
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

/// A set of objects with an index by label and id, so that finding by those takes the same time at any size.
pub(crate) struct Objects<K> {
    objects: BTreeMap<ObjectId, Arc<Object<K>>>,
    index: BTreeMap<(AttributeType, Vec<u8>), BTreeSet<ObjectId>>,
    bytes: usize,
}

const INDEXED: [AttributeType; 2] = [AttributeType::LABEL, AttributeType::ID];

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Objects { objects: BTreeMap::new(), index: BTreeMap::new(), bytes: 0 }
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
        for key in index_keys(&object) {
            self.index.entry(key).or_default().insert(object.id);
        }
        self.bytes = self.bytes.saturating_add(object.size());
        self.objects.insert(object.id, object);
    }

    pub(crate) fn remove(&mut self, id: ObjectId) {
        let Some(old) = self.objects.remove(&id) else { return };
        self.bytes = self.bytes.saturating_sub(old.size());
        for key in index_keys(&old) {
            if let Some(ids) = self.index.get_mut(&key) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.index.remove(&key);
                }
            }
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Object<K>) -> bool) {
        let gone: Vec<ObjectId> = self.objects.values().filter(|o| !keep(o)).map(|o| o.id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    /// The ids after `after`, rising, of at most `max` objects that match and that `visible` lets through.
    pub(crate) fn find(
        &self,
        template: &Template,
        after: Option<ObjectId>,
        max: usize,
        visible: impl Fn(&Object<K>) -> bool,
    ) -> Vec<ObjectId> {
        let accept = |object: &Object<K>| visible(object) && object.matches(template);
        let rest = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        match indexed_key(template) {
            Some(key) => match self.index.get(&key) {
                Some(ids) => {
                    let known = |id: &&ObjectId| self.objects.get(id).is_some_and(|object| accept(object));
                    ids.range(rest).filter(known).take(max).copied().collect()
                }
                None => Vec::new(),
            },
            None => self.objects.range(rest).filter(|(_, o)| accept(o)).map(|(id, _)| *id).take(max).collect(),
        }
    }
}

fn index_keys<K>(object: &Object<K>) -> Vec<(AttributeType, Vec<u8>)> {
    INDEXED.iter().filter_map(|kind| object.bytes(*kind).map(|b| (*kind, b.to_vec()))).collect()
}

fn indexed_key(template: &Template) -> Option<(AttributeType, Vec<u8>)> {
    INDEXED.iter().find_map(|kind| match template.value(*kind) {
        Some(Value::Bytes(b)) => Some((*kind, b.clone())),
        _ => None,
    })
}
