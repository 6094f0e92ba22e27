//! One TLS connection with many calls in flight, driven by the threads that call.
//!
//! Of the threads that wait one is the *reader*: it alone sleeps on the socket, delivers what arrives to whom it belongs, and
//! when it has its own reply hands the reading over to another. One is the *writer*: it takes all frames on the desk,
//! encrypts them together and sends them with one system call. A thread whose frame nobody has taken writes it itself, so
//! nobody depends on another's coming back.
//!
//! Invariants: a request number is used once, and numbers leave in their order; no lock is held over a sleep; every sleep
//! ends at the caller's deadline; when the connection is broken every waiting thread is woken and told why.

use super::crowd::Crowd;
use super::desk::{Delivered, Desk, Writer};
use super::intake::Intake;
use super::opening::{flush, greet};
use super::slot::{Bell, Slot};
use super::socket::{Socket, remaining};
use super::tls::{self, Identity};
use crate::{CallError, Descriptor};
use coloa_wire::hello::ServerHello;
use rustls::ClientConnection;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a writer without room waits before it looks whether somebody must read.
const ROOM_LOOK: Duration = Duration::from_millis(5);

/// So many calls of tickets are sent before anybody polls.
pub(super) const TOGETHER: usize = 8;
/// What one thread counts, and after how many calls one who has gone is forgotten.
const COMPANY_UNIT: usize = 1024;
const COMPANY_FADES: usize = 128;

/// A connection whose hellos are exchanged.
pub(crate) struct Connection {
    place: String,
    socket: Socket,
    descriptor: Descriptor,
    hello: ServerHello,
    desk: Mutex<Desk>,
    tls: Mutex<ClientConnection>,
    bell: Bell,
    in_flight: AtomicUsize,
    /// In fractions of a thread, so that it can fade.
    company: AtomicUsize,
    is_broken: AtomicBool,
    crowd: Arc<Crowd>,
    process: u32,
}

impl Connection {
    /// Connects, shakes hands and exchanges hellos, all before the deadline.
    pub(crate) fn open(
        address: &str,
        identity: &Identity,
        crowd: &Arc<Crowd>,
        deadline: Instant,
    ) -> Result<Self, CallError> {
        let unreachable = |e: io::Error| CallError::Unreachable(address.to_owned(), e.to_string());
        let socket = Socket::connect(address, deadline).map_err(unreachable)?;
        let mut tls = ClientConnection::new(identity.config.clone(), identity.server_name.clone())
            .map_err(|e| tls::fault(address, &e))?;
        // Our own calls are bounded by the frame limit; a half-buffered frame would stall.
        tls.set_buffer_limit(None);
        let descriptor = Descriptor { number: socket.number(), inode: socket.inode().map_err(unreachable)? };
        let hello = greet(address, &socket, &mut tls, deadline)?;
        Ok(Connection {
            place: address.to_owned(),
            socket,
            descriptor,
            hello,
            desk: Mutex::new(Desk::new(Intake::new())),
            tls: Mutex::new(tls),
            bell: Bell::default(),
            in_flight: AtomicUsize::new(0),
            company: AtomicUsize::new(0),
            is_broken: AtomicBool::new(false),
            crowd: crowd.clone(),
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

    /// How many threads use it, as it seems: the most that were under way at once of late.
    pub(crate) fn company(&self) -> usize {
        self.company.load(Ordering::Relaxed).div_ceil(COMPANY_UNIT)
    }

    /// A thread comes to stay.
    pub(crate) fn gain_company(&self) {
        self.company.fetch_add(COMPANY_UNIT, Ordering::Relaxed);
    }

    /// A thread goes elsewhere.
    pub(crate) fn lose_company(&self) {
        let company = self.company.load(Ordering::Relaxed);
        self.company.store(company.saturating_sub(COMPANY_UNIT), Ordering::Relaxed);
    }

    /// Whether no call can succeed on it any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    /// The socket.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.descriptor
    }

    /// Puts a frame with those to be sent; whoever waits for its reply, or polls, sends it. `has_thread`: a thread waits.
    /// Of the others, enough for a record are sent at once.
    pub(crate) fn begin(
        &self,
        frame: &mut [u8],
        has_thread: bool,
        buffer: Vec<u8>,
        deadline: Instant,
    ) -> Result<Arc<Slot>, CallError> {
        let may_wait = has_thread && self.crowd.is_quick();
        let mut desk = self.desk();
        let slot = desk.enlist(&self.place, frame, (has_thread, may_wait), buffer)?;
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed).saturating_add(1).saturating_mul(COMPANY_UNIT);
        let company = self.company.load(Ordering::Relaxed);
        self.company.store(now.max(company.saturating_sub(company / COMPANY_FADES)), Ordering::Relaxed);
        if !has_thread && desk.unsent() >= TOGETHER {
            self.write(desk, false, deadline);
        }
        Ok(slot)
    }

    /// Sends what is due.
    pub(crate) fn flush(&self, deadline: Instant) {
        let desk = self.desk();
        if desk.is_due(Instant::now()) {
            self.write(desk, false, deadline);
        }
    }

    /// Waits for the reply.
    pub(crate) fn finish(&self, slot: &Slot, deadline: Instant) -> Result<Vec<u8>, CallError> {
        let begun = Instant::now();
        let outcome = loop {
            if slot.is_done() {
                break Ok(slot.take());
            }
            if let Err(why) = self.wait_once(slot, begun, deadline) {
                break Err(why);
            }
        };
        self.end(slot);
        outcome
    }

    /// Does what can be done without waiting. The reply, if it has come.
    pub(crate) fn poll(&self, slot: &Slot, begun: Instant, deadline: Instant) -> Result<Option<Vec<u8>>, CallError> {
        if !slot.is_done() {
            self.step(slot, begun, deadline).inspect_err(|_| self.end(slot))?;
        }
        if !slot.is_done() {
            return Ok(None);
        }
        self.end(slot);
        Ok(Some(slot.take()))
    }

    /// Nobody waits for it any more.
    pub(crate) fn end(&self, slot: &Slot) {
        if !slot.is_done() && self.process == std::process::id() {
            let mut desk = self.desk();
            desk.waiting.remove(&slot.request);
            let next = desk.next_reader();
            if desk.watcher == slot.request {
                self.write(desk, false, Instant::now() + ROOM_LOOK);
            } else {
                drop(desk);
            }
            self.bell.ring(next);
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// One step towards the reply: sends, reads, or sleeps.
    fn wait_once(&self, slot: &Slot, begun: Instant, deadline: Instant) -> Result<(), CallError> {
        let mut desk = self.desk();
        if slot.is_done() {
            return Ok(());
        }
        let now = self.live(&mut desk, begun, deadline)?;
        let mut until = deadline;
        if slot.request > desk.taken {
            if !desk.gather.is_open(now) && desk.writer.is_some() {
                self.write(desk, false, deadline);
                return Ok(());
            }
            if desk.gather.is_open(now) && (desk.watcher == 0 || desk.watcher == slot.request) {
                desk.watcher = slot.request;
                until = until.min(desk.gather.until());
            }
        }
        if let Some(reader) = desk.reader.take() {
            drop(desk);
            self.read(reader, Some(slot), (until, deadline));
        } else {
            let rung = self.bell.lie_down(slot);
            drop(desk);
            self.bell.sleep(slot, rung, until.saturating_duration_since(now));
        }
        Ok(())
    }

    /// The same without sleeping.
    fn step(&self, slot: &Slot, begun: Instant, deadline: Instant) -> Result<(), CallError> {
        let mut desk = self.desk();
        if slot.is_done() {
            return Ok(());
        }
        let now = self.live(&mut desk, begun, deadline)?;
        if slot.request > desk.taken && desk.writer.is_some() {
            self.write(desk, false, deadline);
        } else if let Some(reader) = desk.reader.take() {
            drop(desk);
            self.read(reader, None, (now, deadline));
        }
        Ok(())
    }

    /// The time, when it is not over and the connection is not broken.
    fn live(&self, desk: &mut Desk, begun: Instant, deadline: Instant) -> Result<Instant, CallError> {
        if let Some(why) = &desk.broken {
            return Err(why.clone());
        }
        let now = Instant::now();
        if now < deadline {
            return Ok(now);
        }
        if desk.last_heard < begun {
            self.break_with(desk, CallError::Deadline(self.place.clone()));
        }
        Err(CallError::Deadline(self.place.clone()))
    }

    /// Takes the writer's place, and sends what is on the desk until nothing more is due. `tls_speaks`: TLS itself has
    /// something to say.
    fn write<'a>(&'a self, mut desk: MutexGuard<'a, Desk>, mut tls_speaks: bool, deadline: Instant) {
        let Some(mut writer) = desk.writer.take() else { return };
        while desk.load(&mut writer) || tls_speaks {
            tls_speaks = false;
            drop(desk);
            let sent = self.send(&mut writer, deadline);
            desk = self.desk();
            if let Err(why) = sent {
                // A part of a record is in the stream: nothing that follows could be understood.
                self.break_with(&mut desk, why);
            }
            // What others wait with, they look after.
            if !desk.is_due(Instant::now()) {
                break;
            }
        }
        desk.writer = Some(writer);
    }

    fn send(&self, writer: &mut Writer, deadline: Instant) -> Result<(), CallError> {
        let lost = |e: io::Error| CallError::Lost(self.place.clone(), e.to_string());
        writer.records.clear();
        let mut tls = self.tls();
        tls.writer().write_all(&writer.frames).map_err(lost)?;
        while tls.wants_write() {
            tls.write_tls(&mut writer.records).map_err(lost)?;
        }
        drop(tls);
        let mut rest = writer.records.as_slice();
        while !rest.is_empty() {
            match (&self.socket).write(rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.make_room(deadline)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(lost(e)),
            }
        }
        Ok(())
    }

    /// Waits until more can be sent. The other end may answer others first, so somebody must read meanwhile.
    fn make_room(&self, deadline: Instant) -> Result<(), CallError> {
        let late = |_| CallError::Deadline(self.place.clone());
        let mut desk = self.desk();
        if let Some(why) = &desk.broken {
            return Err(why.clone());
        }
        let reader = desk.reader.take();
        drop(desk);
        let look = deadline.min(Instant::now() + ROOM_LOOK);
        remaining(deadline).map_err(late)?;
        match reader {
            None => drop(self.socket.wait(false, true, look)),
            Some(reader) => {
                let ready = self.socket.wait(true, true, look).is_ok();
                let until = if ready { Instant::now() } else { look };
                self.read(reader, None, (until, deadline));
            }
        }
        Ok(())
    }

    /// Takes the reader's place for one read, which ends at `until` at the latest.
    fn read(&self, mut intake: Box<Intake>, mine: Option<&Slot>, (until, deadline): (Instant, Instant)) {
        let read = match self.read_socket(&mut intake, mine.is_some(), until) {
            Ok(arrived) => intake.decrypt(&self.tls, &self.place, arrived).map(Some),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Ok(None),
            Err(e) => Err(CallError::Lost(self.place.clone(), e.to_string())),
        };
        let mut desk = self.desk();
        let Delivered { mut wake, each } = match desk.deliver(&mut intake) {
            Ok(delivered) => delivered,
            Err(code) => {
                self.break_with(&mut desk, CallError::Protocol(self.place.clone(), code));
                Delivered::default()
            }
        };
        each.iter().for_each(|e| self.crowd.note_service(*e));
        match &read {
            Ok(Some(_)) => desk.last_heard = Instant::now(),
            Ok(None) => {}
            Err(why) => self.break_with(&mut desk, why.clone()),
        }
        desk.reader = Some(intake);
        if mine.is_none_or(Slot::is_done) {
            wake.add(desk.next_reader());
        }
        // Alerts and key updates.
        let tls_speaks = !matches!(read, Ok(Some(false) | None));
        let is_due = tls_speaks || desk.is_due(Instant::now());
        drop(desk);
        // Before the writing: that may have to wait for room.
        self.bell.ring(wake);
        if is_due {
            self.write(self.desk(), tls_speaks, deadline);
        }
    }

    /// Reads what there is.
    fn read_socket(&self, intake: &mut Intake, for_a_thread: bool, until: Instant) -> io::Result<usize> {
        let since = Instant::now();
        let mut look = || match (&self.socket).read(&mut intake.buffer) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            Ok(0) => Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed it"))),
            done => Some(done),
        };
        let spun = if for_a_thread { self.crowd.spin(since, until, &mut look) } else { look() };
        let arrived = match spun {
            Some(arrived) => arrived?,
            None => loop {
                self.socket.wait(true, false, until)?;
                if let Some(arrived) = look() {
                    break arrived?;
                }
            },
        };
        if for_a_thread {
            self.crowd.note_wait(since.elapsed());
        }
        Ok(arrived)
    }

    /// No call can succeed any more. Closing wakes those who sleep on the socket.
    fn break_with(&self, desk: &mut Desk, why: CallError) {
        self.is_broken.store(true, Ordering::Release);
        self.socket.stop_reading();
        desk.break_with(why, &self.bell);
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tls(&self) -> MutexGuard<'_, ClientConnection> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    /// Says goodbye, but never on behalf of the parent of a fork.
    fn drop(&mut self) {
        if self.process == std::process::id() {
            let mut tls = self.tls();
            tls.send_close_notify();
            let _ = flush(&mut tls, &self.socket);
        }
    }
}
