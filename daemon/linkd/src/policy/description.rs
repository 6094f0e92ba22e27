//! The policy as its authors write it, and as people read it: TOML in, the bundle's content out, and back.
//!
//! ```toml
//! serial = 7
//! [[site]]
//! name = "ha-noi"
//! identity = "…64 hexadecimal digits: SHA-256 of the SPKI…"
//! red = ["10.1.0.0/16", "fd00:1::/32"]
//! [[link]]
//! between = ["ha-noi", "hue"]
//! allow = [{ protocol = "tcp", to_ports = [443, 443] }]   # without it, everything between the two
//! ```
//! `to_ports` are the ports at the second site, `from_ports` those at the first. A site may say its `organ`, its `hub` and
//! `groups`; a link may go `via` a hub; and `[[rule]]` grants to many sites at once: see [`super::rules`].

use std::fmt::Write;

use coloa_link::Bundle;
use coloa_link::Organ;
use coloa_link::Prefix;
use coloa_link::bundle::{Filter, Pair, PortRange, Site, VERSION};
use coloa_link::bypass::Custodians;
use serde::Deserialize;

use super::rules::{self, RuleText};

use crate::hex;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    serial: u64,
    #[serde(default)]
    site: Vec<SiteText>,
    #[serde(default)]
    link: Vec<LinkText>,
    #[serde(default)]
    rule: Vec<RuleText>,
    bypass: Option<BypassText>,
}

/// Who may order a bypass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BypassText {
    threshold: u8,
    custodians: Vec<String>,
    hours: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteText {
    name: String,
    identity: String,
    red: Vec<String>,
    organ: Option<String>,
    hub: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkText {
    between: [String; 2],
    #[serde(default)]
    allow: Vec<AllowText>,
    via: Option<String>,
}

/// What may pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowText {
    protocol: ProtocolText,
    from_ports: Option<[u16; 2]>,
    to_ports: Option<[u16; 2]>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ProtocolText {
    Number(u8),
    Name(String),
}

/// Parses a description; every name in it must resolve.
pub fn parse(text: &str) -> Result<Bundle, String> {
    let text: Text = toml::from_str(text).map_err(|e| e.to_string())?;
    let mut sites = text.site.iter().map(site).collect::<Result<Vec<_>, _>>()?;
    let hubs = text.site.iter().map(|of| of.hub.as_ref().map(|hub| find(&text.site, hub)).transpose());
    for (site, hub) in sites.iter_mut().zip(hubs.collect::<Result<Vec<_>, _>>()?) {
        site.hub = hub;
    }
    let mut pairs = text.link.iter().map(|l| pair(l, &text.site)).collect::<Result<Vec<_>, _>>()?;
    pairs.sort_by_key(|p| (p.a, p.b));
    let rules = text.rule.iter().map(|rule| rules::parse(rule, &sites)).collect::<Result<Vec<_>, _>>()?;
    let rules = (!rules.is_empty()).then_some(rules);
    let bypass = text.bypass.as_ref().map(custodians).transpose()?;
    let bundle = Bundle { version: VERSION, serial: text.serial, sites, pairs, rules, bypass };
    bundle.clone().resume(bundle.serial).map_err(|e| e.to_string())?;
    Ok(bundle)
}

fn custodians(text: &BypassText) -> Result<Custodians, String> {
    let key = |key: &String| {
        let octets = hex::decode(key).and_then(|octets| <[u8; 32]>::try_from(octets).ok());
        octets.ok_or_else(|| format!("the bypass custodian `{key}` is not 64 hexadecimal digits"))
    };
    let mut keys = text.custodians.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    keys.sort_unstable();
    let keys = keys.into_iter().map(Into::into).collect();
    Ok(Custodians { threshold: text.threshold, keys, most_seconds: u32::from(text.hours).saturating_mul(3600) })
}

fn site(text: &SiteText) -> Result<Site, String> {
    let name = &text.name;
    let identity = hex::decode(&text.identity)
        .and_then(|octets| octets.try_into().ok())
        .ok_or_else(|| format!("the identity of site `{name}` is not 64 hexadecimal digits"))?;
    let prefix = |p: &String| {
        p.parse::<Prefix>().map_err(|_| format!("`{p}` of site `{name}` is not a network such as 10.1.0.0/16"))
    };
    let prefixes = text.red.iter().map(prefix).collect::<Result<_, _>>()?;
    let organ = text.organ.as_deref().map(|organ| rules::organ(organ).map_err(|why| format!("site `{name}`: {why}")));
    let mut groups = text.groups.clone();
    groups.sort();
    groups.dedup();
    let groups = (!groups.is_empty()).then_some(groups);
    Ok(Site { name: name.clone(), identity, prefixes, organ: organ.transpose()?, hub: None, groups })
}

fn find(sites: &[SiteText], name: &str) -> Result<u32, String> {
    let found = (0u32..).zip(sites).find(|(_, site)| site.name == name);
    found.map(|(index, _)| index).ok_or_else(|| format!("the site `{name}` is named but not described"))
}

fn pair(text: &LinkText, sites: &[SiteText]) -> Result<Pair, String> {
    let [first, second] = &text.between;
    let (from, to) = (find(sites, first)?, find(sites, second)?);
    if from == to {
        return Err(format!("a link joins the site `{first}` with itself"));
    }
    let via = text.via.as_ref().map(|hub| find(sites, hub)).transpose()?;
    Ok(Pair { a: from.min(to), b: from.max(to), filters: filters(&text.allow, from > to)?, via })
}

/// What may pass, seen from the first of two sites; `swapped` if the policy has the second first.
pub fn filters(allow: &[AllowText], swapped: bool) -> Result<Vec<Filter>, String> {
    allow.iter().map(|a| filter(a, swapped)).collect()
}

fn filter(text: &AllowText, swapped: bool) -> Result<Filter, String> {
    let range = |ports: Option<[u16; 2]>| ports.map(|[first, last]| PortRange { first, last });
    let (from, to) = (range(text.from_ports), range(text.to_ports));
    let (a_ports, b_ports) = if swapped { (to, from) } else { (from, to) };
    Ok(Filter { protocol: text.protocol.number()?, a_ports, b_ports })
}

impl ProtocolText {
    fn number(&self) -> Result<u8, String> {
        match self {
            ProtocolText::Number(number) => Ok(*number),
            ProtocolText::Name(name) => protocol(name),
        }
    }
}

/// Protocols that have names here.
const PROTOCOLS: [(&str, u8); 4] = [("icmp", 1), ("tcp", 6), ("udp", 17), ("icmpv6", 58)];

/// The number of a protocol, by name or as it is.
pub fn protocol(text: &str) -> Result<u8, String> {
    let named = PROTOCOLS.into_iter().find(|(name, _)| *name == text).map(|(_, number)| number);
    let wrong = || format!("the protocol `{text}` is none of icmp, tcp, udp, icmpv6, or a number");
    named.map_or_else(|| text.parse().map_err(|_| wrong()), Ok)
}

/// A filter in words; `a` and `b` are the names of its sites.
pub fn filter_words(filter: &Filter, a: &str, b: &str) -> String {
    let named = PROTOCOLS.into_iter().find(|(_, number)| *number == filter.protocol);
    let protocol = named.map_or_else(|| format!("protocol {}", filter.protocol), |(name, _)| name.to_owned());
    let at = |site: &str, ports: &Option<PortRange>| match ports {
        None => String::new(),
        Some(PortRange { first, last }) if first == last => format!(", port {first} at {site}"),
        Some(PortRange { first, last }) => format!(", ports {first}-{last} at {site}"),
    };
    format!("{protocol}{}{}", at(a, &filter.a_ports), at(b, &filter.b_ports))
}

/// The policy for people to read.
pub fn show(bundle: &Bundle) -> String {
    let mut out = format!("serial {}\n", bundle.serial);
    for site in &bundle.sites {
        let red: Vec<String> = site.prefixes.iter().map(Prefix::to_string).collect();
        let _ = writeln!(out, "site {} {}\n  red {}", site.name, hex::encode(&site.identity), red.join(", "));
        for word in membership(bundle, site) {
            let _ = writeln!(out, "  {word}");
        }
    }
    for pair in &bundle.pairs {
        let [a, b] = site_names(bundle, pair);
        let _ = writeln!(out, "link {a} — {b}: {}", pair_words(bundle, pair));
    }
    for rule in bundle.rules.iter().flatten() {
        let (between, what) = rules::words(bundle, rule);
        let _ = writeln!(out, "rule {between}: {what}");
    }
    if let Some(words) = bypass_words(bundle) {
        let _ = writeln!(out, "bypass {words}");
    }
    out
}

/// Who may order a bypass: nothing where nobody can.
pub fn bypass_words(bundle: &Bundle) -> Option<String> {
    bundle.bypass.as_ref().map(|Custodians { threshold, keys, most_seconds }| {
        let keys: Vec<String> = keys.iter().map(|key| hex::encode(&key[..])).collect();
        format!("{threshold} of {}, {most_seconds} s at most", keys.join(", "))
    })
}

/// A site's organ, hub and groups, as far as it says them.
pub fn membership(bundle: &Bundle, site: &Site) -> Vec<String> {
    let organ = site.organ.map(|organ: Organ| format!("organ {organ}"));
    let hub = site.hub.map(|hub| format!("hub {}", site_name(bundle, hub)));
    let groups = site.groups.as_ref().map(|groups| format!("groups {}", groups.join(", ")));
    [organ, hub, groups].into_iter().flatten().collect()
}

/// The names of a pair's sites, a before b.
pub fn site_names<'a>(bundle: &'a Bundle, pair: &Pair) -> [&'a str; 2] {
    [pair.a, pair.b].map(|index| site_name(bundle, index))
}

/// The name of a site of the bundle.
pub fn site_name(bundle: &Bundle, index: u32) -> &str {
    let found = usize::try_from(index).ok().and_then(|i| bundle.sites.get(i));
    found.map_or("?", |site| site.name.as_str())
}

/// What a pair may exchange, and through which hub.
pub fn pair_words(bundle: &Bundle, pair: &Pair) -> String {
    let [a, b] = site_names(bundle, pair);
    let what = filters_words(&pair.filters, a, b);
    pair.via.map_or_else(|| what.clone(), |hub| format!("{what} (via {})", site_name(bundle, hub)))
}

/// What filters let pass; `a` and `b` are the names of their ends.
pub fn filters_words(filters: &[Filter], a: &str, b: &str) -> String {
    let words = filters.iter().map(|filter| filter_words(filter, a, b));
    if filters.is_empty() { "everything".into() } else { words.collect::<Vec<_>>().join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(extra: &str) -> String {
        let [a, b] = ["aa", "bb"].map(|x| x.repeat(32));
        format!(
            "serial = 3\n\
             [[site]]\nname = \"a\"\nidentity = \"{a}\"\nred = [\"10.1.0.0/16\", \"fd00:1::/32\"]\n\
             [[site]]\nname = \"b\"\nidentity = \"{b}\"\nred = [\"10.2.0.0/16\"]\n\
             [[link]]\nbetween = [\"b\", \"a\"]\n{extra}"
        )
    }

    #[test]
    fn a_link_is_ordered_and_its_ports_stay_with_their_site() {
        let bundle = parse(&text("allow = [{ protocol = \"tcp\", to_ports = [443, 443] }]\n")).expect("valid");
        let [pair] = bundle.pairs.as_slice() else { panic!("one pair") };
        assert_eq!((pair.a, pair.b), (0, 1));
        let [filter] = pair.filters.as_slice() else { panic!("one filter") };
        assert_eq!(filter.a_ports, Some(PortRange { first: 443, last: 443 }), "site a is the second named");
        assert_eq!(filter.b_ports, None);
    }

    #[test]
    fn what_does_not_resolve_is_refused() {
        assert!(parse(&text("[[link]]\nbetween = [\"a\", \"z\"]\n")).is_err());
        assert!(parse(&text("[[link]]\nbetween = [\"a\", \"a\"]\n")).is_err());
        assert!(parse(&text("bypass = true\n")).is_err());
        assert!(parse(&text("").replace("10.2.0.0", "10.2.0.1")).is_err());
    }
}
