//! Joins consecutive TCP segments of a receive batch into super-packets for the TUN device, without copying payloads.
//!
//! The opened packets stay where they were decrypted, in one *arena* (a slice that holds the whole receive batch); the
//! coalescer remembers ranges. Each [`Frame`] is then a patched head followed by payload slices: one `writev`.
//!
//! Packets of one flow are never reordered: a packet joins only the newest frame of its flow, and anything unusual (flags,
//! options that change, a gap, a wrong checksum) ends that frame. Checksums are verified before a join, because the joined
//! frame asks the kernel to make new ones: a packet that was damaged before it was sealed must not be laundered.

use crate::checksum::Sum;
use crate::ip::{self, Selector, be16, be32, put};
use crate::virtio::{self, GSO_TCPV4, GSO_TCPV6, Header, NEEDS_CSUM};
use alloc::vec::Vec;
use core::ops::Range;

/// Segments that one frame joins at most: what fits 64 KiB at the common size, and an `iovec` array on the stack.
pub const MAX_JOINED: usize = 48;
/// How many of the newest frames a packet is compared with.
const FLOWS_SEARCHED: usize = 32;
/// An IP packet's largest length.
const MAX_PACKET: usize = 65_535;
/// IPv6 header and the longest TCP header.
const MAX_HEADERS: usize = 40 + 60;
const ACK: u8 = 0x10;
const PSH: u8 = 0x08;
const TCP_CHECKSUM: u16 = 16;

/// A TCP segment that may be joined: only ACK or ACK and PSH, with payload, no IP options, no fragment.
#[derive(Debug, Clone, Copy)]
struct Segment<'a> {
    selector: Selector,
    packet: &'a [u8],
    ip_len: usize,
    headers: usize,
    sequence: u32,
    psh: bool,
}

impl<'a> Segment<'a> {
    fn parse(packet: &'a [u8]) -> Option<Self> {
        let selector = Selector::parse(packet)?;
        let ip_len = plain_ip_header(packet)?;
        let tcp = packet.get(ip_len..)?;
        let headers = ip_len.checked_add(usize::from(*tcp.get(12)? >> 4).checked_mul(4)?)?;
        let flags = *tcp.get(13)?;
        let long_enough = headers >= ip_len.checked_add(20)? && packet.len() > headers;
        let plain = selector.protocol == ip::TCP && flags & !PSH == ACK && long_enough;
        plain.then_some(Self { selector, packet, ip_len, headers, sequence: be32(tcp, 4)?, psh: flags & PSH != 0 })
    }

    fn payload_len(&self) -> usize {
        self.packet.len().saturating_sub(self.headers)
    }

    fn tcp(&self) -> &'a [u8] {
        self.packet.get(self.ip_len..).unwrap_or_default()
    }

    fn checksum_is_valid(&self) -> bool {
        let (tcp, Selector { source, destination, protocol, .. }) = (self.tcp(), self.selector);
        let ip_header = self.packet.get(..self.ip_len).unwrap_or_default();
        let ip_valid = self.ip_len != 20 || Sum::default().add(ip_header).is_valid();
        ip_valid && Sum::pseudo_header(source, destination, protocol, tcp.len()).add(tcp).is_valid()
    }

    /// Whether headers agree in all that a join would lose: TOS, flow label, hop limit, DF, acknowledgement, TCP options.
    fn resembles(&self, other: &Segment<'_>) -> bool {
        let tcp_same = |at: Range<usize>| self.tcp().get(at.clone()) == other.tcp().get(at);
        let ip_same = |at: Range<usize>| self.packet.get(at.clone()) == other.packet.get(at);
        let is_v4 = self.ip_len == 20;
        let ip = if is_v4 { ip_same(1..2) && ip_same(6..9) } else { ip_same(0..4) && ip_same(7..8) };
        let options = 20..self.headers.saturating_sub(self.ip_len);
        self.headers == other.headers && ip && tcp_same(8..13) && tcp_same(options)
    }

    /// Without DF the identification matters (RFC 6864): it must count up.
    fn identification_follows(&self, head: &Segment<'_>, joined: usize) -> bool {
        let may_fragment = self.ip_len == 20 && self.packet.get(6).is_some_and(|flags| flags & 0x40 == 0);
        let (mine, first) = (be16(self.packet, 4), be16(head.packet, 4));
        !may_fragment || mine == first.map(|id| id.wrapping_add(joined as u16))
    }
}

/// Length of an IP header without options, extension headers or fragmentation.
fn plain_ip_header(packet: &[u8]) -> Option<usize> {
    match packet.first()? {
        0x45 => (be16(packet, 6)? & 0x3fff == 0).then_some(20),
        first if first >> 4 == 6 => (*packet.get(6)? == ip::TCP).then_some(40),
        _ => None,
    }
}

/// One write to the TUN device, as ranges of the arena.
#[derive(Debug, Clone)]
struct Group {
    flow: Option<Selector>,
    head: Range<usize>,
    headers: usize,
    total: usize,
    next_sequence: u32,
    verified: bool,
    open: bool,
    joined: Vec<Range<usize>>,
}

/// Collects one batch. Keeps its memory between batches, so that steady traffic allocates nothing.
#[derive(Debug, Default)]
pub struct Coalescer {
    groups: Vec<Group>,
    used: usize,
}

impl Coalescer {
    /// Empty.
    pub const fn new() -> Self {
        Self { groups: Vec::new(), used: 0 }
    }

    /// Forgets the batch.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// Adds the opened packet at `packet` of `arena`, in the order of arrival. A range outside is ignored.
    pub fn push(&mut self, arena: &[u8], packet: Range<usize>) {
        let Some(octets) = arena.get(packet.clone()) else { return };
        let segment = Segment::parse(octets);
        if !segment.as_ref().is_some_and(|segment| self.join(arena, segment, &packet)) {
            self.close_flow_of(octets);
            self.start(packet, segment.as_ref());
        }
    }

    /// What to write to the TUN device, in order.
    pub fn frames<'b>(&'b self, arena: &'b [u8]) -> impl Iterator<Item = Frame<'b>> {
        self.groups.iter().take(self.used).filter_map(move |group| Frame::new(arena, group))
    }

    /// Appends to the newest frame of the flow, if every condition holds.
    fn join(&mut self, arena: &[u8], segment: &Segment<'_>, packet: &Range<usize>) -> bool {
        let Some(group) = self.newest_of(&segment.selector) else { return false };
        group.admits(arena, segment) && {
            group.append(segment, packet);
            true
        }
    }

    fn newest_of(&mut self, flow: &Selector) -> Option<&mut Group> {
        let groups = self.groups.get_mut(..self.used)?;
        groups.iter_mut().rev().take(FLOWS_SEARCHED).find(|group| group.flow.as_ref() == Some(flow))
    }

    /// Whatever could not be joined must not be overtaken by what comes after it.
    fn close_flow_of(&mut self, octets: &[u8]) {
        let flow = Selector::parse(octets);
        if let Some(group) = flow.and_then(|flow| self.newest_of(&flow)) {
            group.open = false;
        }
    }

    fn start(&mut self, packet: Range<usize>, segment: Option<&Segment<'_>>) {
        if self.used == self.groups.len() {
            self.groups.push(Group::vacant());
        }
        if let Some(group) = self.groups.get_mut(self.used) {
            group.start(packet, segment);
            self.used = self.used.saturating_add(1);
        }
    }
}

impl Group {
    fn vacant() -> Self {
        let joined = Vec::with_capacity(MAX_JOINED);
        Self { flow: None, head: 0..0, headers: 0, total: 0, next_sequence: 0, verified: false, open: false, joined }
    }

    fn start(&mut self, packet: Range<usize>, segment: Option<&Segment<'_>>) {
        (self.head, self.verified) = (packet, false);
        self.joined.clear();
        self.flow = segment.map(|segment| segment.selector);
        self.open = segment.is_some_and(|segment| !segment.psh);
        if let Some(segment) = segment {
            (self.headers, self.total) = (segment.headers, segment.packet.len());
            self.next_sequence = segment.sequence.wrapping_add(segment.payload_len() as u32);
        }
    }

    fn admits(&mut self, arena: &[u8], segment: &Segment<'_>) -> bool {
        let Some(head) = arena.get(self.head.clone()).and_then(Segment::parse) else { return false };
        let joined = self.joined.len().saturating_add(1);
        let fits = joined < MAX_JOINED && self.total.saturating_add(segment.payload_len()) <= MAX_PACKET;
        let follows = segment.sequence == self.next_sequence && segment.payload_len() <= head.payload_len();
        let same = segment.resembles(&head) && segment.identification_follows(&head, joined);
        self.open && fits && follows && same && self.verify(&head) && segment.checksum_is_valid()
    }

    fn verify(&mut self, head: &Segment<'_>) -> bool {
        self.verified = self.verified || head.checksum_is_valid();
        self.verified
    }

    fn append(&mut self, segment: &Segment<'_>, packet: &Range<usize>) {
        let size = self.head.len().saturating_sub(self.headers);
        self.open = !segment.psh && segment.payload_len() == size;
        self.next_sequence = self.next_sequence.wrapping_add(segment.payload_len() as u32);
        self.total = self.total.saturating_add(segment.payload_len());
        self.joined.push(packet.clone());
    }
}

/// One write to the TUN device: `virtio_net_hdr`, headers, then payloads.
pub struct Frame<'b> {
    head: [u8; virtio::LEN + MAX_HEADERS],
    head_len: usize,
    arena: &'b [u8],
    group: &'b Group,
}

impl<'b> Frame<'b> {
    fn new(arena: &'b [u8], group: &'b Group) -> Option<Self> {
        let mut frame = Self { head: [0; virtio::LEN + MAX_HEADERS], head_len: virtio::LEN, arena, group };
        if !group.joined.is_empty() {
            frame.patch_head()?;
        }
        Some(frame)
    }

    /// The first slice: `virtio_net_hdr`, and the joined packet's headers if there is one.
    pub fn head(&self) -> &[u8] {
        self.head.get(..self.head_len).unwrap_or_default()
    }

    /// The slices after [`Self::head`]: at most [`MAX_JOINED`].
    pub fn rest(&self) -> impl Iterator<Item = &'b [u8]> + '_ {
        let headers = if self.group.joined.is_empty() { 0 } else { self.group.headers };
        let packets = core::iter::once(&self.group.head).chain(&self.group.joined);
        packets.filter_map(move |packet| self.arena.get(packet.clone())?.get(headers..))
    }

    /// Packets in this frame.
    pub fn packets(&self) -> usize {
        self.group.joined.len().saturating_add(1)
    }

    fn patch_head(&mut self) -> Option<()> {
        let first = Segment::parse(self.arena.get(self.group.head.clone())?)?;
        let last = Segment::parse(self.arena.get(self.group.joined.last()?.clone())?)?;
        let (virtio_header, packet) = self.head.split_at_mut_checked(virtio::LEN)?;
        virtio_header.copy_from_slice(&virtio_header_of(&first)?.encode());
        let headers = packet.get_mut(..first.headers)?;
        headers.copy_from_slice(first.packet.get(..first.headers)?);
        patch_ip(headers, self.group.total)?;
        patch_tcp(headers, &first, &last, self.group.total)?;
        self.head_len = virtio::LEN.checked_add(first.headers)?;
        Some(())
    }
}

fn virtio_header_of(first: &Segment<'_>) -> Option<Header> {
    Some(Header {
        flags: NEEDS_CSUM,
        gso_type: if first.ip_len == 20 { GSO_TCPV4 } else { GSO_TCPV6 },
        header_len: u16::try_from(first.headers).ok()?,
        gso_size: u16::try_from(first.payload_len()).ok()?,
        csum_start: u16::try_from(first.ip_len).ok()?,
        csum_offset: TCP_CHECKSUM,
    })
}

fn patch_ip(headers: &mut [u8], total: usize) -> Option<()> {
    if headers.first()? >> 4 == 6 {
        return put(headers, 4, u16::try_from(total.checked_sub(40)?).ok()?.to_be_bytes());
    }
    put(headers, 2, u16::try_from(total).ok()?.to_be_bytes())?;
    ip::fix_checksum_v4(headers)
}

/// Window and PSH as the last segment had them; the checksum field gets the pseudo-header's sum.
fn patch_tcp(headers: &mut [u8], first: &Segment<'_>, last: &Segment<'_>, total: usize) -> Option<()> {
    let Selector { source, destination, protocol, .. } = first.selector;
    let sum = Sum::pseudo_header(source, destination, protocol, total.checked_sub(first.ip_len)?);
    let tcp = headers.get_mut(first.ip_len..)?;
    put(tcp, 14, be16(last.tcp(), 14)?.to_be_bytes())?;
    put(tcp, 13, [*last.tcp().get(13)?])?;
    put(tcp, usize::from(TCP_CHECKSUM), sum.folded())
}
