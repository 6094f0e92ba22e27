//! The control side: who is dialled, who is accepted, when keys are renewed, whose link is cut.
//!
//! Everything that waits for the network is a task on a small runtime; what computes for long or waits for the token is done
//! by bounded threads ([`Workers`]); the guard and the ear for key events are threads that the daemon cannot do without. All
//! of them live in the black namespace, keep no capability, and give way to those that forward packets. Both ends may dial;
//! when they do so at once, the connection of the larger identity goes first. A connection that ends takes no key with it: the
//! link lives on, and a new connection brings the next epoch.

mod accept;
mod addresses;
pub mod bypass;
mod channel;
mod dial;
mod guard;
pub mod handing;
pub mod measure;
mod message;
mod negotiate;
mod peer;
mod places;
pub mod reload;
mod session;
mod succession;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard};
use std::time::Duration;

use aws_lc_rs::rand;
use coloa_link::{Prefix, SiteIndex};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, watch};

use crate::admission::{self, Admission, Shown};
use crate::blame::{Ourselves, OwnCertificate};
use crate::config::Config;
use crate::data::{KeyEvent, PeerNumber, Plane, Routing};
use crate::handover::Inherited;
use crate::identity::Identity;
use crate::keyholder::client::Keyholder;
use crate::policy::received::Sources;
use crate::policy::serial::SerialStore;
use crate::tls::Tls;
use crate::workers::{MAX_THREADS, Workers};
use crate::{privileges, watch as watched_tasks};
use addresses::Addresses;
use handing::Held;
use measure::{Answer, Tester};
pub use peer::Peer;
use reload::{Directory, Pending};

/// Threads for tasks, which only wait, count and copy: one would do but for a task that is slow for once.
const TASK_THREADS: usize = 2;

/// Everything that the control side shares.
pub struct Control {
    /// The site's configuration, as it was when the daemon started.
    pub config: Config,
    /// The file it came from.
    path: PathBuf,
    /// Trust and policy.
    pub admission: Arc<Admission>,
    /// The data plane.
    pub plane: Plane,
    /// The token's keeper.
    pub keyholder: Keyholder,
    tls: Tls,
    serials: SerialStore,
    routes: Sender<Vec<Prefix>>,
    workers: Workers,
    /// The signed policy as it is handed on.
    held: watch::Sender<Held>,
    directory: RwLock<Directory>,
    pending: Mutex<Pending>,
    bypass: Mutex<Option<bypass::Shown>>,
    wish: AtomicBool,
    /// Measures links on request.
    pub tester: Tester,
    addresses: Mutex<Addresses>,
    peers: Mutex<Roll>,
    /// Links of a predecessor, until the policy has said which of them go on.
    inherited: Mutex<HashMap<Identity, Inherited>>,
    runtime: OnceLock<Handle>,
    stopping: AtomicBool,
    stopped: Notify,
}

/// All peers ever known: by number, and by who they are.
#[derive(Default)]
struct Roll {
    all: Vec<Arc<Peer>>,
    by_identity: HashMap<Identity, PeerNumber>,
}

/// What the control side is made of.
pub struct Parts {
    /// The site's configuration.
    pub config: Config,
    /// The file it came from.
    pub path: PathBuf,
    /// Trust and policy.
    pub admission: Arc<Admission>,
    /// The signed policy.
    pub held: Held,
    /// The data plane.
    pub plane: Plane,
    /// The token's keeper.
    pub keyholder: Keyholder,
    /// TLS with our key.
    pub tls: Tls,
    /// The memory of policy serials.
    pub serials: SerialStore,
    /// To whoever keeps the red routes.
    pub routes: Sender<Vec<Prefix>>,
    /// Links of a predecessor.
    pub inherited: Vec<Inherited>,
}

impl Control {
    /// Nobody is dialled or accepted yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { config, path, admission, held, plane, keyholder, tls, serials, routes, inherited } = parts;
        let inherited = inherited.into_iter().map(|link| (Identity(link.identity), link)).collect();
        let directory = Directory::new(&config.peer);
        let addresses = Mutex::new(Addresses::new(directory.endpoints().map(|endpoint| endpoint.ip())));
        Arc::new(Self {
            config,
            path,
            admission,
            plane,
            keyholder,
            tls,
            serials,
            routes,
            workers: Workers::new(),
            held: watch::Sender::new(held),
            directory: RwLock::new(directory),
            pending: Mutex::default(),
            bypass: Mutex::default(),
            wish: AtomicBool::new(false),
            tester: Tester::default(),
            addresses,
            peers: Mutex::default(),
            inherited: Mutex::new(inherited),
            runtime: OnceLock::new(),
            stopping: AtomicBool::new(false),
            stopped: Notify::new(),
        })
    }

    /// Starts the runtime, the guard and the ear for key events; call it in the black namespace, where they stay, and then
    /// [`Self::serve`].
    pub fn start(self: &Arc<Self>, events: Receiver<KeyEvent>) -> std::io::Result<Runtime> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(TASK_THREADS)
            .max_blocking_threads(MAX_THREADS)
            .thread_name("control")
            .on_thread_start(privileges::yield_to_packets)
            .enable_all()
            .build()?;
        let handle = self.runtime.get_or_init(|| runtime.handle().clone());
        // What is started from here on finds the runtime.
        let _inside = handle.enter();
        self.apply_policy();
        self.drop_inherited();
        let control = self.clone();
        watched("guard", move || guard::run(&control))?;
        let control = self.clone();
        watched("key-events", move || control.hear(&events))?;
        Ok(runtime)
    }

    /// Accepts on the calling thread until the daemon ends.
    pub fn serve(self: &Arc<Self>, runtime: Runtime, listener: TcpListener) -> std::io::Result<()> {
        let accepting = async {
            let listener = accept::listener(listener)?;
            tokio::select! {
                () = accept::run(self.clone(), listener) => {}
                () = self.stopped.notified() => {}
            }
            Ok(())
        };
        let served = runtime.block_on(accepting);
        // A thread may wait for the token: nobody waits for that thread.
        runtime.shutdown_background();
        served
    }

    /// Ends all sessions and lets the threads end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        for peer in self.peers() {
            peer.stop();
        }
        self.stopped.notify_one();
    }

    /// All peers ever known, by number.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.roll().all.clone()
    }

    fn roll(&self) -> MutexGuard<'_, Roll> {
        self.peers.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn peer(&self, identity: &Identity) -> Option<Arc<Peer>> {
        let roll = self.roll();
        let number = roll.by_identity.get(identity)?;
        roll.all.get(number.0).cloned()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Where the peer of this site name is, if the configuration says.
    fn endpoint(&self, site: &str) -> Option<SocketAddr> {
        self.directory().endpoint(site)
    }

    fn sources(&self) -> Sources<'_> {
        Sources::of(&self.config)
    }

    /// The signed policy in force.
    fn held(&self) -> Held {
        self.held.borrow().clone()
    }

    /// Hands this one on from now on; the peers are told.
    fn hold(&self, held: Held) {
        self.held.send_if_modified(|now| {
            let newer = now.serial != held.serial;
            *now = held;
            newer
        });
    }

    fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(|e| e.into_inner())
    }

    /// What this device knows of itself, to find who is to blame.
    pub fn ourselves(&self) -> Ourselves {
        let verdict = self.admission.trust().verify(&self.tls.own.chain(), Shown::AsClient.usage(), admission::now());
        Ourselves { token_away: self.keyholder.away().is_some(), certificate: OwnCertificate::of(&verdict) }
    }

    /// Has the files looked at even if nothing says that they changed.
    pub fn look_again(&self) {
        self.wish.store(true, Ordering::Relaxed);
    }

    fn take_wish(&self) -> bool {
        self.wish.swap(false, Ordering::Relaxed)
    }

    /// How the configuration file stands to what is in force.
    pub fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The bypass order in force.
    pub fn bypass(&self) -> MutexGuard<'_, Option<bypass::Shown>> {
        self.bypass.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Puts other `[[peer]]` entries in force: only what differs is touched.
    fn set_directory(self: &Arc<Self>, new: Directory) {
        let old = {
            let mut directory = self.directory.write().unwrap_or_else(|e| e.into_inner());
            if *directory == new {
                return;
            }
            std::mem::replace(&mut *directory, new)
        };
        let new = self.directory().clone();
        let ips = |directory: &Directory| directory.endpoints().map(|endpoint| endpoint.ip()).collect::<Vec<_>>();
        self.addresses.lock().unwrap_or_else(|e| e.into_inner()).reconfigure(&ips(&old), &ips(&new));
        for peer in self.peers() {
            if new.shaping(&peer.name) != old.shaping(&peer.name) {
                self.plane.shape(peer.number, new.shaping(&peer.name));
            }
            if new.endpoint(&peer.name) != old.endpoint(&peer.name) {
                tracing::info!(peer = peer.name, endpoint = ?new.endpoint(&peer.name), "the [[peer]] entry has changed");
                self.direct(&peer, new.endpoint(&peer.name));
            }
        }
    }

    /// Whether a peer is configured at this address, or was there when it was last admitted.
    fn knows(&self, address: IpAddr) -> bool {
        self.addresses.lock().unwrap_or_else(|e| e.into_inner()).knows(address)
    }

    fn remember(&self, peer: PeerNumber, address: IpAddr) {
        self.addresses.lock().unwrap_or_else(|e| e.into_inner()).remember(peer, address);
    }

    /// Brings peers, data plane and red routes in step with the policy in force.
    fn apply_policy(self: &Arc<Self>) {
        let granted = self.admission.peers();
        self.enroll(&granted);
        let site_of: HashMap<Identity, SiteIndex> =
            granted.iter().map(|(site, _, identity)| (*identity, *site)).collect();
        let peers = self.peers();
        let sites: Vec<_> = peers.iter().map(|peer| site_of.get(&peer.identity).copied()).collect();
        for (peer, site) in peers.iter().zip(&sites) {
            peer.grant(*site);
            if site.is_none() {
                self.plane.block(peer.number);
            }
        }
        let policy = self.admission.policy();
        let networks =
            policy.as_ref().iter().flat_map(|spd| spd.reachable()).flat_map(|(_, site)| site.prefixes.clone());
        let mut networks: Vec<Prefix> = networks.collect();
        networks.sort_unstable();
        networks.dedup();
        // The keeper of the routes ends only with the daemon.
        let _ = self.routes.send(networks);
        let by_site = invert(&sites);
        self.plane.set_policy(Arc::new(Routing { spd: policy.as_ref().clone(), sites, peers: by_site }));
    }

    /// Takes up who is new among the granted, and dials whoever can be dialled.
    fn enroll(self: &Arc<Self>, granted: &[(SiteIndex, String, Identity)]) {
        let mut roll = self.roll();
        for (_, name, identity) in granted {
            if roll.by_identity.contains_key(identity) {
                continue;
            }
            let (number, endpoint) = (PeerNumber(roll.all.len()), self.endpoint(name));
            let peer = Arc::new(Peer::new(number, *identity, name.clone()));
            roll.all.push(peer.clone());
            roll.by_identity.insert(*identity, number);
            self.inherit(&peer);
            self.plane.shape(number, self.directory().shaping(name));
            self.direct(&peer, endpoint);
        }
    }

    /// Dials the peer here from now on, or no more.
    fn direct(self: &Arc<Self>, peer: &Arc<Peer>, endpoint: Option<SocketAddr>) {
        let needs_dialler = peer.direct(endpoint);
        match self.runtime.get().filter(|_| needs_dialler) {
            Some(runtime) => drop(runtime.spawn(watched_tasks::task("dial", dial::run(self.clone(), peer.clone())))),
            None => tracing::debug!(peer = peer.name, "no [[peer]] endpoint: this peer has to dial us"),
        }
    }

    fn hear(&self, events: &Receiver<KeyEvent>) {
        for event in events {
            let number = match event {
                KeyEvent::RekeyWanted(number) | KeyEvent::Blocked(number) | KeyEvent::Gone(number, _) => number,
                KeyEvent::Tally(token, tally, at) => {
                    self.tester.heard(Answer { token, tally, at });
                    continue;
                }
            };
            let peer = self.roll().all.get(number.0).cloned();
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
                KeyEvent::Tally(..) => {}
            }
        }
    }
}

/// The peers by site, from the sites by peer.
fn invert(sites: &[Option<SiteIndex>]) -> Vec<Option<PeerNumber>> {
    let place = |site: SiteIndex| usize::try_from(site.0).ok();
    let last = sites.iter().flatten().filter_map(|site| place(*site)).max();
    let mut by_site = vec![None; last.map_or(0, |last| last.saturating_add(1))];
    for (number, site) in sites.iter().enumerate() {
        if let Some(slot) = site.and_then(place).and_then(|at| by_site.get_mut(at)) {
            *slot = Some(PeerNumber(number));
        }
    }
    by_site
}

/// Starts a thread that the daemon cannot do without.
fn watched(name: &'static str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    watched_tasks::spawn(name, body).map(|_| ())
}

/// A random part of `whole`, so that what began at once does not go on at once.
fn wobble(whole: Duration) -> Duration {
    let mut octets = [0; 2];
    // Without randomness there is no TLS either; here it costs only the spreading.
    let _ = rand::fill(&mut octets);
    whole.mul_f64(f64::from(u16::from_be_bytes(octets)) / f64::from(u16::MAX))
}
