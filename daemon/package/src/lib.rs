//! Sealed key packages for sites (R32): what the authority (`coloa-pki`) writes and a site's box (`coloa-linkd join`) opens.
//!
//! The crate holds format and sealing only: no I/O, no clock, no signatures, no PKCS#11. Both sides sign and verify with what
//! they have; the octets that they sign are made here ([`Package::message`], [`Receipt::message`]).
//!
//! # Specification
//! A package is one CBOR map, canonical: what does not encode again to the same octets is refused.
//! - `0` format, [`FORMAT`]; `1` header ([`Header`], in clear); `2` the site's private key, wrapped by AES-KWP (RFC 5649) under
//!   the key-encryption key; `3` the body ([`Body`]), sealed by AES-256-GCM with the header and the wrapped key as additional
//!   data; `4` the certificates of whoever signed, own first; `5` the signature, DER, over [`Package::message`].
//!
//! Key-encryption key, body key and nonce are the octets of Argon2id over the [`Code`], with the package's serial as salt. So
//! neither side ever holds the private key in clear: one token wraps it, another unwraps it. The nonce is never used twice,
//! because the serial and the code are drawn for one package.
#![forbid(unsafe_code)]

mod code;
mod receipt;

pub use code::{CODE_LEN, Code};
pub use receipt::Receipt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Version of the format.
pub const FORMAT: u8 = 1;
/// Argon2id, AES-256-KWP, AES-256-GCM, ECDSA P-384 with SHA-384.
pub const SUITE: u16 = 1;
/// Octets of a package file; a policy of 16 MiB and a little more.
pub const MAX_PACKAGE: u64 = 24 << 20;
/// Octets of a package's serial.
pub const SERIAL_LEN: usize = 16;

/// Signed before anything else, so that the signature is never one of something else.
const DOMAIN: &[u8] = b"coloa site key package v1\n";
/// Argon2id's memory in KiB, passes and lanes. The code has 80 bits, which nobody searches even at one hash a guess; this makes
/// each guess about a million times dearer, and a bulk of 3,321 takes minutes, not hours.
const STRETCH: (u32, u32, u32) = (19_456, 2, 1);
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;

/// What is wrong with a package, a code or a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Error {
    #[error("it is not a package of this format")]
    Malformed,
    #[error("its suite is not known here")]
    Suite,
    #[error("the activation code does not open it")]
    Code,
    #[error("the activation code is mistyped: it has 17 letters and digits, the last of which checks the others")]
    Mistyped,
    #[error("it is not a receipt of this format")]
    Receipt,
    #[error("it cannot be encoded")]
    Encoding,
}

/// What anyone may read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// Algorithms, [`SUITE`].
    #[n(0)]
    pub suite: u16,
    /// Drawn at random, never used again.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub serial: [u8; SERIAL_LEN],
    /// The site's name in the link policy.
    #[n(2)]
    pub site: String,
    /// The organ that the site belongs to, as the certificate names it.
    #[n(3)]
    pub organ: String,
    /// First second in which it may be opened, since 1970.
    #[n(4)]
    pub from: u64,
    /// Last second.
    #[n(5)]
    pub until: u64,
    /// Who made it.
    #[n(6)]
    pub issuer: String,
    /// Serial number of the site's certificate.
    #[n(7)]
    pub certificate: ByteVec,
    /// Names of the files inside.
    #[n(8)]
    pub contents: Vec<String>,
}

/// One file that the box will have.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Item {
    /// A plain name, see [`is_plain_name`].
    #[n(0)]
    pub name: String,
    /// Its octets.
    #[n(1)]
    pub octets: ByteVec,
}

/// What the code opens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Body {
    /// Files for the box.
    #[n(0)]
    pub items: Vec<Item>,
    /// The public point of the site's key, uncompressed.
    #[n(1)]
    pub point: ByteVec,
}

impl Body {
    /// The octets of a file.
    pub fn item(&self, name: &str) -> Option<&[u8]> {
        self.items.iter().find(|i| i.name == name).map(|i| i.octets.as_slice())
    }
}

/// A package as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Package {
    /// [`FORMAT`].
    #[n(0)]
    pub format: u8,
    /// In clear.
    #[n(1)]
    pub header: Header,
    /// The private key, wrapped.
    #[n(2)]
    pub wrapped: ByteVec,
    /// The body, sealed.
    #[n(3)]
    pub sealed: ByteVec,
    /// Certificates of the signer, DER, own first.
    #[n(4)]
    pub signers: Vec<ByteVec>,
    /// DER.
    #[n(5)]
    pub signature: ByteVec,
}

/// The keys that a code gives for one package.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Keys {
    /// Wraps the private key (AES-256).
    pub wrapping: [u8; KEY_LEN],
    body: [u8; KEY_LEN],
    nonce: [u8; NONCE_LEN],
}

impl Keys {
    /// Stretches the code; takes tens of milliseconds on purpose.
    pub fn derive(code: &Code, serial: &[u8; SERIAL_LEN]) -> Result<Keys, Error> {
        let mut okm = Zeroizing::new([0; KEY_LEN + KEY_LEN + NONCE_LEN]);
        let (memory, passes, lanes) = STRETCH;
        let params = Params::new(memory, passes, lanes, Some(okm.len())).map_err(|_| Error::Encoding)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(code.octets(), serial, okm.as_mut_slice()).map_err(|_| Error::Encoding)?;
        let mut keys = Keys { wrapping: [0; KEY_LEN], body: [0; KEY_LEN], nonce: [0; NONCE_LEN] };
        let (wrapping, rest) = okm.split_at(KEY_LEN);
        let (body, nonce) = rest.split_at(KEY_LEN);
        keys.wrapping.copy_from_slice(wrapping);
        keys.body.copy_from_slice(body);
        keys.nonce.copy_from_slice(nonce);
        Ok(keys)
    }

    fn cipher(&self) -> Result<Aes256Gcm, Error> {
        Aes256Gcm::new_from_slice(&self.body).map_err(|_| Error::Encoding)
    }
}

fn encode(value: &impl Encode<()>) -> Result<Vec<u8>, Error> {
    minicbor::to_vec(value).map_err(|_| Error::Encoding)
}

fn associated(header: &Header, wrapped: &[u8]) -> Result<Vec<u8>, Error> {
    encode(&(header, minicbor::bytes::ByteVec::from(wrapped.to_vec())))
}

/// Seals a body; once for one pair of code and serial.
pub fn seal(header: Header, wrapped: Vec<u8>, body: &Body, keys: &Keys) -> Result<Package, Error> {
    let (clear, aad) = (Zeroizing::new(encode(body)?), associated(&header, &wrapped)?);
    let payload = Payload { msg: &clear, aad: &aad };
    let sealed = keys.cipher()?.encrypt(&Nonce::from(keys.nonce), payload).map_err(|_| Error::Encoding)?;
    Ok(Package {
        format: FORMAT,
        header,
        wrapped: wrapped.into(),
        sealed: sealed.into(),
        signers: Vec::new(),
        signature: Vec::new().into(),
    })
}

impl Package {
    /// Reads a file. Nothing of it is believed before its signature was verified.
    pub fn parse(octets: &[u8]) -> Result<Package, Error> {
        let package: Package = minicbor::decode(octets).map_err(|_| Error::Malformed)?;
        if package.format != FORMAT || package.to_bytes()? != octets {
            return Err(Error::Malformed);
        }
        match package.header.suite {
            SUITE => Ok(package),
            _ => Err(Error::Suite),
        }
    }

    /// The file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        encode(self)
    }

    /// What the signature covers: everything but itself.
    pub fn message(&self) -> Result<Vec<u8>, Error> {
        let unsigned = Package { signature: Vec::new().into(), ..self.clone() };
        Ok([DOMAIN, &unsigned.to_bytes()?].concat())
    }

    /// Opens the body and holds its names against the header's.
    pub fn open(&self, keys: &Keys) -> Result<Body, Error> {
        let aad = associated(&self.header, &self.wrapped)?;
        let payload = Payload { msg: &self.sealed, aad: &aad };
        let clear = keys.cipher()?.decrypt(&Nonce::from(keys.nonce), payload).map_err(|_| Error::Code)?;
        let body: Body = minicbor::decode(&Zeroizing::new(clear)).map_err(|_| Error::Malformed)?;
        let names = body.items.iter().map(|i| &i.name);
        if !names.eq(self.header.contents.iter()) || !self.header.contents.iter().all(|n| is_plain_name(n)) {
            return Err(Error::Malformed);
        }
        Ok(body)
    }
}

/// Names that can only mean a file in the folder they are written to.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.chars().all(plain)
}

/// SHA-256 of a package file: what people compare and receipts name.
pub fn digest(octets: &[u8]) -> [u8; 32] {
    Sha256::digest(octets).into()
}

#[cfg(test)]
mod tests;
