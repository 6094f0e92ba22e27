//! Two sites with a red and a black side each, a wire between the black sides, and the question what can be seen on it.
//!
//! Judged by tcpdump and grep: the daemon's own counters prove nothing here.

use crate::background::{Background, until};
use crate::built;
use crate::network::{self, Capture, Namespace, wire};
use crate::site::{KeyPlace, Link, Site};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Inner addresses of the far site.
pub const FAR: [&str; 2] = ["10.2.0.1", "fd00:2::1"];
const BLACK: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
const PORT: u16 = 4500;
const WIRE: &str = "wire0";
/// How long a link may take to come up on a busy machine.
const UP: Duration = Duration::from_secs(60);
/// Neighbour discovery (RFC 4861) and multicast listener reports (RFC 3810): an interface's own noise.
const OWN_NOISE: &str = "arp or (icmp6 and (ip6[40] >= 133 and ip6[40] <= 136 or ip6[40] = 143)) \
                         or (ip6 and ip6[6] = 0 and ip6[48] = 143)";
/// ICMP port unreachable (RFC 792) that quotes a UDP datagram to the ESP port: octets 8 to 35 are its IP and UDP headers.
const UNHEARD: &str = "icmp[0] = 3 and icmp[1] = 3 and icmp[17] = 17 and icmp[30:2] = 4500";

/// Four namespaces, the wire, and the daemons' configurations.
pub struct Sites {
    /// Cleartext sides, near and far.
    pub red: [Namespace; 2],
    /// Encrypted sides, near and far.
    pub black: [Namespace; 2],
    /// Keys, certificates, policy, configurations.
    pub link: Link,
    /// Where captures and logs go.
    pub dir: PathBuf,
}

/// What a capture on the black wire showed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// ESP packets in UDP.
    pub esp: usize,
    /// Packets of the control channel.
    pub tls: usize,
    /// ICMP by which a kernel told the sender of ESP that no daemon was there to take it.
    pub unheard: usize,
    /// Anything else but ARP and neighbour discovery, as tcpdump prints it.
    pub strangers: Vec<String>,
    /// Canaries found in the capture's bytes.
    pub canaries: Vec<String>,
}

impl Sites {
    /// Makes the namespaces `PREFIX-red-a` and so on, and founds the link with keys in `keys`.
    pub fn make(prefix: &str, dir: &Path, keys: &KeyPlace) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let space = |side: &str, end: &str| Namespace::make(&format!("{prefix}-{side}-{end}"));
        let red = [space("red", "a")?, space("red", "b")?];
        let black = [space("black", "a")?, space("black", "b")?];
        let [a, b] = BLACK.map(|address| format!("{address}/24"));
        wire((&black[0], &a), (&black[1], &b), WIRE)?;
        let link = Link::found(dir, keys, &[site(0, &red, &black)?, site(1, &red, &black)?])?;
        Ok(Self { red, black, link, dir: dir.to_owned() })
    }

    /// Records the far end of the black wire from now on.
    pub fn capture(&self, name: &str) -> Result<Capture> {
        Capture::start(&self.black[1], WIRE, &self.dir, name)
    }

    /// Starts a daemon, `site-a` or `site-b`, and waits until it is ready. One after the other: SoftHSM2 now and then shows
    /// no token to one of two processes that open it at the same time.
    pub fn start(&self, site: &str) -> Result<Background> {
        self.start_with(site, &[])
    }

    /// The same in a changed environment.
    pub fn start_with(&self, site: &str, environment: &[(&str, &str)]) -> Result<Background> {
        let daemon = self.link.start_with(site, environment)?;
        let log = || std::fs::read_to_string(self.link.path(&format!("{site}.log"))).unwrap_or_default();
        ensure!(until(UP, || log().contains("ready identity=")), "{site} does not start:\n{}", log());
        Ok(daemon)
    }

    /// Waits until the far red side answers, over IPv4 and IPv6.
    pub fn await_up(&self) -> Result<()> {
        for address in FAR {
            if !until(UP, || self.red[0].reaches(address)) {
                let log =
                    |site: &str| std::fs::read_to_string(self.link.path(&format!("{site}.log"))).unwrap_or_default();
                bail!(
                    "{address} does not answer through the link\nsite-a:\n{}\nsite-b:\n{}",
                    log("site-a"),
                    log("site-b")
                );
            }
        }
        Ok(())
    }
}

fn site(n: usize, red: &[Namespace; 2], black: &[Namespace; 2]) -> Result<Site> {
    let number = n + 1;
    Ok(Site {
        name: ["site-a", "site-b"][n],
        red: Some(red[n].name().to_owned()),
        black: Some(black[n].name().to_owned()),
        listen: format!("{}:{PORT}", BLACK[n]).parse()?,
        addresses: vec![format!("10.{number}.0.1/8"), format!("fd00:{number}::1/16")],
        prefixes: vec![format!("10.{number}.0.0/16"), format!("fd00:{number}::/32")],
    })
}

/// Sends a canary of each kind from a namespace to the far addresses: TCP, UDP, DNS and ICMP, IPv4 and IPv6. Says whether
/// everything that can be answered was.
pub fn send_canaries(from: &Namespace, to: [&str; 2]) -> Result<bool> {
    let program = canary_program();
    let out = from.attempt(&["python3", &program, "send", to[0], to[1]])?;
    Ok(out.status.success())
}

/// Receives canaries in a namespace; what came lies in `dir`, a file each.
pub fn serve_canaries(at: &Namespace, on: [&str; 2], dir: &Path) -> Result<Background> {
    let received = dir.join("received");
    if received.exists() {
        std::fs::remove_dir_all(&received)?;
    }
    std::fs::create_dir_all(&received)?;
    let folder = received.to_str().context("a path of UTF-8")?;
    let command = at.command(&["python3", &canary_program(), "serve", folder, on[0], on[1]]);
    let server = Background::start(dir, "canary", &command)?;
    let ready = || std::fs::read_to_string(dir.join("canary.log")).is_ok_and(|log| log.contains("ready"));
    ensure!(until(Duration::from_secs(20), ready), "the canaries' server does not start; see {}", dir.display());
    Ok(server)
}

/// Names of the canaries that a server has received.
pub fn received(dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir.join("received")).into_iter().flatten().flatten();
    let mut names: Vec<_> = files.map(|f| f.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Judges a capture: tcpdump says what the packets are, grep whether a canary is among the bytes.
pub fn judge(capture: &Path) -> Result<Seen> {
    let between = format!("host {} and host {}", BLACK[0], BLACK[1]);
    let (udp, tcp) = (format!("{between} and udp port {PORT}"), format!("{between} and tcp port {PORT}"));
    let unheard = format!("{between} and {UNHEARD}");
    let on_udp = network::lines(capture, &udp)?;
    let esp = on_udp.iter().filter(|line| line.contains("ESP(spi=")).count();
    let mut strangers =
        network::lines(capture, &format!("not ({OWN_NOISE}) and not ({udp}) and not ({tcp}) and not ({unheard})"))?;
    // what shares ESP's port is the daemons' own: keepalives (RFC 3948 §2.3) and datagrams with the non-ESP marker (§2.2)
    let known = |line: &&String| ["ESP(spi=", "keep-alive", "NONESP-encap"].iter().any(|word| line.contains(word));
    strangers.extend(on_udp.iter().filter(|line| !known(line)).cloned());
    let canaries = canaries()?.into_iter().filter(|canary| contains(capture, canary)).collect();
    let (tls, unheard) = (network::count(capture, &tcp)?, network::count(capture, &unheard)?);
    Ok(Seen { esp, tls, unheard, strangers, canaries })
}

/// Every canary's bytes.
pub fn canaries() -> Result<Vec<String>> {
    let out = Command::new("python3").args([&canary_program(), "list"]).output().context("cannot start python3")?;
    let listed: Vec<_> = String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect();
    ensure!(listed.len() >= 5, "canary.py lists {listed:?}");
    Ok(listed)
}

fn contains(capture: &Path, canary: &str) -> bool {
    Command::new("grep").args(["-q", "-a", "-F", canary]).arg(capture).status().is_ok_and(|s| s.success())
}

fn canary_program() -> String {
    built::root().join("hil-tests/programs/canary.py").to_string_lossy().into_owned()
}

/// The same canaries over a wire without an encryptor: they must be seen, or the judgement above could not fail.
pub fn without_encryptor(prefix: &str, dir: &Path) -> Result<Seen> {
    std::fs::create_dir_all(dir)?;
    let (near, far) = (Namespace::make(&format!("{prefix}-plain-a"))?, Namespace::make(&format!("{prefix}-plain-b"))?);
    let [a, b] = BLACK.map(|address| format!("{address}/24"));
    wire((&near, &a), (&far, &b), WIRE)?;
    for (end, address) in [(&near, "fd00:9::1/64"), (&far, "fd00:9::2/64")] {
        end.run(&["ip", "address", "add", address, "dev", WIRE, "nodad"])?;
    }
    let to = [BLACK[1], "fd00:9::2"];
    let server = serve_canaries(&far, to, dir)?;
    let capture = Capture::start(&far, WIRE, dir, "plain")?;
    let sent = until(Duration::from_secs(20), || send_canaries(&near, to).unwrap_or(false));
    server.stop()?;
    let seen = judge(&capture.finish()?)?;
    ensure!(sent, "the canaries did not arrive over a plain wire");
    Ok(seen)
}
