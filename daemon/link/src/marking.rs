//! DSCP and ECN between the inner and the outer header (RFC 4301 §5.1.2, RFC 6040).
//!
//! Outward both go outside: ECN always, in normal mode, because the far end of a link is always one of these; DSCP if the
//! site says so. Inward the outer DSCP is ignored, for the carrier changes it as it likes, and the outer ECN is merged as
//! RFC 6040 §4.2 has it. The outer header is not authenticated: who forges congestion there could as well drop the packet.

use crate::checksum::{self, Sum};
use crate::drops::DropReason;
use crate::ip::{be16, put};

const ECN_BITS: u8 = 0x03;

/// The ECN field (RFC 3168 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ecn {
    /// The transport does not understand ECN.
    #[default]
    NotEct,
    /// ECN-capable, with the low-latency mark (RFC 9331).
    Ect1,
    /// ECN-capable.
    Ect0,
    /// Congestion experienced.
    Ce,
}

impl Ecn {
    /// From the two lowest bits of a traffic class.
    pub const fn from_bits(traffic_class: u8) -> Self {
        match traffic_class & ECN_BITS {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0,
            Self::Ect1 => 1,
            Self::Ect0 => 2,
            Self::Ce => 3,
        }
    }
}

/// TOS octet (IPv4) or traffic class (IPv6): DSCP and ECN.
fn traffic_class(packet: &[u8]) -> Option<u8> {
    let word = be16(packet, 0)?;
    Some(if word >> 12 == 4 { (word & 0xff) as u8 } else { (word >> 4 & 0xff) as u8 })
}

/// The outer header's traffic class for an inner packet.
pub fn outer(packet: &[u8], copy_dscp: bool) -> u8 {
    let inner = traffic_class(packet).unwrap_or(0);
    if copy_dscp { inner } else { inner & ECN_BITS }
}

/// Merges the outer ECN into the inner header (RFC 6040 figure 4). Congestion on a packet whose transport does not understand
/// the mark is answered in the one way that it does: by its loss.
pub fn merge(packet: &mut [u8], outer: Ecn) -> Result<(), DropReason> {
    if outer != Ecn::Ce && outer != Ecn::Ect1 {
        return Ok(());
    }
    let inner = Ecn::from_bits(traffic_class(packet).ok_or(DropReason::MalformedIp)?);
    match (inner, outer) {
        (Ecn::NotEct, Ecn::Ce) => Err(DropReason::CongestionUnmarkable),
        (Ecn::Ect0 | Ecn::Ect1, Ecn::Ce) => mark(packet, Ecn::Ce).ok_or(DropReason::MalformedIp),
        (Ecn::Ect0, Ecn::Ect1) => mark(packet, Ecn::Ect1).ok_or(DropReason::MalformedIp),
        _ => Ok(()),
    }
}

fn mark(packet: &mut [u8], ecn: Ecn) -> Option<()> {
    let old = *packet.first_chunk::<2>()?;
    let [first, second] = old;
    if first >> 4 == 6 {
        return put(packet, 1, [second & !(ECN_BITS << 4) | ecn.bits() << 4]);
    }
    let new = [first, second & !ECN_BITS | ecn.bits()];
    let field = *packet.get(10..)?.first_chunk::<2>()?;
    let [old, word] = [old, new].map(|word| checksum::at_offset(0, word));
    put(packet, 10, Sum::updated(field, old, word))?;
    put(packet, 0, new)
}
