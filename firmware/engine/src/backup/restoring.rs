//! Restoring: the header, the shares one by one, the archives chunk by chunk, then everything at once (R3, R20).
//!
//! Nothing is believed before the joined key proves the header, and nothing is seen before the last archive's end was read,
//! its catalogue is exactly what was taken in, and what is in this device's store was read back and is what was in the archive.
//! Shares and the key are in memory only, and wiped when this goes.

use super::archive::{self, Entry, Footer, Header, Item, Part, Reader};
use super::key::{self, BackupKeyRecord};
use super::share::{self, MasterKey, Share};
use super::staging::{self, Counters};
use crate::keyring::Key;
use crate::ledger::Change;
use crate::record::{self, BACKUP_KEY, CUSTODIANS, CustodiansRecord, Kek, PartitionRecord, RecordKind};
use crate::state::Fact;
use crate::{Engine, Platform, RecordId};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::command::{BackupRestoreBeginReply, BackupShareGiveReply};
use coloa_wire::{ErrorCode, PartitionId};

/// A restore that was begun.
pub(crate) struct Restoring<P: Platform> {
    pub used: u64,
    pub verify_only: bool,
    header: Header,
    chunk: Vec<u8>,
    shares: Vec<Share>,
    open: Option<Open<P>>,
}

/// With the key.
struct Open<P: Platform> {
    master: MasterKey,
    reader: Reader<Key<P>>,
    known: BTreeMap<RecordId, Known>,
    /// The catalogue of the archive that is being read.
    catalogue: Vec<Entry>,
    /// How the last archive ended.
    last: Option<Footer>,
    counters: Counters,
    /// Who the custodians of the device were.
    custodians: Option<CustodiansRecord>,
    /// What the partitions are called.
    labels: BTreeMap<PartitionId, String>,
    records: u64,
}

/// A record that was taken in.
struct Known {
    version: u64,
    /// A keyed digest of what it says.
    digest: [u8; 32],
}

/// What a restore comes to.
pub(crate) struct Outcome {
    pub objects: u64,
    pub labels: Vec<String>,
    pub check: [u8; 8],
}

impl<P: Platform> Restoring<P> {
    /// Begins with a full archive's header.
    pub(crate) fn begin(engine: &Engine<P>, chunk: &[u8], verify_only: bool) -> Result<Self, ErrorCode> {
        let header = archive::header(chunk)?;
        if header.base.is_some() {
            return Err(ErrorCode::ArchiveForeign);
        }
        if !verify_only {
            may_restore(engine, &header)?;
        }
        let used = engine.platform().now().0;
        let (chunk, shares) = (chunk.to_vec(), Vec::new());
        let mut begun = Restoring { used, verify_only, header, chunk, shares, open: None };
        // Who only looks needs nobody where the key is.
        let own = if verify_only { key::stored(engine).ok() } else { None };
        if let Some((_, own)) = own.filter(|(_, own)| own.key == begun.header.key) {
            begun.unlock(engine, own.master())?;
        }
        Ok(begun)
    }

    pub(crate) fn asks(&self) -> BackupRestoreBeginReply {
        let holders = self.header.holders.iter().map(|h| h.name.clone()).collect();
        let threshold = if self.open.is_some() { 0 } else { self.header.threshold };
        BackupRestoreBeginReply { key: self.header.key, threshold, holders }
    }

    /// Judges a share, and joins them when there are enough.
    pub(crate) fn give(&mut self, engine: &Engine<P>, bytes: &[u8]) -> Result<BackupShareGiveReply, ErrorCode> {
        if self.open.is_some() {
            return Err(ErrorCode::RestoreNotBegun);
        }
        let wanted = (self.header.key, self.header.threshold, &self.header.holders[..]);
        let judged = share::judge(engine.platform().crypto(), bytes, wanted, &self.shares);
        self.shares.extend(judged.share);
        let given = u8::try_from(self.shares.len()).unwrap_or(u8::MAX);
        let wanted = self.header.threshold.saturating_sub(given);
        if wanted == 0 {
            let shares = core::mem::take(&mut self.shares);
            let master = share::join(engine.platform().crypto(), &shares);
            let master = master.map_err(|error| engine.sharing_failed(error))?;
            self.unlock(engine, master)?;
        }
        Ok(BackupShareGiveReply { verdict: judged.verdict, holder: judged.holder, given, wanted })
    }

    /// The shares were those that the header lists; now the header is proved.
    fn unlock(&mut self, engine: &Engine<P>, master: MasterKey) -> Result<(), ErrorCode> {
        let crypto = engine.platform().crypto();
        let check = key::check_value(crypto, &master).map_err(|error| engine.crypto_failed(error))?;
        if check != self.header.check {
            return Err(ErrorCode::ArchiveInvalid);
        }
        let reader = Reader::begin(crypto, &master, &self.chunk)?;
        let (known, catalogue, counters, labels) = (BTreeMap::new(), Vec::new(), Counters::new(), BTreeMap::new());
        let (last, custodians) = (None, None);
        self.open = Some(Open { master, reader, known, catalogue, last, counters, custodians, labels, records: 0 });
        Ok(())
    }

    /// Takes in a chunk; returns how many records were.
    pub(crate) fn page(&mut self, engine: &Engine<P>, chunk: &[u8]) -> Result<u64, ErrorCode> {
        let open = self.open.as_mut().ok_or(ErrorCode::RestoreNotBegun)?;
        let crypto = engine.platform().crypto();
        if let Some(last) = open.last.take_if(|_| open.reader.is_over()) {
            return open.next_archive(engine, &last, chunk);
        }
        match open.reader.next(crypto, chunk)? {
            Part::Items(items) => {
                if !self.verify_only {
                    staging::take(engine, &items, &mut open.counters)?;
                }
                open.note(engine, &items)?;
            }
            Part::Catalogue(entries) => open.catalogue.extend(entries),
            Part::End(footer) => open.end(engine, footer)?,
        }
        Ok(open.records)
    }

    /// Everything is there: what it comes to.
    pub(crate) fn finish(&self, engine: &Engine<P>) -> Result<Outcome, ErrorCode> {
        let open = self.open.as_ref().ok_or(ErrorCode::RestoreNotBegun)?;
        let last = open.last.as_ref().filter(|_| open.reader.is_over()).ok_or(ErrorCode::RestoreNotBegun)?;
        if !self.verify_only {
            may_restore(engine, &self.header)?;
            open.read_back(engine)?;
        }
        let check = open.check(engine)?;
        if check != last.check {
            return Err(ErrorCode::ArchiveInvalid);
        }
        let objects = open.known.keys().filter(|id| RecordKind::of(id) == Some(RecordKind::Object)).count() as u64;
        let labels = open.labels.values().cloned().collect();
        Ok(Outcome { objects, labels, check })
    }

    /// The custodians of the device that was backed up, where this one has none.
    pub(crate) fn custodians(&self, engine: &Engine<P>) -> Result<Option<Change<Key<P>>>, ErrorCode> {
        let named = self.open.as_ref().and_then(|open| open.custodians.clone());
        let named = named.filter(|_| engine.state().custodians().is_none());
        named.map(|r| engine.device_change(CUSTODIANS, 0, &r, Fact::Custodians(r.clone()))).transpose()
    }

    /// The master key's record for this device, which has none: the custodians stay the same.
    pub(crate) fn key_record(&self, engine: &Engine<P>) -> Result<Option<BackupKeyRecord>, ErrorCode> {
        let open = self.open.as_ref().ok_or(ErrorCode::RestoreNotBegun)?;
        if engine.device_record(&BACKUP_KEY)?.is_some() {
            return Ok(None);
        }
        let Header { key, threshold, holders, .. } = self.header.clone();
        let shares = holders.iter().map(|_| None).collect();
        let created = engine.platform().now().0;
        Ok(Some(BackupKeyRecord { key, threshold, holders, master: *open.master, shares, created }))
    }
}

/// A backup goes into an empty device, and not back into the one it is an older state of.
fn may_restore<P: Platform>(engine: &Engine<P>, header: &Header) -> Result<(), ErrorCode> {
    let device = engine.state().device().ok_or(ErrorCode::DeviceNotInitialized)?;
    if device.serial == header.serial {
        return Err(ErrorCode::RestoreNeedsQuorum);
    }
    if engine.state().partitions().is_empty() { Ok(()) } else { Err(ErrorCode::DeviceNotEmpty) }
}

impl<P: Platform> Open<P> {
    /// An incremental archive that builds on the one before it.
    fn next_archive(&mut self, engine: &Engine<P>, last: &Footer, chunk: &[u8]) -> Result<u64, ErrorCode> {
        let reader = Reader::begin(engine.platform().crypto(), &self.master, chunk);
        let reader = reader.map_err(|_| ErrorCode::ArchiveForeign)?;
        let base = reader.header().base.as_ref().ok_or(ErrorCode::ArchiveForeign)?;
        let follows = base.digest == self.reader.digest()
            && base.generation == last.generation
            && reader.header().serial == self.reader.header().serial;
        if !follows {
            return Err(ErrorCode::ArchiveForeign);
        }
        self.reader = reader;
        self.catalogue.clear();
        Ok(self.records)
    }

    fn note(&mut self, engine: &Engine<P>, items: &[Item]) -> Result<(), ErrorCode> {
        for item in items {
            self.note_label(item)?;
            self.note_custodians(item)?;
            match &item.plain {
                Some(plain) => {
                    let known = Known { version: item.version, digest: digest(engine, &item.id(), plain)? };
                    self.known.insert(item.id(), known);
                }
                None => {
                    self.known.remove(&item.id());
                }
            }
        }
        self.records = self.records.saturating_add(items.len() as u64);
        Ok(())
    }

    fn note_label(&mut self, item: &Item) -> Result<(), ErrorCode> {
        if RecordKind::of(&item.id()) != Some(RecordKind::Partition) {
            return Ok(());
        }
        let id = PartitionId(item.id().partition);
        match &item.plain {
            Some(plain) => {
                let partition: PartitionRecord = record::decode(plain).map_err(|_| ErrorCode::ArchiveInvalid)?;
                self.labels.insert(id, partition.label.clone());
            }
            None => {
                self.labels.remove(&id);
            }
        }
        Ok(())
    }

    fn note_custodians(&mut self, item: &Item) -> Result<(), ErrorCode> {
        if item.id() == CUSTODIANS {
            let named = item.plain.as_deref().map(record::decode).transpose();
            self.custodians = named.map_err(|_| ErrorCode::ArchiveInvalid)?;
        }
        Ok(())
    }

    /// The catalogue must be exactly what was taken in, and the check value that of it.
    fn end(&mut self, engine: &Engine<P>, footer: Footer) -> Result<(), ErrorCode> {
        let known = self.known.iter().map(|(id, known)| (*id, known.version));
        let complete = known.eq(self.catalogue.iter().copied()) && self.check(engine)? == footer.check;
        self.last = Some(footer);
        if complete { Ok(()) } else { Err(ErrorCode::ArchiveInvalid) }
    }

    fn check(&self, engine: &Engine<P>) -> Result<[u8; 8], ErrorCode> {
        let known = self.known.iter().map(|(id, known)| (*id, known.version));
        self.reader.keys.state(engine.platform().crypto(), known).map_err(|error| engine.crypto_failed(error))
    }

    /// What is in the store says what the archive said.
    fn read_back(&self, engine: &Engine<P>) -> Result<(), ErrorCode> {
        for (id, known) in &self.known {
            if *id == CUSTODIANS {
                continue;
            }
            let staged = engine.state().staged(PartitionId(id.partition)).ok_or(ErrorCode::ArchiveInvalid)?;
            let plain = match RecordKind::of(id) {
                Some(RecordKind::Object) => {
                    engine.at_once(|view| view.open(id))?.map(|(_, plain)| plain).ok_or(ErrorCode::StoreCorrupt)?
                }
                Some(RecordKind::Partition) => {
                    let given = staged.record.record.partition.clone();
                    record::encode(&PartitionRecord { kek: Kek([0; 32]), ..given })
                }
                Some(RecordKind::Auth) => record::encode(&staged.record.record.auth),
                _ => continue,
            };
            if digest(engine, id, &plain)? != known.digest {
                return Err(ErrorCode::ArchiveInvalid);
            }
        }
        let objects = |kind: &RecordId| RecordKind::of(kind) == Some(RecordKind::Object);
        let wanted = self.known.keys().filter(|id| objects(id)).count();
        let staged = engine.state().all_staged();
        let there: usize = staged.iter().map(|s| s.partition.objects.read().len()).sum();
        if there == wanted { Ok(()) } else { Err(ErrorCode::ArchiveInvalid) }
    }
}

fn digest<P: Platform>(engine: &Engine<P>, id: &RecordId, plain: &[u8]) -> Result<[u8; 32], ErrorCode> {
    engine.request_digest(&[b"restored record", &id.to_bytes(), plain])
}
