//! The whole way with keys in SoftHSM2, judged by OpenSSL.

mod desk;

use std::fs::{self, File};

use desk::{Desk, text};
use serde_json::Value;

fn device(desk: &Desk, name: &str) -> Value {
    desk.pki(&format!(
        "device-key --token site --pin-file pin --label {name} --subject CN={name},O=Court --dns {name}.link --out {name}.csr"
    ));
    desk.pki(&format!("issue --dir issuing --pin-file pin --profile link-device --csr {name}.csr --out {name}.pem"))
}

fn serial(issued: &Value) -> String {
    issued["serial"].as_str().unwrap().to_owned()
}

const CHAIN: [&str; 6] = ["verify", "-x509_strict", "-CAfile", "root/root.pem", "-untrusted", "issuing/chain.pem"];

fn openssl_verify(desk: &Desk, more: &[&str]) -> (bool, String) {
    desk.judge(&[&CHAIN[..], more].concat())
}

#[test]
fn openssl_accepts_what_is_issued_and_refuses_what_is_revoked() {
    let desk = Desk::founded();
    let (a, b) = (device(&desk, "a"), device(&desk, "b"));
    assert!(openssl_verify(&desk, &["a.pem"]).0);
    assert!(desk.judge(&["req", "-in", "a.csr", "-noout", "-verify"]).0);

    desk.pki(&format!("revoke --dir issuing --pin-file pin --serial {} --reason key-compromise", serial(&a)));
    desk.pki("crl --dir issuing --pin-file pin --out crl.pem");
    desk.pki("crl --dir root --pin-file pin --out root-crl.pem");
    desk.write("crls.pem", [desk.read("crl.pem"), desk.read("root-crl.pem")].concat());
    let checked = ["-crl_check_all", "-CRLfile", "crls.pem"];
    let (ok, said) = openssl_verify(&desk, &[&checked[..], &["b.pem"]].concat());
    assert!(ok, "{said}");
    let (ok, said) = openssl_verify(&desk, &[&checked[..], &["a.pem"]].concat());
    assert!(!ok && said.contains("certificate revoked"), "{said}");
    let list = desk.openssl(&["crl", "-in", "crl.pem", "-noout", "-text", "-CAfile", "issuing/ca.pem"]);
    assert!(list.contains("Key Compromise") && list.contains(&serial(&a).to_uppercase()), "{list}");
    assert!(desk.judge(&["crl", "-in", "crl.pem", "-noout", "-CAfile", "issuing/ca.pem"]).1.contains("verify OK"));

    // Our own relying party says the same.
    desk.pki("verify --dir issuing --purpose link-device b.pem");
    desk.pki("verify --root root/root.pem --untrusted issuing/ca.pem --crl crls.pem --require-crl --purpose link-device b.pem");
    assert_eq!(desk.refused("verify --dir issuing --purpose link-device a.pem"), 402);
    assert_eq!(desk.refused("verify --dir issuing --purpose policy-signer b.pem"), 402);
    assert_eq!(
        desk.refused("verify --dir issuing --require-crl --purpose link-device b.pem"),
        402,
        "no list of the root"
    );

    let totals = &desk.pki("list --dir issuing")["totals"];
    assert_eq!(totals, &serde_json::json!({ "issued": 3, "active": 2, "revoked": 1, "expired": 0 }));
    let again = desk.pki(&format!("export --dir issuing --serial {} --out b2.pem", serial(&b)));
    assert_eq!(again["state"], "active");
    assert_eq!(desk.read("b.pem"), desk.read("b2.pem"));
}

#[test]
fn a_certificate_says_what_its_profile_says() {
    let desk = Desk::founded();
    device(&desk, "a");
    let shown = desk.openssl(&["x509", "-in", "a.pem", "-noout", "-text"]);
    for part in [
        "ecdsa-with-SHA384",
        "Subject: O = Court, CN = a",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "DNS:a.link\n",
        "URI:http://pki.example/crl",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let issuing = desk.openssl(&["x509", "-in", "issuing/ca.pem", "-noout", "-text"]);
    assert!(issuing.contains("CA:TRUE, pathlen:0") && issuing.contains("Certificate Sign, CRL Sign"), "{issuing}");
    let root = desk.openssl(&["x509", "-in", "root/ca.pem", "-noout", "-text", "-nameopt", "utf8"]);
    assert!(root.contains("CA:TRUE, pathlen:1") && root.contains("CN=Gốc"), "{root}");
}

#[test]
fn p256_works_like_p384_and_a_key_can_be_used_again() {
    let desk = Desk::founded();
    desk.pki("device-key --token site --pin-file pin --label k --curve P-256 --subject CN=k --out k.csr");
    assert_eq!(desk.refused("device-key --token site --pin-file pin --label k --subject CN=k --out x.csr"), 108);
    desk.pki("device-key --token site --pin-file pin --label k --use-existing --subject CN=k --out k2.csr");
    let key = |name| desk.openssl(&["req", "-in", name, "-noout", "-pubkey"]);
    assert_eq!(key("k.csr"), key("k2.csr"));
    desk.pki("issue --dir issuing --pin-file pin --profile tls-client --csr k2.csr --with-chain --out k.pem");
    assert_eq!(text(&desk.read("k.pem")).matches("BEGIN CERTIFICATE").count(), 2);
    assert!(openssl_verify(&desk, &["-purpose", "sslclient", "k.pem"]).0);
    assert!(!openssl_verify(&desk, &["-purpose", "sslserver", "k.pem"]).0);
    desk.pki("verify --dir issuing --purpose tls-client k.pem");
}

#[test]
fn private_keys_are_sensitive_and_never_extractable() {
    let desk = Desk::founded();
    device(&desk, "a");
    for token in ["ca", "site"] {
        let mut tool = desk.command("pkcs11-tool");
        tool.args(["--module", desk::module(), "--token-label", token, "--login", "--pin", "123456"]);
        let listed = text(&tool.args(["--list-objects", "--type", "privkey"]).output().unwrap().stdout);
        let keys = listed.matches("Private Key Object").count();
        assert_eq!(keys, if token == "ca" { 4 } else { 1 }, "{listed}");
        assert_eq!(listed.matches("sensitive, always sensitive, never extractable").count(), keys, "{listed}");
    }
}

#[test]
fn a_wrong_pin_token_key_or_directory_is_named() {
    let desk = Desk::founded();
    desk.pki("device-key --token site --pin-file pin --label k --subject CN=k --out k.csr");
    desk.write("wrong", "000000\n");
    desk.write("empty", "");
    let issue = "issue --dir issuing --profile link-device --csr k.csr --out k.pem --pin-file";
    assert_eq!(desk.refused(&format!("{issue} wrong")), 105);
    assert_eq!(desk.refused(&format!("{issue} empty")), 107);
    assert_eq!(desk.refused(&format!("{issue} nowhere")), 107);
    assert_eq!(desk.refused("device-key --token nowhere --pin-file pin --label x --subject CN=x --out x.csr"), 102);
    assert_eq!(desk.refused("device-key --token site --pin-file pin --label x --use-existing --subject CN=x"), 109);
    assert_eq!(
        desk.refused("device-key --module /nowhere.so --token site --pin-file pin --label x --subject CN=x"),
        101
    );
    assert_eq!(desk.refused("list --dir nowhere"), 301);
    assert_eq!(desk.refused("init-root --dir root --token ca --pin-file pin --label r2 --subject CN=R"), 302);
    assert_eq!(desk.refused("init-root --dir other --token ca --pin-file pin --label root --subject CN=R"), 108);
    assert!(!desk.path("k.pem").exists());
    // Nothing of this reached the journal.
    assert_eq!(desk.pki("list --dir issuing")["totals"]["issued"], 1);
}

#[test]
fn a_wrong_root_pin_leaves_no_keys_behind() {
    let desk = Desk::with_tokens(&["ca"]);
    desk.pki("init-root --dir root --token ca --pin-file pin --label root --subject CN=R");
    desk.write("wrong", "000000\n");
    let init = "init-issuing --dir issuing --root-dir root --token ca --pin-file pin --label issuing --subject CN=I";
    assert_eq!(desk.refused(&format!("{init} --root-pin-file wrong")), 105);
    desk.pki(&format!("{init} --root-pin-file pin"));
}

#[test]
fn a_root_can_stay_offline() {
    let desk = Desk::with_tokens(&["vault", "ca"]);
    desk.pki("init-root --dir root --token vault --pin-file pin --label root --subject CN=R");
    let init = "init-issuing --dir issuing --token ca --pin-file pin --label issuing --subject CN=I";
    desk.pki(&format!("{init} --csr-out issuing.csr"));
    assert_eq!(desk.refused("list --dir issuing"), 301, "not an authority yet");
    desk.pki("issue --dir root --pin-file pin --profile issuing-ca --csr issuing.csr --out issuing.pem");
    desk.pki("init-root --dir stranger --token vault --pin-file pin --label stranger --subject CN=R");
    let adopt = |certificate: &str, root: &str| format!("{init} --certificate {certificate} --root {root}");
    assert_eq!(desk.refused(&adopt("issuing.pem", "stranger/root.pem")), 402);
    assert_eq!(desk.refused(&adopt("stranger/root.pem", "stranger/root.pem")), 113, "not our key");
    desk.pki(&adopt("issuing.pem", "root/root.pem"));
    desk.pki("device-key --token ca --pin-file pin --label k --subject CN=k --out k.csr");
    desk.pki("issue --dir issuing --pin-file pin --profile link-device --csr k.csr --out k.pem");
    assert!(openssl_verify(&desk, &["k.pem"]).0);
}

#[test]
fn a_root_issues_authorities_only_and_an_issuing_authority_none() {
    let desk = Desk::founded();
    desk.pki("device-key --token site --pin-file pin --label k --subject CN=k --out k.csr");
    assert_eq!(desk.refused("issue --dir root --pin-file pin --profile link-device --csr k.csr"), 213);
    assert_eq!(desk.refused("issue --dir issuing --pin-file pin --profile issuing-ca --csr k.csr"), 213);
    assert_eq!(desk.refused("issue --dir issuing --pin-file pin --profile root-ca --csr k.csr"), 211);
    assert_eq!(desk.refused("issue --dir issuing --pin-file pin --profile link-device --days 4000 --csr k.csr"), 214);
    assert_eq!(desk.refused("issue --dir issuing --pin-file pin --profile link-device --days 0 --csr k.csr"), 214);
}

#[test]
fn a_certificate_never_outlives_its_issuer() {
    let desk = Desk::with_tokens(&["ca"]);
    desk.pki("init-root --dir root --token ca --pin-file pin --label root --subject CN=R --days 100");
    let init =
        "init-issuing --dir issuing --root-dir root --root-pin-file pin --token ca --pin-file pin --subject CN=I";
    let issuing = desk.pki(&format!("{init} --label issuing"));
    let end = |pem: &str| desk.openssl(&["x509", "-in", pem, "-noout", "-enddate"]);
    assert_eq!(end("issuing/ca.pem"), end("root/ca.pem"), "{issuing}");
    desk.pki("device-key --token ca --pin-file pin --label k --subject CN=k --out k.csr");
    assert_eq!(desk.refused("issue --dir issuing --pin-file pin --profile link-device --days 101 --csr k.csr"), 215);
}

#[test]
fn revoking_twice_or_what_was_never_issued_is_refused() {
    let desk = Desk::founded();
    let serial = serial(&device(&desk, "a"));
    let revoke = |serial: &str| format!("revoke --dir issuing --pin-file pin --reason superseded --serial {serial}");
    desk.pki(&revoke(&serial));
    assert_eq!(desk.refused(&revoke(&serial)), 315);
    assert_eq!(desk.refused(&revoke("00ff")), 314);
}

#[test]
fn one_works_or_several_read() {
    let desk = Desk::founded();
    let (list, work) = ("list --dir issuing", "crl --dir issuing --pin-file pin --out crl.pem");
    let lock = File::options().write(true).open(desk.path("issuing/lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(desk.refused(list), 303);
    assert_eq!(desk.refused(work), 303);
    lock.unlock().unwrap();
    lock.lock_shared().unwrap();
    desk.pki(list);
    assert_eq!(desk.refused(work), 303);
    lock.unlock().unwrap();
    desk.pki(work);
    // An auditor's copy needs no more than the files themselves.
    fs::remove_file(desk.path("issuing/lock")).unwrap();
    assert_eq!(desk.pki("journal verify --dir issuing")["records"], 2);
    assert!(!desk.path("issuing/lock").exists());
}

#[test]
fn a_full_disk_withholds_the_certificate_and_is_repaired() {
    let desk = Desk::founded();
    desk.pki("device-key --token site --pin-file pin --label k --subject CN=k --out k.csr");
    let before = fs::metadata(desk.path("issuing/journal")).unwrap().len();
    // A limit on file size in 512-byte blocks stands in for a full disk: the journal's line is cut part-way.
    let blocks = before / 512 + 1;
    let issue = "issue --dir issuing --pin-file pin --profile link-device --csr k.csr --out k.pem";
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {} --json {issue}", env!("CARGO_BIN_EXE_coloa-pki"));
    let output = desk.command("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("\"error\":403"), "{}", text(&output.stderr));
    assert!(!desk.path("k.pem").exists());
    let torn = fs::metadata(desk.path("issuing/journal")).unwrap().len() - before;
    assert!(torn > 0);
    assert_eq!(desk.pki("journal verify --dir issuing")["unfinished-bytes"], torn);
    desk.pki(issue);
    desk.pki("verify --dir issuing --purpose link-device k.pem");
    assert_eq!(desk.pki("list --dir issuing")["totals"]["issued"], 2);
    let shown = desk.pki("journal show --dir issuing");
    assert_eq!(shown[1]["record"], serde_json::json!({ "event": "repaired", "dropped": torn }));
}

#[test]
fn a_journal_that_was_touched_stops_the_authority() {
    let desk = Desk::founded();
    let head = desk.pki("journal verify --dir issuing")["head"].as_str().unwrap().to_owned();
    let early = desk.read("issuing/journal");
    let early_head = desk.read("issuing/journal.head");
    device(&desk, "a");
    let late = desk.pki("journal verify --dir issuing")["head"].as_str().unwrap().to_owned();
    desk.pki(&format!("journal verify --dir issuing --expect {head}"));
    let good = desk.read("issuing/journal");

    desk.write("issuing/journal", &early);
    assert_eq!(desk.refused("list --dir issuing"), 307);
    desk.write("issuing/journal", text(&good).replace("link-device", "link_device"));
    assert!([306, 307].contains(&desk.refused("crl --dir issuing --pin-file pin --out x.pem")));
    desk.write("issuing/journal", desk.read("root/journal"));
    assert!([310, 312].contains(&desk.refused("list --dir issuing")));
    // R36: journal and head put back together pass, except against a head noted elsewhere.
    desk.write("issuing/journal", &early);
    desk.write("issuing/journal.head", &early_head);
    desk.pki("journal verify --dir issuing");
    assert_eq!(desk.refused(&format!("journal verify --dir issuing --expect {late}")), 313);
}

#[test]
fn messages_are_vietnamese_when_asked_for_or_by_environment() {
    let desk = Desk::with_tokens(&[]);
    let say = |arguments: &[&str], lang: &str| {
        let mut command = desk.command(env!("CARGO_BIN_EXE_coloa-pki"));
        text(&command.args(arguments).env("LC_ALL", "").env("LANG", lang).output().unwrap().stderr)
    };
    let asked = say(&["--lang", "vi", "list", "--dir", "x"], "en_US.UTF-8");
    assert!(asked.starts_with("lỗi PKI-301: x không chứa cơ quan cấp chứng thư nào."), "{asked}");
    assert_eq!(say(&["list", "--dir", "x"], "vi_VN.UTF-8"), asked);
    assert!(say(&["list", "--dir", "x"], "C").starts_with("error PKI-301: x holds no authority."));
}

#[test]
fn a_pin_can_come_from_a_descriptor() {
    let desk = Desk::with_tokens(&["site"]);
    let binary = env!("CARGO_BIN_EXE_coloa-pki");
    let script = format!("{binary} device-key --token site --pin-fd 3 --label k --subject CN=k --out k.csr 3<pin");
    let output = desk.command("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A request is not fresh: the one that was answered can be sent again by whoever stole the key.
#[test]
fn a_key_that_was_compromised_is_never_certified_again() {
    let desk = Desk::founded();
    let a = device(&desk, "a");
    let issue = "issue --dir issuing --pin-file pin --csr a.csr --profile";
    desk.pki(&format!("{issue} link-device"));
    desk.pki(&format!("revoke --dir issuing --pin-file pin --serial {} --reason key-compromise", serial(&a)));
    assert_eq!(desk.refused(&format!("{issue} link-device")), 218);
    // withdrawn for another reason, a key is as good as before
    let b = device(&desk, "b");
    desk.pki(&format!("revoke --dir issuing --pin-file pin --serial {} --reason superseded", serial(&b)));
    desk.pki("issue --dir issuing --pin-file pin --csr b.csr --profile link-device");
}

/// R10: the authority's keys sign certificates, lists and the journal, and stand in no device's certificate.
#[test]
fn the_authority_certifies_neither_its_own_keys_nor_its_own_name() {
    let desk = Desk::founded();
    let existing = "device-key --token ca --pin-file pin --use-existing --subject CN=a --out own.csr --label";
    let issue = "issue --dir issuing --pin-file pin --profile link-device --csr";
    for label in ["issuing", "issuing journal"] {
        let words = existing.split(' ').chain([label]);
        let made = desk.command(env!("CARGO_BIN_EXE_coloa-pki")).args(words).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        assert_eq!(desk.refused(&format!("{issue} own.csr")), 219, "{label}");
    }
    desk.pki(
        "device-key --token site --pin-file pin --label x --subject CN=Issuing,O=Authority,C=VN --out namesake.csr",
    );
    assert_eq!(desk.refused(&format!("{issue} namesake.csr")), 220);
}
