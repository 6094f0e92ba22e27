//! A link on its way from one process to its successor: the binary is replaced, its SAs live on without a new handshake.
//!
//! A half is moved out, never copied: who has handed it over is blocked, so no key seals in two places. Times stay what they
//! are, because the successor goes on with the same timeline. Sending goes on [`RESERVE`] numbers ahead, so that even a number
//! that was taken and not told of is never used again (R28). What is encoded here holds keys: it travels in memory, between
//! processes of one user, and is wiped.

use crate::esp::Spi;
use crate::keys::SaKeys;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// Sequence numbers that are left out at a handover; far fewer than the peer's replay window holds.
pub const RESERVE: u64 = 256;

/// Why a state was not taken over. Whoever gets it starts blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unusable;

/// One outbound SA.
#[derive(Encode, Decode)]
pub(crate) struct SealState {
    #[n(0)]
    pub(crate) epoch: u64,
    #[n(1)]
    pub(crate) keys: SaKeys,
    #[n(2)]
    pub(crate) sequence: u64,
    #[n(3)]
    pub(crate) bytes: u64,
    #[n(4)]
    pub(crate) born: Moment,
}

/// The sending half.
#[derive(Encode, Decode)]
pub struct OutboundState {
    #[n(0)]
    pub(crate) sending: Option<SealState>,
    #[n(1)]
    pub(crate) staged: Option<(Moment, SealState)>,
    #[n(2)]
    pub(crate) newest: Option<u64>,
    #[n(3)]
    pub(crate) peer_ready: Option<u64>,
    #[n(4)]
    pub(crate) rekey_asked: Option<u64>,
}

/// One inbound SA.
#[derive(Encode, Decode)]
pub(crate) struct OpenState {
    #[n(0)]
    pub(crate) epoch: u64,
    #[n(1)]
    pub(crate) keys: SaKeys,
    #[n(2)]
    pub(crate) highest: u64,
    /// The window's words, big-endian.
    #[n(3)]
    pub(crate) window: ByteVec,
    #[n(4)]
    pub(crate) accepted: u64,
    #[n(5)]
    pub(crate) forgeries: u64,
    #[n(6)]
    pub(crate) born: Moment,
    #[n(7)]
    pub(crate) drained_at: Option<Moment>,
}

/// The receiving half.
#[derive(Encode, Decode)]
pub struct InboundState {
    /// Newest first.
    #[n(0)]
    pub(crate) epochs: Vec<OpenState>,
    #[n(1)]
    pub(crate) newest: Option<u64>,
    #[n(2)]
    pub(crate) newest_heard: Option<u64>,
    #[n(3)]
    pub(crate) newest_told: Option<u64>,
}

impl InboundState {
    /// The SPIs that it receives on: check them for collision with other links.
    pub fn spis(&self) -> impl Iterator<Item = Spi> + '_ {
        self.epochs.iter().map(|open| open.keys.spi())
    }
}

/// What is known of the black path.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PathState {
    /// Where the peer is.
    #[n(0)]
    pub(crate) address: Option<String>,
    /// Octets of the largest outer packet that is known to get there.
    #[n(1)]
    pub(crate) size: u64,
}

/// A moment of the timeline in nanoseconds: 584 years of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct Moment(#[n(0)] u64);

impl From<Duration> for Moment {
    fn from(at: Duration) -> Self {
        Self(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Moment> for Duration {
    fn from(Moment(nanos): Moment) -> Self {
        Duration::from_nanos(nanos)
    }
}

/// The octets of a state. Secret where the state is.
pub fn encode(state: &impl Encode<()>) -> Zeroizing<Vec<u8>> {
    let mut length = Length(0);
    // Neither of the two writers fails.
    let _ = minicbor::encode(state, &mut length);
    // In one piece: a buffer that grows leaves what it held behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(length.0));
    let _ = minicbor::encode(state, &mut *octets);
    octets
}

/// Counts what is written.
struct Length(usize);

impl minicbor::encode::Write for &mut Length {
    type Error = core::convert::Infallible;

    fn write_all(&mut self, octets: &[u8]) -> Result<(), Self::Error> {
        self.0 = self.0.saturating_add(octets.len());
        Ok(())
    }
}

/// The state that these octets hold.
pub fn decode<'b, T: Decode<'b, ()>>(octets: &'b [u8]) -> Result<T, Unusable> {
    minicbor::decode(octets).map_err(|_| Unusable)
}
