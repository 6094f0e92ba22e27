//! Whom the link refuses (R31).

use std::process::Command;

use crate::authority::{Authority, Flaw};
use crate::daemon::{Daemon, both, config};
use crate::network::{BLACK, Network, eventually, run};

/// Site b is wrong in some way; site a says why, and nothing passes.
fn refused(authority: &Authority, network: &Network, why: &str) {
    let [a, b] = ["a", "b"].map(|site| Daemon::start(authority, site, &config(authority, network, site)));
    a.says(why);
    for daemon in [&a, &b] {
        eventually("status answers", || daemon.words().contains("blocked"));
        assert_eq!(daemon.status(&[]).status.code(), Some(3), "{}", daemon.words());
    }
    assert!(!network.pings());
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.issue("b", Flaw::Foreign);
    authority.sign_policy(6, &["a", "b"], "[[link]]\nbetween = [\"a\", \"b\"]\n");
    refused(&authority, &network, "BadSignature");
}

#[test]
fn an_expired_certificate_is_refused() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.issue("b", Flaw::Expired);
    authority.sign_policy(6, &["a", "b"], "[[link]]\nbetween = [\"a\", \"b\"]\n");
    refused(&authority, &network, "Expired");
}

#[test]
fn a_peer_that_the_policy_does_not_grant_is_refused() {
    let (authority, network) = (Authority::make(), Network::make());
    // A device with a good certificate that no policy names: site b's identity in the policy is another.
    authority.issue("b", Flaw::None);
    refused(&authority, &network, "the signed policy grants no link with");
}

/// R30: nothing but the hybrid exchange is offered, so there is nothing to be talked down to.
#[test]
fn a_classical_key_exchange_is_refused() {
    let (authority, network) = (Authority::make(), Network::make());
    let a = Daemon::start(&authority, "a", &config(&authority, &network, "a"));
    eventually("status answers", || a.words().contains("blocked"));
    let target = format!("{}:4500", BLACK[0]);
    for words in [&["-tls1_3", "-groups", "X25519"][..], &["-tls1_3", "-groups", "P-384"], &["-tls1_2"]] {
        let mut all = vec!["netns", "exec", &network.black[1].0, "openssl", "s_client", "-connect", &target];
        all.extend(words);
        let answer = run("ip", &all);
        let text = String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned();
        assert!(text.contains("alert"), "{words:?}: {text}");
        assert!(!text.contains("Server certificate"), "{words:?}: {text}");
    }
}

#[test]
fn a_revoked_peer_is_cut_off() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.revoke(&[]);
    let with_crl =
        |site| config(&authority, &network, site).replace("\"root.pem\"\n", "\"root.pem\"\ncrl = \"crl.pem\"\n");
    let a = Daemon::start(&authority, "a", &with_crl("a"));
    let b = Daemon::start(&authority, "b", &config(&authority, &network, "b"));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    assert!(network.pings());
    authority.revoke(&["b"]);
    eventually("the link is cut", || a.words().contains("not encrypting, blocked"));
    assert!(!network.pings());
    a.says("the link is cut");
}

/// R31: the stated policy where a status cannot be known is to refuse, for links that live as for new ones.
#[test]
fn a_list_that_is_out_of_date_cuts_a_living_link_and_a_new_one_brings_it_back() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.revoke(&[]);
    let with_crl = config(&authority, &network, "a").replace("\"root.pem\"\n", "\"root.pem\"\ncrl = \"crl.pem\"\n");
    let a = Daemon::start(&authority, "a", &with_crl);
    let b = Daemon::start(&authority, "b", &config(&authority, &network, "b"));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    authority.publish_briefly(8);
    assert!(network.pings());
    eventually("the link is cut", || a.words().contains("not encrypting, blocked"));
    assert!(!network.pings());
    a.says("CrlExpired");
    authority.revoke(&[]);
    a.encrypts();
    eventually("it passes again", || network.pings());
}

/// R37.
#[test]
fn a_withdrawn_link_is_cut_off_and_an_older_policy_does_not_bring_it_back() {
    let (authority, network) = (Authority::make(), Network::make());
    let old = std::fs::read(authority.path("policy.bundle")).expect("bundle");
    let [a, _b] = both(&authority, &network);
    authority.sign_policy(6, &["a", "b"], "");
    eventually("the link is cut", || a.words().contains("no link is granted"));
    assert!(!network.pings());
    std::fs::write(authority.path("policy.bundle"), old).expect("write");
    a.says("LINKD-13");
    assert!(!network.pings());
    drop(a);
    let mut again = Daemon::start(&authority, "a", &config(&authority, &network, "a"));
    assert_eq!(again.ends(), Some(1), "nor after a restart");
    assert!(again.log().contains("LINKD-13"), "{}", again.log());
}

#[test]
fn a_changed_bundle_is_refused() {
    let (authority, network) = (Authority::make(), Network::make());
    let path = authority.path("policy.bundle");
    let mut bundle = std::fs::read(&path).expect("bundle");
    *bundle.last_mut().expect("not empty") ^= 1;
    std::fs::write(&path, bundle).expect("write");
    let mut a = Daemon::start(&authority, "a", &config(&authority, &network, "a"));
    assert_eq!(a.ends(), Some(1));
    assert!(a.log().contains("LINKD-12"), "{}", a.log());
    let shown = Command::new(crate::authority::LINKD)
        .args(["policy", "show", "--authority"])
        .args([authority.path("policy.pem"), path])
        .output()
        .expect("linkd");
    assert!(!shown.status.success());
}

/// R37.
#[test]
fn a_device_cannot_grant_itself_a_policy() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.sign_policy_as("a", 6, &["a", "b"], "[[link]]\nbetween = [\"a\", \"b\"]\n");
    let text = config(&authority, &network, "a").replace("authority = \"policy.pem\"", "authority = \"a.pem\"");
    let mut a = Daemon::start(&authority, "a", &text);
    assert_eq!(a.ends(), Some(1));
    assert!(a.log().contains("link policy is not what it may sign"), "{}", a.log());
}
