//! The log goes to syslog too (RFC 5424), to a socket or to a collector.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::authority::Authority;
use crate::daemon::{Daemon, config};
use crate::network::Network;

/// Reads messages until one holds this.
fn hears(mut receive: impl FnMut(&mut [u8]) -> std::io::Result<usize>, what: &str) -> String {
    let mut octets = [0; 4096];
    for _ in 0..200 {
        let length = receive(&mut octets).expect("a message in time");
        let said = String::from_utf8(octets[..length].to_vec()).expect("UTF-8");
        if said.contains(what) {
            return said;
        }
    }
    panic!("`{what}` was never heard");
}

#[test]
fn what_happens_to_a_link_is_heard_by_syslog() {
    let (authority, network) = (Authority::make(), Network::make());
    let socket = UnixDatagram::bind(authority.path("log.sock")).expect("socket");
    let collector = UdpSocket::bind("127.0.0.1:0").expect("collector");
    let patience = Some(Duration::from_secs(40));
    socket.set_read_timeout(patience).expect("patience");
    collector.set_read_timeout(patience).expect("patience");
    let to = |target: &str, site: &str| config(&authority, &network, site) + &format!("[log]\nsyslog = \"{target}\"\n");
    let a = Daemon::start(&authority, "a", &to(&authority.text_path("log.sock"), "a"));
    let b = Daemon::start(&authority, "b", &to(&collector.local_addr().expect("address").to_string(), "b"));
    let said = [
        hears(|octets| socket.recv(octets), "connected, encrypting"),
        hears(|octets| collector.recv(octets), "connected, encrypting"),
    ];
    for (said, daemon) in said.iter().zip([&a, &b]) {
        let process = format!(" coloa-linkd {} ", daemon.process());
        assert!(said.starts_with("<30>1 2") && said.contains(&process) && said.contains(" - \u{feff}"), "{said}");
        assert!(said.contains("epoch=1") && !said.contains('\n'), "{said}");
    }
    authority.sign_policy(6, &["a", "b"], "");
    let cut = hears(|octets| socket.recv(octets), "policy in force");
    assert!(cut.contains("serial=6"), "{cut}");
    // A collector that goes away costs nothing.
    drop(socket);
    authority.sign_policy(7, &["a", "b"], "[[link]]\nbetween = [\"a\", \"b\"]\n");
    a.says("serial=7");
    a.encrypts();
}

#[test]
fn a_socket_that_is_not_there_is_named() {
    let (authority, network) = (Authority::make(), Network::make());
    let text = config(&authority, &network, "a") + "[log]\nsyslog = \"/no/such/socket\"\n";
    let mut a = Daemon::start(&authority, "a", &text);
    assert_eq!(a.ends(), Some(1));
    a.says("LINKD-17");
}
