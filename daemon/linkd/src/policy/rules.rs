//! Rules for many sites at once, as their authors write them:
//!
//! ```toml
//! [[site]]
//! organ = "court"          # party, national-assembly, front, court, procuracy, government; the certificate must say it too
//! hub = "hue"              # the hub that it belongs to
//! groups = ["north"]
//! [[rule]]
//! between = ["organ:court", "hub"]              # each court and its own hub
//! [[rule]]
//! between = ["organ:court", "organ:procuracy"]
//! via = "hub"                                   # through the hub that both have; or the name of a site
//! allow = [{ protocol = "tcp", to_ports = [443, 443] }]
//! ```
//! `site:NAME` and `group:NAME` stand beside `organ:NAME`. A rule only grants: what nothing grants is denied.

use coloa_link::Organ;
use coloa_link::bundle::{Bundle, Site};
use coloa_link::rule::{Members, Rule, Via};
use serde::Deserialize;

use super::description::{self, AllowText, filters_words, site_name};

/// The hub of the other end.
const HUB: &str = "hub";

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    between: [String; 2],
    #[serde(default)]
    allow: Vec<AllowText>,
    via: Option<String>,
}

/// Parses a rule; whom it names must be there.
pub fn parse(text: &RuleText, sites: &[Site]) -> Result<Rule, String> {
    let [first, second] = &text.between;
    // The hub comes second in a bundle, wherever it was written.
    let swapped = first == HUB;
    let (a, b) = if swapped { (second, first) } else { (first, second) };
    let (a, b) = (members(a, sites)?, members(b, sites)?);
    if a == Members::TheirHub {
        return Err("a rule between a hub and a hub says nothing".into());
    }
    let via = text.via.as_deref().map(|via| match via {
        HUB => Ok(Via::CommonHub),
        name => site(name, sites).map(Via::Site),
    });
    Ok(Rule { a, b, filters: description::filters(&text.allow, swapped)?, via: via.transpose()? })
}

/// The organ of this name.
pub fn organ(name: &str) -> Result<Organ, String> {
    let all = || Organ::ALL.map(Organ::word).join(", ");
    Organ::named(name).ok_or_else(|| format!("`{name}` is none of the organs {}", all()))
}

fn members(text: &str, sites: &[Site]) -> Result<Members, String> {
    if text == HUB {
        return Ok(Members::TheirHub);
    }
    match text.split_once(':') {
        Some(("site", name)) => site(name, sites).map(Members::Site),
        Some(("organ", name)) => {
            let organ = organ(name)?;
            let found = sites.iter().any(|site| site.organ == Some(organ));
            if found { Ok(Members::Organ(organ)) } else { Err(format!("a rule names `{text}`, but no site is of it")) }
        }
        Some(("group", name)) => {
            let found = sites.iter().flat_map(|site| site.groups.iter().flatten()).any(|group| group == name);
            let none = || format!("a rule names `{text}`, but no site is in it");
            if found { Ok(Members::Group(name.into())) } else { Err(none()) }
        }
        _ => Err(format!("`{text}` in a rule is none of site:NAME, organ:NAME, group:NAME, hub")),
    }
}

fn site(name: &str, sites: &[Site]) -> Result<u32, String> {
    let found = (0u32..).zip(sites).find(|(_, site)| site.name == name);
    found.map(|(index, _)| index).ok_or_else(|| format!("a rule names the unknown site `{name}`"))
}

/// Some sites as a description writes them.
pub fn written(members: &Members, name: impl Fn(u32) -> String) -> String {
    match members {
        Members::Site(index) => format!("site:{}", name(*index)),
        Members::Organ(organ) => format!("organ:{organ}"),
        Members::Group(group) => format!("group:{group}"),
        Members::TheirHub => HUB.into(),
    }
}

/// Whom a rule joins, and what it lets pass.
pub fn words(bundle: &Bundle, rule: &Rule) -> (String, String) {
    let name = |index| site_name(bundle, index).to_owned();
    words_with(rule, name)
}

/// The same with another way to a site's name.
pub fn words_with(rule: &Rule, name: impl Fn(u32) -> String) -> (String, String) {
    let words = |members: &Members| match members {
        Members::Site(index) => name(*index),
        Members::Organ(organ) => format!("organ:{organ}"),
        Members::Group(group) => format!("group:{group}"),
        Members::TheirHub => "their hub".into(),
    };
    let (a, b) = (words(&rule.a), words(&rule.b));
    let what = filters_words(&rule.filters, &a, &b);
    let via = match rule.via {
        None => String::new(),
        Some(Via::Site(index)) => format!(" (via {})", name(index)),
        Some(Via::CommonHub) => " (via their common hub)".into(),
    };
    (format!("{a} — {b}"), format!("{what}{via}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rule: &str) -> Result<Rule, String> {
        let site = |name: &str, n: u8, more: &str| {
            let identity = crate::hex::encode(&[n; 32]);
            format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = [\"10.{n}.0.0/16\"]\n{more}\n")
        };
        let sites = site("a", 1, "organ = \"court\"\nhub = \"h\"") + &site("h", 2, "groups = [\"hubs\"]");
        let bundle = description::parse(&format!("serial = 1\n{sites}[[rule]]\n{rule}\n"))?;
        bundle.rules.and_then(|rules| rules.into_iter().next()).ok_or_else(|| "no rule".into())
    }

    #[test]
    fn whom_a_rule_joins_is_read_by_name() {
        let court = Members::Organ(Organ::Court);
        let plain = Rule { a: court.clone(), b: Members::TheirHub, filters: vec![], via: None };
        assert_eq!(parse("between = [\"organ:court\", \"hub\"]"), Ok(plain));
        let groups = Rule { a: Members::Group("hubs".into()), b: Members::Site(0), filters: vec![], via: None };
        assert_eq!(parse("between = [\"group:hubs\", \"site:a\"]"), Ok(groups));
        let via = |via| parse(&format!("between = [\"organ:court\", \"organ:court\"]\nvia = \"{via}\"")).map(|r| r.via);
        assert_eq!((via("hub"), via("h")), (Ok(Some(Via::CommonHub)), Ok(Some(Via::Site(1)))));
    }

    #[test]
    fn a_port_stays_at_the_end_it_was_written_for() {
        let allow = "allow = [{ protocol = \"tcp\", to_ports = [443, 443] }]";
        let asked = |between: &str| {
            let rule = parse(&format!("between = {between}\n{allow}")).expect("a rule");
            let [filter] = rule.filters.as_slice() else { panic!("one filter") };
            (filter.a_ports.is_some(), filter.b_ports.is_some())
        };
        assert_eq!(asked("[\"organ:court\", \"hub\"]"), (false, true));
        assert_eq!(asked("[\"hub\", \"organ:court\"]"), (true, false), "the hub asks the court");
    }

    #[test]
    fn what_does_not_resolve_is_named() {
        let refusals = [
            ("between = [\"organ:navy\", \"hub\"]", "navy"),
            ("between = [\"organ:front\", \"hub\"]", "no site is of it"),
            ("between = [\"group:south\", \"hub\"]", "no site is in it"),
            ("between = [\"site:z\", \"hub\"]", "unknown site `z`"),
            ("between = [\"court\", \"hub\"]", "none of site:NAME"),
            ("between = [\"hub\", \"hub\"]", "says nothing"),
            ("between = [\"organ:court\", \"hub\"]\nvia = \"z\"", "unknown site `z`"),
            ("between = [\"organ:court\", \"hub\"]\nvia = \"hub\"", "where none can be meant"),
        ];
        for (rule, part) in refusals {
            let why = parse(rule).expect_err(rule);
            assert!(why.contains(part), "`{part}` is not in: {why}");
        }
    }
}
