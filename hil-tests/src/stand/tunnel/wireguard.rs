//! WireGuard in user space, as Debian has it, as a peer to measure against.

use super::{Ends, INNER, INNER_MTU, Tunnel, UNDERLAY};
use anyhow::{Context, Result, bail, ensure};
use coloa_hil_tests::background::until;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PORT: &str = "51820";

/// wireguard-go: ChaCha20-Poly1305 over UDP.
pub struct WireguardGo(Ends);

impl WireguardGo {
    /// Starts both ends.
    pub fn start() -> Result<Self> {
        let mut ends = Ends::make("coloa-wg")?;
        let keys = [key_pair(ends.dir.path(), "a")?, key_pair(ends.dir.path(), "b")?];
        for me in 0..2 {
            // its control socket is named after the device and lies outside of the namespaces
            let device = device(me);
            let here = if me == 0 { &ends.near } else { &ends.far };
            let mut command = here.command(&["wireguard-go", "-f", &device]);
            command.env("LOG_LEVEL", "error");
            ends.start(&device, &command)?;
            let here = if me == 0 { &ends.near } else { &ends.far };
            ensure!(until(Duration::from_secs(10), || here.run(&["wg", "show", &device]).is_ok()), "{}", ends.logs());
            let (own, peer) = (&keys[me].0, &keys[1 - me].1);
            let (allowed, endpoint) = (format!("{}/32", INNER[1 - me]), format!("{}:{PORT}", UNDERLAY[1 - me]));
            let set = ["wg", "set", &device, "private-key", own, "listen-port", PORT, "peer", peer];
            here.run(&[set.as_slice(), &["allowed-ips", &allowed, "endpoint", &endpoint]].concat())?;
            here.run(&["ip", "address", "add", &format!("{}/24", INNER[me]), "dev", &device])?;
            here.run(&["ip", "link", "set", &device, "mtu", INNER_MTU, "up"])?;
        }
        ends.serve(INNER[1])?;
        Ok(Self(ends))
    }
}

fn device(end: usize) -> String {
    format!("wgc{}-{end}", std::process::id())
}

/// The file of a private key, and the public key.
fn key_pair(dir: &Path, end: &str) -> Result<(String, String)> {
    let private = wg("genkey", "")?;
    let file = dir.join(format!("{end}.wgkey"));
    std::fs::write(&file, &private)?;
    Ok((file.to_string_lossy().into_owned(), wg("pubkey", &private)?.trim().to_owned()))
}

fn wg(word: &str, input: &str) -> Result<String> {
    let mut wg = Command::new("wg").arg(word).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("wg")?;
    wg.stdin.take().context("no pipe")?.write_all(input.as_bytes())?;
    let out = wg.wait_with_output()?;
    if !out.status.success() {
        bail!("wg {word} failed");
    }
    Ok(String::from_utf8(out.stdout)?)
}

impl Tunnel for WireguardGo {
    fn name(&self) -> &'static str {
        "wireguard-go"
    }

    fn ends(&self) -> &Ends {
        &self.0
    }
}
