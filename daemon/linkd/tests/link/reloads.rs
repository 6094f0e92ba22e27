//! What can change while links live: `[[peer]]` entries and our own certificate, without the loss of a packet elsewhere.

use std::process::Stdio;

use crate::authority::Authority;
use crate::daemon::{Daemon, both, config};
use crate::hub::{BLACK_C, RED_C, Star, THROUGH_THE_HUB};
use crate::network::{Network, RED_V4, eventually};

/// A configuration without its [[peer]] entries.
fn without_peers(text: &str) -> String {
    let (before, rest) = text.split_once("[[peer]]").expect("a peer");
    let (_, metrics) = rest.split_once("[metrics]").expect("metrics");
    format!("{before}[metrics]{metrics}")
}

#[test]
fn a_peer_is_added_and_a_certificate_renewed_without_the_loss_of_a_packet() {
    let star = Star::make();
    star.sign(5, THROUGH_THE_HUB);
    let (authority, network) = (&star.authority, &star.network);
    let hub = config(authority, network, "a");
    let [a, b] = ["a", "b"].map(|site| Daemon::start(authority, site, &config(authority, network, site)));
    b.encrypts();
    // Site c knows nobody's address: only its hub can dial.
    let c = Daemon::start(authority, "c", &without_peers(&star.config_c()));
    let stream = network.red[0]
        .command("ping", &["-q", "-i", "0.005", "-s", "1000", "-c", "2400", "-W", "5", RED_V4[1]])
        .stdout(Stdio::piped())
        .spawn()
        .expect("ping");
    let entry = format!("[[peer]]\nsite = \"c\"\nendpoint = \"{BLACK_C}:4500\"\n[metrics]");
    authority.write("a.toml", &hub.replace("[metrics]", &entry));
    c.encrypts();
    let reaches_c = || network.red[0].succeeds("ping", &["-c", "1", "-W", "1", RED_C]);
    eventually("the new peer is reached", reaches_c);
    authority.renew("b", 20);
    b.says("our renewed certificate is shown");
    // A handshake shows it: then the hub counts its days.
    network.black[1].good("ss", &["-K", "( sport = :4500 or dport = :4500 )"]);
    eventually("the hub has seen the renewed certificate", || a.words().contains("certificate 19 days"));
    // An entry that goes takes no link with it.
    authority.write("a.toml", &hub);
    eventually("the entry is gone", || a.log().matches("the [[peer]] entry has changed").count() == 2);
    assert!(reaches_c(), "the policy grants it still");
    let answer = stream.wait_with_output().expect("ping");
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.contains("2400 received") && answer.contains(" 0% packet loss"), "{answer}");
}

#[test]
fn what_cannot_change_is_said_and_what_is_wrong_changes_nothing() {
    let (authority, network) = (Authority::make(), Network::make());
    let [a, b] = both(&authority, &network);
    let text = config(&authority, &network, "a");
    authority.write("a.toml", &(text.clone() + "[rekey]\nafter_seconds = 77\n"));
    eventually("status says so", || {
        a.words().contains("the file has changed in [rekey]: in force only after a restart")
    });
    // A certificate of another key, and one that has expired, are not taken; nor is a file with a mistake.
    let good = std::fs::read(authority.path("a.pem")).expect("certificate");
    std::fs::copy(authority.path("b.pem"), authority.path("a.pem")).expect("copy");
    eventually("another key is refused", || a.words().contains("only a restart takes up"));
    std::fs::write(authority.path("a.pem"), &good).expect("write");
    authority.write("a.toml", &text.replace("[red]", "[red]\nnmae = 1"));
    // `status` reads the same file: the daemon's log has to do.
    a.says("nmae");
    assert!(network.pings());
    authority.write("a.toml", &text);
    a.hang_up();
    a.says("configuration and certificate are as the files have them");
    eventually("and status is content", || !a.words().contains("! "));
    assert!(network.pings());
    drop(b);
}
