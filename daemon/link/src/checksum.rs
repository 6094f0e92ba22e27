//! The Internet checksum (RFC 1071), kept in native byte order until it is written.

use core::net::IpAddr;

/// A running one's-complement sum. Pieces must begin at even offsets of the checksummed data.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Adds octets; an odd one at the end counts as padded with zero.
    #[inline]
    pub(crate) fn add(self, octets: &[u8]) -> Self {
        let (words, rest) = octets.as_chunks::<4>();
        let sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        Self(self.0.wrapping_add(sum).wrapping_add(u64::from(u32::from_ne_bytes(last))))
    }

    /// The pseudo-header of TCP and UDP over IPv4 (RFC 9293 §3.1) or IPv6 (RFC 8200 §8.1).
    pub(crate) fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> Self {
        let sum = Self::default().add_address(source).add_address(destination);
        sum.add(&(len as u32).to_be_bytes()).add(&[0, protocol])
    }

    fn add_address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => self.add(&v4.octets()),
            IpAddr::V6(v6) => self.add(&v6.octets()),
        }
    }

    /// Folded to 16 bits, in wire order: what a partial checksum field holds.
    pub(crate) fn folded(self) -> [u8; 2] {
        let fold32 = |sum: u64| (sum & 0xffff_ffff).wrapping_add(sum >> 32);
        let fold16 = |sum: u64| (sum & 0xffff).wrapping_add(sum >> 16);
        let folded = fold16(fold16(fold16(fold32(self.0))));
        ((folded & 0xffff) as u16).to_ne_bytes()
    }

    /// The checksum field in wire order.
    pub(crate) fn finish(self) -> [u8; 2] {
        self.folded().map(|octet| !octet)
    }

    /// As [`Self::finish`], for UDP: zero would mean "no checksum" (RFC 768).
    pub(crate) fn finish_udp(self) -> [u8; 2] {
        match self.finish() {
            [0, 0] => [0xff; 2],
            field => field,
        }
    }

    /// A checksum field after octets of the data changed from `old` to `new` (RFC 1624 eqn. 3). Both are whole 32-bit words
    /// of the data, or zero-extended ones: see [`at_offset`].
    pub(crate) fn updated(field: [u8; 2], old: [u8; 4], new: [u8; 4]) -> [u8; 2] {
        let complement = |octets: [u8; 4]| octets.map(|octet| !octet);
        Self::default().add(&field.map(|octet| !octet)).add(&complement(old)).add(&new).finish()
    }

    /// Whether data that includes its checksum field sums up as it should.
    pub(crate) fn is_valid(self) -> bool {
        self.folded() == [0xff; 2]
    }
}

/// A 16-bit field as it weighs in a sum when it lies at `offset`: at an odd one it straddles two words.
pub(crate) fn at_offset(offset: usize, [high, low]: [u8; 2]) -> [u8; 4] {
    if offset.is_multiple_of(2) { [high, low, 0, 0] } else { [0, high, low, 0] }
}
