//! What a device says of a key (R9, R10, R17), checked without it: by `coloa attest verify`, and by OpenSSL, which is not ours.
#![forbid(unsafe_code)]

mod site;

use coloa_client::{Client, Config};
use coloa_wire::attribute::key_type;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, MechanismType, Template};
use site::Site;
use std::fs;
use std::process::Command;

const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// A site with an enrolled application that drew two pairs, `seal` and `other`.
fn court() -> Site {
    let site = Site::with_partition("court");
    site.enrol("court", "court-srv-1");
    let config = Config::read(&site.path("court-srv-1/coloa.toml")).unwrap();
    let client = Client::open(&config.targets[0]).unwrap();
    let partition = client.call(None, None, &TokenList {}, &[]).unwrap().0.tokens[0].partition;
    let session = client.call(None, None, &SessionOpen { partition }, &[]).unwrap().0.session;
    client.call(Some(session), None, &Login { role: Role::User, pin: Pin::from(&b"123456"[..]) }, &[]).unwrap();
    for label in ["seal", "other"] {
        let both = || Template::default().with(A::TOKEN, true).with(A::LABEL, label.as_bytes());
        let public = both().with(A::KEY_TYPE, key_type::EC).with(A::EC_PARAMS, P384).with(A::VERIFY, true);
        let private = both().with(A::SIGN, true);
        let command = KeyPairGenerate { mechanism: MechanismType::EC_KEY_PAIR_GEN.into(), public, private };
        client.call(Some(session), None, &command, &[]).unwrap();
    }
    site.does(&["audit", "certificates", "--out", "rack"]);
    site
}

fn attest(site: &Site, key: &str, out: &str) -> serde_json::Value {
    let words = ["attest", "key", "--token", "court", "--key", key, "--nonce", "5f1e77c0", "--out", out];
    site.does(&[&words[..], &["--user-pin-file", "user.pin"]].concat())
}

fn openssl(site: &Site, words: &[&str]) -> (bool, String) {
    let out = Command::new("openssl").args(words).current_dir(site.dir.path()).output().unwrap();
    (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

#[test]
fn a_key_is_attested_and_checked_offline_and_openssl_agrees() {
    let site = court();
    let told = attest(&site, "seal", "seal.att");
    assert_eq!(
        (&told["local"], &told["never_extractable"], &told["class"]),
        (&true.into(), &true.into(), &"private key".into())
    );
    site.does(&["attest", "split", "seal.att", "--out", "seal"]);
    let (good, public) = openssl(&site, &["x509", "-in", "seal-key.pem", "-noout", "-pubkey"]);
    assert!(good, "{public}");
    fs::write(site.path("seal.pub"), public).unwrap();
    // No device answers here.
    let check = ["--socket", "nowhere.sock", "attest", "verify", "seal.att", "--root", "rack-device.pem"];
    let image = told["image"].as_str().expect("an appliance measures itself").to_owned();
    let asked = ["--public", "seal.pub", "--nonce", "5f1e77c0", "--image", &image];
    let held = site.does(&[&check[..], &asked].concat());
    assert_eq!(
        (&held["chain"], &held["root"], &held["usage"]),
        (&"whole".into(), &true.into(), &serde_json::json!(["sign"]))
    );
    let eyes = site.run(&[&check[..], &["--lang", "vi"]].concat());
    assert!(String::from_utf8(eyes.stdout).unwrap().contains("sinh trong thiết bị này"));

    // The same by OpenSSL: the chain, and the signature over the statement.
    let walk = ["verify", "-CAfile", "rack-device.pem", "-untrusted", "seal-attestation.pem", "seal-key.pem"];
    assert_eq!(openssl(&site, &walk), (true, "seal-key.pem: OK\n".into()));
    let (good, key) = openssl(&site, &["x509", "-in", "seal-attestation.pem", "-noout", "-pubkey"]);
    assert!(good, "{key}");
    fs::write(site.path("attestation.pub"), key).unwrap();
    let signature = ["dgst", "-sha384", "-verify", "attestation.pub", "-signature", "seal-signature.der"];
    assert_eq!(openssl(&site, &[&signature[..], &["seal-signed.bin"]].concat()), (true, "Verified OK\n".into()));
    // And the image is what `sha384sum` says of the program that runs.
    let (_, sum) = openssl(&site, &["dgst", "-sha384", "-r", site.program().to_str().unwrap()]);
    assert!(sum.starts_with(&image), "{sum} {image}");
}

#[test]
fn what_does_not_hold_is_named_and_fails() {
    let site = court();
    attest(&site, "seal", "seal.att");
    attest(&site, "other", "other.att");
    let fails = |words: &[&str]| site.fails(&[&["attest", "verify"], words].concat());
    let other = Site::operational();
    other.does(&["audit", "certificates", "--out", "rack"]);
    let root = other.path("rack-device.pem");
    assert!(fails(&["seal.att", "--root", root.to_str().unwrap()]).contains("not that of --root"));
    assert!(fails(&["seal.att", "--nonce", "5f1e77c1"]).contains("does not answer this nonce"));
    assert!(fails(&["seal.att", "--image", &"00".repeat(48)]).contains("did not run the image"));
    site.does(&["attest", "split", "other.att", "--out", "other"]);
    let (_, public) = openssl(&site, &["x509", "-in", "other-key.pem", "-noout", "-pubkey"]);
    fs::write(site.path("other.pub"), public).unwrap();
    assert!(fails(&["seal.att", "--public", "other.pub"]).contains("another key"));
    // Every byte counts: a file with any one changed does not hold, and nothing panics.
    let whole = fs::read(site.path("seal.att")).unwrap();
    for at in (0..whole.len()).step_by(13) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(site.path("changed.att"), changed).unwrap();
        let checked = site.run(&["attest", "verify", "changed.att", "--root", "rack-device.pem"]);
        assert!(!checked.status.success(), "byte {at} of {} does not count", whole.len());
        let said = String::from_utf8(checked.stderr).unwrap();
        assert!(said.contains("Do not trust the key") || said.contains("attested anew"), "{at}: {said}");
    }
    fs::write(site.path("cut.att"), &whole[..whole.len() / 2]).unwrap();
    assert!(fails(&["cut.att"]).contains("attested anew"));
}
