//! Bypass (R27): in clear goes what a quorum has ordered, for as long as it has ordered it, where there are no keys, and nothing
//! else; a site's own file brings none about.

use std::fs;
use std::net::UdpSocket;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::authority::{Authority, Flaw, LINKD, MODULE};
use crate::carries::{Capture, packets};
use crate::daemon::{Daemon, config};
use crate::network::{Network, RED_V4, eventually, run};

const CUSTODIANS: [&str; 3] = ["kim", "lan", "minh"];

struct Rig {
    authority: Authority,
    network: Network,
}

impl Rig {
    /// Two sites that cannot agree on keys: site b's certificate has expired. Three custodians, of whom it takes two.
    fn make() -> Self {
        let rig = Self { authority: Authority::make(), network: Network::make() };
        CUSTODIANS.into_iter().chain(["stranger"]).for_each(|name| rig.authority.issue(name, Flaw::None));
        rig.authority.issue("b", Flaw::Expired);
        let keys: Vec<String> = CUSTODIANS.iter().map(|name| rig.authority.identity(name)).collect();
        rig.sign_policy(7, &format!("[bypass]\nthreshold = 2\ncustodians = {keys:?}\nhours = 1\n"));
        rig
    }

    fn sign_policy(&self, serial: u64, bypass: &str) {
        self.authority.sign_policy(serial, &["a", "b"], &format!("[[link]]\nbetween = [\"a\", \"b\"]\n{bypass}"));
    }

    fn start(&self) -> [Daemon; 2] {
        ["a", "b"].map(|site| Daemon::start(&self.authority, site, &config(&self.authority, &self.network, site)))
    }

    fn linkd(&self, token: &str, words: &[&str]) -> Output {
        let mut command = Command::new(LINKD);
        command.current_dir(self.authority.path("")).args(["--lang", "en", "bypass"]).args(words).stdin(Stdio::null());
        self.authority.with_token(token, &mut command).output().expect("coloa-linkd")
    }

    fn draft(&self, serial: u64, rest: &str) {
        let text = format!("serial = {serial}\nsites = [\"b\", \"a\"]\nreason = \"the certificate of b\"\n{rest}\n");
        self.authority.write("order.toml", &text);
        let policy = ["--policy", "policy.bundle", "--authority", "policy.pem", "--output", "order"];
        let drafted = self.linkd("a", &[&["draft", "order.toml"][..], &policy].concat());
        assert!(drafted.status.success(), "{drafted:?}");
    }

    fn sign(&self, custodian: &str) {
        let (certificate, policy) =
            (format!("{custodian}.pem"), ["--policy", "policy.bundle", "--authority", "policy.pem"]);
        let key = ["--module", MODULE, "--token", custodian, "--key", "link", "--pin-file", "pin"];
        let words = [&["sign", "order", "--yes", "--certificate", &certificate][..], &policy, &key].concat();
        let signed = self.linkd(custodian, &words);
        assert!(signed.status.success(), "{signed:?}");
    }

    fn apply(&self, site: &str) -> Output {
        self.linkd(site, &["apply", "order", "--config", &self.authority.text_path(&format!("{site}.toml"))])
    }

    fn pings(&self, words: &[&str]) -> bool {
        self.network.red[0].succeeds("ping", &[&["-c", "1", "-W", "1"], words, &[RED_V4[1]]].concat())
    }
}

/// R27.
#[test]
fn a_quorum_lets_the_named_traffic_go_in_clear_for_a_while_and_nothing_else() {
    let rig = Rig::make();
    let [a, b] = rig.start();
    a.says("Expired");
    assert!(!rig.pings(&[]));
    // It began half a minute ago, so that its end is not far.
    let began = run("date", &["-u", "-d", "28 seconds ago", "+%FT%TZ"]).stdout;
    let began = String::from_utf8_lossy(&began).trim().to_owned();
    rig.draft(1, &format!("starts = {began:?}\nminutes = 1\nallow = [{{ protocol = \"icmp\" }}]"));
    for (signer, needed) in [("kim", false), ("stranger", false), ("kim", false), ("minh", true)] {
        rig.sign(signer);
        let applied = rig.apply("a");
        assert_eq!(applied.status.success(), needed, "{signer}: {applied:?}");
        if !needed {
            assert!(String::from_utf8_lossy(&applied.stderr).contains("LINKD-19"), "{applied:?}");
        }
    }
    assert!(rig.apply("b").status.success());
    let capture = Capture::start(&rig.authority, &rig.network.black[1], "bypass.pcap");
    eventually("what was ordered passes", || rig.pings(&[]));
    assert!(rig.pings(&["-s", "4000"]), "in fragments where it has to be");
    for daemon in [&a, &b] {
        let words = daemon.words();
        assert!(words.contains("BYPASS: IN CLEAR") && words.contains("order 1: the certificate of b"), "{words}");
        assert_eq!(daemon.status(&[]).status.code(), Some(3));
        daemon.says("BYPASS: what has no keys goes in CLEAR");
    }
    let vietnamese = String::from_utf8_lossy(&a.status(&["--lang", "vi"]).stdout).into_owned();
    assert!(vietnamese.contains("KHÔNG MÃ HÓA"), "{vietnamese}");
    // Not what was not ordered, though the policy permits it.
    let udp = format!("exec 3<>/dev/udp/{}/9999 && echo in-clear-by-udp >&3", RED_V4[1]);
    rig.network.red[0].good("bash", &["-c", &udp]);
    // Not by whoever else is on black: only from where the peer is.
    rig.network.black[1].inside(|| {
        let echo = *b"\x45\0\0\x1c\0\x01\0\0\x40\x01\x65\xd5\x0a\x48\0\x01\x0a\x47\0\x01\x08\0\xf7\xff\0\0\0\0";
        let forged = [&b"\0\0\0\0CLR1"[..], &echo].concat();
        UdpSocket::bind("192.0.2.2:0").and_then(|socket| socket.send_to(&forged, "192.0.2.1:4500")).expect("sent");
    });
    eventually("it is dropped by name", || metric(&rig, "inward\",reason=\"clear_not_ordered\"} 1"));
    // Not longer than it was ordered: a minute.
    eventually("the order is over", || a.log().contains("the bypass has ended"));
    std::thread::sleep(Duration::from_secs(2));
    assert!(!rig.pings(&[]));
    let capture = capture.stop();
    let octets = fs::read(&capture).expect("capture");
    assert!(octets.windows(4).any(|four| four == b"CLR1"), "what went in clear is marked");
    assert!(!octets.windows(15).any(|text| text == b"in-clear-by-udp"));
    assert_eq!(packets(&capture, "not udp port 4500 and not tcp port 4500 and not arp"), Vec::<String>::new());
    // Used once.
    let again = rig.apply("a");
    assert!(!again.status.success(), "{again:?}");
}

fn metric(rig: &Rig, line: &str) -> bool {
    let socket = rig.authority.text_path("a.sock");
    let words = ["-s", "--unix-socket", &socket, "http://linkd/metrics"];
    String::from_utf8_lossy(&run("curl", &words).stdout).contains(line)
}

#[test]
fn an_order_is_taken_back_at_once_and_no_restart_brings_it_again() {
    let rig = Rig::make();
    let [mut a, _b] = rig.start();
    rig.draft(3, "minutes = 60");
    ["lan", "minh"].into_iter().for_each(|name| rig.sign(name));
    for site in ["a", "b"] {
        assert!(rig.apply(site).status.success());
    }
    eventually("it passes", || rig.pings(&[]));
    a.kill();
    let a = Daemon::start(&rig.authority, "a", &config(&rig.authority, &rig.network, "a"));
    a.says("it, or a later one, was used before");
    assert!(!rig.pings(&[]), "after a restart it needs another order");
    rig.draft(4, "minutes = 60");
    ["lan", "kim"].into_iter().for_each(|name| rig.sign(name));
    assert!(rig.apply("a").status.success());
    eventually("it passes again", || rig.pings(&[]));
    let cancelled = rig.linkd("a", &["cancel", "--config", &rig.authority.text_path("a.toml")]);
    assert!(cancelled.status.success(), "{cancelled:?}");
    eventually("it is over", || !rig.pings(&[]));
    a.says("it was taken back");
}

/// R27, R37.
#[test]
fn without_a_quorum_in_the_signed_policy_nothing_goes_in_clear() {
    let rig = Rig::make();
    let [a, _b] = rig.start();
    rig.draft(1, "minutes = 30");
    ["lan", "minh"].into_iter().for_each(|name| rig.sign(name));
    assert!(rig.apply("a").status.success() && rig.apply("b").status.success());
    eventually("it passes", || rig.pings(&[]));
    // A policy that does not provide for it ends it.
    rig.sign_policy(8, "");
    eventually("it is over", || !rig.pings(&[]));
    a.says("names nobody who may order a bypass");
    rig.draft(2, "minutes = 30");
    ["lan", "minh"].into_iter().for_each(|name| rig.sign(name));
    assert!(!rig.apply("a").status.success());
    // Nor does an order that is only put there, nor a configuration that says so.
    fs::copy(rig.authority.path("order"), rig.authority.path("state-a/bypass-order")).expect("copy");
    std::thread::sleep(Duration::from_secs(3));
    assert!(!rig.pings(&[]));
    let text = config(&rig.authority, &rig.network, "a") + "[bypass]\nallow = true\n";
    let mut wrong = Daemon::start(&rig.authority, "a", &text);
    assert_eq!(wrong.ends(), Some(1));
    assert!(wrong.log().contains("LINKD-02"), "{}", wrong.log());
}

#[test]
fn an_order_that_lies_there_early_waits_for_its_time_and_says_so_once() {
    let rig = Rig::make();
    let [a, _b] = rig.start();
    let starts = run("date", &["-u", "-d", "12 seconds", "+%FT%TZ"]).stdout;
    rig.draft(1, &format!("starts = {:?}\nminutes = 30", String::from_utf8_lossy(&starts).trim()));
    ["kim", "lan"].into_iter().for_each(|name| rig.sign(name));
    assert!(rig.apply("a").status.success() && rig.apply("b").status.success());
    a.says("its time has not come");
    assert!(!rig.pings(&[]));
    eventually("its time comes", || rig.pings(&[]));
    assert_eq!(a.log().matches("its time has not come").count(), 1);
}

/// R27, R31: who is revoked under an order gets nothing in clear by it.
#[test]
fn a_peer_that_is_revoked_while_an_order_names_it_gets_nothing_in_clear() {
    let rig = Rig::make();
    rig.authority.issue("b", Flaw::None);
    let keys: Vec<String> = CUSTODIANS.iter().map(|name| rig.authority.identity(name)).collect();
    rig.sign_policy(8, &format!("[bypass]\nthreshold = 2\ncustodians = {keys:?}\nhours = 1\n"));
    rig.authority.revoke(&[]);
    let with_crl = |site| {
        config(&rig.authority, &rig.network, site).replace("\"root.pem\"\n", "\"root.pem\"\ncrl = \"crl.pem\"\n")
    };
    let [a, b] = ["a", "b"].map(|site| Daemon::start(&rig.authority, site, &with_crl(site)));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    rig.draft(1, "minutes = 30");
    ["kim", "minh"].into_iter().for_each(|name| rig.sign(name));
    assert!(rig.apply("a").status.success() && rig.apply("b").status.success());
    a.says("BYPASS: what has no keys goes in CLEAR");
    assert!(rig.pings(&[]), "encrypted");
    let capture = Capture::start(&rig.authority, &rig.network.black[1], "revoked.pcap");
    rig.authority.revoke(&["b"]);
    a.says("the link is cut");
    std::thread::sleep(Duration::from_secs(2));
    assert!(!rig.pings(&[]));
    let octets = fs::read(capture.stop()).expect("capture");
    assert!(!octets.windows(4).any(|four| four == b"CLR1"));
}

/// R27: what has keys is encrypted, ordered or not.
#[test]
fn an_order_takes_nothing_from_a_link_that_encrypts() {
    let rig = Rig::make();
    rig.authority.issue("b", Flaw::None);
    let keys: Vec<String> = CUSTODIANS.iter().map(|name| rig.authority.identity(name)).collect();
    rig.sign_policy(8, &format!("[bypass]\nthreshold = 2\ncustodians = {keys:?}\nhours = 1\n"));
    let daemons = rig.start();
    daemons.iter().for_each(Daemon::encrypts);
    rig.draft(1, "minutes = 30");
    ["kim", "minh"].into_iter().for_each(|name| rig.sign(name));
    assert!(rig.apply("a").status.success() && rig.apply("b").status.success());
    daemons[0].says("BYPASS: what has no keys goes in CLEAR");
    let capture = Capture::start(&rig.authority, &rig.network.black[1], "encrypts.pcap");
    assert!(rig.pings(&[]));
    let octets = fs::read(capture.stop()).expect("capture");
    assert!(!octets.windows(4).any(|four| four == b"CLR1"));
}
