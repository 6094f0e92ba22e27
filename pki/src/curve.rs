//! The two curves, and what hangs on each: digest, algorithm identifiers, verification.
//!
//! A curve fixes its hash (P-256 with SHA-256, P-384 with SHA-384), so there is no choice to get wrong.

use der::Encode;
use der::asn1::{BitString, ObjectIdentifier, UintRef};
use ring::{digest, signature};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_parser::prelude::FromDer;

use crate::{Error, Result, oid};

/// A curve on which this authority signs and which it certifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256 with SHA-256.
    P256,
    /// NIST P-384 with SHA-384, the default suite.
    P384,
}

impl Curve {
    /// Name as in `--curve`.
    pub fn name(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
        }
    }

    /// Named-curve OID (RFC 5480 §2.1.1.1).
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Curve::P256 => oid::SECP256R1,
            Curve::P384 => oid::SECP384R1,
        }
    }

    /// The curve with this named-curve OID in DER content octets.
    pub fn of_oid_bytes(bytes: &[u8]) -> Option<Curve> {
        [Curve::P256, Curve::P384].into_iter().find(|c| c.oid().as_bytes() == bytes)
    }

    /// Bytes of one coordinate.
    pub fn coordinate_len(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
        }
    }

    /// The digest that `CKM_ECDSA` is given.
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Curve::P256 => &digest::SHA256,
            Curve::P384 => &digest::SHA384,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    /// `ecdsa-with-SHA256/384`, parameters absent (RFC 5758 §3.2).
    pub fn signature_algorithm(self) -> AlgorithmIdentifierOwned {
        let oid = match self {
            Curve::P256 => oid::ECDSA_WITH_SHA256,
            Curve::P384 => oid::ECDSA_WITH_SHA384,
        };
        AlgorithmIdentifierOwned { oid, parameters: None }
    }
}

/// A public key that is a point on one of our curves: made here, or out of a request whose signature it verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    curve: Curve,
    point: Vec<u8>,
}

impl PublicKey {
    /// Takes an uncompressed point `04 || X || Y`. Whether it lies on the curve shows when it verifies something.
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<PublicKey> {
        let expected = 1 + 2 * curve.coordinate_len();
        if point.len() != expected || point.first() != Some(&4) {
            return Err(Error::PublicKeyUnusable);
        }
        Ok(PublicKey { curve, point: point.to_vec() })
    }

    /// Reads a parsed SubjectPublicKeyInfo (RFC 5480): id-ecPublicKey with a named curve and an uncompressed point.
    pub fn from_spki(spki: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> Result<PublicKey> {
        if spki.algorithm.algorithm.as_bytes() != oid::EC_PUBLIC_KEY.as_bytes() {
            return Err(Error::PublicKeyUnusable);
        }
        let parameters = spki.algorithm.parameters.as_ref().ok_or(Error::PublicKeyUnusable)?;
        let named = parameters.as_oid().map_err(|_| Error::PublicKeyUnusable)?;
        let curve = Curve::of_oid_bytes(named.as_bytes()).ok_or(Error::PublicKeyUnusable)?;
        if spki.subject_public_key.unused_bits != 0 {
            return Err(Error::PublicKeyUnusable);
        }
        PublicKey::from_point(curve, &spki.subject_public_key.data)
    }

    /// Reads a DER SubjectPublicKeyInfo, all of the input.
    pub fn from_spki_der(bytes: &[u8]) -> Result<PublicKey> {
        match x509_parser::x509::SubjectPublicKeyInfo::from_der(bytes) {
            Ok(([], spki)) => PublicKey::from_spki(&spki),
            _ => Err(Error::PublicKeyUnusable),
        }
    }

    /// The curve it is on.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The uncompressed point.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// SubjectPublicKeyInfo, encoded anew and not copied from anywhere.
    pub fn spki(&self) -> Result<SubjectPublicKeyInfoOwned> {
        let parameters = Some(der::Any::encode_from(&self.curve.oid())?);
        Ok(SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid: oid::EC_PUBLIC_KEY, parameters },
            subject_public_key: BitString::from_bytes(&self.point)?,
        })
    }

    /// Key identifier: the first 160 bits of SHA-256 over the key bits (RFC 7093 §2, method 1).
    pub fn identifier(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.point).as_ref().iter().take(20).copied().collect()
    }

    /// Checks an ECDSA signature (DER `Ecdsa-Sig-Value`) made with this curve's own hash.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        self.verify_as(self.curve.signature_algorithm().oid, message, signature)
    }

    /// Checks a signature under the named algorithm; a mixed pair of curve and hash from another CA is accepted.
    pub fn verify_as(&self, algorithm: ObjectIdentifier, message: &[u8], signature: &[u8]) -> Result<()> {
        let algorithm: &dyn signature::VerificationAlgorithm = match (self.curve, algorithm) {
            (Curve::P256, oid::ECDSA_WITH_SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Curve::P256, oid::ECDSA_WITH_SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Curve::P384, oid::ECDSA_WITH_SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Curve::P384, oid::ECDSA_WITH_SHA384) => &signature::ECDSA_P384_SHA384_ASN1,
            _ => return Err(Error::SignatureAlgorithm),
        };
        signature::UnparsedPublicKey::new(algorithm, &self.point)
            .verify(message, signature)
            .map_err(|_| Error::SignatureWrong)
    }

    /// Checks a signature under an AlgorithmIdentifier read by the parser; its parameters must be absent.
    pub fn verify_parsed(
        &self,
        algorithm: &x509_parser::x509::AlgorithmIdentifier<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        if algorithm.parameters.is_some() {
            return Err(Error::SignatureAlgorithm);
        }
        let oid =
            ObjectIdentifier::from_bytes(algorithm.algorithm.as_bytes()).map_err(|_| Error::SignatureAlgorithm)?;
        self.verify_as(oid, message, signature)
    }
}

/// Turns the fixed-width `r || s` of PKCS#11 (v3.1 §6.3.1) into a DER `Ecdsa-Sig-Value` (RFC 3279 §2.2.3).
pub fn signature_to_der(curve: Curve, raw: &[u8]) -> Result<Vec<u8>> {
    #[derive(der::Sequence)]
    struct EcdsaSigValue<'a> {
        r: UintRef<'a>,
        s: UintRef<'a>,
    }
    let half = curve.coordinate_len();
    if raw.len() != 2 * half {
        return Err(Error::SignatureWrong);
    }
    let (r, s) = raw.split_at(half);
    Ok(EcdsaSigValue { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()?)
}

impl std::str::FromStr for Curve {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Curve, String> {
        match text.to_ascii_uppercase().as_str() {
            "P-256" | "P256" => Ok(Curve::P256),
            "P-384" | "P384" => Ok(Curve::P384),
            _ => Err("choose P-384 or P-256".into()),
        }
    }
}
