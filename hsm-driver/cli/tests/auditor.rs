//! The auditor's day (R1, R17): enrolled once, reads and checks the log over TLS from another machine, and uses nothing.
#![forbid(unsafe_code)]

mod site;

use serde_json::json;
use site::Site;

#[test]
fn an_auditor_reads_the_log_from_afar_and_uses_nothing() {
    let site = Site::with_partition("court");
    // Taken at the ceremony; everything later is checked against it.
    site.does(&["audit", "certificates", "--out", "rack"]);
    site.does(&["auditor", "enrol", "--name", "Hoa", "--out", "court-srv-1"]);
    assert_eq!(site.does(&["auditor", "list"])[0]["name"], "Hoa");
    // From here on the local socket is out of reach: `site` points COLOA_CONF at what was enrolled.
    let afar = |words: &[&str]| site.does(&[&["--socket", "nowhere.sock", "audit", "--remote"], words].concat());
    afar(&["checkpoint", "--out", "monday.seal"]);
    let exported = afar(&["export", "--out", "audit.cbor"]);
    assert!(exported["records"].as_u64() >= Some(4), "{exported}");
    let check = ["verify", "audit.cbor", "--device-certificate", "rack-device.pem", "--checkpoint", "monday.seal"];
    assert_eq!(afar(&check)["records"], exported["records"]);
    // The same certificate opens no token, and no other act.
    let refused =
        site.fails(&["pin", "change", "--token", "court", "--old-pin-file", "user.pin", "--new-pin-file", "new.pin"]);
    assert!(refused.contains("E020"), "{refused}");
    site.does(&["auditor", "remove", "--name", "Hoa"]);
    assert_eq!(site.does(&["auditor", "list"]), json!([]));
    let gone = site.fails(&["--socket", "nowhere.sock", "audit", "--remote", "export", "--out", "again.cbor"]);
    assert!(gone.contains("refused our client certificate"), "{gone}");
    assert!(!site.path("again.cbor").exists(), "nothing is left of what was not had");
}
