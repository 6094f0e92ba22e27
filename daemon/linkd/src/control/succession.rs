//! What the control side gives to a successor, and takes from a predecessor (see [`crate::handover`]).

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Control, Peer};
use crate::admission::Shown;
use crate::control::peer::Evidence;
use crate::data::PeerNumber;
use crate::handover::{Halves, Inherited};

impl Control {
    /// Ends the data plane and gives away what it had, with the age of its timeline. A peer that has shown nothing has no link
    /// to be given. Call [`Self::stop`] before.
    pub fn hand_over(&self) -> (Duration, Vec<Inherited>) {
        let (elapsed, halves) = self.plane.hand_over();
        let peers = self.peers();
        let known = |(number, halves): (usize, Halves)| {
            let peer = peers.get(number).filter(|peer| peer.number == PeerNumber(number))?;
            let state = peer.state();
            let evidence = state.evidence.as_ref()?;
            Some(Inherited {
                identity: peer.identity.0,
                newest: state.newest,
                chain: evidence.chain.iter().map(|certificate| certificate.to_vec().into()).collect(),
                dialled: matches!(evidence.shown, Shown::AsClient),
                halves,
            })
        };
        (elapsed, halves.into_iter().enumerate().filter_map(known).collect())
    }

    /// Goes on with the link that a predecessor had with this peer. It stands as long as what the peer showed then is judged
    /// good: the guard's first round does that.
    pub(super) fn inherit(&self, peer: &Peer) {
        let inherited = self.inherited.lock().unwrap_or_else(|e| e.into_inner()).remove(&peer.identity);
        let Some(Inherited { newest, chain, dialled, halves, .. }) = inherited else { return };
        let shown = if dialled { Shown::AsClient } else { Shown::AsServer };
        let chain = chain.into_iter().map(|der| CertificateDer::from(Vec::from(der))).collect();
        let until = UnixTime::since_unix_epoch(Duration::ZERO);
        peer.inherit(newest, Evidence { chain, shown, until, expires: None });
        self.plane.adopt(peer.number, halves);
        tracing::debug!(peer = peer.name, "its link was taken over");
    }

    /// Keys of peers that the policy does not grant go.
    pub(super) fn drop_inherited(&self) {
        self.inherited.lock().unwrap_or_else(|e| e.into_inner()).clear();
    }
}
