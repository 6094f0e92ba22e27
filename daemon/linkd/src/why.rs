//! `why`: what this site would do with a packet, and which rule of the policy says so. It asks the policy itself, with the code
//! that decides about packets, so that it cannot tell another story than the daemon.

mod fate;

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use coloa_link::ip::Selector;
use coloa_link::{Accepted, Organ, SiteIndex, Spd};
use serde::Serialize;

use crate::admission::Trust;
use crate::cli::WhyArgs;
use crate::config::{Config, MetricsAddress};
use crate::fault::{Fault, Lang};
use crate::identity::{Identity, read_certificate};
use crate::metrics;
use crate::policy;
use crate::policy::received::Sources;
use crate::policy::{description, rules};
use fate::Fate;

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
    /// What the sites on its way do with it, by the same policy.
    hops: Vec<Hop>,
    back: Fate,
    /// Whether the daemon encrypts that link at this moment, if it runs.
    encrypting_now: Option<bool>,
}

/// An address, and whose it is.
#[derive(Debug, Serialize)]
struct Address {
    address: IpAddr,
    site: Option<String>,
    organ: Option<&'static str>,
    network: Option<String>,
}

/// What becomes of the packet where it comes next: every site has the same policy.
#[derive(Debug, Serialize)]
struct Hop {
    at: String,
    fate: Fate,
}

/// Answers in words or as JSON.
pub fn show(args: &WhyArgs, lang: Lang) -> Result<ExitCode, Fault> {
    let path = &args.config.config;
    let invalid = |why: String| Fault::Config { path: path.clone(), why };
    let config = Config::load(path)?;
    let (accepted, spd) = policy_of(&config, path)?;
    let protocol = description::protocol(&args.protocol).map_err(invalid)?;
    let ports = WITH_PORTS.contains(&protocol).then_some((args.source_port, args.port.unwrap_or(0)));
    let selector = Selector { source: args.source, destination: args.destination, protocol, ports };
    let mut why = explain(&spd, &selector);
    why.hops = hops(&accepted, &spd, &selector);
    why.encrypting_now = why.there.link().or(why.back.link()).and_then(|peer| encrypts(&config, peer));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&why).map_err(|e| invalid(e.to_string()))?);
    } else {
        print!("{}", why.words(lang));
    }
    Ok(if why.is_permitted() { ExitCode::SUCCESS } else { ExitCode::from(DENIED) })
}

fn policy_of(config: &Config, path: &Path) -> Result<(Accepted, Spd), Fault> {
    let accepted = policy::examine(&Sources::of(config), &Trust::load(&config.identity)?)?;
    let unreadable =
        || Fault::Certificate { path: config.identity.certificate.clone(), why: "it cannot be parsed".into() };
    let own = Identity::of(&read_certificate(&config.identity.certificate)?).ok_or_else(unreadable)?;
    let unknown = || Fault::Config {
        path: path.to_owned(),
        why: format!("the policy does not know this site ({own}): everything is blocked"),
    };
    let spd = Spd::new(accepted.clone(), &own.0).ok_or_else(unknown)?;
    Ok((accepted, spd))
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
        there: Fate::of(spd, selector),
        hops: Vec::new(),
        back: Fate::of(spd, &answer),
        encrypting_now: None,
    }
}

fn name(spd: &Spd, site: SiteIndex) -> String {
    spd.site(site).map_or_else(|| "?".into(), |site| site.name.clone())
}

/// What the sites after us do with a packet that we pass on.
fn hops(accepted: &Accepted, spd: &Spd, selector: &Selector) -> Vec<Hop> {
    let to = spd.owner(selector.destination).map(|(site, _)| site);
    let hub = spd.outbound(selector).ok().filter(|hub| Some(*hub) != to);
    let passed_on = !matches!(Fate::of(spd, selector), Fate::Dropped { .. } | Fate::Delivered { .. });
    let next = hub.into_iter().chain(to.filter(|_| passed_on));
    let hop = |site: SiteIndex| {
        let theirs = Spd::new(accepted.clone(), &spd.site(site)?.identity)?;
        Some(Hop { at: name(spd, site), fate: Fate::of(&theirs, selector) })
    };
    next.filter_map(hop).collect()
}

/// What the policy has between the two sites, as far as it concerns us.
fn rule(spd: &Spd, selector: &Selector) -> Option<String> {
    let sites = [selector.source, selector.destination].map(|address| spd.owner(address).map(|(site, _)| site));
    let [Some(source), Some(destination)] = sites else { return None };
    let name = |index| name(spd, SiteIndex(index));
    let mut all = Vec::new();
    for (rule, _, _) in spd.rules_between(source, destination) {
        let (between, what) = rules::words_with(rule, name);
        let told = format!("{between}: {what}");
        if !all.contains(&told) {
            all.push(told);
        }
    }
    (!all.is_empty()).then(|| all.join(" | "))
}

impl Address {
    fn of(spd: &Spd, address: IpAddr) -> Self {
        let owner = spd.owner(address);
        Self {
            address,
            site: owner.map(|(site, _)| name(spd, site)),
            organ: owner.and_then(|(site, _)| spd.site(site)?.organ).map(Organ::word),
            network: owner.map(|(_, network)| network.to_string()),
        }
    }

    fn words(&self, lang: Lang) -> String {
        let organ = self.organ.map(|organ| format!(" ({organ})")).unwrap_or_default();
        match (&self.site, &self.network, lang) {
            (Some(site), Some(network), Lang::En) => format!("{}, in {network} of {site}{organ}", self.address),
            (Some(site), Some(network), Lang::Vi) => format!("{}, thuộc {network} của {site}{organ}", self.address),
            (_, _, Lang::En) => format!("{}, of no site in the policy", self.address),
            (_, _, Lang::Vi) => format!("{}, không thuộc điểm nào trong chính sách", self.address),
        }
    }
}

impl Why {
    fn is_permitted(&self) -> bool {
        self.there.link().is_some() && self.hops.iter().all(|hop| hop.fate.link().is_some())
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
        ];
        for (label, words) in lines {
            let _ = writeln!(out, "{label:<9} {words}");
        }
        for Hop { at, fate } in &self.hops {
            let _ = writeln!(out, "{:<9} {at}: {}", text("then, at", "rồi, tại"), fate.words(lang));
        }
        let _ = writeln!(out, "{:<9} {}", text("back", "chiều về"), self.back.words(lang));
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
