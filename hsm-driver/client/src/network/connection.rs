//! One TLS connection with many calls in flight, driven by the threads that call.
//!
//! Of the threads that wait for a reply one is the *reader*: it alone sleeps on the socket, delivers what arrives to
//! whom it belongs, and when it has its own reply hands the reading over to another. Nobody holds the lock while it sleeps.
//!
//! Invariants: a request number is used once; `reading` is set exactly while a thread is between taking and returning the
//! reader's place; when the connection is broken every waiting thread is woken and told why.

use super::greeting;
use super::socket::{Socket, remaining};
use super::spin::Spin;
use super::tls::{self, Identity};
use crate::transport::number;
use crate::{CallError, Descriptor};
use coloa_wire::frame::{MAX_FRAME_HOST, MAX_HELLO_FRAME, frame_length};
use coloa_wire::hello::ServerHello;
use coloa_wire::{ErrorCode, Frame, FrameKind};
use rustls::ClientConnection;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One read takes this much: a TLS record and its neighbour's start.
const READ_BYTES: usize = 20 * 1024;

/// A connection whose hellos are exchanged.
pub(crate) struct Connection {
    place: String,
    socket: Socket,
    descriptor: Descriptor,
    hello: ServerHello,
    state: Mutex<State>,
    in_flight: AtomicUsize,
    spin: Spin,
    process: u32,
}

struct State {
    tls: ClientConnection,
    /// Plaintext that is not a whole frame yet.
    incoming: Vec<u8>,
    waiting: HashMap<u32, Waiting>,
    last_request: u32,
    /// The reader's buffer while nobody reads.
    buffer: Vec<u8>,
    reading: bool,
    last_heard: Instant,
    broken: Option<CallError>,
}

struct Waiting {
    wake: Arc<Condvar>,
    reply: Option<Vec<u8>>,
    /// Whether its thread sleeps on `wake`: only then can it take over the reading.
    asleep: bool,
}

impl Connection {
    /// Connects, shakes hands and exchanges hellos, all before the deadline.
    pub(crate) fn open(address: &str, identity: &Identity, deadline: Instant) -> Result<Self, CallError> {
        let unreachable = |e: io::Error| CallError::Unreachable(address.to_owned(), e.to_string());
        let socket = Socket::connect(address, deadline).map_err(unreachable)?;
        let mut tls = ClientConnection::new(identity.config.clone(), identity.server_name.clone())
            .map_err(|e| tls::fault(address, &e))?;
        // Our own calls are bounded by the frame limit; a half-buffered frame would stall.
        tls.set_buffer_limit(None);
        let descriptor = Descriptor { number: socket.number(), inode: socket.inode().map_err(unreachable)? };
        let mut state = State::new(tls);
        let hello = greet(address, &socket, &mut state, deadline)?;
        Ok(Connection {
            place: address.to_owned(),
            socket,
            descriptor,
            hello,
            state: Mutex::new(state),
            in_flight: AtomicUsize::new(0),
            spin: Spin::default(),
            process: std::process::id(),
        })
    }

    /// The engine's greeting.
    pub(crate) fn hello(&self) -> &ServerHello {
        &self.hello
    }

    /// Calls under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether no call can succeed on it any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.state().broken.is_some()
    }

    /// The socket.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.descriptor
    }

    /// Sends a frame and waits for its reply.
    pub(crate) fn exchange(&self, frame: &mut [u8], deadline: Instant, reply: &mut Vec<u8>) -> Result<(), CallError> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let outcome = self.send(frame, deadline).and_then(|request| self.receive(request, deadline));
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        *reply = outcome?;
        Ok(())
    }

    fn send(&self, frame: &mut [u8], deadline: Instant) -> Result<u32, CallError> {
        let mut state = self.state();
        let request = state.enlist(&self.place)?;
        number(frame, request);
        if let Err(e) = state.tls.writer().write_all(frame) {
            state.break_with(CallError::Lost(self.place.clone(), e.to_string()));
        }
        loop {
            match state.flush(&self.socket) {
                Ok(()) => return Ok(request),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => state.break_with(CallError::Lost(self.place.clone(), e.to_string())),
            }
            if let Some(why) = state.broken.clone() {
                state.waiting.remove(&request);
                return Err(why);
            }
            drop(state);
            // The peer may answer others first: a reader takes those in, so waiting for room alone cannot lock up.
            let room = self.socket.wait(true, deadline);
            state = self.state();
            if room.is_err() {
                // Half a frame is in the stream: nothing that follows could be understood.
                state.break_with(CallError::Deadline(self.place.clone()));
            }
        }
    }

    fn receive(&self, request: u32, deadline: Instant) -> Result<Vec<u8>, CallError> {
        let sent = Instant::now();
        let mut state = self.state();
        let outcome = loop {
            let another_reads = state.reading;
            let Some(mine) = state.waiting.get_mut(&request) else {
                break Err(CallError::Protocol(self.place.clone(), ErrorCode::Internal));
            };
            if let Some(reply) = mine.reply.take() {
                break Ok(reply);
            }
            mine.asleep = another_reads;
            let wake = mine.wake.clone();
            if let Some(why) = state.broken.clone() {
                break Err(why);
            }
            let Ok(left) = remaining(deadline) else {
                if state.last_heard < sent {
                    state.break_with(CallError::Deadline(self.place.clone()));
                }
                break Err(CallError::Deadline(self.place.clone()));
            };
            state = if state.reading {
                wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.read(state, deadline)
            };
        };
        state.waiting.remove(&request);
        state.hand_over();
        outcome
    }

    /// Takes the reader's place for one read.
    fn read<'a>(&'a self, mut state: MutexGuard<'a, State>, deadline: Instant) -> MutexGuard<'a, State> {
        state.reading = true;
        let mut buffer = std::mem::take(&mut state.buffer);
        let unsent = state.tls.wants_write();
        drop(state);
        let got = self.read_socket(&mut buffer, unsent, deadline);
        let mut state = self.state();
        state.reading = false;
        let outcome = match got {
            Ok(n) => state.take_in(&self.place, buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Ok(()),
            Err(e) => Err(CallError::Lost(self.place.clone(), e.to_string())),
        };
        state.buffer = buffer;
        if let Err(why) = outcome {
            state.break_with(why);
        }
        // Alerts and key updates; what does not fit now goes out with the next call.
        let _ = state.flush(&self.socket);
        state
    }

    /// Reads what there is; first spins for a short while, because waking up costs more than TLS does.
    fn read_socket(&self, buffer: &mut [u8], unsent: bool, deadline: Instant) -> io::Result<usize> {
        let mut spin = self.spin.start();
        loop {
            match (&self.socket).read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed it")),
                done => return done.inspect(|_| spin.hit()),
            }
            if !spin.again() {
                self.socket.wait(unsent, deadline)?;
                if unsent {
                    return Ok(0);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    /// Says goodbye, but never on behalf of the parent of a fork.
    fn drop(&mut self) {
        if self.process == std::process::id() {
            let mut state = self.state();
            state.tls.send_close_notify();
            let _ = state.flush(&self.socket);
        }
    }
}

impl State {
    fn new(tls: ClientConnection) -> Self {
        State {
            tls,
            incoming: Vec::new(),
            waiting: HashMap::new(),
            last_request: 0,
            buffer: vec![0; READ_BYTES],
            reading: false,
            last_heard: Instant::now(),
            broken: None,
        }
    }

    /// A new request number, and a place to put its reply.
    fn enlist(&mut self, place: &str) -> Result<u32, CallError> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let Some(request) = self.last_request.checked_add(1) else {
            self.break_with(CallError::Lost(place.to_owned(), "its request numbers are used up".into()));
            return self.enlist(place);
        };
        self.last_request = request;
        self.waiting.insert(request, Waiting { wake: Arc::new(Condvar::new()), reply: None, asleep: false });
        Ok(request)
    }

    fn flush(&mut self, mut socket: &Socket) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut socket)?;
        }
        Ok(())
    }

    /// Decrypts, and delivers the frames that are whole.
    fn take_in(&mut self, place: &str, mut bytes: &[u8]) -> Result<(), CallError> {
        while !bytes.is_empty() {
            self.last_heard = Instant::now();
            let lost = |e: io::Error| CallError::Lost(place.to_owned(), e.to_string());
            self.tls.read_tls(&mut bytes).map_err(lost)?;
            let arrived = self.tls.process_new_packets().map_err(|e| tls::fault(place, &e))?;
            let whole = self.incoming.len();
            self.incoming.resize(whole.saturating_add(arrived.plaintext_bytes_to_read()), 0);
            let room = self.incoming.get_mut(whole..).unwrap_or_default();
            self.tls.reader().read_exact(room).map_err(lost)?;
            self.deliver(place)?;
            if arrived.peer_has_closed() {
                return Err(CallError::Lost(place.to_owned(), "the other end closed it".into()));
            }
        }
        Ok(())
    }

    fn deliver(&mut self, place: &str) -> Result<(), CallError> {
        let protocol = |code| CallError::Protocol(place.to_owned(), code);
        let mut start = 0;
        loop {
            let rest = self.incoming.get(start..).unwrap_or_default();
            let Some(length) = frame_length(rest, MAX_FRAME_HOST).map_err(protocol)? else { break };
            let Some(bytes) = rest.get(..length) else { break };
            let frame = Frame::parse(bytes).map_err(protocol)?;
            if frame.kind != FrameKind::Reply || frame.request > self.last_request {
                return Err(protocol(ErrorCode::from_number(frame.code).unwrap_or(ErrorCode::FrameMalformed)));
            }
            // A reply nobody waits for belongs to a call whose deadline has passed.
            if let Some(waiting) = self.waiting.get_mut(&frame.request) {
                waiting.reply = Some(bytes.to_vec());
                waiting.wake.notify_one();
            }
            start = start.saturating_add(length);
        }
        self.incoming.drain(..start);
        Ok(())
    }

    /// Wakes one thread that still waits, so that it reads.
    fn hand_over(&self) {
        let sleeper = self.waiting.values().find(|w| w.asleep && w.reply.is_none());
        if let Some(next) = sleeper.filter(|_| !self.reading) {
            next.wake.notify_one();
        }
    }

    fn break_with(&mut self, why: CallError) {
        if self.broken.is_none() {
            self.broken = Some(why);
        }
        self.waiting.values().for_each(|w| w.wake.notify_one());
    }
}

/// Handshake and hellos, before anyone else knows the connection.
fn greet(place: &str, mut socket: &Socket, state: &mut State, deadline: Instant) -> Result<ServerHello, CallError> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::TimedOut => CallError::Deadline(place.to_owned()),
        _ => CallError::Unreachable(place.to_owned(), e.to_string()),
    };
    state.tls.writer().write_all(&greeting::request()).map_err(failed)?;
    loop {
        if let Some(length) = frame_length(&state.incoming, MAX_HELLO_FRAME)
            .map_err(|code| CallError::Protocol(place.to_owned(), code))?
            .filter(|length| *length <= state.incoming.len())
        {
            let frame: Vec<u8> = state.incoming.drain(..length).collect();
            return greeting::accept(&frame).map_err(|code| CallError::Protocol(place.to_owned(), code));
        }
        match state.flush(socket) {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(failed(e)),
            _ => {}
        }
        match state.tls.read_tls(&mut socket) {
            Ok(0) => return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed it"))),
            Ok(_) => greet_take_in(place, socket, state)?,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                socket.wait(state.tls.wants_write(), deadline).map_err(failed)?;
            }
            Err(e) => return Err(failed(e)),
        }
    }
}

fn greet_take_in(place: &str, socket: &Socket, state: &mut State) -> Result<(), CallError> {
    let arrived = match state.tls.process_new_packets() {
        Ok(arrived) => arrived,
        Err(e) => {
            // The alert tells the other end why.
            let _ = state.flush(socket);
            return Err(tls::fault(place, &e));
        }
    };
    let whole = state.incoming.len();
    state.incoming.resize(whole.saturating_add(arrived.plaintext_bytes_to_read()), 0);
    let room = state.incoming.get_mut(whole..).unwrap_or_default();
    state.tls.reader().read_exact(room).map_err(|e| CallError::Unreachable(place.to_owned(), e.to_string()))
}
