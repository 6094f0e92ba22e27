//! Tunnels to measure, each between two namespaces of its own over veth: ours with the keys in embedded tokens, OpenVPN,
//! wireguard-go, and the bare wire.

mod openvpn;
mod ours;
mod wireguard;

pub use openvpn::OpenVpn;
pub use ours::Ours;
pub use wireguard::WireguardGo;

use anyhow::{Result, bail};
use coloa_hil_tests::background::{Background, until};
use coloa_hil_tests::network::{Namespace, wire};
use std::process::Command;
use std::time::Duration;

/// How long a tunnel may take to come up.
const UP: Duration = Duration::from_secs(30);
/// Addresses on the wire.
pub const UNDERLAY: [&str; 2] = ["10.99.0.1", "10.99.0.2"];
const INNER: [&str; 2] = ["10.88.0.1", "10.88.0.2"];
const WIRE: &str = "wire0";
/// The name of ours.
pub const OURS: &str = "Cổ Loa";
/// The name of no tunnel at all.
pub const CLEARTEXT: &str = "wire in cleartext";
/// What fits into 1500 octets with any of them.
const INNER_MTU: &str = "1432";

/// A tunnel that is up, with servers of iperf3 and sockperf at its far end.
pub trait Tunnel {
    /// For reports.
    fn name(&self) -> &'static str;
    /// What it runs on.
    fn ends(&self) -> &Ends;
    /// The far end's address, as the near end reaches it.
    fn target(&self) -> &'static str {
        INNER[1]
    }
}

/// Two ends of a wire, and what runs there.
pub struct Ends {
    near: Namespace,
    far: Namespace,
    tunnel: Vec<Background>,
    servers: Vec<Background>,
    dir: tempfile::TempDir,
}

impl Ends {
    fn make(prefix: &str) -> Result<Self> {
        let (near, far) = (Namespace::make(&format!("{prefix}-a"))?, Namespace::make(&format!("{prefix}-b"))?);
        let [a, b] = UNDERLAY.map(|address| format!("{address}/24"));
        wire((&near, &a), (&far, &b), WIRE)?;
        Ok(Self { near, far, tunnel: vec![], servers: vec![], dir: tempfile::tempdir()? })
    }

    /// The end that calls.
    pub fn near(&self) -> &Namespace {
        &self.near
    }

    /// The processes of the tunnel, both ends.
    pub fn tunnel(&self) -> impl Iterator<Item = u32> {
        self.tunnel.iter().map(Background::pid)
    }

    /// The processes that answer at the far end.
    pub fn servers(&self) -> impl Iterator<Item = u32> {
        self.servers.iter().map(Background::pid)
    }

    /// Whether the wire takes many datagrams as one; without, the kernel cuts them up.
    pub fn offload(&self, on: bool) -> Result<()> {
        let switch = if on { "on" } else { "off" };
        for end in [&self.near, &self.far] {
            end.run(&["ethtool", "-K", WIRE, "tx-udp-segmentation", switch])?;
        }
        Ok(())
    }

    fn start(&mut self, name: &str, command: &Command) -> Result<()> {
        let started = Background::start(self.dir.path(), name, command)?;
        self.tunnel.push(started);
        Ok(())
    }

    /// Waits until the far end answers, and starts the servers there.
    fn serve(&mut self, target: &str) -> Result<()> {
        if !until(UP, || self.near.reaches(target)) {
            bail!("the tunnel does not come up; its logs:\n{}", self.logs());
        }
        let servers: [&[&str]; 2] = [&["iperf3", "-s"], &["sockperf", "sr", "-p", "11111"]];
        for words in servers {
            let started = Background::start(self.dir.path(), words[0], &self.far.command(words))?;
            self.servers.push(started);
        }
        Ok(())
    }

    fn logs(&self) -> String {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten().map(|f| f.path());
        let logs = files.filter(|f| f.extension().is_some_and(|e| e == "log"));
        logs.map(|f| std::fs::read_to_string(f).unwrap_or_default()).collect()
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        for process in self.servers.iter().chain(&self.tunnel) {
            process.stop().ok();
        }
    }
}

/// The wire itself, in cleartext: what a tunnel could reach at most.
pub struct Wire(Ends);

impl Wire {
    /// Joins both ends.
    pub fn start() -> Result<Self> {
        let mut ends = Ends::make("coloa-wire")?;
        ends.serve(UNDERLAY[1])?;
        Ok(Self(ends))
    }
}

impl Tunnel for Wire {
    fn name(&self) -> &'static str {
        CLEARTEXT
    }

    fn ends(&self) -> &Ends {
        &self.0
    }

    fn target(&self) -> &'static str {
        UNDERLAY[1]
    }
}
