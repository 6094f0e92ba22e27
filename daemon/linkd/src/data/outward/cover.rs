//! Traffic-flow confidentiality to some peers (R33): padding, and a constant rate with dummies in the gaps.

use std::time::Duration;

use coloa_link::{Cover, DropReason, Outgoing, Padding, esp};

use super::{IDLE, Outward, Peer};
use crate::data::burst::{Bursts, Heading};
use crate::data::{PeerNumber, Shaping};

/// UDP header and the larger of the IP headers: the rate on the wire is never above what was asked for.
const OUTER: usize = 8 + 40;

impl Peer {
    /// Applies what is asked for to the path as it is now. A constant rate has packets of the largest size only; what
    /// waits in it is lost when that size changes.
    pub(super) fn reshape(&mut self, now: Duration) {
        let Shaping { padding, cover_kilobits } = self.shaping;
        let padding = if cover_kilobits.is_some() { Padding::Full } else { padding };
        self.outbound.set_padding(padding, self.mtu);
        let datagram = esp::sealed_len(self.mtu).saturating_add(OUTER);
        self.cover = cover_kilobits.map(|kilobits| Cover::new(now, kilobits, datagram, self.mtu));
    }

    /// Sends packets, or lets them wait for their slots; returns how many found no room.
    pub(super) fn dispatch(
        &mut self,
        bursts: &mut Bursts,
        outgoing: &mut Outgoing<'_>,
        heading: Heading,
    ) -> Result<u64, DropReason> {
        match &mut self.cover {
            Some(cover) => cover.offer(outgoing),
            None => bursts.add(self.outbound.seal()?, outgoing, heading).map(|()| 0),
        }
    }
}

impl Outward {
    /// Pads and covers the traffic to a peer as its site says.
    pub(super) fn shape(&mut self, number: PeerNumber, shaping: Shaping) {
        let now = self.origin.elapsed();
        if let Some(peer) = self.admit(number) {
            peer.shaping = shaping;
            peer.reshape(now);
        }
        self.covered.retain(|covered| *covered != number);
        if shaping.cover_kilobits.is_some() {
            self.covered.push(number);
        }
    }

    /// Fills the slots that are due. Without an SA they pass unused: no SA, no packet (R26).
    pub(super) fn keep_cover(&mut self) {
        if self.covered.is_empty() {
            return;
        }
        let now = self.origin.elapsed();
        for number in &self.covered {
            let Some(peer) = self.peers.get(*number) else { continue };
            let (Some(cover), Some(to)) = (&mut peer.cover, peer.to) else { continue };
            let due = cover.due(now);
            let Ok(seal) = peer.outbound.seal() else { continue };
            if due == 0 {
                continue;
            }
            peer.sent = true;
            // What red packets are marked with stays hidden.
            if let Err(reason) = self.bursts.send_cover(seal, cover, due, Heading { to, traffic_class: 0 }) {
                self.drops.count(reason);
            }
        }
    }

    /// How long the thread may sleep.
    pub(super) fn patience(&mut self) -> Duration {
        let (now, peers) = (self.origin.elapsed(), &mut self.peers);
        let deadlines = self.covered.iter().filter_map(|number| {
            let cover = peers.get(*number)?.cover.as_ref()?;
            Some(cover.next_deadline().saturating_sub(now))
        });
        deadlines.min().map_or(IDLE, |wait| wait.min(IDLE))
    }
}
