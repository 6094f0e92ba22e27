//! Answers kept for retries, in a ring of places: a new answer is written over the oldest one, so that a commit touches one
//! record that is beside the one written before it.

use crate::record::RetryRecord;
use alloc::collections::BTreeMap;
use coloa_wire::RetryId;

/// Every answer, and where it stands.
#[derive(Default)]
pub(crate) struct Retries {
    answers: BTreeMap<RetryId, RetryRecord>,
    /// The version of each place's record, and whose answer it is.
    places: BTreeMap<u64, (u64, RetryId)>,
    /// The order given last.
    last: u64,
}

/// Where a new answer goes.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub order: u64,
    pub place: u64,
    /// The version of the record that is there; 0 for none.
    pub version: u64,
}

impl Retries {
    pub(crate) fn answer(&self, id: RetryId) -> Option<&RetryRecord> {
        self.answers.get(&id)
    }

    /// Takes a turn among `room` places. Another one that is not committed yet has another place.
    pub(crate) fn turn(&mut self, room: usize) -> Turn {
        self.last = self.last.saturating_add(1);
        let room = room as u64;
        let place = self.last.checked_rem(room).unwrap_or_default();
        Turn { order: self.last, place, version: self.places.get(&place).map_or(0, |(version, _)| *version) }
    }

    /// An answer was committed.
    pub(crate) fn put(&mut self, place: u64, version: u64, record: RetryRecord) {
        self.last = self.last.max(record.order);
        if let Some((_, old)) = self.places.insert(place, (version, record.id)) {
            self.answers.remove(&old);
        }
        self.answers.insert(record.id, record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn commit(retries: &mut Retries, turn: Turn, id: u8) {
        let record = RetryRecord { request: [0; 32], head: Vec::new(), order: turn.order, id: RetryId([id; 16]) };
        retries.put(turn.place, turn.version + 1, record);
    }

    #[test]
    fn the_oldest_answer_makes_room() {
        let mut retries = Retries::default();
        for id in 1..=5 {
            let turn = retries.turn(4);
            commit(&mut retries, turn, id);
        }
        let kept: Vec<_> = (1..=5).filter(|id| retries.answer(RetryId([*id; 16])).is_some()).collect();
        assert_eq!(kept, [2, 3, 4, 5]);
        let (again, next) = (retries.turn(4), retries.turn(4));
        assert_eq!((again.place, again.version, next.place, next.version), (2, 1, 3, 1));
    }

    #[test]
    fn what_was_not_committed_takes_no_place_away() {
        let mut retries = Retries::default();
        let lost = retries.turn(4);
        let turn = retries.turn(4);
        commit(&mut retries, turn, 1);
        assert_eq!((lost.version, retries.answers.len(), retries.turn(4).order), (0, 1, 3));
    }
}
