//! The link while something around it fails: the token, the disk, the clock. Either it encrypts or it blocks, and it says which
//! and why (R26). Judged on the black wire.

#![forbid(unsafe_code)]

use coloa_hil_tests::background::{Background, until};
use coloa_hil_tests::blackwire::{FAR, Sites, judge, send_canaries, serve_canaries};
use coloa_hil_tests::body::{Appliance, SoftHsm};
use coloa_hil_tests::built;
use coloa_hil_tests::network::Capture;
use coloa_hil_tests::site::KeyPlace;
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

fn place(token: &impl Target) -> KeyPlace {
    KeyPlace {
        module: token.module().to_owned(),
        token: LABEL.into(),
        pin: USER_PIN.into(),
        environment: token.environment(),
    }
}

/// Two sites with keys in this token, and a capture that began before they started.
fn sites(what: &str, dir: &Path, token: &impl Target) -> (Sites, Capture) {
    built::build(&["coloa-linkd", "coloa-pki"]).unwrap();
    let sites = Sites::make(&format!("clt{}-{what}", std::process::id()), dir, &place(token)).unwrap();
    let capture = sites.capture("black").unwrap();
    (sites, capture)
}

/// Nothing but TLS and ESP was on the wire.
fn nothing_leaked(capture: Capture) {
    let seen = judge(&capture.finish().unwrap()).unwrap();
    assert_eq!(seen.canaries, [""; 0], "canaries on the black wire");
    assert_eq!(seen.strangers, [""; 0], "neither TLS nor ESP");
    assert!(seen.tls > 0, "{seen:?}");
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

fn says(sites: &Sites, site: &str, word: &str) -> bool {
    sites.link.status(site).is_ok_and(|(status, _)| status.contains(word))
}

fn stop(processes: &[&Background]) {
    processes.iter().for_each(|process| process.stop().unwrap());
}

#[test]
fn a_hung_hsm_leaves_the_link_alone_and_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    built::build(&["coloa-appliance", "coloa-cli", "coloa-pkcs11"]).unwrap();
    let hsm = Appliance::start().unwrap();
    let (sites, capture) = sites("h", dir.path(), &hsm);
    for site in ["site-a", "site-b"] {
        sites.link.configure(site, "[rekey]\nafter_seconds = 30\ndrain_seconds = 2").unwrap();
    }
    let (near, far) = (sites.start("site-a").unwrap(), sites.start("site-b").unwrap());
    sites.await_up().unwrap();
    let server = serve_canaries(&sites.red[1], FAR, dir.path()).unwrap();
    // it takes connections and answers none
    signal(hsm.pid().unwrap(), "-STOP");
    let blamed = until(Duration::from_secs(50), || {
        assert!(send_canaries(&sites.red[0], FAR).unwrap(), "the link lives on");
        says(&sites, "site-a", "token") || says(&sites, "site-b", "token")
    });
    assert!(blamed, "status says whose fault it is: {:?}", sites.link.status("site-a"));
    signal(hsm.pid().unwrap(), "-CONT");
    let renewed =
        until(Duration::from_secs(60), || says(&sites, "site-a", "epoch 2") || says(&sites, "site-a", "epoch 3"));
    assert!(renewed, "{:?}", sites.link.status("site-a"));
    assert!(send_canaries(&sites.red[0], FAR).unwrap(), "and carries on with new keys");
    stop(&[&near, &far, &server]);
    nothing_leaked(capture);
}

#[test]
fn a_full_disk_lets_no_daemon_start_that_could_not_remember_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    let token = SoftHsm::start().unwrap();
    let (sites, capture) = sites("d", dir.path(), &token);
    let state = sites.link.path("state-site-a");
    std::fs::create_dir_all(&state).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&state).status().unwrap();
    assert!(mount.success());
    std::fs::write(state.join("filler"), vec![0; 64 << 10]).unwrap();
    let far = sites.start("site-b").unwrap();
    let refused = sites.start("site-a").map(|daemon| daemon.stop()).expect_err("there is no room for the serial");
    assert!(format!("{refused:#}").contains("state-site-a"), "the place is named: {refused:#}");
    assert!(!send_canaries(&sites.red[0], FAR).unwrap(), "red has no way out");
    std::fs::remove_file(state.join("filler")).unwrap();
    let near = sites.start("site-a").unwrap();
    sites.await_up().unwrap();
    // full again while it runs: what was remembered is enough
    std::fs::write(state.join("filler"), vec![0; 64 << 10]).err();
    let server = serve_canaries(&sites.red[1], FAR, dir.path()).unwrap();
    assert!(send_canaries(&sites.red[0], FAR).unwrap());
    stop(&[&near, &far, &server]);
    assert!(Command::new("umount").arg(&state).status().unwrap().success());
    nothing_leaked(capture);
}

#[test]
fn a_clock_that_jumps_past_the_certificates_cuts_the_link_until_it_is_right_again() {
    let dir = tempfile::tempdir().unwrap();
    let token = SoftHsm::start().unwrap();
    let (sites, capture) = sites("c", dir.path(), &token);
    let clock = dir.path().join("clock");
    std::fs::write(&clock, "+0").unwrap();
    let file = clock.to_str().unwrap();
    let environment = [
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME_TIMESTAMP_FILE", file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    let near = sites.start_with("site-a", &environment).unwrap();
    let far = sites.start("site-b").unwrap();
    sites.await_up().unwrap();
    let server = serve_canaries(&sites.red[1], FAR, dir.path()).unwrap();
    assert!(send_canaries(&sites.red[0], FAR).unwrap());
    for jump in ["+30y", "-30y"] {
        std::fs::write(&clock, jump).unwrap();
        let cut = until(Duration::from_secs(30), || !sites.red[0].reaches(FAR[0]));
        assert!(cut, "{jump}: certificates that are not valid now cut the link");
        assert!(!send_canaries(&sites.red[0], FAR).unwrap());
        let why = until(Duration::from_secs(20), || says(&sites, "site-a", "certificate"));
        assert!(why, "{jump}: status says why: {:?}", sites.link.status("site-a"));
        std::fs::write(&clock, "+0").unwrap();
        sites.await_up().unwrap();
        assert!(send_canaries(&sites.red[0], FAR).unwrap());
    }
    stop(&[&near, &far, &server]);
    nothing_leaked(capture);
}
