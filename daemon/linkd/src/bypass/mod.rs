//! Bypass orders (R27): what a quorum of custodians signs so that some sites may talk in clear for a limited time, where they
//! have no keys. Who may order it, the signed policy says; what an order means is `coloa_link::bypass`'s matter.
//!
//! ```text
//! coloa-link-bypass 1
//!
//! (CBOR of Signed: the order's octets, and for each custodian suite, certificate and signature)
//! ```
//! An order lies in the state folder as long as it shall hold: whoever takes it away ends it. The daemon follows it once, from
//! the moment it finds it until its end by its own clock that no setting of the time moves, and not again after a restart.

pub mod command;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use coloa_link::bypass::{Order, OrderRefused};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use rustls_pki_types::CertificateDer;

use crate::config::Config;
use crate::fault::Fault;
use crate::identity::Identity;
use crate::policy::bundle::Suite;

const MAGIC: &str = "coloa-link-bypass 1";
/// Octets of a file: many certificates.
const MAX_FILE: u64 = 1 << 20;
/// Signatures that are looked at.
const MAX_SIGNATURES: usize = 32;

/// An order and who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Signed {
    #[n(0)]
    order: ByteVec,
    #[n(1)]
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Signature {
    #[n(0)]
    suite: String,
    #[n(1)]
    certificate: ByteVec,
    #[n(2)]
    signature: ByteVec,
}

impl Signed {
    /// An order that nobody has signed.
    pub fn draft(order: &Order) -> Self {
        Self { order: order.to_bytes().into(), signatures: Vec::new() }
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let length = fs::metadata(path).map_err(|e| Fault::file(path, e))?.len();
        if length > MAX_FILE {
            return Err(refused(OrderRefused::Malformed));
        }
        let file = fs::read(path).map_err(|e| Fault::file(path, e))?;
        Self::parse(&file).ok_or_else(|| refused(OrderRefused::Malformed))
    }

    fn parse(file: &[u8]) -> Option<Self> {
        let octets = file.strip_prefix(MAGIC.as_bytes())?.strip_prefix(b"\n\n")?;
        let signed: Self = minicbor::decode(octets).ok()?;
        (signed.to_bytes() == file && signed.signatures.len() <= MAX_SIGNATURES).then_some(signed)
    }

    fn to_bytes(&self) -> Vec<u8> {
        // Writing to memory cannot fail.
        let octets = minicbor::to_vec(self).unwrap_or_default();
        [MAGIC.as_bytes(), b"\n\n", &octets].concat()
    }

    /// Writes it in one step.
    pub fn write(&self, path: &Path) -> Result<(), Fault> {
        let draft = path.with_extension("new");
        let written = File::create(&draft).and_then(|mut file| {
            file.write_all(&self.to_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, path)
        });
        written.map_err(|e| Fault::file(path, e))
    }

    /// What is ordered, whoever signed it.
    pub fn order(&self) -> Result<Order, Fault> {
        Order::parse(&self.order).map_err(refused)
    }

    /// What a custodian signs.
    pub fn message(&self, suite: Suite) -> Vec<u8> {
        suite.covering(MAGIC, &self.order)
    }

    /// Takes up a signature; one that the same key made before gives way.
    pub fn add(&mut self, suite: Suite, certificate: &CertificateDer<'_>, signature: Vec<u8>) {
        let own = Identity::of(certificate);
        self.signatures.retain(|other| Identity::of(&CertificateDer::from(&other.certificate[..])) != own);
        let (suite, certificate) = (suite.name().to_owned(), certificate.to_vec().into());
        self.signatures.push(Signature { suite, certificate, signature: signature.into() });
    }

    /// Whose signature is good. Who may sign is for the policy to say, by key.
    pub fn signers(&self) -> Vec<Identity> {
        self.signatures.iter().filter_map(|signature| self.signer(signature)).collect()
    }

    fn signer(&self, Signature { suite, certificate, signature }: &Signature) -> Option<Identity> {
        let (suite, certificate) = (Suite::parse(suite)?, CertificateDer::from(&certificate[..]));
        let message = self.message(suite);
        let parsed = webpki::EndEntityCert::try_from(&certificate).ok()?;
        parsed.verify_signature(suite.algorithm(), &message, signature).ok()?;
        Identity::of(&certificate)
    }
}

/// Where the daemon looks for an order.
pub fn place(config: &Config) -> PathBuf {
    config.state_dir.join("bypass-order")
}

/// An order that is not followed.
pub fn refused(why: OrderRefused) -> Fault {
    Fault::Bypass { why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_has_no_signer() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
        let made = rcgen::CertificateParams::new(vec!["custodian".into()]).and_then(|p| p.self_signed(&key));
        let certificate = made.expect("a certificate");
        let order = Order {
            version: coloa_link::bypass::VERSION,
            serial: 1,
            sites: vec![[1; 32].into(), [2; 32].into()],
            filters: Vec::new(),
            from: 10,
            until: 20,
            reason: "why".into(),
        };
        let mut signed = Signed::draft(&order);
        let signature = rcgen::SigningKey::sign(&key, &signed.message(Suite::P384)).expect("a signature");
        signed.add(Suite::P384, certificate.der(), signature.clone());
        signed.add(Suite::P384, certificate.der(), signature);
        assert_eq!(signed.signers(), [Identity::of(certificate.der()).expect("parses")], "one key signs once");
        assert_eq!(Signed::parse(&signed.to_bytes()), Some(signed.clone()));
        let bytes = signed.to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            if let Some(changed) = Signed::parse(&changed) {
                let same = changed.order().is_ok_and(|other| other == order);
                // A certificate with a damaged signature of its own still names the same key.
                assert!(changed.signers().is_empty() || same, "octet {at}");
            }
        }
    }
}
