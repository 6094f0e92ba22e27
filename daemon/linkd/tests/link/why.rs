//! `coloa-linkd why`, against a policy of two sites that may use HTTPS and ping each other.

use std::process::{Command, Output};

use crate::authority::{Authority, LINKD, assert_programs};
use crate::daemon::config;
use crate::network::Network;

fn why(authority: &Authority, words: &[&str]) -> Output {
    let config = authority.text_path("a.toml");
    Command::new(LINKD).args(["why", "--config", &config]).args(words).output().expect("coloa-linkd")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn it_names_the_rule_and_what_happens_in_both_directions() {
    assert_programs();
    let (authority, network) = (Authority::make(), Network::make());
    let allow = "allow = [{ protocol = \"tcp\", to_ports = [443, 443] }, { protocol = \"icmp\" }]\n";
    authority.sign_policy(6, &["a", "b"], &format!("[[link]]\nbetween = [\"a\", \"b\"]\n{allow}"));
    authority.write("a.toml", &config(&authority, &network, "a"));
    let permitted = why(&authority, &["10.71.0.5", "10.72.0.9", "--port", "443", "--lang", "en"]);
    let said = text(&permitted);
    assert_eq!(permitted.status.code(), Some(0), "{said}");
    for part in [
        "policy 6",
        "10.71.0.0/24 of a",
        "10.72.0.0/24 of b",
        "tcp, port 443 at b; icmp",
        "sealed for b",
        "delivered, from b",
    ] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    // to another port; from b the same port is at the wrong end; ping is both ways
    let filtered = why(&authority, &["10.71.0.5", "10.72.0.9", "--port", "22", "--lang", "en"]);
    assert_eq!((filtered.status.code(), text(&filtered).contains("filtered_protocol")), (Some(3), true));
    assert_eq!(why(&authority, &["10.72.0.9", "10.71.0.5", "--port", "443"]).status.code(), Some(3));
    for pair in [["10.71.0.5", "10.72.0.9"], ["10.72.0.9", "10.71.0.5"]] {
        assert_eq!(why(&authority, &[&pair[..], &["--protocol", "icmp"]].concat()).status.code(), Some(0));
    }
    let vietnamese = text(&why(&authority, &["10.71.0.5", "192.0.2.77", "--lang", "vi"]));
    assert!(vietnamese.contains("không thuộc điểm nào") && vietnamese.contains("no_policy"), "{vietnamese}");
    let foreign = why(&authority, &["192.0.2.77", "10.72.0.9", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&foreign.stdout).expect("JSON");
    assert_eq!(json["there"]["dropped"]["reason"], "foreign_source", "{json}");
    assert!(!authority.path("state-a").exists(), "asking records nothing");
}
