//! The administrators' Unix socket: the same frames without TLS. The operating system says who is at the other end.

use crate::admin;
use crate::fault::Fault;
use crate::service::Service;
use coloa_engine::{Conversation, Peer};
use coloa_wire::frame::{FrameKind, LENGTH_FIELD};
use coloa_wire::{ErrorCode, Frame};
use parking_lot::Mutex;
use rustix::fs::Mode;
use rustix::net::{Shutdown, sockopt};
use rustix::process::{geteuid, umask};
use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const KEY: &str = "admin_socket";
/// Administrators at the same time.
const MAX_CONNECTIONS: usize = 32;
/// How long an answer may wait to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The listening socket and its name in the file system.
pub(crate) struct Socket {
    listener: Arc<UnixListener>,
    path: PathBuf,
    administrators: Arc<[Administrator]>,
}

/// A user whom the local socket admits, looked up before the sandbox closes.
struct Administrator {
    uid: u32,
    name: String,
}

impl Socket {
    /// Makes the socket for its owner alone; one that a dead process left gives way.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let fault = |e: io::Error| match e.kind() {
            io::ErrorKind::AddrInUse => Fault::PortInUse { address: path.display().to_string(), key: KEY },
            _ => Fault::Socket { address: path.display().to_string(), key: KEY, why: e.to_string() },
        };
        if let Some(folder) = path.parent().filter(|f| !f.exists()) {
            DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(fault)?;
        }
        remove_dead(path).map_err(fault)?;
        // The socket gets its rights as it is made: there is no moment when others may connect.
        let before = umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        umask(before);
        let listener = Arc::new(bound.map_err(fault)?);
        Ok(Socket { listener, path: path.to_path_buf(), administrators: administrators().into() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The thread that serves administrators until the service stops.
    pub(crate) fn server(&self, service: &Arc<Service>) -> impl FnOnce() + Send + 'static {
        let (service, listener, known) = (service.clone(), self.listener.clone(), self.administrators.clone());
        move || accept(&service, &listener, &known)
    }

    /// Takes no more administrators.
    pub(crate) fn close(&self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = rustix::net::shutdown(&*self.listener, Shutdown::Both);
    }
}

/// Removes a socket that nobody listens at any more. Whatever else has that name is somebody's, and stays.
fn remove_dead(path: &Path) -> io::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("something that is no socket has this name, and is left alone"));
    }
    match UnixStream::connect(path) {
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        // Its owner lives: binding says so.
        _ => Ok(()),
    }
}

fn accept(service: &Arc<Service>, listener: &UnixListener, known: &[Administrator]) {
    let open = Arc::new(Mutex::new(0));
    while !service.is_stopping() {
        match listener.accept() {
            Ok((stream, _)) => serve_one(service, stream, (&open, known)),
            Err(_) if service.is_stopping() => return,
            Err(why) => {
                tracing::warn!(%why, "an administrator could not be accepted");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn serve_one(service: &Arc<Service>, stream: UnixStream, (open, known): (&Arc<Mutex<usize>>, &[Administrator])) {
    let Some(peer) = administrator(&stream, known) else { return };
    let Some(turn) = Turn::take(service.clone(), peer.clone(), open) else {
        tracing::warn!(peer = peer.name(), "too many administrators at the same time");
        return;
    };
    let started = std::thread::Builder::new().name("administrator".into()).spawn(move || {
        if let Err(why) = converse(&turn.service, &peer, stream) {
            tracing::debug!(peer = peer.name(), %why, "an administrator's connection ended");
        }
    });
    if let Err(why) = started {
        tracing::error!(%why, "no thread for an administrator");
    }
}

/// One of the connections that are counted. Sessions end with the last of them.
struct Turn {
    service: Arc<Service>,
    peer: Peer,
    open: Arc<Mutex<usize>>,
}

impl Turn {
    fn take(service: Arc<Service>, peer: Peer, open: &Arc<Mutex<usize>>) -> Option<Self> {
        let mut count = open.lock();
        if *count >= MAX_CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Turn { service, peer, open: open.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut count = self.open.lock();
        *count -= 1;
        if *count == 0 {
            // Under the lock: who connects now has no session yet.
            self.service.engine().forget(&self.peer);
        }
    }
}

/// Root, and the service's own user.
fn administrators() -> Vec<Administrator> {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = |uid: u32| {
        let line = users.lines().find(|l| l.split(':').nth(2).and_then(|n| n.parse().ok()) == Some(uid));
        let name = line.and_then(|l| l.split(':').next()).unwrap_or("no name").to_owned();
        Administrator { uid, name }
    };
    [0, geteuid().as_raw()].map(named).into()
}

/// Only the service's own user and root get past the socket's rights; whoever else does is turned away.
fn administrator(stream: &UnixStream, known: &[Administrator]) -> Option<Peer> {
    let uid = sockopt::socket_peercred(stream).ok()?.uid.as_raw();
    match known.iter().find(|a| a.uid == uid) {
        Some(admitted) => Some(Peer::Administrator(format!("uid {uid} ({})", admitted.name))),
        None => {
            tracing::warn!(uid, "refused at the local socket");
            None
        }
    }
}

fn converse(service: &Arc<Service>, peer: &Peer, mut stream: UnixStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut conversation = Conversation::default();
    let (mut frame, mut reply) = (Zeroizing::new(Vec::new()), Zeroizing::new(Vec::new()));
    loop {
        reply.clear();
        let admitted = match read_frame(&mut stream, &conversation, service.max_frame(), &mut frame)? {
            Ok(()) => conversation.admit(&frame),
            Err(error) => Err(error),
        };
        match admitted {
            Ok(()) => admin::answer(service, peer, &frame, &mut reply),
            Err(error) => Frame::status(FrameKind::Fault, error.number(), 0).encode(&mut reply),
        }
        let sent = stream.write_all(&reply);
        service.end_if_zeroized();
        sent?;
        if admitted.is_err() || reply.get(4) == Some(&(FrameKind::Fault as u8)) {
            return Ok(());
        }
    }
}

fn read_frame(
    stream: &mut UnixStream,
    conversation: &Conversation,
    max: usize,
    frame: &mut Vec<u8>,
) -> io::Result<Result<(), ErrorCode>> {
    frame.clear();
    frame.resize(LENGTH_FIELD, 0);
    stream.read_exact(frame)?;
    match conversation.frame_length(frame, max) {
        Ok(length) => {
            frame.resize(length.unwrap_or(LENGTH_FIELD), 0);
            stream.read_exact(frame.get_mut(LENGTH_FIELD..).unwrap_or_default())?;
            Ok(Ok(()))
        }
        Err(error) => Ok(Err(error)),
    }
}
