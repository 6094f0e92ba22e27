//! English.

use crate::Error;
use crate::validate::Refusal;

pub(super) fn of(error: &Error) -> (String, &'static str) {
    match error {
        Error::Module { module, why } => (
            format!("The PKCS#11 module {} failed: {why}.", module.display()),
            "Check the path and the module's own configuration and log.",
        ),
        Error::TokenMissing { label, seen } => (
            format!("There is no token \"{label}\"; this module shows: {}.", listed(seen, "none")),
            "Give the label of one of these, or initialise the token.",
        ),
        Error::TokenAmbiguous { label } => {
            (format!("Several tokens are called \"{label}\"."), "Give each token a label of its own.")
        }
        Error::TokenGone => ("The token was closed.".into(), "Start the command again."),
        Error::PinWrong => ("The token refused the PIN.".into(), "Check the PIN; too many wrong ones lock the token."),
        Error::PinLocked => {
            ("The token is locked after too many wrong PINs.".into(), "Ask its security officer to set a new PIN.")
        }
        Error::PinUnreadable { why } => {
            (format!("The PIN could not be read: {why}."), "Use --pin-file or --pin-fd, or type it at a terminal.")
        }
        Error::KeyExists { label, token } => (
            format!("Token \"{token}\" already has a key \"{label}\"."),
            "Choose another --label; a key is never replaced.",
        ),
        Error::KeyMissing { label, token } => (
            format!("Token \"{token}\" has no complete key pair \"{label}\"."),
            "Check --label; `pkcs11-tool --list-objects --login` shows what is there.",
        ),
        Error::KeyAmbiguous { label, token } => (
            format!("Token \"{token}\" has more than one key that could be \"{label}\"."),
            "Give each key a label and an id of its own.",
        ),
        Error::KeyExtractable { label, token } => (
            format!("Token \"{token}\" made the key \"{label}\" but says that it could leave the token."),
            "Destroy this key and use a token that makes non-extractable keys.",
        ),
        Error::KeyPairInconsistent => (
            "The token's signature does not verify under the key's public half.".into(),
            "Take the token out of service and have it examined.",
        ),
        Error::KeyForeign { label } => (
            format!("The key \"{label}\" in the token is not the one in the authority's certificate."),
            "Check that this is the right token and directory.",
        ),
        Error::RandomBroken => (
            "The token's random generator gave a value that cannot be random.".into(),
            "Take the token out of service and have it examined.",
        ),
        _ => request(error),
    }
}

fn request(error: &Error) -> (String, &'static str) {
    match error {
        Error::RequestTooLarge { limit } => {
            (format!("The request is larger than {limit} bytes."), "Ask for a plain request for one key.")
        }
        Error::RequestMalformed => {
            ("This is not a well-formed certificate request (PKCS#10).".into(), "Ask for a new one.")
        }
        Error::PossessionNotProved => (
            "The request's signature does not verify: nothing shows that its sender holds the private key.".into(),
            "Refuse it, and ask for a new request by a trusted way.",
        ),
        Error::PublicKeyUnusable => (
            "The public key is not an uncompressed point on P-256 or P-384.".into(),
            "Make a key on P-384 (or P-256) and request again.",
        ),
        Error::SignatureAlgorithm => {
            ("The signature algorithm is not ECDSA with SHA-256 or SHA-384.".into(), "Use one of these.")
        }
        Error::SignatureWrong => ("A signature does not verify.".into(), "Do not use what it was on."),
        Error::NameRefused { field, value } => (
            format!("The name {field} \"{value}\" is not one this authority certifies."),
            "Names are Latin letters of the Vietnamese alphabet (precomposed), digits and . , : / ( ) & @ ' - _, 64 at most.",
        ),
        Error::NameRepeated { field } => (format!("The subject has {field} more than once."), "Give it once."),
        Error::NameEmpty => ("The subject is empty.".into(), "Give at least CN."),
        Error::NameMissing { field, profile } => {
            (format!("Profile {profile} needs {field}, which the request lacks."), "Add it and request again.")
        }
        Error::ProfileUnknown { name } => {
            (format!("There is no profile \"{name}\"."), "`coloa-pki profiles` lists them.")
        }
        Error::ProfileRefuses { profile, what } => {
            (format!("Profile {profile} does not permit {what}."), "Leave it out, or choose another profile.")
        }
        Error::ProfileElsewhere { profile } => (
            format!("This authority does not issue under profile {profile}."),
            "A root issues issuing-ca only; an issuing authority issues the rest.",
        ),
        Error::ValidityTooLong { days, max, profile } => {
            (format!("{days} days is not allowed under profile {profile} (1 to {max})."), "Ask for fewer --days.")
        }
        Error::ValidityPastIssuer { issuer } => {
            (format!("The authority's own certificate ends on {issuer}, before that."), "Ask for fewer --days.")
        }
        Error::AuthorityExpired { at } => {
            (format!("The authority's certificate ended on {at}."), "Found a new authority, or check the clock.")
        }
        Error::UrlRefused => ("The CRL address is not a URL.".into(), "Write it as http://host/path, in ASCII."),
        Error::KeyCompromised { serial } => (
            format!("Certificate {serial} for this very key was revoked because the key is compromised."),
            "Refuse it; the device must make a new key.",
        ),
        Error::KeyOfAuthority => (
            "This is the authority's own key; one key has one purpose.".into(),
            "Make a key for the device: device-key with another --label and without --use-existing.",
        ),
        Error::NameOfAuthority => (
            "The subject is the authority's own name.".into(),
            "Refuse it: two holders of one name cannot be told apart.",
        ),
        _ => store(error),
    }
}

fn store(error: &Error) -> (String, &'static str) {
    const TAMPERED: &str = "Issue nothing; keep the directory as evidence and restore it from the last good copy.";
    match error {
        Error::NoAuthority { directory } => (
            format!("{} holds no authority.", directory.display()),
            "Check --dir, or found one with init-root or init-issuing.",
        ),
        Error::DirectoryNotEmpty { directory } => {
            (format!("{} is not empty.", directory.display()), "Found a new authority in a directory of its own.")
        }
        Error::Busy { directory } => {
            (format!("Another process works in {}.", directory.display()), "Wait until it is done and try again.")
        }
        Error::Config { path, why } => {
            (format!("{} cannot be understood: {why}.", path.display()), "Correct the file.")
        }
        Error::JournalEmpty => ("The journal holds no record.".into(), TAMPERED),
        Error::JournalBroken { number } => {
            (format!("Record {number} of the journal was changed, moved or removed."), TAMPERED)
        }
        Error::JournalTruncated { head, records } => {
            (format!("The journal was cut: {records} records are there, but record {head} was acknowledged."), TAMPERED)
        }
        Error::JournalHeadMissing => ("The journal's signed head is missing.".into(), TAMPERED),
        Error::JournalHeadMismatch { number } => {
            (format!("Record {number} of the journal is not the one its signed head names."), TAMPERED)
        }
        Error::JournalHeadForged => ("The journal's head was not signed by the journal key.".into(), TAMPERED),
        Error::JournalNonsense => ("The journal's records contradict each other.".into(), TAMPERED),
        Error::JournalForeign => ("The journal belongs to another authority.".into(), TAMPERED),
        Error::JournalOther { number } => (
            format!("Record {number} of the journal is not the one expected: an older or other journal lies here."),
            TAMPERED,
        ),
        Error::SerialUnknown { serial } => {
            (format!("This authority issued no certificate {serial}."), "`coloa-pki list` shows serial numbers.")
        }
        Error::AlreadyRevoked { serial, at } => {
            (format!("Certificate {serial} was revoked on {at}."), "Nothing is left to do but publish the CRL.")
        }
        Error::JournalUnknown => (
            "An earlier write to the journal failed; what reached the disk is not known.".into(),
            "Open the authority again; it finds out, and repairs.",
        ),
        Error::CertificateMalformed => ("This is not a well-formed certificate.".into(), "Ask for a new copy."),
        Error::Refused(refusal) => (refused(refusal), "Do not rely on this certificate."),
        Error::File { path, why } => (
            format!("{} cannot be read or written: {why}.", path.display()),
            "Check path, rights and free space, then try again.",
        ),
        Error::TooLarge { path } => {
            (format!("{} is larger than 4 MiB.", path.display()), "Check that it is the right file.")
        }
        Error::NotPem { expected } => {
            (format!("The file does not hold what is needed: one {expected} in PEM or DER."), "Check the file.")
        }
        Error::Clock => ("A date is out of range.".into(), "Check the machine's clock, and --days."),
        Error::LintFailed { rule } => (
            format!("The signed certificate was withheld: its {rule} is not as meant."),
            "Report this as a defect; nothing was released.",
        ),
        // The arms of the two functions above.
        _ => ("Something could not be encoded.".into(), "Report this as a defect."),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Malformed { what } => format!("A {what} is malformed."),
        Refusal::NoPath { subject } => format!("No trusted authority issued {subject}."),
        Refusal::SignatureWrong { subject } => format!("The signature on {subject} is wrong."),
        Refusal::NotYetValid { subject, from } => format!("{subject} is valid only from {from}."),
        Refusal::Expired { subject, until } => format!("{subject} expired on {until}."),
        Refusal::NotAuthority { subject } => format!("{subject} is not a certification authority."),
        Refusal::PathTooLong { subject } => format!("The path through {subject} is longer than allowed."),
        Refusal::WrongUsage { subject } => format!("{subject} may not be used this way (keyUsage)."),
        Refusal::WrongPurpose { subject } => format!("{subject} is not meant for this purpose (extendedKeyUsage)."),
        Refusal::UnknownCritical { subject, oid } => {
            format!("{subject} has the critical extension {oid}, which is not understood.")
        }
        Refusal::Revoked { subject, serial, at, .. } => format!("{subject} (serial {serial}) was revoked on {at}."),
        Refusal::NoList { issuer } => format!("There is no revocation list of {issuer}."),
        Refusal::ListStale { issuer, since } => {
            format!("The revocation list of {issuer} should have been replaced on {since}.")
        }
        Refusal::TooMuchWork => "There are too many possible paths.".into(),
    }
}

fn listed(names: &[String], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { names.join(", ") }
}
