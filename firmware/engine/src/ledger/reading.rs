//! Reading the store into the state: everything, or what has changed, checked against the root before it is shown.

use super::{Book, Desk};
use crate::audit::Head;
use crate::backup::staging;
use crate::keyring::Key;
use crate::object::Object;
use crate::record::{self, ROOT, RecordKind, RootRecord};
use crate::root;
use crate::state::{Fact, Partition, State};
use crate::{Crypto, KeyKind, Platform, Record, RecordId, Store, StoreError};
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::{ErrorCode, ObjectId, PartitionId, RequestId};

/// Reads what changed since the book's generation.
pub(super) fn refresh<P: Platform>(desk: &Desk<'_, P>, book: &mut Book) -> Result<(), ErrorCode> {
    let mut records = Vec::new();
    let mut collect = |record: Record| {
        records.push(record);
        Ok(())
    };
    match desk.platform.store().changes(book.generation, &mut collect) {
        Ok(generation) if generation == book.generation => Ok(()),
        Ok(generation) => take_in(desk, book, generation, records),
        Err(StoreError::TooOld) => reload(desk, book),
        Err(StoreError::Failed) => Err(ErrorCode::StoreFailed),
    }
}

/// Reads everything anew. When it fails, nothing has changed.
pub(super) fn reload<P: Platform>(desk: &Desk<'_, P>, book: &mut Book) -> Result<(), ErrorCode> {
    let mut records = Vec::new();
    let generation = desk
        .platform
        .store()
        .scan(&mut |record| {
            if !record.id.is_log() {
                records.push(record);
            }
            Ok(())
        })
        .map_err(|_| ErrorCode::StoreFailed)?;
    // Built aside: other threads see the old state until the new one is whole.
    let state = State::new();
    let mut fresh = Book { crowd: book.crowd, kept: book.kept, ..Book::new() };
    if generation > 0 || !records.is_empty() {
        take_in(&Desk { state: &state, ..*desk }, &mut fresh, generation, records)?;
    }
    is_current(desk, generation)?;
    desk.state.replace(state);
    *book = fresh;
    Ok(())
}

/// The store is the last one there was, where a counter knows (R36): at its number, or one commit ahead of it when the power went
/// before it was raised. Further ahead is another body's store, or another store's counter.
pub(super) fn is_current<P: Platform>(desk: &Desk<'_, P>, generation: u64) -> Result<(), ErrorCode> {
    let Some(counter) = desk.platform.counter() else { return Ok(()) };
    let held = counter.read().map_err(|_| ErrorCode::StoreFailed)?;
    match generation.checked_sub(held) {
        Some(0) => Ok(()),
        Some(1) => counter.raise(generation).map_err(|_| ErrorCode::StoreFailed),
        _ => Err(ErrorCode::StoreRolledBack),
    }
}

/// A record as it stands in the store and in the set.
pub(super) fn read<P: Platform>(
    desk: &Desk<'_, P>,
    book: &Book,
    id: &RecordId,
) -> Result<Option<(u64, Vec<u8>)>, ErrorCode> {
    let stored = desk.platform.store().read(id).map_err(|_| ErrorCode::StoreFailed)?;
    let found = stored.as_ref().map(|r| root::member(desk.platform.crypto(), &desk.keys.set, r)).transpose()?;
    if found.flatten() != book.members.member(id) {
        return Err(ErrorCode::StoreRolledBack);
    }
    Ok(stored.and_then(|r| r.value.map(|value| (r.version, value))))
}

/// Reads an object that is not in memory.
pub(super) fn read_object<P: Platform>(
    desk: &Desk<'_, P>,
    book: &Book,
    partition: &Partition<P>,
    id: ObjectId,
) -> Result<(), ErrorCode> {
    if partition.is_retired() {
        return Err(ErrorCode::SessionUnknown);
    }
    if !partition.objects.read().is_unread(id) {
        return Ok(());
    }
    let record_id = record::object_id(partition.id, id);
    let (version, sealed) = read(desk, book, &record_id)?.ok_or(ErrorCode::StoreCorrupt)?;
    let plain = record::open(desk.platform.crypto(), &partition.kek, &record_id, version, &sealed)?;
    let object = Object::from_record(id, version, record::decode(&plain)?);
    partition.objects.write().put_read(Arc::new(object));
    Ok(())
}

/// Checks records against the root, then shows them in the state.
pub(super) fn take_in<P: Platform>(
    desk: &Desk<'_, P>,
    book: &mut Book,
    generation: u64,
    mut records: Vec<Record>,
) -> Result<(), ErrorCode> {
    let crypto = desk.platform.crypto();
    let mut sealed_root = None;
    records.sort_by_key(|r| record::turn(&r.id));
    records.retain(|r| !r.id.is_log());
    for record in &records {
        if record.id == ROOT {
            sealed_root = record.value.as_deref().map(|value| (record.version, value));
        } else {
            book.members.set(record.id, root::member(crypto, &desk.keys.set, record)?);
        }
    }
    let (version, sealed) = sealed_root.ok_or(ErrorCode::StoreCorrupt)?;
    let plain = record::open(crypto, &desk.keys.root, &ROOT, version, sealed)?;
    let root: RootRecord = record::decode(&plain)?;
    let agrees = root.generation == generation
        && root.records == book.members.len()
        && root.set == book.members.sum().to_bytes();
    if !agrees {
        return Err(ErrorCode::StoreRolledBack);
    }
    let audit = audit_end(desk, &root)?;
    for record in records {
        let fact = fact_of(desk, &record)?;
        desk.state.apply(&record.id, record.version, fact);
    }
    (book.generation, book.audit) = (generation, audit);
    Ok(())
}

/// The last audit record is the one the root names.
fn audit_end<P: Platform>(desk: &Desk<'_, P>, root: &RootRecord) -> Result<Head, ErrorCode> {
    if root.audit_number == 0 {
        return Ok(Head::default());
    }
    let last = desk.platform.store().read(&record::audit_id(root.audit_number)).map_err(|_| ErrorCode::StoreFailed)?;
    let bytes = last.and_then(|r| r.value).ok_or(ErrorCode::StoreRolledBack)?;
    let end = Head::at(desk.platform.crypto(), &bytes).map_err(|_| ErrorCode::StoreRolledBack)?;
    let same = end.number == root.audit_number && end.digest == root.audit_head;
    if same { Ok(end) } else { Err(ErrorCode::StoreRolledBack) }
}

/// Opens a record and says what it means.
pub(super) fn fact_of<P: Platform>(desk: &Desk<'_, P>, stored: &Record) -> Result<Fact<Key<P>>, ErrorCode> {
    let Some(sealed) = stored.value.as_deref() else { return Ok(Fact::Removed) };
    let (crypto, device) = (desk.platform.crypto(), &desk.keys.device);
    let (id, version) = (&stored.id, stored.version);
    let partition = PartitionId(id.partition);
    let open = || record::open(crypto, device, id, version, sealed);
    match RecordKind::of(id).ok_or(ErrorCode::StoreCorrupt)? {
        RecordKind::Root | RecordKind::Audit | RecordKind::Body | RecordKind::OldRetry => Ok(Fact::Opaque),
        RecordKind::BackupKey => Ok(Fact::Opaque),
        RecordKind::Staged => staging::fact(crypto, partition, &open()?),
        RecordKind::Witness => Ok(Fact::Opaque),
        RecordKind::Auditors => Ok(Fact::Auditors(record::decode(&open()?)?)),
        RecordKind::Tamper => Ok(Fact::Tamper(record::decode(&open()?)?)),
        RecordKind::Device => Ok(Fact::Device(record::decode(&open()?)?)),
        RecordKind::Partition => {
            let record: record::PartitionRecord = record::decode(&open()?)?;
            let kek = crypto.load(KeyKind::Aes, &record.kek.0).map_err(|_| ErrorCode::StoreCorrupt)?;
            Ok(Fact::Partition(partition, record, kek))
        }
        RecordKind::Auth => Ok(Fact::Auth(partition, record::decode(&open()?)?)),
        RecordKind::Uses => Ok(Fact::Uses(partition, id.id, record::decode(&open()?)?)),
        RecordKind::Custodians => Ok(Fact::Custodians(record::decode(&open()?)?)),
        RecordKind::Proposal => Ok(Fact::Proposal(RequestId(id.id), record::decode(&open()?)?)),
        RecordKind::Retry => Ok(Fact::Retry(record::retry_place(id)?, record::decode(&open()?)?)),
        RecordKind::Object => {
            let kek = &desk.state.any_partition(partition).map_err(|_| ErrorCode::StoreCorrupt)?.kek;
            let plain = record::open(crypto, kek, id, version, sealed)?;
            let object = Object::from_record(ObjectId(id.id), version, record::decode(&plain)?);
            Ok(Fact::Object(partition, Arc::new(object)))
        }
    }
}
