//! A transparent site: the encryptor stands between hosts and their gateway, and nobody is given another address. The red
//! kernel forwards between the wire and the TUN and answers ARP for what lies behind the TUN (proxy ARP, RFC 1027); it has no
//! such thing for networks in IPv6, so solicitations are answered here ([`coloa_link::discovery`]).

use std::fs;
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, RwLock};

use coloa_link::Prefix;
use coloa_link::discovery::{self, Mac};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily as Family, LinkAddr, SockaddrLike, bind};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use crate::config::{Neighbours, Red};
use crate::fault::Fault;
use crate::netlink::Netlink;
use crate::privileges;

/// `ETH_P_IPV6`, in network order as packet(7) wants it.
const IPV6: u32 = 0x86dd_u16.to_be() as u32;
/// A frame with a solicitation is far shorter; of a longer one the rest does not matter.
const FRAME: usize = 2048;
/// Between two tries to read from a wire that is down.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// The networks behind the link, as the policy has them now.
#[derive(Clone, Debug, Default)]
pub struct Far(Arc<RwLock<Vec<Prefix>>>);

impl Far {
    /// Puts others in their place.
    pub fn set(&self, networks: &[Prefix]) {
        *self.0.write().unwrap_or_else(|e| e.into_inner()) = networks.to_vec();
    }

    fn has(&self, address: Ipv6Addr) -> bool {
        self.0.read().unwrap_or_else(|e| e.into_inner()).iter().any(|network| network.holds(address.into()))
    }
}

/// One wire of a transparent site.
#[derive(Debug)]
pub struct Wire {
    interface: String,
    own: Mac,
    socket: OwnedFd,
}

/// Prepares the wires that the configuration names, in the calling thread's namespace.
pub fn open(red: &Red) -> Result<Vec<Wire>, Fault> {
    if !red.neighbours.is_empty() {
        prepare_kernel(&format!("ipv4/conf/{}/forwarding", red.name), "1")?;
        // IPv6 knows no forwarding of single interfaces.
        prepare_kernel("ipv6/conf/all/forwarding", "1")?;
    }
    red.neighbours.iter().map(open_wire).collect()
}

fn open_wire(wire: &Neighbours) -> Result<Wire, Fault> {
    let interface = &wire.interface;
    let failed = |why: io::Error| Fault::Neighbours { interface: interface.clone(), why: why.to_string() };
    let mut netlink = Netlink::open().map_err(failed)?;
    let index = netlink.index(interface).map_err(failed)?;
    for switch in ["forwarding", "proxy_arp"] {
        prepare_kernel(&format!("ipv4/conf/{interface}/{switch}"), "1")?;
    }
    // An answer in another's name is otherwise put off by up to 0.8 s.
    prepare_kernel(&format!("ipv4/neigh/{interface}/proxy_delay"), "0")?;
    for network in &wire.networks {
        let prefix = Prefix::new(network.address, network.length).map_err(|_| {
            let why = format!("{}/{} is not a network: it has host bits", network.address, network.length);
            Fault::Neighbours { interface: interface.clone(), why }
        })?;
        netlink.add_route(index, &prefix).map_err(failed)?;
    }
    netlink.hear_all_groups(index).map_err(failed)?;
    let (own, socket) = listen(interface).map_err(failed)?;
    Ok(Wire { interface: interface.clone(), own, socket })
}

/// Sets what the kernel lacks; where `/proc/sys` may not be written, whoever made the namespace has to have set it.
fn prepare_kernel(name: &str, value: &str) -> Result<(), Fault> {
    let path = format!("/proc/sys/net/{name}");
    if fs::read_to_string(&path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    fs::write(&path, value).map_err(|e| Fault::Neighbours {
        interface: name.to_owned(),
        why: format!("{path} cannot be set to {value} ({e}); set it where the namespace is made"),
    })
}

/// A socket that hears every IPv6 frame of the wire, and the wire's own address.
fn listen(interface: &str) -> io::Result<(Mac, OwnedFd)> {
    let is_wire = |address: &LinkAddr| address.family() == Some(Family::Packet);
    let mut found = getifaddrs()?.filter(|i| i.interface_name == interface);
    let address = found.find_map(|i| i.address?.as_link_addr().copied().filter(is_wire));
    let address = address.ok_or_else(|| io::Error::other("it has no Ethernet address"))?;
    let own = address.addr().ok_or_else(|| io::Error::other("it has no Ethernet address"))?;
    let protocol = std::num::NonZeroU32::new(IPV6).map(Protocol::from_raw);
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    bind(socket.as_raw_fd(), &address)?;
    Ok((own, socket))
}

impl Wire {
    /// Answers until the daemon ends.
    pub fn answer(self, far: &Far) {
        if let Err(why) = privileges::drop_all() {
            tracing::error!(%why, "neighbours are not answered: rights cannot be given up");
            return;
        }
        let mut frame = [0; FRAME];
        loop {
            match recv(&self.socket, &mut frame, RecvFlags::empty()) {
                Ok((length, _)) => self.answer_one(frame.get(..length).unwrap_or_default(), far),
                Err(rustix::io::Errno::INTR) => {}
                Err(why) => {
                    tracing::debug!(interface = self.interface, %why, "the wire cannot be read");
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    fn answer_one(&self, frame: &[u8], far: &Far) {
        let answer = discovery::answer(frame, self.own, |target| far.has(target));
        let sent = answer.map(|answer| send(&self.socket, &answer, SendFlags::empty()));
        if let Some(Err(why)) = sent {
            tracing::debug!(interface = self.interface, %why, "an answer was not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_policy_has_behind_the_link_is_far() {
        let far = Far::default();
        let networks =
            ["fd00::80/121", "10.0.0.0/8", "fd01::7/128"].map(|text| text.parse::<Prefix>().expect("network"));
        far.set(&networks);
        let has = |address: &str| far.has(address.parse().expect("address"));
        assert!(has("fd00::80") && has("fd00::ff") && has("fd01::7"));
        assert!(!has("fd00::7f") && !has("fd00::100") && !has("fd01::8"));
        far.set(&[]);
        assert!(!has("fd01::7"));
    }
}
