//! Certificate requests (PKCS#10, RFC 2986): reads hostile ones, writes our devices' own.

use der::asn1::SetOfVec;
use der::{Decode, Encode};
use x509_cert::attr::Attribute;
use x509_cert::name::Name;
use x509_cert::request::{CertReqInfo, ExtensionReq, Version};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;

use crate::certificate::{extension, is_signed_shape, signed};
use crate::curve::PublicKey;
use crate::name::{AltName, Subject};
use crate::token::Signer;
use crate::{Error, Result, oid};

/// A request for one elliptic-curve key with a handful of names takes under 1 KiB.
const MAX_REQUEST: usize = 16 << 10;

/// Having one of these tells you that whoever made the request holds the private key, and that its names are of known
/// kinds. Whether they are permitted is for the profile.
#[derive(Clone, Debug)]
pub struct Request {
    public_key: PublicKey,
    subject: Subject,
    alt_names: Vec<AltName>,
    ignored: Vec<String>,
}

impl Request {
    /// Parses DER and verifies the proof of possession.
    pub fn parse(der: &[u8]) -> Result<Request> {
        if der.len() > MAX_REQUEST {
            return Err(Error::RequestTooLarge { limit: MAX_REQUEST });
        }
        let Ok(([], parsed)) = X509CertificationRequest::from_der(der) else {
            return Err(Error::RequestMalformed);
        };
        if !is_signed_shape(der) {
            return Err(Error::RequestMalformed);
        }
        let info = &parsed.certification_request_info;
        let public_key = PublicKey::from_spki(&info.subject_pki)?;
        public_key
            .verify_parsed(&parsed.signature_algorithm, info.raw, &parsed.signature_value.data)
            .map_err(|_| Error::PossessionNotProved)?;
        let (alt_names, ignored) = requested(&parsed)?;
        Ok(Request { public_key, subject: Subject::from_parsed(&info.subject)?, alt_names, ignored })
    }

    /// The key whose possession was proved.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject it asks for.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Names beside the subject that it asks for.
    pub fn alt_names(&self) -> &[AltName] {
        &self.alt_names
    }

    /// Object identifiers of attributes and extensions it asked for in vain.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

/// Names asked for, and what else was asked for and goes nowhere.
fn requested(parsed: &X509CertificationRequest<'_>) -> Result<(Vec<AltName>, Vec<String>)> {
    let (mut names, mut ignored) = (Vec::new(), Vec::new());
    for attribute in parsed.certification_request_info.iter_attributes() {
        match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(request) => {
                for extension in &request.extensions {
                    collect(extension, &mut names, &mut ignored)?;
                }
            }
            _ => ignored.push(attribute.oid.to_id_string()),
        }
    }
    Ok((names, ignored))
}

fn collect(extension: &X509Extension<'_>, names: &mut Vec<AltName>, ignored: &mut Vec<String>) -> Result<()> {
    if let ParsedExtension::SubjectAlternativeName(list) = extension.parsed_extension() {
        for name in &list.general_names {
            names.push(AltName::from_parsed(name)?);
        }
    } else if extension.oid.as_bytes() == oid::SUBJECT_ALT_NAME.as_bytes() {
        return Err(Error::RequestMalformed);
    } else {
        ignored.push(extension.oid.to_id_string());
    }
    Ok(())
}

/// Writes a request for a key in a token, with its proof of possession; DER.
pub fn write(subject: &Subject, alt_names: &[AltName], signer: &dyn Signer) -> Result<Vec<u8>> {
    let mut attributes = SetOfVec::new();
    if !alt_names.is_empty() {
        let names: Vec<_> = alt_names.iter().map(AltName::to_any).collect::<Result<_>>()?;
        let wanted = ExtensionReq(vec![extension(oid::SUBJECT_ALT_NAME, false, &names)?]);
        attributes.insert(Attribute::try_from(wanted)?)?;
    }
    let info = CertReqInfo {
        version: Version::V1,
        subject: Name::from_der(&subject.to_der()?)?,
        public_key: signer.public_key().spki()?,
        attributes,
    };
    signed(&info.to_der()?, signer)
}
