//! What is sent to see how good a link is: questions, answers, and dummies to fill it, at the rate that the control side sets.

use coloa_link::DropReason;
use coloa_link::measure::Measure;

use super::Outward;
use super::path::MAX_PROBE;
use crate::data::PeerNumber;
use crate::data::burst::Heading;

/// Dummies that one order may send: what 10 ms of the highest rate hold.
const MAX_FILLERS: u32 = 256;

impl Outward {
    /// Asks a peer, or answers it.
    pub(super) fn measure(&mut self, number: PeerNumber, measure: &Measure) {
        let mut out = [0; MAX_PROBE];
        let sealed = self.way(number).and_then(|(to, _)| {
            let seal = self.peers.get(number).ok_or(DropReason::NoSa)?.outbound.seal()?;
            seal.seal_measure(measure, &mut out).map(|len| (to, len))
        });
        self.send_sealed(sealed, &out);
    }

    /// Sends dummies of the largest size that gets there. A constant rate is not disturbed: nothing is sent beside it (R33).
    pub(super) fn fill(&mut self, number: PeerNumber, count: u32) {
        let mut out = [0; MAX_PROBE];
        for _ in 0..count.min(MAX_FILLERS) {
            let sealed = self.way(number).and_then(|(to, mtu)| {
                let peer = self.peers.get(number).filter(|peer| peer.cover.is_none()).ok_or(DropReason::CoverFull)?;
                let datagram = coloa_link::esp::sealed_len(mtu);
                peer.outbound.seal()?.seal_filler(datagram, &mut out).map(|len| (to, len))
            });
            if !self.send_sealed(sealed, &out) {
                return;
            }
        }
    }

    fn send_sealed(&mut self, sealed: Result<(std::net::SocketAddr, usize), DropReason>, out: &[u8]) -> bool {
        match sealed {
            Ok((to, len)) => {
                self.bursts.send_aside(Heading { to, traffic_class: 0 }, out.get(..len).unwrap_or_default());
                true
            }
            Err(reason) => {
                self.drops.count(reason);
                false
            }
        }
    }
}
