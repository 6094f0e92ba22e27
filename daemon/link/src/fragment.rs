//! Fragmentation of a red IPv4 packet that is larger than the link carries and allows it (RFC 791 §3.2). It happens before
//! sealing, so that the far red side reassembles and nothing is ever fragmented on black.

use crate::drops::DropReason;
use crate::ip::{self, be16, put};

const MIN_HEADER: usize = 20;
const MAX_HEADER: usize = 60;
const MORE: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;
/// Offsets count in units of this.
const UNIT: usize = 8;
/// In an option's kind: it is repeated in every fragment (RFC 791 §3.1).
const COPIED: u8 = 0x80;

/// The fragments of one packet, one after the other.
#[derive(Debug, Clone)]
pub struct Fragments<'a> {
    packet: &'a [u8],
    /// Octets of the first header.
    header: usize,
    /// What the later fragments begin with.
    later: [u8; MAX_HEADER],
    later_len: usize,
    mtu: usize,
    /// Payload octets written.
    written: usize,
    done: bool,
}

impl<'a> Fragments<'a> {
    /// Of a whole IPv4 packet, which may itself be a fragment. [`DropReason::MalformedIp`] if it may not be fragmented or if
    /// `mtu` leaves no room for its header and eight octets.
    pub fn of(packet: &'a [u8], mtu: usize) -> Result<Self, DropReason> {
        Self::parse(packet, mtu).ok_or(DropReason::MalformedIp)
    }

    fn parse(packet: &'a [u8], mtu: usize) -> Option<Self> {
        let packet = packet.get(..ip::packet_len(packet, 4)?)?;
        let header = ip::header_v4(packet)?;
        let mut later = [0; MAX_HEADER];
        let later_len = copy_options(packet.get(..header)?, &mut later)?;
        let fragments = Self { packet, header, later, later_len, mtu, written: 0, done: false };
        let room = mtu >= header.checked_add(UNIT)?;
        (room && ip::may_fragment(packet)).then_some(fragments)
    }

    /// Octets of the next fragment, `None` when all are written.
    pub fn next_len(&self) -> Option<usize> {
        (!self.done).then(|| self.header_len().saturating_add(self.next_payload().len()))
    }

    /// Writes the next fragment into `out`, which has exactly [`Self::next_len`] octets.
    pub fn write_next(&mut self, out: &mut [u8]) -> Result<(), DropReason> {
        self.try_write(out).ok_or(DropReason::BufferTooSmall)
    }

    fn header_len(&self) -> usize {
        if self.written == 0 { self.header } else { self.later_len }
    }

    fn rest(&self) -> &'a [u8] {
        self.packet.get(self.header..).and_then(|payload| payload.get(self.written..)).unwrap_or_default()
    }

    /// All that is left if it fits, else as many whole units as do.
    fn next_payload(&self) -> &'a [u8] {
        let (rest, room) = (self.rest(), self.mtu.saturating_sub(self.header_len()));
        let units = room.saturating_sub(room % UNIT);
        if rest.len() <= room { rest } else { rest.get(..units).unwrap_or_default() }
    }

    fn try_write(&mut self, out: &mut [u8]) -> Option<()> {
        let (payload, header_len) = (self.next_payload(), self.header_len());
        let (header, body) = out.split_at_mut_checked(header_len)?;
        if self.done || body.len() != payload.len() {
            return None;
        }
        body.copy_from_slice(payload);
        let source = if self.written == 0 { self.packet } else { &self.later };
        header.copy_from_slice(source.get(..header_len)?);
        let last = payload.len() == self.rest().len();
        put(header, 2, u16::try_from(header_len.checked_add(payload.len())?).ok()?.to_be_bytes())?;
        put(header, 6, self.flags(last)?.to_be_bytes())?;
        ip::fix_checksum_v4(header)?;
        (self.written, self.done) = (self.written.checked_add(payload.len())?, last);
        Some(())
    }

    /// Offset and MF: a fragment of a fragment lies where its packet lay, and only the last piece of the last is the last.
    fn flags(&self, last: bool) -> Option<u16> {
        let field = be16(self.packet, 6)?;
        let units = u16::try_from(self.written.checked_div(UNIT)?).ok()?;
        let offset = (field & OFFSET).checked_add(units).filter(|offset| *offset <= OFFSET)?;
        let more = if last { field & MORE } else { MORE };
        Some(offset | more)
    }
}

/// Header and copied options of the later fragments; returns the length. `None` if the options contradict themselves.
fn copy_options(header: &[u8], later: &mut [u8; MAX_HEADER]) -> Option<usize> {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    let (fixed, mut options) = header.split_at_checked(MIN_HEADER)?;
    later.get_mut(..MIN_HEADER)?.copy_from_slice(fixed);
    let mut len = MIN_HEADER;
    while let [kind, rest @ ..] = options {
        match *kind {
            END => break,
            NO_OPERATION => options = rest,
            kind => {
                let size = usize::from(*rest.first()?);
                let option = options.get(..size).filter(|_| size >= 2)?;
                if kind & COPIED != 0 {
                    let end = len.checked_add(size)?;
                    later.get_mut(len..end)?.copy_from_slice(option);
                    len = end;
                }
                options = options.get(size..)?;
            }
        }
    }
    // The rest of the last word is END, which the array holds already.
    len = len.checked_next_multiple_of(4)?;
    let words = u8::try_from(len.checked_div(4)?).ok()?;
    put(later, 0, [0x40 | words])?;
    Some(len)
}
