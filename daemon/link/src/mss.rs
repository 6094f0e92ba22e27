//! Lowers the maximum segment size that a TCP handshake announces to what the link carries, in both directions: so that
//! connections fit from their first segment, even where ICMP does not come through (RFC 4459 §3.2, RFC 6691).

use crate::checksum::{self, Sum};
use crate::ip::{self, be16, put};

const SYN: u8 = 0x02;
const MIN_TCP: usize = 20;
const FLAGS: usize = 13;
const CHECKSUM: usize = 16;
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// What a packet's transport checksum field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The checksum: a change has to be reflected in it.
    Complete,
    /// The pseudo-header's sum only; the rest is computed later.
    Partial,
}

/// Whether this is the SYN or SYN-ACK of a TCP connection: cheap, for every packet.
pub fn opens_connection(packet: &[u8]) -> bool {
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    let next = packet.get(if is_v4 { 9 } else { 6 });
    // IPv6 extension headers may stand in front of TCP.
    let perhaps = next == Some(&ip::TCP) || !is_v4 && matches!(next, Some(0 | 43 | 44 | 60));
    perhaps && tcp_at(packet).and_then(|at| packet.get(at.checked_add(FLAGS)?)).is_some_and(is_syn)
}

fn is_syn(flags: &u8) -> bool {
    flags & SYN != 0
}

/// Where TCP's header begins, in a packet that is no later fragment.
fn tcp_at(packet: &[u8]) -> Option<usize> {
    let version = packet.first()? >> 4;
    if version == 4 && be16(packet, 6)? & 0x1fff != 0 {
        return None;
    }
    let (protocol, at) = ip::transport(packet, version)?;
    (protocol == ip::TCP && at < packet.len()).then_some(at)
}

/// Lowers the announced segment size to what fits an inner packet of `mtu` octets; returns whether it did.
///
/// Nothing is raised, and nothing is added where a handshake announces no size: its default fits (RFC 9293 §3.7.1).
pub fn clamp(packet: &mut [u8], mtu: usize, checksum: Checksum) -> bool {
    try_clamp(packet, mtu, checksum).is_some()
}

fn try_clamp(packet: &mut [u8], mtu: usize, checksum: Checksum) -> Option<()> {
    let at = tcp_at(packet)?;
    // RFC 6691: IP and TCP headers without options.
    let fixed = if packet.first()? >> 4 == 4 { 40 } else { 60 };
    let most = u16::try_from(mtu.checked_sub(fixed)?).ok()?;
    let tcp = packet.get_mut(at..)?;
    if !is_syn(tcp.get(FLAGS)?) {
        return None;
    }
    let header = usize::from(*tcp.get(12)? >> 4).checked_mul(4)?;
    let value_at = find_value(tcp.get(MIN_TCP..header)?)?.checked_add(MIN_TCP)?;
    let announced = be16(tcp, value_at)?;
    if announced <= most {
        return None;
    }
    if checksum == Checksum::Complete {
        let field = *tcp.get(CHECKSUM..)?.first_chunk::<2>()?;
        let change = |value: u16| checksum::at_offset(value_at, value.to_be_bytes());
        put(tcp, CHECKSUM, Sum::updated(field, change(announced), change(most)))?;
    }
    put(tcp, value_at, most.to_be_bytes())
}

/// Where in the options the segment size stands. Options that contradict themselves end the search.
fn find_value(options: &[u8]) -> Option<usize> {
    let mut at = 0usize;
    loop {
        match (*options.get(at)?, options.get(at.checked_add(1)?)) {
            (END, _) => return None,
            (NO_OPERATION, _) => at = at.checked_add(1)?,
            (MAXIMUM_SEGMENT_SIZE, Some(4)) if options.len() >= at.checked_add(4)? => return at.checked_add(2),
            (_, Some(&len)) if len >= 2 => at = at.checked_add(usize::from(len))?,
            _ => return None,
        }
    }
}
