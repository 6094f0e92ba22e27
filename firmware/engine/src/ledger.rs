//! The one place that writes the store: group commit, the root, and catching up with what other processes committed.
//!
//! There is no writer thread, because a board has none. While one group of requests is being flushed, the next one gathers:
//! the first that comes leads it and waits for the book's lock, those that come later (at most [`MAX_GROUP`] in all) join it
//! and wait for the leader. It commits for all of them with one flush, and they all wake up together, so that nobody waits
//! for a flush that is not its own. Before it commits, a leader gives those who were there a moment ago the time to come
//! again ([`Platform::gather`]); who is alone never waits.

mod listing;
mod reading;
mod resuming;

use crate::audit::{AuditEvent, Head};
use crate::keyring::{Key, Keyring};
use crate::quota::Tally;
use crate::record::{self, ROOT, RootRecord};
use crate::root::{self, Members};
use crate::state::{Fact, Partition, State};
use crate::{CommitError, CryptoError, Platform, RecordId, Store, Write};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::{ErrorCode, ObjectId, PartitionId, RetryId};
use core::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use listing::View;
use lock_api::RwLock;
use reading::{is_current, read_object, refresh, reload};
use resuming::{is_due, resume};

/// Requests that share one flush at most.
const MAX_GROUP: usize = 64;
/// How often a commit is tried anew because another process was first.
const MAX_CONFLICTS: usize = 64;

/// One change of a request, sealed and ready.
pub(crate) struct Change<K> {
    pub id: RecordId,
    /// The version it was computed from; 0 when the record was not there.
    pub expected: u64,
    /// Sealed; `None` deletes.
    pub value: Option<Vec<u8>>,
    pub fact: Fact<K>,
}

/// What one caller wants committed: all of it, or nothing.
pub(crate) struct Request<K> {
    /// Records that it does not change, but that must not have changed either.
    pub relies_on: Vec<(RecordId, u64)>,
    pub changes: Vec<Change<K>>,
    /// A partition whose objects are all among those deleted: one made meanwhile is a conflict, or it would be left
    /// behind without the key that opens it.
    pub empties: Option<PartitionId>,
    /// The retry id that it answers: one that was answered meanwhile is a conflict, or it would be done twice.
    pub answers: Option<RetryId>,
    pub events: Vec<AuditEvent>,
}

impl<K> Default for Request<K> {
    fn default() -> Self {
        Request { relies_on: Vec::new(), changes: Vec::new(), empties: None, answers: None, events: Vec::new() }
    }
}

struct Entry<P: Platform> {
    request: RwLock<P::Lock, Option<Request<Key<P>>>>,
    outcome: RwLock<P::Lock, Option<Result<(), ErrorCode>>>,
}

/// Requests that are committed together.
struct Group<P: Platform> {
    entries: RwLock<P::Lock, Vec<Arc<Entry<P>>>>,
    /// Held by the leader until every entry has its outcome.
    done: RwLock<P::Lock, ()>,
}

/// What is known of the store, under one lock.
struct Book {
    generation: u64,
    members: Members,
    audit: Head,
    /// How many wanted to commit when the last group was flushed, those that waited for the next one included: they are
    /// likely to come again.
    crowd: usize,
    /// The generation of the snapshot that is kept; 0 when there is none.
    kept: u64,
}

impl Book {
    fn new() -> Self {
        Book { generation: 0, members: Members::default(), audit: Head::default(), crowd: 0, kept: 0 }
    }
}

/// See the module.
pub(crate) struct Ledger<P: Platform> {
    /// The group that requests join now.
    gathering: RwLock<P::Lock, Option<Arc<Group<P>>>>,
    book: RwLock<P::Lock, Book>,
    /// The low bits of the generation that [`State`] shows.
    seen: AtomicUsize,
}

/// What the ledger works with.
pub(crate) struct Desk<'a, P: Platform> {
    pub platform: &'a P,
    pub keys: &'a Keyring<P>,
    pub state: &'a State<P>,
}

impl<P: Platform> Ledger<P> {
    /// Reads the store, or a snapshot of it and what has changed since, and checks it against its root.
    pub(crate) fn open(desk: &Desk<'_, P>) -> Result<Self, ErrorCode> {
        let mut book = Book::new();
        if resume(desk, &mut book).is_none() {
            reload(desk, &mut book)?;
        } else {
            is_current(desk, book.generation)?;
        }
        let seen = AtomicUsize::new(low_bits(book.generation));
        Ok(Ledger { gathering: RwLock::new(None), book: RwLock::new(book), seen })
    }

    /// Of a store that holds nothing but the log (see [`crate::tamper`]).
    pub(crate) fn succeeding(generation: u64, audit: Head) -> Self {
        let book = Book { generation, audit, ..Book::new() };
        let seen = AtomicUsize::new(low_bits(book.generation));
        Ledger { gathering: RwLock::new(None), book: RwLock::new(book), seen }
    }

    /// The number and digest of the last audit record.
    pub(crate) fn audit_head(&self) -> (u64, [u8; 32]) {
        let audit = self.book.read().audit;
        (audit.number, audit.digest)
    }

    /// The end of the audit log, and the generation of the store that holds it.
    pub(crate) fn position(&self) -> (Head, u64) {
        let book = self.book.read();
        (book.audit, book.generation)
    }

    /// A record that has no place in [`State`], as it stands in the store and in the set.
    pub(crate) fn read(&self, desk: &Desk<'_, P>, id: &RecordId) -> Result<Option<(u64, Vec<u8>)>, ErrorCode> {
        self.reading(desk, |book| reading::read(desk, book, id))
    }

    /// Reads an object that is not in memory into the state.
    pub(crate) fn read_object(
        &self,
        desk: &Desk<'_, P>,
        partition: &Partition<P>,
        id: ObjectId,
    ) -> Result<(), ErrorCode> {
        self.reading(desk, |book| read_object(desk, book, partition, id))
    }

    /// Reads the store by the book, many at once. Where another process commits meanwhile, the two do not agree: that is no
    /// damage, and the reading is done anew.
    fn reading<T>(&self, desk: &Desk<'_, P>, read: impl Fn(&Book) -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
        loop {
            let book = self.book.read();
            let outcome = if is_present(desk, &book)? { Some(read(&book)) } else { None };
            match outcome {
                Some(Err(ErrorCode::StoreRolledBack | ErrorCode::StoreCorrupt)) if !is_present(desk, &book)? => {}
                Some(outcome) => return outcome,
                None => {}
            }
            drop(book);
            let mut book = self.book.write();
            refresh(desk, &mut book)?;
            self.saw(&book);
        }
    }

    /// Keeps a snapshot, where the body keeps any and the last one is old.
    pub(crate) fn keep_snapshot(&self, desk: &Desk<'_, P>) {
        let mut book = self.book.write();
        if is_due(desk, &book) {
            resuming::keep(desk, &mut book);
        }
    }

    /// Takes in what other processes committed.
    pub(crate) fn catch_up(&self, desk: &Desk<'_, P>) -> Result<(), ErrorCode> {
        let generation = desk.platform.store().generation().map_err(|_| ErrorCode::StoreFailed)?;
        if low_bits(generation) == self.seen.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut book = self.book.write();
        refresh(desk, &mut book)?;
        self.saw(&book);
        Ok(())
    }

    /// Commits a request; returns when it is durable, with others of the same moment.
    pub(crate) fn commit(&self, desk: &Desk<'_, P>, request: Request<Key<P>>) -> Result<(), ErrorCode> {
        let entry = Arc::new(Entry { request: RwLock::new(Some(request)), outcome: RwLock::new(None) });
        let mut gathering = self.gathering.write();
        match joined(gathering.as_ref(), &entry) {
            Some(group) => {
                drop(gathering);
                drop(group.done.read());
            }
            None => {
                let group = Arc::new(Group { entries: RwLock::new([entry.clone()].into()), done: RwLock::new(()) });
                let turn = group.done.write();
                *gathering = Some(group.clone());
                drop(gathering);
                self.lead(desk, &group);
                drop(turn);
            }
        }
        let outcome = entry.outcome.write().take();
        outcome.unwrap_or(Err(ErrorCode::OutcomeUnknown))
    }

    fn lead(&self, desk: &Desk<'_, P>, group: &Arc<Group<P>>) {
        let mut book = self.book.write();
        let crowd = book.crowd.min(MAX_GROUP);
        if group.entries.read().len() < crowd {
            desk.platform.gather(&|| group.entries.read().len() >= crowd);
        }
        let entries = {
            let mut gathering = self.gathering.write();
            gathering.take_if(|open| Arc::ptr_eq(open, group));
            core::mem::take(&mut *group.entries.write())
        };
        let together = entries.len();
        commit_group(desk, &mut book, entries);
        let waiting = self.gathering.read().as_ref().map_or(0, |next| next.entries.read().len());
        book.crowd = together.saturating_add(waiting);
        self.saw(&book);
    }

    fn saw(&self, book: &Book) {
        self.seen.store(low_bits(book.generation), Ordering::Release);
    }
}

/// The group, once the entry is in it; `None` when there is none that has room. Whoever calls holds the lock on gathering.
fn joined<P: Platform>(group: Option<&Arc<Group<P>>>, entry: &Arc<Entry<P>>) -> Option<Arc<Group<P>>> {
    let group = group?;
    let mut entries = group.entries.write();
    if entries.len() >= MAX_GROUP {
        return None;
    }
    entries.push(entry.clone());
    Some(group.clone())
}

/// Whether nobody else has committed since the book was written.
fn is_present<P: Platform>(desk: &Desk<'_, P>, book: &Book) -> Result<bool, ErrorCode> {
    let store = desk.platform.store();
    Ok(!store.is_shared() || store.generation().map_err(|_| ErrorCode::StoreFailed)? == book.generation)
}

fn low_bits(generation: u64) -> usize {
    (generation & usize::MAX as u64) as usize
}

fn commit_group<P: Platform>(desk: &Desk<'_, P>, book: &mut Book, group: Vec<Arc<Entry<P>>>) {
    let mut waiting: Vec<_> =
        group.iter().filter_map(|entry| entry.request.write().take().map(|request| (entry, request))).collect();
    for _ in 0..MAX_CONFLICTS {
        waiting = refuse_outdated(desk, book, waiting);
        if waiting.is_empty() {
            return;
        }
        match try_commit(desk, book, &waiting) {
            Ok(()) => return accept(desk, waiting),
            Err(Refusal::Code(error)) => return refuse(waiting, error),
            Err(Refusal::Store(CommitError::Conflict)) => match refresh(desk, book) {
                Ok(()) => {}
                Err(error) => return refuse(waiting, error),
            },
            Err(Refusal::Store(CommitError::Full)) => return refuse(waiting, ErrorCode::StoreFull),
            Err(Refusal::Store(CommitError::Failed)) => return refuse(waiting, ErrorCode::StoreFailed),
            Err(Refusal::Store(CommitError::Unknown)) => {
                let read_again = reload(desk, book);
                return refuse(waiting, read_again.err().unwrap_or(ErrorCode::OutcomeUnknown));
            }
        }
    }
    refuse(waiting, ErrorCode::Conflict);
}

/// Why a group was not committed.
enum Refusal {
    Store(CommitError),
    /// Before the store was asked.
    Code(ErrorCode),
}

type Waiting<'a, P> = Vec<(&'a Arc<Entry<P>>, Request<Key<P>>)>;

/// Answers those whose records have changed since they looked, or that another request of the group changes.
fn refuse_outdated<'a, P: Platform>(desk: &Desk<'_, P>, book: &Book, waiting: Waiting<'a, P>) -> Waiting<'a, P> {
    let (mut touched, mut answered) = (BTreeSet::new(), BTreeSet::new());
    let mut current = Vec::with_capacity(waiting.len());
    let mut tally = Tally::default();
    for (entry, request) in waiting {
        let seen = request.changes.iter().map(|c| (c.id, c.expected)).chain(request.relies_on.iter().copied());
        let mut seen = seen.into_iter();
        let unchanged = seen.all(|(id, expected)| book.members.version(&id) == expected && !touched.contains(&id));
        let fits = tally.admits(desk.state, &request);
        let is_new = request.answers.is_none_or(|id| !answered.contains(&id) && desk.state.retry(id).is_none());
        if !unchanged || !is_new || !is_emptied(book, &touched, &request) {
            *entry.outcome.write() = Some(Err(ErrorCode::Conflict));
        } else if let Err(error) = fits {
            *entry.outcome.write() = Some(Err(error));
        } else {
            tally.add(desk.state, &request);
            touched.extend(request.changes.iter().map(|c| c.id));
            answered.extend(request.answers);
            current.push((entry, request));
        }
    }
    current
}

/// See [`Request::empties`].
fn is_emptied<K>(book: &Book, touched: &BTreeSet<RecordId>, request: &Request<K>) -> bool {
    let Some(partition) = request.empties else { return true };
    let all = record::objects(partition);
    let deleted: BTreeSet<_> = request.changes.iter().filter(|c| c.value.is_none()).map(|c| c.id).collect();
    touched.range(all.clone()).next().is_none() && book.members.range(all).all(|(id, _)| deleted.contains(&id))
}

fn accept<P: Platform>(desk: &Desk<'_, P>, waiting: Waiting<'_, P>) {
    for (entry, request) in waiting {
        for change in request.changes {
            desk.state.apply(&change.id, change.expected.saturating_add(1), change.fact);
        }
        *entry.outcome.write() = Some(Ok(()));
    }
}

fn refuse<P: Platform>(waiting: Waiting<'_, P>, error: ErrorCode) {
    waiting.iter().for_each(|(entry, _)| *entry.outcome.write() = Some(Err(error)));
}

/// Puts the members in, writes, and takes them out again when the store refuses.
fn try_commit<P: Platform>(desk: &Desk<'_, P>, book: &mut Book, waiting: &Waiting<'_, P>) -> Result<(), Refusal> {
    let changes = || waiting.iter().flat_map(|(_, request)| &request.changes);
    let mut undo = Vec::new();
    let mut outcome = Ok(());
    for change in changes() {
        match member_of(desk, change) {
            Ok(member) => undo.push((change.id, book.members.set(change.id, member))),
            Err(error) => outcome = Err(Refusal::Code(error)),
        }
    }
    let events = waiting.iter().flat_map(|(_, request)| &request.events).cloned();
    let (log, audit) = append_events(desk, book.audit, events);
    let outcome = outcome.and_then(|()| {
        let root = seal_root(desk, book, audit)?;
        let version = book.generation.saturating_add(1);
        let mut writes: Vec<Write<'_>> = changes()
            .map(|c| Write { id: c.id, version: c.expected.saturating_add(1), value: c.value.as_deref() })
            .collect();
        writes.extend(log.iter().map(|(id, bytes)| Write { id: *id, version: 1, value: bytes.as_deref() }));
        writes.push(Write { id: ROOT, version, value: Some(&root) });
        desk.platform.store().commit(book.generation, &writes).map_err(Refusal::Store)?;
        // Before anybody is told (R36). What is in the store by then is read again.
        let counted = desk.platform.counter().map_or(Ok(()), |counter| counter.raise(version));
        counted.map_err(|_| Refusal::Store(CommitError::Unknown))
    });
    match outcome {
        Ok(()) => (book.generation, book.audit) = (book.generation.saturating_add(1), audit),
        Err(_) => undo.into_iter().rev().for_each(|(id, old)| {
            book.members.set(id, old);
        }),
    }
    outcome
}

fn member_of<P: Platform>(desk: &Desk<'_, P>, change: &Change<Key<P>>) -> Result<Option<root::Member>, ErrorCode> {
    let Some(sealed) = &change.value else { return Ok(None) };
    let version = change.expected.saturating_add(1);
    let element = root::element(desk.platform.crypto(), &desk.keys.set, &change.id, version, sealed)?;
    Ok(Some(root::Member { version, element }))
}

type LogWrite = (RecordId, Option<Vec<u8>>);

/// The audit records to write, and those to drop where the body keeps only so many.
fn append_events<P: Platform>(
    desk: &Desk<'_, P>,
    mut head: Head,
    events: impl Iterator<Item = AuditEvent>,
) -> (Vec<LogWrite>, Head) {
    let keep = desk.platform.limits().audit_records;
    let now = desk.platform.now();
    let mut log = Vec::new();
    let mut events = events.peekable();
    let stepped = events.peek().and_then(|_| head.step_back(now));
    for event in stepped.into_iter().chain(events) {
        let (bytes, next) = head.append(desk.platform.crypto(), now, event);
        head = next;
        log.push((record::audit_id(head.number), Some(bytes)));
        if keep > 0 && head.number > keep {
            log.push((record::audit_id(head.number.saturating_sub(keep)), None));
        }
    }
    (log, head)
}

fn seal_root<P: Platform>(desk: &Desk<'_, P>, book: &Book, audit: Head) -> Result<Vec<u8>, Refusal> {
    let generation = book.generation.saturating_add(1);
    let root = RootRecord {
        generation,
        set: book.members.sum().to_bytes(),
        records: book.members.len(),
        audit_number: audit.number,
        audit_head: audit.digest,
    };
    record::seal(desk.platform.crypto(), &desk.keys.root, &ROOT, generation, &record::encode(&root)).map_err(|error| {
        match error {
            CryptoError::Entropy => Refusal::Code(ErrorCode::EntropyFailed),
            _ => Refusal::Code(ErrorCode::Internal),
        }
    })
}
