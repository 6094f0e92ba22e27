//! What a new policy changes, for whoever signs it and for whoever has to live with it.

use std::collections::BTreeMap;

use coloa_link::bundle::{Bundle, Pair, Site};
use serde::Serialize;

use super::description::{bypass_words, membership, pair_words, site_names};
use super::rules;
use crate::hex;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What becomes of it.
    pub kind: Kind,
    /// A site's name, or two of them.
    pub what: String,
    /// The particulars.
    pub detail: String,
}

/// What becomes of a site or a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.kind {
            Kind::Added => '+',
            Kind::Removed => '-',
            Kind::Changed => '~',
        };
        write!(f, "{sign} {}: {}", self.what, self.detail)
    }
}

/// Everything that differs, sites before links before rules, each by name.
pub fn between(old: &Bundle, new: &Bundle) -> Vec<Change> {
    let arrow = |old: &String, new: &String| format!("{old} → {new}");
    let sites = changes(&named_sites(old), &named_sites(new), Entry::words, site_change);
    let links = changes(&named_pairs(old), &named_pairs(new), Clone::clone, arrow);
    let rules = changes(&named_rules(old), &named_rules(new), Clone::clone, arrow);
    let [sites, links, rules] = [("site ", sites), ("link ", links), ("rule ", rules)]
        .map(|(word, changes)| changes.into_iter().map(move |change| prefixed(word, change)));
    let one = |bundle: &Bundle| bypass_words(bundle).map(|words| ("bypass".to_owned(), words)).into_iter().collect();
    let bypass = changes(&one(old), &one(new), Clone::clone, arrow);
    sites.chain(links).chain(rules).chain(bypass).collect()
}

fn prefixed(word: &str, change: Change) -> Change {
    Change { what: format!("{word}{}", change.what), ..change }
}

fn changes<T: PartialEq>(
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    words: impl Fn(&T) -> String,
    change: impl Fn(&T, &T) -> String,
) -> Vec<Change> {
    let mut all = Vec::new();
    for (name, was) in old {
        match new.get(name) {
            None => all.push(Change { kind: Kind::Removed, what: name.clone(), detail: words(was) }),
            Some(is) if is != was => {
                all.push(Change { kind: Kind::Changed, what: name.clone(), detail: change(was, is) });
            }
            Some(_) => {}
        }
    }
    let added = new.iter().filter(|(name, _)| !old.contains_key(*name));
    all.extend(added.map(|(name, is)| Change { kind: Kind::Added, what: name.clone(), detail: words(is) }));
    all
}

/// A site, with what it says by names: a site's place in a bundle means nothing in another.
#[derive(PartialEq)]
struct Entry {
    site: Site,
    membership: Vec<String>,
}

impl Entry {
    fn words(&self) -> String {
        let networks = self.site.prefixes.iter().map(ToString::to_string);
        networks.chain(self.membership.iter().cloned()).collect::<Vec<_>>().join(", ")
    }
}

fn named_sites(bundle: &Bundle) -> BTreeMap<String, Entry> {
    let entry = |site: &Site| {
        let membership = membership(bundle, site);
        (site.name.clone(), Entry { site: Site { hub: None, ..site.clone() }, membership })
    };
    bundle.sites.iter().map(entry).collect()
}

/// The rules by whom they join. Several for the same sites are told together.
fn named_rules(bundle: &Bundle) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for rule in bundle.rules.iter().flatten() {
        let (between, what) = rules::words(bundle, rule);
        let told = all.entry(between).or_default();
        *told = if told.is_empty() { what } else { format!("{told}; or {what}") };
    }
    all
}

/// What each two sites may exchange, under their names in order: a site's place in a bundle means nothing in another.
fn named_pairs(bundle: &Bundle) -> BTreeMap<String, String> {
    let named = |pair: &Pair| {
        let (mut names, words) = (site_names(bundle, pair), pair_words(bundle, pair));
        names.sort();
        (names.join(" — "), words)
    };
    bundle.pairs.iter().map(named).collect()
}

fn site_change(was: &Entry, is: &Entry) -> String {
    let (old, new) = (&was.site, &is.site);
    let mut parts = Vec::new();
    parts.extend(new.prefixes.iter().filter(|p| !old.prefixes.contains(p)).map(|p| format!("+ {p}")));
    parts.extend(old.prefixes.iter().filter(|p| !new.prefixes.contains(p)).map(|p| format!("- {p}")));
    parts.extend(is.membership.iter().filter(|word| !was.membership.contains(word)).map(|word| format!("+ {word}")));
    parts.extend(was.membership.iter().filter(|word| !is.membership.contains(word)).map(|word| format!("- {word}")));
    if old.identity != new.identity {
        parts.push(format!("identity {} → {}", hex::encode(&old.identity), hex::encode(&new.identity)));
    }
    if parts.is_empty() {
        parts.push("its networks are in another order".into());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::description;
    use super::*;

    fn policy(sites: &[(&str, &str)], links: &str) -> Bundle {
        let mut text = "serial = 1\n".to_owned();
        for (name, network) in sites {
            let identity = hex::encode(&[name.as_bytes()[0]; 32]);
            text += &format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = [\"{network}\"]\n");
        }
        description::parse(&(text + links)).expect("a policy")
    }

    fn said(old: &Bundle, new: &Bundle) -> Vec<String> {
        between(old, new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_differs_is_named_and_the_order_of_sites_is_no_difference() {
        let link = "[[link]]\nbetween = [\"a\", \"b\"]\n";
        let web = "allow = [{ protocol = \"tcp\", to_ports = [443, 443] }]\n";
        let old = policy(&[("a", "10.1.0.0/16"), ("b", "10.2.0.0/16")], &format!("{link}{web}"));
        assert_eq!(said(&old, &old), [""; 0]);
        let turned = policy(&[("b", "10.2.0.0/16"), ("a", "10.1.0.0/16")], &format!("{link}{web}"));
        assert_eq!(said(&old, &turned), [""; 0]);
        let more = "[[link]]\nbetween = [\"a\", \"c\"]\n";
        let new = policy(&[("a", "10.9.0.0/16"), ("b", "10.2.0.0/16"), ("c", "10.3.0.0/16")], &format!("{link}{more}"));
        let forth = [
            "~ site a: + 10.9.0.0/16, - 10.1.0.0/16",
            "+ site c: 10.3.0.0/16",
            "~ link a — b: tcp, port 443 at b → everything",
            "+ link a — c: everything",
        ];
        assert_eq!(said(&old, &new), forth);
        assert_eq!(said(&new, &old).iter().filter(|line| line.starts_with('-')).count(), 2);
    }

    #[test]
    fn organs_hubs_and_rules_are_told_by_name() {
        let sites = |organ: &str, hub: &str| {
            let more = [format!("organ = \"{organ}\"\nhub = \"{hub}\"\n"), String::new(), String::new()];
            let described = ["a", "h", "k"].iter().zip(["1", "2", "3"]).zip(more).map(|((name, n), more)| {
                let identity = hex::encode(&[name.as_bytes()[0]; 32]);
                format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = [\"10.{n}.0.0/16\"]\n{more}")
            });
            described.collect::<String>()
        };
        let rule = "[[rule]]\nbetween = [\"organ:court\", \"hub\"]\n";
        let parse = |text: String| description::parse(&format!("serial = 1\n{text}")).expect("a policy");
        let old = parse(sites("court", "h") + rule);
        let new =
            parse(sites("procuracy", "k") + &rule.replace("court", "procuracy") + "allow = [{ protocol = \"tcp\" }]\n");
        let told = [
            "~ site a: + organ procuracy, + hub k, - organ court, - hub h",
            "- rule organ:court — their hub: everything",
            "+ rule organ:procuracy — their hub: tcp",
        ];
        assert_eq!(said(&old, &new), told);
        assert_eq!(said(&new, &new), [""; 0]);
    }
}
