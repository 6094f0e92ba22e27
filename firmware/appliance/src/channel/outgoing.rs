//! Answers on their way out. A client that does not take them delays nobody but itself: its own thread waits, with one
//! deadline for all that is on its way, and workers leave their answers to whoever waits already.

use super::{Channel, Pending};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use rustls::ServerConnection;
use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a worker waits for a channel's TLS state before it looks whether the channel is jammed.
const LOOK: Duration = Duration::from_millis(20);

/// Answers of workers while the channel is jammed: its client does not take what was sent before.
#[derive(Default)]
pub(super) struct Late {
    jammed: bool,
    answers: Vec<Answer>,
}

/// An answer that keeps its place among the channel's commands, of which there are a few at most.
struct Answer {
    bytes: Zeroizing<Vec<u8>>,
    _place: Pending,
}

impl Channel {
    /// Sends, from the channel's own thread, which may wait.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut tls = self.tls.lock();
        let sent = tls.writer().write_all(bytes).and_then(|()| send_now(&mut tls, &self.socket));
        match sent {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.late.lock().jammed = true;
                self.wait_out(&mut tls)
            }
            Err(error) => self.give_up(error),
        }
    }

    /// Sends a worker's answer, which may not wait: others count on its thread.
    pub(super) fn send_late(self: &Arc<Self>, bytes: Zeroizing<Vec<u8>>, turn: Pending) -> io::Result<()> {
        let mut tls = loop {
            let mut late = self.late.lock();
            if late.jammed {
                late.answers.push(Answer { bytes, _place: turn });
                return Ok(());
            }
            drop(late);
            if let Some(tls) = self.tls.try_lock_for(LOOK) {
                break tls;
            }
        };
        let sent = tls.writer().write_all(&bytes).and_then(|()| send_now(&mut tls, &self.socket));
        match sent {
            Ok(true) => return Ok(()),
            Ok(false) => self.late.lock().jammed = true,
            Err(error) => return self.give_up(error),
        }
        drop(tls);
        // A thread that a client jams is that client's own, one at a time.
        let own = self.clone();
        let waits = move || {
            let waited = own.wait_out(&mut own.tls.lock());
            drop((waited, turn));
        };
        let own = self.clone();
        match std::thread::Builder::new().name("sender".into()).stack_size(super::STACK).spawn(waits) {
            Ok(_) => Ok(()),
            Err(error) => own.give_up(error),
        }
    }

    /// Waits until everything is sent, what came meanwhile too; gives the client up at the deadline.
    fn wait_out(&self, tls: &mut ServerConnection) -> io::Result<()> {
        loop {
            if let Err(error) = flush(tls, &self.socket, self.service.limits().frame()) {
                return self.give_up(error);
            }
            let mut late = self.late.lock();
            late.jammed = !late.answers.is_empty();
            if !late.jammed {
                return Ok(());
            }
            let answers = std::mem::take(&mut late.answers);
            drop(late);
            if let Err(error) = answers.iter().try_for_each(|answer| tls.writer().write_all(&answer.bytes)) {
                return self.give_up(error);
            }
        }
    }

    /// Half an answer is in the stream: nothing that follows could be understood.
    fn give_up(&self, error: io::Error) -> io::Result<()> {
        let _ = self.socket.shutdown(Shutdown::Both);
        let mut late = self.late.lock();
        late.jammed = false;
        let answers = std::mem::take(&mut late.answers);
        drop(late);
        drop(answers);
        Err(error)
    }
}

/// Sends what the socket takes now; whether that was all.
fn send_now(tls: &mut ServerConnection, socket: &TcpStream) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(&mut Eager(socket)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Sends all there is, in that time.
pub(super) fn flush(tls: &mut ServerConnection, socket: &TcpStream, patience: Duration) -> io::Result<()> {
    if send_now(tls, socket)? {
        return Ok(());
    }
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match poll(&mut [PollFd::new(socket, PollFlags::OUT)], Timespec::try_from(left).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if send_now(tls, socket)? {
            return Ok(());
        }
    }
}

/// Takes as much as there is room for and never waits.
struct Eager<'a>(&'a TcpStream);

impl Write for Eager<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(sendmsg(self.0, parts, &mut SendAncillaryBuffer::default(), flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
