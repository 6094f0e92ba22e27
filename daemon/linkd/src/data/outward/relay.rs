//! What a hub passes on from one spoke to another: sealed anew here, under the keys of the other link.

use coloa_link::mss::{self, Checksum};
use coloa_link::{DropReason, Outgoing, virtio};

use super::{Outward, Passed};
use crate::data::PeerNumber;
use crate::data::burst::Heading;
use crate::data::relay::Drain;

impl Outward {
    /// Sends on all that has come.
    pub(super) fn relay(&mut self, relayed: &Drain) {
        while let Some(mut batch) = relayed.take() {
            batch.each(|relayed, packet| {
                if let Err(reason) = self.send_on(relayed.from, relayed.to, packet) {
                    self.drops.count(reason);
                }
            });
            relayed.give_back(batch);
        }
    }

    fn send_on(&mut self, from: PeerNumber, to: PeerNumber, packet: &mut [u8]) -> Result<(), DropReason> {
        let (address, mtu) = self.way(to)?;
        if mss::opens_connection(packet) {
            mss::clamp(packet, mtu, Checksum::Complete);
        }
        let mut outgoing = Outgoing::single(packet)?;
        match self.pass(to, address, &mut outgoing)? {
            Passed::Sent => Ok(()),
            Passed::TooBig => Err(self.tell_spoke(from, outgoing, mtu)),
        }
    }

    /// The answer to a packet that does not fit goes back through the SA by which the packet came; the spoke's policy lets it
    /// pass if the two sites may exchange ICMP.
    fn tell_spoke(&mut self, spoke: PeerNumber, outgoing: Outgoing<'_>, mtu: usize) -> DropReason {
        let Ok((to, _)) = self.way(spoke) else { return DropReason::TooBigUntold };
        let now = self.origin.elapsed();
        let (narrow, peers, bursts) = (&mut self.narrow, &mut self.peers, &mut self.bursts);
        let told = || {
            let answer = narrow.tell_sender(outgoing, mtu, now)?.get(virtio::LEN..)?;
            let mut answer = Outgoing::single(answer).ok()?;
            peers.get(spoke)?.dispatch(bursts, &mut answer, Heading { to, traffic_class: 0 }).ok()
        };
        if told() == Some(0) { DropReason::TooBig } else { DropReason::TooBigUntold }
    }
}
