//! One certificate in a path: what it says, and what it may do.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::{FromDer, X509Version};

use super::{Purpose, Refusal, Verdict};
use crate::certificate::is_signed_shape;
use crate::clock::Moment;
use crate::curve::PublicKey;
use crate::inventory::shown_name;
use crate::oid;

/// digitalSignature, keyCertSign and cRLSign as bits (RFC 5280 §4.2.1.3).
const DIGITAL_SIGNATURE: u16 = 1 << 0;
const KEY_CERT_SIGN: u16 = 1 << 5;
pub(super) const CRL_SIGN: u16 = 1 << 6;

/// A parsed certificate whose extensions are all understood where they are critical, and none of them twice.
pub(super) struct Checked<'a> {
    pub(super) cert: X509Certificate<'a>,
    pub(super) key: PublicKey,
    authority: bool,
    path_len: Option<u32>,
    usage: Option<u16>,
    purposes: Option<Vec<Vec<u8>>>,
    unknown_critical: Option<String>,
}

/// Parses one certificate, all of the input.
pub(super) fn parse(der: &[u8]) -> Verdict<Checked<'_>> {
    let malformed = |what| Refusal::Malformed { what };
    let Ok(([], cert)) = X509Certificate::from_der(der) else { return Err(malformed("certificate")) };
    if !is_signed_shape(der) {
        return Err(malformed("certificate"));
    }
    let tbs = &cert.tbs_certificate;
    if cert.version() != X509Version::V3 || tbs.signature != cert.signature_algorithm {
        return Err(malformed("version or algorithm"));
    }
    tbs.extensions_map().map_err(|_| malformed("repeated extension"))?;
    let key = PublicKey::from_spki(cert.public_key()).map_err(|_| malformed("public key"))?;
    let mut checked =
        Checked { key, authority: false, path_len: None, usage: None, purposes: None, unknown_critical: None, cert };
    for extension in checked.cert.extensions().to_vec() {
        checked.read(&extension)?;
    }
    Ok(checked)
}

impl<'a> Checked<'a> {
    fn read(&mut self, extension: &X509Extension<'a>) -> Verdict<()> {
        match extension.parsed_extension() {
            ParsedExtension::ParseError { .. } => return Err(Refusal::Malformed { what: "extension" }),
            ParsedExtension::BasicConstraints(found) => {
                self.authority = found.ca;
                self.path_len = found.path_len_constraint;
            }
            ParsedExtension::KeyUsage(found) => self.usage = Some(found.flags),
            ParsedExtension::ExtendedKeyUsage(_) => self.purposes = Some(purposes(extension.value)?),
            ParsedExtension::SubjectAlternativeName(_)
            | ParsedExtension::SubjectKeyIdentifier(_)
            | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            _ if extension.critical => self.unknown_critical = Some(extension.oid.to_id_string()),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn shown(&self) -> String {
        shown_name(self.cert.subject())
    }

    pub(super) fn valid_at(&self, at: Moment) -> Verdict<()> {
        let validity = self.cert.validity();
        let time = |t| Moment::from_asn1(t).map_err(|_| Refusal::Malformed { what: "date" });
        let (from, until) = (time(&validity.not_before)?, time(&validity.not_after)?);
        if at < from {
            return Err(Refusal::NotYetValid { subject: self.shown(), from });
        }
        if at > until {
            return Err(Refusal::Expired { subject: self.shown(), until });
        }
        Ok(())
    }

    /// As the certificate that is judged.
    pub(super) fn fit_for(&self, purpose: Purpose) -> Verdict<()> {
        self.understood()?;
        if purpose == Purpose::Authority {
            return self.authority.then_some(()).ok_or_else(|| Refusal::NotAuthority { subject: self.shown() });
        }
        if self.authority || !self.usage_has(DIGITAL_SIGNATURE) {
            return Err(Refusal::WrongUsage { subject: self.shown() });
        }
        let stated = self.purposes.as_deref().unwrap_or_default();
        match purpose.required().iter().all(|wanted| stated.iter().any(|p| p == wanted)) {
            true => Ok(()),
            false => Err(Refusal::WrongPurpose { subject: self.shown() }),
        }
    }

    /// As an issuer with so many authorities already below it.
    pub(super) fn may_certify(&self, authorities_below: u32, purpose: Purpose) -> Verdict<()> {
        self.understood()?;
        if !self.authority || !self.usage_has(KEY_CERT_SIGN) {
            return Err(Refusal::NotAuthority { subject: self.shown() });
        }
        // When an authority is what is judged, it counts against the path length of those above it.
        let below = authorities_below + u32::from(purpose == Purpose::Authority);
        if self.path_len.is_some_and(|max| below > max) {
            return Err(Refusal::PathTooLong { subject: self.shown() });
        }
        // A CA that names purposes is bound to them.
        let bound = self.purposes.as_deref();
        match bound.is_none_or(|p| purpose.required().iter().all(|w| p.iter().any(|p| p == w))) {
            true => Ok(()),
            false => Err(Refusal::WrongPurpose { subject: self.shown() }),
        }
    }

    pub(super) fn is_same_as(&self, other: &Checked<'_>) -> bool {
        self.cert.as_raw() == other.cert.as_raw()
    }

    /// Whether names and key identifiers allow that this one issued `below`; no signature is checked yet.
    pub(super) fn may_have_issued(&self, below: &Checked<'_>) -> bool {
        let same_name = self.cert.subject().as_raw() == below.cert.issuer().as_raw();
        let ids = self.key_id().zip(below.authority_key_id());
        same_name && ids.is_none_or(|(own, named)| own == named)
    }

    pub(super) fn signed(&self, below: &Checked<'_>) -> Verdict<()> {
        let cert = &below.cert;
        self.key
            .verify_parsed(&cert.signature_algorithm, cert.tbs_certificate.as_ref(), &cert.signature_value.data)
            .map_err(|_| Refusal::SignatureWrong { subject: below.shown() })
    }

    pub(super) fn usage_has(&self, bit: u16) -> bool {
        self.usage.is_some_and(|bits| bits & bit != 0)
    }

    fn understood(&self) -> Verdict<()> {
        match &self.unknown_critical {
            Some(oid) => Err(Refusal::UnknownCritical { subject: self.shown(), oid: oid.clone() }),
            None => Ok(()),
        }
    }

    fn key_id(&self) -> Option<&[u8]> {
        self.cert.extensions().iter().find_map(|e| match e.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        })
    }

    fn authority_key_id(&self) -> Option<&[u8]> {
        self.cert.extensions().iter().find_map(|e| match e.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|k| k.0),
            _ => None,
        })
    }
}

/// The purposes as content octets, whatever they are.
fn purposes(value: &[u8]) -> Verdict<Vec<Vec<u8>>> {
    use der::{Decode, asn1::AnyRef};
    let malformed = |_| Refusal::Malformed { what: "extendedKeyUsage" };
    let list = Vec::<AnyRef<'_>>::from_der(value).map_err(malformed)?;
    Ok(list.into_iter().map(|any| any.value().to_vec()).collect())
}

/// Whether an extension of a CRL or of one of its entries is critical and not understood.
pub(super) fn foreign_and_critical(extension: &X509Extension<'_>) -> bool {
    let known = [oid::AUTHORITY_KEY_IDENTIFIER, oid::CRL_NUMBER, oid::CRL_REASON];
    extension.critical && !known.iter().any(|k| k.as_bytes() == extension.oid.as_bytes())
}
