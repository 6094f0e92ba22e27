//! The audit log as an auditor checks it far from the appliance (R17): signed ends, cut ends, and OpenSSL's opinion.
#![forbid(unsafe_code)]

mod site;

use site::Site;
use std::fs;
use std::process::Command;

/// An export, a checkpoint that was kept before it, and the device's certificates.
fn audited() -> Site {
    let site = Site::with_partition("court");
    site.does(&["audit", "certificates", "--out", "rack"]);
    site.does(&["audit", "checkpoint", "--out", "kept.seal"]);
    site.create("tax");
    site.does(&["audit", "export", "--out", "audit.cbor"]);
    site
}

const VERIFY: [&str; 7] =
    ["audit", "verify", "audit.cbor", "--device-certificate", "rack-device.pem", "--checkpoint", "kept.seal"];

/// The CBOR items of a file, each with its head.
fn items(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let mut items = Vec::new();
    while decoder.position() < bytes.len() {
        let start = decoder.position();
        decoder.skip().unwrap();
        items.push(bytes[start..decoder.position()].to_vec());
    }
    items
}

#[test]
fn a_log_is_checked_far_from_its_device_and_openssl_walks_the_certificates() {
    let site = audited();
    let verified = site.does(&VERIFY);
    assert_eq!((&verified["signed"], &verified["chain"]), (&verified["last"], &"whole".into()));
    assert_eq!(verified["clock_steps"], serde_json::json!([]));
    for leaf in ["rack-audit.pem", "rack-attestation.pem", "rack-device.pem"] {
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-CAfile", "rack-device.pem", leaf]).current_dir(site.dir.path());
        let out = openssl.output().unwrap();
        assert!(out.status.success(), "{leaf}: {}", String::from_utf8_lossy(&out.stderr));
    }
    // Another device's certificate does not vouch for it.
    let other = Site::operational();
    other.does(&["audit", "certificates", "--out", "other"]);
    fs::copy(other.path("other-device.pem"), site.path("other.pem")).unwrap();
    let refused = site.fails(&["audit", "verify", "audit.cbor", "--device-certificate", "other.pem"]);
    assert!(refused.contains("not signed by this device"), "{refused}");
}

#[test]
fn what_was_changed_or_cut_is_found_and_named() {
    let site = audited();
    let bytes = fs::read(site.path("audit.cbor")).unwrap();
    let whole = items(&bytes);
    let (seal, records) = whole.split_last().unwrap();
    let is_refused = |bytes: Vec<u8>, says: &str| {
        fs::write(site.path("audit.cbor"), bytes).unwrap();
        let said = site.fails(&VERIFY);
        assert!(said.contains(says), "{says}: {said}");
    };
    for at in 0..records.len() {
        let mut flipped = records.to_vec();
        *flipped[at].last_mut().unwrap() ^= 1;
        is_refused([flipped.concat(), seal.clone()].concat(), &format!("record {} ", at + 1));
    }
    // Without its end, and without the seal that says so: the checkpoint that was kept does.
    let kept = site.path("kept.seal");
    let unsealed = |count: usize| records[..count].concat();
    is_refused(unsealed(1), "the end was cut off");
    fs::remove_file(&kept).unwrap();
    fs::write(site.path("audit.cbor"), unsealed(records.len())).unwrap();
    assert!(site.fails(&VERIFY[..5]).contains("no checkpoint"));
    // A forged seal.
    let mut forged = seal.clone();
    let at = forged.windows(2).position(|w| w == [0x58, 0x60]).expect("the signature") + 10;
    forged[at] ^= 1;
    fs::write(site.path("audit.cbor"), [unsealed(records.len()), forged].concat()).unwrap();
    assert!(site.fails(&VERIFY[..5]).contains("not signed by this device"));
}
