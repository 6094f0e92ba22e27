//! Without an SA, and only by an order in force (R27): packets in clear, behind a mark that says so.

use std::net::SocketAddr;

use coloa_link::bypass::{self, MARK};
use coloa_link::ip::Selector;
use coloa_link::{DropReason, Fit, Outgoing, Path};

use super::{Outward, Passed};
use crate::data::PeerNumber;
use crate::data::burst::Heading;

impl Outward {
    /// Where a peer without an SA is, and what fits the path there, if the order lets this packet pass.
    pub(super) fn way_in_clear(&mut self, peer: PeerNumber, of: &Selector) -> Result<(SocketAddr, usize), DropReason> {
        let clear = self.clear.as_ref().ok_or(DropReason::NoSa)?;
        let configured = clear.permits(peer, of)?;
        let (known, mtu) = self.peers.get(peer).map_or((None, Path::new(self.path).mtu()), |peer| (peer.to, peer.mtu));
        // The mark is shorter than what ESP adds, so what fits in ESP fits here.
        Ok((known.or(configured).ok_or(DropReason::NoSa)?, mtu))
    }

    /// Sends every packet of `out` by itself.
    pub(super) fn pass_in_clear(
        &mut self,
        (to, mtu): (SocketAddr, usize),
        out: &mut Outgoing<'_>,
    ) -> Result<Passed, DropReason> {
        let (bursts, heading, mut sent) = (&mut self.bursts, Heading { to, traffic_class: 0 }, 0u64);
        let mut send = |piece: &mut Outgoing<'_>| {
            let mut datagram = vec![0; piece.packet().len().saturating_add(MARK.len())];
            let len = bypass::wrap(piece.packet(), &mut datagram)?;
            bursts.send_aside(heading, datagram.get(..len).unwrap_or_default());
            sent = sent.saturating_add(1);
            Ok(())
        };
        match out.fit(mtu) {
            Fit::Whole => self.narrow.one_by_one(out, &mut send)?,
            Fit::InFragments => self.narrow.in_fragments(out, mtu, &mut send)?,
            Fit::No => return Ok(Passed::TooBig),
            Fit::NoThoughEntitled => return Err(DropReason::PathBelowIpv6),
        }
        self.sent_in_clear.packets = self.sent_in_clear.packets.saturating_add(sent);
        self.sent_in_clear.octets = self.sent_in_clear.octets.saturating_add(out.packet().len() as u64);
        Ok(Passed::Sent)
    }
}
