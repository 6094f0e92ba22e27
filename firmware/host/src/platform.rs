//! The host's platform, and how an engine is opened on it.

use crate::snapshot::SnapshotFile;
use crate::tamper::Remains;
use crate::{erasure, image, root_key, tamper};
use coloa_crypto_native::Native;
use coloa_engine::{
    Engine, Epitaph, Image, Limits, Peer, Platform, StartError, StoreError, TamperEvent, Timestamp, ZeroizeError,
};
use coloa_store_sqlite::{Sharing, SqliteStore};
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::Body;
use coloa_wire::{Command, ErrorCode, Frame, command};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// Fewer records are read as quickly as a snapshot of them.
const WORTH_A_SNAPSHOT: u64 = 1_000;
/// However slow the medium is just now.
const LONGEST: Duration = Duration::from_millis(3);
/// What the system makes of a shorter sleep.
const SLEEP: Duration = Duration::from_micros(60);

/// An engine on a Linux host.
pub type HostEngine = Engine<Host>;

/// A Linux host.
pub struct Host {
    store: SqliteStore,
    root_key: Zeroizing<[u8; 32]>,
    body: Body,
    crypto: Native,
    /// Cores that this process may use, asked once: what it is asked of is not there for a body in its sandbox.
    lanes: Option<u32>,
    /// See [`Limits::pin_delay_ms`]: a body that is reached over a network sets it.
    pin_delay_ms: AtomicU64,
    /// Where a snapshot of the store is kept, where one is: the appliance starts seldom, and reads everything.
    snapshot: Option<SnapshotFile>,
    /// What runs, where it is ours alone.
    image: Option<Image>,
    /// Holds everything.
    directory: PathBuf,
}

impl Host {
    /// Another delay after wrong PINs from now on (R4).
    pub fn set_pin_delay(&self, milliseconds: u64) {
        self.pin_delay_ms.store(milliseconds, Ordering::Relaxed);
    }
}

impl Platform for Host {
    type Crypto = Native;
    type Store = SqliteStore;
    type Lock = parking_lot::RawRwLock;

    fn crypto(&self) -> &Native {
        &self.crypto
    }

    fn store(&self) -> &SqliteStore {
        &self.store
    }

    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }

    fn body(&self) -> Body {
        self.body
    }

    fn limits(&self) -> Limits {
        Limits { pin_delay_ms: self.pin_delay_ms.load(Ordering::Relaxed), ..Limits::HOST }
    }

    fn image(&self) -> Option<Image> {
        self.image.clone()
    }

    fn lanes(&self) -> Option<u32> {
        self.lanes
    }

    fn snapshot_from(&self) -> Option<u64> {
        self.snapshot.as_ref().map(|_| WORTH_A_SNAPSHOT)
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        self.snapshot.as_ref()?.read()
    }

    fn keep_snapshot(&self, sealed: &[u8]) {
        if let Some(Err(error)) = self.snapshot.as_ref().map(|file| file.write(sealed)) {
            tracing::debug!(%error, "no snapshot was kept");
        }
    }

    /// An embedded token may be in use by other processes, which would write on.
    fn zeroize(&self, epitaph: &Epitaph) -> Result<(), ZeroizeError> {
        if self.body != Body::Appliance {
            return Err(ZeroizeError::Unsupported);
        }
        erasure::zeroize(&self.directory, epitaph).map_err(|error| {
            tracing::error!(%error, "zeroization is finished at the next start");
            ZeroizeError::Failed
        })
    }

    fn keep_testament(&self, testament: &[u8]) -> Result<(), StoreError> {
        if self.body != Body::Appliance {
            return Ok(());
        }
        tamper::keep_testament(&self.directory, testament).map_err(|error| {
            tracing::error!(%error, "the testament cannot be kept");
            StoreError::Failed
        })
    }

    fn tampered(&self, event: &TamperEvent) -> Result<(), ZeroizeError> {
        if self.body != Body::Appliance {
            return Err(ZeroizeError::Unsupported);
        }
        tamper::strike(&self.directory, event).map_err(|error| {
            tracing::error!(%error, "the root key could not be overwritten, or what happened not be written down");
            ZeroizeError::Failed
        })
    }

    /// Half a commit's time at most and never long, and not at all where a commit takes less than two sleeps.
    fn gather(&self, enough: &dyn Fn() -> bool) {
        let (began, longest) = (Instant::now(), (self.store.commit_time() / 2).min(LONGEST));
        while longest >= SLEEP && began.elapsed() < longest && !enough() {
            std::thread::sleep(SLEEP);
        }
    }
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made.
    #[error("the directory {} cannot be made: {error}. Make it, or name another one.", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A zeroization was begun and cannot be finished.
    #[error("{} is being zeroized, and what is left there cannot be destroyed: {error}. Nothing is served until it is.", path.display())]
    Unfinished {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The root key cannot be read or written.
    #[error("the root key {} cannot be used: {error}. Look at the file's owner, mode and size (32 bytes).", path.display())]
    RootKey {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// There is a store, but no root key.
    #[error("the root key {} is missing, and the store beside it cannot be opened without it. Restore the file.", .0.display())]
    RootKeyMissing(PathBuf),
    /// Others may read the root key.
    #[error("the root key {} can be reached by other users (mode {mode:03o}). Find out who did; then: chmod 600 {}", path.display(), path.display())]
    RootKeyExposed {
        /// Its file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No random numbers.
    #[error("the system gives no random numbers. Restart it.")]
    Entropy,
    /// The program cannot be measured.
    #[error(
        "what runs cannot be measured: {0}. Look whether /proc is there and the package is whole (`dpkg --verify`)."
    )]
    Image(std::io::Error),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] coloa_store_sqlite::OpenError),
    /// A power-on self-test failed.
    #[error("the self-test of {0} failed: nothing is served. Take this unit out of service.")]
    SelfTest(&'static str),
    /// The engine refuses the store.
    #[error("the store in {} is refused: {code}", path.display())]
    Refused {
        /// The directory.
        path: PathBuf,
        /// Why.
        code: ErrorCode,
    },
}

/// Opens the engine in a directory; an empty or absent one gets a new root key and store.
///
/// # Errors
/// [`OpenError`] says what to do.
pub fn open(directory: &Path, body: Body, sharing: Sharing) -> Result<HostEngine, OpenError> {
    root_key::make_directory(directory)?;
    erasure::finish(directory).map_err(|error| OpenError::Unfinished { path: directory.to_path_buf(), error })?;
    let path = directory.join("store.sqlite");
    let unfinished = |error| OpenError::Unfinished { path: directory.to_path_buf(), error };
    let remains = Remains::find(directory).map_err(unfinished)?;
    let root_key = match &remains {
        Some(remains) => remains.root_key.clone(),
        None => root_key::read_or_make(directory, &path)?,
    };
    let store = SqliteStore::open(&path, sharing)?;
    let snapshot = (body == Body::Embedded).then(|| SnapshotFile::in_directory(directory));
    let lanes = std::thread::available_parallelism().ok().and_then(|cores| u32::try_from(cores.get()).ok());
    let image = (body == Body::Appliance).then(image::measure).transpose().map_err(OpenError::Image)?;
    let (own, pin_delay_ms) = (directory.to_path_buf(), 0.into());
    let host =
        Host { store, root_key, body, crypto: Native::new(), lanes, pin_delay_ms, snapshot, image, directory: own };
    let begun_anew = remains.is_some();
    let started = match remains {
        Some(remains) => Engine::start_tampered(host, remains.testament.as_deref(), remains.event),
        None => Engine::start(host),
    };
    let engine = started.map_err(|error| match error {
        StartError::SelfTest(name) => OpenError::SelfTest(name),
        StartError::Store(code) => OpenError::Refused { path: directory.to_path_buf(), code },
    })?;
    if begun_anew {
        Remains::succeed(directory, &engine).map_err(unfinished)?;
    }
    Ok(engine)
}

/// Gives an engine in this process one command.
///
/// # Errors
/// What the engine answers.
pub fn command<C: Command>(engine: &HostEngine, peer: &Peer, request: &C) -> Result<C::Reply, ErrorCode> {
    let (mut head, mut call, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    command::encode_head(request, &mut head);
    Frame { head: &head, ..Frame::status(FrameKind::Call, C::CODE as u16, 1) }.encode(&mut call);
    engine.handle(peer, &call, &mut reply);
    let answer = Frame::parse(&reply)?;
    match ErrorCode::from_number(answer.code) {
        Some(error) => Err(error),
        None => command::decode_head(answer.head),
    }
}
