//! A store in RAM, with faults to inject at a chosen commit.

use crate::model::Model;
use coloa_engine::{CommitError, Record, RecordId, Store, StoreError, Write};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong at a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The commit answers [`CommitError::Failed`]; nothing was changed.
    Failed,
    /// The commit answers [`CommitError::Full`]; nothing was changed.
    Full,
    /// The commit answers [`CommitError::Conflict`] although nobody else committed.
    Conflict,
    /// The commit answers [`CommitError::Unknown`]; it was applied.
    UnknownApplied,
    /// The commit answers [`CommitError::Unknown`]; it was not applied.
    UnknownLost,
    /// The power goes before anything was written. Every later call fails until [`RamStore::power_on`].
    CutBefore,
    /// The power goes when everything was written but nothing answered. Every later call fails until [`RamStore::power_on`].
    CutAfter,
}

/// A [`Store`] in RAM. Clones are handles on the same medium: give one to each of two engines and they share it as two
/// processes share a file; drop an engine and give a clone to a new one, and it was restarted.
#[derive(Clone)]
pub struct RamStore {
    medium: Arc<Mutex<Medium>>,
    shared: bool,
}

#[derive(Default)]
struct Medium {
    model: Model,
    commits: u64,
    faults: BTreeMap<u64, Fault>,
    reads_fail: bool,
    off: bool,
    /// Generations before this one are not known to [`Store::changes`].
    oldest: u64,
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

impl Default for RamStore {
    fn default() -> Self {
        RamStore::new()
    }
}

impl RamStore {
    /// An empty medium of one engine.
    pub fn new() -> Self {
        RamStore { medium: Arc::default(), shared: false }
    }

    /// An empty medium that several engines may use.
    pub fn shared() -> Self {
        RamStore { shared: true, ..RamStore::new() }
    }

    /// Makes the `nth` call of [`Store::commit`] from now (0 is the next one) go wrong. May be called for several.
    pub fn fail_commit(&self, nth: u64, fault: Fault) {
        let mut medium = self.lock();
        let at = medium.commits + nth;
        medium.faults.insert(at, fault);
    }

    /// Makes every read fail, or work again.
    pub fn fail_reads(&self, fail: bool) {
        self.lock().reads_fail = fail;
    }

    /// Something that happens just before the next [`Store::read`] looks, as another process may do it.
    pub fn before_next_read(&self, act: impl FnOnce() + Send + 'static) {
        self.lock().meanwhile = Some(Box::new(act));
    }

    /// Makes [`Store::changes`] answer [`StoreError::TooOld`] for everything before the present generation.
    pub fn forget_changes(&self) {
        let mut medium = self.lock();
        medium.oldest = medium.model.generation();
    }

    /// Ends a power cut. The medium has what was committed.
    pub fn power_on(&self) {
        self.lock().off = false;
    }

    /// How often [`Store::commit`] was called, failed or not.
    pub fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// A copy of all content, as an attacker takes an image of a disk.
    pub fn image(&self) -> Model {
        self.lock().model.clone()
    }

    /// Puts all content back, as an attacker puts back an old image (R36).
    pub fn restore(&self, image: Model) {
        self.lock().model = image;
    }

    /// Changes the content behind the engine's back, as an attacker with the disk does (boundary B5).
    pub fn tamper(&self, change: impl FnOnce(&mut Model)) {
        change(&mut self.lock().model);
    }

    fn lock(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readable(&self) -> Result<MutexGuard<'_, Medium>, StoreError> {
        let medium = self.lock();
        if medium.off || medium.reads_fail { Err(StoreError::Failed) } else { Ok(medium) }
    }
}

impl Medium {
    fn commit(&mut self, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        if self.off {
            return Err(CommitError::Failed);
        }
        let fault = self.faults.remove(&self.commits);
        self.commits += 1;
        match fault {
            None => self.model.apply(expected, batch),
            Some(Fault::Failed) => Err(CommitError::Failed),
            Some(Fault::Full) => Err(CommitError::Full),
            Some(Fault::Conflict) => Err(CommitError::Conflict),
            Some(Fault::UnknownLost) => Err(CommitError::Unknown),
            Some(Fault::UnknownApplied) => self.model.apply(expected, batch).and(Err(CommitError::Unknown)),
            Some(Fault::CutBefore) => self.cut(),
            Some(Fault::CutAfter) => self.model.apply(expected, batch).and_then(|()| self.cut()),
        }
    }

    fn cut(&mut self) -> Result<(), CommitError> {
        self.off = true;
        Err(CommitError::Unknown)
    }
}

impl Store for RamStore {
    fn generation(&self) -> Result<u64, StoreError> {
        Ok(self.readable()?.model.generation())
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn scan(&self, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError> {
        // `visit` runs outside the lock, so that it may call the store.
        let image = self.readable()?.model.clone();
        image.live().into_iter().try_for_each(visit)?;
        Ok(image.generation())
    }

    fn changes(&self, since: u64, visit: &mut dyn FnMut(Record) -> Result<(), StoreError>) -> Result<u64, StoreError> {
        let image = {
            let medium = self.readable()?;
            if since < medium.oldest {
                return Err(StoreError::TooOld);
            }
            medium.model.clone()
        };
        image.changes(since).into_iter().try_for_each(visit)?;
        Ok(image.generation())
    }

    fn read(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let meanwhile = self.lock().meanwhile.take();
        if let Some(act) = meanwhile {
            act();
        }
        Ok(self.readable()?.model.read(id))
    }

    fn commit(&self, expected: u64, batch: &[Write<'_>]) -> Result<(), CommitError> {
        self.lock().commit(expected, batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RecordId {
        RecordId { partition: [0; 16], kind: 1, id: [n; 16] }
    }

    fn put(store: &RamStore, expected: u64, n: u8) -> Result<(), CommitError> {
        store.commit(expected, &[Write { id: id(n), version: 1, value: Some(&[n]) }])
    }

    #[test]
    fn commits_and_reads_back() {
        let store = RamStore::shared();
        put(&store, 0, 1).unwrap();
        assert_eq!(put(&store.clone(), 0, 2), Err(CommitError::Conflict));
        put(&store, 1, 2).unwrap();
        store.commit(2, &[Write { id: id(1), version: 2, value: None }]).unwrap();
        assert_eq!(store.read(&id(1)), Ok(None));
        assert_eq!(store.read(&id(2)).unwrap().unwrap().value, Some(vec![2]));
        let mut seen = Vec::new();
        let generation = store.changes(2, &mut |record| {
            seen.push(record);
            Ok(())
        });
        assert_eq!(generation, Ok(3));
        assert_eq!(seen, [Record { id: id(1), version: 2, value: None }]);
    }

    #[test]
    fn faults_do_what_they_say() {
        let store = RamStore::new();
        store.fail_commit(0, Fault::UnknownLost);
        store.fail_commit(1, Fault::UnknownApplied);
        store.fail_commit(2, Fault::CutAfter);
        assert_eq!(put(&store, 0, 1), Err(CommitError::Unknown));
        assert_eq!(store.generation(), Ok(0));
        assert_eq!(put(&store, 0, 1), Err(CommitError::Unknown));
        assert_eq!(store.generation(), Ok(1));
        assert_eq!(put(&store, 1, 2), Err(CommitError::Unknown));
        assert_eq!(store.generation(), Err(StoreError::Failed));
        store.power_on();
        assert_eq!(store.generation(), Ok(2));
    }
}
