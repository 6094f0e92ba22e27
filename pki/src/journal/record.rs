//! One line of the journal: what happened, chained to the line before.

use std::fmt;

use ring::digest;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::crl::Reason;
use crate::curve::PublicKey;
use crate::profile::Role;
use crate::token::Signer;
use crate::{Error, Result, hex};

/// Prefix of what is hashed, so that this hash is never one of something else.
pub const HASH_DOMAIN: &[u8] = b"coloa-pki journal record v1\n";

/// SHA-256 of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first record has before it.
    pub const ZERO: Hash = Hash([0; 32]);

    fn of(body: &[u8]) -> Hash {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(HASH_DOMAIN);
        context.update(body);
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Hash(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Hash, String> {
        let bytes = hex::decode(text).and_then(|b| <[u8; 32]>::try_from(b).ok());
        bytes.map(Hash).ok_or_else(|| "a hash is 64 hexadecimal digits".into())
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Hash, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What happened. Names and fields are frozen: journals are kept for decades. No field may be called `number`, `time` or
/// `previous`, which stand beside it in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// The authority began: its certificate, and that of its journal key.
    Opened {
        /// Root or issuing.
        role: Role,
        /// The authority's certificate, DER.
        #[serde(with = "hex::serde_bytes")]
        authority: Vec<u8>,
        /// The journal key's certificate, DER.
        #[serde(with = "hex::serde_bytes")]
        journal: Vec<u8>,
    },
    /// A certificate was signed and verified, and is about to be released.
    Issued {
        /// Profile it was issued under.
        profile: String,
        /// The certificate, DER.
        #[serde(with = "hex::serde_bytes")]
        certificate: Vec<u8>,
    },
    /// A certificate was withdrawn.
    Revoked {
        /// Its serial number.
        #[serde(with = "hex::serde_bytes")]
        serial: Vec<u8>,
        /// Why.
        reason: Reason,
    },
    /// A revocation list was signed and is about to be released.
    ListIssued {
        /// CRL number.
        list: u64,
        /// When relying parties must have a newer one.
        next_update: Moment,
        /// SHA-256 of the DER.
        #[serde(with = "hex::serde_bytes")]
        digest: Vec<u8>,
    },
    /// A key package was made for a site and is about to be released (R32).
    PackageMade {
        /// Serial of the package.
        #[serde(with = "hex::serde_bytes")]
        package: Vec<u8>,
        /// For whom.
        site: String,
        /// The bulk that it belongs to.
        batch: String,
        /// Serial number of the site's certificate.
        #[serde(with = "hex::serde_bytes")]
        certificate: Vec<u8>,
        /// SHA-256 of the package.
        #[serde(with = "hex::serde_bytes")]
        digest: Vec<u8>,
        /// Last second in which it may be opened.
        until: Moment,
    },
    /// A key package was withdrawn.
    PackageVoided {
        /// Its serial.
        #[serde(with = "hex::serde_bytes")]
        package: Vec<u8>,
    },
    /// A receipt for a key package came back.
    PackageReceived {
        /// Serial of the package.
        #[serde(with = "hex::serde_bytes")]
        package: Vec<u8>,
        /// When it was opened, by the box's clock.
        opened: Moment,
        /// Where.
        device: String,
        /// What is wrong with it, if anything is.
        alarm: Option<String>,
    },
    /// An unfinished record that a power cut left behind was dropped.
    Repaired {
        /// Its bytes.
        dropped: u64,
    },
    /// The clock shows less than it did at the record before (R19).
    ClockSteppedBack {
        /// What it had shown.
        from: Moment,
    },
}

#[derive(Serialize, Deserialize)]
struct Body {
    number: u64,
    time: Moment,
    previous: Hash,
    #[serde(flatten)]
    event: Event,
}

/// A record and the line that holds it.
#[derive(Clone, Debug)]
pub struct Record {
    /// From 0, without gaps.
    pub number: u64,
    /// By the authority's clock.
    pub time: Moment,
    /// What happened.
    pub event: Event,
    /// Hash of this record.
    pub hash: Hash,
    /// The journal key's signature over number and hash (see [`super::Head`]).
    pub signature: Vec<u8>,
    pub(super) line: Vec<u8>,
}

impl Record {
    /// Makes and signs the record that follows `previous`.
    pub(super) fn new(place: Place, time: Moment, event: Event, signer: &dyn Signer) -> Result<Record> {
        let body = Body { number: place.number, time, previous: place.previous, event };
        let json = serde_json::to_vec(&body).map_err(|_| Error::Encoding)?;
        let hash = Hash::of(&json);
        let signature = signer.sign(&statement(body.number, &hash))?;
        let line = [format!("{hash} {} ", hex::encode(&signature)).as_bytes(), &json, b"\n"].concat();
        // What cannot be read back must not be written.
        Record::parse(&line, place)
    }

    /// Reads a line with its line feed and holds it against its place in the chain; its signature is not yet checked.
    pub(super) fn parse(line: &[u8], place: Place) -> Result<Record> {
        let broken = || Error::JournalBroken { number: place.number };
        let text = std::str::from_utf8(line).map_err(|_| broken())?.strip_suffix('\n').ok_or_else(broken)?;
        let mut parts = text.splitn(3, ' ');
        let (Some(hash), Some(signature), Some(json)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(broken());
        };
        let stated = signature;
        let signature = hex::decode(stated).ok_or_else(broken)?;
        // Compared as text, so that there is one way only to write a line.
        let computed = Hash::of(json.as_bytes());
        if computed.to_string() != hash || hex::encode(&signature) != stated {
            return Err(broken());
        }
        let body: Body = serde_json::from_str(json).map_err(|_| broken())?;
        if body.number != place.number || body.previous != place.previous {
            return Err(broken());
        }
        Ok(Record {
            number: body.number,
            time: body.time,
            event: body.event,
            hash: computed,
            signature,
            line: line.to_vec(),
        })
    }

    /// The place after this one.
    pub(super) fn next(&self) -> Place {
        Place { number: self.number + 1, previous: self.hash }
    }

    /// Checks that the journal key wrote it.
    pub fn verify(&self, key: &PublicKey) -> Result<()> {
        key.verify(&statement(self.number, &self.hash), &self.signature)
            .map_err(|_| Error::JournalBroken { number: self.number })
    }
}

/// Where a record belongs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) previous: Hash,
}

impl Place {
    pub(super) const FIRST: Place = Place { number: 0, previous: Hash::ZERO };
}

/// What the journal key signs: text, so that it is never a certificate or a CRL, which begin with a SEQUENCE.
pub(super) fn statement(number: u64, hash: &Hash) -> Vec<u8> {
    format!("coloa-pki journal record v1\n{number}\n{hash}\n").into_bytes()
}
