//! Custodians whose keys are in tokens, and custodians named at initialisation (R2), as people type it.
#![forbid(unsafe_code)]

mod site;

use coloa_client::{Client, Config};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, MechanismType, Template};
use serde_json::{Value, json};
use site::Site;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MODULES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];

fn module() -> &'static str {
    MODULES.into_iter().find(|path| Path::new(path).exists()).expect("libsofthsm2.so; `cargo xtask setup` installs it")
}

/// A custodian's own machine: tokens of SoftHSM2, which stand for smart cards.
struct Desk(Site);

impl Desk {
    fn at(site: Site, tokens: &[&str]) -> Desk {
        fs::create_dir(site.path("tokens")).unwrap();
        let conf = format!("directories.tokendir = {}\n", site.path("tokens").display());
        fs::write(site.path("softhsm2.conf"), conf).unwrap();
        fs::write(site.path("pass"), "đúng mật khẩu này\n").unwrap();
        let desk = Desk(site);
        for token in tokens {
            let words = ["--init-token", "--free", "--label", token, "--so-pin", "12345678", "--pin", "123456"];
            assert!(desk.command("softhsm2-util", &words).status.success(), "{token}");
        }
        desk
    }

    fn command(&self, program: &str, words: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.0.dir.path()).stdin(Stdio::null()).env("LC_ALL", "C");
        command.env("COLOA_ADMIN_SOCKET", self.0.path("coload.sock"));
        command.env("SOFTHSM2_CONF", self.0.path("softhsm2.conf")).output().unwrap()
    }

    fn run(&self, words: &[&[&str]]) -> Output {
        self.command(env!("CARGO_BIN_EXE_coloa"), &words.concat())
    }

    fn does(&self, words: &[&[&str]]) -> Value {
        let out = self.run(&[&[&["--json"][..]], words].concat());
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    fn fails(&self, words: &[&[&str]]) -> String {
        let out = self.run(words);
        assert!(!out.status.success(), "{words:?} succeeds: {}", String::from_utf8_lossy(&out.stdout));
        String::from_utf8(out.stderr).unwrap()
    }
}

/// The words for the key "quorum" in a token.
fn key<'a>(token: &'a str, pin_file: &'a str) -> [&'a str; 8] {
    ["--module", module(), "--token", token, "--label", "quorum", "--user-pin-file", pin_file]
}

const NAMED: [&str; 8] =
    ["--custodian", "An=an.pub", "--custodian", "Bình=binh.pub", "--custodian", "Chi=chi.key.pub", "--threshold", "2"];

/// An and Bình have cards, Chi has a file; they are custodians from the first moment.
fn governed() -> Desk {
    let desk = Desk::at(Site::new(), &["An", "Binh"]);
    let an = desk.does(&[&["custodian", "new", "--out", "an.pub"], &key("An", "user.pin")]);
    assert_eq!(an["made"], true);
    desk.does(&[&["custodian", "new", "--out", "binh.pub"], &key("Binh", "user.pin")]);
    desk.does(&[&["custodian", "new", "--out", "chi.key", "--passphrase-file", "pass"]]);
    let status = desk.does(&[&["init", "--label", "rack-1"], &NAMED]);
    assert_eq!((&status["quorum"], &status["custodians"]), (&json!(2), &json!(["An", "Bình", "Chi"])));
    desk.0.create("court");
    desk
}

fn proposed(desk: &Desk) -> String {
    let words = ["quorum", "propose", "--reason", "closed", "partition-destroy", "--partition", "court"];
    desk.does(&[&words])["id"].as_str().unwrap().to_owned()
}

#[test]
fn two_cards_destroy_a_partition_and_one_does_not() {
    let desk = governed();
    assert!(desk.fails(&[&["partition", "destroy", "--partition", "court", "--confirm", "court"]]).contains("E100"));
    let id = proposed(&desk);
    let approve = ["--confirm", "approve"];
    desk.does(&[&["quorum", "vote", &id, "--custodian", "An"], &approve, &key("An", "user.pin")]);
    assert!(desk.fails(&[&["quorum", "execute", &id]]).contains("Too few custodians"));
    // Another's card signs nothing in his name.
    let taken = desk.fails(&[&["quorum", "vote", &id, "--custodian", "Chi"], &approve, &key("Binh", "user.pin")]);
    assert!(taken.contains("E105"), "{taken}");
    // Bình is elsewhere.
    desk.does(&[&["quorum", "show", &id, "--out", "proposal.cbor"]]);
    let sign = ["quorum", "sign", "proposal.cbor", "--out", "voice.cbor", "--custodian", "Bình"];
    desk.does(&[&sign, &approve, &key("Binh", "user.pin")]);
    desk.does(&[&["quorum", "bring", "voice.cbor"]]);
    desk.does(&[&["quorum", "execute", &id]]);
    assert_eq!(desk.does(&[&["partition", "list"]]), json!([]));
}

#[test]
fn a_token_that_will_not_do_is_named() {
    let desk = Desk::at(Site::new(), &["An"]);
    let new = |more: &[&str]| desk.fails(&[&["custodian", "new", "--out", "x.pub"], more]);
    assert!(new(&key("An", "new.pin")).contains("the PIN is wrong"));
    assert!(new(&key("Dung", "user.pin")).contains("none called \"Dung\""));
    assert!(new(&["--module", "nowhere.so", "--token", "An", "--label", "quorum"]).contains("nowhere.so"));
    assert!(new(&["--module", module(), "--token", "An"]).contains("--label"));
    let made = desk.does(&[&["custodian", "new", "--out", "an.pub"], &key("An", "user.pin")]);
    let again = desk.does(&[&["custodian", "new", "--out", "again.pub"], &key("An", "user.pin")]);
    assert_eq!((&made["made"], &again["made"]), (&json!(true), &json!(false)));
    assert_eq!(made["check_value"], again["check_value"]);
    assert!(!desk.0.path("x.pub").exists());
    // OpenSSL reads what goes to the appliance.
    let read = desk.command("openssl", &["pkey", "-pubin", "-in", "an.pub", "-noout", "-text"]);
    assert!(String::from_utf8_lossy(&read.stdout).contains("P-384"), "{read:?}");
    // A key on another curve, and one that can be read out, are no custodian's (R9).
    for (label, id, more) in [("p256", "01", "EC:prime256v1"), ("open", "02", "EC:secp384r1")] {
        let mut words = vec!["--module", module(), "--token-label", "An", "--login", "--pin", "123456", "--keypairgen"];
        words.extend(["--key-type", more, "--label", label, "--id", id]);
        if label == "open" {
            words.push("--extractable");
        }
        assert!(desk.command("pkcs11-tool", &words).status.success(), "{label}");
    }
    let with = |label| new(&["--module", module(), "--token", "An", "--label", label, "--user-pin-file", "user.pin"]);
    assert!(with("p256").contains("not on P-384"), "{}", with("p256"));
    assert!(with("open").contains("can be read out"), "{}", with("open"));
}

#[test]
fn custodians_that_cannot_be_named_stop_an_initialisation_before_it_begins() {
    let desk = Desk::at(Site::new(), &[]);
    let init = ["init", "--label", "rack-1", "--threshold", "2", "--custodian", "An=nowhere.pub"];
    assert!(desk.fails(&[&init]).contains("nowhere.pub"));
    assert_eq!(desk.does(&[&["status"]])["lifecycle"], "manufactured");
    assert!(desk.fails(&[&["init", "--label", "rack-1", "--threshold", "2"]]).contains("--custodian"));
    assert!(desk.fails(&[&["init", "--label", "rack-1", "--custodian", "An=nowhere.pub"]]).contains("--threshold"));
    // What only the engine finds leaves a device without custodians, and says so.
    desk.does(&[&["custodian", "new", "--out", "an.key", "--passphrase-file", "pass"]]);
    let alone = ["init", "--label", "rack-1", "--threshold", "1", "--custodian", "An=an.key.pub"];
    let said = desk.fails(&[&alone]);
    assert!(said.contains("E108") && said.contains("it has no custodians"), "{said}");
    assert_eq!(desk.does(&[&["status"]])["quorum"], 0);
}

/// The user of the organ's token makes a wrapping key there.
fn wrapping_key(site: &Site) -> String {
    site.enrol("court", "court-srv-1");
    let config = Config::read(&site.path("court-srv-1/coloa.toml")).unwrap();
    let client = Client::open(&config.targets[0]).unwrap();
    let partition = client.call(None, None, &TokenList {}, &[]).unwrap().0.tokens[0].partition;
    let session = Some(client.call(None, None, &SessionOpen { partition }, &[]).unwrap().0.session);
    client.call(session, None, &Login { role: Role::User, pin: Pin::from(&b"123456"[..]) }, &[]).unwrap();
    let template = Template::default().with(A::TOKEN, true).with(A::LABEL, b"kek".to_vec()).with(A::VALUE_LEN, 32);
    let template = template.with(A::WRAP, true).with(A::UNWRAP, true);
    let generate = KeyGenerate { mechanism: MechanismType::AES_KEY_GEN.into(), template };
    client.call(session, None, &generate, &[]).unwrap().0.object.to_string()
}

#[test]
fn custodians_read_which_key_they_trust() {
    let desk = governed();
    let key_id = wrapping_key(&desk.0);
    let propose = ["quorum", "propose", "--reason", "keys move", "trust", "--partition", "court", "--key", "kek"];
    let proposal = desk.does(&[&propose]);
    let id = proposal["id"].as_str().unwrap().to_owned();
    let check_value = desk.does(&[&["key", "list", "--partition", "court"]])[0]["check_value"].clone();
    assert_eq!(proposal["subject"], format!("court: kek, {}", check_value.as_str().unwrap()));
    let approve = ["--confirm", "approve"];
    let told = desk.run(&[&["quorum", "vote", &id, "--custodian", "An"], &approve, &key("An", "user.pin")]);
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("trust a wrapping key") && told.contains(&key_id), "{told}");
    desk.does(&[&["quorum", "vote", &id, "--custodian", "Bình"], &approve, &key("Binh", "user.pin")]);
    desk.does(&[&["quorum", "execute", &id]]);
    assert!(desk.fails(&[&["quorum", "execute", &id]]).contains("there is no proposal"));
}
