//! The black path: what the carrier sees of a packet's class, what fits it, and where the peer is.

use std::process::Stdio;
use std::time::Duration;

use crate::authority::{Authority, assert_programs};
use crate::carries::{Capture, packets};
use crate::daemon::{Daemon, both, config};
use crate::network::{BLACK, Network, RED_V4, RED_V6, eventually, run};

/// A ping of this class (DSCP and ECN) from site a's red side, answered by site b's.
fn ping_of_class(network: &Network, class: &str) {
    network.red[0].good("ping", &["-c", "1", "-W", "5", "-Q", class, RED_V4[1]]);
}

#[test]
fn the_carrier_sees_the_class_of_a_packet_unless_the_site_hides_it() {
    assert_programs();
    let (authority, network) = (Authority::make(), Network::make());
    let hidden = config(&authority, &network, "b").replace("[black]\n", "[black]\ncopy_dscp = false\n");
    let daemons =
        [("a", config(&authority, &network, "a")), ("b", hidden)].map(|(s, text)| Daemon::start(&authority, s, &text));
    daemons.iter().for_each(Daemon::encrypts);
    let capture = Capture::start(&authority, &network.black[1], "class.pcap");
    // Expedited forwarding with ECT(0).
    ping_of_class(&network, "0xba");
    let seen = capture.stop();
    let from = |site: usize, class: &str| {
        packets(&seen, &format!("udp port 4500 and src host {} and ip[1] = {class}", BLACK[site])).len()
    };
    assert_eq!((from(0, "0xba"), from(1, "0xba")), (1, 0), "site b hides the class of the answer");
    assert_eq!(from(1, "0x02"), 1, "but carries ECN");
}

/// A field of the one link in the status of a daemon.
fn field(daemon: &Daemon, name: &str) -> serde_json::Value {
    let status: serde_json::Value = serde_json::from_slice(&daemon.status(&["--json"]).stdout).expect("JSON");
    status["links"][0][name].clone()
}

#[test]
fn a_path_that_swallows_large_packets_is_measured_and_red_is_told() {
    let (authority, network) = (Authority::make(), Network::make());
    // What exceeds the far end's MTU vanishes without a word, as on a carrier's bad line.
    network.black[1].good("ip", &["link", "set", "wire", "mtu", "1400"]);
    let [a, b] = both(&authority, &network);
    // 1400 octets carry 1338, and the wire lets four more pass for a VLAN's tag.
    let measured =
        |daemon: &Daemon| field(daemon, "inner_mtu").as_u64().is_some_and(|mtu| (1326..=1342).contains(&mtu));
    eventually("both ends have measured the path", || measured(&a) && measured(&b));
    let mtu = field(&a, "inner_mtu").as_u64().expect("a number");

    let ping = |address: &str, size: u64| {
        let words = ["netns", "exec", &network.red[0].0, "ping", "-M", "do", "-c", "1", "-W", "2", "-s"];
        let output = run("ip", &[&words[..], &[&size.to_string(), address]].concat());
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (address, headers) in [(RED_V4[1], 28), (RED_V6[1], 48)] {
        let (answered, said) = ping(address, mtu + 1 - headers);
        assert!(!answered, "{said}");
        let route = network.red[0].good("ip", &["route", "get", address]);
        assert!(route.contains(&format!("mtu {mtu}")), "the kernel has taken our word: {route}");
        assert!(ping(address, mtu - headers).0, "what fits passes");
    }
    // Without DF it goes in fragments; TCP learns from its handshake.
    network.red[0].good("ping", &["-M", "dont", "-c", "1", "-W", "5", "-s", "1400", RED_V4[1]]);
    network.red[0].good("ping", &["-M", "dont", "-c", "1", "-W", "5", "-s", "5000", RED_V4[1]]);
    let mut server = network.red[1].command("iperf3", &["-s", "-1"]).stdout(Stdio::null()).spawn().expect("iperf3");
    let result = || run("ip", &["netns", "exec", &network.red[0].0, "iperf3", "-J", "-t", "1", "-c", RED_V4[1]]);
    let mut report = String::new();
    eventually("iperf3 runs through the link", || {
        let output = result();
        report = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success()
    });
    server.kill().ok();
    server.wait().expect("iperf3");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let segment = report["start"]["tcp_mss_default"].as_u64().expect("a segment size");
    assert!(segment <= mtu - 40, "{segment} octets a segment over {mtu}");
}

#[test]
fn a_site_that_gets_another_address_is_followed_there() {
    let (authority, network) = (Authority::make(), Network::make());
    let anywhere =
        config(&authority, &network, "b").replace(&format!("{}:4500\"\n[token]", BLACK[1]), "0.0.0.0:4500\"\n[token]");
    assert!(anywhere.contains("0.0.0.0"));
    let a = Daemon::start(&authority, "a", &config(&authority, &network, "a"));
    let b = Daemon::start(&authority, "b", &anywhere);
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    assert!(network.pings());
    assert_eq!(field(&a, "address"), format!("{}:4500", BLACK[1]));

    let capture = Capture::start(&authority, &network.black[0], "roams.pcap");
    // Much traffic from the new address must not drown the response that proves it.
    let mut busy = network.red[1].command("ping", &["-q", "-i", "0.002", RED_V4[0]]);
    let mut busy = busy.stdout(Stdio::null()).spawn().expect("ping");
    for (change, address) in [("del", BLACK[1]), ("add", "192.0.2.77")] {
        network.black[1].good("ip", &["address", change, &format!("{address}/24"), "dev", "wire"]);
    }
    eventually("traffic follows", || network.red[1].succeeds("ping", &["-c", "1", "-W", "1", RED_V4[0]]));
    assert_eq!(field(&a, "address"), "192.0.2.77:4500");
    assert!(network.pings(), "from here as well");
    busy.kill().expect("kill");
    busy.wait().expect("ping");
    let seen = capture.stop();
    let first_there = packets(&seen, "udp port 4500 and dst host 192.0.2.77").into_iter().next().expect("traffic");
    let challenge = packets(&seen, "udp port 4500 and dst host 192.0.2.77 and udp[4:2] = 84");
    assert_eq!(challenge.first(), Some(&first_there), "the first packet to a new address is a challenge of 76 octets");
}

#[test]
fn at_a_constant_rate_the_wire_shows_one_size_and_one_rhythm() {
    let (authority, network) = (Authority::make(), Network::make());
    let covered = |site: &str| {
        let text = config(&authority, &network, site);
        text.replace("[[peer]]\n", "[[peer]]\npadding = \"full\"\ncover_rate = 1200\n")
    };
    let mut daemons = ["a", "b"].map(|site| Daemon::start(&authority, site, &covered(site)));
    daemons.iter().for_each(Daemon::encrypts);
    eventually("the path is measured", || daemons.iter().all(|d| field(d, "inner_mtu") == 1438));
    let capture = Capture::start(&authority, &network.black[1], "covered.pcap");
    std::thread::sleep(Duration::from_secs(2));
    network.red[0].good("ping", &["-c", "20", "-i", "0.1", "-W", "5", RED_V4[1]]);
    std::thread::sleep(Duration::from_secs(1));
    // Only with them the traffic ends.
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.terminate(), Some(0)));
    let seen = capture.stop();
    for from in BLACK {
        let all = packets(&seen, &format!("udp port 4500 and src host {from}")).len();
        let alike =
            packets(&seen, &format!("udp port 4500 and src host {from} and udp[4:2] = 1480 and ip[1] = 0")).len();
        // Five seconds or more of 100 packets; a confirmation of the path's size, and its answer, may come between.
        assert!(alike >= 450 && all - alike <= 12, "{alike} of {all} from {from} look alike");
    }
}

#[test]
fn a_silent_carrier_is_named() {
    let (authority, network) = (Authority::make(), Network::make());
    let [a, _b] = both(&authority, &network);
    assert!(network.pings());
    assert_eq!(field(&a, "silent_seconds"), serde_json::Value::Null);
    // The far end hears nothing any more, and nobody says so.
    network.black[1].good("ip", &["link", "set", "wire", "mtu", "68"]);
    let mut pings = network.red[0].command("ping", &["-q", "-i", "0.5", RED_V4[1]]);
    let mut pings = pings.stdout(Stdio::null()).spawn().expect("ping");
    eventually("the carrier is named", || a.words().contains("check the carrier's line"));
    network.black[1].good("ip", &["link", "set", "wire", "mtu", "1500"]);
    eventually("the link is back with the keys it had", || !a.words().contains("check the carrier's line"));
    pings.kill().expect("kill");
    pings.wait().expect("ping");
}
