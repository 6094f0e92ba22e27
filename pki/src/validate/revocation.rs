//! Revocation by CRL (RFC 5280 §6.3, full and direct lists only).

use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};

use super::certificate::{CRL_SIGN, Checked, foreign_and_critical};
use super::{Refusal, Verdict};
use crate::certificate::is_signed_shape;
use crate::clock::Moment;
use crate::crl::Reason;
use crate::hex;

/// What follows when no fresh list of an issuer is at hand (R31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Revocation {
    /// Refuse.
    Require,
    /// Go by what lists there are; an old one still says who was revoked when it was made.
    IfAvailable,
}

/// The lists at hand.
#[derive(Default)]
pub(super) struct Lists<'a>(Vec<CertificateRevocationList<'a>>);

impl<'a> Lists<'a> {
    pub(super) fn parse(lists: &'a [Vec<u8>]) -> Verdict<Lists<'a>> {
        let parse = |der: &'a Vec<u8>| match CertificateRevocationList::from_der(der) {
            Ok(([], list)) if is_signed_shape(der) => Ok(list),
            _ => Err(Refusal::Malformed { what: "revocation list" }),
        };
        lists.iter().map(parse).collect::<Verdict<_>>().map(Lists)
    }

    /// Looks a certificate up in every list that its issuer signed.
    pub(super) fn judge(
        &self,
        cert: &Checked<'_>,
        issuer: &Checked<'_>,
        at: Moment,
        policy: Revocation,
    ) -> Verdict<()> {
        let mut fresh_until = None;
        for list in self.0.iter().filter(|list| usable(list, issuer, at)) {
            let serial = cert.cert.raw_serial();
            if let Some(entry) = list.iter_revoked_certificates().find(|e| e.raw_serial() == serial) {
                return Err(revoked(cert, entry));
            }
            let until = list.next_update().and_then(|t| Moment::from_asn1(&t).ok());
            fresh_until = fresh_until.max(until);
        }
        match (policy, fresh_until) {
            (Revocation::IfAvailable, _) => Ok(()),
            (Revocation::Require, Some(until)) if at <= until => Ok(()),
            (Revocation::Require, Some(since)) => Err(Refusal::ListStale { issuer: issuer.shown(), since }),
            (Revocation::Require, None) => Err(Refusal::NoList { issuer: issuer.shown() }),
        }
    }
}

/// Signed by this issuer, not from the future, and without a critical extension that changes its meaning (delta lists,
/// indirect lists, lists of part of the certificates).
fn usable(list: &CertificateRevocationList<'_>, issuer: &Checked<'_>, at: Moment) -> bool {
    let named = list.issuer().as_raw() == issuer.cert.subject().as_raw() && issuer.usage_has(CRL_SIGN);
    let algorithm = &list.signature_algorithm;
    let begun = Moment::from_asn1(&list.last_update()).is_ok_and(|from| from <= at);
    let entries_plain = |e: &RevokedCertificate<'_>| !e.extensions().iter().any(foreign_and_critical);
    named
        && begun
        && list.tbs_cert_list.signature == *algorithm
        && !list.extensions().iter().any(foreign_and_critical)
        && list.iter_revoked_certificates().all(entries_plain)
        && issuer.key.verify_parsed(algorithm, list.tbs_cert_list.as_ref(), &list.signature_value.data).is_ok()
}

fn revoked(cert: &Checked<'_>, entry: &RevokedCertificate<'_>) -> Refusal {
    let reason = entry.reason_code().and_then(|(_, code)| match code.0 {
        1 => Some(Reason::KeyCompromise),
        2 => Some(Reason::CaCompromise),
        3 => Some(Reason::AffiliationChanged),
        4 => Some(Reason::Superseded),
        5 => Some(Reason::CessationOfOperation),
        9 => Some(Reason::PrivilegeWithdrawn),
        _ => None,
    });
    match Moment::from_asn1(&entry.revocation_date) {
        Ok(at) => Refusal::Revoked { subject: cert.shown(), serial: hex::encode(cert.cert.raw_serial()), at, reason },
        Err(_) => Refusal::Malformed { what: "revocation date" },
    }
}
