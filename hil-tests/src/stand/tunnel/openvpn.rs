//! OpenVPN, as a peer to measure against.

use super::{Ends, INNER, INNER_MTU, Tunnel, UNDERLAY};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

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
        ends.serve(INNER[1])?;
        Ok(Self(ends))
    }
}

fn openvpn(dir: &Path, end: &str, peer: &str, me: usize, role: &[&str]) -> Vec<String> {
    let file = |kind: &str| dir.join(format!("{end}.{kind}")).to_string_lossy().into_owned();
    let fixed = "openvpn --dev-type tun --proto udp --port 1194 --data-ciphers AES-256-GCM --cipher AES-256-GCM \
                 --auth SHA256 --mssfix 0 --disable-dco --topology p2p --verb 2 --sndbuf 4194304 \
                 --rcvbuf 4194304 --txqueuelen 1000 --tun-mtu";
    let mut words: Vec<String> = fixed.split_whitespace().chain([INNER_MTU]).map(str::to_owned).collect();
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

impl Tunnel for OpenVpn {
    fn name(&self) -> &'static str {
        "OpenVPN"
    }

    fn ends(&self) -> &Ends {
        &self.0
    }
}
