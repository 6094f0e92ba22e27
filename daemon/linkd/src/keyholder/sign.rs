//! ECDSA with the token's key, as rustls and the policy bundle want it: hash here, sign there, DER around it.

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use super::client::Keyholder;
use crate::fault::Fault;
use crate::policy::bundle::Suite;

/// The curve of a key and the hash that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// P-256 with SHA-256.
    P256,
    /// P-384 with SHA-384.
    P384,
}

impl Curve {
    /// The curve of a certificate's key, if it is one of ours.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        let spki = parsed.subject_public_key_info();
        [Curve::P256, Curve::P384].into_iter().find(|curve| {
            let id = curve.algorithm().public_key_alg_id();
            spki.windows(id.len()).any(|w| w == id.as_ref())
        })
    }

    fn algorithm(self) -> &'static dyn SignatureVerificationAlgorithm {
        match self {
            Curve::P256 => webpki::aws_lc_rs::ECDSA_P256_SHA256,
            Curve::P384 => webpki::aws_lc_rs::ECDSA_P384_SHA384,
        }
    }

    fn scheme(self) -> SignatureScheme {
        match self {
            Curve::P256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            Curve::P384 => SignatureScheme::ECDSA_NISTP384_SHA384,
        }
    }

    /// The policy bundle's suite of this curve.
    pub fn suite(self) -> Suite {
        match self {
            Curve::P256 => Suite::P256,
            Curve::P384 => Suite::P384,
        }
    }

    /// The digest that a token is given.
    pub fn digest(self, message: &[u8]) -> digest::Digest {
        digest::digest(self.hash(), message)
    }

    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Curve::P256 => &digest::SHA256,
            Curve::P384 => &digest::SHA384,
        }
    }
}

/// The private key in the token that belongs to a certificate.
#[derive(Clone, Debug)]
pub struct TokenKey {
    keyholder: Keyholder,
    curve: Curve,
}

impl TokenKey {
    /// Joins key and certificate; a signature shows that they belong together.
    pub fn new(keyholder: Keyholder, certificate: &CertificateDer<'_>) -> Result<Self, Fault> {
        let curve = Curve::of(certificate)
            .ok_or_else(|| Fault::Token { why: "the certificate's key is neither P-256 nor P-384".into() })?;
        let key = Self { keyholder, curve };
        let question = b"coloa-linkd: does this key belong to this certificate?";
        let signature = key.sign_der(question).map_err(|why| Fault::Token { why })?;
        webpki::EndEntityCert::try_from(certificate)
            .and_then(|c| c.verify_signature(curve.algorithm(), question, &signature))
            .map_err(|_| Fault::WrongKey)?;
        Ok(key)
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The signature of a message, DER (RFC 3279 §2.2.3).
    pub fn sign_der(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let raw = self.keyholder.sign(digest::digest(self.curve.hash(), message).as_ref())?;
        der_signature(&raw).ok_or_else(|| format!("the token gave a signature of {} octets", raw.len()))
    }

    /// Key and chain, as rustls wants them.
    pub fn certified(self, chain: Vec<CertificateDer<'static>>) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::new(chain, Arc::new(self)))
    }
}

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.curve.scheme()).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.sign_der(message).map_err(rustls::Error::General)
    }

    fn scheme(&self) -> SignatureScheme {
        self.curve.scheme()
    }
}

/// `ECDSA-Sig-Value` of r‖s, for curves whose signature fits the short length form.
pub fn der_signature(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.is_empty() || !raw.len().is_multiple_of(2) {
        return None;
    }
    let (r, s) = raw.split_at(raw.len() / 2);
    let body = [der_integer(r)?, der_integer(s)?].concat();
    let length = u8::try_from(body.len()).ok().filter(|l| *l < 0x80)?;
    Some([&[0x30, length], body.as_slice()].concat())
}

fn der_integer(magnitude: &[u8]) -> Option<Vec<u8>> {
    let start = magnitude.iter().position(|b| *b != 0)?;
    let digits = magnitude.get(start..)?;
    let sign: &[u8] = if digits.first()? & 0x80 == 0 { &[] } else { &[0] };
    let length = u8::try_from(sign.len() + digits.len()).ok()?;
    Some([&[0x02, length], sign, digits].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_positive() {
        assert_eq!(der_integer(&[0, 0, 0x7f]), Some(vec![2, 1, 0x7f]));
        assert_eq!(der_integer(&[0x80]), Some(vec![2, 2, 0, 0x80]));
        assert_eq!(der_integer(&[0, 0]), None, "r and s are never zero");
    }

    #[test]
    fn a_p384_signature_of_full_length_fits() {
        let der = der_signature(&[0xff; 96]).expect("fits");
        assert_eq!(der.len(), 2 + 2 * (2 + 49));
        assert!(der_signature(&[1; 95]).is_none());
    }
}
