//! Keys of one epoch and queue, as they come out of the TLS exporter (RFC 8446 §7.5).
//!
//! Each epoch is a fresh TLS handshake, so that a new epoch recovers from a compromise of the old one (R29). No derivation
//! happens here: the exporter separates epochs and queues by its context, and its output is cut up as
//!
//! ```text
//! 0            32         36        40              72       76       80
//! | client key | salt (4) | SPI (4) | server key    | salt   | SPI    |
//! |<- client → server (40) -------->|<- server → client (40) -------->|
//! ```
//! Client and server are the TLS roles. An SPI below 256 gets its top bit set ([`Spi::from_uniform`]).

use crate::aead::{AeadError, KEY_LEN, SALT_LEN};
use crate::esp::Spi;
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Exporter label (RFC 5705 §4: labels of one's own begin with EXPERIMENTAL). Carries the layout's version.
pub const EXPORTER_LABEL: &[u8] = b"EXPERIMENTAL coloa link esp v1";
/// The suite in the exporter context: AES-256-GCM with 16-octet ICV.
pub const SUITE_AES_256_GCM_16: u16 = 1;
/// Octets that the exporter yields for one epoch and queue.
pub const EXPORT_LEN: usize = 2 * DIRECTION_LEN;

const SPI_LEN: usize = 4;
const DIRECTION_LEN: usize = KEY_LEN + SALT_LEN + SPI_LEN;

/// Generation of SA keys. Both ends agree on it before they export: one more than the highest that either has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Our role in the TLS handshake that the exporter belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We dialled.
    Client,
    /// We accepted.
    Server,
}

/// Why keys were not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallError {
    /// The epoch is not newer than one that was installed before.
    StaleEpoch,
    /// An epoch that still receives has the same SPI: negotiate another epoch.
    SpiInUse,
    /// The cipher provider refused the key.
    Cipher,
}

impl From<AeadError> for InstallError {
    fn from(AeadError: AeadError) -> Self {
        Self::Cipher
    }
}

impl core::fmt::Display for InstallError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::StaleEpoch => "the epoch is not newer than the last one",
            Self::SpiInUse => "the SPI is in use by an epoch that still receives; negotiate another epoch",
            Self::Cipher => "the cipher provider refused the key",
        })
    }
}

impl core::error::Error for InstallError {}

/// The exporter context: suite ‖ epoch ‖ queue, big-endian.
pub fn exporter_context(epoch: Epoch, queue: u16) -> [u8; 12] {
    let octets = SUITE_AES_256_GCM_16.to_be_bytes().into_iter();
    let octets = octets.chain(epoch.0.to_be_bytes()).chain(queue.to_be_bytes());
    let mut context = [0; 12];
    for (to, from) in context.iter_mut().zip(octets) {
        *to = from;
    }
    context
}

/// Key, salt and SPI of one direction.
#[derive(Zeroize, ZeroizeOnDrop, Encode, Decode)]
pub struct SaKeys {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) key: [u8; KEY_LEN],
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) salt: [u8; SALT_LEN],
    #[n(2)]
    #[zeroize(skip)]
    pub(crate) spi: Spi,
}

impl SaKeys {
    /// From parts, for keys that come from elsewhere than the exporter (pre-placed packages, test vectors).
    pub fn new(key: [u8; KEY_LEN], salt: [u8; SALT_LEN], spi: Spi) -> Self {
        Self { key, salt, spi }
    }

    /// The SPI on the wire.
    pub fn spi(&self) -> Spi {
        self.spi
    }

    fn cut(octets: &[u8; DIRECTION_LEN]) -> Self {
        let mut keys = Self { key: [0; KEY_LEN], salt: [0; SALT_LEN], spi: Spi::from_uniform(0) };
        let (key, rest) = octets.split_at(KEY_LEN);
        let (salt, spi) = rest.split_at(SALT_LEN);
        keys.key.copy_from_slice(key);
        keys.salt.copy_from_slice(salt);
        keys.spi = Spi::from_uniform(spi.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet)));
        keys
    }
}

/// Both directions of one epoch and queue. Secret: no `Debug`, no `Clone`, zeroized on drop.
pub struct KeyMaterial {
    pub(crate) epoch: Epoch,
    pub(crate) queue: u16,
    pub(crate) outbound: SaKeys,
    pub(crate) inbound: SaKeys,
}

impl KeyMaterial {
    /// Cuts up exporter output made with [`EXPORTER_LABEL`] and [`exporter_context`]; the caller zeroizes `export`.
    pub fn from_exporter(export: &[u8; EXPORT_LEN], role: Role, epoch: Epoch, queue: u16) -> Self {
        let (mut first, mut second) = ([0; DIRECTION_LEN], [0; DIRECTION_LEN]);
        let (client, server) = export.split_at(DIRECTION_LEN);
        first.copy_from_slice(client);
        second.copy_from_slice(server);
        let (from_client, from_server) = (SaKeys::cut(&first), SaKeys::cut(&second));
        first.zeroize();
        second.zeroize();
        match role {
            Role::Client => Self::new(epoch, queue, from_client, from_server),
            Role::Server => Self::new(epoch, queue, from_server, from_client),
        }
    }

    /// From two directions.
    pub fn new(epoch: Epoch, queue: u16, outbound: SaKeys, inbound: SaKeys) -> Self {
        Self { epoch, queue, outbound, inbound }
    }

    /// The generation.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The data-plane queue that these keys are for.
    pub fn queue(&self) -> u16 {
        self.queue
    }

    /// The SPI that we receive on: check it for collision with other links before [`crate::Link::install`].
    pub fn inbound_spi(&self) -> Spi {
        self.inbound.spi
    }

    /// Both halves, for [`crate::Outbound::install`] and [`crate::Inbound::install`] on separate threads.
    pub fn split(self) -> (SaKeys, SaKeys) {
        (self.outbound, self.inbound)
    }
}
