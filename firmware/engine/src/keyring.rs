//! The engine's own keys, derived from the body's root key (SP 800-108 style: HMAC-SHA-256 of a label).

use crate::{Crypto, CryptoError, Hash, KeyKind, Platform};
use zeroize::Zeroizing;

/// A provider's parsed key.
pub(crate) type Key<P> = <<P as Platform>::Crypto as Crypto>::Key;

/// One key for each purpose, so that nothing made for one is ever accepted for another.
pub(crate) struct Keyring<P: Platform> {
    /// Seals the root record.
    pub root: Key<P>,
    /// Seals the device's, the partitions' and the PINs' records.
    pub device: Key<P>,
    /// Keys the set hash and the digests of retried requests.
    pub set: Key<P>,
    /// Authenticates login tickets.
    pub tickets: Key<P>,
    /// Seals what is kept of the store outside it.
    pub snapshot: Key<P>,
}

impl<P: Platform> Keyring<P> {
    pub(crate) fn derive(platform: &P) -> Result<Self, CryptoError> {
        let crypto = platform.crypto();
        let master = crypto.load(KeyKind::Hmac, platform.root_key().as_slice())?;
        let derive = |label: &[u8]| {
            let key = crypto.mac(&master, Hash::Sha256, &[b"coloa store v1 ", label])?;
            Ok(Zeroizing::new(key.as_ref().to_vec()))
        };
        Ok(Keyring {
            root: crypto.load(KeyKind::Aes, &derive(b"root record")?)?,
            device: crypto.load(KeyKind::Aes, &derive(b"device records")?)?,
            set: crypto.load(KeyKind::Hmac, &derive(b"record set")?)?,
            tickets: crypto.load(KeyKind::Hmac, &derive(b"login tickets")?)?,
            snapshot: crypto.load(KeyKind::Aes, &derive(b"snapshot")?)?,
        })
    }
}
