//! The data plane: one plain thread a direction, which owns its half of every SA. No lock, no allocation per packet.
//!
//! ```text
//! outward   TUN super-packet → policy → seal each segment → one UDP GSO send a burst
//! inward    UDP GRO batch → SPI → open → policy → coalesce → TUN writes
//!                                            └─ at a hub: batches → outward, sealed anew; never to the TUN
//! ```
//! The control side gives orders through a mailbox that a thread looks into between packets. Counters and keys are the
//! thread's own; a report is a copy, on request.

mod burst;
mod cipher;
pub mod clear;
mod inward;
pub mod mailbox;
mod outward;
mod peers;
mod relay;
mod trend;

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use coloa_link::handover::{InboundState, OutboundState, PathState};
use coloa_link::keys::SaKeys;
use coloa_link::measure::{Measure, Tally, Token};
use coloa_link::path::Message;
use coloa_link::{Counters, Epoch, KeyMaterial, Limits, Padding, SiteIndex, Spd, Spi};

use crate::fault::Fault;
use crate::handover::Halves;
use crate::tun::Tun;
use crate::udp::BlackSocket;
use crate::watch;
use cipher::Cipher;
use clear::Clear;
use mailbox::{Mailbox, mailbox};

/// A peer's place in the tables of the data plane; kept as long as the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerNumber(pub usize);

/// What does not change while the data plane runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long keys serve.
    pub limits: Limits,
    /// What the site says about the paths to its peers.
    pub path: coloa_link::path::Settings,
    /// Whether the inner DSCP goes outside.
    pub copy_dscp: bool,
}

/// How the traffic to one peer is disguised (R33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shaping {
    /// To which sizes packets are padded.
    pub padding: Padding,
    /// A constant rate in kbit/s on the black wire; all packets are then of the largest size.
    pub cover_kilobits: Option<u32>,
}

/// The policy in force, and which peer each of its sites is.
#[derive(Debug, Default)]
pub struct Routing {
    /// Without one nothing passes.
    pub spd: Option<Spd>,
    /// The peers' sites, by peer number.
    pub sites: Vec<Option<SiteIndex>>,
    /// The sites' peers, by site index.
    pub peers: Vec<Option<PeerNumber>>,
}

impl Routing {
    fn peer_of(&self, site: SiteIndex) -> Option<PeerNumber> {
        self.peers.get(usize::try_from(site.0).ok()?).copied().flatten()
    }
}

/// Packets and octets of red traffic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Octets.
    pub octets: u64,
}

impl Traffic {
    fn count(&mut self, octets: usize) {
        self.packets = self.packets.saturating_add(1);
        self.octets = self.octets.saturating_add(octets as u64);
    }
}

/// One direction of one peer, as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The newest epoch in use.
    pub epoch: Option<Epoch>,
    /// For how long it has had keys, or has been without.
    pub stands_for: Duration,
    /// What passed since the daemon started.
    pub traffic: Traffic,
    /// Octets a second, lately.
    pub rate: u64,
    /// Packets of the newest epoch that the peer sent, as far as their numbers show, and those that came; the receiving side
    /// knows it.
    pub arrived: Option<(u64, u64)>,
    /// The way to the peer; the sending side knows it.
    pub path: Option<PathStanding>,
}

/// The black path to one peer, as it stands.
#[derive(Clone, Copy, Debug)]
pub struct PathStanding {
    /// Where the peer is.
    pub address: Option<SocketAddr>,
    /// The largest inner packet that gets there.
    pub mtu: usize,
    /// We send, and nothing authenticated has come from the peer for so long; nothing while it lives or we are idle.
    pub silent_for: Option<Duration>,
    /// Whether the peer sees us at another address than we have; unknown before it has said so.
    pub behind_nat: Option<bool>,
}

/// What one thread has to say.
#[derive(Debug, Default)]
pub struct Report {
    /// By peer number.
    pub peers: Vec<Standing>,
    /// Drops that the link names.
    pub drops: Counters,
    /// Writes that the kernel refused: UDP sends outward, TUN writes inward.
    pub refused_by_kernel: u64,
    /// What passed in clear, by an order (R27).
    pub in_clear: Traffic,
}

/// What happens to the keys of one peer, told to the control side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// A soft limit was passed: negotiate the next epoch.
    RekeyWanted(PeerNumber),
    /// A hard limit was passed: nothing is sent until the next epoch (R26).
    Blocked(PeerNumber),
    /// Old receiving keys are gone (R29).
    Gone(PeerNumber, Epoch),
    /// The peer answers how much has come, to this question; it came now.
    Tally(Token, Tally, Instant),
}

/// Orders to the outward thread.
enum OutOrder {
    Policy(Arc<Routing>),
    Install {
        peer: PeerNumber,
        epoch: Epoch,
        keys: SaKeys,
        to: SocketAddr,
        done: SyncSender<Result<(), InstallFailed>>,
    },
    /// What a predecessor had.
    Adopt {
        peer: PeerNumber,
        state: Box<(OutboundState, PathState)>,
    },
    Activate {
        peer: PeerNumber,
        epoch: Epoch,
    },
    Shape {
        peer: PeerNumber,
        shaping: Shaping,
    },
    Clear(Option<Arc<Clear>>),
    Block(PeerNumber),
    /// Something authenticated came from these.
    Heard(Vec<PeerNumber>),
    /// An authenticated packet, the newest so far, came from another address than the peer's.
    Strange {
        peer: PeerNumber,
        from: SocketAddr,
        octets: usize,
    },
    /// The peer says something about the path.
    Message {
        peer: PeerNumber,
        from: SocketAddr,
        message: Message,
    },
    /// A question about the link's quality, or its answer.
    Measure {
        peer: PeerNumber,
        measure: Measure,
    },
    /// So many dummies.
    Fill {
        peer: PeerNumber,
        count: u32,
    },
    Report(SyncSender<Report>),
    /// The end, for a successor that goes on: by peer number.
    HandOver(SyncSender<Vec<(OutboundState, PathState)>>),
    Stop,
}

/// Orders to the inward thread.
enum InOrder {
    Policy(Arc<Routing>),
    Install {
        peer: PeerNumber,
        epoch: Epoch,
        keys: SaKeys,
        done: SyncSender<Result<(), InstallFailed>>,
    },
    /// What a predecessor had.
    Adopt {
        peer: PeerNumber,
        state: Box<InboundState>,
    },
    DrainBefore {
        peer: PeerNumber,
        epoch: Epoch,
    },
    Clear(Option<Arc<Clear>>),
    Block(PeerNumber),
    /// The peer is here now.
    Address {
        peer: PeerNumber,
        at: SocketAddr,
    },
    /// Its path carries inner packets of this size.
    Mtu {
        peer: PeerNumber,
        mtu: usize,
    },
    Report(SyncSender<Report>),
    /// The end, for a successor that goes on: by peer number.
    HandOver(SyncSender<Vec<InboundState>>),
    Stop,
}

/// Why keys were not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallFailed {
    /// Another link receives on this SPI: negotiate another epoch.
    SpiInUse(Spi),
    /// The cipher provider refused the key.
    Cipher,
    /// The thread does not answer.
    Silent,
}

/// How long an order may take; a burst takes microseconds.
const ORDER_DEADLINE: Duration = Duration::from_secs(5);

/// The control side's hold on the data plane.
pub struct Plane {
    outward: Mailbox<OutOrder>,
    inward: Mailbox<InOrder>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    origin: Instant,
    /// Open until [`Self::stop`], whatever becomes of the threads.
    sockets: Mutex<Option<Sockets>>,
}

/// The red and the black end.
pub type Sockets = (Arc<Tun>, Arc<BlackSocket>);

impl Plane {
    /// Starts both threads, blocked and without policy: nothing passes yet. `age`: of the timeline, where it is a predecessor's.
    pub fn start(
        (tun, black): (Tun, BlackSocket),
        settings: Settings,
        age: Duration,
    ) -> Result<(Self, Receiver<KeyEvent>), Fault> {
        let (tun, black) = (Arc::new(tun), Arc::new(black));
        let sockets = Mutex::new(Some((tun.clone(), black.clone())));
        let (events, heard) = channel();
        let now = Instant::now();
        let origin = now.checked_sub(age).unwrap_or(now);
        let words = |e: std::io::Error| Fault::Tun { name: "data plane".into(), why: e.to_string() };
        let (feeder, drain) = relay::relay();
        let (outward, out_box) = mailbox().map_err(words)?;
        let (inward, in_box) = mailbox().map_err(words)?;
        let sender =
            outward::Outward::new(tun.clone(), black.clone(), settings, origin, events.clone(), inward.clone());
        let receiver = inward::Inward::new(tun, black, settings, origin, events, outward.clone());
        let threads = vec![
            spawn("outward", move || sender.run(&out_box, &drain)).map_err(words)?,
            spawn("inward", move || receiver.run(&in_box, feeder)).map_err(words)?,
        ];
        Ok((Self { outward, inward, threads: Mutex::new(threads), origin, sockets }, heard))
    }

    /// Puts a policy in force, in both directions.
    pub fn set_policy(&self, routing: Arc<Routing>) {
        self.outward.send(OutOrder::Policy(routing.clone()));
        self.inward.send(InOrder::Policy(routing));
    }

    /// Follows an order that lets some peers talk in clear, or none any more (R27).
    pub fn set_clear(&self, clear: Option<Arc<Clear>>) {
        self.outward.send(OutOrder::Clear(clear.clone()));
        self.inward.send(InOrder::Clear(clear));
    }

    /// Disguises the traffic to a peer from now on. The peer needs nothing for it: every receiver drops dummies and cuts padding.
    pub fn shape(&self, peer: PeerNumber, shaping: Shaping) {
        self.outward.send(OutOrder::Shape { peer, shaping });
    }

    /// Receives on the new epoch from now on, and stages it for sending. The peer is at `to` unless it is known to be elsewhere:
    /// then `to` is challenged first.
    pub fn install(&self, peer: PeerNumber, keys: KeyMaterial, to: SocketAddr) -> Result<(), InstallFailed> {
        let epoch = keys.epoch();
        let (outbound, inbound) = keys.split();
        let (done, wait) = sync_channel(1);
        self.inward.send(InOrder::Install { peer, epoch, keys: inbound, done });
        wait.recv_timeout(ORDER_DEADLINE).unwrap_or(Err(InstallFailed::Silent))?;
        let (done, wait) = sync_channel(1);
        self.outward.send(OutOrder::Install { peer, epoch, keys: outbound, to, done });
        wait.recv_timeout(ORDER_DEADLINE).unwrap_or(Err(InstallFailed::Silent))
    }

    /// Goes on with what a predecessor had of this peer.
    pub fn adopt(&self, peer: PeerNumber, halves: Halves) {
        let Halves { outbound, inbound, path } = halves;
        self.inward.send(InOrder::Adopt { peer, state: Box::new(inbound) });
        self.outward.send(OutOrder::Adopt { peer, state: Box::new((outbound, path)) });
    }

    /// Ends both threads and moves out what they had, by peer number, with the age of their timeline.
    pub fn hand_over(&self) -> (Duration, Vec<Halves>) {
        let (done, inw) = sync_channel(1);
        self.inward.send(InOrder::HandOver(done));
        let inbound = inw.recv_timeout(ORDER_DEADLINE).unwrap_or_default();
        // After the receiving half, which may have told the sending half something.
        let (done, out) = sync_channel(1);
        self.outward.send(OutOrder::HandOver(done));
        let outbound = out.recv_timeout(ORDER_DEADLINE).unwrap_or_default();
        let whole = |((outbound, path), inbound)| Halves { outbound, inbound, path };
        (self.origin.elapsed(), outbound.into_iter().zip(inbound).map(whole).collect())
    }

    /// The TUN interface and the UDP socket, until [`Self::stop`].
    pub fn sockets(&self) -> Option<Sockets> {
        self.sockets.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// The peer receives on `epoch`: send on it, and let older ones drain.
    pub fn activate(&self, peer: PeerNumber, epoch: Epoch) {
        self.outward.send(OutOrder::Activate { peer, epoch });
        self.inward.send(InOrder::DrainBefore { peer, epoch });
    }

    /// Drops every key of the peer (R31).
    pub fn block(&self, peer: PeerNumber) {
        self.outward.send(OutOrder::Block(peer));
        self.inward.send(InOrder::Block(peer));
    }

    /// Asks a peer how much has come to it.
    pub fn measure(&self, peer: PeerNumber, measure: Measure) {
        self.outward.send(OutOrder::Measure { peer, measure });
    }

    /// Sends it so many dummies.
    pub fn fill(&self, peer: PeerNumber, count: u32) {
        self.outward.send(OutOrder::Fill { peer, count });
    }

    /// What both threads have to say: outward, inward.
    pub fn report(&self) -> (Report, Report) {
        let (done, out) = sync_channel(1);
        self.outward.send(OutOrder::Report(done));
        let (done, inw) = sync_channel(1);
        self.inward.send(InOrder::Report(done));
        let wait = |r: Receiver<Report>| r.recv_timeout(ORDER_DEADLINE).unwrap_or_default();
        (wait(out), wait(inw))
    }

    /// Ends both threads; keys, TUN and sockets go with them.
    pub fn stop(&self) {
        self.outward.send(OutOrder::Stop);
        self.inward.send(InOrder::Stop);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(|e| e.into_inner()));
        for thread in threads {
            let _ = thread.join();
        }
        *self.sockets.lock().unwrap_or_else(|e| e.into_inner()) = None;
    }
}

/// Data-plane threads keep no right at all: what they need they hold open.
fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    watch::spawn_until(name, move || {
        let dropped = crate::privileges::drop_all();
        match &dropped {
            Ok(()) => body(),
            Err(why) => tracing::error!(%why, "a data-plane thread cannot give up its rights"),
        }
        dropped.is_ok()
    })
}

fn tell(events: &Sender<KeyEvent>, event: KeyEvent) {
    // The control side only goes away when the daemon ends.
    let _ = events.send(event);
}
