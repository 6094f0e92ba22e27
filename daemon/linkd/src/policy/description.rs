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
//! `to_ports` are the ports at the second site, `from_ports` those at the first.

use std::fmt::Write;

use coloa_link::Bundle;
use coloa_link::Prefix;
use coloa_link::bundle::{Filter, Pair, PortRange, Site, VERSION};
use serde::Deserialize;

use crate::hex;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    serial: u64,
    #[serde(default)]
    site: Vec<SiteText>,
    #[serde(default)]
    link: Vec<LinkText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteText {
    name: String,
    identity: String,
    red: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkText {
    between: [String; 2],
    #[serde(default)]
    allow: Vec<AllowText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowText {
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
    let sites = text.site.iter().map(site).collect::<Result<Vec<_>, _>>()?;
    let mut pairs = text.link.iter().map(|l| pair(l, &sites)).collect::<Result<Vec<_>, _>>()?;
    pairs.sort_by_key(|p| (p.a, p.b));
    let bundle = Bundle { version: VERSION, serial: text.serial, sites, pairs };
    bundle.clone().resume(bundle.serial).map_err(|e| e.to_string())?;
    Ok(bundle)
}

fn site(text: &SiteText) -> Result<Site, String> {
    let identity = hex::decode(&text.identity)
        .and_then(|octets| octets.try_into().ok())
        .ok_or_else(|| format!("the identity of site `{}` is not 64 hexadecimal digits", text.name))?;
    let prefix = |p: &String| {
        p.parse::<Prefix>().map_err(|_| format!("`{p}` of site `{}` is not a network such as 10.1.0.0/16", text.name))
    };
    Ok(Site { name: text.name.clone(), identity, prefixes: text.red.iter().map(prefix).collect::<Result<_, _>>()? })
}

fn pair(text: &LinkText, sites: &[Site]) -> Result<Pair, String> {
    let find = |name: &String| {
        let found = (0u32..).zip(sites).find(|(_, site)| &site.name == name);
        found.map(|(index, _)| index).ok_or_else(|| format!("a link names the unknown site `{name}`"))
    };
    let [first, second] = &text.between;
    let (from, to) = (find(first)?, find(second)?);
    if from == to {
        return Err(format!("a link joins the site `{first}` with itself"));
    }
    let filters = text.allow.iter().map(|a| filter(a, from > to)).collect::<Result<_, _>>()?;
    Ok(Pair { a: from.min(to), b: from.max(to), filters })
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
    }
    for pair in &bundle.pairs {
        let [a, b] = site_names(bundle, pair);
        let _ = writeln!(out, "link {a} — {b}: {}", pair_words(bundle, pair));
    }
    out
}

/// The names of a pair's sites, a before b.
pub fn site_names<'a>(bundle: &'a Bundle, pair: &Pair) -> [&'a str; 2] {
    [pair.a, pair.b].map(|index| {
        let found = usize::try_from(index).ok().and_then(|i| bundle.sites.get(i));
        found.map_or("?", |site| site.name.as_str())
    })
}

/// What a pair may exchange.
pub fn pair_words(bundle: &Bundle, pair: &Pair) -> String {
    let [a, b] = site_names(bundle, pair);
    let words = pair.filters.iter().map(|filter| filter_words(filter, a, b));
    if pair.filters.is_empty() { "everything".into() } else { words.collect::<Vec<_>>().join("; ") }
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
