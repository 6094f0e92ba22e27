//! Starting from a snapshot of a big store, and keeping one: see [`crate::snapshot`].

use super::reading::{fact_of, take_in};
use super::{Book, Desk, reading};
use crate::object::Shape;
use crate::record::{ROOT, RecordKind};
use crate::root::Members;
use crate::snapshot::{self, Pairs, Row, Snapshot};
use crate::state::State;
use crate::{Platform, Record, RecordId, Store};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A snapshot that is so many commits old is replaced: what has changed since is read at each start.
const OLD: u64 = 256;

const FIRST: RecordId = RecordId { partition: [0; 16], kind: 0, id: [0; 16] };
const LAST: RecordId = RecordId { partition: [0xff; 16], kind: 0xff, id: [0xff; 16] };

/// Takes the state from a snapshot and what has changed since. `None`, and nothing has changed here, when that does not add
/// up to the root, or there is no snapshot: then everything has to be read.
pub(super) fn resume<P: Platform>(desk: &Desk<'_, P>, book: &mut Book) -> Option<()> {
    let (crypto, store) = (desk.platform.crypto(), desk.platform.store());
    let (snapshot, needed) = snapshot::open(crypto, &desk.keys.snapshot, desk.platform.snapshot()?)?;
    let snapshot = Arc::new(snapshot);
    let mut records = Vec::new();
    let mut collect = |record: Record| {
        records.push(record);
        Ok(())
    };
    let generation = store.changes(snapshot.generation, &mut collect).ok()?;
    if !records.iter().any(|record| record.id == ROOT) {
        records.push(store.read(&ROOT).ok()??);
    }
    let (kept, members) = (snapshot.generation, Members::on(&snapshot));
    let mut fresh = Book { generation: kept, members, kept, ..Book::new() };
    let state = State::new();
    let aside = Desk { state: &state, ..*desk };
    for record in needed {
        aside.state.apply(&record.id, record.version, fact_of(&aside, &record).ok()?);
    }
    state.stand_on(&snapshot);
    take_in(&aside, &mut fresh, generation, records).ok()?;
    desk.state.replace(state);
    *book = fresh;
    Some(())
}

/// Whether the body keeps snapshots of such a store, and the last one is old.
pub(super) fn is_due<P: Platform>(desk: &Desk<'_, P>, book: &Book) -> bool {
    let age = book.generation.saturating_sub(book.kept);
    let big = desk.platform.snapshot_from().is_some_and(|least| book.members.len() >= least);
    // What is being restored is in nobody's list of partitions yet.
    big && !desk.state.is_staging() && (book.kept == 0 || age >= OLD)
}

/// Keeps a snapshot of what the book and the state know.
pub(super) fn keep<P: Platform>(desk: &Desk<'_, P>, book: &mut Book) {
    let Some(needed) = needed(desk, book) else { return };
    let snapshot = take(desk, book);
    if let Ok(sealed) = snapshot::seal(desk.platform.crypto(), &desk.keys.snapshot, &snapshot, &needed) {
        desk.platform.keep_snapshot(&sealed);
        book.kept = book.generation;
    }
}

/// Every record but objects; `None` when the store cannot be read or has gone on.
fn needed<P: Platform>(desk: &Desk<'_, P>, book: &Book) -> Option<Vec<Record>> {
    let ids = book
        .members
        .range(FIRST..=LAST)
        .map(|(id, _)| id)
        .filter(|id| id.kind != RecordKind::Object as u8 && *id != ROOT);
    let read = |id: RecordId| {
        let (version, value) = reading::read(desk, book, &id).ok()??;
        Some(Record { id, version, value: Some(value) })
    };
    let mut all: Vec<_> = ids.map(read).collect::<Option<_>>()?;
    all.sort_by_key(|record| crate::record::turn(&record.id));
    Some(all)
}

fn take<P: Platform>(desk: &Desk<'_, P>, book: &Book) -> Snapshot {
    let mut rows: Vec<_> = book.members.range(FIRST..=LAST).collect();
    rows.sort_unstable_by_key(|(id, _)| *id);
    let mut rows: Vec<_> = rows.into_iter().map(|(id, member)| Row { id, member, shape: u32::MAX, size: 0 }).collect();
    let mut shapes = BTreeMap::<Arc<Shape>, u32>::new();
    let mut marks = Vec::new();
    for partition in desk.state.partitions() {
        marks.append(&mut partition.objects.read().describe(|object, shape, size| {
            let id = crate::record::object_id(partition.id, object);
            let at = rows.binary_search_by_key(&id, |row| row.id).ok()?;
            let row = rows.get_mut(at)?;
            let next = u32::try_from(shapes.len()).unwrap_or(u32::MAX);
            row.shape = *shapes.entry(shape.clone()).or_insert(next);
            row.size = u32::try_from(size).unwrap_or(u32::MAX);
            u32::try_from(at).ok()
        }));
    }
    let mut numbered: Vec<_> = shapes.into_iter().collect();
    numbered.sort_unstable_by_key(|(_, number)| *number);
    let shapes = numbered.into_iter().map(|(shape, _)| shape).collect();
    Snapshot::new(book.generation, book.members.sum(), shapes, &rows, Pairs::sorted(marks))
}
