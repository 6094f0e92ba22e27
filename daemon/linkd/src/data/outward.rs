//! Red to black: reads the TUN, finds the peer, seals, sends. It also keeps the path to each peer.

mod clear;
mod cover;
mod measure;
mod path;
mod relay;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};
use std::time::{Duration, Instant};

use coloa_link::handover::{OutboundState, PathState};
use coloa_link::path::Settings as PathSettings;
use coloa_link::{
    Counters, Cover, DropReason, Fit, Limits, Narrow, Outbound, OutboundEvent, Outgoing, Path, marking, mss, virtio,
};

use super::burst::{Bursts, Heading};
use super::clear::Clear;
use super::mailbox::{Inbox, Mailbox};
use super::peers::Peers;
use super::relay::Drain;
use super::trend::Trend;
use super::{
    Cipher, InOrder, InstallFailed, KeyEvent, OutOrder, PathStanding, PeerNumber, Report, Routing, Settings, Shaping,
    Standing, Traffic, tell,
};
use crate::tun::Tun;
use crate::udp::BlackSocket;

/// The largest super-packet with its `virtio_net_hdr`.
const READ_BUFFER: usize = virtio::LEN + 65_535;
/// Reads between two looks at the clock, for the limits by age.
const READS_BETWEEN_TICKS: u32 = 256;
/// Between two looks at all peers.
const TICK: Duration = Duration::from_millis(50);
/// The longest sleep: limits by age are looked at so often when nothing passes.
const IDLE: Duration = Duration::from_secs(1);

/// The sending half of one peer.
struct Peer {
    outbound: Outbound<Cipher>,
    path: Path,
    /// What the path says, at hand for each packet: where the peer is, and the largest inner packet that gets there.
    to: Option<SocketAddr>,
    mtu: usize,
    /// Data was sent since the path was told.
    sent: bool,
    shaping: Shaping,
    cover: Option<Cover>,
    traffic: Traffic,
    trend: Trend,
}

/// Whether a packet left.
enum Passed {
    Sent,
    /// It is larger than the path carries, and may not be fragmented.
    TooBig,
}

/// The outward thread's state.
pub struct Outward {
    tun: Arc<Tun>,
    bursts: Bursts,
    inward: Mailbox<InOrder>,
    limits: Limits,
    path: PathSettings,
    copy_dscp: bool,
    origin: Instant,
    ticked: Duration,
    events: Sender<KeyEvent>,
    routing: Arc<Routing>,
    peers: Peers<Peer>,
    drops: Counters,
    narrow: Narrow,
    /// Those with a constant rate.
    covered: Vec<PeerNumber>,
    /// An order in force.
    clear: Option<Arc<Clear>>,
    sent_in_clear: Traffic,
}

impl Outward {
    /// Blocked towards everyone.
    pub fn new(
        tun: Arc<Tun>,
        black: Arc<BlackSocket>,
        settings: Settings,
        origin: Instant,
        events: Sender<KeyEvent>,
        inward: Mailbox<InOrder>,
    ) -> Self {
        Self {
            tun,
            bursts: Bursts::new(black),
            inward,
            limits: settings.limits,
            path: settings.path,
            copy_dscp: settings.copy_dscp,
            origin,
            ticked: Duration::ZERO,
            events,
            routing: Arc::default(),
            peers: Peers::new(),
            drops: Counters::new(),
            narrow: Narrow::new(),
            covered: Vec::new(),
            clear: None,
            sent_in_clear: Traffic::default(),
        }
    }

    /// Forwards until told to stop.
    pub fn run(mut self, orders: &Inbox<OutOrder>, relayed: &Drain) {
        let mut packet = vec![0; READ_BUFFER];
        let mut reads = 0u32;
        loop {
            while let Some(order) = orders.take() {
                self.bursts.flush();
                match order {
                    OutOrder::Stop => return,
                    OutOrder::HandOver(to) => return self.hand_over(&to),
                    order => self.obey(order),
                }
            }
            self.relay(relayed);
            match rustix::io::read(&*self.tun, packet.as_mut_slice()) {
                Ok(length) => self.forward(packet.get_mut(..length).unwrap_or_default()),
                Err(rustix::io::Errno::AGAIN) => {
                    self.bursts.flush();
                    self.tick();
                    let patience = self.patience();
                    orders.wait(&*self.tun, patience);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(why) => {
                    // The interface is down: nothing can leave. Look again in a second.
                    tracing::warn!(%why, "the TUN interface cannot be read");
                    std::thread::sleep(IDLE);
                }
            }
            self.keep_cover();
            reads = reads.wrapping_add(1);
            if reads.is_multiple_of(READS_BETWEEN_TICKS) {
                self.tick();
            }
        }
    }

    fn forward(&mut self, read: &mut [u8]) {
        if let Err(reason) = self.try_forward(read) {
            self.drops.count(reason);
        }
    }

    fn try_forward(&mut self, read: &mut [u8]) -> Result<(), DropReason> {
        let mut outgoing = Outgoing::parse(read)?;
        let spd = self.routing.spd.as_ref().ok_or(DropReason::NoPolicy)?;
        let site = spd.outbound(outgoing.selector())?;
        let number = self.routing.peer_of(site).ok_or(DropReason::NoSa)?;
        let (way, in_clear) = match self.way(number) {
            Err(DropReason::NoSa) => (self.way_in_clear(number, outgoing.selector())?, true),
            way => (way?, false),
        };
        let (to, mtu) = way;
        if mss::opens_connection(outgoing.packet()) {
            let checksum = outgoing.checksum();
            mss::clamp(read.get_mut(virtio::LEN..).unwrap_or_default(), mtu, checksum);
            outgoing = Outgoing::parse(read)?;
        }
        let passed = match in_clear {
            false => self.pass(number, to, &mut outgoing)?,
            true => self.pass_in_clear(way, &mut outgoing)?,
        };
        match passed {
            Passed::Sent => Ok(()),
            Passed::TooBig => Err(self.refuse(outgoing, mtu)),
        }
    }

    /// Where a peer is and what fits the path there, if there is an SA (R26).
    fn way(&mut self, number: PeerNumber) -> Result<(SocketAddr, usize), DropReason> {
        let peer = self.peers.get(number).ok_or(DropReason::NoSa)?;
        peer.outbound.seal()?;
        Ok((peer.to.ok_or(DropReason::NoSa)?, peer.mtu))
    }

    /// Seals everything for a peer, in fragments where it has to be.
    fn pass(&mut self, number: PeerNumber, to: SocketAddr, out: &mut Outgoing<'_>) -> Result<Passed, DropReason> {
        let peer = self.peers.get(number).ok_or(DropReason::NoSa)?;
        let heading = Heading { to, traffic_class: marking::outer(out.packet(), self.copy_dscp) };
        let (bursts, mtu) = (&mut self.bursts, peer.mtu);
        let mut lost = 0u64;
        match out.fit(mtu) {
            Fit::Whole => lost = peer.dispatch(bursts, out, heading)?,
            Fit::InFragments => self.narrow.in_fragments(out, mtu, |piece| {
                lost = lost.saturating_add(peer.dispatch(bursts, piece, heading)?);
                Ok(())
            })?,
            Fit::No => return Ok(Passed::TooBig),
            Fit::NoThoughEntitled => return Err(DropReason::PathBelowIpv6),
        }
        (0..lost).for_each(|_| self.drops.count(DropReason::CoverFull));
        peer.traffic.count(out.packet().len());
        peer.sent = true;
        Ok(Passed::Sent)
    }

    /// Tells the sender how large a packet may be; the reason is by which name this one is counted.
    fn refuse(&mut self, outgoing: Outgoing<'_>, mtu: usize) -> DropReason {
        match self.narrow.tell_sender(outgoing, mtu, self.origin.elapsed()) {
            Some(answer) if rustix::io::write(&*self.tun, answer).is_ok() => DropReason::TooBig,
            _ => DropReason::TooBigUntold,
        }
    }

    fn obey(&mut self, order: OutOrder) {
        match order {
            OutOrder::Policy(routing) => self.routing = routing,
            OutOrder::Install { peer, epoch, keys, to, done } => {
                let now = self.origin.elapsed();
                let installed = self.admit(peer).is_some_and(|peer| {
                    peer.path.hint(now, to);
                    peer.outbound.install(now, epoch, keys).is_ok()
                });
                // The peer may have been heard on this epoch already: then it sends from here on.
                self.follow_path(peer, now);
                // Who gave the order may have given up waiting.
                let _ = done.send(if installed { Ok(()) } else { Err(InstallFailed::Cipher) });
            }
            OutOrder::Activate { peer, epoch } => {
                if self.peers.get(peer).is_some_and(|peer| peer.outbound.activate(epoch)) {
                    tracing::debug!(peer = peer.0, epoch = epoch.0, "sending moved to a new epoch");
                }
                self.follow_path(peer, self.origin.elapsed());
            }
            OutOrder::Heard(peers) => {
                let now = self.origin.elapsed();
                for peer in peers {
                    if let Some(peer) = self.peers.get(peer) {
                        peer.path.heard(now);
                    }
                }
            }
            OutOrder::Strange { peer, from, octets } => {
                self.with_path(peer, |path, now| path.strange(now, from, octets));
            }
            OutOrder::Message { peer, from, message } => {
                self.with_path(peer, |path, now| path.message(now, from, &message));
            }
            OutOrder::Clear(clear) => self.clear = clear,
            OutOrder::Shape { peer, shaping } => self.shape(peer, shaping),
            OutOrder::Block(peer) => {
                self.clear = self.clear.take().map(|clear| Arc::new(clear.without(peer)));
                if let Some(peer) = self.peers.get(peer) {
                    peer.outbound.block();
                }
            }
            OutOrder::Measure { peer, measure } => self.measure(peer, &measure),
            OutOrder::Fill { peer, count } => self.fill(peer, count),
            OutOrder::Report(done) => {
                let _ = done.send(self.report());
            }
            OutOrder::Adopt { peer, state } => self.adopt(peer, *state),
            OutOrder::HandOver(_) | OutOrder::Stop => {}
        }
    }

    /// The end of this thread.
    fn hand_over(&mut self, to: &SyncSender<Vec<(OutboundState, PathState)>>) {
        let peers = self.peers.iter().map(|(_, peer)| (peer.outbound.hand_over(), peer.path.hand_over()));
        let _ = to.send(peers.collect());
    }

    fn adopt(&mut self, number: PeerNumber, (outbound, path): (OutboundState, PathState)) {
        let (now, limits, settings) = (self.origin.elapsed(), self.limits, self.path);
        let Ok(outbound) = Outbound::take_over(outbound, limits) else {
            tracing::error!(peer = number.0, "what the predecessor sent with cannot be used: blocked");
            return;
        };
        if let Some(peer) = self.admit(number) {
            (peer.outbound, peer.path) = (outbound, Path::take_over(settings, &path, now));
        }
        self.follow_path(number, now);
    }

    fn admit(&mut self, peer: PeerNumber) -> Option<&mut Peer> {
        let (limits, path) = (self.limits, Path::new(self.path));
        let vacant = || Peer {
            outbound: Outbound::blocked(limits),
            mtu: path.mtu(),
            path: path.clone(),
            to: None,
            sent: false,
            shaping: Shaping::default(),
            cover: None,
            traffic: Traffic::default(),
            trend: Trend::default(),
        };
        self.peers.admit(peer, vacant)
    }

    /// Tells the path to a peer something and does what it wants then.
    fn with_path(&mut self, number: PeerNumber, tell: impl FnOnce(&mut Path, Duration)) {
        let now = self.origin.elapsed();
        if let Some(peer) = self.peers.get(number) {
            tell(&mut peer.path, now);
            self.follow_path(number, now);
        }
    }

    fn report(&mut self) -> Report {
        let now = self.origin.elapsed();
        let path = |path: &Path| PathStanding {
            address: path.address(),
            mtu: path.mtu(),
            silent_for: path.silent_since().map(|since| now.saturating_sub(since)),
            behind_nat: path.is_behind_nat(),
        };
        let standing = |peer: &mut Peer| Standing {
            epoch: peer.outbound.epoch(),
            stands_for: peer.trend.stands_for(now),
            traffic: peer.traffic,
            rate: peer.trend.rate(),
            arrived: None,
            path: Some(path(&peer.path)),
        };
        let peers = self.peers.iter().map(|(_, peer)| standing(peer)).collect();
        let (refused_by_kernel, in_clear) = (self.bursts.refused_by_kernel(), self.sent_in_clear);
        Report { peers, drops: self.drops, refused_by_kernel, in_clear }
    }

    /// Looks at every peer, but not more often than [`TICK`], however busy the interface: a hub has thousands of them.
    fn tick(&mut self) {
        let now = self.origin.elapsed();
        if now < self.ticked.saturating_add(TICK) {
            return;
        }
        self.ticked = now;
        for number in (0..self.peers.len()).map(PeerNumber) {
            if let Some(peer) = self.peers.get(number) {
                while let Some(event) = peer.outbound.poll(now) {
                    tell(&self.events, event_of(number, event));
                }
                peer.trend.look(now, peer.outbound.epoch().is_some(), peer.traffic.octets);
            }
            self.follow_path(number, now);
        }
    }
}

fn event_of(peer: PeerNumber, event: OutboundEvent) -> KeyEvent {
    match event {
        OutboundEvent::RekeyWanted(_) => KeyEvent::RekeyWanted(peer),
        OutboundEvent::Blocked(_) => KeyEvent::Blocked(peer),
    }
}
