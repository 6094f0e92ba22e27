//! What one person must not do alone (R2), as people type it: custodians make their keys, one signs far away, and the act is done once.
#![forbid(unsafe_code)]

mod site;

use serde_json::json;
use site::Site;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// Three custodians with their keys, two of them a quorum, and a partition that nobody needs any more.
fn governed() -> Site {
    let site = Site::with_partition("court");
    fs::write(site.path("pass"), "đúng mật khẩu này\n").unwrap();
    for name in ["an", "binh", "chi"] {
        site.does(&["custodian", "new", "--out", &format!("{name}.key"), "--passphrase-file", "pass"]);
    }
    site.does(&[&["custodian", "set"][..], &ALL].concat());
    site
}

const ALL: [&str; 8] = [
    "--custodian",
    "An=an.key.pub",
    "--custodian",
    "Bình=binh.key.pub",
    "--custodian",
    "Chi=chi.key.pub",
    "--threshold",
    "2",
];
const PROPOSE: [&str; 7] =
    ["quorum", "propose", "--reason", "the organ is closed", "partition-destroy", "--partition", "court"];

fn sign<'a>(name: &'a str, key: &'a str) -> Vec<&'a str> {
    vec!["--custodian", name, "--key", key, "--passphrase-file", "pass", "--confirm", "approve"]
}

#[test]
fn two_of_three_destroy_a_partition_one_of_them_from_afar() {
    let site = governed();
    let alone = site.fails(&["partition", "destroy", "--partition", "court", "--confirm", "court"]);
    assert!(alone.contains("needs a quorum") && alone.contains("coloa quorum propose"), "{alone}");
    let proposal = site.does(&PROPOSE);
    let id = proposal["id"].as_str().unwrap();
    assert!(site.fails(&["quorum", "execute", id]).contains("Too few custodians"));

    site.does(&[&["quorum", "vote", id][..], &sign("An", "an.key")].concat());
    // The text goes to Bình's machine in a file; the appliance is not reached from there.
    site.does(&["quorum", "show", id, "--out", "proposal.cbor"]);
    let away = ["--socket", "nowhere.sock", "quorum", "sign", "proposal.cbor", "--out", "voice.cbor"];
    let shown = site.run(&[&away[..], &sign("Bình", "binh.key")].concat());
    let text = String::from_utf8(shown.stderr).unwrap();
    for part in ["court", "the organ is closed", "destroy a partition", proposal["check_value"].as_str().unwrap()] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let brought = site.does(&["quorum", "bring", "voice.cbor"]);
    assert_eq!((&brought["approvals"], &brought["threshold"]), (&json!(2), &json!(2)));
    assert!(site.fails(&["quorum", "bring", "voice.cbor"]).contains("has voted already"));

    site.does(&["quorum", "execute", &id[..8]]);
    assert_eq!(site.does(&["partition", "list"]), json!([]));
    assert!(site.fails(&["quorum", "execute", id]).contains("there is no proposal"));
}

#[test]
fn a_key_is_its_holders_and_a_voice_is_for_what_was_read() {
    let site = governed();
    let mode = fs::metadata(site.path("an.key")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    // OpenSSL reads the key with the passphrase, and not without.
    let opens = |pass: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["pkey", "-noout", "-in", "an.key", "-passin", pass]).current_dir(site.dir.path());
        openssl.output().unwrap().status.success()
    };
    assert!(opens("file:pass") && !opens("pass:wrong passphrase"));
    let id = site.does(&PROPOSE)["id"].as_str().unwrap().to_owned();
    fs::write(site.path("wrong"), "not this one\n").unwrap();
    let mut words = sign("An", "an.key");
    words[5] = "wrong";
    assert!(site.fails(&[&["quorum", "vote", &id][..], &words].concat()).contains("passphrase is wrong"));
    assert!(site.fails(&[&["quorum", "vote", &id][..], &sign("An", "binh.key")].concat()).contains("E105"));
    assert!(site.fails(&[&["quorum", "vote", &id][..], &sign("Dũng", "an.key")].concat()).contains("E104"));
    let mut words = sign("An", "an.key");
    words[7] = "yes";
    assert!(site.fails(&[&["quorum", "vote", &id][..], &words].concat()).contains("Nothing was signed"));
    // What was changed on its way is signed for nothing.
    site.does(&["quorum", "show", &id, "--out", "proposal.cbor"]);
    let mut text = fs::read(site.path("proposal.cbor")).unwrap();
    let at = text.windows(6).position(|w| w == b"closed").unwrap();
    text[at] = b'C';
    fs::write(site.path("proposal.cbor"), text).unwrap();
    site.does(&[&["quorum", "sign", "proposal.cbor", "--out", "voice.cbor"][..], &sign("An", "an.key")].concat());
    assert!(site.fails(&["quorum", "bring", "voice.cbor"]).contains("E105"));
    assert_eq!(site.does(&["quorum", "list"])[0]["approvals"], json!([]));
}

#[test]
fn custodians_are_replaced_by_a_quorum_and_status_says_who_they_are() {
    let bare = Site::operational();
    let warned = String::from_utf8(bare.run(&["status"]).stdout).unwrap();
    assert!(warned.contains("One administrator may destroy everything"), "{warned}");
    let site = governed();
    site.does(&["custodian", "new", "--out", "dung.key", "--passphrase-file", "pass"]);
    let mut fresh = ALL;
    fresh[5] = "Dũng=dung.key.pub";
    assert!(site.fails(&[&["custodian", "set"][..], &fresh].concat()).contains("E100"));
    let proposal = site.does(&[&["quorum", "propose", "--reason", "Chi retires", "custodians"][..], &fresh].concat());
    let id = proposal["id"].as_str().unwrap();
    for (name, key) in [("An", "an.key"), ("Chi", "chi.key")] {
        site.does(&[&["quorum", "vote", id][..], &sign(name, key)].concat());
    }
    site.does(&["quorum", "execute", id]);
    assert_eq!(site.does(&["status"])["custodians"], json!(["An", "Bình", "Dũng"]));
    assert_eq!(site.does(&["custodian", "list"])["threshold"], json!(2));
    let short = site.fails(&["custodian", "new", "--out", "x.key", "--passphrase-file", "user.pin"]);
    assert!(short.contains("at least 8 bytes") && !site.path("x.key").exists(), "{short}");
}
