//! sd_notify(3): tells the service manager that the appliance serves, lives, or stops.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The way to the service manager, where there is one. It is opened before the sandbox closes.
pub(crate) struct Notifier {
    manager: Option<UnixDatagram>,
    is_watched: bool,
}

impl Notifier {
    /// As the environment says.
    pub(crate) fn connect() -> Self {
        let manager = reach().unwrap_or_else(|why| {
            tracing::warn!(%why, "the service manager cannot be reached");
            None
        });
        let is_watched = manager.is_some() && std::env::var_os("WATCHDOG_USEC").is_some();
        Notifier { manager, is_watched }
    }

    /// Whether the service manager waits for signs of life (`WatchdogSec=` of several seconds).
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Sends a state.
    pub(crate) fn tell(&self, state: &str) {
        if let Some(Err(why)) = self.manager.as_ref().map(|manager| manager.send(state.as_bytes())) {
            tracing::warn!(%why, "the service manager could not be told {state}");
        }
    }
}

fn reach() -> io::Result<Option<UnixDatagram>> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(None) };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let manager = UnixDatagram::unbound()?;
    manager.connect_addr(&address?)?;
    Ok(Some(manager))
}
