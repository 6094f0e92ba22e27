//! Why there is no link with a peer, for the operator's screen: what it is, whose fault, what to do next. The detail is for
//! the log and for support; the kind is stable and is what `status` translates.

use std::io;

use rustls::{AlertDescription, CertificateError};
use serde::{Deserialize, Serialize};

use crate::admission::Refused;
use crate::blame::Blame;
use crate::fault::Lang;

/// What went wrong last with a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What it is.
    pub kind: Kind,
    /// The particulars, in English.
    pub detail: String,
    /// Where to look, as far as that can be told from it.
    #[serde(default)]
    pub blame: Option<Blame>,
    /// The peer says that our certificate is not valid at its time.
    #[serde(default)]
    our_time: bool,
}

/// What keeps a link from coming up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nobody answers at the peer's address.
    Unreachable,
    /// We refuse the peer: certificate, revocation or policy.
    PeerRefused,
    /// The peer refuses us.
    RefusedByPeer,
    /// Another device answers at the peer's address.
    AnotherDevice,
    /// Our own token does not sign.
    OwnToken,
    /// Both ends began at once; the other connection goes first.
    Busy,
    /// The conversation broke off.
    BrokenOff,
    /// The policy that the peer handed over is not believed.
    PolicyRefused,
    /// The control connection was lost; keys that are installed live on.
    ControlLost,
}

impl Trouble {
    /// Of this kind, with these particulars.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), blame: Blame::usual(kind), our_time: false }
    }

    /// Whether the peer says that our certificate is not valid at its time.
    pub fn is_about_our_time(&self) -> bool {
        self.our_time
    }

    /// What it is and what to do next.
    pub fn words(&self, lang: Lang) -> String {
        let (what, next) = match lang {
            Lang::En => self.kind.english(),
            Lang::Vi => self.kind.vietnamese(),
        };
        format!("{what} ({}): {next}", self.detail)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words(Lang::En))
    }
}

impl Kind {
    fn english(self) -> (&'static str, &'static str) {
        match self {
            Kind::Unreachable => ("the peer does not answer", "check that it runs, the [[peer]] endpoint and the path"),
            Kind::PeerRefused => {
                ("we refuse the peer", "check its certificate, the revocation lists and the link policy")
            }
            Kind::RefusedByPeer => {
                ("the peer refuses us", "check our certificate and that the peer has the same link policy")
            }
            Kind::AnotherDevice => ("another device answers", "check the [[peer]] endpoint; report it if it is right"),
            Kind::OwnToken => ("our own token does not sign", "check the token, its module and the [token] section"),
            Kind::Busy => ("the peer's own connection goes first", "nothing to do"),
            Kind::BrokenOff => ("the conversation broke off", "it is tried again; see the peer's log if it persists"),
            Kind::PolicyRefused => (
                "the link policy that the peer handed over is refused",
                "ask the policy authority; ours stays in force",
            ),
            Kind::ControlLost => ("the control connection was lost", "it is dialled anew; the link lives on meanwhile"),
        }
    }

    fn vietnamese(self) -> (&'static str, &'static str) {
        match self {
            Kind::Unreachable => {
                ("điểm đối tác không trả lời", "kiểm tra thiết bị đối tác, địa chỉ [[peer]] và đường truyền")
            }
            Kind::PeerRefused => {
                ("từ chối điểm đối tác", "kiểm tra chứng thư, danh sách thu hồi và chính sách đường truyền")
            }
            Kind::RefusedByPeer => {
                ("điểm đối tác từ chối thiết bị này", "kiểm tra chứng thư của mình và chính sách tại điểm đối tác")
            }
            Kind::AnotherDevice => {
                ("một thiết bị khác trả lời", "kiểm tra địa chỉ [[peer]]; nếu địa chỉ đúng thì báo cáo ngay")
            }
            Kind::OwnToken => ("token của thiết bị này không ký", "kiểm tra token, mô-đun và mục [token]"),
            Kind::Busy => ("kết nối của điểm đối tác được ưu tiên", "không cần làm gì"),
            Kind::BrokenOff => ("trao đổi bị gián đoạn", "đang thử lại; nếu kéo dài, xem nhật ký tại điểm đối tác"),
            Kind::PolicyRefused => (
                "từ chối chính sách do điểm đối tác chuyển đến",
                "hỏi cơ quan ban hành chính sách; bản hiện tại vẫn có hiệu lực",
            ),
            Kind::ControlLost => ("mất kết nối điều khiển", "đang nối lại; đường truyền vẫn hoạt động"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::from(tls);
        }
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable => Kind::Unreachable,
            _ => Kind::BrokenOff,
        };
        let usual = Self::new(kind, error.to_string());
        Self { blame: Blame::of_connection(error.kind()).or(usual.blame), ..usual }
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        let blame = Some(Blame::of_refusal(&refused));
        Self { blame, ..Self::new(Kind::PeerRefused, refused.to_string()) }
    }
}

impl From<&rustls::Error> for Trouble {
    fn from(error: &rustls::Error) -> Self {
        let usual = match error {
            // rustls shows a reason of our own only in its debugging form.
            rustls::Error::InvalidCertificate(CertificateError::Other(why)) => {
                Self::new(Kind::PeerRefused, why.to_string())
            }
            rustls::Error::InvalidCertificate(_) => Self::new(Kind::PeerRefused, error.to_string()),
            rustls::Error::AlertReceived(_) => Self::new(Kind::RefusedByPeer, error.to_string()),
            // The one general error in a handshake is the one that our signer gives.
            rustls::Error::General(why) => Self::new(Kind::OwnToken, why.clone()),
            _ => Self::new(Kind::BrokenOff, error.to_string()),
        };
        let our_time = matches!(error, rustls::Error::AlertReceived(AlertDescription::CertificateExpired));
        Self { blame: Blame::of_tls(error).or(usual.blame), our_time, ..usual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_at_fault_is_told_apart() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateUnknown);
        assert_eq!(Trouble::from(io::Error::other(alert)).kind, Kind::RefusedByPeer);
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(Trouble::from(io::Error::other(expired)).kind, Kind::PeerRefused);
        let silent = io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(Trouble::from(silent).kind, Kind::Unreachable);
        let token = rustls::Error::General("the token did not sign in time".into());
        assert_eq!(Trouble::from(io::Error::other(token)).kind, Kind::OwnToken);
    }
}
