//! A policy for programs: what a bundle grants, by names.

use coloa_link::bundle::{Bundle, Filter, Pair, PortRange, Site};
use coloa_link::rule::{Rule, Via};
use serde::Serialize;

use super::description::site_name;
use super::rules;
use crate::hex;

/// The whole bundle.
#[derive(Debug, Serialize)]
pub struct View {
    serial: u64,
    sites: Vec<SiteView>,
    links: Vec<Grant>,
    rules: Vec<Grant>,
    /// Who may order a bypass.
    bypass: Option<Bypass>,
}

#[derive(Debug, Serialize)]
struct Bypass {
    threshold: u8,
    custodians: Vec<String>,
    most_seconds: u32,
}

#[derive(Debug, Serialize)]
struct SiteView {
    name: String,
    identity: String,
    organ: Option<&'static str>,
    hub: Option<String>,
    groups: Vec<String>,
    red: Vec<String>,
}

/// Who may talk to whom.
#[derive(Debug, Serialize)]
struct Grant {
    between: [String; 2],
    /// A site's name, or `hub` for the one that both have.
    via: Option<String>,
    /// Empty means everything.
    allow: Vec<Allow>,
}

#[derive(Debug, Serialize)]
struct Allow {
    protocol: u8,
    from_ports: Option<[u16; 2]>,
    to_ports: Option<[u16; 2]>,
}

/// The bundle by names.
pub fn of(bundle: &Bundle) -> View {
    View {
        serial: bundle.serial,
        sites: bundle.sites.iter().map(|site| site_view(bundle, site)).collect(),
        links: bundle.pairs.iter().map(|pair| pair_view(bundle, pair)).collect(),
        rules: bundle.rules.iter().flatten().map(|rule| rule_view(bundle, rule)).collect(),
        bypass: bundle.bypass.as_ref().map(|custodians| Bypass {
            threshold: custodians.threshold,
            custodians: custodians.keys.iter().map(|key| hex::encode(&key[..])).collect(),
            most_seconds: custodians.most_seconds,
        }),
    }
}

fn site_view(bundle: &Bundle, site: &Site) -> SiteView {
    SiteView {
        name: site.name.clone(),
        identity: hex::encode(&site.identity),
        organ: site.organ.map(coloa_link::Organ::word),
        hub: site.hub.map(|hub| site_name(bundle, hub).to_owned()),
        groups: site.groups.clone().unwrap_or_default(),
        red: site.prefixes.iter().map(ToString::to_string).collect(),
    }
}

fn pair_view(bundle: &Bundle, pair: &Pair) -> Grant {
    let name = |index| site_name(bundle, index).to_owned();
    Grant { between: [name(pair.a), name(pair.b)], via: pair.via.map(name), allow: allow(&pair.filters) }
}

fn rule_view(bundle: &Bundle, rule: &Rule) -> Grant {
    let name = |index| site_name(bundle, index).to_owned();
    let via = rule.via.map(|via| match via {
        Via::Site(index) => name(index),
        Via::CommonHub => "hub".into(),
    });
    let between = [&rule.a, &rule.b].map(|members| rules::written(members, name));
    Grant { between, via, allow: allow(&rule.filters) }
}

fn allow(filters: &[Filter]) -> Vec<Allow> {
    let range = |ports: Option<PortRange>| ports.map(|PortRange { first, last }| [first, last]);
    let view = |filter: &Filter| Allow {
        protocol: filter.protocol,
        from_ports: range(filter.a_ports),
        to_ports: range(filter.b_ports),
    };
    filters.iter().map(view).collect()
}
