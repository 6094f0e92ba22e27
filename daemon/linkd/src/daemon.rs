//! From a configuration to a running daemon, in the order in which a mistake is cheapest, and back to nothing.
//!
//! Nothing passes before the last step: the data plane starts blocked, the policy comes before the first peer.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coloa_link::{Limits, Organ, Prefix, esp};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::admission::{Admission, Trust};
use crate::config::{Config, MetricsAddress, Token};
use crate::control::handing::Held;
use crate::control::{Control, Parts};
use crate::data::{KeyEvent, Plane, Settings};
use crate::fault::Fault;
use crate::handover::Inherited;
use crate::handover::giving::Giver;
use crate::handover::taking::{Predecessor, Taken};
use crate::handover::upgrade::READY;
use crate::identity::{Identity, read_certificates};
use crate::keyholder::client::Keyholder;
use crate::keyholder::process::KeySpec;
use crate::keyholder::sign::TokenKey;
use crate::metrics::Listener;
use crate::neighbours::{self, Far};
use crate::netns::Namespace;
use crate::organ;
use crate::policy;
use crate::policy::received::Sources;
use crate::policy::serial::SerialStore;
use crate::privileges;
use crate::status::Fixed;
use crate::syslog;
use crate::tls::Tls;
use crate::tun::{Routes, Tun};
use crate::udp::{self, BlackSocket};
use crate::watch;

/// Runs until SIGTERM or SIGINT, or until a successor takes over; SIGHUP has the files looked at.
pub fn run(path: &Path, take_over: bool) -> Result<(), Fault> {
    // Before any thread exists, so that none of them is ended by a signal.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|e| system("signals", e))?;
    let config = Config::load(path)?;
    if let Some(log) = &config.log {
        syslog::open(&log.target().map_err(|why| Fault::Config { path: path.to_owned(), why })?)?;
    }
    if let Err(why) = privileges::keep_memory_private() {
        tracing::warn!(%why, "memory is not locked: give CAP_IPC_LOCK and CAP_SYS_RESOURCE, or run without swap");
    }
    privileges::raise_file_limit();
    if take_over {
        // What stands in the way is better said before a PIN is used.
        Predecessor::find(&config)?;
    }
    let running = Running::start(config, path, take_over)?;
    let waiting = running.await_successor(signals.handle());
    privileges::drop_all().map_err(|e| system("privileges", e))?;
    waiting?;
    if take_over {
        // For `upgrade`, which waits for it.
        println!("{READY}");
    }
    let signal = signals.forever().find(|signal| match *signal {
        SIGHUP => {
            running.control.look_again();
            false
        }
        _ => true,
    });
    match signal {
        Some(signal) => tracing::info!(signal, "stopping: the links end, red loses its routes"),
        None => tracing::info!("ending: a successor has the links"),
    }
    running.stop();
    Ok(())
}

/// A daemon at work.
struct Running {
    control: Arc<Control>,
    metrics: Option<MetricsAddress>,
    control_port: TcpListener,
    /// To a successor; its end is that of this process.
    succession: Arc<Mutex<Option<UnixStream>>>,
}

/// The sockets on both sides, and the links of a predecessor.
struct Ends {
    listener: TcpListener,
    black: BlackSocket,
    tun: Tun,
    taken: Option<Taken>,
}

impl Ends {
    fn open(sides: &Sides, config: &Config) -> Result<Self, Fault> {
        let (listener, black) = sides.black.run(|| open_black(config))?;
        let tun = sides.red.run(|| Tun::open(&config.red, inner_mtu(config)))?;
        Ok(Self { listener, black, tun, taken: None })
    }

    /// From here on the predecessor is at its end.
    fn take(config: &Config) -> Result<Self, Fault> {
        let taken = Predecessor::find(config)?.take()?;
        let again = |fd: &OwnedFd| fd.try_clone().map_err(|e| Fault::Handover { why: e.to_string() });
        Ok(Self {
            listener: again(&taken.control_port)?.into(),
            black: BlackSocket::adopt(again(&taken.black)?, config.black.listen)?,
            tun: Tun::adopt(again(&taken.red)?, &config.red)?,
            taken: Some(taken),
        })
    }
}

/// The two sides, and whether they are one.
struct Sides {
    red: Namespace,
    black: Namespace,
    shared: bool,
}

impl Sides {
    fn open(config: &Config) -> Result<Self, Fault> {
        let red = Namespace::open(config.red.namespace.as_deref())?;
        let black = Namespace::open(config.black.namespace.as_deref())?;
        let shared = red.is(&black)?;
        if shared && !config.allow_shared_namespace {
            return Err(Fault::SharedNamespace);
        }
        if shared {
            tracing::warn!(
                namespace = red.name(),
                "red and black share one network namespace: cleartext is NOT kept off the wire; for measuring only"
            );
        }
        Ok(Self { red, black, shared })
    }
}

impl Running {
    fn start(config: Config, path: &Path, take_over: bool) -> Result<Self, Fault> {
        let sides = Sides::open(&config)?;
        let chain = read_certificates(&config.identity.certificate)?;
        let own = own_identity(&config, &chain)?;
        let serials = SerialStore::new(&config.state_dir);
        let trust = Trust::load(&config.identity)?;
        let policy = policy::load(&Sources::of(&config), &trust, &serials)?;
        let held = Held { serial: policy.accepted.serial(), file: policy.file.into() };
        let admission = Arc::new(Admission::new(own, trust, policy.accepted));
        if admission.policy().is_none() {
            tracing::warn!(identity = %own, "the policy does not know this site: everything is blocked");
        }
        warn_of_organ(&admission, chain.first().and_then(organ::of));
        let metrics = config.metrics.as_ref().and_then(|m| MetricsAddress::parse(&m.listen).ok());
        let keyholder = Keyholder::start(key_spec(&config.token)?, config.token.deadline())?;
        let key = TokenKey::new(keyholder.clone(), &leaf(&config, &chain)?)?;
        let tls = Tls::new(key.certified(chain), admission.clone()).map_err(|e| system("TLS", e))?;
        let far = Far::default();
        let open_neighbours = || sides.red.run(|| neighbours::open(&config.red));
        // They need the interface, which is there already when it is taken over: before anything is at stake.
        let early = take_over.then(open_neighbours).transpose()?;
        let Ends { listener, black, tun, taken } = match take_over {
            false => Ends::open(&sides, &config)?,
            true => Ends::take(&config)?,
        };
        let neighbours = early.map_or_else(open_neighbours, Ok)?;
        let control_port = listener.try_clone().map_err(|e| system("control", e))?;
        let fixed = Fixed { shared_namespace: sides.shared, tun_offload: format!("{:?}", tun.offload()) };
        tracing::info!(identity = %own, offload = fixed.tun_offload, segments = black.max_segments(), "ready");
        let age = taken.as_ref().map(|taken| taken.elapsed).unwrap_or_default();
        let (plane, events) = Plane::start((tun, black), settings(&config), age)?;
        for wire in neighbours {
            let far = far.clone();
            spawn("neighbours", move || wire.answer(&far))?;
        }
        let routes = keep_routes(sides.red, config.red.name.clone(), far)?;
        let (inherited, waits) = inheritance(taken);
        let control = Control::new(Parts {
            config,
            path: path.to_owned(),
            admission,
            held,
            plane,
            keyholder,
            tls,
            serials,
            routes,
            inherited,
        });
        start_control(&control, sides.black, listener, events)?;
        // Now that the links go on, there is time for the ports that the predecessor still has.
        waits();
        if let Some(served) = metrics.as_ref().map(Listener::open).transpose()? {
            let control = control.clone();
            spawn("metrics", move || serve_metrics(&served, &control, &fixed))?;
        }
        Ok(Self { control, metrics, control_port, succession: Arc::default() })
    }

    /// Waits on a thread for a successor, and ends the wait for signals when one has everything.
    fn await_successor(&self, end: Handle) -> Result<(), Fault> {
        let port = self.control_port.try_clone().map_err(|e| system("control", e))?;
        let giver = match Giver::open(&self.control.config, port) {
            Ok(giver) => giver,
            Err(why) => {
                tracing::warn!(%why, "no successor can take over: an upgrade will need a restart");
                return Ok(());
            }
        };
        let (control, succession) = (self.control.clone(), self.succession.clone());
        spawn("succession", move || {
            if let Err(why) = privileges::drop_all() {
                tracing::error!(%why, "no successor can take over: this thread cannot give up its rights");
                return;
            }
            let stream = giver.serve(&control);
            *succession.lock().unwrap_or_else(|e| e.into_inner()) = Some(stream);
            end.close();
        })
    }

    fn stop(&self) {
        self.control.stop();
        self.control.plane.stop();
        if let Some(MetricsAddress::Unix(path)) = &self.metrics {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The links of a predecessor, and the wait for its end.
fn inheritance(taken: Option<Taken>) -> (Vec<Inherited>, impl FnOnce()) {
    let (peers, taken) = match taken {
        None => (Vec::new(), None),
        Some(mut taken) => (std::mem::take(&mut taken.peers), Some(taken)),
    };
    if taken.is_some() {
        tracing::info!(links = peers.len(), "the links of a predecessor go on");
    }
    (peers, move || {
        if let Some(mut taken) = taken {
            taken.wait_for_its_end();
        }
    })
}

/// Peers will refuse us: better said here than found there.
fn warn_of_organ(admission: &Admission, certificate: Option<Organ>) {
    let policy = admission.policy();
    let wanted = policy.as_ref().as_ref().and_then(|spd| spd.site(spd.us())?.organ);
    if let Some(organ) = wanted.filter(|organ| certificate != Some(*organ)) {
        let certificate = certificate.map_or("none", Organ::word);
        tracing::warn!(%organ, certificate, "the policy has us as another organ than our certificate: peers refuse us");
    }
}

fn own_identity(config: &Config, chain: &[rustls_pki_types::CertificateDer<'_>]) -> Result<Identity, Fault> {
    let fault = || Fault::Certificate { path: config.identity.certificate.clone(), why: "it cannot be parsed".into() };
    chain.first().and_then(Identity::of).ok_or_else(fault)
}

fn leaf(
    config: &Config,
    chain: &[rustls_pki_types::CertificateDer<'static>],
) -> Result<rustls_pki_types::CertificateDer<'static>, Fault> {
    let fault = || Fault::Certificate { path: config.identity.certificate.clone(), why: "it is empty".into() };
    chain.first().cloned().ok_or_else(fault)
}

fn open_black(config: &Config) -> Result<(TcpListener, BlackSocket), Fault> {
    Ok((udp::listen_control(config.black.listen)?, BlackSocket::open(config.black.listen)?))
}

/// What the configuration says, but never more than fits the path.
pub fn inner_mtu(config: &Config) -> u16 {
    let outer_header = if config.black.listen.is_ipv4() { 20 } else { 40 };
    let largest = esp::inner_mtu(config.black.path_mtu.into(), outer_header);
    let largest = u16::try_from(largest).unwrap_or(u16::MAX);
    config.red.mtu.map_or(largest, |mtu| mtu.min(largest))
}

fn settings(config: &Config) -> Settings {
    let black = &config.black;
    let path = coloa_link::path::Settings {
        path_mtu: black.path_mtu.into(),
        inner_mtu: inner_mtu(config).into(),
        local: black.listen,
        behind_nat: black.behind_nat,
    };
    Settings { limits: limits(config), path, copy_dscp: black.copy_dscp }
}

/// The hard limit by age leaves as long again for the next exchange.
fn limits(config: &Config) -> Limits {
    let soft_age = Duration::from_secs(config.rekey.after_seconds);
    let drain = Duration::from_secs(config.rekey.drain_seconds);
    Limits { soft_age, hard_age: soft_age.saturating_mul(2), drain, ..Limits::DEFAULT }
}

/// How the keyholder finds the key.
pub fn key_spec(token: &Token) -> Result<KeySpec, Fault> {
    let credential = |name: &String| {
        std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(name)).ok_or_else(|| {
            Fault::Token { why: format!("the credential `{name}` was not passed by systemd (LoadCredential=)") }
        })
    };
    let named = token.pin_credential.as_ref().map(credential).transpose()?;
    let pin_file = named.or_else(|| token.pin_file.clone()).unwrap_or_default();
    Ok(KeySpec {
        module: token.module.clone(),
        token: token.label.clone(),
        key: token.key.clone(),
        key_id: token.key_id.clone(),
        pin_file,
    })
}

/// The keeper of the red routes lives in red and keeps the one right it needs.
fn keep_routes(red: Namespace, interface: String, far: Far) -> Result<Sender<Vec<Prefix>>, Fault> {
    let (wishes, inbox) = channel::<Vec<Prefix>>();
    let (ready, opened) = sync_channel(1);
    spawn("red-routes", move || {
        let open = || {
            red.enter()?;
            privileges::keep_net_admin().map_err(|e| system("privileges", e))?;
            Routes::open(&interface)
        };
        let mut routes = match open() {
            Ok(routes) => routes,
            Err(fault) => {
                let _ = ready.send(Err(fault));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        for wanted in inbox {
            far.set(&wanted);
            if let Err(why) = routes.set(wanted) {
                tracing::error!(%why, "the red routes cannot be set");
            }
        }
    })?;
    opened.recv().map_err(|e| system("red-routes", e))??;
    Ok(wishes)
}

/// The control threads are children of one in the black namespace that has given up its rights: so are they. It accepts
/// peers itself, and when it ends the daemon does.
fn start_control(
    control: &Arc<Control>,
    black: Namespace,
    listener: TcpListener,
    events: Receiver<KeyEvent>,
) -> Result<(), Fault> {
    let (ready, started) = sync_channel(1);
    let control = control.clone();
    spawn("control", move || {
        let start = || {
            black.enter()?;
            privileges::drop_all().map_err(|e| system("privileges", e))?;
            privileges::yield_to_packets();
            control.start(events).map_err(|e| system("control", e))
        };
        let runtime = match start() {
            Ok(runtime) => runtime,
            Err(fault) => {
                let _ = ready.send(Err(fault));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        if let Err(why) = control.serve(runtime, listener) {
            panic!("peers cannot be accepted: {why}");
        }
    })?;
    started.recv().map_err(|e| system("control", e))?
}

fn serve_metrics(served: &Listener, control: &Arc<Control>, fixed: &Fixed) {
    if let Err(why) = privileges::drop_all() {
        tracing::error!(%why, "metrics cannot give up their rights and are not served");
        return;
    }
    served.serve(control, fixed);
}

fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<(), Fault> {
    watch::spawn(name, body).map(|_| ()).map_err(|e| system(name, e))
}

/// Something of the operating system that hardly ever fails.
fn system(what: &str, why: impl std::fmt::Display) -> Fault {
    Fault::Socket { listen: what.to_owned(), why: why.to_string() }
}
