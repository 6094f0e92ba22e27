//! The link between two sites, judged on the black wire. Keys are in SoftHSM2: any PKCS#11 token serves.

#![forbid(unsafe_code)]

use coloa_hil_tests::background::until;
use coloa_hil_tests::blackwire::{
    FAR, Sites, canaries, judge, received, send_canaries, serve_canaries, without_encryptor,
};
use coloa_hil_tests::body::SoftHsm;
use coloa_hil_tests::built;
use coloa_hil_tests::site::KeyPlace;
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use std::time::Duration;

/// Namespaces are the machine's: another run of the tests must not take ours away.
fn prefix(what: &str) -> String {
    format!("clt{}-{what}", std::process::id())
}

#[test]
fn a_plain_wire_shows_every_canary() {
    let dir = tempfile::tempdir().unwrap();
    let seen = without_encryptor(&prefix("p"), dir.path()).unwrap();
    assert_eq!(seen.canaries, canaries().unwrap());
    assert_eq!((seen.esp, seen.tls), (0, 0));
    assert!(!seen.strangers.is_empty(), "cleartext is a stranger on the black wire");
}

/// R26.
#[test]
fn the_black_wire_shows_only_tls_and_esp_from_before_the_start_to_after_a_kill() {
    built::build(&["coloa-linkd", "coloa-pki"]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let token = SoftHsm::start().unwrap();
    let keys = KeyPlace {
        module: token.module().to_owned(),
        token: LABEL.into(),
        pin: USER_PIN.into(),
        environment: token.environment(),
    };
    let sites = Sites::make(&prefix("w"), dir.path(), &keys).unwrap();
    let capture = sites.capture("black").unwrap();
    // before the start: no route, no packet
    assert!(!send_canaries(&sites.red[0], FAR).unwrap(), "red has a way out without the daemon");
    let (near, far) = (sites.start("site-a").unwrap(), sites.start("site-b").unwrap());
    sites.await_up().unwrap();
    let server = serve_canaries(&sites.red[1], FAR, dir.path()).unwrap();
    assert!(send_canaries(&sites.red[0], FAR).unwrap(), "the link carries TCP");
    // killed: nothing leaves; started again: the link is back
    near.kill().unwrap();
    assert!(!send_canaries(&sites.red[0], FAR).unwrap(), "red has a way out without the daemon");
    let near = sites.start("site-a").unwrap();
    sites.await_up().unwrap();
    let (status, _) = sites.link.status("site-a").unwrap();
    assert!(status.contains("site-b"), "status names the peer: {status}");
    for process in [&near, &far, &server] {
        process.stop().unwrap();
    }
    assert!(!send_canaries(&sites.red[0], FAR).unwrap(), "red has a way out after the end");
    let seen = judge(&capture.finish().unwrap()).unwrap();
    until(Duration::from_secs(10), || received(dir.path()).len() == 5);
    assert_eq!(received(dir.path()), ["dns", "tcp", "tcp6", "udp", "udp6"], "what came out at the far end");
    assert_eq!(seen.canaries, [""; 0], "canaries on the black wire");
    assert_eq!(seen.strangers, [""; 0], "neither TLS nor ESP");
    assert!(seen.esp > 20 && seen.tls > 10, "{seen:?}");
}
