//! The control side: who is dialled, who is accepted, when keys are renewed, whose link is cut.
//!
//! Every thread here lives in the black namespace and keeps no capability. Both ends may dial; when they do so at once, the
//! connection of the larger identity goes first. A connection that ends takes no key with it: the link lives on, and a
//! new connection brings the next epoch.

mod accept;
mod channel;
mod dial;
mod guard;
mod message;
mod negotiate;
mod peer;

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use coloa_link::Prefix;

use crate::admission::Admission;
use crate::config::Config;
use crate::data::{KeyEvent, PeerNumber, Plane, Routing};
use crate::policy::serial::SerialStore;
use crate::tls::Tls;
use crate::watch;
use channel::Channel;
use message::Message;
pub use peer::Peer;

/// A side that hears nothing for so long says that it lives.
const ALIVE_AFTER: Duration = Duration::from_secs(5);
/// Such silences in a row that end a session.
const SILENCES: u32 = 4;

/// Everything that the control threads share.
pub struct Control {
    /// The site's configuration.
    pub config: Config,
    /// Trust and policy.
    pub admission: Arc<Admission>,
    /// The data plane.
    pub plane: Plane,
    tls: Tls,
    serials: SerialStore,
    routes: Sender<Vec<Prefix>>,
    peers: Mutex<Vec<Arc<Peer>>>,
    stopping: AtomicBool,
}

/// What the control side is made of.
pub struct Parts {
    /// The site's configuration.
    pub config: Config,
    /// Trust and policy.
    pub admission: Arc<Admission>,
    /// The data plane.
    pub plane: Plane,
    /// TLS with our key.
    pub tls: Tls,
    /// The memory of policy serials.
    pub serials: SerialStore,
    /// To whoever keeps the red routes.
    pub routes: Sender<Vec<Prefix>>,
}

impl Control {
    /// Nobody is dialled or accepted yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { config, admission, plane, tls, serials, routes } = parts;
        let (peers, stopping) = (Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { config, admission, plane, tls, serials, routes, peers, stopping })
    }

    /// Starts all threads; call it in the black namespace, where they stay.
    pub fn start(self: &Arc<Self>, listener: TcpListener, events: Receiver<KeyEvent>) -> std::io::Result<()> {
        self.apply_policy();
        let control = self.clone();
        watched("accept", move || accept::run(&control, &listener))?;
        let control = self.clone();
        watched("guard", move || guard::run(&control))?;
        let control = self.clone();
        watched("key-events", move || control.hear(&events))
    }

    /// Ends all sessions and lets the threads end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        for peer in self.peers().iter() {
            peer.stop();
        }
    }

    /// All peers ever known.
    pub fn peers(&self) -> MutexGuard<'_, Vec<Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Brings peers, data plane and red routes in step with the policy in force.
    fn apply_policy(self: &Arc<Self>) {
        let granted = self.admission.peers();
        let mut peers = self.peers();
        for (_, name, identity) in &granted {
            if !peers.iter().any(|p| &p.identity == identity) {
                let peer = Arc::new(Peer::new(PeerNumber(peers.len()), *identity, name.clone()));
                peers.push(peer.clone());
                self.plane.shape(peer.number, self.config.shaping(name));
                self.start_dialler(peer);
            }
        }
        let site_of = |peer: &Peer| granted.iter().find(|(_, _, identity)| *identity == peer.identity).map(|g| g.0);
        let sites: Vec<_> = peers.iter().map(|peer| site_of(peer)).collect();
        for (peer, site) in peers.iter().zip(&sites) {
            peer.grant(site.is_some());
            if site.is_none() {
                self.plane.block(peer.number);
            }
        }
        let policy = self.admission.policy();
        let last = sites.iter().flatten().filter_map(|site| usize::try_from(site.0).ok()).max();
        let mut by_site = vec![None; last.map_or(0, |last| last.saturating_add(1))];
        for (number, site) in sites.iter().enumerate() {
            let place = site.and_then(|s| by_site.get_mut(usize::try_from(s.0).ok()?));
            if let Some(place) = place {
                *place = Some(PeerNumber(number));
            }
        }
        let networks = policy.as_ref().iter().flat_map(|spd| spd.peers()).flat_map(|(_, site)| site.prefixes.clone());
        // The keeper of the routes ends only with the daemon.
        let _ = self.routes.send(networks.collect());
        self.plane.set_policy(Arc::new(Routing { spd: policy.as_ref().clone(), sites, peers: by_site }));
    }

    fn start_dialler(self: &Arc<Self>, peer: Arc<Peer>) {
        let control = self.clone();
        if let Err(why) = watched("dial", move || dial::run(&control, &peer)) {
            tracing::error!(%why, "no thread to dial a peer");
        }
    }

    fn hear(&self, events: &Receiver<KeyEvent>) {
        for event in events {
            let number = match event {
                KeyEvent::RekeyWanted(number) | KeyEvent::Blocked(number) | KeyEvent::Gone(number, _) => number,
            };
            let peer = self.peers().get(number.0).cloned();
            let Some(peer) = peer else { continue };
            match event {
                KeyEvent::RekeyWanted(_) => peer.want_rekey(),
                KeyEvent::Blocked(_) => {
                    tracing::error!(peer = peer.name, "the key's limit is reached without a successor: blocked");
                    peer.want_rekey();
                }
                KeyEvent::Gone(_, epoch) => {
                    tracing::info!(peer = peer.name, epoch = epoch.0, "old keys are gone");
                }
            }
        }
    }

    /// Keeps a session until it ends: says that we live, hears that the peer does.
    fn keep(&self, peer: &Peer, mut channel: Channel, session: u64) {
        let mut silences = 0u32;
        let why = loop {
            match channel.receive(ALIVE_AFTER) {
                Ok(Message::Alive) => silences = 0,
                Ok(other) => break format!("the peer said {other:?} in mid-session"),
                Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {
                    silences = silences.saturating_add(1);
                    if silences >= SILENCES {
                        break "the peer is silent".into();
                    }
                    if let Err(e) = channel.send(Message::Alive, ALIVE_AFTER) {
                        break format!("the control connection ended: {e}");
                    }
                }
                Err(e) => break format!("the control connection ended: {e}"),
            }
        };
        channel.close();
        if peer.leave_session(session, &why) && !self.is_stopping() {
            tracing::warn!(peer = peer.name, why, "control connection lost; the link lives on and is dialled anew");
        }
    }
}

/// Starts a thread that the daemon cannot do without.
fn watched(name: &'static str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    watch::spawn(name, body).map(|_| ())
}

/// Starts a thread that serves one connection: its panic is that connection's end.
fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body).map(|_| ())
}
