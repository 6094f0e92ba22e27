//! The end of an audit log as its device signed it (R17), and whether that holds: checkpoint, certificate, device.

use crate::fault::Fault;
use crate::reads::Reads;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use coloa_wire::command::{AuditCheckpoint, DeviceCertificates, SignedCheckpoint, decode_head, encode_head};
use minicbor::{Decode, Encode};
use std::path::Path;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

/// A checkpoint with the certificates that it is checked by: the last item of an exported log, or a file of its own.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct Seal {
    #[n(0)]
    pub checkpoint: SignedCheckpoint,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub device: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub audit: Vec<u8>,
}

impl Seal {
    /// Has the device sign the end of its log.
    pub fn ask(device: &mut impl Reads) -> Result<Self, Fault> {
        let checkpoint = device.read(&AuditCheckpoint {})?.0;
        let certificates = device.read(&DeviceCertificates {})?.0;
        Ok(Seal { checkpoint, device: certificates.device, audit: certificates.audit })
    }

    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        encode_head(self, &mut out);
        out
    }

    pub fn read(file: &Path) -> Result<Self, Fault> {
        let bytes = std::fs::read(file).map_err(|e| Fault::file(file, e))?;
        decode_head(&bytes).map_err(|_| Fault::file(file, "it is not what `coloa audit checkpoint` writes"))
    }

    /// Checks the signature, the chain to the device's certificate, and that the serial number is the certificate's.
    pub fn check(&self, file: &Path, trusted: Option<&Path>) -> Result<(), Fault> {
        let forged = || Fault::Seal { file: file.to_path_buf() };
        let device = parse(&self.device).ok_or_else(forged)?;
        let audit = parse(&self.audit).ok_or_else(forged)?;
        if let Some(path) = trusted {
            let wanted = read_certificate(path)?;
            if wanted != self.device {
                return Err(forged());
            }
        }
        let serial = device.subject().iter_by_oid(&x509_parser::oid_registry::OID_X509_SERIALNUMBER).next();
        let named = serial.and_then(|s| s.as_str().ok()) == Some(self.checkpoint.text.serial.as_str());
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point(&audit));
        let signed = key.verify(&self.checkpoint.text.signed(), &self.checkpoint.signature).is_ok();
        let chained = is_issued(&device, &device)
            && is_issued(&audit, &device)
            && audit.basic_constraints().ok().flatten().is_none();
        if named && signed && chained && is_audit(&audit) { Ok(()) } else { Err(forged()) }
    }
}

/// The attestation key is another one: what it signs is no checkpoint (R10).
fn is_audit(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok()) == Some("coloa audit")
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, certificate)| certificate)
}

fn point<'a>(certificate: &'a X509Certificate<'_>) -> &'a [u8] {
    &certificate.public_key().subject_public_key.data
}

fn is_issued(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, point(issuer));
    let signed = key.verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data).is_ok();
    signed && certificate.issuer() == issuer.subject()
}

/// The first certificate of a PEM file.
fn read_certificate(path: &Path) -> Result<Vec<u8>, Fault> {
    let bytes = std::fs::read(path).map_err(|e| Fault::file(path, e))?;
    let pem = Pem::iter_from_buffer(&bytes).next().and_then(Result::ok).filter(|pem| pem.label == "CERTIFICATE");
    pem.map(|pem| pem.contents).ok_or_else(|| Fault::file(path, "no PEM certificate"))
}
