//! The journal of a ceremony: a file of lines, each a JSON record with the SHA-256 of the line before it, flushed to the medium
//! before what it announces is done and before what it reports is built upon. It holds no secret.
//!
//! A power cut leaves a line without its end: it is cut off when the ceremony goes on, and that is recorded. Anything else that
//! is not as it was written is an edit, and refused.

use super::Trouble;
use super::plan::is_hidden;
use crate::fault::Fault;
use crate::screen::hex;
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Its name in the ceremony's folder.
pub const NAME: &str = "journal.jsonl";
/// A longer file is no journal.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

pub type Data = Map<String, Value>;
pub type Digest = [u8; 32];

/// What a record says happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The plan and the custodians' keys, first of all.
    Opened,
    /// A participant has confirmed the plan's check value.
    Confirmed,
    /// The ceremony went on after an interruption.
    Resumed,
    /// A step is about to touch the appliance.
    Begins,
    /// Something within a step: its data's `kind` says what.
    Noted,
    /// A step is done.
    Done,
    /// Every step is done.
    Concluded,
    /// A custodian has signed the statement.
    Signed,
    /// The device has signed its log; nothing follows.
    Closed,
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Counts from 1.
    pub number: u64,
    /// SHA-256 of the line before, without its end; zeros for the first.
    pub previous: String,
    /// Milliseconds since 1970, by the clock of the machine with this file.
    pub time: u64,
    pub what: What,
    /// Which step, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Who did it, or spoke.
    pub person: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub data: Data,
}

impl Record {
    /// A text of its data.
    pub fn text(&self, name: &str) -> &str {
        self.data.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it is a note of this kind.
    pub fn is_note(&self, kind: &str) -> bool {
        self.what == What::Noted && self.text("kind") == kind
    }
}

/// What was read of a journal: records that follow from one another.
pub struct Journal {
    path: PathBuf,
    pub records: Vec<Record>,
    /// SHA-256 of each line.
    pub digests: Vec<Digest>,
    /// Bytes of a last line without its end.
    pub torn: usize,
    /// Open and locked where it is written.
    file: Option<File>,
}

impl Journal {
    /// Makes a journal with its first record.
    pub fn create(dir: &Path, person: &str, data: Data) -> Result<Self, Fault> {
        let path = dir.join(NAME);
        let file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|e| Fault::file(&path, e))?;
        let (records, digests) = (Vec::new(), Vec::new());
        let mut journal = Journal { path, records, digests, torn: 0, file: Some(file) };
        journal.append(What::Opened, None, person, data)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| Fault::file(dir, e))?;
        Ok(journal)
    }

    /// Reads a journal.
    pub fn read(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join(NAME);
        let mut file = File::open(&path).map_err(|e| Fault::file(&path, e))?;
        Self::parse(path, &mut file)
    }

    /// Reads a journal to go on with it; nobody else does meanwhile.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join(NAME);
        let file = OpenOptions::new().read(true).append(true).open(&path);
        let mut file = file.map_err(|e| Fault::file(&path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Trouble::Busy(path).into()),
            Err(TryLockError::Error(e)) => return Err(Fault::file(&path, e)),
        }
        let mut journal = Self::parse(path, &mut file)?;
        journal.file = Some(file);
        Ok(journal)
    }

    fn parse(path: PathBuf, file: &mut File) -> Result<Self, Fault> {
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(MAX_BYTES).read_to_end(&mut bytes));
        read.map_err(|e| Fault::file(&path, e))?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at.saturating_add(1));
        let torn = bytes.len().saturating_sub(whole);
        let mut journal = Journal { path, records: Vec::new(), digests: Vec::new(), torn, file: None };
        let lines = bytes.get(..whole).unwrap_or_default().split_inclusive(|b| *b == b'\n');
        for line in lines {
            journal.follow(line.strip_suffix(b"\n").unwrap_or(line))?;
        }
        if journal.records.first().is_none_or(|first| first.what != What::Opened) {
            return Err(journal.edited(1));
        }
        Ok(journal)
    }

    /// Takes a line that follows from the one before.
    fn follow(&mut self, line: &[u8]) -> Result<(), Fault> {
        let number = self.next();
        let record: Record = serde_json::from_slice(line).map_err(|_| self.edited(number))?;
        let closed = self.records.last().is_some_and(|r| r.what == What::Closed);
        let shown = is_shown(&record.person) && record.data.values().all(is_plain);
        if record.number != number || record.previous != self.head() || closed || !shown {
            return Err(self.edited(number));
        }
        self.records.push(record);
        self.digests.push(sha256(line));
        Ok(())
    }

    fn edited(&self, record: u64) -> Fault {
        Trouble::Edited { file: self.path.clone(), record }.into()
    }

    fn next(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// SHA-256 of the last line, in hexadecimal.
    pub fn head(&self) -> String {
        hex(self.digests.last().unwrap_or(&[0; 32]))
    }

    /// Cuts off the line that a power cut left without its end.
    pub fn mend(&mut self) -> Result<(), Fault> {
        let Some(file) = self.file.as_ref().filter(|_| self.torn > 0) else { return Ok(()) };
        let torn = u64::try_from(self.torn).unwrap_or(u64::MAX);
        let length = file.metadata().map(|m| m.len().saturating_sub(torn));
        let cut = length.and_then(|length| file.set_len(length)).and_then(|()| file.sync_all());
        cut.map_err(|e| Fault::file(&self.path, e))?;
        self.torn = 0;
        Ok(())
    }

    /// Writes a record; it is on the medium when this returns.
    pub fn append(&mut self, what: What, step: Option<usize>, person: &str, data: Data) -> Result<(), Fault> {
        let fault = |e: &dyn ToString| Fault::file(&self.path, e.to_string());
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis());
        let time = u64::try_from(time).unwrap_or(u64::MAX);
        let (number, previous) = (self.next(), self.head());
        let data = data.into_iter().map(|(name, value)| (name, plain(value))).collect();
        let record = Record { number, previous, time, what, step, person: person.to_owned(), data };
        let mut line = serde_json::to_vec(&record).map_err(|e| fault(&e))?;
        let digest = sha256(&line);
        line.push(b'\n');
        let file = self.file.as_mut().ok_or_else(|| fault(&"it was opened to be read"))?;
        let written = file.write_all(&line).and_then(|()| file.sync_all());
        written.map_err(|e| Fault::file(&self.path, e))?;
        self.records.push(record);
        self.digests.push(digest);
        Ok(())
    }

    /// The records of a step.
    pub fn of_step(&self, step: usize) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter().filter(move |r| r.step == Some(step))
    }

    /// Whether a step has this record.
    pub fn has(&self, step: usize, what: What) -> bool {
        self.of_step(step).any(|r| r.what == what)
    }

    /// The last record of this kind.
    pub fn last(&self, what: What) -> Option<&Record> {
        self.records.iter().rev().find(|r| r.what == what)
    }

    /// The first record: the plan's digest, the custodians' keys.
    pub fn opened(&self) -> Option<&Record> {
        self.records.first()
    }

    /// What the ceremony is called in the device's log: the beginning of the first record's digest.
    pub fn id(&self) -> String {
        self.digests.first().map(|d| hex(&d[..8])).unwrap_or_default()
    }

    /// What a step has found out about the device, in the record that was written last.
    pub fn known(&self, name: &str) -> Option<&Value> {
        self.records.iter().rev().find_map(|r| r.data.get(name))
    }

    /// The text of what is known.
    pub fn known_text(&self, name: &str) -> Option<&str> {
        self.known(name).and_then(Value::as_str)
    }
}

fn is_shown(text: &str) -> bool {
    !text.chars().any(is_hidden)
}

/// Whether a screen shows it as it is.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(text) => is_shown(text),
        Value::Array(list) => list.iter().all(is_plain),
        Value::Object(map) => map.iter().all(|(name, value)| is_shown(name) && is_plain(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// The same as a screen shows it.
fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect()),
        other => other,
    }
}

pub fn sha256(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// The data of a record from a JSON object.
pub fn data(value: Value) -> Data {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    fn written() -> (tempfile::TempDir, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "Hoa", data(json!({ "plan": "00" }))).unwrap();
        journal.append(What::Begins, Some(1), "Hoa", Data::new()).unwrap();
        journal.append(What::Done, Some(1), "Hoa", data(json!({ "label": "rack-1" }))).unwrap();
        drop(journal);
        let bytes = fs::read(dir.path().join(NAME)).unwrap();
        (dir, bytes)
    }

    fn said(dir: &Path) -> String {
        match Journal::read(dir) {
            Ok(journal) => format!("{} records, {} bytes torn", journal.records.len(), journal.torn),
            Err(fault) => fault.words(coloa_wire::error::Language::English),
        }
    }

    /// Every byte that is changed, every line that is left out or moved, is refused; a line without its end is said to be torn.
    #[test]
    fn an_edited_journal_is_refused_and_a_torn_one_is_not() {
        let (dir, bytes) = written();
        let file = dir.path().join(NAME);
        assert_eq!(said(dir.path()), "3 records, 0 bytes torn");
        let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        // The last record is vouched for by what is signed; the others by it.
        for at in 0..lines[0].len() + lines[1].len() - 1 {
            let mut edited = bytes.clone();
            edited[at] ^= 1;
            fs::write(&file, &edited).unwrap();
            assert!(!said(dir.path()).ends_with("torn"), "byte {at}");
        }
        for edited in [[lines[0], lines[2]].concat(), [lines[1], lines[0], lines[2]].concat(), lines[1..].concat()] {
            fs::write(&file, &edited).unwrap();
            assert!(said(dir.path()).contains("edited"), "{}", said(dir.path()));
        }
        for cut in 1..lines[2].len() {
            fs::write(&file, &bytes[..bytes.len() - cut]).unwrap();
            assert_eq!(said(dir.path()), format!("2 records, {} bytes torn", lines[2].len() - cut));
        }
    }

    #[test]
    fn a_torn_line_is_cut_off_and_the_journal_goes_on() {
        let (dir, bytes) = written();
        fs::write(dir.path().join(NAME), &bytes[..bytes.len() - 5]).unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        assert!(Journal::open(dir.path()).is_err(), "two run the same ceremony");
        journal.mend().unwrap();
        journal.append(What::Resumed, None, "Hoa", Data::new()).unwrap();
        drop(journal);
        let journal = Journal::read(dir.path()).unwrap();
        let what: Vec<What> = journal.records.iter().map(|r| r.what).collect();
        assert_eq!((what, journal.torn), (vec![What::Opened, What::Begins, What::Resumed], 0));
        assert!(Journal::read(dir.path()).unwrap().append(What::Done, None, "Hoa", Data::new()).is_err());
    }

    /// Minutes go to terminals and printers: what would steer one is not written, and not read.
    #[test]
    fn a_record_holds_nothing_that_a_screen_hides() {
        let (dir, bytes) = written();
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.append(What::Noted, None, "Hoa", data(json!({ "why": "a\nb\u{1b}[2J" }))).unwrap();
        assert_eq!(journal.records.last().unwrap().text("why"), "a b [2J");
        drop(journal);
        assert!(said(dir.path()).starts_with("4 records"));
        let text = String::from_utf8(bytes).unwrap().replace("rack-1", "\\u001b[2J");
        fs::write(dir.path().join(NAME), text).unwrap();
        assert!(said(dir.path()).contains("record 3 is not as it was written"), "{}", said(dir.path()));
    }

    #[test]
    fn nothing_follows_the_end() {
        let (dir, _) = written();
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.append(What::Closed, None, "Hoa", Data::new()).unwrap();
        journal.append(What::Noted, None, "Hoa", Data::new()).unwrap();
        drop(journal);
        assert!(said(dir.path()).contains("edited"));
    }
}
