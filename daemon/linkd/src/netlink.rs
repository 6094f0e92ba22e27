//! The few route-netlink requests a TUN interface needs: MTU and up, addresses, routes (rtnetlink(7)).
//!
//! The socket belongs to the namespace of the thread that made it.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use coloa_link::Prefix;

use crate::address::InterfaceAddress;

const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const NLM_F_REQUEST_ACK: u16 = 0x1 | 0x4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_REPLACE: u16 = 0x100;

const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_NODAD: u32 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;

const IFF_UP: u32 = 0x1;
const IFF_ALLMULTI: u32 = 0x200;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RTN_UNICAST: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const HEADER_LEN: usize = 16;
/// Packets that may wait in the TUN interface: a few bursts of one TCP window.
const TUN_QUEUE: u32 = 1000;

/// A route-netlink socket in one namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// A socket in the calling thread's namespace. Protocol 0 of this family is `NETLINK_ROUTE`.
    pub fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// The kernel's number of an interface.
    pub fn index(&self, interface: &str) -> io::Result<u32> {
        Ok(rustix::net::netdevice::name_to_index(&self.socket, interface)?)
    }

    /// Sets MTU and queue length and brings the interface up.
    pub fn set_up(&mut self, index: u32, mtu: u16) -> io::Result<()> {
        let mut message = flags(index, IFF_UP);
        message.attribute(IFLA_MTU, &u32::from(mtu).to_ne_bytes());
        message.attribute(IFLA_TXQLEN, &TUN_QUEUE.to_ne_bytes());
        self.exchange(message)
    }

    /// Has the interface hear what is sent to any multicast group.
    pub fn hear_all_groups(&mut self, index: u32) -> io::Result<()> {
        self.exchange(flags(index, IFF_ALLMULTI))
    }

    /// Gives the interface an address.
    pub fn add_address(&mut self, index: u32, address: &InterfaceAddress) -> io::Result<()> {
        let mut message = Message::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
        let octets = octets(address.address);
        message.bytes(&[family(address.address), address.length, 0, RT_SCOPE_UNIVERSE]).bytes(&index.to_ne_bytes());
        message.attribute(IFA_LOCAL, &octets).attribute(IFA_ADDRESS, &octets);
        if address.address.is_ipv6() {
            // Nobody else is on this interface who could have the address.
            message.attribute(IFA_FLAGS, &IFA_F_NODAD.to_ne_bytes());
        }
        self.exchange(message)
    }

    /// Routes a network into the interface.
    pub fn add_route(&mut self, index: u32, to: &Prefix) -> io::Result<()> {
        self.exchange(route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, to))
    }

    /// Takes the route back.
    pub fn delete_route(&mut self, index: u32, to: &Prefix) -> io::Result<()> {
        self.exchange(route(RTM_DELROUTE, 0, index, to))
    }

    fn exchange(&mut self, message: Message) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        send(&self.socket, &message.finish(self.sequence), SendFlags::empty())?;
        let mut answer = [0; 4096];
        let (length, _) = recv(&self.socket, &mut answer[..], RecvFlags::empty())?;
        acknowledged(answer.get(..length).unwrap_or_default())
    }
}

/// Sets flags of an interface.
fn flags(index: u32, flags: u32) -> Message {
    let mut message = Message::new(RTM_NEWLINK, 0);
    message.bytes(&[0; 4]).bytes(&index.to_ne_bytes()).bytes(&flags.to_ne_bytes()).bytes(&flags.to_ne_bytes());
    message
}

fn route(kind: u16, flags: u16, index: u32, to: &Prefix) -> Message {
    let scope = if to.address().is_ipv4() { RT_SCOPE_LINK } else { RT_SCOPE_UNIVERSE };
    let mut message = Message::new(kind, flags);
    message.bytes(&[family(to.address()), to.bits(), 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST]);
    message.bytes(&[0; 4]).attribute(RTA_DST, &octets(to.address())).attribute(RTA_OIF, &index.to_ne_bytes());
    message
}

fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let field = |at: usize| answer.get(at..).and_then(|rest| rest.first_chunk::<4>().copied());
    let kind = field(4).map(|[a, b, ..]| u16::from_ne_bytes([a, b]));
    match (kind, field(HEADER_LEN).map(i32::from_ne_bytes)) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(error)) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        _ => Err(io::Error::other("the kernel's answer is not an acknowledgement")),
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// A request under construction: netlink header, body, attributes (each aligned to 4).
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((NLM_F_REQUEST_ACK | flags).to_ne_bytes());
        bytes.extend([0; 8]);
        Self(bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = value.len().saturating_add(4) as u16;
        self.bytes(&length.to_ne_bytes()).bytes(&kind.to_ne_bytes()).bytes(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        for (at, field) in [(0, length), (8, sequence)] {
            if let Some(place) = self.0.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
                *place = field.to_ne_bytes();
            }
        }
        self.0
    }
}
