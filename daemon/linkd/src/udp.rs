//! The UDP socket on the black side: sends bursts with `UDP_SEGMENT`, receives with `UDP_GRO`, and never fragments.
//! quinn-udp knows which of it this kernel can do, and learns it anew when a send is refused.

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

    /// Sends `contents` to one peer as datagrams of `segment_size`, as many at once as the kernel takes; waits while the
    /// socket's buffer is full.
    pub fn send(&self, to: SocketAddr, mut contents: &[u8], segment_size: usize) -> io::Result<()> {
        while !contents.is_empty() {
            let most = self.max_segments();
            let (burst, rest) = contents.split_at(segment_size.saturating_mul(most).clamp(1, contents.len()));
            match self.send_burst(to, burst, segment_size) {
                Ok(()) => contents = rest,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.wait_writable()?,
                // The kernel or the device does not segment after all: once more, each datagram by itself.
                Err(_) if self.max_segments() < most => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn send_burst(&self, destination: SocketAddr, contents: &[u8], segment_size: usize) -> io::Result<()> {
        let burst = Transmit { destination, ecn: None, contents, segment_size: Some(segment_size), src_ip: None };
        self.state.try_send((&self.socket).into(), &burst)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_datagrams_than_the_kernel_takes_at_once_all_arrive() {
        let far = UdpSocket::bind("127.0.0.1:0").expect("socket");
        far.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("timeout");
        let near = BlackSocket::open("127.0.0.1:0".parse().expect("address")).expect("socket");
        let contents: Vec<u8> = (0..200u8).flat_map(|n| [n; 10]).collect();
        near.send(far.local_addr().expect("address"), &contents, 10).expect("sent");
        for n in 0..200u8 {
            let mut datagram = [0; 64];
            let length = far.recv(&mut datagram).expect("datagram");
            assert_eq!(datagram.get(..length), Some([n; 10].as_slice()));
        }
    }
}
