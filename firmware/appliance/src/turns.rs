//! Whose job comes next (R22): callers take turns by the time that their jobs took, whoever has how many waiting.
//!
//! Each caller has a line of its own, and a debt: the time it was served beyond the one who was served least. The smallest
//! debt is next, so a caller who comes anew waits for one job of the others at most, not for all that they have sent. It is
//! start-time fair queueing without weights, in microseconds. No clock and no lock: both are the caller's.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// What a job is taken to cost before the first of its caller has ended: a commit's milliseconds.
const FIRST_GUESS: u64 = 2_000;

/// Jobs by caller.
pub(crate) struct Turns<K, J> {
    lines: HashMap<K, Line<J>>,
    /// Those who have jobs waiting, in the order in which they would be served if all had been served alike.
    order: VecDeque<K>,
    waiting: usize,
}

struct Line<J> {
    jobs: VecDeque<J>,
    running: usize,
    debt: u64,
    /// What its jobs cost lately.
    usual: u64,
}

/// A job on its way; it is handed in with what it cost.
pub(crate) struct Bill<K> {
    caller: K,
    guess: u64,
}

impl<K: Copy + Eq + Hash, J> Turns<K, J> {
    pub(crate) fn new() -> Self {
        Turns { lines: HashMap::new(), order: VecDeque::new(), waiting: 0 }
    }

    /// How many jobs wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn push(&mut self, caller: K, job: J) {
        let fresh = || Line { jobs: VecDeque::new(), running: 0, debt: 0, usual: FIRST_GUESS };
        let line = self.lines.entry(caller).or_insert_with(fresh);
        if line.jobs.is_empty() {
            self.order.push_back(caller);
        }
        line.jobs.push_back(job);
        self.waiting += 1;
    }

    /// The next job, of somebody who has fewer than `share` running.
    pub(crate) fn pop(&mut self, share: usize) -> Option<(J, Bill<K>)> {
        let may = |caller: &&K| self.lines.get(caller).is_some_and(|line| line.running < share);
        // Of equals the one who has waited longest.
        let next = *self.order.iter().filter(may).min_by_key(|caller| self.lines.get(caller).map(|line| line.debt))?;
        let line = self.lines.get_mut(&next)?;
        let (job, least, guess) = (line.jobs.pop_front()?, line.debt, line.usual);
        line.running += 1;
        line.debt += guess;
        let has_more = !line.jobs.is_empty();
        self.waiting -= 1;
        self.order.retain(|caller| *caller != next);
        if has_more {
            self.order.push_back(next);
        }
        // Debts are told from the least: who was not there while others worked gets nothing for it.
        self.lines.values_mut().for_each(|line| line.debt = line.debt.saturating_sub(least));
        Some((job, Bill { caller: next, guess }))
    }

    /// A job has ended after `cost` microseconds.
    pub(crate) fn settle(&mut self, bill: &Bill<K>, cost: u64) {
        let Some(line) = self.lines.get_mut(&bill.caller) else { return };
        line.running -= 1;
        line.debt = (line.debt + cost).saturating_sub(bill.guess);
        line.usual = (line.usual * 7 + cost) / 8;
        if line.running == 0 && line.jobs.is_empty() && (line.debt == 0 || self.waiting == 0) {
            self.lines.remove(&bill.caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: usize = usize::MAX;

    /// Serves jobs one after another; whose they were.
    fn serve(turns: &mut Turns<&'static str, u64>, jobs: usize) -> Vec<&'static str> {
        let one = |_| {
            let (cost, bill) = turns.pop(ANY).expect("a job waits");
            turns.settle(&bill, cost);
            bill.caller
        };
        (0..jobs).map(one).collect()
    }

    /// R22: a flood of a thousand delays another agency's call by one job.
    #[test]
    fn who_comes_to_a_flood_waits_for_one_job() {
        for served in [0, 1, 7, 500] {
            let mut turns = Turns::new();
            (0..1_000).for_each(|_| turns.push("flood", 5_000));
            serve(&mut turns, served);
            turns.push("good", 100);
            let next = serve(&mut turns, 2);
            assert!(next.contains(&"good"), "after {served} jobs: {next:?}");
        }
    }

    /// A caller of small jobs is served as long as one of large jobs, and more often.
    #[test]
    fn turns_are_by_time_not_by_number() {
        let mut turns = Turns::new();
        (0..1_000).for_each(|_| turns.push("large", 5_000));
        (0..1_000).for_each(|_| turns.push("small", 500));
        let served = serve(&mut turns, 550);
        let large = served.iter().filter(|who| **who == "large").count();
        assert!((45..=60).contains(&large), "{large} of 550");
    }

    #[test]
    fn sixty_four_callers_have_a_turn_each() {
        let names: Vec<&'static str> = (0..64).map(|n| &*Box::leak(format!("caller {n}").into_boxed_str())).collect();
        let mut turns = Turns::new();
        names.iter().copied().for_each(|who| (0..10).for_each(|_| turns.push(who, 1_000)));
        let mut first = serve(&mut turns, 64);
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 64);
    }

    #[test]
    fn nobody_has_more_than_its_share_running() {
        let mut turns = Turns::new();
        (0..10).for_each(|n| turns.push("stuck", n));
        turns.push("good", 10);
        let mut running: Vec<_> = (0..3).map(|_| turns.pop(2).expect("a job may run").1).collect();
        running.sort_by_key(|bill| bill.caller);
        assert_eq!(running.iter().map(|bill| bill.caller).collect::<Vec<_>>(), ["good", "stuck", "stuck"]);
        assert!(turns.pop(2).is_none() && turns.waiting() == 8);
        turns.settle(&running[1], 1);
        assert!(turns.pop(2).is_some());
    }

    #[test]
    fn nothing_is_kept_of_callers_who_are_gone() {
        let mut turns = Turns::new();
        for n in 0..1_000_u32 {
            turns.push(n, 1);
            let (cost, bill) = turns.pop(ANY).expect("a job waits");
            turns.settle(&bill, cost);
        }
        assert!(turns.lines.is_empty() && turns.order.is_empty());
    }
}
