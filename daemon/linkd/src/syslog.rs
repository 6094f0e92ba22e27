//! The log as syslog messages (RFC 5424), one datagram each (RFC 5426): to the machine's own `/dev/log`, or to a collector on
//! the management network. It never blocks: what finds no room is counted, and the count follows with the next message that
//! does. No secret is logged, here or anywhere.

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;

use crate::fault::Fault;

/// Facility "system daemons" (RFC 5424 §6.2.1).
const FACILITY: u8 = 3;
const NAME: &str = "coloa-linkd";
/// Octets that every receiver takes (RFC 5424 §6.1 asks for 2048).
const MAX_MESSAGE: usize = 2048;
/// Octets of a MSGID (RFC 5424 §6).
const MAX_ID: usize = 32;

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A socket of this machine.
    Local(PathBuf),
    /// A collector.
    Remote(SocketAddr),
}

impl Target {
    /// An absolute path, or an address and port.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Local(text.into()));
        }
        let wrong = |_| format!("[log] syslog `{text}` is neither address:port nor an absolute path");
        text.parse().map(Self::Remote).map_err(wrong)
    }
}

enum Socket {
    Local(UnixDatagram),
    Remote(UdpSocket),
}

struct Open {
    socket: Socket,
    host: String,
    lost: AtomicU64,
}

static OPEN: OnceLock<Open> = OnceLock::new();

/// Sends the log there too, from now on. The socket belongs to the namespace of the calling thread: management, never black.
pub fn open(target: &Target) -> Result<(), Fault> {
    let fault = |e: std::io::Error| Fault::Syslog { target: target.to_string(), why: e.to_string() };
    let socket = match target {
        Target::Local(path) => {
            let socket = UnixDatagram::unbound().map_err(fault)?;
            socket.connect(path).and_then(|()| socket.set_nonblocking(true)).map_err(fault)?;
            Socket::Local(socket)
        }
        Target::Remote(at) => {
            let own = if at.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
            let socket = UdpSocket::bind::<SocketAddr>(own).map_err(fault)?;
            socket.connect(at).and_then(|()| socket.set_nonblocking(true)).map_err(fault)?;
            Socket::Remote(socket)
        }
    };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let _ = OPEN.set(Open { socket, host: printable(host.trim(), 255), lost: AtomicU64::new(0) });
    Ok(())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Local(path) => write!(f, "{}", path.display()),
            Target::Remote(at) => write!(f, "{at}"),
        }
    }
}

/// Hands events to syslog, once it is open.
pub struct Syslog;

impl<S: Subscriber> Layer<S> for Syslog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(open) = OPEN.get() else { return };
        let mut words = Words::default();
        event.record(&mut words);
        let lost = open.lost.swap(0, Ordering::Relaxed);
        let text = if lost > 0 { format!("{} ({lost} messages before it were lost)", words.0) } else { words.0 };
        let metadata = event.metadata();
        let message = message(*metadata.level(), &open.host, metadata.target(), &text);
        if open.send(message.as_bytes()).is_err() {
            open.lost.fetch_add(lost.saturating_add(1), Ordering::Relaxed);
        }
    }
}

impl Open {
    fn send(&self, message: &[u8]) -> std::io::Result<usize> {
        match &self.socket {
            Socket::Local(socket) => socket.send(message),
            Socket::Remote(socket) => socket.send(message),
        }
    }
}

/// `<PRI>1 TIMESTAMP HOST APP PID MSGID - MSG`, the message in UTF-8 with its mark (RFC 5424 §6.4).
fn message(level: Level, host: &str, target: &str, text: &str) -> String {
    let severity = match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    };
    let mut time = String::new();
    if SystemTime.format_time(&mut Writer::new(&mut time)).is_err() {
        time = "-".into();
    }
    let id = target.rsplit("::").next().unwrap_or(target);
    let (id, host) = (printable(id, MAX_ID), if host.is_empty() { "-" } else { host });
    let priority = FACILITY * 8 + severity;
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut out = format!("<{priority}>1 {time} {host} {NAME} {} {id} - \u{feff}{clean}", std::process::id());
    let end = (0..=MAX_MESSAGE.min(out.len())).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
    out.truncate(end);
    out
}

/// PRINTUSASCII of the standard, or a dash.
fn printable(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(|c| c.is_ascii_graphic()).take(most).collect();
    if kept.is_empty() { "-".into() } else { kept }
}

/// The message, and the fields behind it.
#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?} {}", self.0).trim_end().to_owned();
        } else {
            let space = if self.0.is_empty() { "" } else { " " };
            let _ = write!(self.0, "{space}{}={value:?}", field.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_parts_of_the_standard_in_one_line() {
        let said = message(Level::ERROR, "hub-1", "coloa_linkd::control::guard", "the link is cut\npeer=\"hue\" Huế");
        let parts: Vec<&str> = said.splitn(8, ' ').collect();
        let [pri, time, host, app, pid, id, data, text] = parts.as_slice() else { panic!("{said}") };
        assert_eq!((*pri, *host, *app, *id, *data), ("<27>1", "hub-1", "coloa-linkd", "guard", "-"));
        assert_eq!(pid.parse(), Ok(std::process::id()));
        assert!(time.len() == 27 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
        assert_eq!(*text, "\u{feff}the link is cut peer=\"hue\" Huế");
        assert!(message(Level::INFO, "", "x", "y").starts_with("<30>1 "));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let said = message(Level::WARN, "h", "t", &"ế".repeat(2000));
        assert!(said.len() <= MAX_MESSAGE && said.len() > MAX_MESSAGE - 4 && said.ends_with('ế'));
    }

    #[test]
    fn a_target_is_a_socket_or_an_address() {
        assert_eq!(Target::parse("/dev/log"), Ok(Target::Local("/dev/log".into())));
        assert_eq!(Target::parse("[::1]:514"), Ok(Target::Remote("[::1]:514".parse().expect("address"))));
        assert!(Target::parse("collector:514").is_err(), "no names: they would need a resolver");
    }
}
