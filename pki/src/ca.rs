//! An authority: a directory with its journal and certificate, and its keys in a token.
//!
//! Without the token the directory can be read ([`Authority::open`]: inventory, journal), by several at once. To work,
//! one process takes it for itself ([`AtWork`]) and, with the token, can issue, revoke and make lists ([`Unlocked`]).

mod files;
mod found;
mod packages;

use std::fs::File;
use std::path::{Path, PathBuf};

use ring::digest;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::certificate::{self, Issuer, Particulars};
use crate::clock::Moment;
use crate::crl::{self, Issue, Reason};
use crate::curve::PublicKey;
use crate::inventory::{Entry, Inventory};
use crate::journal::{Event, Journal, Record};
use crate::lint::lint;
use crate::profile::{Permitted, Profile};
use crate::token::{Key, Signer, Token, TokenAddress};
use crate::{Error, Result, hex};
pub use files::{Config, chain_and_root};
pub use found::{Founding, RootTerms};
pub use packages::{PackageTerms, Packaged};

/// Bytes of a serial number: 158 random bits, always positive and of this length (RFC 5280 §4.1.2.2).
const SERIAL_LEN: u32 = 20;

/// Certificates begin so much earlier than they are issued, for peers whose clocks are late; never before their issuer.
const CLOCK_SKEW: u64 = 300;

/// An authority whose journal holds; nothing can be signed yet.
pub struct Authority {
    directory: PathBuf,
    config: Config,
    certificate: Vec<u8>,
    key: PublicKey,
    issuer_name: Vec<u8>,
    validity: (Moment, Moment),
    journal: Journal,
    inventory: Inventory,
    // Held for as long as the authority is open.
    _lock: Option<File>,
}

/// Having one of these tells you that no other process reads or works in the authority's directory.
pub struct AtWork(Authority);

/// An authority with its keys at hand.
pub struct Unlocked<'t> {
    authority: Authority,
    token: &'t Token,
    key: Key<'t>,
    journal_key: Key<'t>,
}

/// What one issue asks for, beyond the verified key.
pub struct Order<'a> {
    /// Names that fit their profile.
    pub permitted: &'a Permitted,
    /// A key whose possession was proved.
    pub public_key: &'a PublicKey,
    /// Days of validity; the profile's default, cut to the issuer's own end, when none are asked for.
    pub days: Option<u32>,
}

impl Authority {
    /// Opens the directory for reading and verifies the journal against the authority's certificate.
    pub fn open(directory: &Path) -> Result<Authority> {
        let config = Config::read(directory)?;
        Authority::read(directory, config, files::lock_to_read(directory)?)
    }

    fn read(directory: &Path, config: Config, lock: Option<File>) -> Result<Authority> {
        let certificate = files::own_certificate(directory)?;
        let parsed = read_certificate(&certificate)?;
        let (key, issuer_name) = (PublicKey::from_spki(parsed.public_key())?, parsed.subject().as_raw().to_vec());
        let validity = validity_of(&parsed)?;
        let journal = Journal::read(directory, |first| journal_key(first, &certificate, &key))?;
        let inventory = Inventory::of(journal.records())?;
        Ok(Authority {
            directory: directory.into(),
            config,
            certificate,
            key,
            issuer_name,
            validity,
            journal,
            inventory,
            _lock: lock,
        })
    }

    /// Where its keys are.
    pub fn address(&self) -> TokenAddress {
        self.config.address()
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its own certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// What it issued.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// What it did.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn issuer(&self) -> Issuer {
        Issuer { name: self.issuer_name.clone(), key_id: self.key.identifier(), crl_url: self.config.crl_url.clone() }
    }
}

impl AtWork {
    /// Opens the directory for work.
    pub fn open(directory: &Path) -> Result<AtWork> {
        let config = Config::read(directory)?;
        let lock = files::lock_to_work(directory)?;
        Authority::read(directory, config, Some(lock)).map(AtWork)
    }

    /// Where its keys are.
    pub fn address(&self) -> TokenAddress {
        self.0.address()
    }

    /// Finds the authority's keys in an open token and brings the journal in step after a power cut; says how many
    /// bytes of an unfinished record were dropped, if any were.
    pub fn unlock(self, token: &Token, now: Moment) -> Result<(Unlocked<'_>, Option<u64>)> {
        let mut authority = self.0;
        let key = token.key(&authority.config.label)?;
        if *key.public_key() != authority.key {
            return Err(Error::KeyForeign { label: authority.config.label.clone() });
        }
        let journal_key = token.key(&authority.config.journal_label())?;
        let repaired = authority.journal.repair(now, &journal_key)?;
        authority.inventory = Inventory::of(authority.journal.records())?;
        Ok((Unlocked { authority, token, key, journal_key }, repaired))
    }
}

impl Unlocked<'_> {
    /// The authority itself.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Builds, signs, verifies, lints and journals; what it returns may be released.
    pub fn issue(&mut self, order: &Order<'_>, now: Moment) -> Result<Entry> {
        let profile = order.permitted.profile();
        if !profile.issued_by.contains(&self.authority.inventory.role) {
            return Err(Error::ProfileElsewhere { profile: profile.name.into() });
        }
        self.refuse_taken(order)?;
        let particulars = Particulars {
            permitted: order.permitted,
            public_key: order.public_key,
            serial: &self.serial()?,
            not_before: now.minus_seconds(CLOCK_SKEW).max(self.authority.validity.0),
            not_after: not_after(profile, order.days, now, self.authority.validity.1)?,
        };
        let issuer = self.authority.issuer();
        let der = certificate::build(&particulars, &issuer, &self.key)?;
        lint(&der, &particulars, &issuer, &self.authority.key)?;
        let event = Event::Issued { profile: profile.name.into(), certificate: der };
        self.record(event, now)?;
        self.authority.inventory.find(particulars.serial).cloned().ok_or(Error::JournalNonsense)
    }

    /// What no certificate may say, whatever its profile: a key or a name of the authority's own (R10), a key that is lost.
    fn refuse_taken(&self, order: &Order<'_>) -> Result<()> {
        if [self.key.public_key(), self.journal_key.public_key()].contains(&order.public_key) {
            return Err(Error::KeyOfAuthority);
        }
        if order.permitted.subject().to_der()? == self.authority.issuer_name {
            return Err(Error::NameOfAuthority);
        }
        match self.authority.inventory.compromised(order.public_key) {
            Some(entry) => Err(Error::KeyCompromised { serial: hex::encode(&entry.serial) }),
            None => Ok(()),
        }
    }

    /// Withdraws a certificate. Relying parties learn of it from the next list.
    pub fn revoke(&mut self, serial: &[u8], reason: Reason, now: Moment) -> Result<()> {
        self.authority.inventory.revocable(serial)?;
        self.record(Event::Revoked { serial: serial.to_vec(), reason }, now)
    }

    /// Makes the next revocation list, good for so many days; it is also kept in the directory.
    pub fn list(&mut self, days: u32, now: Moment) -> Result<Vec<u8>> {
        let number = self.authority.inventory.last_list + 1;
        let issue = Issue { number, this_update: now, next_update: now.plus_days(days)? };
        let entries = self.authority.inventory.revoked();
        let der = crl::build(&entries, issue, &self.authority.issuer(), &self.key)?;
        self.verify_list(&der, entries.len())?;
        let hash = digest::digest(&digest::SHA256, &der).as_ref().to_vec();
        self.record(Event::ListIssued { list: number, next_update: issue.next_update, digest: hash }, now)?;
        files::keep_list(&self.authority.directory, &der)?;
        Ok(der)
    }

    fn verify_list(&self, der: &[u8], entries: usize) -> Result<()> {
        let wrong = Error::LintFailed { rule: "revocation list" };
        let Ok(([], list)) = x509_parser::revocation_list::CertificateRevocationList::from_der(der) else {
            return Err(wrong);
        };
        let tbs = list.tbs_cert_list.as_ref();
        self.authority.key.verify_parsed(&list.signature_algorithm, tbs, &list.signature_value.data)?;
        (list.iter_revoked_certificates().count() == entries).then_some(()).ok_or(wrong)
    }

    fn record(&mut self, event: Event, now: Moment) -> Result<()> {
        let known = self.authority.journal.records().len();
        self.authority.journal.append(event, now, &self.journal_key)?;
        let added = self.authority.journal.records().iter().skip(known);
        added.into_iter().try_for_each(|record| self.authority.inventory.add(record))
    }

    /// Fresh, and not that of another certificate.
    fn serial(&self) -> Result<Vec<u8>> {
        let serial = random_serial(self.token)?;
        match self.authority.inventory.find(&serial) {
            Some(_) => Err(Error::RandomBroken),
            None => Ok(serial),
        }
    }
}

fn random_serial(token: &Token) -> Result<Vec<u8>> {
    let mut serial = token.random(SERIAL_LEN)?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(serial)
}

/// The last second of a certificate: never after its issuer's own (a chain that outlives its issuer misleads).
fn not_after(profile: &Profile, days: Option<u32>, now: Moment, issuer_end: Moment) -> Result<Moment> {
    if let Some(days) = days.filter(|d| !(1..=profile.max_days).contains(d)) {
        return Err(Error::ValidityTooLong { days, max: profile.max_days, profile: profile.name.into() });
    }
    if now >= issuer_end {
        return Err(Error::AuthorityExpired { at: issuer_end });
    }
    match days {
        Some(days) if now.plus_days(days)? > issuer_end => Err(Error::ValidityPastIssuer { issuer: issuer_end }),
        Some(days) => now.plus_days(days),
        None => Ok(now.plus_days(profile.default_days)?.min(issuer_end)),
    }
}

fn validity_of(parsed: &X509Certificate<'_>) -> Result<(Moment, Moment)> {
    let validity = parsed.validity();
    Ok((Moment::from_asn1(&validity.not_before)?, Moment::from_asn1(&validity.not_after)?))
}

fn read_certificate(der: &[u8]) -> Result<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(Error::CertificateMalformed),
    }
}

/// The journal key, out of the first record: named there, and certified by this very authority for this very purpose.
fn journal_key(first: &Record, authority: &[u8], key: &PublicKey) -> Result<PublicKey> {
    use x509_parser::extensions::ParsedExtension;
    let Event::Opened { authority: recorded, journal, .. } = &first.event else { return Err(Error::JournalNonsense) };
    if recorded != authority {
        return Err(Error::JournalForeign);
    }
    let parsed = read_certificate(journal)?;
    let tbs = parsed.tbs_certificate.as_ref();
    key.verify_parsed(&parsed.signature_algorithm, tbs, &parsed.signature_value.data)?;
    let purpose = crate::oid::JOURNAL_SIGNING;
    let fits = parsed.extensions().iter().any(|e| match e.parsed_extension() {
        ParsedExtension::ExtendedKeyUsage(usage) => usage.other.iter().any(|o| o.as_bytes() == purpose),
        _ => false,
    });
    match fits {
        true => PublicKey::from_spki(parsed.public_key()),
        false => Err(Error::JournalForeign),
    }
}
