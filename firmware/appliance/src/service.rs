//! The appliance as a whole: what its threads share, how it starts, and how it stops.

use crate::authority::Authority;
use crate::channels::Channels;
use crate::config::{Config, Level, Limits};
use crate::fault::Fault;
use crate::figures::{Pulse, Room};
use crate::listener::{self, Reserved};
use crate::metrics::{Metrics, Now};
use crate::notify::Notifier;
use crate::rate::{Account, Accounts};
use crate::release::Release;
use crate::sandbox::Walls;
use crate::spin::Crowd;
use crate::tamper::{LOOK, Lines};
use crate::workers::Pools;
use crate::{channel, figures, local, memory, reload, sandbox, scrape, tls};
use arc_swap::ArcSwap;
use coloa_engine::{Peer, Platform};
use coloa_host::{HostEngine, Sharing};
use coloa_wire::command::Lifecycle;
use coloa_wire::hello::Body;
use parking_lot::Mutex;
use rustix::net::Shutdown;
use rustls::ServerConfig;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often key uses are brought into the audit log.
const TICK: Duration = Duration::from_millis(50);
/// Ticks between two looks at the write-ahead log and at the channels' certificates: a second.
const SECOND_TICKS: u64 = 20;
/// Ticks between two looks at the server's certificate: an hour.
const RENEW_TICKS: u64 = 72_000;
/// Failures of strangers that are told in a second, and at once.
const COMPLAINTS: (u32, u32) = (5, 50);
/// How long calls under way may take when the service stops.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// What every thread shares.
pub(crate) struct Service {
    engine: Arc<HostEngine>,
    config: Config,
    metrics: Metrics,
    channels: Channels,
    pools: Pools,
    accounts: Accounts,
    complaints: Account,
    crowd: Crowd,
    port: Mutex<Port>,
    walls: Walls,
    release: Release,
    is_locked: bool,
    notifier: Notifier,
    pulse: Pulse,
    limits: ArcSwap<Limits>,
    stopping: AtomicBool,
    zeroized: AtomicBool,
    tampered: AtomicBool,
    /// Ends the wait for signals.
    end: Handle,
}

/// How the service came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It was asked to stop.
    Stopped,
    /// The device was zeroized (R14): it starts as one that was just manufactured.
    Zeroized,
    /// The device was tampered with (R15): it starts without keys, and refuses until a quorum has it return.
    Tampered,
}

/// The TLS port.
enum Port {
    /// The device is not initialised.
    Closed(Reserved),
    Open(Open),
    /// It could not be opened; why.
    Failed(String),
}

struct Open {
    listener: Arc<TcpListener>,
    address: SocketAddr,
    tls: Arc<ServerConfig>,
    authority: Arc<Authority>,
}

/// Serves until SIGTERM or SIGINT, or until the device is zeroized, then stops gracefully; at SIGHUP it reads its configuration
/// again and may ask for another level of the log.
///
/// # Errors
/// [`Fault`]: why it does not start.
pub fn run(config: Config, set_level: &dyn Fn(Level)) -> Result<End, Fault> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|e| Fault::System(e.to_string()))?;
    let is_locked = memory::keep_private().inspect_err(|why| {
        tracing::warn!(%why, "memory is not locked: secrets may reach the swap. Raise LimitMEMLOCK.");
    });
    let is_locked = is_locked.is_ok();
    memory::allow_connections(config.limits.connections);
    let release = Release::of(&config)?;
    let lines = Lines::open(&config.tamper)?;
    let engine = Arc::new(coloa_host::open(&config.directory, Body::Appliance, Sharing::Exclusive)?);
    let port = Port::Closed(Reserved::take(config.listen)?);
    let socket = local::Socket::open(&config.admin_socket)?;
    let scrapes = config.metrics_listen.map(bind_metrics).transpose()?;
    let (notifier, crowd, pools) = (Notifier::connect(), Crowd::new(), Pools::new(config.limits.workers));
    let walls = sandbox::enter(&config.places(), config.sandbox)?;
    let service = Arc::new(Service {
        engine,
        metrics: Metrics::new(),
        channels: Channels::new(config.limits.connections, config.limits.handshakes),
        pools,
        accounts: Accounts::new(),
        complaints: Account::default(),
        crowd,
        port: Mutex::new(port),
        walls,
        release,
        is_locked,
        notifier,
        pulse: Pulse::new(),
        limits: ArcSwap::from_pointee(config.limits),
        stopping: AtomicBool::new(false),
        zeroized: AtomicBool::new(false),
        tampered: AtomicBool::new(false),
        end: signals.handle(),
        config,
    });
    service.set_limits(service.config.limits);
    if service.watch(lines) {
        return Ok(End::Tampered);
    }
    if service.engine.lifecycle() == Lifecycle::Operational {
        service.open_port()?;
    } else {
        let next = match service.engine.lifecycle() {
            Lifecycle::Tampered => "tampered with: only the local socket is open. A quorum has the device return",
            _ => "not initialised: only the local socket is open. `coloa init` comes next",
        };
        tracing::info!("{next}");
    }
    service.start_threads(&socket, scrapes);
    service.notifier.tell("READY=1");
    tracing::info!(socket = %socket.path().display(), "coload serves");
    for signal in signals.forever() {
        match signal {
            SIGHUP => reload::again(&service, set_level),
            _ => break,
        }
    }
    service.notifier.tell("STOPPING=1");
    service.stop(&socket);
    Ok(match (service.tampered.load(Ordering::Acquire), service.zeroized.load(Ordering::Acquire)) {
        (true, _) => End::Tampered,
        (false, true) => End::Zeroized,
        (false, false) => End::Stopped,
    })
}

fn bind_metrics(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address).map_err(|e| listener::fault(e, address, "metrics_listen"))
}

impl Service {
    pub(crate) fn engine(&self) -> &HostEngine {
        &self.engine
    }

    pub(crate) fn channels(&self) -> &Channels {
        &self.channels
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// Whether one more failure of a stranger may stand in the log: strangers do not write it. All are counted.
    pub(crate) fn may_complain(&self) -> bool {
        self.accounts.admits(&self.complaints, COMPLAINTS)
    }

    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    pub(crate) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    pub(crate) fn limits(&self) -> Limits {
        **self.limits.load()
    }

    /// Other limits from now on, for channels that are open too.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
        self.channels.set_limits(limits.connections, limits.handshakes);
        self.pools.commits.resize(limits.workers);
        self.engine.platform().set_pin_delay(limits.pin_delay_ms);
    }

    pub(crate) fn walls(&self) -> Walls {
        self.walls
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.is_locked
    }

    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn max_frame(&self) -> usize {
        self.engine.platform().limits().max_frame
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The device was zeroized: nothing is left to be served.
    pub(crate) fn note_zeroized(&self) {
        self.zeroized.store(true, Ordering::Release);
    }

    /// Ends the service of a device that was zeroized; called once the answer is on its way.
    pub(crate) fn end_if_zeroized(&self) {
        if self.zeroized.load(Ordering::Acquire) {
            self.end.close();
        }
    }

    /// Answers one frame and counts it.
    pub(crate) fn answer(&self, peer: &Peer, frame: &[u8], reply: &mut Vec<u8>) {
        let start = reply.len();
        self.engine.handle(peer, frame, reply);
        let number = |bytes: &[u8]| bytes.get(6..8).and_then(|n| n.try_into().ok()).map_or(0, u16::from_be_bytes);
        let answer = reply.get(start..).unwrap_or_default();
        if frame.get(4) == Some(&(coloa_wire::FrameKind::Call as u8)) {
            self.metrics.answered(number(frame), number(answer));
        }
    }

    pub(crate) fn metrics_text(&self) -> String {
        let (channels, sessions) = (self.channels.count(), self.engine.open_sessions());
        self.metrics.text(&Now {
            channels,
            sessions,
            lifecycle: self.engine.lifecycle(),
            walls: self.walls,
            room: Room::of(&self.config.directory),
            started: figures::started_at(self),
            certificate_ends: self.authority().map_or(0, |(authority, _)| authority.server_ends()),
            waiting: self.pools.waiting(),
        })
    }

    /// What every handshake starts from; `None` while the port is closed.
    pub(crate) fn tls_config(&self) -> Option<Arc<ServerConfig>> {
        match &*self.port.lock() {
            Port::Open(open) => Some(open.tls.clone()),
            Port::Closed(_) | Port::Failed(_) => None,
        }
    }

    /// The channel CA and the address that is open.
    pub(crate) fn authority(&self) -> Option<(Arc<Authority>, SocketAddr)> {
        match &*self.port.lock() {
            Port::Open(open) => Some((open.authority.clone(), open.address)),
            Port::Closed(_) | Port::Failed(_) => None,
        }
    }

    /// Why the port is closed though it should be open.
    pub(crate) fn trouble(&self) -> Option<String> {
        match &*self.port.lock() {
            Port::Failed(why) => Some(why.clone()),
            Port::Open(_) | Port::Closed(_) => None,
        }
    }

    /// Opens the TLS port of an initialised device; does nothing when it is open.
    pub(crate) fn open_port(self: &Arc<Self>) -> Result<(), Fault> {
        let mut port = self.port.lock();
        let reserved = match std::mem::replace(&mut *port, Port::Failed("it is being opened".into())) {
            Port::Closed(reserved) => reserved,
            other => {
                *port = other;
                return Ok(());
            }
        };
        match self.open_reserved(reserved) {
            Ok(open) => {
                tracing::info!(address = %open.address, "TLS port open");
                let (own, listener) = (self.clone(), open.listener.clone());
                *port = Port::Open(open);
                start("accept", move || own.accept(&listener));
                Ok(())
            }
            Err(fault) => {
                *port = Port::Failed(fault.words(coloa_wire::error::Language::English));
                Err(fault)
            }
        }
    }

    fn open_reserved(&self, reserved: Reserved) -> Result<Open, Fault> {
        self.release.enter(&self.engine)?;
        let authority = Arc::new(Authority::open(&self.engine, &self.config.server_names)?);
        let tls = tls::server_config(&authority, self.engine.clone())?;
        let listener = Arc::new(reserved.open()?);
        let address = listener.local_addr().map_err(|e| listener::fault(e, self.config.listen, "listen"))?;
        Ok(Open { listener, address, tls, authority })
    }

    fn start_threads(self: &Arc<Self>, socket: &local::Socket, scrapes: Option<TcpListener>) {
        let own = self.clone();
        start("ticker", move || own.keep_time());
        start("admin", socket.server(self));
        if let Some(listener) = scrapes {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "metrics served");
            }
            let own = self.clone();
            start("metrics", move || scrape::serve(&listener, &own));
        }
    }

    /// Looks at the lines before anything is served, then goes on in a thread of its own. True: one has told already.
    fn watch(self: &Arc<Self>, mut lines: Lines) -> bool {
        if lines.is_empty() {
            return false;
        }
        if self.heeds(&mut lines) {
            return true;
        }
        let own = self.clone();
        start("tamper", move || {
            while !own.is_stopping() && !own.heeds(&mut lines) {
                thread::sleep(LOOK);
            }
        });
        false
    }

    /// What was tampered with already has no keys to lose; its lines count again when it has returned.
    fn heeds(&self, lines: &mut Lines) -> bool {
        if self.engine.lifecycle() == Lifecycle::Tampered {
            return false;
        }
        let Some(sensor) = lines.look() else { return false };
        // In both cases nothing more is served; what could not be destroyed now is at the next start.
        let _ = self.engine.tamper(sensor);
        self.tampered.store(true, Ordering::Release);
        self.end.close();
        true
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while !self.is_stopping() {
            match listener.accept() {
                Ok((socket, _)) => self.serve(Arc::new(socket)),
                Err(_) if self.is_stopping() => return,
                Err(why) => {
                    tracing::warn!(%why, "a connection could not be accepted");
                    thread::sleep(TICK);
                }
            }
        }
    }

    fn serve(self: &Arc<Self>, socket: Arc<TcpStream>) {
        let Some(id) = self.channels.enter(&socket) else {
            self.metrics.refused("too_many");
            return;
        };
        let entered = Entered(self.clone(), id);
        let own = self.clone();
        let started = thread::Builder::new().name("channel".into()).stack_size(channel::STACK).spawn(move || {
            // A closure captures a place, not a value: the whole of it has to be named, or it is dropped with this call.
            let entered = entered;
            channel::serve(&own, socket, entered.1);
        });
        if let Err(why) = started {
            tracing::error!(%why, "no thread for a new channel");
            self.metrics.refused("no_thread");
        }
    }

    fn keep_time(self: &Arc<Self>) {
        let mut ticks: u64 = 0;
        while !self.is_stopping() {
            thread::sleep(TICK);
            self.engine.tick();
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(SECOND_TICKS) {
                self.pulse.beat(self.metrics.totals());
                if self.notifier.is_watched() && figures::engine_answers(self) {
                    self.notifier.tell("WATCHDOG=1");
                }
                self.engine.platform().store().checkpoint_if_idle();
                let now = self.engine.platform().now().0 / 1000;
                self.channels.cut_expired(i64::try_from(now).unwrap_or(i64::MAX));
            }
            if ticks.is_multiple_of(RENEW_TICKS) {
                self.renew_certificate();
            }
        }
    }

    fn renew_certificate(&self) {
        let mut port = self.port.lock();
        let Port::Open(open) = &mut *port else { return };
        if !open.authority.is_due() {
            return;
        }
        let renewed = Authority::open(&self.engine, &self.config.server_names)
            .and_then(|a| Ok((tls::server_config(&a, self.engine.clone())?, Arc::new(a))));
        match renewed {
            Ok((tls, authority)) => (open.tls, open.authority) = (tls, authority),
            Err(fault) => {
                let why = fault.words(coloa_wire::error::Language::English);
                tracing::error!(why, "the server's certificate could not be renewed");
            }
        }
    }

    fn stop(&self, socket: &local::Socket) {
        tracing::info!("stopping: no new calls are taken");
        self.stopping.store(true, Ordering::Release);
        if let Port::Open(open) = &*self.port.lock() {
            // Wakes the thread that accepts.
            let _ = rustix::net::shutdown(&*open.listener, Shutdown::Both);
        }
        socket.close();
        self.channels.stop(STOP_PATIENCE);
        self.engine.flush();
        // R17: the end of the log is signed. Where it cannot be, the next start has it signed in time.
        let _ = self.engine.checkpoint();
        if self.engine.platform().store().checkpoint().is_err() {
            tracing::warn!("the write-ahead log could not be emptied; it is at the next start");
        }
        tracing::info!("stopped");
    }
}

/// A channel's entry, which goes with its thread.
struct Entered(Arc<Service>, u64);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.channels.leave(self.1, &self.0.engine);
    }
}

/// Starts a thread that the service cannot do without.
fn start(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(why) = thread::Builder::new().name(name.into()).spawn(work) {
        tracing::error!(%why, name, "a thread could not be started");
        std::process::exit(1);
    }
}
