//! `coloa doctor` against a real `coload`, well and in every way ill that a test can bring about.
#![forbid(unsafe_code)]

mod site;

use serde_json::Value;
use site::Site;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn enrolled() -> Site {
    let site = Site::with_partition("court");
    site.enrol("court", "court-srv-1");
    site
}

/// What the doctor found; whether it was content is the exit status.
fn findings(site: &Site, more: &[&str]) -> (bool, Vec<Value>) {
    let out = site.run(&[&["--json", "doctor"], more].concat());
    (out.status.success(), serde_json::from_slice(&out.stdout).unwrap())
}

fn verdict<'a>(found: &'a [Value], check: &str) -> (&'a str, &'a str) {
    let line = found.iter().find(|line| line["check"] == check).unwrap_or_else(|| panic!("no {check} in {found:?}"));
    (line["verdict"].as_str().unwrap(), line["finding"].as_str().unwrap())
}

/// It fails for this reason only.
fn ill(site: &Site, check: &str, advice: &str) {
    let (well, found) = findings(site, &[]);
    assert!(!well, "{found:?}");
    let failed: Vec<_> = found.iter().filter(|line| line["verdict"] == "failed").collect();
    assert!(!failed.is_empty() && failed.iter().all(|line| line["check"] == check), "{failed:?}");
    let words = failed[0]["finding"].as_str().unwrap();
    assert!(words.contains(advice), "{words}");
}

#[test]
fn a_well_client_is_told_so() {
    let site = enrolled();
    let (well, found) = findings(&site, &["--log-in", "--user-pin-file", "user.pin"]);
    assert!(well, "{found:?}");
    for check in [
        "config",
        "key file",
        "certificate",
        "name",
        "port and TLS",
        "device",
        "clock",
        "PIN",
        "login",
        "mechanisms",
        "speed",
    ] {
        assert_eq!(verdict(&found, check).0, "good", "{check}");
    }
    assert!(verdict(&found, "port and TLS").1.contains("TLS13_AES"), "{found:?}");
    let shown = String::from_utf8(site.run(&["--lang", "vi", "doctor"]).stdout).unwrap();
    assert!(shown.contains("tốt") && shown.contains("còn 10 lần thử") && !shown.contains('\x1b'), "{shown}");
}

#[test]
fn a_key_that_others_may_read_is_named() {
    let site = enrolled();
    let key = site.path("court-srv-1/client.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    ill(&site, "key file", "chmod 600");
}

#[test]
fn a_missing_configuration_and_a_wrong_line_are_named() {
    let site = enrolled();
    let conf = site.path("court-srv-1/coloa.toml");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, format!("{text}adress = \"x\"\n")).unwrap();
    ill(&site, "config", "`adress`");
    fs::remove_file(&conf).unwrap();
    ill(&site, "config", "COLOA_CONF");
}

#[test]
fn a_port_without_an_appliance_and_a_wrong_name_are_told_apart() {
    let site = enrolled();
    let conf = site.path("court-srv-1/coloa.toml");
    let text = fs::read_to_string(&conf).unwrap();
    let address = text.lines().find(|line| line.starts_with("address")).unwrap().to_owned();
    fs::write(&conf, text.replace(&address, "address = \"127.0.0.1:1\"")).unwrap();
    ill(&site, "port and TLS", "Check that the appliance runs");
    fs::write(&conf, text.replace(&address, "address = \"appliance.invalid:7443\"")).unwrap();
    ill(&site, "name", "/etc/resolv.conf");
    let name = text.lines().find(|line| line.starts_with("server_name")).unwrap().to_owned();
    fs::write(&conf, text.replace(&name, "server_name = \"somebody.else\"")).unwrap();
    ill(&site, "port and TLS", "`server_name`");
}

#[test]
fn a_certificate_that_is_not_valid_yet_points_at_the_clock() {
    let site = Site::with_partition("court");
    let later = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 86_400 * 5;
    let later = later.to_string();
    let words = ["client", "enrol", "--partition", "court", "--name", "court-srv-1", "--out", "court-srv-1"];
    site.does(&[&words[..], &["--valid-from", &later]].concat());
    ill(&site, "certificate", "timedatectl");
}

#[test]
fn a_client_that_was_taken_out_learns_it() {
    let site = enrolled();
    site.create("agency");
    site.does(&["client", "remove", "--partition", "court", "--name", "court-srv-1"]);
    let (well, found) = findings(&site, &[]);
    assert!(!well);
    let words = found.iter().find(|line| line["verdict"] == "failed").unwrap()["finding"].as_str().unwrap();
    assert!(words.contains("bound"), "{words}");
}

#[test]
fn wrong_tries_are_seen_and_a_wrong_pin_costs_one() {
    let site = enrolled();
    let (well, found) = findings(&site, &["--log-in", "--user-pin-file", "new.pin"]);
    assert!(!well);
    assert!(verdict(&found, "login").1.contains("E030"), "{found:?}");
    let (well, found) = findings(&site, &[]);
    assert!(well);
    let (verdict, words) = verdict(&found, "PIN");
    assert!(verdict == "warning" && words.contains("1 wrong tries, 9 left"), "{words}");
}

#[test]
fn an_embedded_token_that_is_not_there_is_not_made() {
    let site = Site::new();
    fs::create_dir(site.path("court-srv-1")).unwrap();
    let token = site.path("court-srv-1/token");
    fs::write(site.path("court-srv-1/coloa.toml"), "[[token]]\nbody = \"embedded\"\ndirectory = \"token\"\n").unwrap();
    let not_made = || {
        let (well, found) = findings(&site, &[]);
        let (verdict, words) = verdict(&found, "directory");
        assert!(well && verdict == "warning" && words.contains("first use"), "{found:?}");
    };
    not_made();
    assert!(!token.exists(), "the doctor made it");
    fs::create_dir(&token).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o700)).unwrap();
    not_made();
    assert_eq!(fs::read_dir(&token).unwrap().count(), 0, "the doctor made a store");
}
