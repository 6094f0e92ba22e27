//! Certificate revocation lists (RFC 5280 §5): full, direct, v2.

use der::asn1::Uint;
use der::{Decode, Encode};
use x509_cert::certificate::{Rfc5280, Version};
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlReason;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

use crate::certificate::{Issuer, authority_key_identifier, extension, signed};
use crate::clock::Moment;
use crate::token::Signer;
use crate::{Result, oid};

/// Why a certificate is withdrawn (RFC 5280 §5.3.1). Suspension (certificateHold) is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Reason {
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl Reason {
    fn code(self) -> CrlReason {
        match self {
            Reason::Unspecified => CrlReason::Unspecified,
            Reason::KeyCompromise => CrlReason::KeyCompromise,
            Reason::CaCompromise => CrlReason::CaCompromise,
            Reason::AffiliationChanged => CrlReason::AffiliationChanged,
            Reason::Superseded => CrlReason::Superseded,
            Reason::CessationOfOperation => CrlReason::CessationOfOperation,
            Reason::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
        }
    }
}

/// One line of the list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Serial of the withdrawn certificate.
    pub serial: Vec<u8>,
    /// When it was withdrawn.
    pub at: Moment,
    /// Why.
    pub reason: Reason,
}

/// Number and times of one list.
#[derive(Clone, Copy, Debug)]
pub struct Issue {
    /// Rises by one with each list (RFC 5280 §5.2.3).
    pub number: u64,
    /// When it was made.
    pub this_update: Moment,
    /// When relying parties must have a newer one.
    pub next_update: Moment,
}

/// Builds the list and has it signed; DER.
pub fn build(entries: &[Entry], issue: Issue, issuer: &Issuer, signer: &dyn Signer) -> Result<Vec<u8>> {
    let number = Uint::new(&issue.number.to_be_bytes())?;
    let revoked: Vec<RevokedCert<Rfc5280>> = entries.iter().map(revoked).collect::<Result<_>>()?;
    let tbs = TbsCertList {
        version: Version::V2,
        signature: signer.public_key().curve().signature_algorithm(),
        issuer: Name::from_der(&issuer.name)?,
        this_update: issue.this_update.x509()?,
        next_update: Some(issue.next_update.x509()?),
        // An empty list is left out altogether (RFC 5280 §5.1.2.6).
        revoked_certificates: (!revoked.is_empty()).then_some(revoked),
        crl_extensions: Some(vec![
            authority_key_identifier(&issuer.key_id)?,
            extension(oid::CRL_NUMBER, false, &number)?,
        ]),
    };
    signed(&tbs.to_der()?, signer)
}

fn revoked(entry: &Entry) -> Result<RevokedCert<Rfc5280>> {
    // "unspecified" is said by saying nothing (RFC 5280 §5.3.1).
    let reason: Option<Vec<Extension>> = match entry.reason {
        Reason::Unspecified => None,
        reason => Some(vec![extension(oid::CRL_REASON, false, &reason.code())?]),
    };
    Ok(RevokedCert {
        serial_number: SerialNumber::new(&entry.serial)?,
        revocation_date: entry.at.x509()?,
        crl_entry_extensions: reason,
    })
}
