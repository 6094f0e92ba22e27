//! Writing an archive while the device works.
//!
//! What the archive has so far is known by id and version. A round compares that with the book: what is new, changed or gone
//! is queued, and opened a few records at a time, so that nobody waits for a backup. When a round finds little, it opens that
//! under the same lock, and the archive is the state of that moment. A full archive begins knowing nothing, an incremental
//! one knowing the catalogue of its base, which it reads first.

use super::archive::{Base, ENTRY, Entry, Header, Item, Part, Reader, VERSION, Writer};
use super::key::{self, BackupKeyRecord};
use super::share::MasterKey;
use crate::keyring::Key;
use crate::ledger::View;
use crate::record::{self, ObjectRecord, RecordKind, turn};
use crate::{Engine, Platform, RecordId, allowance};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use coloa_wire::command::{BackupExportPageReply, CataloguePlace, SUITE_AES_256_GCM};
use core::ops::Bound;
use zeroize::Zeroizing;

/// Changes that the last round opens while nothing is committed.
const LAST_ROUND: usize = 64;
/// Records opened at a time before that.
const AT_A_TIME: usize = 64;
/// Bytes of records in a chunk, where frames are long enough.
const PAGE: usize = 256 * 1024;

/// An archive that is being written.
pub(crate) struct Exporting<P: Platform> {
    pub used: u64,
    master: MasterKey,
    header: Header,
    known: BTreeMap<RecordId, u64>,
    stage: Stage<P>,
    /// The number of the next chunk.
    next: u64,
}

enum Stage<P: Platform> {
    /// The base's catalogue is being read.
    Base(Reader<Key<P>>),
    Writing(Writing<P>),
}

struct Writing<P: Platform> {
    writer: Writer<Key<P>>,
    header: Option<Vec<u8>>,
    queue: VecDeque<(RecordId, bool)>,
    /// The generation of the state, once the archive has all of it.
    complete: Option<u64>,
    /// The last line of the catalogue that was written.
    listed: Option<RecordId>,
    total: u64,
}

/// What a record says, with its version.
type Opened = (RecordId, u64, Option<Zeroizing<Vec<u8>>>);

/// What a round found.
enum Round {
    Much(Vec<(RecordId, bool)>),
    Last(u64, Vec<Opened>),
}

impl<P: Platform> Exporting<P> {
    /// Begins; `base` is the header of the archive that it builds on, and where its catalogue begins.
    pub(crate) fn begin(engine: &Engine<P>, base: Option<(&[u8], &CataloguePlace)>) -> Result<Self, ErrorCode> {
        let (_, key) = key::stored(engine)?;
        let (header, master) = (new_header(engine, &key)?, key.master());
        let (known, used) = (BTreeMap::new(), engine.platform().now().0);
        let stage = match base {
            None => Stage::Writing(Writing::begin(engine, &master, header.clone())?),
            Some((chunk, place)) => {
                let place = (place.chain, place.chunks);
                let reader = Reader::at_catalogue(engine.platform().crypto(), &master, chunk, place);
                Stage::Base(reader.map_err(|_| ErrorCode::ArchiveForeign).and_then(|r| of_this(r, &header))?)
            }
        };
        Ok(Exporting { used, master, header, known, stage, next: 0 })
    }

    /// Takes in a chunk of the base.
    pub(crate) fn base(&mut self, engine: &Engine<P>, chunk: &[u8]) -> Result<(), ErrorCode> {
        let Stage::Base(reader) = &mut self.stage else { return Err(ErrorCode::ExportNotBegun) };
        match reader.next(engine.platform().crypto(), chunk)? {
            Part::Catalogue(entries) => self.known.extend(entries),
            Part::Items(_) => return Err(ErrorCode::ArchiveInvalid),
            Part::End(footer) => {
                let base = Base { digest: reader.digest(), generation: footer.generation };
                let header = Header { base: Some(base), ..self.header.clone() };
                self.stage = Stage::Writing(Writing::begin(engine, &self.master, header)?);
            }
        }
        Ok(())
    }

    /// The next chunk.
    pub(crate) fn page(
        &mut self,
        engine: &Engine<P>,
        number: u64,
        out: &mut Vec<u8>,
    ) -> Result<BackupExportPageReply, ErrorCode> {
        let Stage::Writing(writing) = &mut self.stage else { return Err(ErrorCode::ExportNotBegun) };
        if number != self.next {
            return Err(ErrorCode::ExportNotBegun);
        }
        let (chunk, last) = writing.chunk(engine, &mut self.known)?;
        out.extend_from_slice(&chunk);
        self.next = self.next.saturating_add(1);
        let done = writing.writer.records();
        Ok(BackupExportPageReply { last, done, total: writing.total.max(done) })
    }
}

fn new_header<P: Platform>(engine: &Engine<P>, key: &BackupKeyRecord) -> Result<Header, ErrorCode> {
    let device = engine.state().device().ok_or(ErrorCode::DeviceNotInitialized)?;
    let check = key::check_value(engine.platform().crypto(), &key.master());
    Ok(Header {
        version: VERSION,
        suite: SUITE_AES_256_GCM,
        key: key.key,
        check: check.map_err(|error| engine.crypto_failed(error))?,
        threshold: key.threshold,
        holders: key.holders.clone(),
        salt: engine.random()?,
        serial: device.serial,
        label: device.label.clone(),
        time: engine.platform().now().0,
        base: None,
    })
}

/// A base is of the same device.
fn of_this<K>(base: Reader<K>, header: &Header) -> Result<Reader<K>, ErrorCode> {
    if base.header().serial == header.serial { Ok(base) } else { Err(ErrorCode::ArchiveForeign) }
}

impl<P: Platform> Writing<P> {
    fn begin(engine: &Engine<P>, master: &MasterKey, header: Header) -> Result<Self, ErrorCode> {
        let begun = Writer::begin(engine.platform().crypto(), master, header);
        let (writer, chunk) = begun.map_err(|error| engine.crypto_failed(error))?;
        Ok(Writing { writer, header: Some(chunk), queue: VecDeque::new(), complete: None, listed: None, total: 0 })
    }

    /// The next chunk, and whether it is the last.
    fn chunk(&mut self, engine: &Engine<P>, known: &mut BTreeMap<RecordId, u64>) -> Result<(Vec<u8>, bool), ErrorCode> {
        if let Some(header) = self.header.take() {
            return Ok((header, false));
        }
        let (crypto, page) = (engine.platform().crypto(), PAGE.min(engine.platform().limits().max_frame / 2));
        let failed = |error| engine.crypto_failed(error);
        while self.complete.is_none() && self.writer.waiting() < page {
            self.gather(engine, known)?;
        }
        if self.writer.waiting() > 0 {
            return self.writer.items(crypto, page).map(|chunk| (chunk, false)).map_err(failed);
        }
        let after = self.listed.map_or(Bound::Unbounded, Bound::Excluded);
        let lines = known.range((after, Bound::Unbounded)).map(|(id, version)| (*id, *version));
        let lines: Vec<Entry> = lines.take(page / ENTRY).collect();
        if let Some((last, _)) = lines.last() {
            self.listed = Some(*last);
            return self.writer.catalogue(crypto, &lines).map(|chunk| (chunk, false)).map_err(failed);
        }
        let state = known.iter().map(|(id, version)| (*id, *version));
        self.writer.end(crypto, self.complete.unwrap_or_default(), state).map(|chunk| (chunk, true)).map_err(failed)
    }

    /// Opens some of what is queued, or looks what there is to queue.
    fn gather(&mut self, engine: &Engine<P>, known: &mut BTreeMap<RecordId, u64>) -> Result<(), ErrorCode> {
        let some: Vec<_> = self.queue.drain(..AT_A_TIME.min(self.queue.len())).collect();
        if !some.is_empty() {
            let opened = engine.at_once(|view| open(view, &some))?;
            return self.push(engine, known, opened);
        }
        match engine.at_once(|view| round(view, known))? {
            Round::Much(queue) => {
                self.total = self.writer.records().saturating_add(queue.len() as u64);
                self.queue = queue.into();
            }
            Round::Last(generation, opened) => {
                self.push(engine, known, opened)?;
                self.complete = Some(generation);
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        engine: &Engine<P>,
        known: &mut BTreeMap<RecordId, u64>,
        opened: Vec<Opened>,
    ) -> Result<(), ErrorCode> {
        for (id, version, plain) in opened {
            let item = match plain {
                Some(plain) => {
                    known.insert(id, version);
                    let counter = counter(engine, &id, &plain)?;
                    Item::put(id, version, plain.to_vec()).counted(counter)
                }
                None => {
                    known.remove(&id);
                    Item::deletion(id)
                }
            };
            self.writer.push(engine.platform().crypto(), &item).map_err(|error| engine.crypto_failed(error))?;
        }
        Ok(())
    }
}

/// Where the uses of an object's secret are counted, if it has one.
fn counter<P: Platform>(engine: &Engine<P>, id: &RecordId, plain: &[u8]) -> Result<Option<[u8; 16]>, ErrorCode> {
    if RecordKind::of(id) != Some(RecordKind::Object) {
        return Ok(None);
    }
    let object: ObjectRecord = record::decode(plain)?;
    if object.secret.is_empty() { Ok(None) } else { allowance::counter(engine, &object.secret).map(Some) }
}

/// What has to be put (`true`) or deleted, in an order that a restore can follow.
fn round<P: Platform>(view: &View<'_, P>, known: &BTreeMap<RecordId, u64>) -> Result<Round, ErrorCode> {
    let there = view.catalogue();
    let mut changed: Vec<_> = there.iter().filter(|(id, version)| known.get(id) != Some(version)).collect();
    changed.sort_unstable_by_key(|(id, _)| (turn(id), *id));
    let gone = known.keys().filter(|id| there.binary_search_by_key(id, |(id, _)| id).is_err());
    let all: Vec<_> = changed.into_iter().map(|(id, _)| (*id, true)).chain(gone.map(|id| (*id, false))).collect();
    if all.len() > LAST_ROUND {
        return Ok(Round::Much(all));
    }
    Ok(Round::Last(view.generation(), open(view, &all)?))
}

/// What is gone meanwhile is left to the next round.
fn open<P: Platform>(view: &View<'_, P>, wanted: &[(RecordId, bool)]) -> Result<Vec<Opened>, ErrorCode> {
    let mut opened = Vec::with_capacity(wanted.len());
    for (id, put) in wanted {
        match if *put { view.open(id)? } else { None } {
            Some((version, plain)) => opened.push((*id, version, Some(plain))),
            None if !put => opened.push((*id, 0, None)),
            None => {}
        }
    }
    Ok(opened)
}
