//! What `check` says of our own certificate, of trust, and of the token.

use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Findings, words};
use crate::admission::{self, Shown, Trust};
use crate::config::Config;
use crate::daemon::key_spec;
use crate::fault::Fault;
use crate::identity::{Identity, read_certificates};
use crate::keyholder::client::Keyholder;
use crate::keyholder::sign::TokenKey;
use crate::organ;

const DAY: u64 = 86_400;
/// A certificate that ends within so many days should be renewed now.
const SOON: u64 = 30;

/// What is known of us.
pub struct Own {
    /// Who we are.
    pub identity: Identity,
    /// Of which organ our certificate says we are.
    pub organ: Option<coloa_link::Organ>,
    /// Whom we trust.
    pub trust: Trust,
}

/// Certificate, trust anchors, revocation lists, token.
pub fn examine(config: &Config, findings: &mut Findings) -> Option<Own> {
    let path = &config.identity.certificate;
    let chain = findings.took("certificate", read_certificates(path));
    let trust = findings.took("trust", Trust::load(&config.identity));
    let (chain, trust) = (chain?, trust?);
    let unreadable = || Fault::Certificate { path: path.clone(), why: "it cannot be parsed".into() };
    let own = chain.first().and_then(|end| Some((end, Identity::of(end)?))).ok_or_else(unreadable);
    let (end, identity) = findings.took("certificate", own)?;
    verify(config, (&chain, &trust), findings);
    if config.identity.crl.is_none() {
        findings.notice(
            "revocation",
            words(
                "no revocation list is configured: a revoked peer would not be cut off.",
                "chưa cấu hình danh sách thu hồi: điểm đối tác bị thu hồi sẽ không bị cắt.",
            ),
        );
    }
    token(config, end, findings);
    Some(Own { identity, organ: organ::of(end), trust })
}

fn verify(config: &Config, (chain, trust): (&[CertificateDer<'static>], &Trust), findings: &mut Findings) {
    let now = admission::now();
    let verdict = [Shown::AsClient, Shown::AsServer].map(|shown| trust.verify(chain, shown.usage(), now)).into_iter();
    match verdict.collect::<Result<Vec<()>, _>>() {
        Err(why) => {
            let why = format!("peers will refuse it: {why}{}", clock_hint(&why, now));
            findings.fault("certificate", &Fault::Certificate { path: config.identity.certificate.clone(), why });
        }
        Ok(_) => {
            let until = trust.verified_until(chain, Shown::AsClient.usage(), now);
            let days = until.as_secs().saturating_sub(now.as_secs()) / DAY;
            let said = words(
                format!("our certificate verifies, for {days} days more."),
                format!("chứng thư của thiết bị hợp lệ, còn {days} ngày."),
            );
            if days <= SOON { findings.notice("certificate", said) } else { findings.good("certificate", said) }
        }
    }
}

/// A certificate that is not valid yet means a wrong clock as a rule.
fn clock_hint(why: &webpki::Error, now: UnixTime) -> String {
    match why {
        webpki::Error::CertNotValidYet { .. } => format!(" (is the clock right? it is {} s after 1970)", now.as_secs()),
        _ => String::new(),
    }
}

fn token(config: &Config, end: &CertificateDer<'_>, findings: &mut Findings) {
    let label = &config.token.label;
    let key = key_spec(&config.token)
        .and_then(|spec| Keyholder::start(spec, config.token.deadline()))
        .and_then(|keyholder| TokenKey::new(keyholder, end));
    if findings.took("token", key).is_some() {
        findings.good(
            "token",
            words(
                format!("the token `{label}` signs, and its key belongs to the certificate."),
                format!("token `{label}` ký được, khóa khớp với chứng thư."),
            ),
        );
    }
}
