//! What a big store held at one generation, in the shape that searches need: so that opening it does not mean reading it.
//!
//! A snapshot names every record with its version and its element of the set hash, and of every object its [`Shape`] and its
//! marks; no secret and no attribute that tells objects apart is in it. It is sealed and lies outside the store, with the
//! body ([`crate::Platform::snapshot`]), and nothing depends on it but speed: together with what changed since, it must add
//! up to the root's set hash, or everything is read as if there were none. So the set of records is the right one before
//! anything is served. What it puts off is reading an object until somebody asks for it: then the record must be the one the
//! set names, or the engine stops as it would have at its start.

use crate::crypto::{IV, TAG};
use crate::object::Shape;
use crate::root::{Member, SetHash};
use crate::{Aead, Crypto, CryptoError, Record, RecordId};
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::{ObjectId, PartitionId, Template};
use core::ops::Range;
use minicbor::{Decode, Encode};

const FORMAT: u8 = 2;
/// Not a record: it binds the seal to what it is.
const NAME: &[u8] = b"coloa snapshot 1";

/// Fixed-width rows that sort as their bytes do, in a buffer that several tables share.
pub(crate) struct Rows<const WIDTH: usize> {
    buffer: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl<const WIDTH: usize> Rows<WIDTH> {
    fn new(bytes: Vec<u8>) -> Self {
        Rows { range: 0..bytes.len(), buffer: Arc::new(bytes) }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.range.clone()).unwrap_or_default()
    }

    fn all(&self) -> &[[u8; WIDTH]] {
        self.bytes().as_chunks().0
    }

    /// The first row that is not before `key`.
    fn lower(&self, key: &[u8]) -> usize {
        self.all().partition_point(|row| row.get(..key.len()).is_some_and(|prefix| prefix < key))
    }
}

/// A key with the number of a record.
pub(crate) type Pairs = Rows<8>;

impl Pairs {
    pub(crate) fn sorted(mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        let mut bytes = Vec::with_capacity(pairs.len().saturating_mul(8));
        pairs.into_iter().for_each(|(key, at)| bytes.extend_from_slice(&pair(key, at)));
        Rows::new(bytes)
    }

    /// The numbers of the records within a range that go with a key, rising.
    pub(crate) fn of(&self, key: u32, within: &Range<u32>) -> impl ExactSizeIterator<Item = u32> + '_ {
        let (from, to) = (self.lower(&pair(key, within.start)), self.lower(&pair(key, within.end)));
        self.all().get(from..to).unwrap_or_default().iter().map(|row| number(row, 4))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.all().iter().map(|row| (number(row, 0), number(row, 4)))
    }
}

fn pair(key: u32, at: u32) -> [u8; 8] {
    ((u64::from(key) << 32) | u64::from(at)).to_be_bytes()
}

fn number(row: &[u8], at: usize) -> u32 {
    row.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_be_bytes)
}

/// One record, as a snapshot knows it.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub id: RecordId,
    pub member: Member,
    /// The number of an object's shape.
    pub shape: u32,
    /// See `Object::size`.
    pub size: u32,
}

const ROW: usize = RecordId::LENGTH + 8 + 32 + 4 + 4;

impl Row {
    fn from_bytes(bytes: &[u8; ROW]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<{ RecordId::LENGTH }>()?;
        let (version, rest) = rest.split_first_chunk::<8>()?;
        let (element, rest) = rest.split_first_chunk::<32>()?;
        let member = Member { version: u64::from_be_bytes(*version), element: SetHash::from_bytes(element) };
        Some(Row { id: RecordId::from_bytes(id), member, shape: number(rest, 0), size: number(rest, 4) })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_bytes());
        out.extend_from_slice(&self.member.version.to_be_bytes());
        out.extend_from_slice(&self.member.element.to_bytes());
        out.extend_from_slice(&self.shape.to_be_bytes());
        out.extend_from_slice(&self.size.to_be_bytes());
    }
}

/// See the module.
pub(crate) struct Snapshot {
    pub generation: u64,
    pub sum: SetHash,
    pub shapes: Vec<Arc<Shape>>,
    records: Rows<ROW>,
    /// Marks of the objects' byte strings.
    pub marks: Pairs,
    /// Objects by their shape.
    pub alike: Pairs,
}

impl Snapshot {
    /// `rows` are sorted by id.
    pub(crate) fn new(generation: u64, sum: SetHash, shapes: Vec<Arc<Shape>>, rows: &[Row], marks: Pairs) -> Self {
        let mut records = Vec::with_capacity(rows.len().saturating_mul(ROW));
        rows.iter().for_each(|row| row.write(&mut records));
        let known = |row: &Row| (row.shape as usize) < shapes.len();
        let alike = (0..).zip(rows).filter(|(_, row)| known(row)).map(|(at, row)| (row.shape, at)).collect();
        Snapshot { generation, sum, records: Rows::new(records), marks, alike: Pairs::sorted(alike), shapes }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.all().len()
    }

    pub(crate) fn row(&self, at: u32) -> Option<Row> {
        self.records.all().get(at as usize).and_then(Row::from_bytes)
    }

    /// The sizes of these objects together.
    pub(crate) fn sizes(&self, range: &Range<u32>) -> usize {
        let rows = self.records.all().get(range.start as usize..range.end as usize).unwrap_or_default();
        rows.iter().map(|row| number(row, ROW - 4) as usize).sum()
    }

    /// Where a record stands.
    pub(crate) fn position(&self, id: &RecordId) -> Option<u32> {
        let at = u32::try_from(self.records.lower(&id.to_bytes())).ok()?;
        self.row(at).filter(|row| row.id == *id).map(|_| at)
    }

    pub(crate) fn member(&self, id: &RecordId) -> Option<Member> {
        self.position(id).and_then(|at| self.row(at)).map(|row| row.member)
    }

    /// The first record that is not before this id.
    pub(crate) fn lower(&self, id: &RecordId) -> u32 {
        u32::try_from(self.records.lower(&id.to_bytes())).unwrap_or(u32::MAX)
    }

    /// Where a partition's objects stand.
    pub(crate) fn objects(&self, partition: PartitionId) -> Range<u32> {
        let all = crate::record::objects(partition);
        let last = self.position(all.end()).map_or(0, |_| 1);
        self.lower(all.start())..self.lower(all.end()).saturating_add(last)
    }

    pub(crate) fn object_id(&self, at: u32) -> Option<ObjectId> {
        self.row(at).map(|row| ObjectId(row.id.id))
    }
}

/// A record that is needed at once, sealed as it is in the store.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Needed {
    #[cbor(n(0), with = "minicbor::bytes")]
    id: [u8; RecordId::LENGTH],
    #[n(1)]
    version: u64,
    #[cbor(n(2), with = "minicbor::bytes")]
    value: Vec<u8>,
}

/// What stands before the tables.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Head {
    #[n(0)]
    format: u8,
    #[n(1)]
    generation: u64,
    #[cbor(n(2), with = "minicbor::bytes")]
    sum: [u8; 32],
    #[n(3)]
    shapes: Vec<Template>,
    #[n(4)]
    needed: Vec<Needed>,
    /// Bytes of the tables: records, marks, alike.
    #[n(5)]
    tables: [u64; 3],
}

/// Seals a snapshot with the records that are needed at once: the encryption of `length of the head: u32 ‖ head ‖ tables`,
/// then the tag and the IV.
pub(crate) fn seal<C: Crypto>(
    crypto: &C,
    key: &C::Key,
    snapshot: &Snapshot,
    needed: &[Record],
) -> Result<Vec<u8>, CryptoError> {
    let need = |record: &Record| {
        let Record { id, version, value } = record;
        value.as_ref().map(|value| Needed { id: id.to_bytes(), version: *version, value: value.clone() })
    };
    let tables = [snapshot.records.bytes(), snapshot.marks.bytes(), snapshot.alike.bytes()];
    let head = Head {
        format: FORMAT,
        generation: snapshot.generation,
        sum: snapshot.sum.to_bytes(),
        shapes: snapshot.shapes.iter().map(|shape| Template(shape.attributes().to_vec())).collect(),
        needed: needed.iter().filter_map(need).collect(),
        tables: tables.map(|table| table.len() as u64),
    };
    let head = crate::record::encode(&head);
    let length = u32::try_from(head.len()).map_err(|_| CryptoError::Invalid)?;
    let mut iv = [0; IV];
    crypto.random(&mut iv)?;
    let whole = tables.iter().map(|table| table.len()).fold(head.len(), usize::saturating_add);
    let mut text = Vec::with_capacity(whole.saturating_add(4 + TAG + IV));
    text.extend_from_slice(&length.to_be_bytes());
    text.extend_from_slice(&head);
    tables.iter().for_each(|table| text.extend_from_slice(table));
    crypto.seal(key, &Aead::gcm(&iv, NAME), &mut text)?;
    text.extend_from_slice(&iv);
    Ok(text)
}

/// Opens what was sealed, in place; `None` when it is not authentic or of another format.
pub(crate) fn open<C: Crypto>(crypto: &C, key: &C::Key, mut sealed: Vec<u8>) -> Option<(Snapshot, Vec<Record>)> {
    let iv: [u8; IV] = *sealed.last_chunk()?;
    sealed.truncate(sealed.len().saturating_sub(IV));
    crypto.open(key, &Aead::gcm(&iv, NAME), &mut sealed).ok()?;
    let (length, rest) = sealed.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let head: Head = minicbor::decode(rest.get(..length)?).ok().filter(|head: &Head| head.format == FORMAT)?;
    let mut at = length.checked_add(4)?;
    let buffer = Arc::new(sealed);
    let mut next = |length: u64| {
        let from = at;
        at = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        from..at
    };
    let [records, marks, alike] = head.tables.map(&mut next);
    let need = |n: Needed| Record { id: RecordId::from_bytes(&n.id), version: n.version, value: Some(n.value) };
    let snapshot = Snapshot {
        generation: head.generation,
        sum: SetHash::from_bytes(&head.sum),
        shapes: head.shapes.into_iter().map(|shape| Arc::new(Shape::of(shape))).collect(),
        records: Rows { buffer: buffer.clone(), range: records },
        marks: Rows { buffer: buffer.clone(), range: marks },
        alike: Rows { buffer, range: alike },
    };
    Some((snapshot, head.needed.into_iter().map(need).collect()))
}
