//! Policy over the links: a site gets the newest signed policy from whoever has it, and believes the signature alone (R37).

use crate::authority::{Authority, Flaw};
use crate::daemon::{Daemon, config};
use crate::network::{Network, eventually};

const LINK: &str = "[[link]]\nbetween = [\"a\", \"b\"]\n";

/// Site b has a file of its own, as it was when the box was set up.
fn config_b(authority: &Authority, network: &Network) -> String {
    config(authority, network, "b").replace("policy.bundle", "policy-b.bundle")
}

fn copy(authority: &Authority, from: &str, to: &str) {
    std::fs::copy(authority.path(from), authority.path(to)).expect("copy");
}

fn has_policy(daemon: &Daemon, serial: u64) -> bool {
    daemon.words().contains(&format!("policy {serial}\n"))
}

#[test]
fn a_newer_policy_comes_over_the_link_and_a_site_that_was_away_catches_up() {
    let (authority, network) = (Authority::make(), Network::make());
    copy(&authority, "policy.bundle", "policy-b.bundle");
    let a = Daemon::start(&authority, "a", &config(&authority, &network, "a"));
    let b = Daemon::start(&authority, "b", &config_b(&authority, &network));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    // So many sites that the bundle comes in several pieces.
    let more: String = (0..800)
        .map(|n| {
            let (identity, red) = (format!("{n:064x}"), format!("10.{}.{}.0/24", 100 + n / 200, n % 200));
            format!("[[site]]\nname = \"site-{n}\"\nidentity = \"{identity}\"\nred = [\"{red}\"]\n")
        })
        .collect();
    authority.sign_policy(6, &["a", "b"], &(more + LINK));
    assert!(std::fs::metadata(authority.path("policy.bundle")).expect("bundle").len() > 40_000);
    eventually("b has the new policy", || has_policy(&b, 6));
    assert!(b.log().contains("a newer policy came over the link"), "{}", b.log());
    assert!(network.pings());
    // While b is away two more are signed; and its own file is still the first.
    drop(b);
    authority.sign_policy(7, &["a", "b"], LINK);
    authority.sign_policy(8, &["a", "b"], LINK);
    eventually("a has it", || has_policy(&a, 8));
    let b = Daemon::start(&authority, "b", &config_b(&authority, &network));
    eventually("b catches up", || has_policy(&b, 8));
    // Durable: what came over the link outlives the link.
    drop((a, b));
    let b = Daemon::start(&authority, "b", &config_b(&authority, &network));
    eventually("and remembers", || has_policy(&b, 8));
    // A file put there by hand, with a higher serial, still counts.
    authority.sign_policy(9, &["a", "b"], LINK);
    copy(&authority, "policy.bundle", "policy-b.bundle");
    eventually("by removable media", || has_policy(&b, 9));
}

#[test]
fn what_another_authority_signed_is_refused_and_reported_while_the_link_lives_on() {
    let (authority, network) = (Authority::make(), Network::make());
    copy(&authority, "policy.bundle", "policy-b.bundle");
    // A hub that believes a second authority, which b does not.
    authority.issue("policy2", Flaw::None);
    authority.sign_policy_as("policy2", 9, &["a", "b"], LINK);
    let hub = config(&authority, &network, "a").replace("policy.pem", "policy2.pem");
    let _a = Daemon::start(&authority, "a", &hub);
    let b = Daemon::start(&authority, "b", &config_b(&authority, &network));
    b.encrypts();
    b.says("the policy that the peer handed over is refused");
    let words = b.words();
    assert!(words.contains("it was not signed by the policy authority") && has_policy(&b, 5), "{words}");
    assert!(!authority.path("state-b/policy-received.bundle").exists());
    assert!(network.pings());
}
