//! Whose fault it is that a link is down: the first question of whoever has to call somebody. It is told from what happened
//! last, with what this device knows of itself.

use std::io;

use rustls::{AlertDescription, CertificateError, OtherError};
use serde::{Deserialize, Serialize};

use crate::admission::Refused;
use crate::fault::Lang;
use crate::trouble::{Kind, Trouble};

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The line between the two ends.
    Carrier,
    /// The peer's address: nobody listens there, or another device does.
    Address,
    /// A certificate, of either end, or its revocation status.
    Certificate,
    /// A clock, of either end.
    Clock,
    /// The link policy, or that the two ends have different ones.
    Policy,
    /// The token that has our key.
    Hsm,
}

/// What this device knows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ourselves {
    /// Our token does not sign.
    pub token_away: bool,
    /// How our own certificate stands by our own clock.
    pub certificate: OwnCertificate,
}

/// How our own certificate stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnCertificate {
    /// It verifies.
    #[default]
    Good,
    /// It will be valid one day: our clock is behind, or it was issued ahead.
    NotYet,
    /// It does not verify.
    Bad,
}

impl OwnCertificate {
    /// By the verdict of our own trust anchors.
    pub fn of(verdict: &Result<(), webpki::Error>) -> Self {
        match verdict {
            Ok(()) => Self::Good,
            Err(webpki::Error::CertNotValidYet { .. }) => Self::NotYet,
            Err(_) => Self::Bad,
        }
    }
}

/// How a link stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing<'a> {
    /// Packets are sealed.
    pub encrypting: bool,
    /// The control connection lives.
    pub connected: bool,
    /// We send and hear nothing.
    pub silent: bool,
    /// What went wrong last.
    pub trouble: Option<&'a Trouble>,
}

/// Whose fault it is; nothing while the link is as it should be, or while nothing is known.
pub fn of(link: &Standing<'_>, ours: Ourselves) -> Option<Blame> {
    let told = link.trouble.and_then(|trouble| trouble.blame);
    match (link.encrypting, link.connected) {
        (true, _) if link.silent => Some(Blame::Carrier),
        (true, true) => None,
        _ if ours.token_away => Some(Blame::Hsm),
        _ if ours.certificate == OwnCertificate::NotYet => Some(Blame::Clock),
        _ if ours.certificate == OwnCertificate::Bad => Some(Blame::Certificate),
        // By our clock our certificate is good: the peer has another time, or we have.
        _ if told == Some(Blame::Certificate) && link.trouble.is_some_and(Trouble::is_about_our_time) => {
            Some(Blame::Clock)
        }
        _ => told,
    }
}

impl Blame {
    /// Who is to blame where nothing more is known than what went wrong.
    pub fn usual(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Unreachable => Some(Self::Carrier),
            Kind::AnotherDevice => Some(Self::Address),
            Kind::RefusedByPeer | Kind::PolicyRefused => Some(Self::Policy),
            Kind::OwnToken => Some(Self::Hsm),
            Kind::PeerRefused | Kind::Busy | Kind::BrokenOff | Kind::ControlLost => None,
        }
    }

    /// Why a peer was refused.
    pub fn of_refusal(refused: &Refused) -> Self {
        match refused {
            Refused::Certificate(webpki::Error::CertNotValidYet { .. }) => Self::Clock,
            Refused::Certificate(_) => Self::Certificate,
            Refused::NotInPolicy(_) | Refused::AnotherOrgan { .. } => Self::Policy,
        }
    }

    /// Of an error in the handshake.
    pub fn of_tls(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::NotValidYet) => Some(Self::Clock),
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(why))) => {
                Some(why.downcast_ref::<Refused>().map_or(Self::Certificate, Self::of_refusal))
            }
            rustls::Error::InvalidCertificate(_) => Some(Self::Certificate),
            // What a link encryptor sends when its policy does not have us, or has us as another organ.
            rustls::Error::AlertReceived(AlertDescription::CertificateUnknown) => Some(Self::Policy),
            rustls::Error::AlertReceived(_) => Some(Self::Certificate),
            _ => None,
        }
    }

    /// Of a connection that does not come about. Who answers that nobody listens is there: it is not the line.
    pub fn of_connection(kind: io::ErrorKind) -> Option<Self> {
        match kind {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable => Some(Self::Address),
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Some(Self::Carrier)
            }
            _ => None,
        }
    }

    /// In a word, for a line of a table.
    pub fn word(self, lang: Lang) -> &'static str {
        match (self, lang) {
            (Self::Carrier, Lang::En) => "carrier",
            (Self::Carrier, Lang::Vi) => "nhà mạng",
            (Self::Address, Lang::En) => "address",
            (Self::Address, Lang::Vi) => "địa chỉ",
            (Self::Certificate, Lang::En) => "certificate",
            (Self::Certificate, Lang::Vi) => "chứng thư",
            (Self::Clock, Lang::En) => "clock",
            (Self::Clock, Lang::Vi) => "đồng hồ",
            (Self::Policy, Lang::En) => "policy",
            (Self::Policy, Lang::Vi) => "chính sách",
            (Self::Hsm, _) => "HSM",
        }
    }

    /// Whose fault, and whom to call.
    pub fn words(self, lang: Lang) -> String {
        let whom = match (self, lang) {
            (Self::Carrier, Lang::En) => "nothing gets through; report it to the carrier",
            (Self::Carrier, Lang::Vi) => "không có gì đi qua; báo nhà mạng",
            (Self::Address, Lang::En) => {
                "no encryptor of ours answers there; check the [[peer]] endpoint and the device"
            }
            (Self::Address, Lang::Vi) => "không có thiết bị mã hóa trả lời tại đó; kiểm tra [[peer]] và thiết bị",
            (Self::Certificate, Lang::En) => "expired, revoked or not trusted; ask the certification authority",
            (Self::Certificate, Lang::Vi) => "hết hạn, bị thu hồi hoặc không tin cậy; hỏi cơ quan cấp chứng thư",
            (Self::Clock, Lang::En) => "a certificate is not valid at the time of one end; set the clocks of both",
            (Self::Clock, Lang::Vi) => "chứng thư chưa hợp lệ theo giờ của một bên; chỉnh đồng hồ cả hai bên",
            (Self::Policy, Lang::En) => "the two ends need the same signed link policy; ask the policy authority",
            (Self::Policy, Lang::Vi) => "hai bên cần cùng một chính sách đã ký; hỏi cơ quan ban hành chính sách",
            (Self::Hsm, Lang::En) => "our token does not sign; check the HSM and the way to it",
            (Self::Hsm, Lang::Vi) => "token không ký được; kiểm tra HSM và đường tới HSM",
        };
        let fault = if lang == Lang::Vi { "nguyên nhân" } else { "fault" };
        format!("{fault}: {} — {whom}", self.word(lang))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn blocked(trouble: &Trouble) -> Standing<'_> {
        Standing { trouble: Some(trouble), ..Standing::default() }
    }

    fn refused(why: CertificateError) -> Trouble {
        Trouble::from(&rustls::Error::InvalidCertificate(why))
    }

    fn alert(what: AlertDescription) -> Trouble {
        Trouble::from(&rustls::Error::AlertReceived(what))
    }

    #[test]
    fn each_fault_has_one_to_blame() {
        let organ = Refused::AnotherOrgan { policy: coloa_link::Organ::Court, certificate: None };
        let unclear = Refused::Certificate(webpki::Error::UnknownRevocationStatus);
        let other = |refused| CertificateError::Other(OtherError(Arc::new(refused)));
        let io = |kind: io::ErrorKind| Trouble::from(io::Error::from(kind));
        let table = [
            (io(io::ErrorKind::TimedOut), Blame::Carrier),
            (io(io::ErrorKind::HostUnreachable), Blame::Carrier),
            (io(io::ErrorKind::ConnectionRefused), Blame::Address),
            (Trouble::new(Kind::AnotherDevice, ""), Blame::Address),
            (refused(CertificateError::Expired), Blame::Certificate),
            (refused(CertificateError::Revoked), Blame::Certificate),
            (refused(other(unclear)), Blame::Certificate),
            (refused(CertificateError::NotValidYet), Blame::Clock),
            (refused(other(organ)), Blame::Policy),
            (alert(AlertDescription::CertificateUnknown), Blame::Policy),
            (alert(AlertDescription::CertificateRevoked), Blame::Certificate),
            (alert(AlertDescription::CertificateExpired), Blame::Clock),
            (Trouble::from(&rustls::Error::General("no".into())), Blame::Hsm),
            (Trouble::new(Kind::PolicyRefused, ""), Blame::Policy),
        ];
        for (trouble, blame) in table {
            assert_eq!(of(&blocked(&trouble), Ourselves::default()), Some(blame), "{trouble:?}");
        }
    }

    #[test]
    fn what_we_know_of_ourselves_goes_first() {
        let trouble = alert(AlertDescription::CertificateExpired);
        let ours = |token_away, certificate| of(&blocked(&trouble), Ourselves { token_away, certificate });
        assert_eq!(ours(true, OwnCertificate::Good), Some(Blame::Hsm));
        assert_eq!(ours(false, OwnCertificate::Bad), Some(Blame::Certificate), "ours has expired by our clock too");
        assert_eq!(ours(false, OwnCertificate::NotYet), Some(Blame::Clock));
    }

    #[test]
    fn a_link_that_is_well_has_nobody_to_blame() {
        let trouble = Trouble::new(Kind::Unreachable, "before");
        let well = Standing { encrypting: true, connected: true, silent: false, trouble: Some(&trouble) };
        assert_eq!(
            of(&well, Ourselves { token_away: true, ..Ourselves::default() }),
            None,
            "it lives on while the HSM is away"
        );
        assert_eq!(of(&Standing { silent: true, ..well }, Ourselves::default()), Some(Blame::Carrier));
        assert_eq!(of(&Standing { connected: false, ..well }, Ourselves::default()), Some(Blame::Carrier));
        assert_eq!(of(&Standing::default(), Ourselves::default()), None, "nothing is known");
    }
}
