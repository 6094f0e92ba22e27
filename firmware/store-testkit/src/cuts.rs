//! Cuts the power at every operation of a medium, and judges what is found afterwards.
//!
//! The judge is a [`Witness`] outside the store: it knows what was acknowledged. After a cut the store must hold that, or
//! that and the one batch that was under way; nothing between, nothing older.

use crate::model::Model;
use crate::workload::{Dice, Workload, writes};
use coloa_engine::{CommitError, Record, RecordId, Store};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// A medium whose power can be cut.
pub trait Medium {
    /// The store on it.
    type Store: Store;

    /// Opens the store, or says why not.
    ///
    /// # Errors
    /// Whatever the store says.
    fn open(&mut self) -> Result<Self::Store, String>;

    /// Cuts the power during operation `nth` from now; 0 is the next one. From then on everything fails.
    fn cut_at(&mut self, nth: u64);

    /// Whether the power was cut.
    fn is_cut(&self) -> bool;

    /// Gives power again, with no cut to come. What was not durable may be gone.
    fn power_on(&mut self);
}

/// What went wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The store could not be opened or read after the cut.
    Unusable(String),
    /// The store holds something that was acknowledged no more, or something that never was committed.
    Neither {
        /// Generation acknowledged before the cut.
        acknowledged: u64,
        /// Generation found.
        found: u64,
        /// How many records differ from the acknowledged state.
        differences: usize,
    },
    /// A commit failed with the power on.
    Refused(CommitError),
}

/// Knows what a store acknowledged.
#[derive(Clone, Debug)]
pub struct Witness {
    acknowledged: Model,
    under_way: Option<Model>,
    workload: Workload,
}

impl Witness {
    /// A witness of a new store.
    pub fn new(workload: Workload) -> Self {
        Witness { acknowledged: Model::default(), under_way: None, workload }
    }

    /// The state that was acknowledged.
    pub fn acknowledged(&self) -> &Model {
        &self.acknowledged
    }

    /// Commits batches until `count` were acknowledged, or one failed. A batch that does not fit is no failure: it must have
    /// changed nothing.
    ///
    /// # Errors
    /// The first failure, other than [`CommitError::Full`].
    pub fn run(&mut self, store: &dyn Store, count: u64) -> Result<(), CommitError> {
        for _ in 0..count {
            let batch = self.workload.batch(&self.acknowledged);
            let expected = self.acknowledged.generation();
            let mut after = self.acknowledged.clone();
            after.apply(expected, &writes(&batch))?;
            match store.commit(expected, &writes(&batch)) {
                Ok(()) => self.acknowledged = after,
                Err(CommitError::Full) => {}
                Err(error) => {
                    self.under_way = Some(after);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Compares the store with what was acknowledged and what was under way, and takes what is found for acknowledged.
    ///
    /// # Errors
    /// [`Verdict`].
    pub fn judge(&mut self, store: &dyn Store) -> Result<(), Verdict> {
        let under_way = self.under_way.take();
        let possible = [Some(&self.acknowledged), under_way.as_ref()];
        let ever = possible.into_iter().flatten().flat_map(Model::ids).collect();
        let (generation, found) = contents(store, &ever)?;
        let same = |model: &&Model| model.generation() == generation && model.live() == found;
        let Some(model) = possible.into_iter().flatten().find(same).cloned() else {
            let expected = self.acknowledged.live();
            let differences = expected.iter().filter(|record| !found.contains(record)).count();
            return Err(Verdict::Neither {
                acknowledged: self.acknowledged.generation(),
                found: generation,
                differences: differences + found.iter().filter(|record| !expected.contains(record)).count(),
            });
        };
        self.acknowledged = model;
        Ok(())
    }
}

/// All that the store has, of all it may have.
fn contents(store: &dyn Store, ever: &BTreeSet<RecordId>) -> Result<(u64, Vec<Record>), Verdict> {
    let mut found = Vec::new();
    let generation = store.scan(&mut |record| {
        if !record.id.is_log() {
            found.push(record);
        }
        Ok(())
    });
    let generation = generation.map_err(|error| Verdict::Unusable(format!("scan: {error:?}")))?;
    for id in ever.iter().filter(|id| id.is_log()) {
        found.extend(store.read(id).map_err(|error| Verdict::Unusable(format!("read {id:?}: {error:?}")))?);
    }
    found.sort_by_key(|record| record.id);
    for record in &found {
        match store.read(&record.id) {
            Ok(Some(read)) if read == *record => {}
            other => return Err(Verdict::Unusable(format!("scan found {record:?}, read {other:?}"))),
        }
    }
    Ok((generation, found))
}

/// How one run with one cut ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// The power was cut, and all was well afterwards.
    Survived,
    /// The workload ended before the cut came: there are no more operations to cut.
    Complete,
}

/// Runs `commits` batches of `workload` on a new medium, cuts the power at operation `cut`, perhaps once more while the store
/// recovers, and judges.
///
/// # Errors
/// [`Verdict`].
pub fn cut_once<M: Medium>(mut medium: M, workload: Workload, commits: u64, cut: u64) -> Result<Run, Verdict> {
    let mut witness = Witness::new(workload);
    medium.cut_at(cut);
    if let Ok(store) = medium.open() {
        let ran = witness.run(&store, commits);
        if let (Err(error), false) = (ran, medium.is_cut()) {
            return Err(Verdict::Refused(error));
        }
        // With the power on this is an orderly end; the cut may still come in it.
        drop(store);
        if !medium.is_cut() {
            medium.cut_at(u64::MAX);
            let store = medium.open().map_err(Verdict::Unusable)?;
            return witness.judge(&store).map(|()| Run::Complete);
        }
    }
    medium.power_on();
    cut_the_recovery(&mut medium, cut);
    let store = medium.open().map_err(Verdict::Unusable)?;
    witness.judge(&store)?;
    witness.run(&store, 3).map_err(Verdict::Refused)?;
    // An orderly restart changes nothing.
    drop(store);
    let store = medium.open().map_err(Verdict::Unusable)?;
    witness.judge(&store).map(|()| Run::Survived)
}

fn cut_the_recovery<M: Medium>(medium: &mut M, cut: u64) {
    let mut dice = Dice::new(cut);
    if dice.below(2) == 0 {
        return;
    }
    medium.cut_at(dice.below(12));
    drop(medium.open());
    medium.power_on();
}

/// [`cut_once`] for every operation, `step` apart, until the workload runs to its end. Says how many cuts there were.
///
/// # Errors
/// The first bad [`Verdict`], and the operation whose cut led to it.
pub fn cut_everywhere<M: Medium>(
    make: impl Fn(u64) -> M,
    workload: &Workload,
    commits: u64,
    step: u64,
) -> Result<u64, (u64, Verdict)> {
    let mut cut = 0;
    loop {
        match cut_once(make(cut), workload.clone(), commits, cut) {
            Ok(Run::Survived) => cut += step,
            Ok(Run::Complete) => return Ok(cut / step),
            Err(verdict) => return Err((cut, verdict)),
        }
    }
}
