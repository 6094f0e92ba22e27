//! The site's configuration: interfaces, addresses, files. Nothing here can open the network: who may talk to whom is in
//! the signed policy alone (R37), and a key nobody knows is an error, not a shrug.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use coloa_link::Padding;
use serde::Deserialize;

use crate::address::InterfaceAddress;
use crate::data::Shaping;
use crate::fault::Fault;
use crate::syslog::Target;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the daemon keeps what must survive a restart (the last policy serial).
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// Red and black may be one namespace: for measuring only, and shown by `status`.
    #[serde(default)]
    pub allow_shared_namespace: bool,
    /// The cleartext side.
    pub red: Red,
    /// The encrypted side.
    pub black: Black,
    /// The PKCS#11 token with the device's private key.
    pub token: Token,
    /// The device's certificate, the trust anchors, revocation.
    pub identity: Identity,
    /// The signed link policy.
    pub policy: PolicyFiles,
    /// Where the peers are; whether they are allowed is in the policy.
    #[serde(default)]
    pub peer: Vec<Peer>,
    /// When keys are renewed.
    #[serde(default)]
    pub rekey: Rekey,
    /// Where metrics and status are served.
    pub metrics: Option<Metrics>,
    /// Where else the log goes.
    pub log: Option<Log>,
}

/// The cleartext side.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Red {
    /// Name (`ip netns`) or absolute path of the namespace; without it the daemon's own.
    pub namespace: Option<String>,
    /// Name of the TUN interface.
    #[serde(default = "default_tun_name")]
    pub name: String,
    /// Addresses of the TUN interface.
    #[serde(default)]
    pub addresses: Vec<InterfaceAddress>,
    /// Inner MTU; without it the largest that fits `black.path_mtu`.
    pub mtu: Option<u16>,
    /// Interfaces whose neighbours keep their addresses and gateways: far ones seem to be on the same wire.
    #[serde(default)]
    pub neighbours: Vec<Neighbours>,
}

/// The hosts on one wire of the cleartext side, for a transparent site.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbours {
    /// The interface, in the red namespace.
    pub interface: String,
    /// Their networks, as the policy has them for this site; single hosts are `/32` and `/128`.
    pub networks: Vec<InterfaceAddress>,
}

/// The encrypted side.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Black {
    /// Name (`ip netns`) or absolute path of the namespace; without it the daemon's own.
    pub namespace: Option<String>,
    /// Address and port of both the UDP socket (ESP) and the TCP socket (control).
    pub listen: SocketAddr,
    /// MTU of the black network: no larger packet is ever sent. What a path carries below it is found by probing.
    #[serde(default = "default_path_mtu")]
    pub path_mtu: u16,
    /// The class of service of red packets (DSCP) is shown outside, so that the carrier's queues treat voice as voice. It
    /// tells the carrier which packets those are: where that is too much, or marks are paid for, turn it off.
    #[serde(default = "default_copy_dscp")]
    pub copy_dscp: bool,
    /// A NAT stands before this site; it is kept open while the link is idle. Without this word it is found out.
    #[serde(default)]
    pub behind_nat: bool,
}

/// The token with the private key.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The PKCS#11 module, a shared object.
    pub module: PathBuf,
    /// Label of the token.
    pub label: String,
    /// Label of the private key.
    pub key: Option<String>,
    /// Identifier of the private key (`CKA_ID`), hexadecimal.
    pub key_id: Option<String>,
    /// File with the user PIN.
    pub pin_file: Option<PathBuf>,
    /// Name of the systemd credential with the user PIN.
    pub pin_credential: Option<String>,
    /// How long one signature may take.
    #[serde(default = "default_deadline")]
    pub deadline_seconds: u64,
}

/// Certificates.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Own certificate and the intermediates up to, but without, the trust anchor (PEM).
    pub certificate: PathBuf,
    /// Trust anchors (PEM).
    pub trust_anchors: PathBuf,
    /// Revocation lists (PEM); when given, a certificate they do not cover is refused (R31).
    pub crl: Option<PathBuf>,
}

/// The signed policy.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFiles {
    /// The bundle.
    pub bundle: PathBuf,
    /// Certificate of the policy authority (PEM).
    pub authority: PathBuf,
}

/// Where one peer is.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The peer's site name in the policy.
    pub site: String,
    /// Address and port of its black side; without it the peer dials.
    pub endpoint: Option<SocketAddr>,
    /// Sizes that packets to it are padded to.
    #[serde(default)]
    pub padding: PaddingClass,
    /// A constant rate to it in kbit/s on the black wire, with dummies in the gaps; all packets are then of the largest size.
    pub cover_rate: Option<u32>,
}

/// Classes of size, for traffic-flow confidentiality (R33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum PaddingClass {
    /// Sizes show.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Multiples of 128 octets.
    #[serde(rename = "128")]
    Of128,
    /// Multiples of 512 octets.
    #[serde(rename = "512")]
    Of512,
    /// All alike.
    #[serde(rename = "full")]
    Full,
}

impl Peer {
    /// How the traffic to it is disguised.
    pub fn shaping(&self) -> Shaping {
        Shaping { padding: self.padding.padding(), cover_kilobits: self.cover_rate }
    }
}

impl PaddingClass {
    fn padding(self) -> Padding {
        match self {
            PaddingClass::None => Padding::None,
            PaddingClass::Of128 => Padding::Multiple(128),
            PaddingClass::Of512 => Padding::Multiple(512),
            PaddingClass::Full => Padding::Full,
        }
    }
}

/// When keys are renewed.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rekey {
    /// A new exchange after so many seconds.
    #[serde(default = "default_rekey")]
    pub after_seconds: u64,
    /// The old epoch is only received from, and gone after so many seconds (R29).
    #[serde(default = "default_drain")]
    pub drain_seconds: u64,
}

impl Default for Rekey {
    fn default() -> Self {
        Self { after_seconds: default_rekey(), drain_seconds: default_drain() }
    }
}

/// Where metrics and status are served.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// A loopback address and port, or the path of a Unix socket.
    pub listen: String,
}

/// Where else the log goes.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `/dev/log`, or address and port of a collector on the management network (RFC 5424, 5426).
    pub syslog: String,
}

impl Log {
    /// The place, if it is one.
    pub fn target(&self) -> Result<Target, String> {
        Target::parse(&self.syslog)
    }
}

fn default_state_dir() -> PathBuf {
    "/var/lib/coloa-linkd".into()
}
fn default_tun_name() -> String {
    "coloa0".into()
}
fn default_path_mtu() -> u16 {
    1500
}
fn default_copy_dscp() -> bool {
    true
}
fn default_deadline() -> u64 {
    5
}
fn default_rekey() -> u64 {
    3600
}
fn default_drain() -> u64 {
    30
}

/// The longest name of an interface the kernel takes: `IFNAMSIZ` with its final zero.
const MAX_INTERFACE_NAME: usize = 15;
/// A packet a second or so, up to what one thread sends beside everything else.
const COVER_RATES: std::ops::RangeInclusive<u32> = 16..=200_000;
/// The largest black MTU: jumbo frames.
const MAX_PATH_MTU: u16 = 9216;
/// The smallest MTU IPv6 allows (RFC 8200 §5).
const MIN_MTU: u16 = 1280;

impl Config {
    /// Reads and checks the file; relative paths in it start at its folder.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(path).map_err(|e| Fault::file(path, e))?;
        let mut config = Self::parse(&text).map_err(|why| Fault::Config { path: path.to_owned(), why })?;
        config.anchor_paths(path.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        config.red.parse()?;
        config.black.parse()?;
        config.token.parse()?;
        if let Some(metrics) = &config.metrics {
            MetricsAddress::parse(&metrics.listen)?;
        }
        config.log.as_ref().map(Log::target).transpose()?;
        if config.peer.iter().filter_map(|p| p.cover_rate).any(|rate| !COVER_RATES.contains(&rate)) {
            let (least, most) = COVER_RATES.into_inner();
            return Err(format!("[[peer]] cover_rate must be {least} to {most} kbit/s"));
        }
        if config.rekey.after_seconds < 5 || config.rekey.drain_seconds == 0 {
            return Err("[rekey] after_seconds must be at least 5 and drain_seconds at least 1".into());
        }
        Ok(config)
    }

    fn anchor_paths(&mut self, folder: &Path) {
        let paths = [
            Some(&mut self.state_dir),
            Some(&mut self.identity.certificate),
            Some(&mut self.identity.trust_anchors),
            self.identity.crl.as_mut(),
            Some(&mut self.policy.bundle),
            Some(&mut self.policy.authority),
            self.token.pin_file.as_mut(),
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
}

impl Red {
    fn parse(&self) -> Result<(), String> {
        let plain = self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if self.name.is_empty() || self.name.len() > MAX_INTERFACE_NAME || !plain {
            return Err(format!("red.name `{}` must be 1 to 15 letters, digits, `-`, `_` or `.`", self.name));
        }
        if self.mtu.is_some_and(|mtu| mtu < MIN_MTU) {
            return Err(format!("red.mtu must be at least {MIN_MTU}"));
        }
        Ok(())
    }
}

impl Black {
    fn parse(&self) -> Result<(), String> {
        if self.listen.port() == 0 {
            return Err("black.listen needs a port: the peers must know it".into());
        }
        if self.path_mtu < MIN_MTU + 100 {
            return Err(format!("black.path_mtu must be at least {}", MIN_MTU + 100));
        }
        if self.path_mtu > MAX_PATH_MTU {
            return Err(format!("black.path_mtu must be at most {MAX_PATH_MTU}"));
        }
        Ok(())
    }
}

impl Token {
    fn parse(&self) -> Result<(), String> {
        if self.key.is_none() && self.key_id.is_none() {
            return Err("[token] needs `key` (the private key's label) or `key_id`".into());
        }
        if self.pin_file.is_some() == self.pin_credential.is_some() {
            return Err("[token] needs exactly one of `pin_file` and `pin_credential`".into());
        }
        Ok(())
    }

    /// How long one signature may take.
    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds.max(1))
    }
}

/// Where metrics and status are served: this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsAddress {
    /// A loopback address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl MetricsAddress {
    /// Takes a loopback `address:port` or an absolute path, nothing that another machine could reach.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        let address: SocketAddr = text
            .parse()
            .map_err(|_| format!("[metrics] listen `{text}` is neither address:port nor an absolute path"))?;
        let loopback = match address.ip() {
            IpAddr::V4(v4) => v4.is_loopback(),
            IpAddr::V6(v6) => v6.is_loopback(),
        };
        if !loopback {
            return Err(format!("[metrics] listen `{text}` must be a loopback address: status is not for the network"));
        }
        Ok(Self::Tcp(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [red]
        namespace = "red"
        addresses = ["10.1.0.1/24", "fd00::1/64"]
        [black]
        namespace = "black"
        listen = "192.0.2.1:4500"
        [token]
        module = "/usr/lib/softhsm/libsofthsm2.so"
        label = "site-a"
        key = "link"
        pin_file = "pin"
        [identity]
        certificate = "a.pem"
        trust_anchors = "roots.pem"
        [policy]
        bundle = "policy.bundle"
        authority = "authority.pem"
        [[peer]]
        site = "b"
        endpoint = "192.0.2.2:4500"
    "#;

    #[test]
    fn a_complete_file_is_taken() {
        let config = Config::parse(GOOD).expect("valid");
        let [peer] = config.peer.as_slice() else { panic!("one peer") };
        assert_eq!((peer.site.as_str(), peer.endpoint), ("b", Some("192.0.2.2:4500".parse().unwrap())));
        assert_eq!(config.black.path_mtu, 1500);
    }

    #[test]
    fn an_unknown_key_is_named() {
        for (section, key) in [("[red]", "adresses"), ("[black]", "permit"), ("[policy]", "allow_unsigned")] {
            let text = GOOD.replace(section, &format!("{section}\n{key} = 1"));
            let why = Config::parse(&text).expect_err("unknown key");
            assert!(why.contains(key), "{why}");
        }
    }

    #[test]
    fn traffic_to_a_peer_is_disguised_as_its_site_says() {
        let shaped = |words: &str| Config::parse(&(GOOD.to_owned() + words)).map(|c| c.peer[0].shaping());
        assert_eq!(shaped(""), Ok(Shaping::default()));
        let full = Shaping { padding: Padding::Full, cover_kilobits: Some(512) };
        assert_eq!(shaped("padding = \"full\"\ncover_rate = 512\n"), Ok(full));
        assert_eq!(shaped("padding = \"128\"\n").map(|s| s.padding), Ok(Padding::Multiple(128)));
        for wrong in ["padding = \"64\"\n", "cover_rate = 0\n", "cover_rate = 1000000\n"] {
            assert!(shaped(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn metrics_stay_on_this_machine() {
        assert!(MetricsAddress::parse("0.0.0.0:9100").is_err());
        assert!(MetricsAddress::parse("[::1]:9100").is_ok());
        assert_eq!(MetricsAddress::parse("/run/x.sock"), Ok(MetricsAddress::Unix("/run/x.sock".into())));
    }

    #[test]
    fn a_token_needs_a_key_and_one_pin() {
        for broken in [GOOD.replace("key = \"link\"", ""), GOOD.replace("pin_file = \"pin\"", "")] {
            assert!(Config::parse(&broken).is_err());
        }
    }
}
