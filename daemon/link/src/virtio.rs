//! The `virtio_net_hdr` in front of each packet of a TUN device opened with `IFF_VNET_HDR` (virtio 1.2 §5.1.6).
//!
//! Little-endian here: every host that runs this is, or sets `TUNSETVNETLE`.

/// Octets of the header (without `num_buffers`).
pub const LEN: usize = 10;
/// `flags`: the checksum field holds only the pseudo-header's sum.
pub const NEEDS_CSUM: u8 = 1;
/// `gso_type`: one packet.
pub const GSO_NONE: u8 = 0;
/// `gso_type`: TCP over IPv4.
pub const GSO_TCPV4: u8 = 1;
/// `gso_type`: TCP over IPv6.
pub const GSO_TCPV6: u8 = 4;
/// `gso_type`: UDP datagrams of equal size.
pub const GSO_UDP_L4: u8 = 5;
/// Bit in `gso_type`: TCP with ECN.
pub const GSO_ECN: u8 = 0x80;

/// How a super-packet is to be cut, or was joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// [`NEEDS_CSUM`] or 0.
    pub flags: u8,
    /// One of the `GSO_` values.
    pub gso_type: u8,
    /// Octets of all headers; a hint only.
    pub header_len: u16,
    /// Payload octets of each segment but the last.
    pub gso_size: u16,
    /// Where the transport header begins.
    pub csum_start: u16,
    /// Where in it the checksum lies.
    pub csum_offset: u16,
}

impl Header {
    /// Splits what was read from the TUN device into header and packet.
    pub fn split(read: &[u8]) -> Option<(Self, &[u8])> {
        let (&[flags, gso_type, a, b, c, d, e, f, g, h], packet) = read.split_first_chunk::<LEN>()?;
        let header = Self {
            flags,
            gso_type,
            header_len: u16::from_le_bytes([a, b]),
            gso_size: u16::from_le_bytes([c, d]),
            csum_start: u16::from_le_bytes([e, f]),
            csum_offset: u16::from_le_bytes([g, h]),
        };
        Some((header, packet))
    }

    /// As it goes to the TUN device.
    pub fn encode(&self) -> [u8; LEN] {
        let [a, b] = self.header_len.to_le_bytes();
        let [c, d] = self.gso_size.to_le_bytes();
        let [e, f] = self.csum_start.to_le_bytes();
        let [g, h] = self.csum_offset.to_le_bytes();
        [self.flags, self.gso_type, a, b, c, d, e, f, g, h]
    }
}
