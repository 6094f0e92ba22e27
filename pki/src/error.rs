//! What can go wrong, with a stable number each. The sentences for people are in [`crate::message`].

use std::path::{Path, PathBuf};

use crate::clock::Moment;
use crate::validate::Refusal;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// Whoever ran the command.
    Operator,
    /// Whoever sent the request or certificate.
    Requester,
    /// The token or its module.
    Token,
    /// The authority's directory: damaged, full, or tampered with.
    Store,
    /// This program.
    Program,
}

/// An error; its number is part of the interface and is never reused.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Error {
    // 1xx: token
    Module { module: PathBuf, why: String },
    TokenMissing { label: String, seen: Vec<String> },
    TokenAmbiguous { label: String },
    TokenGone,
    PinWrong,
    PinLocked,
    PinUnreadable { why: String },
    KeyExists { label: String, token: String },
    KeyMissing { label: String, token: String },
    KeyAmbiguous { label: String, token: String },
    KeyExtractable { label: String, token: String },
    KeyPairInconsistent,
    KeyForeign { label: String },
    RandomBroken,
    // 2xx: request and names
    RequestTooLarge { limit: usize },
    RequestMalformed,
    PossessionNotProved,
    PublicKeyUnusable,
    SignatureAlgorithm,
    SignatureWrong,
    NameRefused { field: String, value: String },
    NameRepeated { field: String },
    NameEmpty,
    NameMissing { field: String, profile: String },
    ProfileUnknown { name: String },
    ProfileRefuses { profile: String, what: String },
    ProfileElsewhere { profile: String },
    ValidityTooLong { days: u32, max: u32, profile: String },
    ValidityPastIssuer { issuer: Moment },
    AuthorityExpired { at: Moment },
    UrlRefused,
    KeyCompromised { serial: String },
    KeyOfAuthority,
    NameOfAuthority,
    // 3xx: journal and directory
    NoAuthority { directory: PathBuf },
    DirectoryNotEmpty { directory: PathBuf },
    Busy { directory: PathBuf },
    Config { path: PathBuf, why: String },
    JournalEmpty,
    JournalBroken { number: u64 },
    JournalTruncated { head: u64, records: u64 },
    JournalHeadMissing,
    JournalHeadMismatch { number: u64 },
    JournalHeadForged,
    JournalNonsense,
    JournalForeign,
    JournalOther { number: u64 },
    SerialUnknown { serial: String },
    AlreadyRevoked { serial: String, at: Moment },
    JournalUnknown,
    // 4xx: certificates of others, files, the rest
    CertificateMalformed,
    Refused(Refusal),
    File { path: PathBuf, why: String },
    TooLarge { path: PathBuf },
    NotPem { expected: &'static str },
    Clock,
    // 5xx: this program
    LintFailed { rule: &'static str },
    Encoding,
    // 6xx: packages for sites
    PackageTable { line: usize, column: String, why: &'static str },
    PackageUnknown { serial: String },
    PackageDone { serial: String, state: &'static str },
    PackageReceipt { why: String },
    PackageAlarm { serial: String, why: String },
    PackageSigner { why: &'static str },
}

impl Error {
    /// A file that could not be read or written.
    pub fn file(path: &Path, error: std::io::Error) -> Error {
        Error::File { path: path.into(), why: error.to_string() }
    }

    /// The stable number.
    pub fn number(&self) -> u16 {
        match self {
            Error::Module { .. } => 101,
            Error::TokenMissing { .. } => 102,
            Error::TokenAmbiguous { .. } => 103,
            Error::TokenGone => 104,
            Error::PinWrong => 105,
            Error::PinLocked => 106,
            Error::PinUnreadable { .. } => 107,
            Error::KeyExists { .. } => 108,
            Error::KeyMissing { .. } => 109,
            Error::KeyAmbiguous { .. } => 110,
            Error::KeyExtractable { .. } => 111,
            Error::KeyPairInconsistent => 112,
            Error::KeyForeign { .. } => 113,
            Error::RandomBroken => 114,
            Error::RequestTooLarge { .. } => 201,
            Error::RequestMalformed => 202,
            Error::PossessionNotProved => 203,
            Error::PublicKeyUnusable => 204,
            Error::SignatureAlgorithm => 205,
            Error::SignatureWrong => 206,
            Error::NameRefused { .. } => 207,
            Error::NameRepeated { .. } => 208,
            Error::NameEmpty => 209,
            Error::NameMissing { .. } => 210,
            Error::ProfileUnknown { .. } => 211,
            Error::ProfileRefuses { .. } => 212,
            Error::ProfileElsewhere { .. } => 213,
            Error::ValidityTooLong { .. } => 214,
            Error::ValidityPastIssuer { .. } => 215,
            Error::AuthorityExpired { .. } => 216,
            Error::UrlRefused => 217,
            Error::KeyCompromised { .. } => 218,
            Error::KeyOfAuthority => 219,
            Error::NameOfAuthority => 220,
            Error::NoAuthority { .. } => 301,
            Error::DirectoryNotEmpty { .. } => 302,
            Error::Busy { .. } => 303,
            Error::Config { .. } => 304,
            Error::JournalEmpty => 305,
            Error::JournalBroken { .. } => 306,
            Error::JournalTruncated { .. } => 307,
            Error::JournalHeadMissing => 308,
            Error::JournalHeadMismatch { .. } => 309,
            Error::JournalHeadForged => 310,
            Error::JournalNonsense => 311,
            Error::JournalForeign => 312,
            Error::JournalOther { .. } => 313,
            Error::SerialUnknown { .. } => 314,
            Error::AlreadyRevoked { .. } => 315,
            Error::JournalUnknown => 316,
            Error::CertificateMalformed => 401,
            Error::Refused(_) => 402,
            Error::File { .. } => 403,
            Error::TooLarge { .. } => 404,
            Error::NotPem { .. } => 405,
            Error::Clock => 406,
            Error::LintFailed { .. } => 501,
            Error::Encoding => 502,
            Error::PackageTable { .. } => 601,
            Error::PackageUnknown { .. } => 602,
            Error::PackageDone { .. } => 603,
            Error::PackageReceipt { .. } => 604,
            Error::PackageAlarm { .. } => 605,
            Error::PackageSigner { .. } => 606,
        }
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Error::PinWrong | Error::PinUnreadable { .. } | Error::TokenMissing { .. } => Fault::Operator,
            Error::ProfileUnknown { .. } | Error::ProfileElsewhere { .. } | Error::UrlRefused => Fault::Operator,
            Error::ValidityTooLong { .. } | Error::ValidityPastIssuer { .. } => Fault::Operator,
            Error::NoAuthority { .. } | Error::DirectoryNotEmpty { .. } | Error::Busy { .. } => Fault::Operator,
            Error::SerialUnknown { .. } | Error::AlreadyRevoked { .. } => Fault::Operator,
            Error::Clock | Error::AuthorityExpired { .. } | Error::KeyExists { .. } => Fault::Operator,
            Error::TooLarge { .. } | Error::NotPem { .. } => Fault::Operator,
            Error::LintFailed { .. } | Error::Encoding => Fault::Program,
            Error::CertificateMalformed | Error::Refused(_) => Fault::Requester,
            other => match other.number() {
                100..=199 => Fault::Token,
                200..=299 => Fault::Requester,
                600..=699 => Fault::Operator,
                _ => Fault::Store,
            },
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::message::of(self, crate::message::Language::English).fmt(f)
    }
}

impl std::error::Error for Error {}

impl From<der::Error> for Error {
    fn from(_: der::Error) -> Error {
        Error::Encoding
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Refused(refusal)
    }
}
