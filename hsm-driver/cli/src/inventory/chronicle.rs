//! What the audit log says of keys: which were made and which destroyed.

use super::reckoning::Reckoning;
use super::stock::Holding;
use crate::audit::{PAGE, parse, split};
use crate::fault::Fault;
use crate::socket::AdminSocket;
use coloa_engine::audit::{AuditEvent, AuditRecord, verify_chain};
use coloa_wire::command::{AuditRead, CommandCode};
use coloa_wire::{ErrorCode, ObjectId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The log, read and checked.
pub struct Chronicle {
    pub records: Vec<AuditRecord>,
}

/// What became of a partition's keys, by their ids.
#[derive(Default)]
pub struct Fates {
    pub made: BTreeSet<ObjectId>,
    pub destroyed: BTreeSet<ObjectId>,
}

impl Chronicle {
    /// Reads the whole log; one that is not a chain is no ground for a total.
    pub fn read(socket: &mut AdminSocket) -> Result<Self, Fault> {
        let (mut raw, mut from): (Vec<Vec<u8>>, u64) = (Vec::new(), 1);
        loop {
            let page = socket.call(None, &AuditRead { from, max: PAGE })?;
            raw.extend(split(socket.bulk()).map_err(|_| Fault::Engine(ErrorCode::CommandMalformed))?.0);
            let Some(last) = raw.last().and_then(|record| parse(record)).map(|record| record.number) else { break };
            if page.records == 0 || last >= page.last {
                break;
            }
            from = last.saturating_add(1);
        }
        let of = || PathBuf::from("audit log");
        verify_chain(&coloa_crypto_native::Native::new(), &raw)
            .map_err(|record| Fault::Chain { file: of(), record })?;
        Ok(Chronicle { records: raw.iter().filter_map(|record| parse(record)).collect() })
    }

    /// Whether it reaches back to the device's first day.
    pub fn is_whole(&self) -> bool {
        self.records.first().is_none_or(|first| first.number == 1)
    }

    /// Compares a partition's keys with their history up to a record.
    pub fn reckon(&self, holding: &Holding, head: u64) -> Reckoning {
        let (before, after): (Vec<_>, Vec<_>) = self.records.iter().partition(|record| record.number <= head);
        let partition = holding.token.partition;
        let fates = fates(before.into_iter().map(|record| &record.event)).remove(&partition).unwrap_or_default();
        // A use changes nothing.
        let acts = after.into_iter().filter(|record| record.event.mechanism.is_none());
        let moving = acts.filter_map(|record| record.event.object).collect();
        Reckoning::new(holding, &fates, &moving)
    }
}

/// Which keys of each partition were made and which destroyed.
pub fn fates<'a>(events: impl Iterator<Item = &'a AuditEvent>) -> BTreeMap<PartitionId, Fates> {
    let mut all: BTreeMap<PartitionId, Fates> = BTreeMap::new();
    for event in events.filter(|event| event.result == 0) {
        let Some(partition) = event.partition else { continue };
        let fates = all.entry(partition).or_default();
        match (CommandCode::try_from(event.action), event.object) {
            (Ok(CommandCode::ObjectDestroy | CommandCode::KeyDestroy), Some(object))
                if fates.made.contains(&object) =>
            {
                fates.destroyed.insert(object);
            }
            // Every object of the partition goes with these.
            (Ok(CommandCode::PartitionDestroy | CommandCode::TokenInitialize), _) => {
                fates.destroyed.extend(fates.made.iter().copied());
            }
            (_, Some(object)) if makes_key(event) => {
                fates.made.insert(object);
            }
            _ => {}
        }
    }
    all
}

/// Whether an event says that a stored key was made.
pub fn makes_key(event: &AuditEvent) -> bool {
    let kind = event.detail.as_deref().and_then(|detail| detail.split(';').next());
    event.result == 0 && matches!(kind, Some("public key" | "private key" | "secret key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: CommandCode, object: Option<u8>, detail: Option<&str>) -> AuditEvent {
        AuditEvent {
            who: String::new(),
            action: action as u16,
            result: 0,
            partition: Some(PartitionId([1; 16])),
            object: object.map(|n| ObjectId([n; 16])),
            mechanism: None,
            count: 1,
            identity: None,
            detail: detail.map(Into::into),
        }
    }

    #[test]
    fn what_was_made_and_destroyed_is_counted_once() {
        let events = [
            event(CommandCode::KeyGenerate, Some(1), Some("secret key")),
            event(CommandCode::KeyRotate, Some(2), Some("secret key; rotated: yearly")),
            event(CommandCode::KeyRotate, Some(1), Some("rotated: yearly")),
            event(CommandCode::KeyGenerate, Some(3), Some("session")),
            event(CommandCode::ObjectDestroy, Some(3), Some("session")),
            event(CommandCode::ObjectCreate, Some(4), Some("object")),
            event(CommandCode::KeyDestroy, Some(1), Some("destroyed: old")),
        ];
        let fates = fates(events.iter()).remove(&PartitionId([1; 16])).unwrap();
        assert_eq!(fates.made.len(), 2);
        assert_eq!(fates.destroyed.into_iter().collect::<Vec<_>>(), [ObjectId([1; 16])]);
    }

    #[test]
    fn a_new_token_has_no_keys_of_the_old() {
        let events = [
            event(CommandCode::KeyGenerate, Some(1), Some("secret key")),
            event(CommandCode::TokenInitialize, None, None),
            event(CommandCode::KeyGenerate, Some(2), Some("secret key")),
        ];
        let fates = fates(events.iter()).remove(&PartitionId([1; 16])).unwrap();
        assert_eq!((fates.made.len(), fates.destroyed.len()), (2, 1));
    }
}
