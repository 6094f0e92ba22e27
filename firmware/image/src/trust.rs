//! Whose signatures count, and how many of them make a release.

use crate::{DIGEST, KEY, KEY_ID, Manifest, Refusal, Statement, Version};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_engine::Crypto;
use coloa_engine::crypto::{Curve, Hash, PairKind, Scheme};
use minicbor::{Decode, Encode};

/// Custodians in one list.
pub const MAX_CUSTODIANS: usize = 16;
const P384: PairKind = PairKind::Ec(Curve::P384);
/// Longer lists are none.
const MAX_BYTES: usize = 8 * 1024;

/// A custodian of firmware.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Custodian {
    /// A name for people, at most 64 bytes.
    #[n(0)]
    pub name: String,
    /// ECDSA on P-384: [`KEY`] bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: Vec<u8>,
}

/// The custodians of firmware, and how many of them are a quorum (R2). It comes with the device and is trusted.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Trust {
    #[n(0)]
    threshold: u8,
    #[n(1)]
    custodians: Vec<Custodian>,
}

impl Trust {
    /// A list of whom `threshold` must sign. One custodian alone is no quorum: it takes two at least.
    ///
    /// # Errors
    /// [`Refusal::Trust`].
    pub fn new(threshold: u8, custodians: Vec<Custodian>) -> Result<Self, Refusal> {
        let trust = Trust { threshold, custodians };
        if trust.is_valid() { Ok(trust) } else { Err(Refusal::Trust) }
    }

    /// Reads what [`Trust::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Refusal::Trust`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_BYTES {
            return Err(Refusal::Trust);
        }
        let mut decoder = minicbor::Decoder::new(bytes);
        let read: Self = decoder.decode().map_err(|_| Refusal::Trust)?;
        if decoder.position() != bytes.len() {
            return Err(Refusal::Trust);
        }
        Self::new(read.threshold, read.custodians)
    }

    /// CBOR, numbered fields.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to memory does not fail.
        let _ = minicbor::encode(self, &mut out);
        out
    }

    /// How many must sign.
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// Who may.
    pub fn custodians(&self) -> &[Custodian] {
        &self.custodians
    }

    fn is_valid(&self) -> bool {
        let count = self.custodians.len();
        let reachable = self.threshold >= 2 && usize::from(self.threshold) <= count && count <= MAX_CUSTODIANS;
        let proper = |c: &Custodian| c.key.len() == KEY && (1..=64).contains(&c.name.len());
        let mut keys: Vec<_> = self.custodians.iter().map(|c| &c.key).collect();
        keys.sort();
        keys.dedup();
        reachable && self.custodians.iter().all(proper) && keys.len() == count
    }

    /// Names of the custodians whose signatures hold, each once, in the order of the list.
    pub fn signers<C: Crypto>(&self, crypto: &C, manifest: &Manifest) -> Vec<&str> {
        let text = crypto.digest(Hash::Sha384, &[&manifest.text()]);
        let signed = |custodian: &&Custodian| has_signed(crypto, custodian, manifest, text.as_ref());
        self.custodians.iter().filter(signed).map(|custodian| custodian.name.as_str()).collect()
    }

    /// Has a quorum signed this? Signatures of strangers count for nothing, and a custodian's count once.
    ///
    /// # Errors
    /// [`Refusal::Quorum`].
    pub fn verify<C: Crypto>(&self, crypto: &C, manifest: &Manifest) -> Result<Verified, Refusal> {
        let (valid, needed) = (self.signers(crypto, manifest).len(), usize::from(self.threshold));
        if valid < needed {
            return Err(Refusal::Quorum { valid, needed });
        }
        Ok(Verified(manifest.statement().clone()))
    }
}

fn has_signed<C: Crypto>(crypto: &C, custodian: &Custodian, manifest: &Manifest, text: &[u8]) -> bool {
    let Ok(key) = crypto.load_public(P384, &custodian.key) else { return false };
    let id = key_id(crypto, &custodian.key);
    let mut voices = manifest.voices().iter().filter(|voice| voice.key == id);
    voices.any(|voice| crypto.verify(&key, Scheme::Ecdsa, text, &voice.signature).is_ok())
}

/// By what a manifest names a key: the beginning of its SHA-384.
pub fn key_id<C: Crypto>(crypto: &C, key: &[u8]) -> [u8; KEY_ID] {
    crypto.digest(Hash::Sha384, &[key]).as_ref().first_chunk().copied().unwrap_or_default()
}

/// A statement that a quorum has signed. Only [`Trust::verify`] makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified(Statement);

impl Verified {
    /// What the quorum says.
    pub fn statement(&self) -> &Statement {
        &self.0
    }

    /// Whether it is for this body, and no older than what may still run.
    ///
    /// # Errors
    /// [`Refusal::Body`], [`Refusal::RolledBack`].
    pub fn admits(&self, body: &str, lowest: Version) -> Result<(), Refusal> {
        if self.0.body != body {
            return Err(Refusal::Body(self.0.body.clone()));
        }
        if self.0.version < lowest {
            return Err(Refusal::RolledBack { version: self.0.version, lowest });
        }
        Ok(())
    }

    /// Whether these bytes are the image.
    ///
    /// # Errors
    /// [`Refusal::Digest`].
    pub fn holds<C: Crypto>(&self, crypto: &C, image: &[u8]) -> Result<(), Refusal> {
        self.measured(image.len() as u64, crypto.digest(Hash::Sha384, &[image]).as_ref())
    }

    /// The same of an image that was measured piece by piece.
    ///
    /// # Errors
    /// [`Refusal::Digest`].
    pub fn measured(&self, length: u64, digest: &[u8]) -> Result<(), Refusal> {
        let same = self.0.length == length && digest.len() == DIGEST && digest == self.0.digest;
        if same { Ok(()) } else { Err(Refusal::Digest) }
    }
}
