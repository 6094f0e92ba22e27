//! Where a restore puts things before anybody may see them.
//!
//! A partition that is being restored is a record of its own kind, with a KEK drawn here. Its objects are already the records
//! that they will be, sealed under that KEK, but no command finds their partition. One commit at the end puts the partitions'
//! and PINs' records in place of the staged ones: before it the device is empty, after it complete, and a power cut leaves one
//! or the other. What a broken restore left is erased at the next start or restore.

use super::archive::Item;
use crate::call::removal;
use crate::crypto::Crypto;
use crate::keyring::Key;
use crate::ledger::{Change, Request};
use crate::object::Object;
use crate::record::{self, AuthRecord, CUSTODIANS, Kek, ObjectRecord, PartitionRecord, RecordKind, UsesRecord};
use crate::service::device::{object_removals, partition_change};
use crate::state::{Fact, Staged};
use crate::{Engine, KeyKind, Platform, RecordId, Store, allowance, pin};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::{ErrorCode, ObjectId, PartitionId};
use minicbor::{Decode, Encode};

/// Records erased in one commit.
const AT_A_TIME: usize = 512;

/// A partition before it is one.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct StagedRecord {
    #[n(0)]
    pub partition: PartitionRecord,
    #[n(1)]
    pub auth: Option<AuthRecord>,
}

/// What a record of this kind means.
pub(crate) fn fact<C: Crypto>(crypto: &C, id: PartitionId, plain: &[u8]) -> Result<Fact<C::Key>, ErrorCode> {
    let staged: StagedRecord = record::decode(plain)?;
    let kek = crypto.load(KeyKind::Aes, &staged.partition.kek.0).map_err(|_| ErrorCode::StoreCorrupt)?;
    Ok(Fact::Staged(id, staged, kek))
}

/// Erases what a restore left that is over. On a medium of several processes another may be at it: there, the next restore
/// does.
pub(crate) fn clear_leftovers<P: Platform>(engine: &Engine<P>) {
    if !engine.platform().store().is_shared() && clear(engine).is_err() {
        tracing::warn!("what a broken restore left could not be erased; nobody sees it");
    }
}

/// Erases everything that is staged.
pub(crate) fn clear<P: Platform>(engine: &Engine<P>) -> Result<(), ErrorCode> {
    engine.state().all_staged().iter().try_for_each(|staged| erase(engine, staged))
}

fn erase<P: Platform>(engine: &Engine<P>, staged: &Staged<P>) -> Result<(), ErrorCode> {
    let mut removals = object_removals(&staged.partition).into_iter();
    loop {
        let some: Vec<_> = removals.by_ref().take(AT_A_TIME).collect();
        if some.is_empty() {
            break;
        }
        engine.commit_quietly(some)?;
    }
    engine.commit_quietly(vec![removal(record::staged_id(staged.partition.id), staged.record.version)])
}

/// Where the backed-up device counted uses, by partition, and where this one does.
pub(crate) type Counters = BTreeMap<([u8; 16], [u8; 16]), [u8; 16]>;

/// A page of changes to what is staged.
struct Page<'a, P: Platform> {
    engine: &'a Engine<P>,
    partitions: BTreeMap<PartitionId, StagedRecord>,
    objects: BTreeMap<RecordId, Option<&'a [u8]>>,
    uses: BTreeMap<RecordId, u64>,
}

/// Stages a page of items, durably.
pub(crate) fn take<P: Platform>(engine: &Engine<P>, items: &[Item], counters: &mut Counters) -> Result<(), ErrorCode> {
    let mut page = Page::new(engine);
    for item in items {
        let (id, partition) = (item.id(), PartitionId(item.id().partition));
        match (RecordKind::of(&id), item.plain.as_deref()) {
            (Some(RecordKind::Partition), Some(plain)) => page.put_partition(partition, plain)?,
            (Some(RecordKind::Partition), None) => {
                page.commit()?;
                engine.state().staged(partition).map_or(Ok(()), |staged| erase(engine, &staged))?;
                page = Page::new(engine);
            }
            (Some(RecordKind::Auth), plain) => page.put_auth(partition, plain)?,
            (Some(RecordKind::Object), plain) => page.put_object(item, plain, counters)?,
            (Some(RecordKind::Uses), Some(plain)) => page.put_uses(&id, plain, counters)?,
            // Uses are only forgotten with what they count.
            (Some(RecordKind::Uses), None) => {}
            // Named at the end, where there are none yet.
            (Some(RecordKind::Custodians), Some(_)) if id == CUSTODIANS => {}
            _ => return Err(ErrorCode::ArchiveInvalid),
        }
    }
    page.commit()
}

impl<'a, P: Platform> Page<'a, P> {
    fn new(engine: &'a Engine<P>) -> Self {
        Page { engine, partitions: BTreeMap::new(), objects: BTreeMap::new(), uses: BTreeMap::new() }
    }

    fn partition(&self, id: PartitionId) -> Option<StagedRecord> {
        let staged = || self.engine.state().staged(id).map(|s| (*s.record.record).clone());
        self.partitions.get(&id).cloned().or_else(staged)
    }

    /// A partition gets a KEK of this device's, once.
    fn put_partition(&mut self, id: PartitionId, plain: &[u8]) -> Result<(), ErrorCode> {
        let given: PartitionRecord = record::decode(plain).map_err(|_| ErrorCode::ArchiveInvalid)?;
        let staged = self.partition(id);
        let kek = match &staged {
            Some(staged) => staged.partition.kek.clone(),
            None => Kek(self.engine.random()?),
        };
        let partition = PartitionRecord { kek, ..given };
        self.partitions.insert(id, StagedRecord { partition, auth: staged.and_then(|s| s.auth) });
        Ok(())
    }

    fn put_auth(&mut self, id: PartitionId, plain: Option<&[u8]>) -> Result<(), ErrorCode> {
        let auth: Option<AuthRecord> = plain.map(record::decode).transpose().map_err(|_| ErrorCode::ArchiveInvalid)?;
        match (self.partition(id), auth) {
            (Some(staged), auth) => {
                self.partitions.insert(id, StagedRecord { auth, ..staged });
                Ok(())
            }
            (None, None) => Ok(()),
            (None, Some(_)) => Err(ErrorCode::ArchiveInvalid),
        }
    }

    fn put_object(
        &mut self,
        item: &'a Item,
        plain: Option<&'a [u8]>,
        counters: &mut Counters,
    ) -> Result<(), ErrorCode> {
        let id = item.id();
        let Some(plain) = plain else {
            self.objects.insert(id, None);
            return Ok(());
        };
        let object: ObjectRecord = record::decode(plain).map_err(|_| ErrorCode::ArchiveInvalid)?;
        if self.partition(PartitionId(id.partition)).is_none() {
            return Err(ErrorCode::ArchiveInvalid);
        }
        if let Some(counter) = item.counter {
            counters.insert((id.partition, counter), allowance::counter(self.engine, &object.secret)?);
        }
        self.objects.insert(id, Some(plain));
        Ok(())
    }

    /// Uses of a secret that no object has any more are not carried on: here, nothing can be done with it.
    fn put_uses(&mut self, id: &RecordId, plain: &[u8], counters: &Counters) -> Result<(), ErrorCode> {
        let uses: UsesRecord = record::decode(plain).map_err(|_| ErrorCode::ArchiveInvalid)?;
        if let Some(here) = counters.get(&(id.partition, id.id)) {
            let most = self.uses.entry(record::uses_id(PartitionId(id.partition), *here)).or_default();
            *most = uses.reserved.max(*most);
        }
        Ok(())
    }

    fn commit(self) -> Result<(), ErrorCode> {
        let new = self.partitions.keys().filter(|id| self.engine.state().staged(**id).is_none()).count();
        let all = self.engine.state().all_staged().len().saturating_add(new);
        if all > self.engine.platform().limits().partitions {
            return Err(ErrorCode::LimitReached);
        }
        let mut changes = Vec::new();
        for (id, staged) in &self.partitions {
            changes.push(self.staged_change(*id, staged)?);
        }
        for (id, plain) in &self.objects {
            changes.extend(self.object_change(id, *plain)?);
        }
        for (id, reserved) in &self.uses {
            changes.extend(self.uses_change(id, *reserved)?);
        }
        if changes.is_empty() { Ok(()) } else { self.engine.commit(Request { changes, ..Request::default() }) }
    }

    fn staged_change(&self, id: PartitionId, staged: &StagedRecord) -> Result<Change<Key<P>>, ErrorCode> {
        let version = self.engine.state().staged(id).map_or(0, |s| s.record.version);
        let kek = self.kek(&staged.partition.kek)?;
        let fact = Fact::Staged(id, staged.clone(), kek);
        self.engine.device_change(record::staged_id(id), version, staged, fact)
    }

    fn kek(&self, kek: &Kek) -> Result<Key<P>, ErrorCode> {
        let loaded = self.engine.platform().crypto().load(KeyKind::Aes, &kek.0);
        loaded.map_err(|error| self.engine.crypto_failed(error))
    }

    fn object_change(&self, id: &RecordId, plain: Option<&[u8]>) -> Result<Option<Change<Key<P>>>, ErrorCode> {
        let (partition, object) = (PartitionId(id.partition), ObjectId(id.id));
        let there = self.engine.state().staged(partition);
        let expected = match &there {
            Some(staged) => staged.partition.get(object)?.map_or(0, |o| o.version),
            None => 0,
        };
        let Some(plain) = plain else { return Ok((expected > 0).then(|| removal(*id, expected))) };
        let held = there.map_or(0, |staged| staged.partition.objects.read().len());
        if held >= self.engine.platform().limits().objects {
            return Err(ErrorCode::LimitReached);
        }
        let staged = self.partition(partition).ok_or(ErrorCode::ArchiveInvalid)?;
        let value = self.engine.seal(&self.kek(&staged.partition.kek)?, id, expected, plain)?;
        let parsed = Object::from_record(object, expected.saturating_add(1), record::decode(plain)?);
        let fact = Fact::Object(partition, Arc::new(parsed));
        Ok(Some(Change { id: *id, expected, value: Some(value), fact }))
    }

    fn uses_change(&self, id: &RecordId, reserved: u64) -> Result<Option<Change<Key<P>>>, ErrorCode> {
        let partition = PartitionId(id.partition);
        let there = self.engine.state().staged(partition);
        let (version, before) = there.map_or((0, 0), |staged| staged.partition.reserved(&id.id));
        if before >= reserved {
            return Ok(None);
        }
        let uses = UsesRecord { reserved };
        self.engine.device_change(*id, version, &uses, Fact::Uses(partition, id.id, uses.clone())).map(Some)
    }
}

/// The changes that make everything staged visible.
pub(crate) fn switch<P: Platform>(engine: &Engine<P>) -> Result<Vec<Change<Key<P>>>, ErrorCode> {
    let mut changes = Vec::new();
    for staged in engine.state().all_staged() {
        let (id, record) = (staged.partition.id, &staged.record.record);
        changes.push(partition_change(engine, id, 0, record.partition.clone())?);
        if let Some(auth) = &record.auth {
            changes.push(pin::auth_change(engine, &staged.partition, 0, auth.clone())?);
        }
        changes.push(removal(record::staged_id(id), staged.record.version));
    }
    Ok(changes)
}
