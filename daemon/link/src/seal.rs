//! One outbound SA: counts, seals, stops at its hard limits. Owned by one data-plane thread.

use crate::aead::{Aead, AeadError, TAG_LEN};
use crate::drops::DropReason;
use crate::esp::{self, NEXT_IPV4, NEXT_IPV6, NEXT_NONE, PREFIX_LEN, Spi};
use crate::handover::{RESERVE, SealState};
use crate::keys::{Epoch, SaKeys};
use crate::limits::Limits;
use crate::measure::Measure;
use crate::path::Message;
use crate::segment::Outgoing;
use crate::shaping::{Cover, Shape};
use core::time::Duration;

/// Datagrams in one UDP GSO send: the kernel's limit is 64, and 44 of the common size fill 64 KiB.
pub const MAX_BURST_SEGMENTS: usize = 44;
/// Octets in one UDP GSO send: what a UDP payload over IPv4 can hold.
pub const MAX_BURST_BYTES: usize = 65_507;

/// Datagrams sealed back to back: each `segment_size` octets, the last one perhaps shorter. Fits one UDP GSO send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Burst {
    /// Octets written.
    pub len: usize,
    /// Octets of each datagram but the last.
    pub segment_size: usize,
    /// Datagrams written.
    pub count: usize,
}

impl Burst {
    /// Whether a datagram of `len` octets may follow: none larger than the first, none after a shorter one.
    fn admits(&self, len: usize) -> bool {
        let total = self.len.saturating_add(len);
        let whole = self.segment_size.checked_mul(self.count) == Some(self.len);
        self.count == 0
            || whole && len <= self.segment_size && self.count < MAX_BURST_SEGMENTS && total <= MAX_BURST_BYTES
    }

    fn add(&mut self, len: usize) {
        self.segment_size = self.segment_size.max(len);
        self.len = self.len.saturating_add(len);
        self.count = self.count.saturating_add(1);
    }
}

/// An outbound SA. Cannot be cloned, so a sequence number cannot be used twice.
pub struct Seal<A> {
    aead: A,
    /// Kept for a successor of this process.
    keys: SaKeys,
    epoch: Epoch,
    sequence: u64,
    bytes: u64,
    shape: Shape,
    born: Duration,
    limits: Limits,
}

impl<A: Aead> Seal<A> {
    /// Expands the key; `keys` are zeroized with this value.
    pub fn new(now: Duration, epoch: Epoch, keys: SaKeys, limits: Limits) -> Result<Self, AeadError> {
        let aead = A::from_key(&keys.key)?;
        let shape = Shape::default();
        Ok(Self { aead, keys, epoch, sequence: 0, bytes: 0, shape, born: now, limits })
    }

    /// Ends here, to go on elsewhere.
    pub(crate) fn hand_over(self) -> SealState {
        let (epoch, born) = (self.epoch.0, self.born.into());
        SealState { epoch, keys: self.keys, sequence: self.sequence, bytes: self.bytes, born }
    }

    /// Goes on with what a predecessor had.
    pub(crate) fn take_over(state: SealState, limits: Limits) -> Result<Self, AeadError> {
        let mut seal = Self::new(state.born.into(), Epoch(state.epoch), state.keys, limits)?;
        (seal.sequence, seal.bytes) = (state.sequence.saturating_add(RESERVE), state.bytes);
        Ok(seal)
    }

    /// The generation of its key.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The peer's SPI.
    pub fn spi(&self) -> Spi {
        self.keys.spi
    }

    /// Packets and inner octets sealed so far.
    pub fn used(&self) -> (u64, u64) {
        (self.sequence, self.bytes)
    }

    /// Pads packets and dummies from now on; see [`crate::Outbound::set_padding`].
    pub(crate) fn set_shape(&mut self, shape: Shape) {
        self.shape = shape;
    }

    /// Octets of the datagram that carries an inner packet of `inner` octets, with its padding.
    pub fn sealed_len(&self, inner: usize) -> usize {
        esp::sealed_len(self.shape.padded(inner))
    }

    /// Copies `packet` (IPv4 or IPv6) into `out` and seals it there; returns the datagram's length.
    pub fn seal(&mut self, packet: &[u8], out: &mut [u8]) -> Result<usize, DropReason> {
        self.seal_with(packet.len(), out, |inner| {
            inner.copy_from_slice(packet);
            Ok(())
        })
    }

    /// Writes and seals as many of the remaining packets of `outgoing` as one UDP GSO send takes.
    ///
    /// Call again until [`Outgoing::is_done`]. `out` should hold [`MAX_BURST_BYTES`]. On error nothing may be sent and the
    /// rest of `outgoing` must be dropped.
    pub fn seal_burst(&mut self, outgoing: &mut Outgoing<'_>, out: &mut [u8]) -> Result<Burst, DropReason> {
        let mut burst = Burst::default();
        self.seal_onto(&mut burst, outgoing, out).map(|()| burst)
    }

    /// Continues `burst`, which lies at the start of `out`, with packets of `outgoing`: so that several small packets to one
    /// peer share a send. Stops where a packet would not fit the send; `outgoing` is then not done, the burst should be sent
    /// and a new one begun. On error the burst holds what it held before the packet that failed.
    pub fn seal_onto(
        &mut self,
        burst: &mut Burst,
        outgoing: &mut Outgoing<'_>,
        out: &mut [u8],
    ) -> Result<(), DropReason> {
        while let Some(inner) = outgoing.next_len() {
            let len = self.sealed_len(inner);
            let room = out.get_mut(burst.len..).unwrap_or_default();
            if !burst.admits(len) || burst.count > 0 && room.len() < len {
                break;
            }
            self.seal_with(inner, room, |inner| outgoing.write_next(inner))?;
            burst.add(len);
        }
        Ok(())
    }

    /// A dummy packet that the peer drops after authentication (RFC 4303 §2.6): keeps a path alive and proves possession
    /// of the key, as the answer to a new epoch or as cover traffic.
    pub fn seal_dummy(&mut self, out: &mut [u8]) -> Result<usize, DropReason> {
        let inner = self.pad(0, out)?;
        self.seal_written(NEXT_NONE, inner, out)
    }

    /// Fills the slots that are due in a constant rate: with packets that wait, else with dummies. All are of one size, because
    /// such a peer has [`crate::Padding::Full`].
    pub fn seal_cover(&mut self, cover: &mut Cover, due: u32, out: &mut [u8]) -> Result<Burst, DropReason> {
        let mut burst = Burst::default();
        for _ in 0..due {
            let room = out.get_mut(burst.len..).unwrap_or_default();
            let len = match cover.take() {
                Some(packet) => self.seal(packet, room)?,
                None => self.seal_dummy(room)?,
            };
            burst.add(len);
        }
        Ok(burst)
    }

    /// Zeros behind an inner packet of `inner` octets, up to its class (RFC 4303 §2.7); returns the length with them.
    fn pad(&self, inner: usize, out: &mut [u8]) -> Result<usize, DropReason> {
        let padded = self.shape.padded(inner);
        let body = out.get_mut(PREFIX_LEN..).unwrap_or_default();
        body.get_mut(inner..padded).ok_or(DropReason::BufferTooSmall)?.fill(0);
        Ok(padded)
    }

    /// A dummy packet of `datagram` octets that holds a message about the path; returns its length, which is a multiple of
    /// [`esp::ALIGN`]. A datagram too small for the message is made as large as it needs.
    pub fn seal_message(&mut self, message: &Message, datagram: usize, out: &mut [u8]) -> Result<usize, DropReason> {
        self.seal_contents(&message.encode(), datagram, out)
    }

    /// The same for a question about quality, or its answer.
    pub fn seal_measure(&mut self, measure: &Measure, out: &mut [u8]) -> Result<usize, DropReason> {
        self.seal_contents(&measure.encode(), 0, out)
    }

    /// The same with nothing in it, to see whether so much comes through.
    pub fn seal_filler(&mut self, datagram: usize, out: &mut [u8]) -> Result<usize, DropReason> {
        self.seal_contents(&[], datagram, out)
    }

    fn seal_contents(&mut self, contents: &[u8], datagram: usize, out: &mut [u8]) -> Result<usize, DropReason> {
        let inner = datagram.saturating_sub(esp::OVERHEAD).max(contents.len());
        let body =
            out.get_mut(PREFIX_LEN..).and_then(|body| body.get_mut(..inner)).ok_or(DropReason::BufferTooSmall)?;
        body.fill(0);
        body.get_mut(..contents.len()).ok_or(DropReason::BufferTooSmall)?.copy_from_slice(contents);
        self.seal_written(NEXT_NONE, inner, out)
    }

    fn seal_with(
        &mut self,
        inner: usize,
        out: &mut [u8],
        write: impl FnOnce(&mut [u8]) -> Result<(), DropReason>,
    ) -> Result<usize, DropReason> {
        let body =
            out.get_mut(PREFIX_LEN..).and_then(|body| body.get_mut(..inner)).ok_or(DropReason::BufferTooSmall)?;
        write(body)?;
        let next_header = match body.first().map(|first| first >> 4) {
            Some(4) => NEXT_IPV4,
            Some(6) => NEXT_IPV6,
            _ => return Err(DropReason::MalformedIp),
        };
        let inner = self.pad(inner, out)?;
        self.seal_written(next_header, inner, out)
    }

    /// Seals what lies at `PREFIX_LEN..PREFIX_LEN + inner` of `out`.
    fn seal_written(&mut self, next_header: u8, inner: usize, out: &mut [u8]) -> Result<usize, DropReason> {
        let len = esp::sealed_len(inner);
        let out = out.get_mut(..len).ok_or(DropReason::BufferTooSmall)?;
        let (prefix, rest) = out.split_first_chunk_mut::<PREFIX_LEN>().ok_or(DropReason::BufferTooSmall)?;
        let (body, icv) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(DropReason::BufferTooSmall)?;
        let sequence = self.next_sequence(inner)?;
        esp::write_prefix(prefix, self.keys.spi, sequence);
        esp::write_trailer(body.get_mut(inner..).unwrap_or_default(), inner, next_header);
        let nonce = esp::nonce(self.keys.salt, sequence.to_be_bytes());
        *icv = self
            .aead
            .seal_in_place(&nonce, &esp::associated_data(self.keys.spi, sequence), body)
            .map_err(|AeadError| DropReason::CipherFailed)?;
        Ok(len)
    }

    /// Takes the next sequence number, or refuses at a hard limit. A number taken is never given back.
    fn next_sequence(&mut self, inner: usize) -> Result<u64, DropReason> {
        let bytes = self.bytes.saturating_add(inner as u64);
        if self.sequence >= self.limits.hard_packets || bytes > self.limits.hard_bytes {
            return Err(DropReason::HardLimit);
        }
        self.sequence = self.sequence.checked_add(1).ok_or(DropReason::HardLimit)?;
        self.bytes = bytes;
        Ok(self.sequence)
    }

    /// Whether a successor should be negotiated.
    pub fn wants_rekey(&self, now: Duration) -> bool {
        self.sequence >= self.limits.soft_packets || self.bytes >= self.limits.soft_bytes || now >= self.soft_deadline()
    }

    /// Whether it may seal nothing any more.
    pub fn is_spent(&self, now: Duration) -> bool {
        self.sequence >= self.limits.hard_packets || self.bytes >= self.limits.hard_bytes || now >= self.hard_deadline()
    }

    /// When age alone asks for a rekey.
    pub fn soft_deadline(&self) -> Duration {
        self.born.saturating_add(self.limits.soft_age)
    }

    /// When age alone ends it.
    pub fn hard_deadline(&self) -> Duration {
        self.born.saturating_add(self.limits.hard_age)
    }
}
