//! The organ of a site is in the signed policy and in its certificate, and both must agree (R31, R37).

use std::process::Command;

use crate::authority::{Authority, LINKD};
use crate::daemon::{Daemon, both, config};
use crate::network::{Network, eventually};

/// A policy in which both sites are courts, and courts may talk to courts.
fn courts(authority: &Authority, serial: u64) {
    let site = |name: &str, red: &str| {
        let identity = authority.identity(name);
        format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = [\"{red}\"]\norgan = \"court\"\n")
    };
    let sites = site("a", "10.71.0.0/24") + &site("b", "10.72.0.0/24");
    let rule = "[[rule]]\nbetween = [\"organ:court\", \"organ:court\"]\n";
    authority.sign_text("policy", &format!("serial = {serial}\n{sites}{rule}"));
}

#[test]
fn a_rule_between_organs_joins_sites_whose_certificates_say_so() {
    let (authority, network) = (Authority::make(), Network::make());
    // By the organ's name in full, and by its short word.
    authority.issue_of("a", "Tòa án nhân dân");
    authority.issue_of("b", "court");
    courts(&authority, 5);
    let _daemons = both(&authority, &network);
    eventually("the courts talk", || network.pings());
    let why = Command::new(LINKD)
        .args(["why", "--config", &authority.text_path("a.toml"), "--lang", "en"])
        .args(["10.71.0.5", "10.72.0.9"])
        .output()
        .expect("coloa-linkd");
    let said = String::from_utf8_lossy(&why.stdout).into_owned();
    for part in ["10.72.0.0/24 of b (court)", "organ:court — organ:court: everything", "then, at  b: delivered, from a"]
    {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
}

#[test]
fn a_certificate_of_another_organ_is_refused_by_name_before_and_while_a_link_lives() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.issue_of("a", "court");
    authority.issue_of("b", "procuracy");
    authority.sign_policy(5, &["a", "b"], "[[link]]\nbetween = [\"a\", \"b\"]\n");
    // The policy says no organ: the link comes up. Then it says one.
    let [a, b] = both(&authority, &network);
    courts(&authority, 6);
    a.says("the signed policy has it as court, its certificate says procuracy");
    assert!(!network.pings(), "the link was cut");
    assert!(a.words().contains("not encrypting, blocked"), "{}", a.words());
    drop((a, b));
    // And from the first: no certificate without an organ passes either.
    authority.issue("b", crate::authority::Flaw::None);
    courts(&authority, 7);
    let a = Daemon::start(&authority, "a", &config(&authority, &network, "a"));
    let b = Daemon::start(&authority, "b", &config(&authority, &network, "b"));
    a.says("its certificate says no organ that is known");
    b.says("the policy has us as another organ than our certificate");
    eventually("status says why", || a.words().contains("another organ"));
    assert!(!network.pings());
    drop(b);
}
