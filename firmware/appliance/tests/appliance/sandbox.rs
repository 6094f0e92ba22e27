//! `coload` in its sandbox (R16): every thread is inside, and it serves a whole life there.

use crate::rig::{Appliance, key_pair, sign, user};
use std::fs;

/// The value of a line of `/proc/PID/status`.
fn line<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[test]
fn every_thread_is_inside_and_a_whole_life_is_served() {
    let mut appliance = Appliance::manufactured();
    let court = {
        // The port opens, and the store grows, from inside.
        appliance.admin().call(None, &coloa_wire::command::DeviceInitialize { label: "rack-1".into() }).unwrap();
        appliance.partition("court")
    };
    let enrolled = appliance.enrol(court, "court-srv-1");
    let client = enrolled.client(&appliance.address());
    let key = key_pair(&client, user(&client, court)).unwrap();
    let threads = appliance.threads();
    assert!(threads.len() > 3, "{threads:?}");
    for status in threads {
        let name = line(&status, "Name").unwrap_or_default();
        assert_eq!(line(&status, "NoNewPrivs"), Some("1"), "{name}");
        assert_eq!(line(&status, "Seccomp"), Some("2"), "{name}");
    }
    assert!(appliance.metrics().contains("coloa_sandbox{wall=\"seccomp\"} 1"));
    assert!(appliance.metrics().contains("coloa_sandbox{wall=\"landlock\"} 1"));
    drop(client);
    assert!(appliance.stop().success(), "{}", appliance.log());
    assert!(!appliance.path("coload.sock").exists(), "its own socket it may remove");
    appliance.start();
    let client = enrolled.client(&appliance.address());
    let session = user(&client, court);
    sign(&client, session, key).unwrap();
    let complaints = appliance.log();
    assert!(!complaints.contains("not in force") && complaints.contains("sandboxed"), "{complaints}");
}

#[test]
fn a_demand_that_does_not_exist_is_refused() {
    let mut appliance = Appliance::operational();
    appliance.stop();
    let file = appliance.path("coload.toml");
    let text = fs::read_to_string(&file).unwrap().replace("\"required\"", "\"sometimes\"");
    fs::write(&file, text).unwrap();
    let said = appliance.fails();
    assert!(said.contains("best-effort") && said.contains("line 5"), "{said}");
}
