//! The one DRBG of the board, as rustls wants it: TLS and the engine draw from the same provider.

use core::fmt;

use coloa_engine::Crypto;
use rustls::crypto::{GetRandomFailed, SecureRandom};

use crate::body::Provider;

/// rustls' view of the engine's provider.
pub struct Random(pub &'static Provider);

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

impl SecureRandom for Random {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        self.0.random(out).map_err(|_| GetRandomFailed)
    }
}
