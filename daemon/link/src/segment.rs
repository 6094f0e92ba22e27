//! What the TUN device hands out: one packet, or a super-packet of up to 64 KiB that must be cut (TSO, USO).
//!
//! [`Outgoing`] writes each packet with its own headers and checksums straight into the caller's buffer, so that copying,
//! checksumming and sealing touch the payload while it is in the cache.

use crate::checksum::Sum;
use crate::drops::DropReason;
use crate::ip::{self, Selector, be16, be32, put};
use crate::mss::Checksum;
use crate::virtio::{GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, Header, NEEDS_CSUM};

const MALFORMED: DropReason = DropReason::MalformedOffload;
const UDP_HEADER: usize = 8;
const TCP_MIN_HEADER: usize = 20;
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;
const TCP_FLAGS: usize = 13;
const FIN_PSH: u8 = 0x01 | 0x08;
const CWR: u8 = 0x80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One packet, complete as it is.
    Whole,
    /// One packet; the checksum at `field`, over what begins at `start`, holds the pseudo-header's sum only.
    Partial { start: usize, field: usize },
    /// A TCP super-packet.
    Tcp { transport: usize },
    /// UDP datagrams of equal size.
    Udp { transport: usize },
}

/// Whether a link carries what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Every packet as it is.
    Whole,
    /// After fragmentation ([`crate::Fragments`]).
    InFragments,
    /// Not at all: tell the sender ([`crate::icmp::too_big`]).
    No,
    /// An IPv6 packet that the sender is entitled to send: there is nothing to tell.
    NoThoughEntitled,
}

/// What every IPv6 link carries (RFC 8200 §5).
const IPV6_MIN_MTU: usize = 1280;

/// One read from the TUN device, on its way to the black side.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    packet: &'a [u8],
    selector: Selector,
    kind: Kind,
    headers: usize,
    segment: usize,
    written: usize,
    index: u16,
    done: bool,
}

impl<'a> Outgoing<'a> {
    /// Reads `virtio_net_hdr` and packet, as a TUN device with `IFF_VNET_HDR` delivers them.
    pub fn parse(read: &'a [u8]) -> Result<Self, DropReason> {
        let (header, packet) = Header::split(read).ok_or(MALFORMED)?;
        Self::with_header(header, packet)
    }

    /// One packet from a TUN device without offloads.
    pub fn single(packet: &'a [u8]) -> Result<Self, DropReason> {
        Self::with_header(Header::default(), packet)
    }

    /// A packet and how to cut it.
    pub fn with_header(header: Header, packet: &'a [u8]) -> Result<Self, DropReason> {
        let version = packet.first().ok_or(DropReason::MalformedIp)? >> 4;
        let len = ip::packet_len(packet, version).ok_or(DropReason::MalformedIp)?;
        let packet = packet.get(..len).ok_or(DropReason::MalformedIp)?;
        let selector = Selector::parse(packet).ok_or(DropReason::MalformedIp)?;
        let kind = Kind::parse(header, version, packet)?;
        let headers = kind.headers(packet)?;
        let segment = match kind {
            Kind::Whole | Kind::Partial { .. } => packet.len(),
            Kind::Tcp { .. } | Kind::Udp { .. } => usize::from(header.gso_size),
        };
        if segment == 0 || headers > packet.len() {
            return Err(MALFORMED);
        }
        Ok(Self { packet, selector, kind, headers, segment, written: 0, index: 0, done: false })
    }

    /// The headers that policy looks at; all segments share them.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The packet as it was read.
    pub fn packet(&self) -> &'a [u8] {
        self.packet
    }

    /// Octets of the largest packet that comes of it.
    pub fn largest(&self) -> usize {
        self.headers.saturating_add(self.segment).min(self.packet.len())
    }

    /// How it fits a link that carries inner packets of `mtu` octets.
    pub fn fit(&self, mtu: usize) -> Fit {
        let largest = self.largest();
        let is_v6 = self.selector.source.is_ipv6();
        match largest <= mtu {
            true => Fit::Whole,
            false if ip::may_fragment(self.packet) => Fit::InFragments,
            false if is_v6 && largest <= IPV6_MIN_MTU => Fit::NoThoughEntitled,
            false => Fit::No,
        }
    }

    /// What the transport checksum field of the packet holds, as it was read.
    pub fn checksum(&self) -> Checksum {
        if self.kind == Kind::Whole { Checksum::Complete } else { Checksum::Partial }
    }

    /// Whether every packet has been written.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Octets of the next packet, `None` when done.
    pub fn next_len(&self) -> Option<usize> {
        (!self.done).then(|| self.headers.saturating_add(self.next_payload().len()))
    }

    fn next_payload(&self) -> &'a [u8] {
        let payload = self.packet.get(self.headers..).unwrap_or_default();
        let rest = payload.get(self.written..).unwrap_or_default();
        rest.get(..self.segment).unwrap_or(rest)
    }

    /// Writes the next packet into `out`, which has exactly [`Self::next_len`] octets.
    pub fn write_next(&mut self, out: &mut [u8]) -> Result<(), DropReason> {
        let payload = self.next_payload();
        let (head, body) = out.split_at_mut_checked(self.headers).ok_or(DropReason::BufferTooSmall)?;
        if self.done || body.len() != payload.len() {
            return Err(DropReason::BufferTooSmall);
        }
        head.copy_from_slice(self.packet.get(..self.headers).unwrap_or_default());
        body.copy_from_slice(payload);
        let after = self.written.saturating_add(payload.len());
        let last = self.headers.saturating_add(after) >= self.packet.len();
        self.fix_headers(out, last).ok_or(MALFORMED)?;
        self.advance(payload.len());
        Ok(())
    }

    /// Leaves the next packet out.
    pub fn skip_next(&mut self) {
        self.advance(self.next_payload().len());
    }

    fn advance(&mut self, payload: usize) {
        self.written = self.written.saturating_add(payload);
        self.index = self.index.wrapping_add(1);
        self.done = self.headers.saturating_add(self.written) >= self.packet.len();
    }

    fn fix_headers(&self, out: &mut [u8], last: bool) -> Option<()> {
        match self.kind {
            Kind::Whole => Some(()),
            Kind::Partial { start, field } => complete_checksum(out, start, field),
            Kind::Tcp { transport } => {
                fix_ip(out, self.index)?;
                self.fix_tcp(out, transport, last)
            }
            Kind::Udp { transport } => {
                fix_ip(out, self.index)?;
                let len = u16::try_from(out.len().checked_sub(transport)?).ok()?;
                put(out, transport.checked_add(4)?, len.to_be_bytes())?;
                self.fix_transport_checksum(out, transport, UDP_CHECKSUM)
            }
        }
    }

    /// Sequence number and flags: FIN and PSH belong to the last segment, CWR to the first (RFC 3168 §6.1.2).
    fn fix_tcp(&self, out: &mut [u8], transport: usize, last: bool) -> Option<()> {
        let (sequence_at, flags_at) = (transport.checked_add(4)?, transport.checked_add(TCP_FLAGS)?);
        let sequence = be32(out, sequence_at)?.wrapping_add(self.written as u32);
        put(out, sequence_at, sequence.to_be_bytes())?;
        let not_last = if last { 0 } else { FIN_PSH };
        let not_first = if self.index == 0 { 0 } else { CWR };
        let flags = out.get_mut(flags_at)?;
        *flags &= !(not_last | not_first);
        self.fix_transport_checksum(out, transport, TCP_CHECKSUM)
    }

    fn fix_transport_checksum(&self, out: &mut [u8], transport: usize, offset: usize) -> Option<()> {
        let field = transport.checked_add(offset)?;
        put(out, field, [0; 2])?;
        let segment = out.get(transport..)?;
        let Selector { source, destination, protocol, .. } = self.selector;
        let sum = Sum::pseudo_header(source, destination, protocol, segment.len()).add(segment);
        put(out, field, if offset == UDP_CHECKSUM { sum.finish_udp() } else { sum.finish() })
    }
}

impl Kind {
    fn parse(header: Header, version: u8, packet: &[u8]) -> Result<Self, DropReason> {
        let start = usize::from(header.csum_start);
        let field = start.saturating_add(usize::from(header.csum_offset));
        let partial = header.flags & NEEDS_CSUM != 0;
        match (header.gso_type & !GSO_ECN, version) {
            (GSO_NONE, _) if !partial => Ok(Self::Whole),
            (GSO_NONE, _) if field.saturating_add(2) <= packet.len() => Ok(Self::Partial { start, field }),
            (GSO_TCPV4, 4) | (GSO_TCPV6, 6) => {
                transport(packet, version, start, ip::TCP).map(|transport| Self::Tcp { transport })
            }
            (GSO_UDP_L4, 4 | 6) => transport(packet, version, start, ip::UDP).map(|transport| Self::Udp { transport }),
            _ => Err(MALFORMED),
        }
    }

    /// Octets that each segment repeats.
    fn headers(self, packet: &[u8]) -> Result<usize, DropReason> {
        match self {
            Self::Whole | Self::Partial { .. } => Ok(0),
            Self::Udp { transport } => Ok(transport.saturating_add(UDP_HEADER)),
            Self::Tcp { transport } => {
                let offset = packet.get(transport.saturating_add(12)).ok_or(MALFORMED)? >> 4;
                let len = usize::from(offset).saturating_mul(4);
                if len < TCP_MIN_HEADER { Err(MALFORMED) } else { Ok(transport.saturating_add(len)) }
            }
        }
    }
}

/// Where the transport header begins, by the packet's own account; a `csum_start` that differs is refused.
fn transport(packet: &[u8], version: u8, csum_start: usize, protocol: u8) -> Result<usize, DropReason> {
    let (found, at) = ip::transport(packet, version).ok_or(MALFORMED)?;
    if found == protocol && at == csum_start { Ok(at) } else { Err(MALFORMED) }
}

/// Lengths, and for IPv4 the identification (RFC 6864: rising) and header checksum.
fn fix_ip(out: &mut [u8], index: u16) -> Option<()> {
    let len = u16::try_from(out.len()).ok()?;
    if out.first()? >> 4 == 6 {
        return put(out, 4, len.checked_sub(40)?.to_be_bytes());
    }
    let identification = be16(out, 4)?.wrapping_add(index);
    put(out, 2, len.to_be_bytes())?;
    put(out, 4, identification.to_be_bytes())?;
    ip::fix_checksum_v4(out)
}

/// The field holds the pseudo-header's sum: add the rest and complement.
fn complete_checksum(out: &mut [u8], start: usize, field: usize) -> Option<()> {
    let sum = Sum::default().add(out.get(start..)?);
    let is_udp = field.checked_sub(start)? == UDP_CHECKSUM;
    put(out, field, if is_udp { sum.finish_udp() } else { sum.finish() })
}
