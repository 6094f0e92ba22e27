//! Keys are renewed by a fresh exchange, without loss (R29).

use crate::authority::Authority;
use crate::daemon::{Daemon, both, config};
use crate::network::{Network, RED_V4, eventually};

#[test]
fn a_rekey_loses_no_packet() {
    let (authority, network) = (Authority::make(), Network::make());
    let brief = |site| config(&authority, &network, site) + "[rekey]\nafter_seconds = 5\ndrain_seconds = 1\n";
    let [a, b] = ["a", "b"].map(|site| Daemon::start(&authority, site, &brief(site)));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    let answer = network.red[0].good("ping", &["-q", "-i", "0.02", "-c", "400", "-W", "5", RED_V4[1]]);
    assert!(answer.contains(" 0% packet loss"), "{answer}");
    a.says("old keys are gone");
    assert!(!a.words().contains("epoch 1 "), "{}", a.words());
}

#[test]
fn the_link_outlives_its_control_connection() {
    let (authority, network) = (Authority::make(), Network::make());
    let [a, b] = both(&authority, &network);
    let pings = network.red[0]
        .command("ping", &["-q", "-i", "0.02", "-c", "200", "-W", "5", RED_V4[1]])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("ping");
    for namespace in &network.black {
        namespace.good("ss", &["-K", "( sport = :4500 or dport = :4500 )"]);
    }
    eventually("the control connection is noticed as lost", || {
        [&a, &b].iter().any(|daemon| daemon.log().contains("control connection lost"))
    });
    eventually("and is back", || [&a, &b].iter().all(|daemon| daemon.words().contains("connected, encrypting")));
    let answer = pings.wait_with_output().expect("ping");
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.contains(" 0% packet loss"), "{answer}");
}

#[test]
fn a_token_that_hangs_costs_its_deadline_and_no_more() {
    let (authority, network) = (Authority::make(), Network::make());
    let brief = |site| {
        let text = config(&authority, &network, site).replace("pin_file", "deadline_seconds = 1\npin_file");
        text + "[rekey]\nafter_seconds = 5\ndrain_seconds = 1\n"
    };
    let [a, b] = ["a", "b"].map(|site| Daemon::start(&authority, site, &brief(site)));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    a.stop_keyholder();
    a.says("keyholder is started anew");
    let before = a.words();
    eventually("the next epoch comes all the same", || {
        let now = a.words();
        now.contains("connected, encrypting") && now.lines().last() != before.lines().last()
    });
}
