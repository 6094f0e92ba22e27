//! The path to each peer, as far as it needs the sending half: challenges, probes and answers go out from here.

use std::time::Duration;

use coloa_link::encap::KEEPALIVE;
use coloa_link::path::{Action, Message, Token};

use super::{Outward, Peer};
use crate::data::burst::Heading;
use crate::data::{InOrder, PeerNumber};

impl Outward {
    /// Does what the path to a peer wants. Without an SA nothing is wanted: nothing could be sealed.
    pub(super) fn follow_path(&mut self, number: PeerNumber, now: Duration) {
        let Some(peer) = self.peers.get(number) else { return };
        if std::mem::take(&mut peer.sent) {
            peer.path.sent(now);
        }
        if peer.outbound.seal().is_err() {
            return;
        }
        while let Some(action) = self.peers.get(number).and_then(|peer| peer.path.poll(now, draw)) {
            self.act(number, action);
        }
    }

    fn act(&mut self, number: PeerNumber, action: Action) {
        let Some(peer) = self.peers.get(number) else { return };
        match action {
            Action::Send { to, message, datagram } => {
                let heading = Heading { to, traffic_class: 0 };
                if let Err(reason) = send(peer, &message, datagram, |out| self.bursts.send_aside(heading, out)) {
                    self.drops.count(reason);
                }
            }
            Action::Keepalive(to) => self.bursts.send_aside(Heading { to, traffic_class: 0 }, &KEEPALIVE),
            Action::Moved(to) => {
                peer.to = Some(to);
                tracing::info!(peer = number.0, %to, "the peer is reached here");
                self.inward.send(InOrder::Address { peer: number, at: to });
            }
            Action::Mtu(mtu) => {
                peer.mtu = mtu;
                peer.reshape(self.origin.elapsed());
                tracing::info!(peer = number.0, mtu, "the path carries inner packets of this size");
                self.inward.send(InOrder::Mtu { peer: number, mtu });
            }
            Action::Silent => tracing::warn!(peer = number.0, "nothing comes from the peer though we send"),
            Action::Heard => tracing::info!(peer = number.0, "the peer is heard again"),
        }
    }
}

fn send(
    peer: &mut Peer,
    message: &Message,
    datagram: usize,
    send: impl FnOnce(&[u8]),
) -> Result<(), coloa_link::DropReason> {
    let mut out = [0; MAX_PROBE];
    let len = peer.outbound.seal()?.seal_message(message, datagram, &mut out)?;
    send(out.get(..len).unwrap_or_default());
    Ok(())
}

/// The largest datagram that a probe may be: what an Ethernet with jumbo frames carries.
pub(super) const MAX_PROBE: usize = 9216;

/// Unpredictable. A system without randomness must not run a link: the thread ends, and with it the daemon.
#[allow(clippy::expect_used, reason = "there is nothing to go on with")]
fn draw() -> Token {
    let mut token = Token::default();
    aws_lc_rs::rand::fill(&mut token).expect("the system has randomness");
    token
}
