//! A word to systemd (sd_notify(3)); without it, nothing.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::process::Pid;

/// This process is the daemon now. The unit has `NotifyAccess=main`.
pub fn main_process(pid: Pid) {
    if let Err(why) = send(&format!("MAINPID={}", pid.as_raw_nonzero())) {
        tracing::warn!(%why, "systemd does not know the successor");
    }
}

fn send(words: &str) -> std::io::Result<()> {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match name.as_bytes().split_first() {
        Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(&name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(words.as_bytes(), &address).map(drop)
}
