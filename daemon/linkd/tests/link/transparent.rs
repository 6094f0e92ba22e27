//! A transparent site: hosts of one network stand on both sides, and none of them knows.

use crate::authority::{Authority, assert_programs};
use crate::carries::{Capture, packets};
use crate::daemon::{Daemon, config};
use crate::network::{Namespace, Network, eventually, good};

/// Both hosts believe that they are on one wire.
const HOSTS_V4: [&str; 2] = ["10.80.0.1", "10.80.0.129"];
const HOSTS_V6: [&str; 2] = ["fd80::1", "fd80::81"];
const HALVES: [&str; 2] = [r#"["10.80.0.0/25", "fd80::/121"]"#, r#"["10.80.0.128/25", "fd80::80/121"]"#];

/// A host on the red wire of a site.
fn host(network: &Network, site: usize) -> Namespace {
    let (host, red) = (Namespace::make(&format!("host-{site}")), &network.red[site]);
    good("ip", &["link", "add", "lan", "netns", &red.0, "type", "veth", "peer", "name", "lan", "netns", &host.0]);
    red.good("ip", &["link", "set", "lan", "up"]);
    host.good("ip", &["address", "add", &format!("{}/24", HOSTS_V4[site]), "dev", "lan"]);
    host.good("ip", &["address", "add", &format!("{}/64", HOSTS_V6[site]), "dev", "lan", "nodad"]);
    host.good("ip", &["link", "set", "lan", "up"]);
    host
}

fn transparent(authority: &Authority, network: &Network, site: usize) -> String {
    let text = config(authority, network, ["a", "b"][site]);
    let neighbours = format!("[[red.neighbours]]\ninterface = \"lan\"\nnetworks = {}\n", HALVES[site]);
    text.replace("[black]\n", &(neighbours + "[black]\n"))
}

#[test]
fn hosts_of_one_network_talk_through_the_link_and_keep_their_addresses() {
    assert_programs();
    let (authority, network) = (Authority::make(), Network::make());
    let hosts = [0, 1].map(|site| host(&network, site));
    let reaches = |address: &str| hosts[0].succeeds("ping", &["-c", "1", "-W", "1", address]);
    assert!(!reaches(HOSTS_V4[1]) && !reaches(HOSTS_V6[1]), "no way before the start");
    let capture = Capture::start(&authority, &network.black[1], "transparent.pcap");
    let daemons = [("a", 0), ("b", 1)]
        .map(|(name, site)| Daemon::start(&authority, name, &transparent(&authority, &network, site)));
    daemons.iter().for_each(Daemon::encrypts);
    eventually("the far host answers over IPv4", || reaches(HOSTS_V4[1]));
    eventually("the far host answers over IPv6", || reaches(HOSTS_V6[1]));
    // who would take a far address for itself is told that it is taken
    hosts[0].good("ip", &["address", "add", &format!("{}/64", HOSTS_V6[1]), "dev", "lan"]);
    let shown = || hosts[0].good("ip", &["address", "show", "dev", "lan"]);
    eventually("the address is a duplicate", || shown().contains("dadfailed"));
    let seen = capture.stop();
    assert!(packets(&seen, "udp port 4500").len() > 4);
    assert_eq!(packets(&seen, "icmp or net 10.80.0.0/16 or udp port 4500 and net 10.80.0.0/16").len(), 0);
    drop(daemons);
    assert!(!reaches(HOSTS_V4[1]) && !reaches(HOSTS_V6[1]), "nor after the end");
}

#[test]
fn a_wire_that_is_not_there_or_a_network_with_host_bits_stops_the_start() {
    assert_programs();
    let (authority, network) = (Authority::make(), Network::make());
    let mut daemon = Daemon::start(&authority, "a", &transparent(&authority, &network, 0));
    assert_eq!(daemon.ends(), Some(1));
    assert!(daemon.log().contains("LINKD-15") && daemon.log().contains("`lan`"), "{}", daemon.log());
    let _host = host(&network, 0);
    let crooked = transparent(&authority, &network, 0).replace("10.80.0.0/25", "10.80.0.1/25");
    let mut daemon = Daemon::start(&authority, "a", &crooked);
    assert_eq!(daemon.ends(), Some(1));
    assert!(daemon.log().contains("10.80.0.1/25"), "{}", daemon.log());
}
