//! Where this provider's randomness comes from: the board's entropy, through a DRBG, behind a lock.

use coloa_engine::CryptoError;
use lock_api::{Mutex, RawMutex};
use zeroize::Zeroizing;

use crate::drbg::{Drbg, MAX_REQUEST, RESEED_INTERVAL, SEED};

/// A board's entropy source, conditioned and past its health tests (SP 800-90B §4).
pub trait Entropy: Send + Sync + 'static {
    /// Fills `out` with full entropy.
    ///
    /// # Errors
    /// [`EntropyFailure`]: `out` must not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyFailure>;
}

/// The entropy source gave nothing, or failed its health tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntropyFailure;

/// One DRBG for all threads.
pub(crate) struct Random<E, L: RawMutex> {
    entropy: E,
    drbg: Mutex<L, Drbg>,
}

impl<E: Entropy, L: RawMutex> Random<E, L> {
    /// Seeds; so nothing can be drawn before (R7).
    pub(crate) fn new(entropy: E, personalization: &[u8]) -> Result<Self, CryptoError> {
        let drbg = Mutex::new(Drbg::new(&*seed(&entropy)?, personalization));
        Ok(Random { entropy, drbg })
    }

    /// Fills `out`. Reseeds when it is time; while the source fails, nothing comes out.
    pub(crate) fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        let mut drbg = self.drbg.lock();
        for chunk in out.chunks_mut(MAX_REQUEST) {
            if drbg.requests() >= RESEED_INTERVAL {
                drbg.reseed(&*seed(&self.entropy)?);
            }
            drbg.generate(chunk).map_err(|_| CryptoError::Entropy)?;
        }
        Ok(())
    }

    /// Mixes new entropy in at once.
    pub(crate) fn reseed(&self) -> Result<(), CryptoError> {
        let seed = seed(&self.entropy)?;
        self.drbg.lock().reseed(&*seed);
        Ok(())
    }
}

fn seed(entropy: &impl Entropy) -> Result<Zeroizing<[u8; SEED]>, CryptoError> {
    let mut seed = Zeroizing::new([0; SEED]);
    entropy.fill(&mut *seed).map_err(|EntropyFailure| CryptoError::Entropy)?;
    Ok(seed)
}
