//! PEM or DER in, PEM out, with a limit on what is read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use der::pem::LineEnding;

use crate::{Error, Result};

/// No request, certificate or chain of ours comes near this; a CRL with every certificate of 10,000 identities revoked
/// takes about 400 KiB.
pub const MAX_FILE: u64 = 4 << 20;

/// PEM labels that this authority reads and writes (RFC 7468).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// X.509 certificate.
    Certificate,
    /// PKCS#10 request.
    Request,
    /// X.509 CRL.
    Crl,
}

impl Label {
    /// As between the dashes.
    pub fn text(self) -> &'static str {
        match self {
            Label::Certificate => "CERTIFICATE",
            Label::Request => "CERTIFICATE REQUEST",
            Label::Crl => "X509 CRL",
        }
    }

    fn reads(self, label: &str) -> bool {
        label == self.text() || (self == Label::Request && label == "NEW CERTIFICATE REQUEST")
    }
}

/// Reads a file of at most [`MAX_FILE`] bytes.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let fail = |e| Error::file(path, e);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(fail)?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(Error::TooLarge { path: path.into() }),
        false => Ok(bytes),
    }
}

/// The DER objects with this label in a file's bytes: PEM blocks, or one bare DER object.
pub fn decode(bytes: &[u8], label: Label) -> Result<Vec<Vec<u8>>> {
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.to_vec()]);
    }
    let mut found = Vec::new();
    for block in x509_parser::pem::Pem::iter_from_buffer(bytes) {
        let block = block.map_err(|_| Error::NotPem { expected: label.text() })?;
        if label.reads(&block.label) {
            found.push(block.contents);
        }
    }
    match found.is_empty() {
        true => Err(Error::NotPem { expected: label.text() }),
        false => Ok(found),
    }
}

/// Like [`decode`], but there must be exactly one.
pub fn decode_one(bytes: &[u8], label: Label) -> Result<Vec<u8>> {
    let mut all = decode(bytes, label)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Error::NotPem { expected: label.text() }),
    }
}

/// PEM with line feeds.
pub fn encode(label: Label, der: &[u8]) -> Result<String> {
    der::pem::encode_string(label.text(), LineEnding::LF, der).map_err(|_| Error::Encoding)
}
