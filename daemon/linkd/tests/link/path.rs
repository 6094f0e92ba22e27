//! The black path: what the carrier sees of a packet's class, what fits it, and where the peer is.

use crate::authority::{Authority, assert_programs};
use crate::carries::{Capture, packets};
use crate::daemon::{Daemon, config};
use crate::network::{BLACK, Network, RED_V4};

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
