//! Black to red: receives a batch, finds the SA by SPI, opens, asks the policy, joins, writes to the TUN.

mod clear;

use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};
use std::time::{Duration, Instant};

use coloa_link::bypass;
use coloa_link::encap::Datagram;
use coloa_link::esp::PREFIX_LEN;
use coloa_link::handover::InboundState;
use coloa_link::keys::SaKeys;
use coloa_link::limiter::Bucket;
use coloa_link::marking::{self, Ecn};
use coloa_link::measure::{Measure, Tally};
use coloa_link::mss::{self, Checksum};
use coloa_link::{
    Arrival, Coalescer, Counters, DropReason, Epoch, Inbound, InboundEvent, Inner, Limits, Path, Spi, hop,
};
use quinn_udp::RecvMeta;

use super::clear::Clear;
use super::mailbox::{Inbox, Mailbox};
use super::peers::Peers;
use super::relay::Feeder;
use super::trend::Trend;
use super::{
    Cipher, InOrder, InstallFailed, KeyEvent, OutOrder, PeerNumber, Report, Routing, Settings, Standing, Traffic, tell,
};
use crate::tun::Tun;
use crate::udp::BlackSocket;

/// GRO batches that one receive may bring.
const BATCH: usize = 8;
/// Octets of one GRO batch.
const BUFFER: usize = 65_536;
/// The longest sleep: drains and limits by age are looked at so often when nothing passes.
const IDLE: Duration = Duration::from_millis(500);
/// Between two looks at all peers.
const TICK: Duration = Duration::from_millis(50);
/// Between two words to the sending side about who was heard: dead-peer detection counts in seconds.
const TELL_HEARD: Duration = Duration::from_millis(500);
/// Receives between two looks at the clock.
const RECEIVES_BETWEEN_TICKS: u32 = 64;
/// Slices of one frame: head, and what the coalescer joined.
const MAX_SLICES: usize = coloa_link::coalesce::MAX_JOINED + 1;

/// The receiving half of one peer.
struct Peer {
    inbound: Inbound<Cipher>,
    /// The largest inner packet that its path carries.
    mtu: usize,
    /// Where the peer is known to be.
    address: Option<SocketAddr>,
    /// It was heard since the last tick.
    heard: bool,
    /// How often it may make the sending side look at a strange address, and at a message: apart, or the traffic from a new
    /// address would leave nothing for the response that proves it.
    strange: Bucket,
    messages: Bucket,
    /// How often it may ask what has come.
    questions: Bucket,
    /// Octets of all datagrams from it.
    octets: u64,
    traffic: Traffic,
    trend: Trend,
}

/// How a datagram came.
#[derive(Clone, Copy)]
struct Arriving {
    from: SocketAddr,
    ecn: Ecn,
}

impl Arriving {
    fn of(meta: &RecvMeta) -> Self {
        let from = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
        Self { from, ecn: meta.ecn.map_or(Ecn::NotEct, |ecn| Ecn::from_bits(ecn as u8)) }
    }
}

/// The inward thread's state.
pub struct Inward {
    tun: Arc<Tun>,
    black: Arc<BlackSocket>,
    limits: Limits,
    mtu: usize,
    origin: Instant,
    /// When the batch at hand was received.
    now: Duration,
    ticked: Duration,
    told_heard: Duration,
    events: Sender<KeyEvent>,
    outward: Mailbox<OutOrder>,
    routing: Arc<Routing>,
    peers: Peers<Peer>,
    by_spi: HashMap<Spi, PeerNumber>,
    drops: Counters,
    refused_by_kernel: u64,
    /// An order in force.
    clear: Option<Arc<Clear>>,
    received_in_clear: Traffic,
}

impl Inward {
    /// Opens nothing yet.
    pub fn new(
        tun: Arc<Tun>,
        black: Arc<BlackSocket>,
        settings: Settings,
        origin: Instant,
        events: Sender<KeyEvent>,
        outward: Mailbox<OutOrder>,
    ) -> Self {
        Self {
            tun,
            black,
            limits: settings.limits,
            mtu: Path::new(settings.path).mtu(),
            origin,
            now: Duration::ZERO,
            ticked: Duration::ZERO,
            told_heard: Duration::ZERO,
            events,
            outward,
            routing: Arc::default(),
            peers: Peers::new(),
            by_spi: HashMap::new(),
            drops: Counters::new(),
            refused_by_kernel: 0,
            clear: None,
            received_in_clear: Traffic::default(),
        }
    }

    /// Forwards until told to stop.
    pub fn run(mut self, orders: &Inbox<InOrder>, mut relay: Feeder) {
        let mut arena = vec![0; BATCH * BUFFER];
        let mut metas = [RecvMeta::default(); BATCH];
        let mut frames = Coalescer::new();
        let mut receives = 0u32;
        loop {
            while let Some(order) = orders.take() {
                match order {
                    InOrder::Stop => return,
                    InOrder::HandOver(to) => return self.hand_over(&to),
                    order => self.obey(order),
                }
            }
            match receive(&self.black, &mut arena, &mut metas) {
                Ok(count) => {
                    self.forward(&mut arena, metas.get(..count).unwrap_or_default(), &mut frames, &mut relay);
                    if relay.flush() {
                        self.outward.ring();
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.tick();
                    orders.wait(&*self.black, IDLE);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => tracing::warn!(%why, "the black socket cannot be read"),
            }
            receives = receives.wrapping_add(1);
            if receives.is_multiple_of(RECEIVES_BETWEEN_TICKS) {
                self.tick();
            }
        }
    }

    fn forward(&mut self, arena: &mut [u8], metas: &[RecvMeta], frames: &mut Coalescer, relay: &mut Feeder) {
        frames.clear();
        self.now = self.origin.elapsed();
        for (index, meta) in metas.iter().enumerate() {
            // GRO joins only datagrams from one sender that are marked alike.
            let arrival = Arriving::of(meta);
            for datagram in datagrams(index, meta) {
                match self.open(arena, datagram, arrival, relay) {
                    Ok(packet) => frames.push(arena, packet),
                    Err(Some(reason)) => self.drops.count(reason),
                    Err(None) => {}
                }
            }
        }
        self.deliver(arena, frames);
    }

    /// Where the inner packet lies; no reason where nothing was lost, or where the SA has counted it.
    fn open(
        &mut self,
        arena: &mut [u8],
        datagram: Range<usize>,
        arrival: Arriving,
        relay: &mut Feeder,
    ) -> Result<Range<usize>, Option<DropReason>> {
        let (begin, length) = (datagram.start, datagram.len());
        let start = begin.saturating_add(PREFIX_LEN);
        let octets = arena.get_mut(datagram).ok_or(DropReason::MalformedEsp)?;
        let spi = match Datagram::parse(octets)? {
            Datagram::Esp(spi) => spi,
            Datagram::Keepalive => return Err(None),
            Datagram::NonEsp(_) => {
                let start = begin.saturating_add(bypass::MARK.len());
                return Ok(start..start.saturating_add(self.take_clear(octets, arrival.from)?));
            }
        };
        let number = *self.by_spi.get(&spi).ok_or(DropReason::UnknownSpi)?;
        let peer = self.peers.get(number).ok_or(DropReason::UnknownSpi)?;
        let opened = peer.inbound.receive(octets).map_err(|_counted| None)?;
        peer.heard = true;
        peer.octets = peer.octets.saturating_add(length as u64);
        if opened.advanced && peer.address != Some(arrival.from) && peer.strange.take(self.now) {
            self.outward.send(OutOrder::Strange { peer: number, from: arrival.from, octets: length });
        }
        let packet = match opened.inner {
            Inner::Packet(packet) => packet,
            Inner::Message(message) if peer.messages.take(self.now) => {
                self.outward.send(OutOrder::Message { peer: number, from: arrival.from, message });
                return Err(None);
            }
            Inner::Measure(measure) => {
                self.answer(number, measure);
                return Err(None);
            }
            Inner::Message(_) | Inner::Dummy => return Err(None),
        };
        let spd = self.routing.spd.as_ref().ok_or(DropReason::NoPolicy)?;
        let site = self.routing.sites.get(number.0).copied().flatten().ok_or(DropReason::NoPolicy)?;
        let verdict = spd.arrival(site, packet)?;
        marking::merge(packet, arrival.ecn)?;
        if mss::opens_connection(packet) {
            mss::clamp(packet, peer.mtu, Checksum::Complete);
        }
        if let Arrival::Relay(to) = verdict {
            hop::take(packet)?;
            relay.offer(number, self.routing.peer_of(to).ok_or(DropReason::NoSa)?, packet)?;
        }
        peer.traffic.count(packet.len());
        match verdict {
            Arrival::Here => Ok(start..start.saturating_add(packet.len())),
            Arrival::Relay(_) => Err(None),
        }
    }

    /// Says how much has come, or hands on what the peer says.
    fn answer(&mut self, number: PeerNumber, measure: Measure) {
        let Some(peer) = self.peers.get(number) else { return };
        if !peer.questions.take(self.now) {
            return;
        }
        match measure {
            Measure::Ask(token) => {
                let (sent, came) = peer.inbound.arrived().unwrap_or_default();
                let micros = u64::try_from(self.now.as_micros()).unwrap_or(u64::MAX);
                let measure = Measure::Tally(token, Tally { sent, came, octets: peer.octets, micros });
                self.outward.send(OutOrder::Measure { peer: number, measure });
            }
            Measure::Tally(token, tally) => tell(&self.events, KeyEvent::Tally(token, tally, Instant::now())),
        }
    }

    fn deliver(&mut self, arena: &[u8], frames: &Coalescer) {
        for frame in frames.frames(arena) {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let parts = std::iter::once(frame.head()).chain(frame.rest());
            let mut count = 0usize;
            for (slice, part) in slices.iter_mut().zip(parts) {
                *slice = IoSlice::new(part);
                count = count.saturating_add(1);
            }
            if rustix::io::writev(&*self.tun, slices.get(..count).unwrap_or_default()).is_err() {
                self.refused_by_kernel = self.refused_by_kernel.saturating_add(1);
            }
        }
    }

    fn obey(&mut self, order: InOrder) {
        match order {
            InOrder::Policy(routing) => self.routing = routing,
            InOrder::Install { peer, epoch, keys, done } => {
                // Who gave the order may have given up waiting.
                let _ = done.send(self.install(peer, epoch, keys));
            }
            InOrder::DrainBefore { peer, epoch } => {
                let now = self.origin.elapsed();
                if let Some(peer) = self.peers.get(peer) {
                    peer.inbound.drain_before(now, epoch);
                }
            }
            InOrder::Clear(clear) => self.clear = clear,
            InOrder::Block(peer) => {
                self.clear = self.clear.take().map(|clear| Arc::new(clear.without(peer)));
                if let Some(peer) = self.peers.get(peer) {
                    peer.inbound.block();
                }
                self.by_spi.retain(|_, owner| *owner != peer);
            }
            InOrder::Address { peer, at } => {
                if let Some(peer) = self.peers.get(peer) {
                    peer.address = Some(at);
                }
            }
            InOrder::Mtu { peer, mtu } => {
                if let Some(peer) = self.peers.get(peer) {
                    peer.mtu = mtu;
                }
            }
            InOrder::Report(done) => {
                let _ = done.send(self.report());
            }
            InOrder::Adopt { peer, state } => self.adopt(peer, *state),
            InOrder::HandOver(_) | InOrder::Stop => {}
        }
    }

    fn install(&mut self, peer: PeerNumber, epoch: Epoch, keys: SaKeys) -> Result<(), InstallFailed> {
        let (now, limits, mtu, spi) = (self.origin.elapsed(), self.limits, self.mtu, keys.spi());
        if self.by_spi.contains_key(&spi) {
            return Err(InstallFailed::SpiInUse(spi));
        }
        let half = self.peers.admit(peer, || vacant(limits, mtu)).ok_or(InstallFailed::Cipher)?;
        half.inbound.install(now, epoch, keys).map_err(|_| InstallFailed::Cipher)?;
        self.by_spi.insert(spi, peer);
        self.forget_spis(peer);
        Ok(())
    }

    /// The end of this thread.
    fn hand_over(&mut self, to: &SyncSender<Vec<InboundState>>) {
        let _ = to.send(self.peers.iter().map(|(_, peer)| peer.inbound.hand_over()).collect());
    }

    fn adopt(&mut self, number: PeerNumber, state: InboundState) {
        let (limits, mtu) = (self.limits, self.mtu);
        let taken = state.spis().any(|spi| self.by_spi.contains_key(&spi));
        match Inbound::take_over(state, limits) {
            Ok(inbound) if !taken => {
                self.by_spi.extend(inbound.spis().map(|spi| (spi, number)));
                if let Some(peer) = self.peers.admit(number, || vacant(limits, mtu)) {
                    peer.inbound = inbound;
                }
            }
            _ => tracing::error!(peer = number.0, "what the predecessor received with cannot be used: blocked"),
        }
    }

    /// Keys that are gone leave no SPI behind.
    fn forget_spis(&mut self, peer: PeerNumber) {
        let Some(half) = self.peers.get(peer) else { return };
        let live: Vec<Spi> = half.inbound.spis().collect();
        self.by_spi.retain(|spi, owner| *owner != peer || live.contains(spi));
    }

    fn report(&mut self) -> Report {
        let (now, mut drops, mut peers) = (self.origin.elapsed(), self.drops, Vec::new());
        for (_, peer) in self.peers.iter() {
            drops.add(peer.inbound.counters());
            peers.push(Standing {
                epoch: peer.inbound.epoch(),
                stands_for: peer.trend.stands_for(now),
                traffic: peer.traffic,
                rate: peer.trend.rate(),
                arrived: peer.inbound.arrived(),
                path: None,
            });
        }
        Report { peers, drops, refused_by_kernel: self.refused_by_kernel, in_clear: self.received_in_clear }
    }

    /// Looks at every peer, but not more often than [`TICK`], however much is received: a hub has thousands of them.
    fn tick(&mut self) {
        let now = self.origin.elapsed();
        if now < self.ticked.saturating_add(TICK) {
            return;
        }
        self.ticked = now;
        self.tell_heard(now);
        let mut gone = Vec::new();
        for (number, peer) in self.peers.iter() {
            peer.trend.look(now, peer.inbound.epoch().is_some(), peer.traffic.octets);
            while let Some(event) = peer.inbound.poll(now) {
                match event {
                    InboundEvent::PeerSwitched(epoch) => {
                        self.outward.send(OutOrder::Activate { peer: number, epoch });
                        peer.inbound.drain_before(now, epoch);
                    }
                    InboundEvent::Gone(epoch) => {
                        gone.push(number);
                        tell(&self.events, KeyEvent::Gone(number, epoch));
                    }
                }
            }
        }
        for peer in gone {
            self.forget_spis(peer);
        }
    }
}

/// A peer without keys.
fn vacant(limits: Limits, mtu: usize) -> Peer {
    Peer {
        inbound: Inbound::blocked(limits),
        mtu,
        address: None,
        heard: false,
        strange: Bucket::full(),
        messages: Bucket::full(),
        questions: Bucket::full(),
        octets: 0,
        traffic: Traffic::default(),
        trend: Trend::default(),
    }
}

/// Whom the sending side may believe alive.
impl Inward {
    fn tell_heard(&mut self, now: Duration) {
        if now < self.told_heard.saturating_add(TELL_HEARD) {
            return;
        }
        self.told_heard = now;
        let heard = self.peers.iter().filter_map(|(number, peer)| std::mem::take(&mut peer.heard).then_some(number));
        let heard: Vec<PeerNumber> = heard.collect();
        if !heard.is_empty() {
            self.outward.send(OutOrder::Heard(heard));
        }
    }
}

fn receive(black: &BlackSocket, arena: &mut [u8], metas: &mut [RecvMeta]) -> io::Result<usize> {
    let mut chunks = arena.chunks_exact_mut(BUFFER);
    let mut buffers: [IoSliceMut<'_>; BATCH] =
        std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
    black.receive(&mut buffers, metas)
}

/// Where the datagrams of one GRO batch lie in the arena.
fn datagrams(index: usize, meta: &RecvMeta) -> impl Iterator<Item = Range<usize>> + use<> {
    let (start, stride) = (index * BUFFER, meta.stride.max(1));
    let end = start + meta.len.min(BUFFER);
    (start..end).step_by(stride).map(move |at| at..end.min(at + stride))
}
