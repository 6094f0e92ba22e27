//! `coloa-linkd check` explains a configuration, and `policy edit` a policy, before either is used.

use std::process::{Command, Output};

use crate::authority::{Authority, LINKD};
use crate::daemon::{Daemon, config};
use crate::network::{Network, run};

fn check(authority: &Authority, text: &str, words: &[&str]) -> (Option<i32>, String) {
    authority.write("a.toml", text);
    let path = authority.text_path("a.toml");
    let mut command = Command::new(LINKD);
    command.args(["check", "--config", &path]).args(words);
    let output = authority.with_token("a", &mut command).output().expect("coloa-linkd");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn holds(said: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(said.contains(part), "`{part}` is not in:\n{said}"));
}

#[test]
fn a_good_configuration_is_explained() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.issue_of("a", "court");
    let site = |name: &str, red: &str, more: &str| {
        let identity = authority.identity(name);
        format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = [\"{red}\"]\n{more}")
    };
    let sites = site("a", "10.71.0.0/24", "organ = \"court\"\n") + &site("b", "10.72.0.0/24", "");
    let link = "[[link]]\nbetween = [\"a\", \"b\"]\nallow = [{ protocol = \"tcp\", to_ports = [443, 443] }]\n";
    authority.sign_text("policy", &format!("serial = 5\n{sites}{link}"));
    let text = config(&authority, &network, "a");
    let (code, said) = check(&authority, &text, &["--lang", "en"]);
    assert_eq!(code, Some(0), "{said}");
    let parts = [
        "only the encryptor joins them",
        "encrypted traffic uses 192.0.2.1:4500",
        "octets fit a black path of 1500",
        "the token `a` signs",
        "! certificate: our certificate verifies, for ",
        "! revocation: no revocation list",
        "by policy 5 this is site `a` (court) with 10.71.0.0/24",
        "! red: fd71::1/64 is in no network",
        "`b`, dialled at 192.0.2.2:4500; may exchange tcp, port 443 at b",
        "The configuration can be used.",
    ];
    holds(&said, &parts);
    assert!(!authority.path("state-a").exists(), "asking changes nothing");
    let (_, vietnamese) = check(&authority, &text, &["--lang", "vi"]);
    holds(&vietnamese, &["Cấu hình dùng được.", "đây là điểm `a` (court)"]);
    // While the daemon of this very configuration runs, its port is no mistake.
    let daemon = Daemon::start(&authority, "a", &text);
    daemon.says("ready");
    crate::network::eventually("status is served", || !daemon.words().is_empty());
    let (code, said) = check(&authority, &text, &["--lang", "en"]);
    assert_eq!(code, Some(0), "{said}");
    holds(&said, &["in use by the daemon that runs already"]);
}

/// A spoke is told what it reaches through its hub, and the hub that it relays.
#[test]
fn hub_and_spoke_are_explained() {
    let (authority, network) = (Authority::make(), Network::make());
    let site = |name: &str, identity: String, n: u8, more: &str| {
        format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = [\"10.7{n}.0.0/24\"]\n{more}")
    };
    let (a, b) = (authority.identity("a"), authority.identity("b"));
    let sites =
        site("a", a, 1, "") + &site("b", b, 2, "hub = \"a\"\n") + &site("c", "c".repeat(64), 3, "hub = \"a\"\n");
    let link = "[[link]]\nbetween = [\"b\", \"c\"]\nvia = \"a\"\n";
    authority.sign_text("policy", &format!("serial = 5\n{sites}{link}"));
    let (_, said) = check(&authority, &config(&authority, &network, "a"), &["--lang", "en"]);
    holds(&said, &["this site relays between others", "`b`, dialled at 192.0.2.2:4500; nothing for ourselves"]);
    authority.write("b.toml", &config(&authority, &network, "b"));
    let mut command = Command::new(LINKD);
    command.args(["check", "--lang", "en", "--config", &authority.text_path("b.toml")]);
    let said = authority.with_token("b", &mut command).output().expect("coloa-linkd");
    holds(&String::from_utf8_lossy(&said.stdout), &["1 reached through `a`: c."]);
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.issue_of("a", "procuracy");
    let identity = authority.identity("a");
    let site =
        format!("[[site]]\nname = \"a\"\nidentity = \"{identity}\"\nred = [\"10.71.0.0/24\"]\norgan = \"court\"\n");
    authority.sign_text("policy", &format!("serial = 5\n{site}"));
    authority.write("pin", "9999");
    let text = config(&authority, &network, "a").replace("192.0.2.1:4500", "192.0.2.77:4500");
    let neighbours = "[[red.neighbours]]\ninterface = \"none0\"\nnetworks = [\"10.71.0.0/25\"]\n[black]";
    let (code, said) = check(&authority, &text.replace("[black]", neighbours), &["--lang", "en"]);
    assert_eq!(code, Some(3), "{said}");
    let parts = [
        "WRONG black: LINKD-08",
        "WRONG neighbours: LINKD-15",
        "WRONG token: LINKD-09",
        "WRONG organ: the policy has this site as court, its certificate says procuracy",
        "WRONG policy: the policy grants this site no link",
        "! peer: [[peer]] `b` has no link by the policy",
        "cannot be used as it is",
    ];
    holds(&said, &parts);
    let (_, json) = check(&authority, &text, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let wrong = json["findings"].as_array().expect("findings").iter().filter(|f| f["verdict"] == "wrong");
    let about: Vec<_> = wrong.map(|finding| finding["about"].as_str().unwrap_or_default()).collect();
    assert_eq!((&json["good"], about), (&false.into(), vec!["black", "token", "organ", "policy"]));
    let (code, said) = check(&authority, &text.replace("[red]", "[red]\nnmae = 1"), &["--lang", "en"]);
    assert_eq!(code, Some(3));
    holds(&said, &["WRONG file: LINKD-02", "nmae"]);
}

/// Edits the policy with a command in place of an editor.
fn edit(authority: &Authority, editor: &str, words: &[&str]) -> Output {
    let mut command = Command::new(LINKD);
    command.args(["--lang", "en", "policy", "edit", &authority.text_path("policy.toml")]).args(words);
    command.env_remove("VISUAL").env("EDITOR", editor).output().expect("coloa-linkd")
}

#[test]
fn an_edited_policy_replaces_the_old_one_only_when_it_is_valid_and_its_serial_rose() {
    let authority = Authority::make();
    let read = || std::fs::read_to_string(authority.path("policy.toml")).expect("policy.toml");
    let before = read();
    let more = "sed -i 's|\"10\\.71\\.0\\.0/24\"|\"10.71.0.0/24\", \"10.79.0.0/24\"|'";
    let refusals = [
        ("sed -i 's/^serial = 6/serial = 5/; s/10\\.79/10.78/; s/10\\.71/10.79/'", "does not rise above 5"),
        ("sed -i 's/between/betwene/'", "betwene"),
        ("false", "ended with exit status: 1"),
        ("/no/such/editor", "/no/such/editor"),
    ];
    for (editor, part) in refusals {
        let refused = edit(&authority, editor, &["--yes"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(part), "{said}");
        assert_eq!(read(), before, "{editor}");
    }
    let same = edit(&authority, "true", &["--yes"]);
    assert!(String::from_utf8_lossy(&same.stdout).contains("nothing has changed"));
    assert!(edit(&authority, more, &[]).status.success(), "nobody says yes: the draft is kept");
    assert_eq!(read(), before);
    assert!(authority.path("policy.toml.draft").exists());
    let done = edit(&authority, more, &["--yes"]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("serial 5 → 6\n~ site a: + 10.79.0.0/24"), "{said}");
    assert!(read().starts_with("serial = 6\n") && read().contains("10.79.0.0/24"));
    // What was signed meanwhile has to be exceeded too.
    authority.sign_text("policy", &read().replace("serial = 6", "serial = 9"));
    authority.write("policy.toml", &read().replace("serial = 9", "serial = 6"));
    let files = [authority.text_path("policy.bundle"), authority.text_path("policy.pem")];
    let words = ["--yes", "--bundle", &files[0], "--authority", &files[1]];
    assert!(edit(&authority, "sed -i 's/10\\.79/10.78/'", &words).status.success());
    assert!(read().starts_with("serial = 10\n"), "{}", read());
}

#[test]
fn a_policy_is_shown_to_programs_by_names() {
    let authority = Authority::make();
    let rule = "[[rule]]\nbetween = [\"site:a\", \"site:b\"]\nallow = [{ protocol = \"udp\", to_ports = [53, 53] }]\n";
    authority.sign_policy(6, &["a", "b"], rule);
    let files = [authority.text_path("policy.pem"), authority.text_path("policy.bundle")];
    let shown = run(LINKD, &["policy", "show", "--json", "--authority", &files[0], &files[1]]);
    let json: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!((&json["serial"], &json["sites"][1]["name"]), (&6.into(), &"b".into()), "{json}");
    let rule = &json["rules"][0];
    assert_eq!((&rule["between"][0], &rule["allow"][0]["to_ports"][1]), (&"site:a".into(), &53.into()), "{json}");
}
