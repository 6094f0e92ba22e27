//! Metrics and status over HTTP/1.0 on a loopback address or a Unix socket: `/metrics` for Prometheus (text format 0.0.4),
//! `/status` as JSON, `/test` for a measurement at a bounded rate. One request a connection; it can only be asked, never told.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::config::MetricsAddress;
use crate::control::Control;
use crate::control::measure::{self, Outcome};
use crate::fault::Fault;
use crate::hex;
use crate::status::{Fixed, LinkStatus, Status};

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest request line.
const MAX_REQUEST: u64 = 1024;

/// A listening socket.
pub enum Listener {
    /// On loopback.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

impl Listener {
    /// Opens the socket; a Unix socket left over from before gives way.
    pub fn open(address: &MetricsAddress) -> Result<Self, Fault> {
        let (opened, shown) = match address {
            MetricsAddress::Tcp(at) => (TcpListener::bind(at).map(Listener::Tcp), at.to_string()),
            MetricsAddress::Unix(path) => {
                if UnixStream::connect(path).is_err() {
                    let _ = std::fs::remove_file(path);
                }
                let private = || std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660));
                let opened = UnixListener::bind(path).and_then(|l| private().map(|()| Listener::Unix(l)));
                (opened, path.display().to_string())
            }
        };
        opened.map_err(|e| match e.kind() {
            io::ErrorKind::AddrInUse => Fault::PortInUse { listen: shown, side: "the metrics address" },
            _ => Fault::Socket { listen: shown, why: e.to_string() },
        })
    }

    /// Answers one after the other until the process ends.
    pub fn serve(&self, control: &Arc<Control>, fixed: &Fixed) {
        loop {
            let answered = match self {
                Listener::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    // Any program of this machine comes here: none of them begins a test.
                    answer(&stream, &stream, (control, false), fixed)
                }),
                Listener::Unix(listener) => listener.accept().and_then(|(stream, _)| {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    answer(&stream, &stream, (control, true), fixed)
                }),
            };
            if let Err(why) = answered {
                tracing::debug!(%why, "a metrics client went away");
            }
        }
    }
}

fn answer(
    from: impl Read,
    mut to: impl Write,
    (control, may_test): (&Arc<Control>, bool),
    fixed: &Fixed,
) -> io::Result<()> {
    let mut request = String::new();
    BufReader::new(from.take(MAX_REQUEST)).read_line(&mut request)?;
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (code, kind, body) = match path {
        "/metrics" => ("200 OK", "text/plain; version=0.0.4", prometheus(&Status::of(control, fixed))),
        "/status" => {
            let json = serde_json::to_string(&Status::of(control, fixed)).map_err(io::Error::other)?;
            ("200 OK", "application/json", json)
        }
        _ if path.starts_with("/test") && may_test => {
            let json = serde_json::to_string(&test(control, path)).map_err(io::Error::other)?;
            ("200 OK", "application/json", json)
        }
        _ if path.starts_with("/test") => ("403 Forbidden", "text/plain", "tests need a Unix socket\n".into()),
        _ => ("404 Not Found", "text/plain", "there are /metrics and /status\n".into()),
    };
    write!(to, "HTTP/1.0 {code}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// `/test` tells how the last test stands, `/test/begin?rate=KBIT&site=HEX` begins one; a site's name may hold anything.
fn test(control: &Arc<Control>, path: &str) -> Outcome {
    let Some(wish) = path.strip_prefix("/test/begin?rate=") else { return control.tester.outcome() };
    let name = |site: &str| String::from_utf8(hex::decode(site)?).ok();
    let parsed = wish.split_once("&site=").and_then(|(rate, site)| Some((rate.parse().ok()?, name(site)?)));
    let begun = parsed.ok_or_else(|| "the request cannot be read".into());
    match begun.and_then(|(rate, site)| measure::begin(control, &site, rate)) {
        Ok(()) => Outcome::Running,
        Err(why) => Outcome::Failed(why),
    }
}

/// Asks a running daemon for its status.
pub fn ask(address: &MetricsAddress) -> Result<Status, Fault> {
    get(address, "/status")
}

/// Asks a running daemon for something.
pub fn get<T: DeserializeOwned>(address: &MetricsAddress, path: &str) -> Result<T, Fault> {
    let shown = match address {
        MetricsAddress::Tcp(at) => at.to_string(),
        MetricsAddress::Unix(path) => path.display().to_string(),
    };
    let fault = |why: String| Fault::NoDaemon { at: shown.clone(), why };
    let answer = match address {
        MetricsAddress::Tcp(at) => TcpStream::connect_timeout(at, PATIENCE).and_then(|mut s| exchange(&mut s, path)),
        MetricsAddress::Unix(at) => UnixStream::connect(at).and_then(|mut s| exchange(&mut s, path)),
    };
    let answer = answer.map_err(|e| fault(e.to_string()))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if !head.starts_with("HTTP/1.0 200") {
        return Err(fault(body.trim_end().to_owned()));
    }
    serde_json::from_str(body).map_err(|e| fault(format!("its answer cannot be read ({e})")))
}

fn exchange(stream: &mut (impl Read + Write), path: &str) -> io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn prometheus(status: &Status) -> String {
    let mut out = String::new();
    let gauge = |on: bool| u64::from(on);
    let mut family = |name: &str, kind: &str, help: &str, value: &dyn Fn(&LinkStatus) -> u64| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for link in &status.links {
            let _ = writeln!(out, "{name}{{site=\"{}\"}} {}", escape(&link.site), value(link));
        }
    };
    family("coloa_link_encrypting", "gauge", "1 while packets are sealed.", &|l| gauge(l.encrypting));
    family("coloa_link_connected", "gauge", "1 while the control connection lives.", &|l| gauge(l.connected));
    family("coloa_link_epoch", "gauge", "The epoch that sends.", &|l| l.epoch.unwrap_or(0));
    family("coloa_link_sent_packets_total", "counter", "Red packets sent (before segmentation).", &|l| l.sent.0);
    family("coloa_link_sent_octets_total", "counter", "Octets of them.", &|l| l.sent.1);
    family("coloa_link_received_packets_total", "counter", "Red packets received.", &|l| l.received.0);
    family("coloa_link_received_octets_total", "counter", "Octets of them.", &|l| l.received.1);
    family("coloa_link_verdict_seconds", "gauge", "For how long it has encrypted, or been blocked.", &|l| {
        l.since_seconds
    });
    family("coloa_link_certificate_seconds", "gauge", "Until the first certificate of the peer expires.", &|l| {
        l.certificate_seconds.unwrap_or(0)
    });
    family("coloa_link_inner_mtu", "gauge", "The largest inner packet that the path carries.", &|l| {
        l.inner_mtu.unwrap_or(0) as u64
    });
    family(
        "coloa_link_silent_seconds",
        "gauge",
        "We send and hear nothing for so long; 0 while the peer lives.",
        &|l| l.silent_seconds.unwrap_or(0),
    );
    family("coloa_link_bypass", "gauge", "1 while an order lets packets of this link go in clear.", &|l| {
        gauge(l.bypassed)
    });
    let (sent, received) = status.bypass.as_ref().map_or((0, 0), |bypass| bypass.packets);
    let _ = writeln!(out, "# HELP coloa_link_clear_packets Packets in clear while an order is in force.");
    let _ = writeln!(out, "# TYPE coloa_link_clear_packets gauge");
    let _ = writeln!(out, "coloa_link_clear_packets{{direction=\"outward\"}} {sent}");
    let _ = writeln!(out, "coloa_link_clear_packets{{direction=\"inward\"}} {received}");
    let _ =
        writeln!(out, "# HELP coloa_link_policy_serial The policy in force.\n# TYPE coloa_link_policy_serial gauge");
    let _ = writeln!(out, "coloa_link_policy_serial {}", status.policy_serial.unwrap_or(0));
    let _ = writeln!(out, "# HELP coloa_link_token_away 1 while our own token does not sign.");
    let _ = writeln!(out, "# TYPE coloa_link_token_away gauge");
    let _ = writeln!(out, "coloa_link_token_away {}", gauge(status.token.is_some()));
    let _ = writeln!(out, "# HELP coloa_link_shared_namespace 1 when red and black are not separated.");
    let _ = writeln!(out, "# TYPE coloa_link_shared_namespace gauge");
    let _ = writeln!(out, "coloa_link_shared_namespace {}", gauge(status.shared_namespace));
    let _ = writeln!(out, "# HELP coloa_link_drops_total Packets dropped, by direction and reason.");
    let _ = writeln!(out, "# TYPE coloa_link_drops_total counter");
    for (name, count) in &status.drops {
        let (direction, reason) = name.split_once('.').unwrap_or(("", name));
        let _ = writeln!(out, "coloa_link_drops_total{{direction=\"{direction}\",reason=\"{reason}\"}} {count}");
    }
    out
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
