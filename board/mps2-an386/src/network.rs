//! The board's TCP: smoltcp over the Ethernet controller, and a few listening sockets.

use alloc::vec;

use coloa_bringup::factory::Address;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Address};

use crate::clock;
use crate::ethernet::Ethernet;

/// Sockets: the channels served at once, and more that listen, wait or take their time to close, as smoltcp has no backlog.
pub const SOCKETS: usize = 10;
/// Receive window. The controller's FIFO holds 10 KB; more in flight would be lost in it.
const RECEIVE: usize = 8 * 1024;
const SEND: usize = 16 * 1024;
/// A peer that does not answer for this long is gone.
const SILENCE: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The controller, the interface and the sockets.
pub struct Network {
    ethernet: Ethernet,
    interface: Interface,
    sockets: SocketSet<'static>,
    handles: [SocketHandle; SOCKETS],
    port: u16,
}

impl Network {
    /// An interface with the factory page's address. `seed` makes sequence numbers hard to guess.
    pub fn start(mut ethernet: Ethernet, address: Address, seed: u64) -> Self {
        let mut config = Config::new(ethernet.address().into());
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut ethernet, now());
        interface.update_ip_addrs(|list| {
            // A new interface has room for one address.
            let _ = list.push(IpCidr::new(IpAddress::Ipv4(Ipv4Address::from(address.own)), address.prefix));
        });
        // And for one route.
        let _ = interface.routes_mut().add_default_ipv4_route(Ipv4Address::from(address.gateway));
        let mut sockets = SocketSet::new(vec![]);
        let handles = core::array::from_fn(|_| sockets.add(socket()));
        Self { ethernet, interface, sockets, handles, port: address.port }
    }

    /// Moves frames between controller and sockets.
    pub fn poll(&mut self) {
        self.interface.poll(now(), &mut self.ethernet, &mut self.sockets);
    }

    /// Sleeps until a frame or the clock's next tick comes.
    pub fn wait(&mut self) {
        self.ethernet.wait();
    }

    /// One of the [`SOCKETS`].
    pub fn socket(&mut self, index: usize) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handles[index])
    }

    /// The port to listen on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn socket() -> tcp::Socket<'static> {
    let mut socket = tcp::Socket::new(tcp::SocketBuffer::new(vec![0; RECEIVE]), tcp::SocketBuffer::new(vec![0; SEND]));
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket.set_timeout(Some(SILENCE));
    socket.set_keep_alive(Some(KEEP_ALIVE));
    socket
}

fn now() -> Instant {
    Instant::from_millis(i64::try_from(clock::milliseconds()).unwrap_or(i64::MAX))
}
