//! The journal: what this authority did, in order, append-only and hash-chained (R17, R18).
//!
//! # Specification
//! `journal` is a text file of lines `<hash> <signature> <record>\n`. A record is JSON; it carries its number (from 0,
//! without gaps), its time, the hash of the record before (64 zeros in the first) and an [`Event`]. The hash is SHA-256
//! over [`HASH_DOMAIN`] and the record's bytes as they stand. The signature, over number and hash, is by the journal
//! key, which lives in the token and is certified by the authority under the profile `journal-signer`.
//!
//! `journal.head` holds number, hash and signature of the last acknowledged record.
//!
//! An append writes the line, makes it durable, then replaces the head in one step. What is acknowledged lies at or
//! below the head. So, after a power cut at any byte:
//! - the file ends in a piece of a line, or one damaged line, above the head: nobody was told of it, it is dropped and
//!   the repair is recorded;
//! - the file has whole, signed records above the head: they happened, and the head moves up to them;
//! - the file lacks a record at or below the head, or anything in it does not chain: it was tampered with, and nothing
//!   is issued until someone has looked.
//!
//! Whoever puts back an old journal together with its old head is not noticed by these two files alone (R36): keep a
//! head elsewhere and compare with `journal verify --expect`.

mod head;
mod record;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

pub use head::Head;
use record::Place;
pub use record::{Event, HASH_DOMAIN, Hash, Record};

use crate::clock::Moment;
use crate::curve::PublicKey;
use crate::token::Signer;
use crate::{Error, Result, durable};

const FILE: &str = "journal";
const HEAD: &str = "journal.head";

/// What a journal's bytes say, before the head is held against it.
#[derive(Debug)]
pub struct Contents {
    /// Records that chain.
    pub records: Vec<Record>,
    /// Bytes those records take.
    pub whole: u64,
    /// Bytes after them: a piece of a line, or one last line that is damaged.
    pub torn: u64,
}

/// A journal whose chain holds and whose head was verified.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    contents: Contents,
    head: Head,
    key: PublicKey,
    // An append began and did not end well.
    unknown: bool,
}

impl Contents {
    /// Reads lines up to the first that is not whole. Damage before the last line is tampering, not a power cut.
    pub fn parse(bytes: &[u8]) -> Result<Contents> {
        let mut contents = Contents { records: Vec::new(), whole: 0, torn: 0 };
        let mut place = Place::FIRST;
        let mut lines = bytes.split_inclusive(|b| *b == b'\n').peekable();
        while let Some(line) = lines.next() {
            match Record::parse(line, place) {
                Ok(record) => {
                    place = record.next();
                    contents.records.push(record);
                    contents.whole += line.len() as u64;
                }
                Err(_) if lines.peek().is_none() => contents.torn = line.len() as u64,
                Err(error) => return Err(error),
            }
        }
        Ok(contents)
    }

    /// Drops a last record that lies above the head and that the journal key did not sign whole.
    fn drop_unsigned_tail(&mut self, head: &Head, key: &PublicKey) {
        let unsigned = |r: &mut Record| r.number > head.number && r.verify(key).is_err();
        if let Some(record) = self.records.pop_if(unsigned) {
            self.whole -= record.line.len() as u64;
            self.torn += record.line.len() as u64;
        }
    }
}

impl Journal {
    /// Starts a journal in a directory that has none.
    pub fn create(directory: &Path, first: Event, now: Moment, signer: &dyn Signer) -> Result<Journal> {
        let path = directory.join(FILE);
        let record = Record::new(Place::FIRST, now, first, signer)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| Error::file(&path, e))?;
        write_durably(&mut file, &path, &record)?;
        durable::sync_directory(&path)?;
        let head = Head::of(&record);
        durable::replace(&directory.join(HEAD), &head.to_bytes()?)?;
        let whole = record.line.len() as u64;
        let contents = Contents { records: vec![record], whole, torn: 0 };
        Ok(Journal { directory: directory.into(), contents, head, key: signer.public_key().clone(), unknown: false })
    }

    /// Reads and verifies a journal without changing it. `key_of` finds the journal key in the first record.
    ///
    /// The head's signature vouches for all below it through the chain; records above it are verified one by one.
    pub fn read(directory: &Path, key_of: impl FnOnce(&Record) -> Result<PublicKey>) -> Result<Journal> {
        let path = directory.join(FILE);
        let mut contents = Contents::parse(&fs::read(&path).map_err(|e| Error::file(&path, e))?)?;
        let key = key_of(contents.records.first().ok_or(Error::JournalEmpty)?)?;
        let head = read_head(&directory.join(HEAD))?;
        head.verify(&key)?;
        contents.drop_unsigned_tail(&head, &key);
        let at_head = contents.records.iter().position(|r| r.number == head.number);
        let above = match at_head {
            Some(n) if contents.records.get(n).is_some_and(|r| r.hash == head.hash) => contents.records.iter().skip(n),
            Some(_) => return Err(Error::JournalHeadMismatch { number: head.number }),
            None => {
                let records = contents.records.len() as u64;
                return Err(Error::JournalTruncated { head: head.number, records });
            }
        };
        for record in above {
            record.verify(&key)?;
        }
        Ok(Journal { directory: directory.into(), contents, head, key, unknown: false })
    }

    /// Verifies every record's own signature: slower, for the auditor.
    pub fn verify_signatures(&self) -> Result<()> {
        self.contents.records.iter().try_for_each(|record| record.verify(&self.key))
    }

    /// Brings files and head into step after a power cut; returns the bytes dropped, if any were.
    pub fn repair(&mut self, now: Moment, signer: &dyn Signer) -> Result<Option<u64>> {
        let dropped = (self.contents.torn > 0).then_some(self.contents.torn);
        if let Some(bytes) = dropped {
            let path = self.directory.join(FILE);
            let fail = |e| Error::file(&path, e);
            let file = OpenOptions::new().write(true).open(&path).map_err(fail)?;
            file.set_len(self.contents.whole).map_err(fail)?;
            file.sync_all().map_err(fail)?;
            self.contents.torn = 0;
            self.append(Event::Repaired { dropped: bytes }, now, signer)?;
        } else if self.records().last().map(|r| r.number) != Some(self.head.number) {
            self.advance_head()?;
        }
        Ok(dropped)
    }

    /// Adds a record; when this returns, it is durable and under the head. After an error every further append is
    /// refused until the journal was read again: how much of the record reached the disk is not known.
    pub fn append(&mut self, event: Event, now: Moment, signer: &dyn Signer) -> Result<()> {
        if std::mem::replace(&mut self.unknown, true) {
            return Err(Error::JournalUnknown);
        }
        // R19: a clock that went back is recorded, and does not stop the authority from revoking.
        if let Some(last) = self.contents.records.last().filter(|last| now < last.time) {
            self.push(Event::ClockSteppedBack { from: last.time }, now, signer)?;
        }
        self.push(event, now, signer)?;
        self.advance_head()?;
        self.unknown = false;
        Ok(())
    }

    /// Every record, oldest first.
    pub fn records(&self) -> &[Record] {
        &self.contents.records
    }

    /// Bytes of an unfinished record at the end, which a power cut left and nobody was told of.
    pub fn torn(&self) -> u64 {
        self.contents.torn
    }

    /// The signed head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    fn push(&mut self, event: Event, now: Moment, signer: &dyn Signer) -> Result<()> {
        let place = self.records().last().ok_or(Error::JournalEmpty)?.next();
        let record = Record::new(place, now, event, signer)?;
        let path = self.directory.join(FILE);
        let mut file = OpenOptions::new().append(true).open(&path).map_err(|e| Error::file(&path, e))?;
        write_durably(&mut file, &path, &record)?;
        self.contents.whole += record.line.len() as u64;
        self.contents.records.push(record);
        Ok(())
    }

    fn advance_head(&mut self) -> Result<()> {
        let head = Head::of(self.records().last().ok_or(Error::JournalEmpty)?);
        durable::replace(&self.directory.join(HEAD), &head.to_bytes()?)?;
        self.head = head;
        Ok(())
    }
}

fn write_durably(file: &mut File, path: &Path, record: &Record) -> Result<()> {
    file.write_all(&record.line).and_then(|()| file.sync_all()).map_err(|e| Error::file(path, e))
}

fn read_head(path: &Path) -> Result<Head> {
    match fs::read(path) {
        Ok(bytes) => Head::parse(&bytes),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(Error::JournalHeadMissing),
        Err(e) => Err(Error::file(path, e)),
    }
}
