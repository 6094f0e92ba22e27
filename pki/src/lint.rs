//! Reads an own certificate back with another parser and holds it against what was meant, before anyone gets it.
//!
//! The builder uses `x509-cert`; this uses `x509-parser`, which is lenient, so strict DER is asked for besides. A
//! certificate that does not pass is not journaled and not
//! released.

use der::{Decode, Encode};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::{FromDer, X509Version};

use crate::certificate::{Issuer, Particulars, is_signed_shape};
use crate::clock::Moment;
use crate::curve::PublicKey;
use crate::name::AltName;
use crate::profile::Profile;
use crate::{Error, Result, oid};

/// Bytes of a serial number made here.
const SERIAL_LEN: std::ops::RangeInclusive<usize> = 16..=20;

/// Accepts a certificate that is exactly what its particulars say and that its issuer signed.
pub fn lint(der: &[u8], meant: &Particulars<'_>, issuer: &Issuer, issuer_key: &PublicKey) -> Result<()> {
    let Ok(([], cert)) = X509Certificate::from_der(der) else { return Err(wrong("encoding")) };
    let strict = x509_cert::Certificate::from_der(der).and_then(|again| again.to_der());
    if strict.as_deref() != Ok(der) || !is_signed_shape(der) {
        return Err(wrong("encoding"));
    }
    let tbs = &cert.tbs_certificate;
    issuer_key.verify_parsed(&cert.signature_algorithm, tbs.as_ref(), &cert.signature_value.data)?;
    let serial = cert.raw_serial();
    let positive = serial.first().is_some_and(|b| b & 0x80 == 0);
    let validity = cert.validity();
    let rules = [
        ("version", cert.version() == X509Version::V3),
        ("signature algorithm", tbs.signature == cert.signature_algorithm),
        ("serial number", serial == meant.serial && positive && SERIAL_LEN.contains(&serial.len())),
        ("issuer", cert.issuer().as_raw() == issuer.name),
        ("subject", cert.subject().as_raw() == meant.permitted.subject().to_der()?),
        ("notBefore", Moment::from_asn1(&validity.not_before)? == meant.not_before),
        ("notAfter", Moment::from_asn1(&validity.not_after)? == meant.not_after),
        ("order of dates", meant.not_before < meant.not_after),
        ("public key", PublicKey::from_spki(cert.public_key())? == *meant.public_key),
        ("unique identifiers", tbs.issuer_uid.is_none() && tbs.subject_uid.is_none()),
        ("extensions repeated", tbs.extensions_map().is_ok()),
        ("extensions missing", cert.extensions().len() == expected_extensions(meant, issuer)),
    ];
    for (rule, holds) in rules {
        holds.then_some(()).ok_or_else(|| wrong(rule))?;
    }
    cert.extensions().iter().try_for_each(|e| extension(e, meant, issuer))
}

fn expected_extensions(meant: &Particulars<'_>, issuer: &Issuer) -> usize {
    let profile = meant.permitted.profile();
    let optional = [!profile.extended.is_empty(), !meant.permitted.alt_names().is_empty(), issuer.crl_url.is_some()];
    // basicConstraints, keyUsage and the two key identifiers are always there.
    4 + optional.into_iter().filter(|there| *there).count()
}

fn extension(extension: &X509Extension<'_>, meant: &Particulars<'_>, issuer: &Issuer) -> Result<()> {
    let profile = meant.permitted.profile();
    let (rule, critical, holds) = match extension.parsed_extension() {
        ParsedExtension::BasicConstraints(found) => {
            let same = found.ca == profile.path_len.is_some();
            let length = found.path_len_constraint == profile.path_len.map(u32::from);
            ("basicConstraints", true, same && length)
        }
        ParsedExtension::KeyUsage(found) => ("keyUsage", true, found.flags == profile.usage().bits()),
        ParsedExtension::ExtendedKeyUsage(_) => {
            ("extendedKeyUsage", profile.extended_critical, extension.value == purposes(profile))
        }
        ParsedExtension::SubjectAlternativeName(found) => {
            let names: Result<Vec<AltName>> = found.general_names.iter().map(AltName::from_parsed).collect();
            ("subjectAltName", false, names.is_ok_and(|n| n == meant.permitted.alt_names()))
        }
        ParsedExtension::SubjectKeyIdentifier(found) => {
            ("subjectKeyIdentifier", false, found.0 == meant.public_key.identifier())
        }
        ParsedExtension::AuthorityKeyIdentifier(found) => {
            let id = found.key_identifier.as_ref().map(|k| k.0);
            ("authorityKeyIdentifier", false, id == Some(&issuer.key_id))
        }
        ParsedExtension::CRLDistributionPoints(found) => ("cRLDistributionPoints", false, found.points.len() == 1),
        _ => ("extension that no profile has", false, false),
    };
    match holds && extension.critical == critical {
        true => Ok(()),
        false => Err(wrong(rule)),
    }
}

/// The DER that extendedKeyUsage must be: `SEQUENCE OF OBJECT IDENTIFIER`, all lengths short.
fn purposes(profile: &Profile) -> Vec<u8> {
    let with_header = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
    let list: Vec<u8> = profile.extended.iter().flat_map(|o: &oid::Content| with_header(6, o)).collect();
    with_header(0x30, &list)
}

fn wrong(rule: &'static str) -> Error {
    Error::LintFailed { rule }
}
