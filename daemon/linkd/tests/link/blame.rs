//! When a link is down, `status` says whose fault it is: carrier, address, certificate, clock, policy, HSM.

use crate::authority::{Authority, Flaw};
use crate::daemon::{Daemon, config};
use crate::network::{Network, eventually};

/// Waits until the one link of a daemon is blamed on this.
fn blames(daemon: &Daemon, what: &str) {
    let mut last = String::new();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(40);
    while std::time::Instant::now() < end {
        last = String::from_utf8_lossy(&daemon.status(&["--json"]).stdout).into_owned();
        let status: serde_json::Value = serde_json::from_str(&last).unwrap_or_default();
        if status["links"][0]["blame"] == what {
            let words = daemon.words().to_lowercase();
            assert!(words.contains(&format!("fault: {what} — ")), "{words}");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{what} was never blamed: {last}");
}

fn start(authority: &Authority, network: &Network, site: &str) -> Daemon {
    Daemon::start(authority, site, &config(authority, network, site))
}

#[test]
fn a_line_that_is_cut_is_the_carriers_and_a_closed_door_the_addresss() {
    let (authority, network) = (Authority::make(), Network::make());
    let a = start(&authority, &network, "a");
    blames(&a, "address");
    network.black[1].good("ip", &["link", "set", "wire", "down"]);
    blames(&a, "carrier");
    network.black[1].good("ip", &["link", "set", "wire", "up"]);
    let b = start(&authority, &network, "b");
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    eventually("nobody is to blame", || !a.words().contains("fault: "));
}

#[test]
fn certificates_and_clocks_are_told_apart_at_both_ends() {
    for (flaw, what) in [(Flaw::Expired, "certificate"), (Flaw::Early, "clock"), (Flaw::Foreign, "certificate")] {
        let (authority, network) = (Authority::make(), Network::make());
        authority.issue("b", flaw);
        authority.sign_policy(6, &["a", "b"], "[[link]]\nbetween = [\"a\", \"b\"]\n");
        let [a, b] = ["a", "b"].map(|site| start(&authority, &network, site));
        blames(&a, what);
        // And b knows it of itself.
        blames(&b, what);
    }
}

#[test]
fn two_ends_with_different_policies_blame_the_policy() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.sign_policy(6, &["a", "b"], "");
    std::fs::copy(authority.path("policy.bundle"), authority.path("policy-b.bundle")).expect("copy");
    authority.sign_policy(5, &["a", "b"], "[[link]]\nbetween = [\"a\", \"b\"]\n");
    let b = config(&authority, &network, "b").replace("policy.bundle", "policy-b.bundle");
    let a = start(&authority, &network, "a");
    let _b = Daemon::start(&authority, "b", &b);
    blames(&a, "policy");
}

#[test]
fn an_hsm_that_went_away_is_blamed_once_the_last_keys_are_spent() {
    let (authority, network) = (Authority::make(), Network::make());
    let brief = |site| config(&authority, &network, site) + "[rekey]\nafter_seconds = 5\ndrain_seconds = 1\n";
    let [a, b] = ["a", "b"].map(|site| Daemon::start(&authority, site, &brief(site)));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    let tokens = authority.path("tokens-a");
    std::fs::rename(&tokens, authority.path("gone")).expect("rename");
    a.kill_keyholder();
    blames(&a, "hsm");
    std::fs::rename(authority.path("gone"), &tokens).expect("rename");
    a.encrypts();
}
