//! What the engine knows in memory: a view of the store's records, parsed. Readers take short read locks and leave with
//! snapshots (`Arc`s); only the ledger writes, in the order of commits.

use crate::auditor::Auditors;
use crate::backup::staging::StagedRecord;
use crate::figures::Activity;
use crate::keyring::Key;
use crate::object::{Base, Object, Objects};
use crate::record::{
    AuditorsRecord, AuthRecord, CustodiansRecord, DeviceRecord, PartitionRecord, ProposalRecord, RecordKind,
    RetryRecord, TamperRecord, UsesRecord,
};
use crate::retries::{Retries, Turn};
use crate::snapshot::Snapshot;
use crate::{Platform, RecordId, record};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::command::{PartitionMode, PartitionSettings};
use coloa_wire::{ErrorCode, Identity, ObjectId, PartitionId, RequestId, RetryId};
use core::sync::atomic::{AtomicBool, Ordering};
use lock_api::RwLock;

/// A record together with the version it has.
pub(crate) struct Versioned<T> {
    pub version: u64,
    pub record: Arc<T>,
}

impl<T> Clone for Versioned<T> {
    fn clone(&self) -> Self {
        Versioned { version: self.version, record: self.record.clone() }
    }
}

impl<T> Versioned<T> {
    pub(crate) fn new(version: u64, record: T) -> Self {
        Versioned { version, record: Arc::new(record) }
    }
}

/// Records of uses by the digest of their key, each with its version.
type Uses = BTreeMap<[u8; 16], (u64, UsesRecord)>;

/// One organ's token.
pub(crate) struct Partition<P: Platform> {
    pub id: PartitionId,
    /// The parsed KEK.
    pub kek: Key<P>,
    info: RwLock<P::Lock, Versioned<PartitionRecord>>,
    auth: RwLock<P::Lock, Versioned<AuthRecord>>,
    pub objects: RwLock<P::Lock, Objects<Key<P>>>,
    /// Objects that a command asked for and that are not in memory.
    wanted: RwLock<P::Lock, BTreeSet<ObjectId>>,
    uses: RwLock<P::Lock, Uses>,
    /// Its rules, for life.
    pub mode: PartitionMode,
    /// Serves approved services only (R8).
    pub approved_only: bool,
    /// It was destroyed or initialised anew: what was opened on it is over.
    retired: AtomicBool,
    /// Held while a PIN is looked at, so that right PINs given at the same time do not count as wrong tries.
    pub pin_turn: RwLock<P::Lock, ()>,
    /// How often its keys were used.
    pub activity: Activity,
}

/// A partition that is being restored, and the record that says so.
pub(crate) struct Staged<P: Platform> {
    pub partition: Arc<Partition<P>>,
    pub record: Versioned<StagedRecord>,
}

impl<P: Platform> Clone for Staged<P> {
    fn clone(&self) -> Self {
        Staged { partition: self.partition.clone(), record: self.record.clone() }
    }
}

impl<P: Platform> Partition<P> {
    fn new(id: PartitionId, version: u64, record: PartitionRecord, kek: Key<P>) -> Self {
        Partition {
            id,
            kek,
            wanted: RwLock::new(BTreeSet::new()),
            uses: RwLock::new(BTreeMap::new()),
            mode: record.mode,
            approved_only: record.approved_only == Some(true),
            retired: AtomicBool::new(false),
            info: RwLock::new(Versioned::new(version, record)),
            auth: RwLock::new(Versioned::new(0, AuthRecord::default())),
            objects: RwLock::new(Objects::default()),
            pin_turn: RwLock::new(()),
            activity: Activity::default(),
        }
    }

    pub(crate) fn info(&self) -> Versioned<PartitionRecord> {
        self.info.read().clone()
    }

    pub(crate) fn auth(&self) -> Versioned<AuthRecord> {
        self.auth.read().clone()
    }

    /// An object that is in memory. One that is only in the store is noted as wanted, and the answer is `Conflict`.
    pub(crate) fn get(&self, id: ObjectId) -> Result<Option<Arc<Object<Key<P>>>>, ErrorCode> {
        let objects = self.objects.read();
        if objects.is_unread(id) {
            self.wanted.write().insert(id);
            return Err(ErrorCode::Conflict);
        }
        Ok(objects.get(id))
    }

    pub(crate) fn take_wanted(&self) -> Vec<ObjectId> {
        core::mem::take(&mut *self.wanted.write()).into_iter().collect()
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// The version of a key's record of uses, and how many it has reserved.
    pub(crate) fn reserved(&self, key: &[u8; 16]) -> (u64, u64) {
        self.uses.read().get(key).map_or((0, 0), |(version, record)| (*version, record.reserved))
    }

    /// Every record of uses, with its version.
    pub(crate) fn uses(&self) -> Vec<(RecordId, u64)> {
        let uses = self.uses.read();
        uses.iter().map(|(key, (version, _))| (record::uses_id(self.id, *key), *version)).collect()
    }

    fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Takes over what another reading of the same partition found.
    fn become_like(&self, fresh: &Partition<P>) {
        *self.info.write() = fresh.info();
        *self.auth.write() = fresh.auth();
        let objects = core::mem::take(&mut *fresh.objects.write());
        *self.objects.write() = objects;
        let uses = core::mem::take(&mut *fresh.uses.write());
        *self.uses.write() = uses;
    }

    /// One of the things that the administrator may have set.
    pub(crate) fn setting<T>(&self, read: impl FnOnce(&PartitionSettings) -> Option<T>) -> Option<T> {
        self.info.read().record.settings.as_ref().and_then(read)
    }

    /// Whether nothing of it may be used.
    pub(crate) fn is_suspended(&self) -> bool {
        self.info.read().record.suspended.is_some()
    }

    pub(crate) fn is_bound_to(&self, identity: &Identity) -> bool {
        self.info.read().record.clients.iter().any(|c| c.identity == *identity)
    }
}

/// What a committed record means in memory.
pub(crate) enum Fact<K> {
    Device(DeviceRecord),
    Partition(PartitionId, PartitionRecord, K),
    /// A partition that is being restored.
    Staged(PartitionId, StagedRecord, K),
    Auth(PartitionId, AuthRecord),
    Object(PartitionId, Arc<Object<K>>),
    /// An answer, in its place.
    Retry(u64, RetryRecord),
    Uses(PartitionId, [u8; 16], UsesRecord),
    Custodians(CustodiansRecord),
    Proposal(RequestId, ProposalRecord),
    Auditors(AuditorsRecord),
    Tamper(TamperRecord),
    /// It is only in the store.
    Opaque,
    Removed,
}

/// Everything but sessions.
pub(crate) struct State<P: Platform> {
    device: RwLock<P::Lock, Option<Arc<DeviceRecord>>>,
    /// Whether there is a device record. Every command asks: it must not cost them a lock.
    is_initialized: AtomicBool,
    partitions: RwLock<P::Lock, BTreeMap<PartitionId, Arc<Partition<P>>>>,
    /// Partitions that are being restored: no command sees them.
    staged: RwLock<P::Lock, BTreeMap<PartitionId, Staged<P>>>,
    retries: RwLock<P::Lock, Retries>,
    custodians: RwLock<P::Lock, Option<Versioned<CustodiansRecord>>>,
    proposals: RwLock<P::Lock, BTreeMap<RequestId, Versioned<ProposalRecord>>>,
    auditors: Auditors<P::Lock>,
    tamper: RwLock<P::Lock, Option<Versioned<TamperRecord>>>,
    /// Whether there is a record of it, for the same reason.
    is_tampered: AtomicBool,
}

impl<P: Platform> State<P> {
    pub(crate) fn new() -> Self {
        State {
            device: RwLock::new(None),
            is_initialized: AtomicBool::new(false),
            partitions: RwLock::new(BTreeMap::new()),
            staged: RwLock::new(BTreeMap::new()),
            retries: RwLock::new(Retries::default()),
            custodians: RwLock::new(None),
            proposals: RwLock::new(BTreeMap::new()),
            auditors: Auditors::new(),
            tamper: RwLock::new(None),
            is_tampered: AtomicBool::new(false),
        }
    }

    /// Who may read all and use nothing (R1).
    pub(crate) fn auditors(&self) -> &Auditors<P::Lock> {
        &self.auditors
    }

    /// What a line told, on a device that has not returned since (R15).
    pub(crate) fn tamper(&self) -> Option<Versioned<TamperRecord>> {
        self.tamper.read().clone()
    }

    pub(crate) fn is_tampered(&self) -> bool {
        self.is_tampered.load(Ordering::Acquire)
    }

    fn put_tamper(&self, record: Option<Versioned<TamperRecord>>) {
        self.is_tampered.store(record.is_some(), Ordering::Release);
        *self.tamper.write() = record;
    }

    /// The custodians, and which set of them it is.
    pub(crate) fn custodians(&self) -> Option<Versioned<CustodiansRecord>> {
        self.custodians.read().clone()
    }

    pub(crate) fn proposal(&self, id: RequestId) -> Option<Versioned<ProposalRecord>> {
        self.proposals.read().get(&id).cloned()
    }

    pub(crate) fn proposals(&self) -> Vec<(RequestId, Versioned<ProposalRecord>)> {
        self.proposals.read().iter().map(|(id, proposal)| (*id, proposal.clone())).collect()
    }

    pub(crate) fn device(&self) -> Option<Arc<DeviceRecord>> {
        self.device.read().clone()
    }

    pub(crate) fn is_initialized(&self) -> bool {
        self.is_initialized.load(Ordering::Acquire)
    }

    fn set_device(&self, record: Option<Arc<DeviceRecord>>) {
        let mut device = self.device.write();
        self.is_initialized.store(record.is_some(), Ordering::Release);
        *device = record;
    }

    pub(crate) fn partition(&self, id: PartitionId) -> Result<Arc<Partition<P>>, ErrorCode> {
        self.partitions.read().get(&id).cloned().ok_or(ErrorCode::PartitionUnknown)
    }

    /// A partition that commands see, or one that is being restored.
    pub(crate) fn any_partition(&self, id: PartitionId) -> Result<Arc<Partition<P>>, ErrorCode> {
        self.partition(id).or_else(|unknown| self.staged(id).map(|staged| staged.partition).ok_or(unknown))
    }

    pub(crate) fn staged(&self, id: PartitionId) -> Option<Staged<P>> {
        self.staged.read().get(&id).cloned()
    }

    /// Every partition that is being restored.
    pub(crate) fn all_staged(&self) -> Vec<Staged<P>> {
        self.staged.read().values().cloned().collect()
    }

    pub(crate) fn is_staging(&self) -> bool {
        !self.staged.read().is_empty()
    }

    /// Every partition, in the order they were made.
    pub(crate) fn partitions(&self) -> Vec<Arc<Partition<P>>> {
        let mut all: Vec<_> = self.partitions.read().values().cloned().collect();
        all.sort_by_key(|p| p.info().record.order);
        all
    }

    /// Lets every partition stand on what a snapshot knows of its objects.
    pub(crate) fn stand_on(&self, snapshot: &Arc<Snapshot>) {
        for partition in self.partitions.read().values() {
            partition.objects.write().stand_on(Base::new(snapshot, partition.id));
        }
    }

    pub(crate) fn retry(&self, id: RetryId) -> Option<RetryRecord> {
        self.retries.read().answer(id).cloned()
    }

    pub(crate) fn retry_turn(&self, room: usize) -> Turn {
        self.retries.write().turn(room)
    }

    /// Shows another reading of the whole store. A partition that is the same in both stays the same for who holds it.
    pub(crate) fn replace(&self, fresh: State<P>) {
        let mut partitions = self.partitions.write();
        let old = core::mem::replace(&mut *partitions, fresh.partitions.into_inner());
        for (id, old) in old {
            match partitions.get_mut(&id).filter(|p| p.info().record.kek.0 == old.info().record.kek.0) {
                Some(same) => {
                    old.become_like(same);
                    *same = old;
                }
                None => old.retire(),
            }
        }
        self.set_device(fresh.device.into_inner());
        *self.staged.write() = fresh.staged.into_inner();
        *self.retries.write() = fresh.retries.into_inner();
        *self.custodians.write() = fresh.custodians.into_inner();
        *self.proposals.write() = fresh.proposals.into_inner();
        self.auditors.put(fresh.auditors.known());
        self.put_tamper(fresh.tamper.into_inner());
    }

    /// Takes in what was committed. Within a batch, facts come in the order of [`RecordKind`].
    pub(crate) fn apply(&self, id: &RecordId, version: u64, fact: Fact<Key<P>>) {
        match fact {
            Fact::Device(record) => self.set_device(Some(Arc::new(record))),
            Fact::Partition(partition, record, kek) => self.put_partition(partition, version, record, kek),
            Fact::Staged(partition, record, kek) => self.put_staged(partition, version, record, kek),
            Fact::Auth(partition, record) => {
                self.on_partition(partition, |p| *p.auth.write() = Versioned::new(version, record));
            }
            Fact::Object(partition, object) => self.on_partition(partition, |p| p.objects.write().put(object)),
            Fact::Retry(place, record) => self.retries.write().put(place, version, record),
            Fact::Uses(partition, key, record) => self.on_partition(partition, |p| {
                p.uses.write().insert(key, (version, record));
            }),
            Fact::Custodians(record) => *self.custodians.write() = Some(Versioned::new(version, record)),
            Fact::Proposal(id, record) => {
                self.proposals.write().insert(id, Versioned::new(version, record));
            }
            Fact::Auditors(record) => self.auditors.put(Some(Versioned::new(version, record))),
            Fact::Tamper(record) => self.put_tamper(Some(Versioned::new(version, record))),
            Fact::Opaque => {}
            Fact::Removed => self.remove(id),
        }
    }

    fn on_partition(&self, id: PartitionId, change: impl FnOnce(&Partition<P>)) {
        if let Ok(partition) = self.any_partition(id) {
            change(&partition);
        }
    }

    fn put_staged(&self, id: PartitionId, version: u64, record: StagedRecord, kek: Key<P>) {
        let mut staged = self.staged.write();
        let same = staged.get(&id).filter(|s| s.record.record.partition.kek.0 == record.partition.kek.0);
        let partition = match same {
            Some(same) => same.partition.clone(),
            None => Arc::new(Partition::new(id, version, record.partition.clone(), kek)),
        };
        staged.insert(id, Staged { partition, record: Versioned::new(version, record) });
    }

    /// What was staged under the same KEK, so that it need not be read again.
    fn unstaged(&self, id: PartitionId, record: &PartitionRecord) -> Option<Arc<Partition<P>>> {
        let staged = self.staged(id).filter(|s| s.partition.info().record.kek.0 == record.kek.0)?;
        Some(staged.partition)
    }

    /// A partition whose KEK is another one is a new partition: nothing sealed under the old KEK can be opened.
    fn put_partition(&self, id: PartitionId, version: u64, record: PartitionRecord, kek: Key<P>) {
        let mut partitions = self.partitions.write();
        let same = partitions.get(&id).filter(|p| p.info().record.kek.0 == record.kek.0);
        if let Some(partition) = same {
            *partition.info.write() = Versioned::new(version, record);
            return;
        }
        let fresh =
            self.unstaged(id, &record).unwrap_or_else(|| Arc::new(Partition::new(id, version, record.clone(), kek)));
        *fresh.info.write() = Versioned::new(version, record);
        if let Some(old) = partitions.insert(id, fresh) {
            old.retire();
        }
    }

    fn remove(&self, id: &RecordId) {
        match RecordKind::of(id) {
            Some(RecordKind::Object) => {
                self.on_partition(PartitionId(id.partition), |p| p.objects.write().remove(ObjectId(id.id)));
            }
            Some(RecordKind::Uses) => self.on_partition(PartitionId(id.partition), |p| {
                p.uses.write().remove(&id.id);
            }),
            Some(RecordKind::Proposal) => {
                self.proposals.write().remove(&RequestId(id.id));
            }
            Some(RecordKind::Partition) => {
                if let Some(old) = self.partitions.write().remove(&PartitionId(id.partition)) {
                    old.retire();
                }
            }
            Some(RecordKind::Tamper) => self.put_tamper(None),
            Some(RecordKind::Staged) => {
                self.staged.write().remove(&PartitionId(id.partition));
            }
            _ => {}
        }
    }
}
