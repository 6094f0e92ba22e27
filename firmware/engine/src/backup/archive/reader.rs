//! Reading an archive, chunk by chunk: hostile until it is proved.

use super::*;
use crate::Aead;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// An archive that is being read. After an error it reads nothing more.
pub struct Reader<K> {
    header: Header,
    pub(crate) keys: Keys<K>,
    chain: [u8; 32],
    chunks: u64,
    stage: Stage,
    puts: u64,
    deletions: u64,
    content: SetHash,
    entries: u64,
    /// The beginning of an item whose end is in the next chunk.
    rest: Zeroizing<Vec<u8>>,
    /// It began at the catalogue, and does not know what was before.
    partial: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Records,
    Catalogue,
    Over,
    Failed,
}

/// What a chunk holds.
pub enum Part {
    /// Records.
    Items(Vec<Item>),
    /// Lines of the catalogue.
    Catalogue(Vec<Entry>),
    /// The end: everything before it was whole.
    End(Footer),
}

impl<K> Reader<K> {
    /// Begins with the header's chunk.
    ///
    /// # Errors
    /// `ArchiveInvalid` for a header that the key did not make.
    pub(crate) fn begin<C: Crypto<Key = K>>(crypto: &C, master: &MasterKey, chunk: &[u8]) -> Result<Self, ErrorCode> {
        let (mac, encoded) = header_parts(chunk)?;
        let header = header(chunk)?;
        let keys = Keys::derive(crypto, master, &header.salt).map_err(|_| ErrorCode::Internal)?;
        let made = keys.mac(crypto, &[b"header", encoded]).map_err(|_| ErrorCode::Internal)?;
        let authentic = is_authentic(&made, mac);
        if !authentic {
            return Err(ErrorCode::ArchiveInvalid);
        }
        let (chain, content) = (linked(crypto, LABEL, chunk)?, SetHash::default());
        let (puts, deletions, entries, rest) = (0, 0, 0, Zeroizing::default());
        let (chunks, stage, partial) = (1, Stage::Records, false);
        Ok(Reader { header, keys, chain, chunks, stage, puts, deletions, content, entries, rest, partial })
    }

    /// Begins with the header's chunk and goes on at the catalogue. A chain or a number that is not the archive's opens
    /// nothing.
    ///
    /// # Errors
    /// As [`Reader::begin`].
    pub(crate) fn at_catalogue<C: Crypto<Key = K>>(
        crypto: &C,
        master: &MasterKey,
        chunk: &[u8],
        place: ([u8; 32], u64),
    ) -> Result<Self, ErrorCode> {
        let reader = Reader::begin(crypto, master, chunk)?;
        Ok(Reader { chain: place.0, chunks: place.1, stage: Stage::Catalogue, partial: true, ..reader })
    }

    /// What the archive says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The chain so far; after the end, the archive's digest.
    pub fn digest(&self) -> [u8; 32] {
        self.chain
    }

    /// Whether the end was read.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Reads the next chunk.
    ///
    /// # Errors
    /// `ArchiveInvalid` for one that is not the next of this archive.
    pub fn next<C: Crypto<Key = K>>(&mut self, crypto: &C, chunk: &[u8]) -> Result<Part, ErrorCode> {
        let read = linked(crypto, &self.chain, chunk).and_then(|chain| Ok((self.read(crypto, chunk)?, chain)));
        match read {
            Ok((part, chain)) => {
                (self.chain, self.chunks) = (chain, self.chunks.saturating_add(1));
                Ok(part)
            }
            Err(error) => {
                self.stage = Stage::Failed;
                Err(error)
            }
        }
    }

    fn read<C: Crypto<Key = K>>(&mut self, crypto: &C, chunk: &[u8]) -> Result<Part, ErrorCode> {
        let (kind, payload) = parts(chunk)?;
        let next = match kind {
            RECORDS => Stage::Records,
            CATALOGUE => Stage::Catalogue,
            FOOTER => Stage::Over,
            _ => return Err(ErrorCode::ArchiveInvalid),
        };
        let cut = next > Stage::Records && !self.rest.is_empty();
        if next < self.stage || self.stage >= Stage::Over || cut {
            return Err(ErrorCode::ArchiveInvalid);
        }
        self.stage = next;
        match next {
            Stage::Records => self.items(crypto, payload).map(Part::Items),
            Stage::Catalogue => self.catalogue(crypto, payload).map(Part::Catalogue),
            Stage::Over | Stage::Failed => self.end(crypto, payload).map(Part::End),
        }
    }

    fn open<C: Crypto<Key = K>>(&self, crypto: &C, kind: u8, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
        let (iv, associated) = (iv(self.chunks), associated(&self.chain, kind));
        let mut text = Zeroizing::new(sealed.to_vec());
        let opened = crypto.open(&self.keys.seal, &Aead::gcm(&iv, &associated), &mut text);
        opened.map(|()| text).map_err(|_| ErrorCode::ArchiveInvalid)
    }

    fn items<C: Crypto<Key = K>>(&mut self, crypto: &C, sealed: &[u8]) -> Result<Vec<Item>, ErrorCode> {
        let opened = self.open(crypto, RECORDS, sealed)?;
        append_wiped(&mut self.rest, &[&opened]);
        let (mut items, mut at) = (Vec::new(), 0_usize);
        while let Some((encoded, end)) = framed(&self.rest, at)? {
            let item: Item = whole(encoded)?;
            let element = self.keys.element(crypto, &item).map_err(|_| ErrorCode::Internal)?;
            self.content.add(&element);
            let count = if item.plain.is_some() { &mut self.puts } else { &mut self.deletions };
            *count = count.saturating_add(1);
            items.push(item);
            at = end;
        }
        self.rest = Zeroizing::new(self.rest.get(at..).unwrap_or_default().to_vec());
        Ok(items)
    }

    fn catalogue<C: Crypto<Key = K>>(&mut self, crypto: &C, sealed: &[u8]) -> Result<Vec<Entry>, ErrorCode> {
        let plain = self.open(crypto, CATALOGUE, sealed)?;
        let lines = plain.chunks_exact(ENTRY);
        if !lines.remainder().is_empty() {
            return Err(ErrorCode::ArchiveInvalid);
        }
        let entries: Vec<Entry> = lines.filter_map(entry).collect();
        self.entries = self.entries.saturating_add(entries.len() as u64);
        Ok(entries)
    }

    fn end<C: Crypto<Key = K>>(&self, crypto: &C, payload: &[u8]) -> Result<Footer, ErrorCode> {
        let (mac, encoded) = payload.split_first_chunk::<MAC>().ok_or(ErrorCode::ArchiveInvalid)?;
        let made = self.keys.mac(crypto, &[b"footer", &self.chain, encoded]).map_err(|_| ErrorCode::Internal)?;
        if !is_authentic(&made, mac) {
            return Err(ErrorCode::ArchiveInvalid);
        }
        let footer: Footer = whole(encoded)?;
        let counted = self.partial
            || (footer.puts, footer.deletions, footer.content) == (self.puts, self.deletions, self.content.to_bytes());
        let right = footer.chunks == self.chunks && footer.records == self.entries && counted;
        if right { Ok(footer) } else { Err(ErrorCode::ArchiveInvalid) }
    }
}

fn is_authentic(made: &[u8; MAC], given: &[u8; MAC]) -> bool {
    made.ct_eq(given).into()
}

/// The item that begins here, and where it ends; `None` when the rest of it is in the next chunk.
fn framed(bytes: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, ErrorCode> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > MAX_ITEM {
        return Err(ErrorCode::ArchiveInvalid);
    }
    let end = at.saturating_add(4).saturating_add(length);
    Ok(rest.get(..length).map(|item| (item, end)))
}

fn entry(line: &[u8]) -> Option<Entry> {
    let (id, version) = line.split_first_chunk::<{ RecordId::LENGTH }>()?;
    Some((RecordId::from_bytes(id), u64::from_be_bytes(version.try_into().ok()?)))
}
