//! Who a device is: SHA-256 of the SubjectPublicKeyInfo of its certificate, and the PEM files that say so.

use std::fmt;
use std::path::Path;

use aws_lc_rs::digest;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use crate::fault::Fault;
use crate::hex;

/// SHA-256 of a device's SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(pub [u8; 32]);

impl Identity {
    /// The identity of a certificate's key; nothing when the certificate cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        let digest = digest::digest(&digest::SHA256, parsed.subject_public_key_info().as_ref());
        digest.as_ref().try_into().ok().map(Self)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The certificates of a PEM file, at least one.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let fault = |why: String| Fault::Certificate { path: path.to_owned(), why };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(|items| items.collect())
        .map_err(|e| fault(format!("it cannot be read as PEM ({e:?})")))?;
    if found.is_empty() { Err(fault("it holds no certificate".into())) } else { Ok(found) }
}

/// The first certificate of a PEM file.
pub fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, Fault> {
    let fault = || Fault::Certificate { path: path.to_owned(), why: "it holds no certificate".into() };
    read_certificates(path)?.into_iter().next().ok_or_else(fault)
}

/// The revocation lists of a PEM file, at least one.
pub fn read_crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Fault> {
    let fault = |why: String| Fault::Certificate { path: path.to_owned(), why };
    let found: Vec<_> = CertificateRevocationListDer::pem_file_iter(path)
        .and_then(|items| items.collect())
        .map_err(|e| fault(format!("it cannot be read as PEM ({e:?})")))?;
    if found.is_empty() { Err(fault("it holds no revocation list".into())) } else { Ok(found) }
}
