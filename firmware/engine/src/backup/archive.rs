//! The archive: a file of chunks that follow from one another, and that only the master backup key opens.
//!
//! A chunk is `length: u32` (of what follows, big-endian), `kind: u8`, payload, `link (8)`. In this order:
//! - one [`HEADER`]: `magic (8) ‖ MAC (32) ‖` [`Header`] in CBOR. It is readable by anybody, and authentic for who has the key;
//! - any number of [`RECORDS`]: [`Item`]s in CBOR, each after its length (`u32`), cut anywhere, and sealed;
//! - any number of [`CATALOGUE`]: `id (33) ‖ version: u64` of every record there was, sealed, in the order of ids;
//! - one [`FOOTER`]: `MAC (32) ‖` [`Footer`] in CBOR, and nothing after it.
//!
//! The chain is `SHA-256(label ‖ chunk)` of the header, then `SHA-256(chain ‖ chunk)` for each chunk, without its link; the last
//! value is the archive's digest. A chunk's link is the first bytes of the chain's value after it. Sealing is AES-256-GCM with the chunk's number as the IV and the chain before it as associated data, under a key
//! that HKDF-SHA-256 makes of the master key and the header's random salt: no key and IV meet twice, and no chunk can be
//! changed, moved, left out or taken from another archive. The footer's MAC is over the chain too, so that an archive
//! without its end, or with another one, is none. Without the key the chain is a checksum: [`Outline`] finds damage, not
//! forgery.

mod outline;
mod reader;
mod writer;

pub use outline::{Damage, Outline};
pub use reader::{Part, Reader};
pub use writer::Writer;

use super::key::derived;
pub use super::share::Holder;
use super::share::{MasterKey, is_sound};
use crate::crypto::IV;
use crate::root::SetHash;
use crate::{Crypto, CryptoError, Hash, KeyKind, RecordId};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use coloa_wire::command::SUITE_AES_256_GCM;
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, Zeroizing};

/// The first bytes of the header's payload.
pub const MAGIC: [u8; 8] = *b"COLOABK1";
/// The version of all this.
pub const VERSION: u16 = 1;
/// Kinds of chunks.
pub const HEADER: u8 = b'H';
/// See [`HEADER`].
pub const RECORDS: u8 = b'R';
/// See [`HEADER`].
pub const CATALOGUE: u8 = b'C';
/// See [`HEADER`].
pub const FOOTER: u8 = b'F';
/// Longer chunks are not written, nor read.
pub const MAX_CHUNK: usize = 1024 * 1024;
/// A longer item is none: an object comes in a frame.
const MAX_ITEM: usize = 4 * MAX_CHUNK;
/// Bytes of a catalogue's entry.
pub const ENTRY: usize = RecordId::LENGTH + 8;
const MAC: usize = 32;
const LINK: usize = 8;
const LABEL: &[u8] = b"coloa archive v1";

/// What an archive says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// [`VERSION`].
    #[n(0)]
    pub version: u16,
    /// The suite it is sealed with.
    #[n(1)]
    pub suite: u8,
    /// The master backup key it is made with.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub key: [u8; 16],
    /// The master key's check value.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub check: [u8; 8],
    /// How many shares join to the key.
    #[n(4)]
    pub threshold: u8,
    /// Who holds them, in the order of their numbers.
    #[n(5)]
    pub holders: Vec<Holder>,
    /// Random: makes the archive's keys its own.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub salt: [u8; 32],
    /// The device.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub serial: [u8; 8],
    /// Its name.
    #[n(8)]
    pub label: String,
    /// When it was begun, in milliseconds since 1970.
    #[n(9)]
    pub time: u64,
    /// What it builds on; `None` for a full one.
    #[n(10)]
    pub base: Option<Base>,
}

/// The archive before this one.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Base {
    /// Its digest.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub digest: [u8; 32],
    /// The generation of its state.
    #[n(1)]
    pub generation: u64,
}

/// How an archive ends.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Footer {
    /// The generation of the store that it is the state of.
    #[n(0)]
    pub generation: u64,
    /// Chunks before this one.
    #[n(1)]
    pub chunks: u64,
    /// Records put.
    #[n(2)]
    pub puts: u64,
    /// Records deleted.
    #[n(3)]
    pub deletions: u64,
    /// Records in the catalogue.
    #[n(4)]
    pub records: u64,
    /// The keyed sum over all items: see [`Item`].
    #[cbor(n(5), with = "minicbor::bytes")]
    pub content: [u8; 32],
    /// The check value of the state, which a restore must come to.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub check: [u8; 8],
}

/// One record, opened, or its deletion.
#[derive(PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Item {
    #[cbor(n(0), with = "minicbor::bytes")]
    id: [u8; RecordId::LENGTH],
    /// The record's version on the device that was backed up.
    #[n(1)]
    pub version: u64,
    /// `None` deletes.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub plain: Option<Vec<u8>>,
    /// Under which id the device counts the uses of this object's secret.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub counter: Option<[u8; 16]>,
}

impl Drop for Item {
    fn drop(&mut self) {
        self.plain.zeroize();
    }
}

impl Item {
    /// A record's content.
    pub fn put(id: RecordId, version: u64, plain: Vec<u8>) -> Self {
        Item { id: id.to_bytes(), version, plain: Some(plain), counter: None }
    }

    /// The same, with where the device counts the uses of its secret.
    pub(crate) fn counted(mut self, counter: Option<[u8; 16]>) -> Self {
        self.counter = counter;
        self
    }

    /// A record that is gone.
    pub fn deletion(id: RecordId) -> Self {
        Item { id: id.to_bytes(), version: 0, plain: None, counter: None }
    }

    /// Which record.
    pub fn id(&self) -> RecordId {
        RecordId::from_bytes(&self.id)
    }
}

/// A line of the catalogue.
pub type Entry = (RecordId, u64);

/// An archive's keys.
pub(crate) struct Keys<K> {
    seal: K,
    mac: K,
    content: K,
    state: K,
}

impl<K> Keys<K> {
    fn derive<C: Crypto<Key = K>>(crypto: &C, master: &MasterKey, salt: &[u8; 32]) -> Result<Self, CryptoError> {
        let key = |kind, salt: &[u8], info: &[u8]| crypto.load(kind, &*derived(crypto, master, salt, info)?);
        Ok(Keys {
            seal: key(KeyKind::Aes, salt, b"coloa backup v1 seal")?,
            mac: key(KeyKind::Hmac, salt, b"coloa backup v1 mac")?,
            content: key(KeyKind::Hmac, salt, b"coloa backup v1 content")?,
            // The same for every archive of a key, so that the same state has the same check value.
            state: key(KeyKind::Hmac, &[], b"coloa backup v1 state")?,
        })
    }

    /// What an item adds to the sum of an archive.
    pub(crate) fn element<C: Crypto<Key = K>>(&self, crypto: &C, item: &Item) -> Result<SetHash, CryptoError> {
        let (there, plain) = (u8::from(item.plain.is_some()), item.plain.as_deref().unwrap_or_default());
        let counter = item.counter.as_ref().map_or(&[][..], |c| c);
        let length = [u8::try_from(counter.len()).unwrap_or_default(), there];
        let parts: [&[u8]; 5] = [&item.id, &item.version.to_be_bytes(), &length, counter, plain];
        Ok(SetHash::from_bytes(crypto.mac(&self.content, Hash::Sha256, &parts)?.as_ref()))
    }

    /// The check value of a state.
    pub(crate) fn state<C: Crypto<Key = K>>(
        &self,
        crypto: &C,
        entries: impl Iterator<Item = Entry>,
    ) -> Result<[u8; 8], CryptoError> {
        let mut folded = [0; 32];
        for (id, version) in entries {
            folded = hash(crypto, &[&folded, &id.to_bytes(), &version.to_be_bytes()]);
        }
        super::key::first(crypto.mac(&self.state, Hash::Sha256, &[&folded])?.as_ref())
    }

    fn mac<C: Crypto<Key = K>>(&self, crypto: &C, parts: &[&[u8]]) -> Result<[u8; MAC], CryptoError> {
        super::key::first(crypto.mac(&self.mac, Hash::Sha256, parts)?.as_ref())
    }
}

/// A header that is sound in itself; nothing of it is proved.
///
/// # Errors
/// `ArchiveInvalid` for what is no header of this version.
pub fn header(chunk: &[u8]) -> Result<Header, ErrorCode> {
    let (_, header) = header_parts(chunk)?;
    let header: Header = whole(header)?;
    let names = header.holders.iter().map(|h| h.name.as_str());
    let known = header.version == VERSION && header.suite == SUITE_AES_256_GCM;
    if known && is_sound(header.threshold, names) { Ok(header) } else { Err(ErrorCode::ArchiveInvalid) }
}

/// Its MAC and its bytes.
fn header_parts(chunk: &[u8]) -> Result<(&[u8; MAC], &[u8]), ErrorCode> {
    let (kind, payload) = parts(chunk)?;
    let rest = payload.strip_prefix(&MAGIC).filter(|_| kind == HEADER).ok_or(ErrorCode::ArchiveInvalid)?;
    rest.split_first_chunk().ok_or(ErrorCode::ArchiveInvalid)
}

/// The kind and the payload of exactly one chunk.
fn parts(chunk: &[u8]) -> Result<(u8, &[u8]), ErrorCode> {
    let (length, rest) = chunk.split_first_chunk::<4>().ok_or(ErrorCode::ArchiveInvalid)?;
    let (body, _) = rest.split_last_chunk::<LINK>().ok_or(ErrorCode::ArchiveInvalid)?;
    let (kind, payload) = body.split_first().ok_or(ErrorCode::ArchiveInvalid)?;
    let right = u32::from_be_bytes(*length) as usize == rest.len() && chunk.len() <= MAX_CHUNK;
    if right { Ok((*kind, payload)) } else { Err(ErrorCode::ArchiveInvalid) }
}

/// How long the chunk at the beginning of these bytes is; `None` when they are too few to tell.
///
/// # Errors
/// `ArchiveInvalid` for a length that no chunk has.
pub fn chunk_length(bytes: &[u8]) -> Result<Option<usize>, ErrorCode> {
    let Some(length) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = (u32::from_be_bytes(*length) as usize).saturating_add(4);
    if (5 + LINK..=MAX_CHUNK).contains(&length) { Ok(Some(length)) } else { Err(ErrorCode::ArchiveInvalid) }
}

/// A chunk, and the chain's value after it.
fn frame<C: Crypto>(crypto: &C, chain: &[u8], kind: u8, payload: &[&[u8]]) -> (Vec<u8>, [u8; 32]) {
    let length: usize = payload.iter().map(|part| part.len()).sum::<usize>().saturating_add(1 + LINK);
    let mut out = Vec::with_capacity(length.saturating_add(4));
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    out.push(kind);
    payload.iter().for_each(|part| out.extend_from_slice(part));
    let after = hash(crypto, &[chain, &out]);
    out.extend(after.iter().take(LINK));
    (out, after)
}

/// The chain's value after a chunk, which the chunk's link must begin like.
fn linked<C: Crypto>(crypto: &C, chain: &[u8], chunk: &[u8]) -> Result<[u8; 32], ErrorCode> {
    let (body, link) = chunk.split_last_chunk::<LINK>().ok_or(ErrorCode::ArchiveInvalid)?;
    let after = hash(crypto, &[chain, body]);
    if after.starts_with(link) { Ok(after) } else { Err(ErrorCode::ArchiveInvalid) }
}

/// Appends to a secret; what it outgrows is wiped.
fn append_wiped(to: &mut Zeroizing<Vec<u8>>, parts: &[&[u8]]) {
    let more: usize = parts.iter().map(|part| part.len()).sum();
    let needed = to.len().saturating_add(more);
    if needed > to.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.saturating_mul(2)));
        larger.extend_from_slice(to);
        *to = larger;
    }
    parts.iter().for_each(|part| to.extend_from_slice(part));
}

/// A CBOR value with nothing after it.
fn whole<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, ErrorCode> {
    coloa_wire::command::decode_head(bytes).map_err(|_| ErrorCode::ArchiveInvalid)
}

fn hash<C: Crypto>(crypto: &C, parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(crypto.digest(Hash::Sha256, parts).as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// A counter that never repeats under one key.
fn iv(number: u64) -> [u8; IV] {
    let mut iv = [0; IV];
    iv.iter_mut().skip(4).zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    iv
}

fn associated(chain: &[u8; 32], kind: u8) -> [u8; 33] {
    let mut out = [kind; 33];
    out.iter_mut().zip(chain).for_each(|(to, from)| *to = *from);
    out
}
