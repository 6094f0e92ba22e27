//! What a device said of a key, with the certificates that it is checked by, and the check.

use super::arguments::AttestVerify;
use super::broken::Broken;
use crate::certificate::{is_called, is_issued, is_signed, parse, read_certificate, read_public_key, serial};
use crate::fault::Fault;
use coloa_wire::command::{
    KeyAttestReply, KeyStatement, STATEMENT_EXTENSION, decode_head, encode_head, statement_signed,
};
use minicbor::{Decode, Encode};
use std::path::Path;
use x509_parser::asn1_rs::{FromDer, OctetString};
use x509_parser::certificate::X509Certificate;

/// The file.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct Evidence {
    #[n(0)]
    pub reply: KeyAttestReply,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub device: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub attestation: Vec<u8>,
}

impl Evidence {
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        encode_head(self, &mut out);
        out
    }

    pub fn read(file: &Path) -> Result<Self, Fault> {
        let bytes = std::fs::read(file).map_err(|e| Fault::file(file, e))?;
        let broken = |_| Fault::Attestation { file: file.to_path_buf(), broken: Broken::Form };
        decode_head(&bytes).map_err(broken)
    }

    /// What it says, when the device that the certificates name said it, and it is what was asked for.
    pub fn check(&self, asked: &AttestVerify) -> Result<KeyStatement, Fault> {
        let root = asked.root.as_deref().map(read_certificate).transpose()?;
        let public = asked.public.as_deref().map(read_public_key).transpose()?;
        let said = self.said(root.as_deref()).and_then(|said| {
            let digest = said.image.as_ref().map(|image| image.digest.as_slice());
            let is = |wanted: &Option<Vec<u8>>, found: Option<&[u8]>| wanted.is_none() || wanted.as_deref() == found;
            let typed = |hex: &Option<super::arguments::Hex>| hex.as_ref().map(|hex| hex.0.clone());
            require(is(&public, said.public.as_deref()), Broken::Key)?;
            require(is(&typed(&asked.nonce), Some(&said.nonce)), Broken::Nonce)?;
            require(is(&typed(&asked.image), digest), Broken::Image)?;
            Ok(said)
        });
        said.map_err(|broken| Fault::Attestation { file: asked.file.clone(), broken })
    }

    /// Certificates first, then the signature, and only then what was signed.
    fn said(&self, root: Option<&[u8]>) -> Result<KeyStatement, Broken> {
        require(root.is_none_or(|root| root == self.device), Broken::Root)?;
        let device = parse(&self.device).ok_or(Broken::Chain)?;
        let attestation = parse(&self.attestation).ok_or(Broken::Chain)?;
        let chained = is_issued(&device, &device) && is_issued(&attestation, &device);
        // The audit key is another one: what it signs is no statement (R10).
        require(chained && is_called(&attestation, "coloa attestation"), Broken::Chain)?;
        let text = statement_signed(&self.reply.statement);
        require(is_signed(&text, &self.reply.signature, &attestation), Broken::Signature)?;
        let said: KeyStatement = decode_head(&self.reply.statement).map_err(|_| Broken::Form)?;
        require(serial(&device) == Some(said.serial.as_str()), Broken::Serial)?;
        self.certified(&said, &attestation)?;
        Ok(said)
    }

    /// A pair's certificate is of its public key and holds the statement; a secret key has none.
    fn certified(&self, said: &KeyStatement, attestation: &X509Certificate<'_>) -> Result<(), Broken> {
        let (der, public) = match (&self.reply.certificate, &said.public) {
            (None, None) => return Ok(()),
            (Some(der), Some(public)) => (der, public),
            _ => return Err(Broken::Certificate),
        };
        let certificate = parse(der).ok_or(Broken::Chain)?;
        require(is_issued(&certificate, attestation), Broken::Chain)?;
        let holds = held(&certificate) == Some(self.reply.statement.clone());
        require(holds && certificate.public_key().raw == public.as_slice(), Broken::Certificate)
    }
}

/// The statement in a key's certificate.
fn held(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    let wanted = STATEMENT_EXTENSION.get(2..)?;
    let extension = certificate.extensions().iter().find(|extension| extension.oid.as_bytes() == wanted)?;
    let (rest, inner) = OctetString::from_der(extension.value).ok()?;
    rest.is_empty().then(|| inner.as_ref().to_vec())
}

fn require(holds: bool, broken: Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken) }
}
