//! The state of the links as one value: `status` shows it to people, `--json` to programs, metrics to Prometheus.

use std::fmt::Write;

use coloa_link::Counters;
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use crate::admission;
use crate::blame::{self, Blame};
use crate::control::Control;
use crate::control::reload::Pending;
use crate::data::{Report, Standing};
use crate::fault::Lang;
use crate::trouble::{Kind, Trouble};

/// The whole daemon.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// Our own identity.
    pub identity: String,
    /// Our site's name; nothing when the policy does not know us.
    pub site: Option<String>,
    /// Serial of the policy in force.
    pub policy_serial: Option<u64>,
    /// Red and black are one namespace: nothing but routes keeps cleartext off the wire.
    pub shared_namespace: bool,
    /// What the kernel hands over unsegmented.
    pub tun_offload: String,
    /// What is wrong with our own token, while something is: links live on, but agree on no new keys.
    #[serde(default)]
    pub token: Option<Trouble>,
    /// How the configuration file stands to what is in force.
    #[serde(default)]
    pub pending: Pending,
    /// The order by which something may go in clear (R27).
    #[serde(default)]
    pub bypass: Option<Bypass>,
    /// Every peer that the policy grants.
    pub links: Vec<LinkStatus>,
    /// Every drop by name, over all links.
    pub drops: Vec<(String, u64)>,
}

/// A bypass order in force.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bypass {
    /// Its number.
    pub serial: u64,
    /// Its end, RFC 3339.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Packets that were sent in clear, and that came in clear, since the daemon started.
    pub packets: (u64, u64),
}

/// One link.
#[derive(Debug, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The peer's site.
    pub site: String,
    /// The peer's identity.
    pub identity: String,
    /// Packets are sealed and opened.
    pub encrypting: bool,
    /// The control connection lives.
    pub connected: bool,
    /// Without keys its packets go in clear, by an order (R27).
    #[serde(default)]
    pub bypassed: bool,
    /// The epoch that sends.
    pub epoch: Option<u64>,
    /// What went wrong last.
    pub trouble: Option<Trouble>,
    /// Whose fault it is, while something is wrong.
    #[serde(default)]
    pub blame: Option<Blame>,
    /// Red packets sent, and their octets.
    pub sent: (u64, u64),
    /// Red packets received, and their octets.
    pub received: (u64, u64),
    /// For how long it has encrypted, or been blocked.
    #[serde(default)]
    pub since_seconds: u64,
    /// Red octets a second, sent and received, lately.
    #[serde(default)]
    pub rate: (u64, u64),
    /// The share of the peer's packets that did not come, of this epoch; nothing before the first came.
    #[serde(default)]
    pub loss: Option<f64>,
    /// Until the first certificate of the peer's chain expires.
    #[serde(default)]
    pub certificate_seconds: Option<u64>,
    /// Where the peer is reached.
    pub address: Option<String>,
    /// The largest inner packet that gets there.
    pub inner_mtu: Option<usize>,
    /// We send, and nothing has come from the peer for so many seconds.
    pub silent_seconds: Option<u64>,
    /// Something on the way changes our address; nothing while that is unknown.
    pub behind_nat: Option<bool>,
}

/// What does not change while the daemon runs.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Red and black are one namespace.
    pub shared_namespace: bool,
    /// What was negotiated with the TUN.
    pub tun_offload: String,
}

impl Status {
    /// As it stands now.
    pub fn of(control: &Control, fixed: &Fixed) -> Self {
        let (out, inw) = control.plane.report();
        let policy = control.admission.policy();
        // The lock is not held beyond this line: `links` takes it as well.
        let ordered = control.bypass().clone();
        let bypass = ordered.map(|shown| Bypass {
            serial: shown.serial,
            until: shown.until,
            reason: shown.reason,
            packets: (out.in_clear.packets, inw.in_clear.packets),
        });
        let spd = policy.as_ref().as_ref();
        Status {
            identity: control.admission.own().to_string(),
            site: spd.and_then(|spd| spd.site(spd.us())).map(|site| site.name.clone()),
            policy_serial: spd.map(|spd| spd.serial()),
            shared_namespace: fixed.shared_namespace,
            tun_offload: fixed.tun_offload.clone(),
            token: control.keyholder.away().map(|why| Trouble::new(Kind::OwnToken, why)),
            pending: control.pending().clone(),
            bypass,
            links: links(control, &out, &inw),
            drops: drops(&out, &inw),
        }
    }

    /// Whether every granted link encrypts.
    pub fn is_well(&self) -> bool {
        !self.links.is_empty() && self.links.iter().all(|link| link.encrypting)
    }

    /// For people.
    pub fn words(&self, lang: Lang) -> String {
        let mut out = String::new();
        let text = |en: &'static str, vi: &'static str| if lang == Lang::Vi { vi } else { en };
        let unknown = text("not in the policy", "không có trong chính sách");
        let serial = self.policy_serial.map_or_else(|| "-".into(), |serial| serial.to_string());
        let site = self.site.as_deref().unwrap_or(unknown);
        let _ = writeln!(out, "{} {site} · {} {serial}", text("site", "điểm"), text("policy", "chính sách"));
        if self.shared_namespace {
            let warning = text(
                "WARNING: red and black share one network namespace; cleartext is NOT kept off the wire. For measuring only.",
                "CẢNH BÁO: phía rõ và phía mã chung một không gian mạng; dữ liệu rõ KHÔNG bị ngăn. Chỉ dùng để đo thử.",
            );
            let _ = writeln!(out, "!!! {warning}");
        }
        if let Some(bypass) = &self.bypass {
            let _ = writeln!(out, "!!! {}", bypass.words(lang));
        }
        if let Some(trouble) = &self.token {
            let _ = writeln!(out, "!!! {}", trouble.words(lang));
        }
        for pending in self.pending.words(lang) {
            let _ = writeln!(out, "! {pending}");
        }
        if self.links.is_empty() {
            let _ = writeln!(
                out,
                "{}",
                text("no link is granted: blocked", "không có đường truyền nào được phép: đã chặn")
            );
        }
        for link in &self.links {
            link.write_words(&mut out, lang);
        }
        out
    }
}

impl Bypass {
    fn words(&self, lang: Lang) -> String {
        let Bypass { serial, until, reason, packets: (sent, received) } = self;
        match lang {
            Lang::En => format!(
                "BYPASS until {until} (order {serial}: {reason}): what has no keys goes IN CLEAR; {sent} packets out, {received} in. \
                 `coloa-linkd bypass cancel` ends it"
            ),
            Lang::Vi => format!(
                "TRUYỀN RÕ, KHÔNG MÃ HÓA, đến {until} (lệnh {serial}: {reason}): gửi {sent} gói, nhận {received} gói. \
                 Chấm dứt bằng `coloa-linkd bypass cancel`"
            ),
        }
    }
}

impl LinkStatus {
    fn write_words(&self, out: &mut String, lang: Lang) {
        let _ = writeln!(out, "{}", self.line(lang));
        if let Some(blame) = self.blame {
            let _ = writeln!(out, "{:<24} {}", "", blame.words(lang));
        }
        if let Some(seconds) = self.silent_seconds {
            let _ = writeln!(out, "{:<24} {}", "", self.silence_words(seconds, lang));
        }
        if let Some(trouble) = &self.trouble {
            let _ = writeln!(out, "{:<24} {}", "", trouble.words(lang));
        }
    }
}

impl LinkStatus {
    /// The verdict and the figures on one line.
    pub fn line(&self, lang: Lang) -> String {
        let state = match (lang, self.encrypting, self.connected) {
            (Lang::En, true, true) => "connected, encrypting",
            (Lang::En, true, false) => "encrypting; control connection lost, dialling",
            (Lang::En, false, _) if self.bypassed => "BYPASS: IN CLEAR, not encrypting",
            (Lang::Vi, false, _) if self.bypassed => "KHÔNG MÃ HÓA / BYPASS",
            (Lang::En, false, _) => "not encrypting, blocked",
            (Lang::Vi, true, true) => "ĐÃ MÃ HÓA",
            (Lang::Vi, true, false) => "ĐÃ MÃ HÓA; mất kết nối điều khiển, đang nối lại",
            (Lang::Vi, false, _) => "ĐÃ CHẶN",
        };
        let fault = if lang == Lang::Vi { "nguyên nhân" } else { "fault" };
        let blame = self.blame.map(|blame| format!("{fault}: {}", blame.word(lang)));
        let figures: Vec<String> = blame.into_iter().chain(self.figures(lang)).collect();
        format!("{:<24} {state} · {}", self.site, figures.join(" · "))
    }

    /// Since when, epoch, rates, loss, days that are left: what there is of it.
    fn figures(&self, lang: Lang) -> Vec<String> {
        let vietnamese = lang == Lang::Vi;
        let since = span(self.since_seconds, lang);
        let mut all = vec![if vietnamese { format!("từ {since}") } else { format!("for {since}") }];
        let epoch = |epoch| if vietnamese { format!("kỳ khóa {epoch}") } else { format!("epoch {epoch}") };
        all.extend(self.epoch.map(epoch));
        all.push(format!("↑ {} ↓ {}", bits(self.rate.0), bits(self.rate.1)));
        let packets = if vietnamese { "gói" } else { "packets" };
        all.push(format!("↑ {} ↓ {} {packets}", self.sent.0, self.received.0));
        let loss = |share: f64| format!("{} {:.1} %", if vietnamese { "mất" } else { "loss" }, share * 100.0);
        all.extend(self.loss.map(loss));
        let days = |seconds: u64| match (seconds / DAY, vietnamese) {
            (days, true) => format!("chứng thư còn {days} ngày"),
            (days, false) => format!("certificate {days} days"),
        };
        all.extend(self.certificate_seconds.map(days));
        all
    }
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// A span of time in its two largest units.
fn span(seconds: u64, lang: Lang) -> String {
    let [day, hour, minute, second] =
        if lang == Lang::Vi { ["ngày", "giờ", "phút", "giây"] } else { ["d", "h", "min", "s"] };
    let (days, hours, minutes) = (seconds / DAY, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} {second}"),
        (0, 0, _) => format!("{minutes} {minute}"),
        (0, _, _) => format!("{hours} {hour} {minutes} {minute}"),
        _ => format!("{days} {day} {hours} {hour}"),
    }
}

/// Octets a second as bits a second.
fn bits(octets: u64) -> String {
    let bits = octets as f64 * 8.0;
    match bits {
        b if b >= 1e9 => format!("{:.2} Gbit/s", b / 1e9),
        b if b >= 1e6 => format!("{:.1} Mbit/s", b / 1e6),
        b => format!("{:.0} kbit/s", b / 1e3),
    }
}

impl LinkStatus {
    /// Whose fault a silence is: where TCP passes and UDP does not, it is not the line.
    fn silence_words(&self, seconds: u64, lang: Lang) -> String {
        let what = match lang {
            Lang::En => {
                format!("we send, but nothing has come from the peer for {seconds} s: check the carrier's line")
            }
            Lang::Vi => format!(
                "vẫn gửi nhưng {seconds} giây không nhận được gì từ điểm đối tác: kiểm tra đường truyền của nhà mạng"
            ),
        };
        let but = match lang {
            Lang::En => " (the control connection lives: does it pass UDP?)",
            Lang::Vi => " (kết nối điều khiển vẫn thông: nhà mạng có chặn UDP không?)",
        };
        if self.connected { what + but } else { what }
    }
}

fn links(control: &Control, out: &Report, inw: &Report) -> Vec<LinkStatus> {
    let peers = control.peers();
    let granted = peers.iter().filter(|peer| peer.state().granted());
    let (now, ourselves) = (admission::now(), control.ourselves());
    let bypassed = control.bypass().as_ref().map(|shown| shown.peers.clone()).unwrap_or_default();
    granted
        .map(|peer| {
            let (sending, receiving) = (out.peers.get(peer.number.0), inw.peers.get(peer.number.0));
            let epoch = sending.and_then(|s| s.epoch).map(|epoch| epoch.0);
            let traffic = |s: Option<&Standing>| s.map_or((0, 0), |s| (s.traffic.packets, s.traffic.octets));
            let path = sending.and_then(|s| s.path);
            let state = peer.state();
            let link = blame::Standing {
                encrypting: epoch.is_some(),
                connected: state.session.is_some(),
                silent: path.is_some_and(|p| p.silent_for.is_some()),
                trouble: state.trouble.as_ref(),
            };
            LinkStatus {
                blame: blame::of(&link, ourselves),
                site: peer.name.clone(),
                identity: peer.identity.to_string(),
                encrypting: epoch.is_some(),
                connected: state.session.is_some(),
                bypassed: bypassed.contains(&peer.number),
                epoch,
                trouble: state.trouble.clone(),
                sent: traffic(sending),
                received: traffic(receiving),
                since_seconds: sending.map_or(0, |s| s.stands_for.as_secs()),
                rate: (sending.map_or(0, |s| s.rate), receiving.map_or(0, |s| s.rate)),
                loss: receiving.and_then(|s| s.arrived).and_then(loss),
                certificate_seconds: state.evidence.as_ref().and_then(|e| e.expires).map(|end| left(end, now)),
                address: path.and_then(|p| p.address).map(|address| address.to_string()),
                inner_mtu: path.map(|p| p.mtu),
                silent_seconds: path.and_then(|p| p.silent_for).map(|silence| silence.as_secs()),
                behind_nat: path.and_then(|p| p.behind_nat),
            }
        })
        .collect()
}

/// The share that did not come. The numbers of what is still on the way count as lost for that moment.
fn loss((sent, came): (u64, u64)) -> Option<f64> {
    (sent > 0).then(|| sent.saturating_sub(came) as f64 / sent as f64)
}

fn left(end: UnixTime, now: UnixTime) -> u64 {
    end.as_secs().saturating_sub(now.as_secs())
}

fn drops(out: &Report, inw: &Report) -> Vec<(String, u64)> {
    let named = |direction: &'static str, drops: &Counters| {
        drops.iter().map(|(reason, count)| (format!("{direction}.{}", reason.name()), count)).collect::<Vec<_>>()
    };
    let mut all = named("outward", &out.drops);
    all.push(("outward.refused_by_kernel".into(), out.refused_by_kernel));
    all.extend(named("inward", &inw.drops));
    all.push(("inward.refused_by_kernel".into(), inw.refused_by_kernel));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let spans = [7, 61, 3_700, 200_000].map(|seconds| span(seconds, Lang::En));
        assert_eq!(spans, ["7 s", "1 min", "1 h 1 min", "2 d 7 h"]);
        assert_eq!(span(200_000, Lang::Vi), "2 ngày 7 giờ");
        assert_eq!([0, 125, 250_000, 250_000_000].map(bits), ["0 kbit/s", "1 kbit/s", "2.0 Mbit/s", "2.00 Gbit/s"]);
        assert_eq!((loss((0, 0)), loss((200, 199)), loss((5, 9))), (None, Some(0.005), Some(0.0)));
    }
}
