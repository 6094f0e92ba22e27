//! What became of each package, added up from the journal.

use crate::clock::Moment;
use crate::hex;
use crate::journal::{Event, Record};
use crate::{Error, Result};

/// Where a package stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Made; no receipt yet.
    Made,
    /// Its receipt came back.
    Received,
    /// Its end has come without a receipt.
    Lapsed,
    /// Withdrawn.
    Voided,
    /// Something about its receipt is wrong.
    Alarm,
}

impl State {
    /// As in JSON.
    pub fn word(self) -> &'static str {
        match self {
            State::Made => "made",
            State::Received => "received",
            State::Lapsed => "lapsed",
            State::Voided => "voided",
            State::Alarm => "alarm",
        }
    }
}

/// A package, from its making on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its serial.
    pub serial: Vec<u8>,
    /// For whom.
    pub site: String,
    /// The bulk.
    pub batch: String,
    /// The site's certificate.
    pub certificate: Vec<u8>,
    /// SHA-256 of the file.
    pub digest: Vec<u8>,
    /// When it was made.
    pub made: Moment,
    /// Last second in which it may be opened.
    pub until: Moment,
    /// Where and when it was opened, as the first receipt says.
    pub opened: Option<(Moment, String)>,
    /// It was withdrawn.
    pub voided: bool,
    /// What was wrong with receipts.
    pub alarms: Vec<String>,
}

impl Line {
    /// Its state at a moment.
    pub fn state(&self, at: Moment) -> State {
        match (self.alarms.is_empty(), self.voided, &self.opened) {
            (false, ..) => State::Alarm,
            (true, true, _) => State::Voided,
            (true, false, Some(_)) => State::Received,
            (true, false, None) if at > self.until => State::Lapsed,
            (true, false, None) => State::Made,
        }
    }
}

/// Every package, in the order of making.
pub fn of(records: &[Record]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for record in records {
        match &record.event {
            Event::PackageMade { package, site, batch, certificate, digest, until } => {
                places.insert(package.clone(), lines.len());
                lines.push(Line {
                    serial: package.clone(),
                    site: site.clone(),
                    batch: batch.clone(),
                    certificate: certificate.clone(),
                    digest: digest.clone(),
                    made: record.time,
                    until: *until,
                    opened: None,
                    voided: false,
                    alarms: Vec::new(),
                });
            }
            Event::PackageVoided { package } => {
                places.get(package).and_then(|p| lines.get_mut(*p)).into_iter().for_each(|l| l.voided = true);
            }
            Event::PackageReceived { package, opened, device, alarm } => {
                let Some(line) = places.get(package).and_then(|p| lines.get_mut(*p)) else { continue };
                line.opened.get_or_insert((*opened, device.clone()));
                line.alarms.extend(alarm.clone());
            }
            _ => {}
        }
    }
    lines
}

/// The package with this serial.
pub fn find(records: &[Record], serial: &[u8]) -> Result<Line> {
    let found = of(records).into_iter().find(|line| line.serial == serial);
    found.ok_or_else(|| Error::PackageUnknown { serial: hex::encode(serial) })
}
