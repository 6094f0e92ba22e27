//! What passes through the link, and what the black wire shows of it (R26).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::authority::{Authority, assert_programs};
use crate::daemon::{Daemon, both, config};
use crate::network::{BLACK, Namespace, Network, RED_V4, RED_V6, eventually, good, run};

const CANARY: &[u8] = b"canary-7f3a-loud-and-clear";

/// tcpdump on a namespace's wire.
pub struct Capture {
    child: Child,
    file: String,
    log: String,
}

impl Capture {
    pub fn start(authority: &Authority, at: &Namespace, name: &str) -> Self {
        Self::on(authority, at, "wire", name)
    }

    /// On another interface.
    pub fn on(authority: &Authority, at: &Namespace, interface: &str, name: &str) -> Self {
        let (file, log) = (authority.text_path(name), authority.text_path(&format!("{name}.log")));
        // KiB for what tcpdump has not read yet: all of a test's traffic, so that nothing is lost on a busy machine
        let words = ["-i", interface, "-B", "262144", "-U", "-n", "-s", "0", "-Z", "root", "-w", &file];
        let mut command = at.command("tcpdump", &words);
        command.stderr(std::fs::File::create(&log).expect("log")).stdout(Stdio::null());
        let child = command.spawn().expect("tcpdump");
        eventually("tcpdump listens", || std::fs::read_to_string(&log).is_ok_and(|t| t.contains("listening on")));
        Self { child, file, log }
    }

    /// Ends it when it has written everything. It must have lost nothing: what it did not see was not there.
    pub fn stop(mut self) -> String {
        let size = || std::fs::metadata(&self.file).map_or(0, |m| m.len());
        eventually("tcpdump has written what it saw", || {
            let before = size();
            // The kernel hands packets over in blocks.
            std::thread::sleep(Duration::from_millis(1200));
            size() == before
        });
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("kill");
        self.child.wait().expect("wait");
        let said = std::fs::read_to_string(&self.log).expect("log");
        assert!(said.contains("\n0 packets dropped by kernel"), "tcpdump lost packets: {said}");
        self.file
    }
}

pub fn packets(capture: &str, filter: &str) -> Vec<String> {
    good("tcpdump", &["-n", "-r", capture, filter]).lines().map(str::to_owned).collect()
}

fn holds_canary(capture: &str) -> bool {
    let octets = std::fs::read(capture).expect("capture");
    // ping's pattern is the first 16 octets at most.
    octets.windows(12).any(|w| w == &CANARY[..12])
}

/// Sends the canary in TCP, UDP and ICMP to `to`; whether anyone listens there does not matter for UDP and ICMP.
fn sing(from: &Namespace, to: &Namespace, address: &str) {
    let listener: TcpListener = to.inside(|| TcpListener::bind((address, 7777)).expect("listen"));
    let target: SocketAddr = listener.local_addr().expect("address");
    let heard = std::thread::spawn(move || {
        let mut text = Vec::new();
        listener.accept().expect("accept").0.read_to_end(&mut text).expect("read");
        text
    });
    from.inside(|| {
        TcpStream::connect_timeout(&target, Duration::from_secs(10))
            .expect("connect")
            .write_all(CANARY)
            .expect("write");
        let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let udp = UdpSocket::bind(any).expect("udp");
        for port in [53, 7778] {
            udp.send_to(CANARY, (target.ip(), port)).expect("send");
        }
    });
    let pattern: String = CANARY.iter().take(12).map(|b| format!("{b:02x}")).collect();
    from.good("ping", &["-c", "1", "-W", "5", "-s", "64", "-p", &pattern, address]);
    assert_eq!(heard.join().expect("listener"), CANARY, "the canary arrives on the red side");
}

#[test]
fn traffic_passes_and_the_black_wire_stays_dark() {
    assert_programs();
    let (authority, network) = (Authority::make(), Network::make());
    let capture = Capture::start(&authority, &network.black[1], "dark.pcap");
    assert!(!network.pings(), "no daemon, no path");
    let [mut a, mut b] = both(&authority, &network);

    for address in [RED_V4[1], RED_V6[1]] {
        sing(&network.red[0], &network.red[1], address);
    }
    // Larger than the inner MTU: fragmented on red, carried in pieces.
    network.red[0].good("ping", &["-c", "1", "-W", "5", "-s", "3000", RED_V4[1]]);
    // The largest packet that fits, not to be fragmented; the next one is told so by the kernel.
    let whole = |size| network.red[0].succeeds("ping", &["-M", "do", "-c", "1", "-W", "5", "-s", size, RED_V4[1]]);
    assert!(whole("1410"), "1438 octets fit the path");
    assert!(!whole("1411"), "1439 do not");
    let mut server = network.red[1].command("iperf3", &["-s", "-1"]).stdout(Stdio::null()).spawn().expect("iperf3");
    let result = || run("ip", &["netns", "exec", &network.red[0].0, "iperf3", "-J", "-t", "1", "-c", RED_V4[1]]);
    eventually("iperf3 runs through the link", || result().status.success());
    // `-1` should end it; when an attempt was refused before, it may not
    server.kill().ok();
    server.wait().expect("iperf3");

    // kill -9 in full flight: red has no interface and no route, nothing leaves; a restart brings the link back.
    b.kill();
    assert_eq!(network.red[1].good("ip", &["-o", "link", "show", "type", "tun"]), "", "the TUN is gone");
    assert_eq!(network.red[1].good("ip", &["route"]), "", "red has no route");
    assert!(!network.red[1].succeeds("ping", &["-c", "1", "-W", "1", RED_V4[0]]), "nothing leaves");
    // Site a still encrypts; on the far side there is only the kernel, which says by ICMP that nobody hears.
    assert!(!network.pings());
    b = Daemon::start(&authority, "b", &config(&authority, &network, "b"));
    b.encrypts();
    eventually("the link is back", || network.pings());
    assert_eq!((a.terminate(), b.terminate()), (Some(0), Some(0)), "SIGTERM ends gracefully");

    let seen = capture.stop();
    let between = format!("host {} and host {} and (udp port 4500 or tcp port 4500)", BLACK[0], BLACK[1]);
    for from in BLACK {
        let shows = |kind: &str| !packets(&seen, &format!("src host {from} and {kind} port 4500")).is_empty();
        assert!(shows("tcp") && shows("udp"), "the capture shows the link as {from} speaks it");
    }
    // ICMP port unreachable that quotes a UDP datagram to the ESP port (RFC 792).
    let unheard = "icmp[0] = 3 and icmp[1] = 3 and icmp[17] = 17 and icmp[30:2] = 4500";
    assert!(!packets(&seen, unheard).is_empty(), "the kernel answered for the killed daemon");
    assert_eq!(
        packets(&seen, &format!("not arp and not ({between}) and not ({unheard})")),
        Vec::<String>::new(),
        "and nothing but the link"
    );
    assert_eq!(packets(&seen, "ip[6:2] & 0x3fff != 0"), Vec::<String>::new(), "nothing is fragmented on black");
    assert!(!holds_canary(&seen), "no canary on the wire");
}

#[test]
fn the_same_capture_without_the_encryptor_holds_the_canary() {
    let (authority, network) = (Authority::make(), Network::make());
    let capture = Capture::start(&authority, &network.black[1], "bright.pcap");
    sing(&network.black[0], &network.black[1], BLACK[1]);
    assert!(holds_canary(&capture.stop()));
}

#[test]
fn status_and_metrics_tell_the_truth() {
    let (authority, network) = (Authority::make(), Network::make());
    let a = Daemon::start(&authority, "a", &config(&authority, &network, "a"));
    eventually("status answers", || a.words().contains("not encrypting, blocked"));
    assert_eq!(a.status(&[]).status.code(), Some(3));
    let vietnamese = String::from_utf8_lossy(&a.status(&["--lang", "vi"]).stdout).into_owned();
    assert!(vietnamese.contains("ĐÃ CHẶN"), "{vietnamese}");
    // Without a peer nothing leaves, and the drop has a name.
    assert!(!network.pings());
    let socket = authority.text_path("a.sock");
    let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("metrics");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("ask");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answer");
    let dropped = "coloa_link_drops_total{direction=\"outward\",reason=\"no_sa\"} ";
    let count = text.lines().find_map(|l| l.strip_prefix(dropped)).expect("the drop is counted");
    assert_ne!(count, "0");

    let b = Daemon::start(&authority, "b", &config(&authority, &network, "b"));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    assert!(a.words().contains("connected, encrypting"), "{}", a.words());
    let json = String::from_utf8_lossy(&a.status(&["--json"]).stdout).into_owned();
    assert!(json.contains("\"encrypting\": true"), "{json}");
    // the certificates of these tests last 30 days
    eventually("the days that are left are known", || a.words().contains("certificate 29 days"));
    assert!(network.pings());
    assert!(a.words().contains("loss 0.0 %"), "{}", a.words());
}

#[test]
fn a_hub_needs_no_addresses_of_its_sites() {
    let (authority, network) = (Authority::make(), Network::make());
    let hub = config(&authority, &network, "a");
    let (before, after) = hub.split_once("[[peer]]").expect("a peer");
    let rest = after.split_once("[metrics]").expect("metrics").1;
    let a = Daemon::start(&authority, "a", &format!("{before}[metrics]{rest}"));
    let b = Daemon::start(&authority, "b", &config(&authority, &network, "b"));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    assert!(network.pings());
}
