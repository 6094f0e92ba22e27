//! One channel: handshake, then frames until either end closes.
//!
//! The channel's thread reads, decrypts, answers every frame that has arrived, and writes the answers at once. Only the
//! workers that answer slow commands share the TLS state with it, so its lock is hardly ever waited for, and nobody holds
//! it while reading.

mod outgoing;
mod stream;

use crate::channels::Caller;
use crate::service::Service;
use crate::tls;
use coloa_engine::Peer;
use coloa_wire::ErrorCode;
use outgoing::{Late, flush};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustls::ServerConnection;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use stream::Stream;
use zeroize::Zeroizing;

/// How long and how much is read after a refusal, so that the peer sees the reason before the connection is reset.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 * 1024;
/// A channel's thread needs little; debug builds need more.
pub(crate) const STACK: usize = 1024 * 1024;

/// Why a channel ended.
enum End {
    Closed,
    Idle,
    Stalled,
    Broken(io::Error),
    Tls(rustls::Error),
    Fault(ErrorCode),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        End::Broken(error)
    }
}

/// What the channel's thread and the workers share.
struct Channel {
    service: Arc<Service>,
    socket: Arc<TcpStream>,
    tls: Mutex<ServerConnection>,
    pending: AtomicUsize,
    late: Mutex<Late>,
}

/// Serves a connection that was entered under `id`, until it ends.
pub(crate) fn serve(service: &Arc<Service>, socket: Arc<TcpStream>, id: u64) {
    let Some(tls) = prepare(service, &socket) else { return };
    let (service_too, tls, late) = (service.clone(), Mutex::new(tls), Mutex::default());
    let channel = Arc::new(Channel { service: service_too, socket, tls, pending: 0.into(), late });
    let deadline = Instant::now() + service.limits().handshake();
    match channel.shake_hands(deadline) {
        Err(end) => channel.note_failed_handshake(&end),
        Ok(caller) => match service.channels().name(id, &caller, service.engine()) {
            Ok(()) => {
                service.metrics().accepted();
                tracing::info!(peer = caller.peer.name(), channel = id, "channel open");
                let account = service.accounts().of(tls::identity_of(&caller.peer));
                let end = Stream::new(&channel, (Arc::new(caller.peer), account), deadline).run();
                channel.close(id, &end);
            }
            Err(reason) => {
                service.metrics().refused(reason);
                tracing::warn!(peer = caller.peer.name(), reason, "channel refused");
            }
        },
    }
}

fn prepare(service: &Service, socket: &TcpStream) -> Option<ServerConnection> {
    let ready = socket.set_nodelay(true);
    let keepalive = crate::listener::probe_dead_peers(socket);
    crate::listener::do_not_pace(socket);
    let mut tls = ServerConnection::new(service.tls_config()?).ok()?;
    // Answers are bounded by what was asked; half a buffered answer would stall.
    tls.set_buffer_limit(None);
    ready.and(keepalive).ok().map(|()| tls)
}

impl Channel {
    fn shake_hands(&self, deadline: Instant) -> Result<Caller, End> {
        let mut buffer = [0; 4096];
        let mut tls = self.tls.lock();
        while tls.is_handshaking() {
            self.flush(&mut tls)?;
            let arrived = self.receive(&mut buffer, Some(deadline))?;
            let mut bytes = buffer.get(..arrived).unwrap_or_default();
            if bytes.is_empty() {
                return Err(End::Closed);
            }
            while !bytes.is_empty() {
                tls.read_tls(&mut bytes)?;
                if let Err(error) = tls.process_new_packets() {
                    // The alert tells the peer why.
                    let _ = self.flush(&mut tls);
                    return Err(End::Tls(error));
                }
            }
        }
        self.flush(&mut tls)?;
        tls::caller(&tls).ok_or(End::Tls(rustls::Error::NoCertificatesPresented))
    }

    fn note_failed_handshake(&self, end: &End) {
        let from = self.socket.peer_addr().map(|a| a.to_string()).unwrap_or_default();
        let reason = match end {
            End::Closed | End::Broken(_) | End::Fault(_) => "closed",
            End::Idle | End::Stalled => "timeout",
            End::Tls(error) => tls::reason(error),
        };
        self.service.metrics().refused(reason);
        match end {
            End::Tls(error) if self.service.may_complain() => tracing::warn!(from, reason, %error, "handshake refused"),
            _ => tracing::debug!(from, reason, "no handshake"),
        }
        self.linger();
    }

    /// What has arrived; 0 at the end of the stream.
    fn receive(&self, buffer: &mut [u8], deadline: Option<Instant>) -> Result<usize, End> {
        loop {
            match self.look(buffer) {
                Some(arrived) => return Ok(arrived?),
                None => self.wait(deadline)?,
            }
        }
    }

    /// What has arrived; waits for ever, with one system call.
    fn sleep(&self, buffer: &mut [u8]) -> Result<usize, End> {
        loop {
            match recv(&*self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((arrived, _)) => return Ok(arrived),
                Err(Errno::INTR) => {}
                Err(error) => return Err(End::Broken(error.into())),
            }
        }
    }

    /// What has arrived, if anything has.
    fn look(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match recv(&*self.socket, buffer, RecvFlags::DONTWAIT) {
            Ok((arrived, _)) => Some(Ok(arrived)),
            Err(Errno::AGAIN | Errno::INTR) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<(), End> {
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        if left.is_some_and(|l| l.is_zero()) {
            return Err(End::Stalled);
        }
        let timeout = left.and_then(|l| Timespec::try_from(l).ok());
        match poll(&mut [PollFd::new(&*self.socket, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => Err(End::Stalled),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(End::Broken(error.into())),
        }
    }

    fn flush(&self, tls: &mut ServerConnection) -> io::Result<()> {
        flush(tls, &self.socket, self.service.limits().frame())
    }

    /// Answers a command on a worker's thread.
    fn work(self: &Arc<Self>, peer: &Peer, frame: &[u8], turn: Pending) {
        let mut reply = Zeroizing::new(Vec::new());
        self.service.answer(peer, frame, &mut reply);
        if let Err(why) = self.send_late(reply, turn) {
            tracing::debug!(peer = peer.name(), %why, "an answer could not be sent");
        }
    }

    fn close(&self, id: u64, end: &End) {
        // Workers answer what was taken on; then the sessions may end.
        while self.pending.load(Ordering::Acquire) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut tls = self.tls.lock();
        tls.send_close_notify();
        let _ = self.flush(&mut tls);
        drop(tls);
        match end {
            End::Fault(error) => {
                self.service.metrics().fault(*error);
                tracing::warn!(channel = id, error = error.name(), "channel closed: it broke the protocol");
                self.linger();
            }
            End::Tls(error) => tracing::warn!(channel = id, %error, "channel closed: TLS failed"),
            End::Broken(why) => tracing::info!(channel = id, %why, "channel lost"),
            End::Stalled => tracing::info!(channel = id, "channel closed: a frame did not arrive whole in time"),
            End::Idle => tracing::info!(channel = id, "channel closed: idle"),
            End::Closed => tracing::info!(channel = id, "channel closed"),
        }
    }

    fn linger(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        let deadline = Some(Instant::now() + LINGER);
        let (mut buffer, mut read) = ([0; 4096], 0);
        while read < LINGER_BYTES {
            match self.receive(&mut buffer, deadline) {
                Ok(0) | Err(_) => return,
                Ok(more) => read += more,
            }
        }
    }
}

/// A command that a worker has.
struct Pending(Arc<Channel>);

impl Pending {
    fn new(channel: Arc<Channel>) -> Self {
        channel.pending.fetch_add(1, Ordering::Relaxed);
        Pending(channel)
    }

    fn work(self, peer: &Peer, frame: &[u8]) {
        self.0.clone().work(peer, frame, self);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Release);
    }
}
