//! Two spokes that talk through their hub by policy: site a is the hub, b and c have a link with it and none with each other.
//! What the hub relays never leaves its encryptor in the clear (R26, R27), and only the signed policy makes it a relay (R37).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use crate::authority::{Authority, LINKD};
use crate::carries::{Capture, packets};
use crate::daemon::{Daemon, config, hub_config};
use crate::network::{BLACK, Namespace, Network, RED_V4, eventually, good};

const CANARY: &[u8] = b"canary-through-the-hub-";
/// Site c's address on its own wire to the hub, and its red one.
pub const BLACK_C: &str = "198.51.100.2";
pub const RED_C: &str = "10.73.0.1";

/// A hub with two spokes.
pub struct Star {
    pub authority: Authority,
    pub network: Network,
    pub red_c: Namespace,
    pub black_c: Namespace,
}

impl Star {
    /// Site c has a wire of its own to the hub.
    pub fn make() -> Self {
        let (authority, network) = (Authority::make(), Network::make());
        authority.issue("c", crate::authority::Flaw::None);
        let [red_c, black_c] = ["red-c", "black-c"].map(Namespace::make);
        let hub = &network.black[0];
        good(
            "ip",
            &["link", "add", "wire2", "netns", &hub.0, "type", "veth", "peer", "name", "wire", "netns", &black_c.0],
        );
        hub.good("ip", &["address", "add", "198.51.100.1/24", "dev", "wire2"]);
        hub.good("ip", &["link", "set", "wire2", "up"]);
        black_c.good("ip", &["address", "add", &format!("{BLACK_C}/24"), "dev", "wire"]);
        black_c.good("ip", &["link", "set", "wire", "up"]);
        black_c.good("ip", &["route", "add", &format!("{}/32", BLACK[0]), "via", "198.51.100.1"]);
        Self { authority, network, red_c, black_c }
    }

    /// Signs a policy of the three; `rest` holds its links and rules.
    pub fn sign(&self, serial: u64, rest: &str) {
        let site = |(name, n): (&str, u8)| {
            let (identity, hub) = (self.authority.identity(name), if name == "a" { "" } else { "hub = \"a\"\n" });
            let red = format!("[\"10.7{n}.0.0/24\", \"fd7{n}::/64\"]");
            format!("[[site]]\nname = \"{name}\"\nidentity = \"{identity}\"\nred = {red}\ngroups = [\"all\"]\n{hub}")
        };
        let sites: String = [("a", 1), ("b", 2), ("c", 3)].into_iter().map(site).collect();
        self.authority.sign_text("policy", &format!("serial = {serial}\n{sites}{rest}"));
    }

    pub fn config_c(&self) -> String {
        let (red, black) = (&self.network.red[1].0, &self.network.black[1].0);
        config(&self.authority, &self.network, "b")
            .replace("state-b", "state-c")
            .replace(red.as_str(), &self.red_c.0)
            .replace(black.as_str(), &self.black_c.0)
            .replace(BLACK[1], BLACK_C)
            .replace("10.72.0.1", RED_C)
            .replace("fd72::1", "fd73::1")
            .replace("label = \"b\"", "label = \"c\"")
            .replace("b.pem", "c.pem")
            .replace("b.sock", "c.sock")
    }

    /// All three, encrypting.
    pub fn start(&self) -> [Daemon; 3] {
        let (authority, network) = (&self.authority, &self.network);
        let configs = [hub_config(authority, network), config(authority, network, "b"), self.config_c()];
        let sites = ["a", "b", "c"].into_iter().zip(&configs);
        let [a, b, c] = <[_; 3]>::try_from(sites.map(|(s, c)| Daemon::start(authority, s, c)).collect::<Vec<_>>())
            .unwrap_or_else(|_| panic!("three"));
        [&a, &b, &c].into_iter().for_each(Daemon::encrypts);
        [a, b, c]
    }

    fn pings(&self, words: &[&str]) -> Output {
        let all = [&["-c", "1", "-W", "1"], words, &[RED_C]].concat();
        self.network.red[1].command("ping", &all).output().expect("ping")
    }

    fn why(&self, site: &str) -> String {
        let config = self.authority.text_path(&format!("{site}.toml"));
        let words = ["why", "--config", &config, "--lang", "en", "10.72.0.5", "10.73.0.9"];
        let answer = Command::new(LINKD).args(words).output().expect("coloa-linkd");
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }
}

/// What every spoke may do with its hub, and with the others through it.
pub const THROUGH_THE_HUB: &str = "[[rule]]\nbetween = [\"group:all\", \"hub\"]\n\
                               [[rule]]\nbetween = [\"group:all\", \"group:all\"]\nvia = \"hub\"\n";
const TO_THE_HUB_ONLY: &str = "[[rule]]\nbetween = [\"group:all\", \"hub\"]\n";

fn holds_canary(capture: &str) -> bool {
    let octets = std::fs::read(capture).expect("capture");
    octets.windows(CANARY.len()).any(|window| window == CANARY)
}

/// Sends a megabyte of canaries over TCP from b to c, which comes whole.
fn stream(star: &Star) {
    let listener = star.red_c.inside(|| TcpListener::bind((RED_C, 7777)).expect("listen"));
    let target: SocketAddr = listener.local_addr().expect("address");
    let heard = std::thread::spawn(move || {
        let mut octets = Vec::new();
        listener.accept().expect("accept").0.read_to_end(&mut octets).expect("read");
        octets
    });
    let sent = CANARY.repeat(50_000);
    star.network.red[1].inside(|| {
        let patience = Duration::from_secs(10);
        TcpStream::connect_timeout(&target, patience).expect("connect").write_all(&sent).expect("write");
    });
    assert!(heard.join().expect("reader") == sent, "TCP through the hub comes whole");
}

#[test]
fn spokes_talk_through_their_hub_and_nothing_of_it_is_clear_anywhere() {
    let star = Star::make();
    star.sign(5, THROUGH_THE_HUB);
    let daemons = star.start();
    let hub_red = Capture::on(&star.authority, &star.network.red[0], "coloa0", "hub-red.pcap");
    let wires = [(&star.network.black[1], "wire-b.pcap"), (&star.black_c, "wire-c.pcap")]
        .map(|(at, name)| Capture::start(&star.authority, at, name));
    eventually("b reaches c through the hub", || star.pings(&[]).status.success());
    // One hop less on the way there, and one on the way back.
    let answer = String::from_utf8_lossy(&star.pings(&[]).stdout).into_owned();
    assert!(answer.contains("ttl=63"), "{answer}");
    assert!(!star.pings(&["-t", "1"]).status.success(), "no hop is left at the hub");
    assert!(star.pings(&["-s", "8000"]).status.success(), "in fragments");
    assert!(star.network.red[1].succeeds("ping", &["-6", "-c", "1", "-W", "2", "fd73::1"]), "and over IPv6");
    assert!(star.network.red[1].succeeds("ping", &["-c", "1", "-W", "1", RED_V4[0]]), "and the hub itself");
    stream(&star);
    let hub_red = hub_red.stop();
    let seen = |to: &str| packets(&hub_red, &format!("src 10.72.0.1 and dst {to}"));
    assert!(!seen(RED_V4[0]).is_empty(), "what is for the hub itself shows that the capture works");
    assert_eq!(seen(RED_C), [""; 0], "what it relays never gets there");
    assert!(!holds_canary(&hub_red), "the hub's red side saw it");
    wires.into_iter().for_each(|wire| assert!(!holds_canary(&wire.stop()), "a black wire saw it"));
    let drops = String::from_utf8_lossy(&daemons[0].status(&["--json"]).stdout).into_owned();
    let status: serde_json::Value = serde_json::from_str(&drops).expect("JSON");
    let counted =
        status["drops"].as_array().expect("drops").iter().any(|d| d[0] == "inward.hops_exhausted" && d[1] == 1);
    assert!(counted, "{status}");
}

#[test]
fn why_explains_both_hops_and_without_the_rule_there_are_none() {
    let star = Star::make();
    star.sign(5, THROUGH_THE_HUB);
    let daemons = star.start();
    eventually("b reaches c through the hub", || star.pings(&[]).status.success());
    let said = star.why("b");
    for part in [
        "group:all — group:all: everything (via their common hub)",
        "sealed for a, the hub that relays it to c",
        "a: relayed inside the encryptor: opened from b, sealed for c",
        "c: delivered, from b through its hub a",
        "back      delivered, from c through its hub a",
    ] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    let at_hub = star.why("a");
    assert!(at_hub.contains("there     relayed inside the encryptor: opened from b, sealed for c"), "{at_hub}");
    assert!(star.why("c").contains("there     delivered, from b through its hub a"), "{}", star.why("c"));
    // The policy takes it back while all links live on.
    star.sign(6, TO_THE_HUB_ONLY);
    eventually("the policy is in force", || daemons.iter().all(|d| d.words().contains("policy 6")));
    assert!(!star.pings(&[]).status.success());
    assert!(star.network.red[1].succeeds("ping", &["-c", "1", "-W", "2", RED_V4[0]]), "the hub is still reached");
    assert!(star.why("b").contains("no_policy"), "{}", star.why("b"));
}

#[test]
fn a_hub_tells_a_spoke_how_much_the_way_to_the_other_carries() {
    let star = Star::make();
    for (namespace, wire) in [(&star.network.black[0], "wire2"), (&star.black_c, "wire")] {
        namespace.good("ip", &["link", "set", wire, "mtu", "1400"]);
    }
    star.sign(5, THROUGH_THE_HUB);
    let daemons = star.start();
    eventually("b reaches c through the hub", || star.pings(&[]).status.success());
    let narrow = || {
        let json = daemons[0].status(&["--json"]).stdout;
        let status: serde_json::Value = serde_json::from_slice(&json).unwrap_or_default();
        let links = status["links"].as_array().cloned().unwrap_or_default();
        links.iter().any(|link| link["site"] == "c" && link["inner_mtu"].as_u64().is_some_and(|mtu| mtu < 1350))
    };
    eventually("the hub has found the narrow path", narrow);
    let large = ["-M", "do", "-s", "1380", "-c", "3", "-i", "0.3"];
    // Its kernel remembers: whatever comes later is refused before it leaves.
    let told = || String::from_utf8_lossy(&star.pings(&large).stderr).contains("message too long, mtu=12");
    eventually("the spoke is told, through the hub's SA", told);
    assert!(star.pings(&["-s", "1380"]).status.success(), "in fragments it gets there");
    stream(&star);
}
