//! Two tunnels to measure: OpenVPN, and ours with the keys in embedded tokens.

use anyhow::{Result, bail};
use coloa_hil_tests::background::{Background, until};
use coloa_hil_tests::body::Embedded;
use coloa_hil_tests::network::{Namespace, wire};
use coloa_hil_tests::site::{KeyPlace, Link, Site};
use coloa_hil_tests::target::{LABEL, Target, USER_PIN};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long a tunnel may take to come up.
const UP: Duration = Duration::from_secs(30);
const UNDERLAY: [&str; 2] = ["10.99.0.1", "10.99.0.2"];
const INNER: [&str; 2] = ["10.88.0.1", "10.88.0.2"];

/// A tunnel that is up, with an iperf3 server at its far end.
pub trait Tunnel {
    /// For reports.
    fn name(&self) -> &'static str;
    /// The near end, and the far end's address.
    fn client(&self) -> (&Namespace, String);
}

/// Two ends of the wire, as linkbench has them.
struct Ends {
    near: Namespace,
    far: Namespace,
    processes: Vec<Background>,
    dir: tempfile::TempDir,
}

impl Ends {
    fn make(prefix: &str) -> Result<Self> {
        let (near, far) = (Namespace::make(&format!("{prefix}-a"))?, Namespace::make(&format!("{prefix}-b"))?);
        let [a, b] = UNDERLAY.map(|address| format!("{address}/24"));
        wire((&near, &a), (&far, &b), "wire0")?;
        Ok(Self { near, far, processes: Vec::new(), dir: tempfile::tempdir()? })
    }

    fn start(&mut self, name: &str, command: &Command) -> Result<()> {
        let started = Background::start(self.dir.path(), name, command)?;
        self.processes.push(started);
        Ok(())
    }

    /// The tunnel answers, and iperf3 serves at its far end.
    fn serve(&mut self) -> Result<()> {
        if !until(UP, || self.near.reaches(INNER[1])) {
            bail!("the tunnel does not come up; its logs:\n{}", self.logs());
        }
        self.start("iperf3", &self.far.command(&["iperf3", "-s"]))
    }

    fn logs(&self) -> String {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten().map(|f| f.path());
        let logs = files.filter(|f| f.extension().is_some_and(|e| e == "log"));
        logs.map(|f| std::fs::read_to_string(f).unwrap_or_default()).collect()
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        for process in &self.processes {
            process.stop().ok();
        }
    }
}

/// OpenVPN 2.6 as Debian has it: AES-256-GCM, peer fingerprints, UDP, no kernel offload.
pub struct OpenVpn(Ends);

impl OpenVpn {
    /// Starts both ends.
    pub fn start() -> Result<Self> {
        let mut ends = Ends::make("coloa-ovpn")?;
        let prints = [certificate(ends.dir.path(), "a")?, certificate(ends.dir.path(), "b")?];
        let far = openvpn(ends.dir.path(), "b", &prints[0], 1, &["--tls-server", "--dh", "none"]);
        ends.start("ovpn-b", &ends.far.command(&far.iter().map(String::as_str).collect::<Vec<_>>()))?;
        let near = openvpn(ends.dir.path(), "a", &prints[1], 0, &["--tls-client", "--remote", UNDERLAY[1]]);
        ends.start("ovpn-a", &ends.near.command(&near.iter().map(String::as_str).collect::<Vec<_>>()))?;
        ends.serve()?;
        Ok(Self(ends))
    }
}

fn openvpn(dir: &Path, end: &str, peer: &str, me: usize, role: &[&str]) -> Vec<String> {
    let file = |kind: &str| dir.join(format!("{end}.{kind}")).to_string_lossy().into_owned();
    let fixed = "openvpn --dev-type tun --proto udp --port 1194 --data-ciphers AES-256-GCM --cipher AES-256-GCM \
                 --auth SHA256 --tun-mtu 1432 --mssfix 0 --disable-dco --topology p2p --verb 2 --sndbuf 4194304 \
                 --rcvbuf 4194304 --txqueuelen 1000";
    let mut words: Vec<String> = fixed.split_whitespace().map(str::to_owned).collect();
    let own = [("--dev", format!("ovpn-{end}")), ("--cert", file("crt")), ("--key", file("key"))];
    words.extend(own.into_iter().flat_map(|(key, value)| [key.to_owned(), value]));
    words.extend(["--peer-fingerprint", peer, "--ifconfig", INNER[me], INNER[1 - me]].map(str::to_owned));
    words.extend(role.iter().map(|w| (*w).to_owned()));
    words
}

/// A self-signed certificate; its fingerprint.
fn certificate(dir: &Path, end: &str) -> Result<String> {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $0.key -out $0.crt \
                  -days 30 -subj /CN=$0 2>/dev/null && openssl x509 -in $0.crt -noout -fingerprint -sha256";
    let out = Command::new("bash").args(["-c", script, end]).current_dir(dir).output()?;
    let said = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    match said.split_once('=') {
        Some((_, fingerprint)) => Ok(fingerprint.to_owned()),
        None => bail!("openssl made no certificate: {}", String::from_utf8_lossy(&out.stderr)),
    }
}

/// Our link, tunnel and wire in one namespace an end as OpenVPN has it.
pub struct Ours {
    ends: Ends,
    _keys: Embedded,
}

impl Ours {
    /// Starts both ends.
    pub fn start() -> Result<Self> {
        let mut ends = Ends::make("coloa-link")?;
        let keys = Embedded::start()?;
        let namespaces = [ends.near.name(), ends.far.name()];
        let link = Link::found(ends.dir.path(), &place(&keys), &sites(namespaces, UNDERLAY, INNER)?)?;
        ends.processes.push(link.start("site-a")?);
        ends.processes.push(link.start("site-b")?);
        ends.serve()?;
        Ok(Self { ends, _keys: keys })
    }
}

/// Where an embedded target keeps keys.
pub fn place(keys: &Embedded) -> KeyPlace {
    KeyPlace {
        module: keys.module().to_owned(),
        token: LABEL.into(),
        pin: USER_PIN.into(),
        environment: keys.environment(),
    }
}

/// Two sites whose red and black sides share a namespace, for measuring.
pub fn sites(namespaces: [&str; 2], underlay: [&str; 2], inner: [&str; 2]) -> Result<[Site; 2]> {
    let site = |n: usize, name| -> Result<Site> {
        Ok(Site {
            name,
            red: Some(namespaces[n].to_owned()),
            black: Some(namespaces[n].to_owned()),
            listen: format!("{}:4500", underlay[n]).parse()?,
            addresses: vec![format!("{}/24", inner[n])],
            prefixes: vec![format!("{}/32", inner[n])],
        })
    };
    Ok([site(0, "site-a")?, site(1, "site-b")?])
}

impl Tunnel for OpenVpn {
    fn name(&self) -> &'static str {
        "OpenVPN"
    }

    fn client(&self) -> (&Namespace, String) {
        (&self.0.near, INNER[1].to_owned())
    }
}

impl Tunnel for Ours {
    fn name(&self) -> &'static str {
        "Cổ Loa"
    }

    fn client(&self) -> (&Namespace, String) {
        (&self.ends.near, INNER[1].to_owned())
    }
}
