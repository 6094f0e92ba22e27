//! Mistakes of setting up: each ends the daemon with a code, what happened and what to do.

use std::process::{Command, Stdio};

use crate::authority::{Authority, Flaw, LINKD};
use crate::daemon::{Daemon, config};
use crate::network::{BLACK, Network};

fn fails(authority: &Authority, config: &str, code: &str, what: &str) {
    let mut a = Daemon::start(authority, "a", config);
    assert_eq!(a.ends(), Some(1), "{}", a.log());
    let log = a.log();
    for part in [code, what, "Next: "] {
        assert!(log.contains(part), "`{part}` is not in:\n{log}");
    }
}

#[test]
fn an_unknown_key_is_named() {
    let (authority, network) = (Authority::make(), Network::make());
    let text = config(&authority, &network, "a").replace("[black]", "[black]\nbypass = true");
    fails(&authority, &text, "LINKD-02", "bypass");
}

#[test]
fn a_port_in_use_is_named() {
    let (authority, network) = (Authority::make(), Network::make());
    let text = config(&authority, &network, "a");
    let at = format!("{}:4500", BLACK[0]);
    let udp = network.black[0].inside(|| std::net::UdpSocket::bind(&at).expect("udp"));
    fails(&authority, &text, "LINKD-07", &at);
    drop(udp);
    let _tcp = network.black[0].inside(|| std::net::TcpListener::bind(&at).expect("tcp"));
    fails(&authority, &text, "LINKD-07", &at);
}

#[test]
fn one_namespace_for_both_sides_needs_a_word() {
    let (authority, network) = (Authority::make(), Network::make());
    let text = config(&authority, &network, "a").replace(&network.red[0].0, &network.black[0].0);
    // The tests' black namespaces have no IPv6.
    let text = text.replace(", \"fd71::1/64\"", "");
    fails(&authority, &text, "LINKD-03", "allow_shared_namespace");
    let a = Daemon::start(&authority, "a", &format!("allow_shared_namespace = true\n{text}"));
    crate::network::eventually("status warns", || a.words().contains("WARNING: red and black share"));
}

#[test]
fn a_missing_namespace_is_named() {
    let (authority, network) = (Authority::make(), Network::make());
    let text = config(&authority, &network, "a").replace(&network.red[0].0, "no-such-namespace");
    fails(&authority, &text, "LINKD-04", "no-such-namespace");
}

#[test]
fn a_missing_tun_right_is_told() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.write("a.toml", &config(&authority, &network, "a"));
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_admin", "--inh-caps=-net_admin", LINKD, "run", "--config"]);
    command.arg(authority.path("a.toml")).stdin(Stdio::null());
    let ended = authority.with_token("a", &mut command).output().expect("setpriv");
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{text}");
    assert!(text.contains("LINKD-05") && text.contains("CAP_NET_ADMIN"), "{text}");
}

#[test]
fn a_token_that_does_not_serve_is_told() {
    let (authority, network) = (Authority::make(), Network::make());
    let text = config(&authority, &network, "a");
    fails(&authority, &text.replace("label = \"a\"", "label = \"z\""), "LINKD-09", "no token is called `z`");
    fails(&authority, &text.replace("key = \"link\"", "key = \"other\""), "LINKD-09", "no such EC private key");
    authority.write("wrong-pin", "9999");
    fails(&authority, &text.replace("\"pin\"", "\"wrong-pin\""), "LINKD-09", "PIN");
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let (authority, network) = (Authority::make(), Network::make());
    let before = std::fs::read(authority.path("a.pem")).expect("certificate");
    authority.issue("a", Flaw::None);
    std::fs::write(authority.path("a.pem"), before).expect("write");
    fails(&authority, &config(&authority, &network, "a"), "LINKD-10", "does not belong");
}
