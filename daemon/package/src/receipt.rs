//! The receipt: a short text, signed by the key that came in the package, that the operator brings back.
//!
//! ```text
//! coloa-receipt 1
//! package: 9f86…
//! digest: 2c26…
//! opened: 1795000000
//! device: commune-17
//! signature: 3065…
//! ```
//! Signed are the lines above the last.

use std::fmt::Write;

use crate::{Error, SERIAL_LEN};

const MAGIC: &str = "coloa-receipt 1";
/// Octets of a receipt file.
const MAX_RECEIPT: usize = 2048;

/// What a box says after it opened a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Serial of the package.
    pub package: [u8; SERIAL_LEN],
    /// SHA-256 of the package file.
    pub digest: [u8; 32],
    /// When, by the box's clock, in seconds since 1970.
    pub opened: u64,
    /// Name of the box.
    pub device: String,
    /// DER, by the new key.
    pub signature: Vec<u8>,
}

impl Receipt {
    /// What is signed.
    pub fn message(&self) -> Vec<u8> {
        let (package, digest) = (hex(&self.package), hex(&self.digest));
        format!("{MAGIC}\npackage: {package}\ndigest: {digest}\nopened: {}\ndevice: {}\n", self.opened, self.device)
            .into_bytes()
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.message(), format!("signature: {}\n", hex(&self.signature)).into_bytes()].concat()
    }

    /// Reads a file; its signature is the caller's to verify.
    pub fn parse(octets: &[u8]) -> Result<Receipt, Error> {
        if octets.len() > MAX_RECEIPT {
            return Err(Error::Receipt);
        }
        let text = std::str::from_utf8(octets).map_err(|_| Error::Receipt)?;
        let mut lines = text.lines();
        if lines.next() != Some(MAGIC) {
            return Err(Error::Receipt);
        }
        let mut field = |name: &str| {
            let line = lines.next().and_then(|l| l.strip_prefix(name)?.strip_prefix(": "));
            line.ok_or(Error::Receipt)
        };
        let receipt = Receipt {
            package: fixed(field("package")?)?,
            digest: fixed(field("digest")?)?,
            opened: field("opened")?.parse().map_err(|_| Error::Receipt)?,
            device: field("device")?.to_owned(),
            signature: unhex(field("signature")?)?,
        };
        if receipt.to_bytes() != octets || receipt.device.chars().any(char::is_control) {
            return Err(Error::Receipt);
        }
        Ok(receipt)
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing into a String does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn unhex(text: &str) -> Result<Vec<u8>, Error> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits.filter(|d| d.len().is_multiple_of(2)).ok_or(Error::Receipt)?;
    Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |all, d| all << 4 | d)).collect())
}

fn fixed<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    unhex(text)?.try_into().map_err(|_| Error::Receipt)
}
