//! The ESP packet (RFC 4303 §2) with AES-GCM (RFC 4106 §3): header, IV, trailer, associated data. Layout only, no keys.
//!
//! ```text
//! 0       4           8        16                                         len-16
//! | SPI   | seq low   | IV     | inner packet | pad 1,2.. | padlen | next | ICV 16 |
//! |<- associated ---->|        |<------------- encrypted ------------------>|
//! ```
//! The IV is the 64-bit sequence number, so a nonce repeats only if a sequence number does. The associated data is
//! SPI ‖ sequence high ‖ sequence low (RFC 4106 §5, extended sequence numbers).

use crate::aead::{IV_LEN, NONCE_LEN, SALT_LEN, TAG_LEN};
use crate::drops::DropReason;

/// SPI and low half of the sequence number.
pub const HEADER_LEN: usize = 8;
/// Header and IV: where the inner packet begins.
pub const PREFIX_LEN: usize = HEADER_LEN + IV_LEN;
/// Pad length and next header.
pub const TRAILER_LEN: usize = 2;
/// Padding aligns the ciphertext to this (RFC 4303 §2.4; GCM needs no more, RFC 4106 §3.2).
pub const ALIGN: usize = 4;
/// What ESP adds to an inner packet that needs no padding.
pub const OVERHEAD: usize = PREFIX_LEN + TRAILER_LEN + TAG_LEN;
/// The most that ESP adds to an inner packet.
pub const MAX_OVERHEAD: usize = OVERHEAD + (ALIGN - 1);
/// The shortest datagram that can be ESP: an empty payload, as in a dummy packet.
pub const MIN_LEN: usize = PREFIX_LEN + ALIGN + TAG_LEN;

/// Next header: IPv4 (tunnel mode).
pub const NEXT_IPV4: u8 = 4;
/// Next header: IPv6 (tunnel mode).
pub const NEXT_IPV6: u8 = 41;
/// Next header: none, a dummy packet (RFC 4303 §2.6).
pub const NEXT_NONE: u8 = 59;

/// Octets of padding that TFC or alignment may add at most.
const MAX_PAD: usize = 255;

/// A security parameters index chosen by its receiver: never 0, never one of the 255 that IANA reserves (RFC 4303 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct Spi(#[n(0)] u32);

impl Spi {
    /// The lowest SPI that an implementation may choose.
    pub const MIN: u32 = 256;

    /// `None` for a reserved value.
    pub const fn new(value: u32) -> Option<Self> {
        if value < Self::MIN { None } else { Some(Self(value)) }
    }

    /// Maps uniform bits to an SPI; the reserved 256 values move to the upper half.
    pub const fn from_uniform(bits: u32) -> Self {
        if bits < Self::MIN { Self(bits | 1 << 31) } else { Self(bits) }
    }

    /// The number.
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// Octets of padding after an inner packet of `inner` octets.
const fn pad_len(inner: usize) -> usize {
    inner.wrapping_add(TRAILER_LEN).wrapping_neg() % ALIGN
}

/// Octets of the ESP datagram that carries an inner packet of `inner` octets.
pub const fn sealed_len(inner: usize) -> usize {
    inner.saturating_add(pad_len(inner)).saturating_add(OVERHEAD)
}

/// The largest inner packet that fits a black path of `path_mtu` octets without fragmentation.
///
/// `outer_header` is 20 for IPv4 and 40 for IPv6; UDP takes 8 more. 1500 gives 1438 and 1418.
pub const fn inner_mtu(path_mtu: usize, outer_header: usize) -> usize {
    let esp = path_mtu.saturating_sub(outer_header).saturating_sub(8);
    let encrypted = esp.saturating_sub(PREFIX_LEN + TAG_LEN);
    encrypted.saturating_sub(encrypted % ALIGN).saturating_sub(TRAILER_LEN)
}

/// Writes SPI, low sequence and IV.
pub(crate) fn write_prefix(out: &mut [u8; PREFIX_LEN], spi: Spi, sequence: u64) {
    let sequence = sequence.to_be_bytes();
    let (_, low) = sequence.split_at(4);
    for (to, from) in out.iter_mut().zip(spi.0.to_be_bytes().iter().chain(low).chain(&sequence)) {
        *to = *from;
    }
}

/// Writes padding, pad length and next header behind the inner packet: `tail` starts right after it.
pub(crate) fn write_trailer(tail: &mut [u8], inner: usize, next_header: u8) {
    let pad = pad_len(inner);
    let octets = (1u8..).take(pad).chain([pad as u8, next_header]);
    for (to, from) in tail.iter_mut().zip(octets) {
        *to = from;
    }
}

/// SPI ‖ sequence high ‖ sequence low (RFC 4106 §5).
pub(crate) fn associated_data(spi: Spi, sequence: u64) -> [u8; 12] {
    let mut aad = [0; 12];
    for (to, from) in aad.iter_mut().zip(spi.0.to_be_bytes().into_iter().chain(sequence.to_be_bytes())) {
        *to = from;
    }
    aad
}

/// Salt ‖ IV (RFC 4106 §4).
pub(crate) fn nonce(salt: [u8; SALT_LEN], iv: [u8; IV_LEN]) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    for (to, from) in nonce.iter_mut().zip(salt.into_iter().chain(iv)) {
        *to = from;
    }
    nonce
}

/// The fields in front of the ciphertext. Having one says that lengths and alignment are right, nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Which SA it claims to belong to.
    pub spi: Spi,
    /// The low half of the sequence number.
    pub sequence_low: u32,
    /// The explicit IV.
    pub iv: [u8; IV_LEN],
}

impl Prefix {
    /// Splits a datagram into prefix and ciphertext ‖ ICV.
    pub fn split(datagram: &mut [u8]) -> Result<(Self, &mut [u8]), DropReason> {
        if datagram.len() < MIN_LEN || !datagram.len().is_multiple_of(ALIGN) {
            return Err(DropReason::MalformedEsp);
        }
        let (prefix, sealed) = datagram.split_first_chunk_mut::<PREFIX_LEN>().ok_or(DropReason::MalformedEsp)?;
        let [a, b, c, d, e, f, g, h, iv @ ..] = *prefix;
        let spi = Spi::new(u32::from_be_bytes([a, b, c, d])).ok_or(DropReason::MalformedEsp)?;
        Ok((Self { spi, sequence_low: u32::from_be_bytes([e, f, g, h]), iv }, sealed))
    }
}

/// What the trailer of an authenticated payload says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Octets before the padding.
    pub inner_len: usize,
    /// Protocol of those octets.
    pub next_header: u8,
}

impl Trailer {
    /// Reads the end of a decrypted payload and verifies the padding 1, 2, 3, … (RFC 4303 §2.4).
    pub fn parse(decrypted: &[u8]) -> Result<Self, DropReason> {
        let malformed = DropReason::MalformedTrailer;
        let (rest, &[pad, next_header]) = decrypted.split_last_chunk::<TRAILER_LEN>().ok_or(malformed)?;
        let inner_len = rest.len().checked_sub(usize::from(pad)).ok_or(malformed)?;
        let padding = rest.get(inner_len..).ok_or(malformed)?;
        if !padding.iter().copied().eq((1..=MAX_PAD as u8).take(padding.len())) {
            return Err(malformed);
        }
        Ok(Self { inner_len, next_header })
    }
}
