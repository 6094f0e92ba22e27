//! The binary is replaced under traffic: the SAs live on without a handshake, and nothing shows in clear meanwhile (R26, R28).

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::authority::{Authority, LINKD};
use crate::carries::{Capture, packets};
use crate::daemon::{Daemon, both, config};
use crate::network::{Network, RED_V4, eventually};

/// The same program as another file, as an upgrade installs it.
fn newer(authority: &Authority) -> String {
    let path = authority.text_path("coloa-linkd-next");
    fs::copy(LINKD, &path).expect("copy");
    path
}

fn upgrade(authority: &Authority, program: &str, log: &str) -> Output {
    let log = fs::File::create(authority.path(log)).expect("log");
    let mut command = Command::new(program);
    command.args(["upgrade", "--lang", "en", "--config", &authority.text_path("a.toml")]).stderr(log);
    authority.with_token("a", &mut command).stdin(Stdio::null()).output().expect("upgrade")
}

/// Ends the successor, which is no child of ours.
struct Successor(rustix::process::Pid);

impl Successor {
    fn named_in(words: &str) -> Self {
        let pid = words.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        Self(pid.and_then(rustix::process::Pid::from_raw).unwrap_or_else(|| panic!("no process in `{words}`")))
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.0, rustix::process::Signal::KILL);
    }
}

/// An upgrade that succeeds, and what it has logged.
fn succeed(authority: &Authority, a: &Daemon) -> (Successor, String) {
    let upgraded = upgrade(authority, &newer(authority), "next.log");
    let words = String::from_utf8_lossy(&upgraded.stdout).into_owned();
    let log = fs::read_to_string(authority.path("next.log")).expect("log");
    assert!(upgraded.status.success(), "{words}{log}\n{}", a.log());
    (Successor::named_in(&words), log)
}

fn epoch(a: &Daemon) -> u64 {
    let status: serde_json::Value = serde_json::from_slice(&a.status(&["--json"]).stdout).expect("JSON");
    status["links"][0]["epoch"].as_u64().expect("an epoch")
}

#[test]
fn a_successor_goes_on_with_the_links_and_no_packet_waits_for_a_handshake() {
    let (authority, network) = (Authority::make(), Network::make());
    let [mut a, b] = both(&authority, &network);
    let capture = Capture::start(&authority, &network.black[1], "succession.pcap");
    let before = epoch(&a);
    // From here on no handshake is possible: nothing on black carries TCP.
    let tcp = |verb: &str| {
        network.black.iter().for_each(|side| drop(side.good("ip", &["rule", verb, "ipproto", "tcp", "blackhole"])));
    };
    tcp("add");
    let stream = network.red[0]
        .command("ping", &["-q", "-i", "0.005", "-p", "63616e6172792d37663361", "-c", "1600", "-W", "3", RED_V4[1]])
        .stdout(Stdio::piped())
        .spawn()
        .expect("ping");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let (_successor, log) = succeed(&authority, &a);
    assert_eq!(a.ends(), Some(0), "the predecessor has ended as it should");
    let answer = stream.wait_with_output().expect("ping");
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    let received: u32 =
        answer.split(", ").nth(1).and_then(|part| part.split(' ').next()?.parse().ok()).expect("a count");
    println!("{answer}");
    // A second of blocked traffic would be 200.
    assert!(received >= 1400, "{answer}{log}");
    assert_eq!(epoch(&a), before, "and no other keys were made");
    assert!(a.words().contains("encrypting"), "{}", a.words());
    assert!(b.words().contains("encrypting"), "{}", b.words());
    // When TCP passes again the ends meet again.
    tcp("del");
    eventually("a new epoch", || epoch(&a) > before);
    assert!(network.pings());
    let capture = capture.stop();
    assert_eq!(packets(&capture, "icmp or (udp and not port 4500)"), Vec::<String>::new());
    assert!(!fs::read(&capture).expect("capture").windows(10).any(|octets| octets == b"canary-7f3"), "in clear");
}

#[test]
fn a_successor_that_cannot_start_leaves_its_predecessor_at_work() {
    let (authority, network) = (Authority::make(), Network::make());
    let [mut a, b] = both(&authority, &network);
    let (text, next) = (fs::read_to_string(authority.path("a.toml")).expect("configuration"), newer(&authority));
    let wrong = [
        (text.replace("pin_file = \"pin\"", "pin_file = \"no-such-file\""), "the successor did not start"),
        (text.replace("[red]\n", "[red]\nmtu = 1300\n"), "MTU"),
        (text.replace("b.pem", "x.pem").replace("root.pem", "none.pem"), "the successor did not start"),
    ];
    for (configuration, why) in wrong {
        authority.write("a.toml", &configuration);
        let refused = upgrade(&authority, &next, "refused.log");
        let said = fs::read_to_string(authority.path("refused.log")).expect("log");
        assert!(!refused.status.success() && said.contains("LINKD-18") && said.contains(why), "{said}");
    }
    authority.write("a.toml", &text);
    // The very program that runs has nothing to take over.
    let same = upgrade(&authority, LINKD, "same.log");
    assert!(String::from_utf8_lossy(&same.stdout).contains("this very program"), "{same:?}");
    // Whoever hangs up after the greeting, or says another word, changes nothing.
    use std::io::{Read, Write};
    for word in [&b""[..], b"talk", b"ta"] {
        let socket = authority.path("state-a").join("handover.sock");
        let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("the predecessor listens");
        stream.read_exact(&mut [0; 4]).expect("a greeting");
        stream.write_all(word).expect("sent");
    }
    assert!(network.pings() && b.words().contains("encrypting"));
    assert_eq!(a.terminate(), Some(0));
}

#[test]
fn a_peer_that_is_revoked_later_is_cut_by_the_successor() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.revoke(&[]);
    let with_crl =
        |site| config(&authority, &network, site).replace("\"root.pem\"\n", "\"root.pem\"\ncrl = \"crl.pem\"\n");
    let [mut a, b] = ["a", "b"].map(|site| Daemon::start(&authority, site, &with_crl(site)));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    // No new handshake: what the peer showed to the predecessor has to do.
    network.black.iter().for_each(|side| drop(side.good("ip", &["rule", "add", "ipproto", "tcp", "blackhole"])));
    let _successor = succeed(&authority, &a);
    assert_eq!(a.ends(), Some(0));
    assert!(network.pings());
    authority.revoke(&["b"]);
    eventually("the link is cut", || a.words().contains("blocked"));
    assert!(!network.pings());
}
