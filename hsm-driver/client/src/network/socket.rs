//! A non-blocking TCP socket whose waits have deadlines and whose writes raise no SIGPIPE.

use super::names;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, sockopt};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// One socket; reading and writing it needs no lock of its own.
pub(crate) struct Socket(TcpStream);

impl Socket {
    /// Connects to the first address of `address` that answers before the deadline, within which its name is resolved too.
    /// One that swallows everything leaves the others their share of the time.
    pub(crate) fn connect(address: &str, deadline: Instant) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let candidates = names::resolve(address, deadline)?;
        for (left, candidate) in (1..=candidates.len() as u32).rev().zip(&candidates) {
            match TcpStream::connect_timeout(candidate, remaining(deadline)? / left) {
                Ok(stream) => return Self::prepare(stream),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    fn prepare(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        sockopt::set_socket_keepalive(&stream, true)?;
        sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
        sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL)?;
        sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_PROBES)?;
        // Calls are small and never wait for a window: what paces them (BBR) costs a timer for each and gains nothing. Where
        // the system does not permit the choice, its own stays.
        let _ = sockopt::set_tcp_congestion(&stream, "cubic");
        Ok(Socket(stream))
    }

    /// Its number.
    pub(crate) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Wakes whoever sleeps until something arrives.
    pub(crate) fn stop_reading(&self) {
        let _ = self.0.shutdown(Shutdown::Read);
    }

    /// Its inode.
    pub(crate) fn inode(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(&self.0)?.st_ino)
    }

    /// Sleeps until it can be read, or written, whichever is asked for.
    pub(crate) fn wait(&self, read: bool, write: bool, deadline: Instant) -> io::Result<()> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, read);
        events.set(PollFlags::OUT, write);
        let timeout = Timespec::try_from(remaining(deadline)?).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.0, events)], Some(&timeout)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.0, buffer, RecvFlags::DONTWAIT)?.0)
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is left until the deadline, never zero.
pub(crate) fn remaining(deadline: Instant) -> io::Result<Duration> {
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(left),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}
