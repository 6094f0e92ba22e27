//! The predecessor's end: it waits for a successor as long as it runs.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;

use coloa_link::handover::encode;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg, sockopt};

use super::{Greeting, Ground, Header, PATIENCE, TAKE, VERSION, program_of, socket};
use crate::config::Config;
use crate::control::Control;

/// The socket at which a successor comes.
pub struct Giver {
    listener: UnixListener,
    greeting: Greeting,
    control_port: TcpListener,
}

impl Giver {
    /// Opens it, for processes of this user only; one left over from before gives way.
    pub fn open(config: &Config, control_port: TcpListener) -> io::Result<Self> {
        let path = socket(config);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let greeting = Greeting {
            version: VERSION,
            pid: std::process::id(),
            program: program_of("self"),
            credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            ground: Ground::of(config),
        };
        Ok(Self { listener, greeting, control_port })
    }

    /// Serves until a successor has everything. What it returns is to live until this process ends: its end is what the
    /// successor waits for.
    pub fn serve(self, control: &Arc<Control>) -> UnixStream {
        loop {
            match self.listener.accept().and_then(|(stream, _)| self.talk(stream, control)) {
                Ok(Some(stream)) => return stream,
                Ok(None) => {}
                Err(why) => {
                    tracing::warn!(%why, "whoever came to take over went away");
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
        }
    }

    fn talk(&self, mut stream: UnixStream, control: &Arc<Control>) -> io::Result<Option<UnixStream>> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let peer = sockopt::socket_peercred(&stream)?;
        if peer.uid != rustix::process::geteuid() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        write_record(&mut stream, &serde_json::to_vec(&self.greeting)?)?;
        let mut word = [0; TAKE.len()];
        // Who only wants to know whom it would succeed hangs up.
        if stream.read_exact(&mut word).is_err() || word != TAKE {
            return Ok(None);
        }
        tracing::info!(successor = peer.pid.as_raw_nonzero(), "a successor takes over");
        control.stop();
        // From here on nothing is sealed or opened in this process, whether the successor gets it or not.
        if let Err(why) = self.give(&mut stream, control) {
            tracing::error!(%why, "the successor did not get everything: the links end");
        }
        crate::notify::main_process(peer.pid);
        Ok(Some(stream))
    }

    fn give(&self, stream: &mut UnixStream, control: &Arc<Control>) -> io::Result<()> {
        let (elapsed, peers) = control.hand_over();
        let (red, black) = control.plane.sockets().ok_or(io::ErrorKind::NotConnected)?;
        let header = serde_json::to_vec(&Header { version: VERSION, elapsed })?;
        let descriptors = [red.as_fd(), black.as_fd(), self.control_port.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let length = length_of(&header)?;
        sendmsg(&*stream, &[io::IoSlice::new(&length)], &mut ancillary, SendFlags::NOSIGNAL)?;
        stream.write_all(&header)?;
        for peer in &peers {
            write_record(stream, &encode(peer))?;
        }
        write_record(stream, &[])
    }
}

fn length_of(octets: &[u8]) -> io::Result<[u8; 4]> {
    u32::try_from(octets.len()).map(u32::to_be_bytes).map_err(io::Error::other)
}

fn write_record(stream: &mut UnixStream, octets: &[u8]) -> io::Result<()> {
    stream.write_all(&length_of(octets)?)?;
    stream.write_all(octets)
}
