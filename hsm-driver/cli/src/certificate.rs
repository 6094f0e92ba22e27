//! The certificates of a device's signing keys, on P-384, and what is checked by them.

use crate::fault::Fault;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use std::path::Path;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::OID_X509_SERIALNUMBER;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

/// One certificate and nothing behind it.
pub fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, certificate)| certificate)
}

/// The device's serial number, from its subject.
pub fn serial<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    certificate.subject().iter_by_oid(&OID_X509_SERIALNUMBER).next().and_then(|serial| serial.as_str().ok())
}

/// Whether its subject has this common name: which of the device's keys it is.
pub fn is_called(certificate: &X509Certificate<'_>, wanted: &str) -> bool {
    certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok()) == Some(wanted)
}

/// Whether `signature`, `r ‖ s`, is that key's over `text`.
pub fn is_signed(text: &[u8], signature: &[u8], by: &X509Certificate<'_>) -> bool {
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point(by)).verify(text, signature).is_ok()
}

/// Whether `issuer` signed and names it.
pub fn is_issued(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, point(issuer));
    let signed = key.verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data).is_ok();
    // RFC 5280 §4.1.1.2: what stands outside the signature says the same as inside.
    let agrees = certificate.signature_algorithm == certificate.tbs_certificate.signature;
    signed && agrees && certificate.signature_value.unused_bits == 0 && certificate.issuer() == issuer.subject()
}

fn point<'a>(certificate: &'a X509Certificate<'_>) -> &'a [u8] {
    &certificate.public_key().subject_public_key.data
}

/// The first certificate of a PEM file.
pub fn read_certificate(path: &Path) -> Result<Vec<u8>, Fault> {
    read_pem(path, "CERTIFICATE", "no PEM certificate")
}

/// SubjectPublicKeyInfo from a PEM file.
pub fn read_public_key(path: &Path) -> Result<Vec<u8>, Fault> {
    read_pem(path, "PUBLIC KEY", "no PEM public key")
}

fn read_pem(path: &Path, label: &str, why_not: &str) -> Result<Vec<u8>, Fault> {
    let bytes = std::fs::read(path).map_err(|e| Fault::file(path, e))?;
    let pem = Pem::iter_from_buffer(&bytes).next().and_then(Result::ok).filter(|pem| pem.label == label);
    pem.map(|pem| pem.contents).ok_or_else(|| Fault::file(path, why_not))
}
