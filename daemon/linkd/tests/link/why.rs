//! `coloa-linkd why` and `policy diff`: what a policy says, and what a new one changes.

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

#[test]
fn a_diff_says_what_a_new_policy_changes_and_believes_no_bundle_without_its_authority() {
    let authority = Authority::make();
    std::fs::copy(authority.path("policy.bundle"), authority.path("old.bundle")).expect("copy");
    let allow = "[[link]]\nbetween = [\"a\", \"b\"]\nallow = [{ protocol = \"icmp\" }]\n";
    authority.sign_policy(6, &["a", "b"], allow);
    let files = [authority.text_path("old.bundle"), authority.text_path("policy.toml")];
    let diff = |words: &[&str]| {
        let files = files.iter().map(String::as_str);
        Command::new(LINKD).args(["policy", "diff"]).args(words).args(files).output().expect("coloa-linkd")
    };
    let trusted = authority.text_path("policy.pem");
    let said = text(&diff(&["--authority", &trusted]));
    assert_eq!(said, "serial 5 → 6\n~ link a — b: everything → icmp\n");
    let json: serde_json::Value =
        serde_json::from_slice(&diff(&["--json", "--authority", &trusted]).stdout).expect("JSON");
    assert_eq!((&json[0]["kind"], json.as_array().map(Vec::len)), (&"changed".into(), Some(1)));
    let refused = diff(&[]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("--authority"));
    assert!(!diff(&["--authority", &authority.text_path("a.pem")]).status.success(), "another signed it");
}
