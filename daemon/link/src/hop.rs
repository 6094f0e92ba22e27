//! One hop less, for a packet that a hub relays: what circles ends (RFC 791, RFC 8200 §3).

use crate::checksum::{self, Sum};
use crate::drops::DropReason;
use crate::ip::{be16, put};

const TTL: usize = 8;
const CHECKSUM: usize = 10;
const HOP_LIMIT: usize = 7;

/// Takes one hop from an IPv4 or IPv6 packet; one that has none left goes no further.
pub fn take(packet: &mut [u8]) -> Result<(), DropReason> {
    match packet.first().map(|first| first >> 4) {
        Some(4) => take_v4(packet),
        Some(6) => take_from(packet, HOP_LIMIT),
        _ => Err(DropReason::MalformedIp),
    }
}

fn take_from(packet: &mut [u8], at: usize) -> Result<(), DropReason> {
    let hops = packet.get_mut(at).ok_or(DropReason::MalformedIp)?;
    match hops.checked_sub(1) {
        None | Some(0) => Err(DropReason::HopsExhausted),
        Some(left) => {
            *hops = left;
            Ok(())
        }
    }
}

fn take_v4(packet: &mut [u8]) -> Result<(), DropReason> {
    let word = |packet: &[u8]| be16(packet, TTL).map(u16::to_be_bytes);
    let old = word(packet).ok_or(DropReason::MalformedIp)?;
    take_from(packet, TTL)?;
    let mut renewed = || {
        let new = word(packet)?;
        let field = *packet.get(CHECKSUM..)?.first_chunk::<2>()?;
        let [old, new] = [old, new].map(|word| checksum::at_offset(0, word));
        put(packet, CHECKSUM, Sum::updated(field, old, new))
    };
    renewed().ok_or(DropReason::MalformedIp)
}
