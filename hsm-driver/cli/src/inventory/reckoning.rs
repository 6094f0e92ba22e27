//! Whether the store and the log agree: made = pre-active + active + suspended + deactivated + compromised + destroyed (R35).

use super::chronicle::{Chronicle, Fates};
use super::paper::Section;
use super::stock::Holding;
use crate::key::state_word;
use crate::screen::Screen;
use coloa_wire::ObjectId;
use coloa_wire::command::KeyState;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// States of keys that are there.
const PRESENT: [KeyState; 5] =
    [KeyState::PreActive, KeyState::Active, KeyState::Suspended, KeyState::Deactivated, KeyState::Compromised];

/// The totals of one partition, both halves of a pair counted.
pub struct Reckoning {
    label: String,
    made: usize,
    destroyed: usize,
    /// In the order of [`PRESENT`].
    present: [usize; 5],
    /// There, and never recorded as made.
    unrecorded: Vec<ObjectId>,
    /// Made, not destroyed, and not there.
    missing: Vec<ObjectId>,
    /// Destroyed, and there.
    undead: Vec<ObjectId>,
}

impl Reckoning {
    /// `moving` are objects that something happened to while the two were read: nothing is said of them.
    pub fn new(holding: &Holding, fates: &Fates, moving: &BTreeSet<ObjectId>) -> Self {
        let still = |id: &&ObjectId| !moving.contains(*id);
        let keys: BTreeSet<ObjectId> = holding.keys.iter().map(|key| key.object).collect();
        let gone = |id: &&ObjectId| !keys.contains(*id) && !fates.destroyed.contains(*id);
        let count =
            |state| holding.keys.iter().filter(|key| key.state == state && !moving.contains(&key.object)).count();
        Reckoning {
            label: holding.token.label.clone(),
            made: fates.made.iter().filter(still).count(),
            destroyed: fates.destroyed.iter().filter(still).count(),
            present: PRESENT.map(count),
            unrecorded: keys.iter().filter(still).filter(|id| !fates.made.contains(id)).copied().collect(),
            missing: fates.made.iter().filter(still).filter(gone).copied().collect(),
            undead: keys.iter().filter(still).filter(|id| fates.destroyed.contains(id)).copied().collect(),
        }
    }

    /// Whether it adds up, and nothing is out of place.
    pub fn agrees(&self) -> bool {
        let there: usize = self.present.iter().sum();
        let places = [&self.unrecorded, &self.missing, &self.undead];
        self.made == there.saturating_add(self.destroyed) && places.iter().all(|ids| ids.is_empty())
    }

    pub fn document(&self) -> Value {
        let ids = |ids: &[ObjectId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut document = json!({
            "partition": self.label, "made": self.made, "destroyed": self.destroyed, "agrees": self.agrees(),
            "unrecorded": ids(&self.unrecorded), "missing": ids(&self.missing),
            "destroyed_but_there": ids(&self.undead),
        });
        for (state, count) in PRESENT.into_iter().zip(self.present) {
            document[state.name()] = count.into();
        }
        document
    }

    fn row(&self, screen: &Screen) -> Vec<String> {
        let verdict = if self.agrees() {
            screen.text("adds up", "khớp")
        } else {
            screen.text("DOES NOT ADD UP", "KHÔNG KHỚP")
        };
        let numbers = [&[self.made][..], &self.present, &[self.destroyed]].concat();
        let numbers = numbers.into_iter().map(|number| number.to_string());
        core::iter::once(self.label.clone()).chain(numbers).chain([verdict.to_owned()]).collect()
    }

    fn notes(&self, screen: &Screen) -> Vec<String> {
        let place = |ids: &[ObjectId], what: &str| {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            (!ids.is_empty()).then(|| format!("{}: {what}: {}", self.label, ids.join(", ")))
        };
        let unrecorded = screen.text(
            "there, but the log does not say that they were made",
            "có trong kho nhưng nhật ký không ghi việc tạo",
        );
        let missing =
            screen.text("made and not destroyed, but not there", "đã tạo, chưa tiêu hủy, nhưng không có trong kho");
        let undead = screen.text("destroyed by the log, but there", "nhật ký ghi đã tiêu hủy nhưng vẫn có trong kho");
        [place(&self.unrecorded, unrecorded), place(&self.missing, missing), place(&self.undead, undead)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// The totals as a table, with what does not agree under it.
pub fn section(screen: &Screen, reckonings: &[Reckoning], chronicle: &Chronicle) -> Section {
    let mut header = vec![screen.text("Partition", "Phân vùng"), screen.text("Made", "Đã tạo")];
    header.extend(PRESENT.into_iter().chain([KeyState::Destroyed]).map(|state| state_word(screen, state)));
    header.push(screen.text("Store and log", "Kho và nhật ký"));
    let rows = reckonings.iter().map(|reckoning| reckoning.row(screen)).collect();
    let title = screen.text("Totals of keys: store against audit log", "Tổng số khóa: đối chiếu kho và nhật ký");
    let mut section = Section::new(title, &header, rows);
    section.notes.extend(reckonings.iter().flat_map(|reckoning| reckoning.notes(screen)));
    if !chronicle.is_whole() {
        section.notes.push(
            screen
                .text(
                    "The log does not reach back to the first record: keys made before it cannot add up.",
                    "Nhật ký không còn từ bản ghi đầu tiên: khóa tạo trước đó không thể khớp.",
                )
                .to_owned(),
        );
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_wire::PartitionId;
    use coloa_wire::command::{KeyEntry, KeyMetadata, PartitionMode, PinState, SUITE_AES_256_GCM, TokenInfo};

    fn key(n: u8, state: KeyState) -> KeyEntry {
        KeyEntry {
            object: ObjectId([n; 16]),
            class: 4,
            key_type: 0x1f,
            bits: 256,
            label: Vec::new(),
            id: Vec::new(),
            state,
            since: None,
            reason: None,
            check_value: Vec::new(),
            start: Vec::new(),
            end: Vec::new(),
            created: None,
            expires: None,
            version: 1,
            predecessor: None,
            uses: None,
            metadata: KeyMetadata::default(),
        }
    }

    fn holding(keys: Vec<KeyEntry>) -> Holding {
        let so_pin = PinState { failures: 0, left: 10, wait_ms: None };
        let token = TokenInfo {
            partition: PartitionId([1; 16]),
            label: "court".into(),
            mode: PartitionMode::Strict,
            initialized: true,
            so_pin,
            user_pin: None,
            suite: SUITE_AES_256_GCM,
            clients: Vec::new(),
            approved_only: None,
        };
        Holding { token, keys }
    }

    fn ids(numbers: &[u8]) -> BTreeSet<ObjectId> {
        numbers.iter().map(|n| ObjectId([*n; 16])).collect()
    }

    fn reckon(keys: &[u8], made: &[u8], destroyed: &[u8], moving: &[u8]) -> Reckoning {
        let keys = keys.iter().map(|n| key(*n, KeyState::Active)).collect();
        let fates = Fates { made: ids(made), destroyed: ids(destroyed) };
        Reckoning::new(&holding(keys), &fates, &ids(moving))
    }

    /// R35: a sum that comes out right by chance does not hide what is out of place.
    #[test]
    fn what_does_not_add_up_is_named() {
        assert!(reckon(&[1, 2], &[1, 2, 3], &[3], &[]).agrees());
        let unrecorded = reckon(&[1, 2], &[1], &[], &[]);
        assert!(!unrecorded.agrees() && unrecorded.unrecorded == [ObjectId([2; 16])]);
        let missing = reckon(&[1], &[1, 2], &[], &[]);
        assert!(!missing.agrees() && missing.missing == [ObjectId([2; 16])]);
        let exchanged = reckon(&[1, 3], &[1, 2], &[], &[]);
        assert!(!exchanged.agrees(), "one is missing and another unrecorded: the numbers are equal");
        let undead = reckon(&[1], &[1], &[1], &[]);
        assert!(!undead.agrees() && undead.undead == [ObjectId([1; 16])]);
        assert!(reckon(&[1, 9], &[1], &[], &[9]).agrees(), "made while we looked");
    }
}
