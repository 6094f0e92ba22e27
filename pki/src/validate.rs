//! Chain validation for relying parties (RFC 5280 §6, the part this PKI uses).
//!
//! ECDSA on P-256 and P-384 only. Names chain byte for byte. A critical extension that is not understood refuses,
//! name constraints and policies among them. Certificates and CRLs are hostile; trust anchors are the caller's.
//! The search is bounded: at most [`MAX_SIGNATURES`] verifications and [`MAX_DEPTH`] certificates.

mod certificate;
mod revocation;

use std::cell::Cell;

use crate::clock::Moment;
use crate::crl::Reason;
use crate::inventory::shown_name;
use crate::{hex, oid};
use certificate::{Checked, parse};
use revocation::Lists;
pub use revocation::Revocation;

/// A chain of ours has three certificates.
pub const MAX_DEPTH: usize = 6;
/// Bounds what a bundle of look-alike issuers can cost.
pub const MAX_SIGNATURES: u32 = 64;

/// What the certificate is to be relied on for. Its extendedKeyUsage must say so: silence is not consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// Both ends of mutual TLS.
    LinkDevice,
    /// A TLS server.
    TlsServer,
    /// A TLS client.
    TlsClient,
    /// Signatures on link policy.
    PolicySigner,
    /// Signatures on journal records.
    JournalSigner,
    /// A certification authority.
    Authority,
}

impl Purpose {
    fn required(self) -> &'static [oid::Content] {
        match self {
            Purpose::LinkDevice => &[oid::SERVER_AUTH, oid::CLIENT_AUTH],
            Purpose::TlsServer => &[oid::SERVER_AUTH],
            Purpose::TlsClient => &[oid::CLIENT_AUTH],
            Purpose::PolicySigner => &[oid::POLICY_SIGNING],
            Purpose::JournalSigner => &[oid::JOURNAL_SIGNING],
            Purpose::Authority => &[],
        }
    }
}

/// Why a certificate is not to be relied on. Subjects and serial numbers are made harmless for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Refusal {
    Malformed { what: &'static str },
    NoPath { subject: String },
    SignatureWrong { subject: String },
    NotYetValid { subject: String, from: Moment },
    Expired { subject: String, until: Moment },
    NotAuthority { subject: String },
    PathTooLong { subject: String },
    WrongUsage { subject: String },
    WrongPurpose { subject: String },
    UnknownCritical { subject: String, oid: String },
    Revoked { subject: String, serial: String, at: Moment, reason: Option<Reason> },
    NoList { issuer: String },
    ListStale { issuer: String, since: Moment },
    TooMuchWork,
}

/// A verdict, and against what.
pub type Verdict<T> = Result<T, Refusal>;

/// Whom to trust, what is at hand to build a path with, and for when and what.
pub struct Validator<'a> {
    anchors: Vec<Checked<'a>>,
    intermediates: Vec<Checked<'a>>,
    lists: Lists<'a>,
    at: Moment,
    purpose: Purpose,
    revocation: Revocation,
    signatures: Cell<u32>,
}

/// A path that holds: subjects from the certificate itself up to the trust anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Subjects, end entity first.
    pub subjects: Vec<String>,
    /// Serial number of the end entity's certificate, hexadecimal.
    pub serial: String,
}

impl<'a> Validator<'a> {
    /// Anchors must parse; intermediates that do not are left out, for whoever sends them may send anything.
    pub fn new(anchors: &'a [Vec<u8>], at: Moment, purpose: Purpose) -> Verdict<Validator<'a>> {
        let anchors = anchors.iter().map(|der| parse(der)).collect::<Verdict<_>>()?;
        Ok(Validator {
            anchors,
            intermediates: Vec::new(),
            lists: Lists::default(),
            at,
            purpose,
            revocation: Revocation::IfAvailable,
            signatures: Cell::new(0),
        })
    }

    /// Certificates that may stand between; untrusted.
    pub fn with_intermediates(mut self, intermediates: &'a [Vec<u8>]) -> Validator<'a> {
        self.intermediates = intermediates.iter().filter_map(|der| parse(der).ok()).collect();
        self
    }

    /// Revocation lists, and what follows when one is missing or old (R31). A list that does not parse is refused
    /// here: the caller chose it.
    pub fn with_lists(mut self, lists: &'a [Vec<u8>], revocation: Revocation) -> Verdict<Validator<'a>> {
        self.lists = Lists::parse(lists)?;
        self.revocation = revocation;
        Ok(self)
    }

    /// Judges one certificate.
    pub fn validate(&self, der: &'a [u8]) -> Verdict<Path> {
        self.signatures.set(0);
        let leaf = parse(der)?;
        leaf.fit_for(self.purpose)?;
        leaf.valid_at(self.at)?;
        let mut subjects = vec![leaf.shown()];
        self.climb(&leaf, 0, &mut subjects)?;
        Ok(Path { subjects, serial: hex::encode(leaf.cert.raw_serial()) })
    }

    /// Finds an issuer of `below` that leads to an anchor. `authorities` counts the CA certificates already in the
    /// path above the end entity, for the path length. The first refusal on the way is the one reported.
    fn climb(&self, below: &Checked<'a>, authorities: u32, subjects: &mut Vec<String>) -> Verdict<()> {
        if subjects.len() >= MAX_DEPTH {
            return Err(Refusal::PathTooLong { subject: below.shown() });
        }
        let mut refusal = None;
        let depth = subjects.len();
        // A self-signed certificate that is not an anchor leads nowhere.
        let others = self.intermediates.iter().filter(|i| !i.is_same_as(below));
        let candidates = self.anchors.iter().map(|a| (a, true)).chain(others.map(|i| (i, false)));
        for (issuer, is_anchor) in candidates.filter(|(i, _)| i.may_have_issued(below)) {
            subjects.truncate(depth);
            match self.step(below, issuer, is_anchor, authorities, subjects) {
                Ok(()) => return Ok(()),
                Err(Refusal::TooMuchWork) => return Err(Refusal::TooMuchWork),
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        Err(refusal.unwrap_or_else(|| Refusal::NoPath { subject: below.shown() }))
    }

    fn step(
        &self,
        below: &Checked<'a>,
        issuer: &Checked<'a>,
        is_anchor: bool,
        authorities: u32,
        subjects: &mut Vec<String>,
    ) -> Verdict<()> {
        self.spend()?;
        issuer.signed(below)?;
        issuer.may_certify(authorities, self.purpose)?;
        issuer.valid_at(self.at)?;
        self.spend()?;
        self.lists.judge(below, issuer, self.at, self.revocation)?;
        subjects.push(shown_name(issuer.cert.subject()));
        match is_anchor {
            true => Ok(()),
            false => self.climb(issuer, authorities + 1, subjects),
        }
    }

    fn spend(&self) -> Verdict<()> {
        self.signatures.set(self.signatures.get() + 1);
        match self.signatures.get() > MAX_SIGNATURES {
            true => Err(Refusal::TooMuchWork),
            false => Ok(()),
        }
    }
}
