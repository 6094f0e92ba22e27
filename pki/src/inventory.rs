//! What the journal adds up to: every certificate with its state (R35), and the next CRL number.

use std::collections::HashMap;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::clock::Moment;
use crate::crl::{self, Reason};
use crate::curve::PublicKey;
use crate::journal::{Event, Record};
use crate::profile::{JOURNAL, Role};
use crate::{Error, Result, hex};

/// State of an issued certificate. A certificate that was revoked stays so after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum State {
    Active,
    Revoked,
    Expired,
}

/// One certificate that was issued.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Serial number.
    pub serial: Vec<u8>,
    /// Profile it was issued under.
    pub profile: String,
    /// Subject, for people.
    pub subject: String,
    /// First second of validity.
    pub not_before: Moment,
    /// Last second of validity.
    pub not_after: Moment,
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The key that it certifies.
    pub key: PublicKey,
    /// When and why it was withdrawn.
    pub revoked: Option<(Moment, Reason)>,
}

/// Everything one authority issued.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// Root or issuing.
    pub role: Role,
    /// The authority's own certificate.
    pub authority: Vec<u8>,
    entries: Vec<Entry>,
    positions: HashMap<Vec<u8>, usize>,
    /// Number of the last CRL, 0 before the first.
    pub last_list: u64,
    /// When the last CRL must have been replaced.
    pub next_update: Option<Moment>,
}

/// How many certificates are in each state; they add up to those issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)]
pub struct Totals {
    pub issued: usize,
    pub active: usize,
    pub revoked: usize,
    pub expired: usize,
}

impl Entry {
    fn parse(profile: &str, der: &[u8]) -> Result<Entry> {
        let Ok(([], parsed)) = X509Certificate::from_der(der) else { return Err(Error::JournalNonsense) };
        Ok(Entry {
            serial: parsed.raw_serial().to_vec(),
            profile: profile.to_owned(),
            subject: shown_name(parsed.subject()),
            not_before: Moment::from_asn1(&parsed.validity().not_before)?,
            not_after: Moment::from_asn1(&parsed.validity().not_after)?,
            certificate: der.to_vec(),
            key: PublicKey::from_spki(parsed.public_key())?,
            revoked: None,
        })
    }

    /// Its state at a moment.
    pub fn state(&self, at: Moment) -> State {
        match self.revoked {
            Some(_) => State::Revoked,
            None if at > self.not_after => State::Expired,
            None => State::Active,
        }
    }
}

impl Inventory {
    /// Adds up a journal whose chain was verified.
    pub fn of(records: &[Record]) -> Result<Inventory> {
        let mut records = records.iter();
        let Some(Event::Opened { role, authority, journal }) = records.next().map(|r| &r.event) else {
            return Err(Error::JournalNonsense);
        };
        let mut inventory = Inventory {
            role: *role,
            authority: authority.clone(),
            entries: Vec::new(),
            positions: HashMap::new(),
            last_list: 0,
            next_update: None,
        };
        inventory.insert(Entry::parse(JOURNAL.name, journal)?)?;
        records.try_for_each(|record| inventory.add(record))?;
        Ok(inventory)
    }

    /// What a certificate of this authority says, as an entry without a profile's name.
    pub fn describe(der: &[u8]) -> Result<Entry> {
        Entry::parse("", der)
    }

    /// Takes in the record that follows.
    pub(crate) fn add(&mut self, record: &Record) -> Result<()> {
        match &record.event {
            Event::Opened { .. } => return Err(Error::JournalNonsense),
            Event::Issued { profile, certificate } => {
                self.insert(Entry::parse(profile, certificate)?)?;
            }
            Event::Revoked { serial, reason } => {
                let position = self.positions.get(serial.as_slice());
                let entry = position.and_then(|n| self.entries.get_mut(*n)).ok_or(Error::JournalNonsense)?;
                entry.revoked = Some((record.time, *reason));
            }
            Event::ListIssued { list, next_update, .. } => {
                self.last_list = *list;
                self.next_update = Some(*next_update);
            }
            // What became of packages is added up in `crate::package::stock`.
            Event::PackageMade { .. } | Event::PackageVoided { .. } | Event::PackageReceived { .. } => {}
            Event::Repaired { .. } | Event::ClockSteppedBack { .. } => {}
        }
        Ok(())
    }

    fn insert(&mut self, entry: Entry) -> Result<()> {
        match self.positions.insert(entry.serial.clone(), self.entries.len()) {
            None => self.entries.push(entry),
            Some(_) => return Err(Error::JournalNonsense),
        }
        Ok(())
    }

    /// In the order of issue; the journal key's certificate is the first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The certificate with this serial number.
    pub fn find(&self, serial: &[u8]) -> Option<&Entry> {
        self.positions.get(serial).and_then(|n| self.entries.get(*n))
    }

    /// The certificate of this key that was withdrawn because the key is compromised.
    pub fn compromised(&self, key: &PublicKey) -> Option<&Entry> {
        let lost = |e: &&Entry| matches!(e.revoked, Some((_, Reason::KeyCompromise | Reason::CaCompromise)));
        self.entries.iter().filter(lost).find(|e| e.key == *key)
    }

    /// The certificate that may be withdrawn under this serial number.
    pub fn revocable(&self, serial: &[u8]) -> Result<&Entry> {
        let entry = self.find(serial).ok_or_else(|| Error::SerialUnknown { serial: hex::encode(serial) })?;
        match entry.revoked {
            Some((at, _)) => Err(Error::AlreadyRevoked { serial: hex::encode(serial), at }),
            None => Ok(entry),
        }
    }

    /// What a CRL lists: everything withdrawn, also after its end, so that old signatures can be judged.
    pub fn revoked(&self) -> Vec<crl::Entry> {
        let line = |e: &Entry| e.revoked.map(|(at, reason)| crl::Entry { serial: e.serial.clone(), at, reason });
        self.entries.iter().filter_map(line).collect()
    }

    /// Certificates in each state.
    pub fn totals(&self, at: Moment) -> Totals {
        let mut totals = Totals { issued: self.entries.len(), ..Totals::default() };
        for entry in &self.entries {
            match entry.state(at) {
                State::Active => totals.active += 1,
                State::Revoked => totals.revoked += 1,
                State::Expired => totals.expired += 1,
            }
        }
        totals
    }
}

/// A name from a certificate, as people write it; anything odd in it is escaped for the terminal.
pub fn shown_name(name: &x509_parser::x509::X509Name<'_>) -> String {
    match crate::name::Subject::from_parsed(name) {
        Ok(subject) => subject.to_string(),
        Err(_) => name.to_string().escape_default().to_string(),
    }
}
