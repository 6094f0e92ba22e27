//! The journal against power cuts at every byte and against an attacker with an editor (R17, R19, R36).

mod soft;

use std::fs;
use std::path::Path;

use coloa_pki::clock::Moment;
use coloa_pki::crl::Reason;
use coloa_pki::journal::{Contents, Event, Journal};
use coloa_pki::token::Signer;
use coloa_pki::{Error, Result};
use proptest::prelude::*;
use soft::{SoftKey, moment};

const START: &str = "2026-01-01T00:00:00Z";

fn opened() -> Event {
    Event::Opened { role: coloa_pki::profile::Role::Root, authority: vec![1; 20], journal: vec![2; 20] }
}

fn revoked(n: u8) -> Event {
    Event::Revoked { serial: vec![n; 20], reason: Reason::Superseded }
}

fn later(seconds: u64) -> Moment {
    Moment::from_seconds(moment(START).seconds() + seconds).unwrap()
}

fn read(directory: &Path, key: &SoftKey) -> Result<Journal> {
    Journal::read(directory, |_| Ok(key.public_key().clone()))
}

/// What is on disk.
#[derive(Clone)]
struct Disk {
    journal: Vec<u8>,
    head: Vec<u8>,
}

impl Disk {
    fn of(directory: &Path) -> Disk {
        let read = |name| fs::read(directory.join(name)).unwrap();
        Disk { journal: read("journal"), head: read("journal.head") }
    }

    fn write(&self, directory: &Path) {
        fs::write(directory.join("journal"), &self.journal).unwrap();
        fs::write(directory.join("journal.head"), &self.head).unwrap();
    }
}

/// A journal of four records, and the disk after each.
fn written(directory: &Path, key: &SoftKey) -> Vec<Disk> {
    let mut journal = Journal::create(directory, opened(), later(0), key).unwrap();
    let mut disks = vec![Disk::of(directory)];
    for n in 1..4 {
        journal.append(revoked(n), later(n.into()), key).unwrap();
        disks.push(Disk::of(directory));
    }
    disks
}

#[test]
fn a_power_cut_at_any_byte_of_an_append_leaves_the_state_before_or_after() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let disks = written(directory.path(), &key);
    let (before, after) = (&disks[2], &disks[3]);
    for length in before.journal.len()..=after.journal.len() {
        // The line is on its way; the head is still the old one.
        Disk { journal: after.journal[..length].to_vec(), head: before.head.clone() }.write(directory.path());
        let mut journal = read(directory.path(), &key).unwrap();
        let whole = length == after.journal.len();
        assert_eq!(journal.records().len(), if whole { 4 } else { 3 }, "cut at {length}");
        let torn = (length - before.journal.len()) as u64;
        assert_eq!(journal.torn(), if whole { 0 } else { torn }, "cut at {length}");
        // Each repair costs several flushes: every eighth, and all at either end.
        if length % 8 != 0 && torn > 3 && length + 3 < after.journal.len() {
            continue;
        }
        let dropped = journal.repair(later(10), &key).unwrap();
        assert_eq!(dropped, (torn > 0 && !whole).then_some(torn), "cut at {length}");
        journal.append(revoked(9), later(11), &key).unwrap();
        let again = read(directory.path(), &key).unwrap();
        again.verify_signatures().unwrap();
        assert_eq!(again.torn(), 0);
        assert_eq!(again.records().len(), journal.records().len());
    }
}

#[test]
fn a_half_written_new_head_does_no_harm() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let disks = written(directory.path(), &key);
    Disk { journal: disks[3].journal.clone(), head: disks[2].head.clone() }.write(directory.path());
    fs::write(directory.path().join("journal.head.new"), &disks[3].head[..40]).unwrap();
    let mut journal = read(directory.path(), &key).unwrap();
    assert_eq!(journal.repair(later(5), &key).unwrap(), None);
    assert_eq!(read(directory.path(), &key).unwrap().head().number, 3);
}

#[test]
fn a_cut_below_the_head_is_found_at_every_byte() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let disk = written(directory.path(), &key).pop().unwrap();
    for length in 0..disk.journal.len() {
        Disk { journal: disk.journal[..length].to_vec(), ..disk.clone() }.write(directory.path());
        let error = read(directory.path(), &key).unwrap_err();
        assert!(matches!(error, Error::JournalTruncated { .. } | Error::JournalEmpty), "cut at {length}: {error:?}");
    }
}

#[test]
fn a_changed_bit_is_found_at_every_byte() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let disk = written(directory.path(), &key).pop().unwrap();
    let whole = |disk: &Disk| {
        disk.write(directory.path());
        read(directory.path(), &key).and_then(|j| j.verify_signatures())
    };
    whole(&disk).unwrap();
    for at in 0..disk.journal.len() {
        for bit in [0x01, 0x20] {
            let mut changed = disk.clone();
            changed.journal[at] ^= bit;
            assert!(whole(&changed).is_err(), "byte {at}, bit {bit:#x}");
        }
    }
}

#[test]
fn records_cannot_be_swapped_removed_repeated_or_added() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let disk = written(directory.path(), &key).pop().unwrap();
    let lines: Vec<&[u8]> = disk.journal.split_inclusive(|b| *b == b'\n').collect();
    let orders: [&[usize]; 5] = [&[0, 2, 1, 3], &[0, 2, 3], &[0, 1, 1, 2, 3], &[1, 0, 2, 3], &[0, 1, 3]];
    for order in orders {
        let journal = order.iter().flat_map(|n| lines[*n].to_vec()).collect();
        Disk { journal, ..disk.clone() }.write(directory.path());
        assert!(read(directory.path(), &key).is_err(), "{order:?}");
    }
    // Records that chain but that another key signed, above the head: dropped like any unfinished record.
    disk.write(directory.path());
    let forger = SoftKey::new();
    read(directory.path(), &key).unwrap().append(revoked(7), later(9), &forger).unwrap();
    fs::write(directory.path().join("journal.head"), &disk.head).unwrap();
    let journal = read(directory.path(), &key).unwrap();
    assert_eq!(journal.records().len(), 4);
    assert!(journal.torn() > 0);
}

#[test]
fn a_head_that_is_missing_foreign_or_garbage_is_refused() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let disk = written(directory.path(), &key).pop().unwrap();
    fs::remove_file(directory.path().join("journal.head")).unwrap();
    assert!(matches!(read(directory.path(), &key), Err(Error::JournalHeadMissing)));
    for head in [&b""[..], b"{}", &disk.head[..disk.head.len() / 2]] {
        Disk { head: head.to_vec(), ..disk.clone() }.write(directory.path());
        assert!(matches!(read(directory.path(), &key), Err(Error::JournalHeadForged)));
    }
    disk.write(directory.path());
    assert!(matches!(read(directory.path(), &SoftKey::new()), Err(Error::JournalHeadForged)));
}

/// R36: said, not hidden. Both files put back together pass; a head kept elsewhere is what finds it.
#[test]
fn a_whole_old_state_is_found_only_by_a_head_kept_elsewhere() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let disks = written(directory.path(), &key);
    let kept = read(directory.path(), &key).unwrap().head().clone();
    disks[1].write(directory.path());
    let old = read(directory.path(), &key).unwrap();
    assert!(!old.records().iter().any(|r| r.number == kept.number && r.hash == kept.hash));
}

/// R19.
#[test]
fn the_journal_records_a_clock_that_steps_back() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let mut journal = Journal::create(directory.path(), opened(), later(100), &key).unwrap();
    journal.append(revoked(1), later(40), &key).unwrap();
    journal.append(revoked(2), later(41), &key).unwrap();
    let journal = read(directory.path(), &key).unwrap();
    let events: Vec<&Event> = journal.records().iter().map(|r| &r.event).collect();
    assert_eq!(events, [&opened(), &Event::ClockSteppedBack { from: later(100) }, &revoked(1), &revoked(2)]);
}

#[test]
fn a_full_disk_is_an_error_and_not_an_acknowledged_record() {
    let (directory, key) = (tempfile::tempdir().unwrap(), SoftKey::new());
    let disk = written(directory.path(), &key).pop().unwrap();
    let mut journal = read(directory.path(), &key).unwrap();
    fs::remove_file(directory.path().join("journal")).unwrap();
    std::os::unix::fs::symlink("/dev/full", directory.path().join("journal")).unwrap();
    assert!(matches!(journal.append(revoked(8), later(20), &key), Err(Error::File { .. })));
    assert!(matches!(journal.append(revoked(8), later(20), &key), Err(Error::JournalUnknown)));
    fs::remove_file(directory.path().join("journal")).unwrap();
    assert_eq!(fs::read(directory.path().join("journal.head")).unwrap(), disk.head);
    disk.write(directory.path());
    assert_eq!(read(directory.path(), &key).unwrap().records().len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Contents::parse(&bytes);
    }

    #[test]
    fn garbage_that_looks_like_lines_never_panics(text in "([0-9a-f]{64} [0-9a-f]{2,8} \\{.{0,40}\\}\n){0,3}") {
        let _ = Contents::parse(text.as_bytes());
    }
}
