//! Partitions for organs as a person runs them: `coloa partition` against a real `coload`, and the organ's side over TLS (R4, R21).
#![forbid(unsafe_code)]

mod site;

use serde_json::json;
use site::Site;

const CHANGE: [&str; 8] =
    ["pin", "change", "--token", "court", "--old-pin-file", "user.pin", "--new-pin-file", "new.pin"];

fn usage(site: &Site, label: &str) -> serde_json::Value {
    site.does(&["partition", "usage", "--partition", label])[0].clone()
}

#[test]
fn what_is_not_named_stays_as_it_was_set() {
    let site = Site::with_partition("court");
    let set = |words: &[&str]| site.does(&[&["partition", "set", "--partition", "court"], words].concat())[0].clone();
    set(&["--max-objects", "100", "--max-sessions", "5", "--mechanism", "CKM_ECDSA", "--mechanism", "AES_GCM"]);
    let after = set(&["--max-objects", "none", "--pin-min", "8"]);
    assert_eq!((&after["max_objects"], &after["max_sessions"]), (&json!(null), &json!(5)));
    assert_eq!((&after["mechanisms"], &after["pin_min"]), (&json!(["ECDSA", "AES_GCM"]), &json!(8)));
    assert_eq!(set(&["--mechanism", "all"])["mechanisms"], json!(null));
    assert!(site.fails(&["partition", "set", "--partition", "court", "--mechanism", "NONE"]).contains("NONE"));
    assert!(site.fails(&["partition", "set", "--partition", "court", "--pin-min", "3"]).contains("E184"));
    assert!(!site.run(&["partition", "set", "--partition", "court"]).status.success(), "nothing is asked for");
    assert_eq!(usage(&site, "court")["pin_min"], 8);
}

/// R4
#[test]
fn a_pin_that_is_too_simple_for_the_organ_is_refused_and_the_old_one_stays() {
    let site = Site::with_partition("court");
    site.enrol("court", "court-srv-1");
    site.does(&["partition", "set", "--partition", "court", "--pin-min", "6", "--pin-classes", "2"]);
    assert!(site.fails(&CHANGE).contains("E183"));
    site.does(&["partition", "set", "--partition", "court", "--pin-classes", "none", "--pin-min", "7"]);
    assert!(site.fails(&CHANGE).contains("E032"));
    site.does(&["partition", "set", "--partition", "court", "--pin-min", "none"]);
    site.does(&CHANGE);
}

/// R21: the organ that is suspended, and not its neighbour.
#[test]
fn a_suspended_organ_is_refused_until_it_is_resumed_and_its_neighbour_goes_on() {
    let site = Site::with_partition("court");
    site.create("agency");
    site.enrol("court", "court-srv-1");
    let said = site.does(&["partition", "suspend", "--partition", "court"]);
    assert_eq!(said["suspended"], true);
    assert!(site.fails(&CHANGE).contains("E180"));
    assert!(usage(&site, "court")["suspended"].is_string());
    assert!(usage(&site, "agency")["suspended"].is_null());
    let all = site.does(&["partition", "usage"]);
    assert_eq!(all.as_array().unwrap().len(), 2);
    site.does(&["partition", "resume", "--partition", "court"]);
    site.does(&CHANGE);
}
