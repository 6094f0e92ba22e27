//! The UDP socket on the black side: sends bursts with `UDP_SEGMENT`, receives with `UDP_GRO`, and never fragments.
//! quinn-udp sets the socket up, knows which of it this kernel can do, and receives.

mod system;

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use quinn_udp::{RecvMeta, UdpSocketState};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt;

use crate::fault::Fault;
pub use system::Sending;

/// Socket buffers: 50 ms at 1 Gbit/s.
const SOCKET_BUFFER: usize = 6 << 20;

/// The black UDP socket; sending and receiving may be on different threads.
#[derive(Debug)]
pub struct BlackSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    max_segments: AtomicUsize,
}

impl BlackSocket {
    /// Opens the socket in the calling thread's namespace.
    pub fn open(listen: SocketAddr) -> Result<Self, Fault> {
        Self::prepare(UdpSocket::bind(listen).map_err(|e| listen_fault(listen, &e))?, listen)
    }

    /// The socket of a predecessor, with what waits in it.
    pub fn adopt(descriptor: OwnedFd, listen: SocketAddr) -> Result<Self, Fault> {
        Self::prepare(descriptor.into(), listen)
    }

    fn prepare(socket: UdpSocket, listen: SocketAddr) -> Result<Self, Fault> {
        let state = UdpSocketState::new((&socket).into())
            .map_err(|e| Fault::Socket { listen: listen.to_string(), why: e.to_string() })?;
        enlarge(&socket);
        system::report_less(socket.as_fd());
        let max_segments = AtomicUsize::new(state.max_gso_segments());
        Ok(Self { socket, state, max_segments })
    }

    /// Datagrams that one send may carry.
    pub fn max_segments(&self) -> usize {
        self.max_segments.load(Ordering::Relaxed)
    }

    /// Sends datagrams of `segment_size` to one peer, as many at once as the kernel takes; waits while the socket's buffer
    /// is full.
    pub fn send(&self, to: SocketAddr, traffic_class: u8, contents: &[u8], segment_size: usize) -> io::Result<()> {
        let most = segment_size.saturating_mul(self.max_segments()).max(1);
        contents.chunks(most).try_for_each(|chunk| {
            let segmented = u16::try_from(segment_size).ok().filter(|size| chunk.len() > usize::from(*size));
            let burst = Sending { to, traffic_class, contents: chunk, segment_size: segmented };
            match self.send_waiting(burst) {
                // EIO: the device does not segment after all. EINVAL: it does not, or a segment exceeds its MTU.
                Err(e) if segmented.is_some() && matches!(e.raw_os_error(), Some(libc::EIO | libc::EINVAL)) => {
                    self.send_singly(burst, segment_size)
                }
                other => other,
            }
        })
    }

    /// Each datagram by itself. If that succeeds, segmentation is what does not, and is not tried again.
    fn send_singly(&self, burst: Sending<'_>, segment_size: usize) -> io::Result<()> {
        burst
            .contents
            .chunks(segment_size.max(1))
            .try_for_each(|contents| self.send_waiting(Sending { contents, segment_size: None, ..burst }))?;
        self.max_segments.store(1, Ordering::Relaxed);
        tracing::warn!("the kernel does not segment UDP here: each datagram is sent by itself from now on");
        Ok(())
    }

    fn send_waiting(&self, sending: Sending<'_>) -> io::Result<()> {
        loop {
            match system::send(self.as_fd(), sending) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.wait_writable()?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_datagrams_than_the_kernel_takes_at_once_all_arrive() {
        let far = UdpSocket::bind("127.0.0.1:0").expect("socket");
        far.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("timeout");
        let near = BlackSocket::open("127.0.0.1:0".parse().expect("address")).expect("socket");
        let contents: Vec<u8> = (0..200u8).flat_map(|n| [n; 10]).collect();
        near.send(far.local_addr().expect("address"), 0, &contents, 10).expect("sent");
        for n in 0..200u8 {
            let mut datagram = [0; 64];
            let length = far.recv(&mut datagram).expect("datagram");
            assert_eq!(datagram.get(..length), Some([n; 10].as_slice()));
        }
    }

    #[test]
    fn each_send_has_its_own_traffic_class_and_the_receiver_sees_ecn() {
        // The last: a socket for both families, to a peer of the older one.
        for (at, to) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0"), ("[::]:0", "127.0.0.1:0")] {
            let open = |at: &str| BlackSocket::open(at.parse().expect("address")).expect("socket");
            let (near, far) = (open(at), open(to));
            let to = far.socket.local_addr().expect("address");
            // DSCP does not disturb ECN; what it looks like outside is for a capture to show.
            for (class, expected) in [(0u8, 0u8), (0x2e << 2 | 2, 2), (1, 1), (3, 3), (0, 0)] {
                near.send(to, class, &[7; 30], 10).expect("sent");
                poll(&mut [PollFd::from_borrowed_fd(far.as_fd(), PollFlags::IN)], None).expect("poll");
                let (mut octets, mut meta) = ([0; 4096], [RecvMeta::default()]);
                let mut received = 0;
                while received < 30 {
                    assert_eq!(far.receive(&mut [IoSliceMut::new(&mut octets)], &mut meta).expect("receive"), 1);
                    received += meta[0].len;
                    assert_eq!(
                        (meta[0].ecn.map_or(0, |ecn| ecn as u8), meta[0].stride),
                        (expected, 10),
                        "{at}, class {class:#x}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_datagram_too_large_for_the_interface_is_an_error_and_ends_no_segmentation() {
        let near = BlackSocket::open("127.0.0.1:0".parse().expect("address")).expect("socket");
        let before = near.max_segments();
        let to = near.socket.local_addr().expect("address");
        let refused = near.send(to, 0, &vec![0; 70_000], 70_000).expect_err("no datagram is so large");
        assert_eq!((refused.raw_os_error(), near.max_segments()), (Some(libc::EMSGSIZE), before));
    }
}
