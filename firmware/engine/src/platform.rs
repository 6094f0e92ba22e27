//! What the engine asks of its body.

use crate::tamper::TamperEvent;
use crate::{Crypto, Store, StoreError};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::hello::Body;
use zeroize::Zeroizing;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// A clock that says a time before 2020-01-01 was never set.
    pub(crate) fn if_set(self) -> Option<Self> {
        (self.0 >= 1_577_836_800_000).then_some(self)
    }
}

/// What this body has room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest frame, in bytes with its length field ([`coloa_wire::frame::MAX_FRAME_HOST`] or `_BOARD`).
    pub max_frame: usize,
    /// Open sessions of all callers; one client gets at most half of them.
    pub sessions: usize,
    /// Objects in one partition, and in one session.
    pub objects: usize,
    /// Bytes that the objects of all sessions of one caller may take in memory.
    pub session_bytes: usize,
    /// Bytes that the objects of one partition may take in memory.
    pub partition_bytes: usize,
    /// Encryptions of one key ([`crate::MAX_GCM_INVOCATIONS`]).
    pub encryptions: u64,
    /// Partitions.
    pub partitions: usize,
    /// Replies kept for retries, in all.
    pub retries: usize,
    /// Memory that hashing one PIN takes, in KiB (Argon2id, RFC 9106).
    pub pin_memory_kib: u32,
    /// Passes over that memory.
    pub pin_passes: u32,
    /// Wrong PINs before the lock (R4).
    pub pin_tries: u32,
    /// After the third wrong PIN none is looked at for so many milliseconds, after each further one for twice as long (R4);
    /// 0 is no delay. A body whose clock was never set has none.
    pub pin_delay_ms: u64,
    /// Audit records kept; the oldest go when there are more. 0 keeps all.
    pub audit_records: u64,
}

impl Limits {
    /// A server or a developer's machine. PIN hashing as RFC 9106 §4's second choice, cut to 19 MiB and 2 passes (OWASP).
    pub const HOST: Limits = Limits {
        max_frame: coloa_wire::frame::MAX_FRAME_HOST,
        sessions: 65_536,
        objects: 2_000_000,
        session_bytes: 64 * 1024 * 1024,
        encryptions: crate::MAX_GCM_INVOCATIONS,
        partition_bytes: 4_000_000_000,
        partitions: 1_024,
        retries: 4_096,
        pin_memory_kib: 19 * 1024,
        pin_passes: 2,
        pin_tries: 10,
        pin_delay_ms: 0,
        audit_records: 0,
    };

    /// A microcontroller with a few megabytes.
    pub const BOARD: Limits = Limits {
        max_frame: coloa_wire::frame::MAX_FRAME_BOARD,
        sessions: 16,
        objects: 256,
        session_bytes: 64 * 1024,
        encryptions: crate::MAX_GCM_INVOCATIONS,
        partition_bytes: 512 * 1024,
        partitions: 4,
        retries: 16,
        pin_memory_kib: 64,
        pin_passes: 3,
        pin_tries: 10,
        pin_delay_ms: 0,
        audit_records: 512,
    };
}

/// What is said of a device that is zeroized (R14): all that is left of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Epitaph {
    /// When.
    pub time: Timestamp,
    /// Who asked for it.
    pub who: String,
    /// The device's serial number.
    pub serial: String,
    /// The operator's name for it.
    pub label: String,
    /// Number of the last audit record.
    pub audit_records: u64,
    /// Its digest.
    pub audit_head: [u8; 32],
}

/// The image that a body runs (R5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Its SHA-384, measured before the engine was started.
    pub digest: [u8; 48],
    /// What was recorded of it when it was installed, where something was.
    pub recorded: Option<[u8; 48]>,
}

/// Why a body was not zeroized.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ZeroizeError {
    /// It has no way to do it; nothing was touched.
    Unsupported,
    /// The medium failed; what was not erased now is at the next start.
    Failed,
}

/// A number outside the store that only rises and outlives every cut of power (R36).
pub trait Counter: Send + Sync {
    /// The number.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    fn read(&self) -> Result<u64, StoreError>;

    /// Raises it; does nothing when it is there or above. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Failed`]: it may or may not have been raised.
    fn raise(&self, to: u64) -> Result<(), StoreError>;
}

/// A body. Every method may be called from many threads at once.
pub trait Platform: Send + Sync + 'static {
    /// The cryptographic provider.
    type Crypto: Crypto;
    /// The medium.
    type Store: Store;
    /// A lock: `parking_lot` on hosts, a spin lock where there is one thread.
    type Lock: lock_api::RawRwLock + Send + Sync + 'static;

    /// The provider.
    fn crypto(&self) -> &Self::Crypto;

    /// The medium.
    fn store(&self) -> &Self::Store;

    /// The time now.
    fn now(&self) -> Timestamp;

    /// The device's root key: under it every partition's KEK is sealed. It never goes to the [`Store`].
    fn root_key(&self) -> &Zeroizing<[u8; 32]>;

    /// Which body this is.
    fn body(&self) -> Body;

    /// What it has room for.
    fn limits(&self) -> Limits;

    /// Destroys the root key and everything in the store, for good: when it returns, nothing that was sealed can be opened
    /// any more. Once begun it is finished whatever happens, at the next start at the latest. The body keeps the epitaph
    /// and ends.
    ///
    /// # Errors
    /// See [`ZeroizeError`].
    fn zeroize(&self, epitaph: &Epitaph) -> Result<(), ZeroizeError> {
        let _ = epitaph;
        Err(ZeroizeError::Unsupported)
    }

    /// Holds the store's generation, where whoever can put back an old store cannot lower it (R36). Not for a store that
    /// others share. Without one, a whole old store is not noticed.
    fn counter(&self) -> Option<&dyn Counter> {
        None
    }

    /// Keeps what a device leaves to the one it is after tampering ([`crate::tamper`]), in place of what was kept before:
    /// outside the store, durable, whole or not at all. It holds no secret. A body without lines to watch need not.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    fn keep_testament(&self, testament: &[u8]) -> Result<(), StoreError> {
        let _ = testament;
        Ok(())
    }

    /// Destroys the root key because a line told of tampering (R15), by one write that also says so: whatever happens then,
    /// the next start is [`crate::Engine::start_tampered`]. What the event was is kept after that.
    ///
    /// # Errors
    /// See [`ZeroizeError`].
    fn tampered(&self, event: &TamperEvent) -> Result<(), ZeroizeError> {
        let _ = event;
        Err(ZeroizeError::Unsupported)
    }

    /// What it runs; `None` where it cannot tell: what runs in a caller's process is that caller's.
    fn image(&self) -> Option<Image> {
        None
    }

    /// How many connections it answers at the same time, for callers to know; `None` where that is no question.
    fn lanes(&self) -> Option<u32> {
        None
    }

    /// How many records make a snapshot worth keeping outside the store (see [`Platform::snapshot`]), where one is kept.
    fn snapshot_from(&self) -> Option<u64> {
        None
    }

    /// The last snapshot that was kept, if there is one. It need not be durable and is not trusted: with another one, or
    /// none, the start only takes longer.
    fn snapshot(&self) -> Option<Vec<u8>> {
        None
    }

    /// Keeps a snapshot, in place of an older one, as well as it can.
    fn keep_snapshot(&self, sealed: &[u8]) {
        let _ = sealed;
    }

    /// Called before changes are made durable that others may share: may let other threads run until `enough` says so, for a
    /// time that is short beside a flush of the medium. A body with one thread has nobody to wait for.
    fn gather(&self, enough: &dyn Fn() -> bool) {
        let _ = enough;
    }
}
