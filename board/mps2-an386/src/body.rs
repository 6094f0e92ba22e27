//! What the engine gets from this board.

use core::time::Duration;

use coloa_bringup::counter;
use coloa_bringup::entropy::InsecureSeed;
use coloa_bringup::layout::GENERATION;
use coloa_crypto_portable::Portable;
use coloa_engine::{Counter, Limits, Platform, StoreError, Timestamp};
use coloa_store_nor::NorStore;
use coloa_wire::hello::Body;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::clock;
use crate::flash::Flash;

// There is one thread, so a lock of any kind here never waits.

/// The provider: RustCrypto over this board's seed.
pub type Provider = Portable<InsecureSeed, spin::Mutex<()>>;
/// The store: a log on this board's flash.
pub type Store = NorStore<Flash, spin::Mutex<()>>;

/// This board.
pub struct Mps2 {
    /// TLS draws from the same provider.
    pub provider: &'static Provider,
    /// Where records go.
    pub store: Store,
    /// From the factory page: this machine has no key storage.
    pub root_key: Zeroizing<[u8; 32]>,
    /// Wall-clock time.
    pub clock: SinceManufacture,
}

impl Platform for Mps2 {
    type Crypto = Provider;
    type Store = Store;
    type Lock = spin::RwLock<()>;

    fn crypto(&self) -> &Provider {
        self.provider
    }

    fn store(&self) -> &Store {
        &self.store
    }

    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX))
    }

    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }

    fn counter(&self) -> Option<&dyn Counter> {
        Some(&Generation)
    }

    fn body(&self) -> Body {
        Body::EmulatedBoard
    }

    fn limits(&self) -> Limits {
        Limits::BOARD
    }
}

/// The store's generation, in sectors of its own (R36). Under QEMU they lie in the same file as the store; on a real board in
/// the controller's own flash, and the store in the chip beside it.
struct Generation;

impl Counter for Generation {
    fn read(&self) -> Result<u64, StoreError> {
        // There is one thread, and the store's use of the flash has ended when it calls.
        let found = counter::read(&mut Flash::take(), &GENERATION);
        found.map(u64::from).map_err(|_| StoreError::Failed)
    }

    fn raise(&self, to: u64) -> Result<(), StoreError> {
        let to = u32::try_from(to).map_err(|_| StoreError::Failed)?;
        counter::raise(&mut Flash::take(), &GENERATION, to).map(|_| ()).map_err(|_| StoreError::Failed)
    }
}

/// The clock: from manufacture on at each boot, as there is none that runs without power. Seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct SinceManufacture(pub u64);

impl SinceManufacture {
    fn now(self) -> Duration {
        Duration::from_secs(self.0).saturating_add(Duration::from_millis(clock::milliseconds()))
    }
}

impl TimeProvider for SinceManufacture {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.now()))
    }
}
