//! The TUN interface on the red side: made in the red namespace, gone with this process, and with it red's routes (R26).
//!
//! Offloads are asked for one after the other, the best first; what this kernel lacks is left out.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use libc::{
    IFF_NO_PI, IFF_TUN, IFF_VNET_HDR, TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6, TUNSETIFF,
    TUNSETOFFLOAD, TUNSETVNETHDRSZ, c_int, c_ulong,
};

use crate::config::Red;
use crate::fault::Fault;
use crate::netlink::Netlink;
use coloa_link::Prefix;

const DEVICE: &str = "/dev/net/tun";
const VNET_HEADER_LEN: c_int = coloa_link::virtio::LEN as c_int;

/// What the kernel hands over unsegmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offload {
    /// TCP and UDP super-packets.
    TcpAndUdp,
    /// TCP super-packets.
    Tcp,
    /// Single packets, checksums left to us.
    Checksum,
    /// Nothing.
    None,
}

impl Offload {
    const BEST_FIRST: [Offload; 4] = [Offload::TcpAndUdp, Offload::Tcp, Offload::Checksum, Offload::None];

    fn flags(self) -> u32 {
        match self {
            Offload::TcpAndUdp => Offload::Tcp.flags() | TUN_F_USO4 | TUN_F_USO6,
            Offload::Tcp => TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
            Offload::Checksum => TUN_F_CSUM,
            Offload::None => 0,
        }
    }
}

/// An open TUN interface. Reads and writes carry a `virtio_net_hdr` and do not block.
#[derive(Debug)]
pub struct Tun {
    file: File,
    offload: Offload,
}

impl Tun {
    /// Makes the interface in the calling thread's namespace, with its addresses, and brings it up.
    pub fn open(red: &Red, mtu: u16) -> Result<Self, Fault> {
        let file = open_device(&red.name)?;
        attach(&file, &red.name)?;
        let offload = negotiate(&file).map_err(|e| fault(&red.name, e))?;
        bring_up(red, mtu).map_err(|e| fault(&red.name, e))?;
        Ok(Self { file, offload })
    }

    /// The interface of a predecessor, with its routes and what waits in it.
    pub fn adopt(descriptor: OwnedFd, red: &Red) -> Result<Self, Fault> {
        let file = File::from(descriptor);
        let offload = negotiate(&file).map_err(|e| fault(&red.name, e))?;
        Ok(Self { file, offload })
    }

    /// What was negotiated with the kernel.
    pub fn offload(&self) -> Offload {
        self.offload
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open_device(name: &str) -> Result<File, Fault> {
    let opened = File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(DEVICE);
    opened.map_err(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => Fault::TunRight { why: format!("{DEVICE}: {e}") },
        _ => fault(name, format!("{DEVICE}: {e} (is the kernel's tun module there?)")),
    })
}

fn attach(file: &File, name: &str) -> Result<(), Fault> {
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: (IFF_TUN | IFF_NO_PI | IFF_VNET_HDR) as libc::c_short },
    };
    // The configuration admits at most IFNAMSIZ - 1 octets, so the final zero stays.
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: `file` is an open descriptor, and `request` is a whole `ifreq` that outlives the call.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, &raw mut request) };
    checked(result).map_err(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => Fault::TunRight { why: e.to_string() },
        _ => fault(name, e),
    })
}

fn negotiate(file: &File) -> io::Result<Offload> {
    let length = VNET_HEADER_LEN;
    // SAFETY: `file` is an open descriptor, and TUNSETVNETHDRSZ reads one `int`, which outlives the call.
    checked(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETVNETHDRSZ, &raw const length) })?;
    let mut last = io::Error::from(io::ErrorKind::Unsupported);
    for offload in Offload::BEST_FIRST {
        // SAFETY: `file` is an open descriptor, and TUNSETOFFLOAD takes its argument by value.
        match checked(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETOFFLOAD, c_ulong::from(offload.flags())) }) {
            Ok(()) => return Ok(offload),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn bring_up(red: &Red, mtu: u16) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    let index = netlink.index(&red.name)?;
    netlink.set_up(index, mtu)?;
    red.addresses.iter().try_for_each(|address| netlink.add_address(index, address))
}

/// Keeps the routes of the red namespace in step with the policy: a network that it no longer grants loses its route.
#[derive(Debug)]
pub struct Routes {
    netlink: Netlink,
    index: u32,
    present: Vec<Prefix>,
}

impl Routes {
    /// For the interface of this name, in the calling thread's namespace.
    pub fn open(interface: &str) -> Result<Self, Fault> {
        let open = || {
            let netlink = Netlink::open()?;
            let index = netlink.index(interface)?;
            Ok(Self { netlink, index, present: Vec::new() })
        };
        open().map_err(|e: io::Error| fault(interface, e))
    }

    /// Makes exactly `wanted` the networks behind the interface.
    pub fn set(&mut self, wanted: Vec<Prefix>) -> io::Result<()> {
        for old in self.present.iter().filter(|p| !wanted.contains(p)) {
            self.netlink.delete_route(self.index, old)?;
        }
        for new in wanted.iter().filter(|p| !self.present.contains(p)) {
            self.netlink.add_route(self.index, new)?;
        }
        self.present = wanted;
        Ok(())
    }
}

fn checked(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn fault(name: &str, why: impl std::fmt::Display) -> Fault {
    Fault::Tun { name: name.to_owned(), why: why.to_string() }
}
