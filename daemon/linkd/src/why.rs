//! `why`: what this site would do with a packet, and which rule of the policy says so. It asks the policy itself, with the code
//! that decides about packets, so that it cannot tell another story than the daemon.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use coloa_link::ip::Selector;
use coloa_link::{DropReason, SiteIndex, Spd};
use serde::Serialize;

use crate::admission::Trust;
use crate::cli::WhyArgs;
use crate::config::{Config, MetricsAddress};
use crate::fault::{Fault, Lang};
use crate::identity::{Identity, read_certificate};
use crate::metrics;
use crate::policy;
use crate::policy::description;

/// A packet that is dropped.
const DENIED: u8 = 3;
/// Upper protocols with ports.
const WITH_PORTS: [u8; 2] = [6, 17];

/// The whole answer.
#[derive(Debug, Serialize)]
struct Why {
    policy_serial: u64,
    site: String,
    source: Address,
    destination: Address,
    /// What the policy has for the two sites; nothing where it has nothing.
    rule: Option<String>,
    there: Fate,
    back: Fate,
    /// Whether the daemon encrypts that link at this moment, if it runs.
    encrypting_now: Option<bool>,
}

/// An address, and whose it is.
#[derive(Debug, Serialize)]
struct Address {
    address: IpAddr,
    site: Option<String>,
    network: Option<String>,
}

/// What becomes of a packet here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// It leaves inside the link to this site.
    Sealed { peer: String },
    /// It came from this site and goes to its destination.
    Delivered { peer: String },
    /// It is dropped and counted under this name.
    Dropped { reason: &'static str },
}

/// Answers in words or as JSON.
pub fn show(args: &WhyArgs, lang: Lang) -> Result<ExitCode, Fault> {
    let path = &args.config.config;
    let invalid = |why: String| Fault::Config { path: path.clone(), why };
    let config = Config::load(path)?;
    let spd = policy_of(&config, path)?;
    let protocol = description::protocol(&args.protocol).map_err(invalid)?;
    let ports = WITH_PORTS.contains(&protocol).then_some((args.source_port, args.port.unwrap_or(0)));
    let selector = Selector { source: args.source, destination: args.destination, protocol, ports };
    let mut why = explain(&spd, &selector);
    why.encrypting_now = why.there.peer().or(why.back.peer()).and_then(|peer| encrypts(&config, peer));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&why).map_err(|e| invalid(e.to_string()))?);
    } else {
        print!("{}", why.words(lang));
    }
    Ok(if why.is_permitted() { ExitCode::SUCCESS } else { ExitCode::from(DENIED) })
}

fn policy_of(config: &Config, path: &Path) -> Result<Spd, Fault> {
    let accepted = policy::examine(&config.policy, &Trust::load(&config.identity)?)?;
    let unreadable =
        || Fault::Certificate { path: config.identity.certificate.clone(), why: "it cannot be parsed".into() };
    let own = Identity::of(&read_certificate(&config.identity.certificate)?).ok_or_else(unreadable)?;
    let unknown = || Fault::Config {
        path: path.to_owned(),
        why: format!("the policy does not know this site ({own}): everything is blocked"),
    };
    Spd::new(accepted, &own.0).ok_or_else(unknown)
}

/// What the running daemon says of a link.
fn encrypts(config: &Config, peer: &str) -> Option<bool> {
    let address = MetricsAddress::parse(&config.metrics.as_ref()?.listen).ok()?;
    let status = metrics::ask(&address).ok()?;
    status.links.iter().find(|link| link.site == peer).map(|link| link.encrypting)
}

fn explain(spd: &Spd, selector: &Selector) -> Why {
    let answer = Selector {
        source: selector.destination,
        destination: selector.source,
        ports: selector.ports.map(|(source, destination)| (destination, source)),
        ..*selector
    };
    Why {
        policy_serial: spd.serial(),
        site: name(spd, spd.us()),
        source: Address::of(spd, selector.source),
        destination: Address::of(spd, selector.destination),
        rule: rule(spd, selector),
        there: fate(spd, selector),
        back: fate(spd, &answer),
        encrypting_now: None,
    }
}

fn name(spd: &Spd, site: SiteIndex) -> String {
    spd.site(site).map_or_else(|| "?".into(), |site| site.name.clone())
}

fn fate(spd: &Spd, selector: &Selector) -> Fate {
    let owner = |address| spd.owner(address).map(|(site, _)| site);
    let dropped = |reason: DropReason| Fate::Dropped { reason: reason.name() };
    match (owner(selector.source), owner(selector.destination)) {
        // Only a peer's packet comes in here for one of ours.
        (Some(peer), Some(to)) if to == spd.us() && peer != spd.us() => {
            spd.inbound(peer, selector).map_or_else(dropped, |()| Fate::Delivered { peer: name(spd, peer) })
        }
        _ => spd.outbound(selector).map_or_else(dropped, |peer| Fate::Sealed { peer: name(spd, peer) }),
    }
}

/// What the policy has between us and the other site.
fn rule(spd: &Spd, selector: &Selector) -> Option<String> {
    let sites = [selector.source, selector.destination].map(|address| spd.owner(address).map(|(site, _)| site));
    let [Some(source), Some(destination)] = sites else { return None };
    let other = if source == spd.us() { destination } else { source };
    let (filters, we_are_a) = spd.filters(other)?;
    let (us, other) = (name(spd, spd.us()), name(spd, other));
    let (a, b) = if we_are_a { (&us, &other) } else { (&other, &us) };
    let words = filters.iter().map(|filter| description::filter_words(filter, a, b)).collect::<Vec<_>>();
    let scope = if words.is_empty() { "*".into() } else { words.join("; ") };
    Some(format!("{a} — {b}: {scope}"))
}

impl Address {
    fn of(spd: &Spd, address: IpAddr) -> Self {
        let owner = spd.owner(address);
        Self {
            address,
            site: owner.map(|(site, _)| name(spd, site)),
            network: owner.map(|(_, network)| network.to_string()),
        }
    }

    fn words(&self, lang: Lang) -> String {
        match (&self.site, &self.network, lang) {
            (Some(site), Some(network), Lang::En) => format!("{}, in {network} of {site}", self.address),
            (Some(site), Some(network), Lang::Vi) => format!("{}, thuộc {network} của {site}", self.address),
            (_, _, Lang::En) => format!("{}, of no site in the policy", self.address),
            (_, _, Lang::Vi) => format!("{}, không thuộc điểm nào trong chính sách", self.address),
        }
    }
}

impl Fate {
    fn peer(&self) -> Option<&str> {
        match self {
            Fate::Sealed { peer } | Fate::Delivered { peer } => Some(peer),
            Fate::Dropped { .. } => None,
        }
    }

    fn words(&self, lang: Lang) -> String {
        match (self, lang) {
            (Fate::Sealed { peer }, Lang::En) => format!("sealed for {peer}"),
            (Fate::Sealed { peer }, Lang::Vi) => format!("mã hóa, gửi tới {peer}"),
            (Fate::Delivered { peer }, Lang::En) => format!("delivered, from {peer}"),
            (Fate::Delivered { peer }, Lang::Vi) => format!("chuyển tới đích, đến từ {peer}"),
            (Fate::Dropped { reason }, Lang::En) => format!("dropped ({reason}): {}", reason_english(reason)),
            (Fate::Dropped { reason }, Lang::Vi) => format!("chặn ({reason}): {}", reason_vietnamese(reason)),
        }
    }
}

fn reason_english(reason: &str) -> &'static str {
    match reason {
        "foreign_source" => "its source is not behind this site, nor behind the peer it would come from",
        "filtered_protocol" => "the two sites may talk, but not with this protocol or port",
        _ => "the policy joins these two addresses by no rule; what it does not name is denied",
    }
}

fn reason_vietnamese(reason: &str) -> &'static str {
    match reason {
        "foreign_source" => "địa chỉ nguồn không thuộc điểm này, cũng không thuộc điểm đối tác gửi đến",
        "filtered_protocol" => "hai điểm được phép liên lạc, nhưng không bằng giao thức hoặc cổng này",
        _ => "chính sách không có quy tắc cho hai địa chỉ này; điều không nêu là bị cấm",
    }
}

impl Why {
    fn is_permitted(&self) -> bool {
        self.there.peer().is_some()
    }

    fn words(&self, lang: Lang) -> String {
        let mut out = String::new();
        let text = |en: &'static str, vi: &'static str| if lang == Lang::Vi { vi } else { en };
        let none = text("none", "không có").to_owned();
        let rule = self.rule.clone().unwrap_or(none);
        let lines = [
            (
                text("here", "tại đây"),
                format!("{} · {} {}", self.site, text("policy", "chính sách"), self.policy_serial),
            ),
            (text("from", "nguồn"), self.source.words(lang)),
            (text("to", "đích"), self.destination.words(lang)),
            (text("rule", "quy tắc"), rule),
            (text("there", "chiều đi"), self.there.words(lang)),
            (text("back", "chiều về"), self.back.words(lang)),
        ];
        for (label, words) in lines {
            let _ = writeln!(out, "{label:<9} {words}");
        }
        if let Some(encrypting) = self.encrypting_now {
            let now = match (encrypting, lang) {
                (true, Lang::En) => "the link encrypts",
                (true, Lang::Vi) => "ĐÃ MÃ HÓA",
                (false, Lang::En) => "the link does not encrypt: blocked until it does",
                (false, Lang::Vi) => "ĐÃ CHẶN: đường truyền chưa mã hóa",
            };
            let _ = writeln!(out, "{:<9} {now}", text("now", "hiện tại"));
        }
        out
    }
}
