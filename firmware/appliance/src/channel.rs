//! One channel: handshake, then frames until either end closes.
//!
//! The channel's thread reads, decrypts, answers every frame that has arrived, and writes the answers at once. Only the
//! workers that answer slow commands share the TLS state with it, so its lock is hardly ever waited for, and nobody holds
//! it while reading.

use crate::channels::Caller;
use crate::pace::Pace;
use crate::service::Service;
use crate::spin::Spin;
use crate::tls;
use coloa_engine::{Conversation, Peer};
use coloa_wire::frame::FrameKind;
use coloa_wire::{ErrorCode, Frame};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustls::ServerConnection;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use zeroize::{Zeroize, Zeroizing};

/// One read takes this much: a TLS record and its neighbours.
const READ_BYTES: usize = 32 * 1024;
/// Answers are sent when they have this size, though more frames wait.
const SEND_BYTES: usize = 256 * 1024;
/// Commands of one channel that workers have at most; further ones are answered by the channel's own thread.
const MAX_PENDING: usize = 64;
/// For so many rounds a channel counts as crowded after frames were seen beside each other.
const CROWD: u8 = 16;
/// How long and how much is read after a refusal, so that the peer sees the reason before the connection is reset.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 * 1024;

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
}

/// Serves a connection that was entered under `id`, until it ends.
pub(crate) fn serve(service: &Arc<Service>, socket: Arc<TcpStream>, id: u64) {
    let Some(tls) = prepare(service, &socket) else { return };
    let channel = Arc::new(Channel { service: service.clone(), socket, tls: Mutex::new(tls), pending: 0.into() });
    let deadline = Instant::now() + service.limits().handshake();
    match channel.shake_hands(deadline) {
        Err(end) => channel.note_failed_handshake(&end),
        Ok(caller) => match service.channels().name(id, &caller, service.engine()) {
            Ok(()) => {
                service.metrics().accepted();
                tracing::info!(peer = caller.peer.name(), channel = id, "channel open");
                let end = Stream::new(&channel, Arc::new(caller.peer), deadline).run();
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
    let ready = socket.set_nodelay(true).and_then(|()| socket.set_write_timeout(Some(service.limits().frame())));
    let keepalive = crate::listener::probe_dead_peers(socket);
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
            flush(&mut tls, &self.socket)?;
            let arrived = self.receive(&mut Spin::default(), &mut buffer, Some(deadline))?;
            let mut bytes = buffer.get(..arrived).unwrap_or_default();
            if bytes.is_empty() {
                return Err(End::Closed);
            }
            while !bytes.is_empty() {
                tls.read_tls(&mut bytes)?;
                if let Err(error) = tls.process_new_packets() {
                    // The alert tells the peer why.
                    let _ = flush(&mut tls, &self.socket);
                    return Err(End::Tls(error));
                }
            }
        }
        flush(&mut tls, &self.socket)?;
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
            End::Tls(error) => tracing::warn!(from, reason, %error, "handshake refused"),
            _ => tracing::debug!(from, reason, "no handshake"),
        }
        self.linger();
    }

    /// What has arrived; 0 at the end of the stream. Spins for a short while before it sleeps.
    fn receive(&self, spin: &mut Spin, buffer: &mut [u8], deadline: Option<Instant>) -> Result<usize, End> {
        loop {
            let looked = spin.until(|| match recv(&*self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((arrived, _)) => Some(Ok(arrived)),
                Err(Errno::AGAIN | Errno::INTR) => None,
                Err(error) => Some(Err(error)),
            });
            match looked {
                Some(arrived) => return arrived.map_err(|e| End::Broken(e.into())),
                None => self.wait(deadline)?,
            }
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

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut tls = self.tls.lock();
        let sent = tls.writer().write_all(bytes).and_then(|()| flush(&mut tls, &self.socket));
        if sent.is_err() {
            // Half an answer is in the stream: nothing that follows could be understood.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
        sent
    }

    /// Answers a command on a worker's thread.
    fn work(&self, peer: &Peer, frame: &[u8]) {
        let mut reply = Zeroizing::new(Vec::new());
        self.service.answer(peer, frame, &mut reply);
        if let Err(why) = self.send(&reply) {
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
        let _ = flush(&mut tls, &self.socket);
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
            match self.receive(&mut Spin::default(), &mut buffer, deadline) {
                Ok(0) | Err(_) => return,
                Ok(more) => read += more,
            }
        }
    }
}

fn flush(tls: &mut ServerConnection, mut socket: &TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(&mut socket)?;
    }
    Ok(())
}

/// The channel's thread: what it alone needs.
struct Stream<'a> {
    channel: &'a Arc<Channel>,
    peer: Arc<Peer>,
    conversation: Conversation,
    /// Plaintext that is not answered yet.
    incoming: Zeroizing<Vec<u8>>,
    /// Answers that are not sent yet.
    out: Zeroizing<Vec<u8>>,
    crowd: u8,
    spin: Spin,
    /// Until the hello has come.
    hello_by: Option<Instant>,
    /// Until the frame has come whole that has begun to arrive.
    frame_by: Option<Instant>,
}

impl<'a> Stream<'a> {
    fn new(channel: &'a Arc<Channel>, peer: Arc<Peer>, hello_by: Instant) -> Self {
        Stream {
            channel,
            peer,
            conversation: Conversation::default(),
            incoming: Zeroizing::default(),
            out: Zeroizing::default(),
            crowd: 0,
            spin: Spin::default(),
            hello_by: Some(hello_by),
            frame_by: None,
        }
    }

    fn run(mut self) -> End {
        match self.converse() {
            Err(End::Fault(error)) => {
                Frame::status(FrameKind::Fault, error.number(), 0).encode(&mut self.out);
                let _ = self.channel.send(&self.out);
                End::Fault(error)
            }
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    fn converse(&mut self) -> Result<std::convert::Infallible, End> {
        let mut buffer = Zeroizing::new(vec![0; READ_BYTES]);
        // What came together with the end of the handshake.
        self.take_in(&[])?;
        loop {
            let arrived = self.read(&mut buffer)?;
            match buffer.get(..arrived) {
                None | Some([]) => return Err(End::Closed),
                Some(bytes) => self.take_in(bytes)?,
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, End> {
        let half = self.hello_by.or(self.frame_by);
        // A time that no clock reaches is no limit.
        let idle = self.channel.service.limits().idle().and_then(|idle| Instant::now().checked_add(idle));
        let deadline = half.or(idle);
        self.channel.receive(&mut self.spin, buffer, deadline).map_err(|end| match end {
            End::Stalled if half.is_none() => End::Idle,
            end => end,
        })
    }

    fn take_in(&mut self, mut bytes: &[u8]) -> Result<(), End> {
        loop {
            let mut tls = self.channel.tls.lock();
            if !bytes.is_empty() {
                tls.read_tls(&mut bytes)?;
            }
            let state = match tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    let _ = flush(&mut tls, &self.channel.socket);
                    return Err(End::Tls(error));
                }
            };
            let whole = self.incoming.len();
            self.incoming.resize(whole.saturating_add(state.plaintext_bytes_to_read()), 0);
            tls.reader().read_exact(self.incoming.get_mut(whole..).unwrap_or_default())?;
            drop(tls);
            self.answer_all()?;
            if state.peer_has_closed() {
                return Err(End::Closed);
            }
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    fn answer_all(&mut self) -> Result<(), End> {
        let incoming = std::mem::take(&mut self.incoming);
        let outcome = self.answer_from(incoming);
        if !self.out.is_empty() && outcome.is_ok() {
            self.send()?;
        }
        outcome
    }

    fn answer_from(&mut self, mut incoming: Zeroizing<Vec<u8>>) -> Result<(), End> {
        let max = self.channel.service.max_frame();
        let mut start = 0;
        self.crowd = self.crowd.saturating_sub(1);
        loop {
            let rest = incoming.get_mut(start..).unwrap_or_default();
            let Some(length) = self.conversation.frame_length(rest, max).map_err(End::Fault)? else { break };
            let has_more = rest.len() > length;
            let Some(frame) = rest.get_mut(..length) else { break };
            self.conversation.admit(frame).map_err(End::Fault)?;
            self.hello_by = None;
            if start > 0 || has_more || self.channel.pending.load(Ordering::Relaxed) > 0 {
                self.crowd = CROWD;
            }
            self.answer(frame)?;
            start = start.saturating_add(length);
        }
        incoming.drain(..start);
        // From a frame's first byte on: more bytes of it win no more time.
        let before = self.frame_by.filter(|_| start == 0);
        let fresh = || Instant::now() + self.channel.service.limits().frame();
        self.frame_by = (!incoming.is_empty()).then(|| before.unwrap_or_else(fresh));
        self.incoming = incoming;
        Ok(())
    }

    fn answer(&mut self, frame: &mut [u8]) -> Result<(), End> {
        match Pace::of(frame) {
            Pace::Slow => {
                self.hand_over(frame)?;
                // There was a PIN in it.
                frame.zeroize();
                Ok(())
            }
            Pace::Commits if self.crowd > 0 => self.hand_over(frame),
            Pace::Commits | Pace::Quick => self.answer_here(frame),
        }
    }

    fn answer_here(&mut self, frame: &[u8]) -> Result<(), End> {
        let start = self.out.len();
        self.channel.service.answer(&self.peer, frame, &mut self.out);
        if let Some(error) = fault_in(self.out.get(start..).unwrap_or_default()) {
            self.out.truncate(start);
            return Err(End::Fault(error));
        }
        if self.out.len() >= SEND_BYTES { self.send() } else { Ok(()) }
    }

    fn hand_over(&mut self, frame: &[u8]) -> Result<(), End> {
        if self.channel.pending.load(Ordering::Relaxed) >= MAX_PENDING {
            return self.answer_here(frame);
        }
        let turn = Pending::new(self.channel.clone());
        let (peer, own) = (self.peer.clone(), Zeroizing::new(frame.to_vec()));
        match self.channel.service.workers().take(Box::new(move || turn.work(&peer, &own))) {
            Ok(()) => Ok(()),
            Err(_) => self.answer_here(frame),
        }
    }

    fn send(&mut self) -> Result<(), End> {
        let sent = self.channel.send(&self.out);
        self.out.clear();
        Ok(sent?)
    }
}

/// A command that a worker has.
struct Pending(Arc<Channel>);

impl Pending {
    fn new(channel: Arc<Channel>) -> Self {
        channel.pending.fetch_add(1, Ordering::Relaxed);
        Pending(channel)
    }

    fn work(&self, peer: &Peer, frame: &[u8]) {
        self.0.work(peer, frame);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Release);
    }
}

/// The error of a fault frame.
fn fault_in(frame: &[u8]) -> Option<ErrorCode> {
    if frame.get(4) != Some(&(FrameKind::Fault as u8)) {
        return None;
    }
    Frame::parse(frame).ok().and_then(|f| ErrorCode::from_number(f.code)).or(Some(ErrorCode::Internal))
}
