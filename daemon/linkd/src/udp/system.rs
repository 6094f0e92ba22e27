//! System calls on the black socket: one `sendmsg` with the traffic class and segment size of that send (quinn-udp, which
//! receives for us, can neither set DSCP nor tell a refused size from a kernel that does not segment), and socket options.

use std::io;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, msghdr};

/// Room for two control messages of one `int` each, aligned for their headers.
#[repr(align(8))]
struct Control([u8; 64]);

/// A socket address as the kernel takes it.
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// What is sent: as one datagram, or as several of `segment_size` octets, the last one perhaps shorter.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// Where to.
    pub to: SocketAddr,
    /// TOS octet or traffic class of the outer header.
    pub traffic_class: u8,
    /// Back to back.
    pub contents: &'a [u8],
    /// Octets of each datagram but the last; nothing when there is one only.
    pub segment_size: Option<u16>,
}

/// Sends without waiting.
pub fn send(socket: BorrowedFd<'_>, sending: Sending<'_>) -> io::Result<()> {
    let (mut name, name_len) = name_of(sending.to);
    let mut slice =
        libc::iovec { iov_base: sending.contents.as_ptr().cast_mut().cast(), iov_len: sending.contents.len() };
    let mut control = Control([0; 64]);
    // SAFETY: all zeros is a valid `msghdr`: no name, no slices, no control.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = name_len;
    message.msg_iov = &raw mut slice;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    let used = write_control(&message, &sending);
    message.msg_controllen = used as _;
    if used == 0 {
        message.msg_control = std::ptr::null_mut();
    }
    // SAFETY: `socket` is open, and everything `message` points to lives until the call returns; the kernel only reads it.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn name_of(to: SocketAddr) -> (Name, libc::socklen_t) {
    match to {
        SocketAddr::V4(v4) => {
            let name = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            (Name { v4: name }, size_of::<libc::sockaddr_in>() as libc::socklen_t)
        }
        SocketAddr::V6(v6) => {
            let name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            (Name { v6: name }, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
        }
    }
}

/// Writes what differs from the socket's defaults; returns the octets used.
fn write_control(message: &msghdr, sending: &Sending<'_>) -> usize {
    let class = c_int::from(sending.traffic_class);
    let (level, kind) = match sending.to {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    };
    // SAFETY: `message` points to 64 octets of control, aligned for a header; two messages of at most an `int` take 48.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(message);
        let mut used = 0;
        if class != 0 {
            used += put(next, level, kind, class);
            next = next.byte_add(used);
        }
        if let Some(size) = sending.segment_size {
            used += put(next, libc::SOL_UDP, libc::UDP_SEGMENT, size);
        }
        used
    }
}

/// Writes one control message and returns its space.
///
/// # Safety
/// `at` is aligned for a `cmsghdr` and followed by room for `CMSG_SPACE` of a `T`.
unsafe fn put<T>(at: *mut libc::cmsghdr, level: c_int, kind: c_int, value: T) -> usize {
    let size = size_of::<T>() as libc::c_uint;
    // SAFETY: the caller vouches for the room; the value is written unaligned.
    unsafe {
        (*at).cmsg_level = level;
        (*at).cmsg_type = kind;
        (*at).cmsg_len = libc::CMSG_LEN(size) as _;
        libc::CMSG_DATA(at).cast::<T>().write_unaligned(value);
        libc::CMSG_SPACE(size) as usize
    }
}

/// Turns off what quinn-udp asks of each datagram and nobody here reads: when it came, and to which of our addresses. Its
/// buffer for control messages is small, and with these two before it the ECN of a GRO batch is cut off.
pub fn report_less(socket: BorrowedFd<'_>) {
    let off: c_int = 0;
    let unread = [
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
        (libc::IPPROTO_IP, libc::IP_PKTINFO),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    ];
    for (level, option) in unread {
        // SAFETY: `socket` is open, and the kernel reads one `int`, which outlives the call. An option of the other family is
        // refused, which changes nothing.
        unsafe {
            let size = size_of::<c_int>() as libc::socklen_t;
            libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const off).cast(), size);
        }
    }
}
