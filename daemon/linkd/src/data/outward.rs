//! Red to black: reads the TUN, finds the peer, seals, sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use coloa_link::{Counters, DropReason, Limits, Outbound, OutboundEvent, Outgoing};

use super::burst::Bursts;
use super::mailbox::Inbox;
use super::peers::Peers;
use super::{Cipher, InstallFailed, KeyEvent, OutOrder, PeerNumber, Report, Routing, Standing, Traffic, tell};
use crate::tun::Tun;
use crate::udp::BlackSocket;

/// The largest super-packet with its `virtio_net_hdr`.
const READ_BUFFER: usize = coloa_link::virtio::LEN + 65_535;
/// Reads between two looks at the clock, for the limits by age.
const READS_BETWEEN_TICKS: u32 = 256;
/// The longest sleep: limits by age are looked at so often when nothing passes.
const IDLE: Duration = Duration::from_secs(1);

/// The sending half of one peer.
struct Peer {
    outbound: Outbound<Cipher>,
    to: Option<SocketAddr>,
    traffic: Traffic,
}

/// The outward thread's state.
pub struct Outward {
    tun: Arc<Tun>,
    bursts: Bursts,
    limits: Limits,
    origin: Instant,
    events: Sender<KeyEvent>,
    routing: Arc<Routing>,
    peers: Peers<Peer>,
    drops: Counters,
}

impl Outward {
    /// Blocked towards everyone.
    pub fn new(
        tun: Arc<Tun>,
        black: Arc<BlackSocket>,
        limits: Limits,
        origin: Instant,
        events: Sender<KeyEvent>,
    ) -> Self {
        Self {
            tun,
            bursts: Bursts::new(black),
            limits,
            origin,
            events,
            routing: Arc::default(),
            peers: Peers::new(),
            drops: Counters::new(),
        }
    }

    /// Forwards until told to stop.
    pub fn run(mut self, orders: &Inbox<OutOrder>) {
        let mut packet = vec![0; READ_BUFFER];
        let mut reads = 0u32;
        loop {
            while let Some(order) = orders.take() {
                if matches!(order, OutOrder::Stop) {
                    return;
                }
                self.bursts.flush();
                self.obey(order);
            }
            match rustix::io::read(&*self.tun, packet.as_mut_slice()) {
                Ok(length) => self.forward(packet.get(..length).unwrap_or_default()),
                Err(rustix::io::Errno::AGAIN) => {
                    self.bursts.flush();
                    self.tick();
                    orders.wait(&*self.tun, IDLE);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(why) => {
                    // The interface is down: nothing can leave. Look again in a second.
                    tracing::warn!(%why, "the TUN interface cannot be read");
                    std::thread::sleep(IDLE);
                }
            }
            reads = reads.wrapping_add(1);
            if reads.is_multiple_of(READS_BETWEEN_TICKS) {
                self.tick();
            }
        }
    }

    fn forward(&mut self, read: &[u8]) {
        if let Err(reason) = self.try_forward(read) {
            self.drops.count(reason);
        }
    }

    fn try_forward(&mut self, read: &[u8]) -> Result<(), DropReason> {
        let mut outgoing = Outgoing::parse(read)?;
        let spd = self.routing.spd.as_ref().ok_or(DropReason::NoPolicy)?;
        let site = spd.outbound(outgoing.selector())?;
        let number = self.routing.peer_of(site).ok_or(DropReason::NoSa)?;
        let peer = self.peers.get(number).ok_or(DropReason::NoSa)?;
        let seal = peer.outbound.seal()?;
        let to = peer.to.ok_or(DropReason::NoSa)?;
        peer.traffic.count(outgoing.packet().len());
        self.bursts.add(seal, &mut outgoing, to)
    }

    fn obey(&mut self, order: OutOrder) {
        match order {
            OutOrder::Policy(routing) => self.routing = routing,
            OutOrder::Install { peer, epoch, keys, to, done } => {
                let now = self.origin.elapsed();
                let installed = self.admit(peer).is_some_and(|peer| {
                    peer.to = Some(to);
                    peer.outbound.install(now, epoch, keys).is_ok()
                });
                // Who gave the order may have given up waiting.
                let _ = done.send(if installed { Ok(()) } else { Err(InstallFailed::Cipher) });
            }
            OutOrder::Activate { peer, epoch } => {
                if self.peers.get(peer).is_some_and(|peer| peer.outbound.activate(epoch)) {
                    tracing::debug!(peer = peer.0, epoch = epoch.0, "sending moved to a new epoch");
                }
            }
            OutOrder::Block(peer) => {
                if let Some(peer) = self.peers.get(peer) {
                    peer.outbound.block();
                }
            }
            OutOrder::Report(done) => {
                let _ = done.send(self.report());
            }
            OutOrder::Stop => {}
        }
    }

    fn admit(&mut self, peer: PeerNumber) -> Option<&mut Peer> {
        let limits = self.limits;
        self.peers.admit(peer, || Peer { outbound: Outbound::blocked(limits), to: None, traffic: Traffic::default() })
    }

    fn report(&mut self) -> Report {
        let standing = |peer: &mut Peer| Standing { epoch: peer.outbound.epoch(), traffic: peer.traffic };
        let peers = self.peers.iter().map(|(_, peer)| standing(peer)).collect();
        Report { peers, drops: self.drops, refused_by_kernel: self.bursts.refused_by_kernel() }
    }

    fn tick(&mut self) {
        let now = self.origin.elapsed();
        for (number, peer) in self.peers.iter() {
            while let Some(event) = peer.outbound.poll(now) {
                tell(&self.events, event_of(number, event));
            }
        }
    }
}

fn event_of(peer: PeerNumber, event: OutboundEvent) -> KeyEvent {
    match event {
        OutboundEvent::RekeyWanted(_) => KeyEvent::RekeyWanted(peer),
        OutboundEvent::Blocked(_) => KeyEvent::Blocked(peer),
    }
}
