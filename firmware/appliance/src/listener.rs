//! The TLS port: reserved at the start, open only once the device is initialised.

use crate::fault::Fault;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

const BACKLOG: i32 = 1024;
const KEY: &str = "listen";

/// An address that is ours, but refuses connections.
pub(crate) struct Reserved(OwnedFd, SocketAddr);

impl Reserved {
    /// Takes the address.
    pub(crate) fn take(address: SocketAddr) -> Result<Self, Fault> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let taken = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).and_then(|fd| {
            sockopt::set_socket_reuseaddr(&fd, true)?;
            bind(&fd, &address)?;
            Ok(Reserved(fd, address))
        });
        taken.map_err(|e| fault(e.into(), address, KEY))
    }

    /// Opens it.
    pub(crate) fn open(self) -> Result<TcpListener, Fault> {
        listen(&self.0, BACKLOG).map_err(|e| fault(e.into(), self.1, KEY))?;
        Ok(TcpListener::from(self.0))
    }
}

/// What a socket error means for the operator.
pub(crate) fn fault(error: io::Error, address: SocketAddr, key: &'static str) -> Fault {
    let address = address.to_string();
    match error.kind() {
        io::ErrorKind::AddrInUse => Fault::PortInUse { address, key },
        _ => Fault::Socket { address, key, why: error.to_string() },
    }
}

/// A peer that is gone without a word is found by TCP's probes.
pub(crate) fn probe_dead_peers(socket: &std::net::TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(10))?;
    Ok(sockopt::set_tcp_keepcnt(socket, 3)?)
}

/// Answers are small and never wait for a window: what paces them (BBR) costs a timer for each and gains nothing. Where the
/// system does not permit the choice, its own stays.
pub(crate) fn do_not_pace(socket: &std::net::TcpStream) {
    if let Err(why) = sockopt::set_tcp_congestion(socket, "cubic") {
        tracing::debug!(%why, "the system's congestion control stays");
    }
}
