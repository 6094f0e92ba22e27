//! The UDP socket on the black side: sends bursts with `UDP_SEGMENT`, receives with `UDP_GRO`, and never fragments.
//! quinn-udp knows which of it this kernel can do and falls back by itself.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt;

use crate::fault::Fault;

/// Socket buffers: 50 ms at 1 Gbit/s.
const SOCKET_BUFFER: usize = 6 << 20;

/// The black UDP socket; sending and receiving may be on different threads.
#[derive(Debug)]
pub struct BlackSocket {
    socket: UdpSocket,
    state: UdpSocketState,
}

impl BlackSocket {
    /// Opens the socket in the calling thread's namespace.
    pub fn open(listen: SocketAddr) -> Result<Self, Fault> {
        let socket = UdpSocket::bind(listen).map_err(|e| listen_fault(listen, &e))?;
        let state = UdpSocketState::new((&socket).into())
            .map_err(|e| Fault::Socket { listen: listen.to_string(), why: e.to_string() })?;
        enlarge(&socket);
        Ok(Self { socket, state })
    }

    /// Datagrams that one send may carry.
    pub fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Sends `contents` to one peer as datagrams of `segment_size`; waits while the socket's buffer is full.
    pub fn send(&self, to: SocketAddr, contents: &[u8], segment_size: usize) -> io::Result<()> {
        let burst = Transmit { destination: to, ecn: None, contents, segment_size: Some(segment_size), src_ip: None };
        loop {
            match self.state.try_send((&self.socket).into(), &burst) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.wait_writable()?,
                other => return other,
            }
        }
    }

    /// Receives what is there; `WouldBlock` when nothing is.
    pub fn receive(&self, buffers: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> io::Result<usize> {
        self.state.recv((&self.socket).into(), buffers, meta)
    }

    fn wait_writable(&self) -> io::Result<()> {
        poll(&mut [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::OUT)], None)?;
        Ok(())
    }
}

impl AsFd for BlackSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The TCP socket of the control channel, in the calling thread's namespace.
pub fn listen_control(listen: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(listen).map_err(|e| listen_fault(listen, &e))
}

fn listen_fault(listen: SocketAddr, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::AddrInUse => Fault::PortInUse { listen: listen.to_string(), side: "the black side's address" },
        _ => Fault::Socket { listen: listen.to_string(), why: error.to_string() },
    }
}

/// As large as is allowed: without the right to exceed the system's limit, up to the limit.
fn enlarge(socket: &UdpSocket) {
    if sockopt::set_socket_recv_buffer_size_force(socket, SOCKET_BUFFER).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(socket, SOCKET_BUFFER);
    }
    if sockopt::set_socket_send_buffer_size_force(socket, SOCKET_BUFFER).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(socket, SOCKET_BUFFER);
    }
}
