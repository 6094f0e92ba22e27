//! The policy bundle as a file: a short header with suite and signature, then the signed octets as they are.
//!
//! ```text
//! coloa-link-policy 1
//! suite: ecdsa-p384-sha384
//! signature: 3065…
//!
//! (CBOR of coloa_link::Bundle)
//! ```
//!
//! What is signed is the first line, the suite line, an empty line and the octets, so that a signature made for anything
//! else, or with another suite, does not serve.

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use crate::hex;

const MAGIC: &str = "coloa-link-policy 1";
/// Octets of a bundle file; one for the 10,000 identities of the sizing has about 2 MB.
pub const MAX_BUNDLE: u64 = 16 << 20;

/// A signature suite of the bundle; the name is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// ECDSA on P-256 with SHA-256.
    P256,
    /// ECDSA on P-384 with SHA-384.
    P384,
}

impl Suite {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Suite::P256 => "ecdsa-p256-sha256",
            Suite::P384 => "ecdsa-p384-sha384",
        }
    }

    /// The suite of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Suite::P256, Suite::P384].into_iter().find(|s| s.name() == name)
    }

    /// How webpki calls it.
    pub fn algorithm(self) -> &'static dyn SignatureVerificationAlgorithm {
        match self {
            Suite::P256 => webpki::aws_lc_rs::ECDSA_P256_SHA256,
            Suite::P384 => webpki::aws_lc_rs::ECDSA_P384_SHA384,
        }
    }

    /// The octets that a policy's signature with this suite covers.
    pub fn message(self, octets: &[u8]) -> Vec<u8> {
        self.covering(MAGIC, octets)
    }

    /// The octets that a signature with this suite covers, of something that begins with `magic`.
    pub fn covering(self, magic: &str, octets: &[u8]) -> Vec<u8> {
        let header = format!("{magic}\nsuite: {}\n\n", self.name());
        [header.as_bytes(), octets].concat()
    }

    /// The file: header, signature (DER) and octets.
    pub fn file(self, octets: &[u8], signature: &[u8]) -> Vec<u8> {
        let header = format!("{MAGIC}\nsuite: {}\nsignature: {}\n\n", self.name(), hex::encode(signature));
        [header.as_bytes(), octets].concat()
    }
}

/// Octets that the policy authority signed; only [`Signed::verify`] makes one.
#[derive(Debug)]
pub struct Signed<'a>(&'a [u8]);

impl<'a> Signed<'a> {
    /// Checks the file's signature against the authority's certificate.
    pub fn verify(file: &'a [u8], authority: &CertificateDer<'_>) -> Result<Self, String> {
        let (suite, signature, octets) = split(file).ok_or("it is not a policy bundle")?;
        let suite = Suite::parse(suite).ok_or_else(|| format!("its suite `{suite}` is not known"))?;
        let signature = hex::decode(signature).ok_or("its signature is not hexadecimal")?;
        webpki::EndEntityCert::try_from(authority)
            .map_err(|e| format!("the authority's certificate cannot be read: {e}"))?
            .verify_signature(suite.algorithm(), &suite.message(octets), &signature)
            .map_err(|_| "it was not signed by the policy authority, or was changed since")?;
        Ok(Self(octets))
    }

    /// What was signed.
    pub fn octets(&self) -> &'a [u8] {
        self.0
    }
}

/// Whether a file begins as a bundle does.
pub fn is_bundle(file: &[u8]) -> bool {
    file.starts_with(MAGIC.as_bytes())
}

fn split(file: &[u8]) -> Option<(&str, &str, &[u8])> {
    let end = file.windows(2).position(|w| w == b"\n\n")?;
    let header = std::str::from_utf8(file.get(..end)?).ok()?;
    let (suite, signature) = header.strip_prefix(MAGIC)?.strip_prefix("\nsuite: ")?.split_once("\nsignature: ")?;
    Some((suite, signature, file.get(end.checked_add(2)?..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_splits_into_what_it_was_made_of() {
        let file = Suite::P384.file(b"\xa4\n\nrest", &[0x30, 0xab]);
        assert_eq!(split(&file), Some(("ecdsa-p384-sha384", "30ab", b"\xa4\n\nrest".as_slice())));
        assert!(split(b"serial = 1").is_none());
    }
}
