//! Every error has its own stable number and its own sentences in both languages.

mod soft;

use std::collections::BTreeSet;

use coloa_pki::Error;
use coloa_pki::message::{self, Language};
use coloa_pki::validate::Refusal;
use soft::moment;

fn s() -> String {
    "x".into()
}

fn errors() -> Vec<Error> {
    let at = moment("2026-01-01T00:00:00Z");
    let path = || std::path::PathBuf::from("/x");
    vec![
        Error::Module { module: path(), why: s() },
        Error::TokenMissing { label: s(), seen: vec![s()] },
        Error::TokenAmbiguous { label: s() },
        Error::TokenGone,
        Error::PinWrong,
        Error::PinLocked,
        Error::PinUnreadable { why: s() },
        Error::KeyExists { label: s(), token: s() },
        Error::KeyMissing { label: s(), token: s() },
        Error::KeyAmbiguous { label: s(), token: s() },
        Error::KeyExtractable { label: s(), token: s() },
        Error::KeyPairInconsistent,
        Error::KeyForeign { label: s() },
        Error::RandomBroken,
        Error::RequestTooLarge { limit: 1 },
        Error::RequestMalformed,
        Error::PossessionNotProved,
        Error::PublicKeyUnusable,
        Error::SignatureAlgorithm,
        Error::SignatureWrong,
        Error::NameRefused { field: s(), value: s() },
        Error::NameRepeated { field: s() },
        Error::NameEmpty,
        Error::NameMissing { field: s(), profile: s() },
        Error::ProfileUnknown { name: s() },
        Error::ProfileRefuses { profile: s(), what: s() },
        Error::ProfileElsewhere { profile: s() },
        Error::ValidityTooLong { days: 2, max: 1, profile: s() },
        Error::ValidityPastIssuer { issuer: at },
        Error::AuthorityExpired { at },
        Error::UrlRefused,
        Error::KeyCompromised { serial: s() },
        Error::KeyOfAuthority,
        Error::NameOfAuthority,
        Error::NoAuthority { directory: path() },
        Error::DirectoryNotEmpty { directory: path() },
        Error::Busy { directory: path() },
        Error::Config { path: path(), why: s() },
        Error::JournalEmpty,
        Error::JournalBroken { number: 1 },
        Error::JournalTruncated { head: 2, records: 1 },
        Error::JournalHeadMissing,
        Error::JournalHeadMismatch { number: 1 },
        Error::JournalHeadForged,
        Error::JournalNonsense,
        Error::JournalForeign,
        Error::JournalOther { number: 1 },
        Error::SerialUnknown { serial: s() },
        Error::AlreadyRevoked { serial: s(), at },
        Error::JournalUnknown,
        Error::CertificateMalformed,
        Error::Refused(Refusal::TooMuchWork),
        Error::File { path: path(), why: s() },
        Error::TooLarge { path: path() },
        Error::NotPem { expected: "x" },
        Error::Clock,
        Error::LintFailed { rule: "x" },
        Error::Encoding,
        Error::PackageTable { line: 2, column: s(), why: "y" },
        Error::PackageUnknown { serial: s() },
        Error::PackageDone { serial: s(), state: "made" },
        Error::PackageReceipt { why: s() },
        Error::PackageAlarm { serial: s(), why: s() },
        Error::PackageSigner { why: "y" },
    ]
}

#[test]
fn numbers_are_unique_and_sentences_are_their_own() {
    let errors = errors();
    let numbers: BTreeSet<u16> = errors.iter().map(Error::number).collect();
    assert_eq!(numbers.len(), errors.len());
    for language in [Language::English, Language::Vietnamese] {
        let said: BTreeSet<String> = errors.iter().map(|e| message::of(e, language).what).collect();
        assert_eq!(said.len(), errors.len(), "two errors say the same");
        assert!(errors.iter().all(|e| !message::of(e, language).next.is_empty()));
    }
    for error in &errors {
        assert_ne!(message::of(error, Language::English).what, message::of(error, Language::Vietnamese).what);
    }
}

/// Published numbers: scripts and manuals name them.
#[test]
fn numbers_do_not_move() {
    let numbers: Vec<u16> = errors().iter().map(Error::number).collect();
    let expected: Vec<u16> =
        (101..=114).chain(201..=220).chain(301..=316).chain(401..=406).chain(501..=502).chain(601..=606).collect();
    assert_eq!(numbers, expected);
}
