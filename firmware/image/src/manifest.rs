//! The manifest as bytes. What is read here is hostile.

use crate::{DIGEST, KEY_ID, Refusal, SIGNATURE, Version};
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

const MAGIC: &[u8; 4] = b"CLFW";
const FORMAT: u16 = 1;
/// ECDSA on P-384 over SHA-384 (FIPS 186-5).
const SUITE: u8 = 1;
/// Before the statement when it is signed: the same key signs votes too, and no vote is a release.
const CONTEXT: &[u8] = b"coloa firmware statement, format 1\0";
/// Longer statements are none.
const MAX_STATEMENT: usize = 512;
/// Bytes of a body's name.
const MAX_BODY: usize = 32;
const VOICE: usize = 1 + KEY_ID + SIGNATURE;
/// Signatures in one manifest.
pub const MAX_VOICES: usize = 16;
/// Bytes of the longest manifest.
pub const MAX_MANIFEST: usize = MAGIC.len() + 2 + 4 + MAX_STATEMENT + 1 + MAX_VOICES * VOICE;

/// What the custodians sign.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Statement {
    /// The body that it is for, such as `mps2-an386` or `appliance`: at most 32 graphic ASCII characters.
    #[n(0)]
    pub body: String,
    /// The image's version.
    #[n(1)]
    pub version: Version,
    /// Once this image has run, nothing below this version does; at most its own.
    #[n(2)]
    pub lowest: Version,
    /// Bytes of the image.
    #[n(3)]
    pub length: u64,
    /// SHA-384 of the image.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub digest: [u8; DIGEST],
}

impl<C> Encode<C> for Version {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u32(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Version {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.u32().map(Version)
    }
}

impl Statement {
    fn is_valid(&self) -> bool {
        let named = (1..=MAX_BODY).contains(&self.body.len()) && self.body.bytes().all(|byte| byte.is_ascii_graphic());
        named && self.lowest <= self.version && self.length > 0
    }
}

/// One custodian's signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voice {
    /// Whose: [`crate::key_id`].
    pub key: [u8; KEY_ID],
    /// `r ‖ s`.
    pub signature: [u8; SIGNATURE],
}

/// A statement and its signatures, none of which is checked yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    statement: Statement,
    /// The very bytes that are signed.
    encoded: Vec<u8>,
    voices: Vec<Voice>,
}

impl Manifest {
    /// A statement that nobody has signed.
    ///
    /// # Errors
    /// [`Refusal::Malformed`]: a name that is none, an empty image, or a lowest version above its own.
    pub fn new(statement: Statement) -> Result<Self, Refusal> {
        let mut encoded = Vec::new();
        // Writing to memory does not fail.
        let _ = minicbor::encode(&statement, &mut encoded);
        let fits = statement.is_valid() && encoded.len() <= MAX_STATEMENT;
        if fits { Ok(Manifest { statement, encoded, voices: Vec::new() }) } else { Err(Refusal::Malformed) }
    }

    /// Reads a manifest; nothing may follow it.
    ///
    /// # Errors
    /// [`Refusal::Missing`], [`Refusal::Format`], [`Refusal::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let (manifest, rest) = Self::split(bytes)?;
        if rest.is_empty() { Ok(manifest) } else { Err(Refusal::Malformed) }
    }

    /// Reads a manifest from the beginning of `bytes`; what follows it is given back.
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub fn split(bytes: &[u8]) -> Result<(Self, &[u8]), Refusal> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Refusal::Missing)?;
        let (format, rest) = rest.split_first_chunk().ok_or(Refusal::Malformed)?;
        match u16::from_be_bytes(*format) {
            FORMAT => {}
            other => return Err(Refusal::Format(other)),
        }
        let (length, rest) = rest.split_first_chunk().ok_or(Refusal::Malformed)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Refusal::Malformed)?;
        let (encoded, rest) = rest.split_at_checked(length).ok_or(Refusal::Malformed)?;
        let mut manifest = Self::new(statement(encoded)?)?;
        // One statement has one encoding: nobody signs another.
        if manifest.encoded != encoded {
            return Err(Refusal::Malformed);
        }
        let (count, mut rest) = rest.split_first().ok_or(Refusal::Malformed)?;
        if usize::from(*count) > MAX_VOICES {
            return Err(Refusal::Malformed);
        }
        for _ in 0..*count {
            let (one, after) = rest.split_at_checked(VOICE).ok_or(Refusal::Malformed)?;
            manifest.voices.push(voice(one)?);
            rest = after;
        }
        Ok((manifest, rest))
    }

    /// The manifest's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Both were bounded where they came in.
        let length = u32::try_from(self.encoded.len()).unwrap_or(u32::MAX);
        let count = u8::try_from(self.voices.len()).unwrap_or(u8::MAX);
        let mut out = [MAGIC, &FORMAT.to_be_bytes()[..], &length.to_be_bytes(), &self.encoded, &[count]].concat();
        for voice in &self.voices {
            out.push(SUITE);
            out.extend(voice.key);
            out.extend(voice.signature);
        }
        out
    }

    /// What it says; believe nothing of it before [`crate::Trust::verify`].
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Who says so, as it claims.
    pub fn voices(&self) -> &[Voice] {
        &self.voices
    }

    /// The text that a custodian signs, with ECDSA over its SHA-384.
    pub fn text(&self) -> Vec<u8> {
        [CONTEXT, &self.encoded].concat()
    }

    /// Adds a signature, in place of an earlier one by the same key.
    ///
    /// # Errors
    /// [`Refusal::Malformed`]: there are [`MAX_VOICES`] already.
    pub fn add(&mut self, voice: Voice) -> Result<(), Refusal> {
        self.voices.retain(|other| other.key != voice.key);
        if self.voices.len() >= MAX_VOICES {
            return Err(Refusal::Malformed);
        }
        self.voices.push(voice);
        Ok(())
    }
}

fn statement(encoded: &[u8]) -> Result<Statement, Refusal> {
    if encoded.len() > MAX_STATEMENT {
        return Err(Refusal::Malformed);
    }
    minicbor::decode(encoded).map_err(|_| Refusal::Malformed)
}

fn voice(bytes: &[u8]) -> Result<Voice, Refusal> {
    let (suite, rest) = bytes.split_first().ok_or(Refusal::Malformed)?;
    let (key, signature) = rest.split_first_chunk().ok_or(Refusal::Malformed)?;
    let signature = signature.try_into().map_err(|_| Refusal::Malformed)?;
    if *suite == SUITE { Ok(Voice { key: *key, signature }) } else { Err(Refusal::Malformed) }
}
