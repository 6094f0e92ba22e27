//! The end of an audit log as its device signed it (R17), and whether that holds: checkpoint, certificate, device.

use crate::certificate::{is_called, is_issued, is_signed, parse, read_certificate, serial};
use crate::fault::Fault;
use crate::reads::Reads;
use coloa_wire::command::{AuditCheckpoint, DeviceCertificates, SignedCheckpoint, decode_head, encode_head};
use minicbor::{Decode, Encode};
use std::path::Path;

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
        let named = serial(&device) == Some(self.checkpoint.text.serial.as_str());
        let signed = is_signed(&self.checkpoint.text.signed(), &self.checkpoint.signature, &audit);
        let chained = is_issued(&device, &device)
            && is_issued(&audit, &device)
            && audit.basic_constraints().ok().flatten().is_none();
        // The attestation key is another one: what it signs is no checkpoint (R10).
        if named && signed && chained && is_called(&audit, "coloa audit") { Ok(()) } else { Err(forged()) }
    }
}
