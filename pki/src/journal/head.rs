//! The head: up to where the journal was acknowledged.

use serde::{Deserialize, Serialize};

use super::record::{Hash, Record, statement};
use crate::curve::PublicKey;
use crate::{Error, Result, hex};

/// Number, hash and signature of the last acknowledged record.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number of the last record.
    pub number: u64,
    /// Its hash.
    pub hash: Hash,
    #[serde(with = "hex::serde_bytes")]
    signature: Vec<u8>,
}

impl Head {
    pub(super) fn of(record: &Record) -> Head {
        Head { number: record.number, hash: record.hash, signature: record.signature.clone() }
    }

    pub(super) fn verify(&self, key: &PublicKey) -> Result<()> {
        key.verify(&statement(self.number, &self.hash), &self.signature).map_err(|_| Error::JournalHeadForged)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Head> {
        serde_json::from_slice(bytes).map_err(|_| Error::JournalHeadForged)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self).map_err(|_| Error::Encoding)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
