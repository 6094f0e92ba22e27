//! Names of appliances, in a namespace of their own with name servers that answer, lie or say nothing.

mod rig;

use coloa_client::{CallError, Client, Place};
use coloa_wire::command::Random;
use rig::{Manner, Pki, Server, target};
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

/// Tells this program that it is in the namespace.
const VARIABLE: &str = "COLOA_TEST_NAMES";
/// Gives it files of its own, and a loopback whose port 53 is free.
const PREPARE: &str = "ip link set lo up && mount --bind \"$1\" /etc/resolv.conf && mount --bind \"$2\" /etc/hosts && \
                       shift 2 && exec \"$@\"";

/// Performs a test's body where these are `/etc/resolv.conf` and `/etc/hosts`.
fn with(test: &str, resolv_conf: &str, hosts: &str, body: impl FnOnce()) {
    if std::env::var_os(VARIABLE).is_some() {
        return body();
    }
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let out = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--net", "sh", "-c", PREPARE, "sh"])
        .arg(file("resolv.conf", resolv_conf))
        .arg(file("hosts", hosts))
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, "1")
        .output()
        .unwrap();
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
}

fn client(server: &Server, pki: &Pki, name: &str, deadline: Duration) -> Client {
    let mut target = target(server.address, pki.directory.path(), pki.directory.path(), 1);
    target.deadline = deadline;
    if let Place::Network(network) = &mut target.place {
        network.address = format!("{name}:{}", server.address.port());
    }
    Client::open(&target).unwrap()
}

fn random(client: &Client) -> Result<(), CallError> {
    client.call(None, None, &Random { length: 1 }, &[]).map(drop)
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Answers every question after its own manner.
fn name_server(address: &str, answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) {
    let socket = UdpSocket::bind((address, 53)).unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        loop {
            let (length, from): (usize, SocketAddr) = socket.recv_from(&mut question).unwrap();
            socket.send_to(&answer(&question[..length]), from).unwrap();
        }
    });
}

/// The reply with this address, or with none where another kind was asked for; behind an alias, as large sites have it.
fn reply(question: &[u8], address: [u8; 4]) -> Vec<u8> {
    let is_a = question[question.len() - 3] == 1;
    let mut out = question.to_vec();
    (out[2], out[3], out[7]) = (0x81, 0x80, if is_a { 2 } else { 0 });
    if is_a {
        out.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, b'x', 0xc0, 12]);
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4]);
        out.extend(address);
    }
    out
}

#[test]
fn a_name_server_that_says_nothing_ends_at_the_deadline_and_leaves_no_thread() {
    let test = "a_name_server_that_says_nothing_ends_at_the_deadline_and_leaves_no_thread";
    with(test, "nameserver 127.0.0.1\n", "", || {
        let _silent = UdpSocket::bind("127.0.0.1:53").unwrap();
        let pki = Pki::new();
        let server = Server::start(&pki, Manner::Answer);
        let client = client(&server, &pki, "hsm.court.example", Duration::from_secs(2));
        let (before, begun) = (threads(), Instant::now());
        let error = random(&client).unwrap_err();
        assert!(begun.elapsed() < Duration::from_millis(2_900), "{:?}", begun.elapsed());
        assert!(error.to_string().contains("127.0.0.1"), "which name server was silent: {error}");
        assert_eq!(threads(), before);
    });
}

#[test]
fn a_silent_name_server_leaves_the_next_its_time() {
    let servers = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n";
    with("a_silent_name_server_leaves_the_next_its_time", servers, "", || {
        let _silent = UdpSocket::bind("127.0.0.1:53").unwrap();
        name_server("127.0.0.2", |question| reply(question, [127, 0, 0, 1]));
        let pki = Pki::new();
        let server = Server::start(&pki, Manner::Answer);
        random(&client(&server, &pki, "hsm.court.example", Duration::from_secs(4))).unwrap();
    });
}

#[test]
fn the_hosts_file_comes_first_and_a_search_list_completes_a_short_name() {
    let hosts = "127.0.0.1 localhost # loopback\n127.0.0.1\thsm-1.court HSM-1\n";
    let conf = "search nowhere.example court.example\nnameserver 127.0.0.1\n";
    with("the_hosts_file_comes_first_and_a_search_list_completes_a_short_name", conf, hosts, || {
        name_server("127.0.0.1", |question| match question.windows(14).any(|w| w == b"\x05hsm-2\x05court\x07e") {
            true => reply(question, [127, 0, 0, 1]),
            false => [&question[..2], &[0x81, 0x83], &question[4..]].concat(),
        });
        let pki = Pki::new();
        let server = Server::start(&pki, Manner::Answer);
        let reaches = |name: &str| random(&client(&server, &pki, name, Duration::from_secs(4)));
        reaches("hsm-1").unwrap();
        reaches("localhost").unwrap();
        reaches("hsm-2").unwrap();
        let error = reaches("hsm-3").unwrap_err();
        assert!(matches!(error, CallError::Unreachable(..)), "{error:?}");
    });
}
