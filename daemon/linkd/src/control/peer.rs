//! One peer as the control side sees it: its session, its epochs, and what went wrong last.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use coloa_link::SiteIndex;
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::sync::{Notify, mpsc};

use crate::admission::Shown;
use crate::data::PeerNumber;
use crate::identity::Identity;
use crate::trouble::{Kind, Trouble};

/// A peer; exists from the first policy that names it until the daemon ends.
pub struct Peer {
    /// Its place in the data plane.
    pub number: PeerNumber,
    /// Who it is.
    pub identity: Identity,
    /// Its site's name in the policy.
    pub name: String,
    /// Held while an epoch is negotiated: one at a time.
    pub turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    bell: Notify,
}

/// What changes about a peer.
#[derive(Default)]
pub struct State {
    /// Its site in the policy in force, if that grants the link.
    pub site: Option<SiteIndex>,
    /// Where it is dialled, if we know.
    endpoint: Option<SocketAddr>,
    /// A task dials it whenever an epoch is due.
    dialling: bool,
    /// A new epoch is wanted though a session lives.
    pub rekey_wanted: bool,
    /// The newest epoch ever used.
    pub newest: u64,
    /// The living control connection.
    pub session: Option<Session>,
    /// What the peer showed, to be judged again as long as its keys live (R31).
    pub evidence: Option<Evidence>,
    /// What went wrong last, for people; cleared by success.
    pub trouble: Option<Trouble>,
    /// The certificate that it showed was revoked since: no order lets anything go to it in clear (R27, R31).
    pub revoked: bool,
    sessions: u64,
    stopping: bool,
}

/// What a peer showed to be admitted.
#[derive(Clone)]
pub struct Evidence {
    /// Its chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its role then.
    pub shown: Shown,
    /// While trust and policy stay as they are, it stays admitted until then.
    pub until: UnixTime,
    /// When the first certificate of its chain expires, once it was judged.
    pub expires: Option<UnixTime>,
}

/// A living control connection; it ends when this is dropped.
pub struct Session {
    number: u64,
    orders: mpsc::Sender<Order>,
}

/// What a session is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask the peer for a new epoch: we cannot dial it.
    AskToBeDialled,
}

/// A session that was entered: its number, and what it is told. The end of orders is its end.
pub struct Entered {
    /// To leave with.
    pub number: u64,
    /// Orders to it.
    pub orders: mpsc::Receiver<Order>,
}

/// What a dialler is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Negotiate an epoch, at this address.
    Dial(SocketAddr),
    /// End.
    Stop,
}

impl Peer {
    /// Without a session; it has to dial us until [`Self::direct`] says where it is.
    pub fn new(number: PeerNumber, identity: Identity, name: String) -> Self {
        let (turn, state) = (tokio::sync::Mutex::new(()), Mutex::default());
        Self { number, identity, name, turn, state, bell: Notify::new() }
    }

    /// Dials it here from now on, or no more. A link that lives goes on, and its next epoch, at once, is negotiated there.
    /// Returns whether a dialler has to be started.
    pub fn direct(&self, endpoint: Option<SocketAddr>) -> bool {
        let mut state = self.state();
        state.endpoint = endpoint;
        state.rekey_wanted |= endpoint.is_some() && state.session.is_some();
        let starts = endpoint.is_some() && !state.dialling && !state.stopping;
        state.dialling |= starts;
        self.bell.notify_one();
        starts
    }

    /// What a predecessor of this process knew of it.
    pub fn inherit(&self, newest: u64, evidence: Evidence) {
        let mut state = self.state();
        (state.newest, state.evidence) = (newest, Some(evidence));
    }

    /// The changing part.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Sleeps until an epoch has to be negotiated, but at least `pause`.
    pub async fn wait_until_due(&self, pause: Duration) -> Due {
        tokio::time::sleep(pause).await;
        loop {
            // A ring between the look and the sleep is kept by the bell.
            let rings = self.bell.notified();
            match self.due() {
                Some(due) => return due,
                None => rings.await,
            }
        }
    }

    fn due(&self) -> Option<Due> {
        let mut state = self.state();
        match state.endpoint.filter(|_| !state.stopping) {
            None => {
                state.dialling = false;
                Some(Due::Stop)
            }
            Some(endpoint) => state.is_due().then_some(Due::Dial(endpoint)),
        }
    }

    /// Whether an epoch has to be negotiated.
    pub fn is_due(&self) -> bool {
        self.state().is_due()
    }

    /// Keeps what the peer showed. It comes before the keys: who breaks off in between is judged like any other (R31).
    pub fn keep_evidence(&self, evidence: Evidence) {
        self.state().evidence = Some(evidence);
    }

    /// Whether the peer was cut off since it showed its chain.
    pub fn was_cut(&self) -> bool {
        self.state().evidence.is_none()
    }

    /// A session was established: it replaces the one before. `None` when the peer was cut off meanwhile.
    pub fn enter_session(&self) -> Option<Entered> {
        let mut state = self.state();
        state.evidence.as_ref()?;
        state.sessions = state.sessions.saturating_add(1);
        let (number, (sender, orders)) = (state.sessions, mpsc::channel(1));
        state.session = Some(Session { number, orders: sender });
        (state.rekey_wanted, state.revoked, state.trouble) = (false, false, None);
        Some(Entered { number, orders })
    }

    /// The session with this number has ended; says whether it was the living one.
    pub fn leave_session(&self, number: u64, why: &str) -> bool {
        let mut state = self.state();
        let was_living = state.session.as_ref().is_some_and(|s| s.number == number);
        if was_living {
            state.session = None;
            state.trouble = Some(Trouble::new(Kind::ControlLost, why));
            self.bell.notify_one();
        }
        was_living
    }

    /// Grants the link, with this site of the policy, or withdraws it; withdrawing ends the session.
    pub fn grant(&self, site: Option<SiteIndex>) {
        let mut state = self.state();
        state.site = site;
        if site.is_none() {
            state.session = None;
            state.evidence = None;
        }
        self.bell.notify_one();
    }

    /// Ends the session, for this reason; the caller then takes the keys: in this order, so that none comes after.
    pub fn cut(&self, why: Trouble) {
        let mut state = self.state();
        state.session = None;
        state.evidence = None;
        state.trouble = Some(why);
        self.bell.notify_one();
    }

    /// Wants a new epoch: dials for it, or asks the peer to.
    pub fn want_rekey(&self) {
        let mut state = self.state();
        state.rekey_wanted = true;
        match &state.session {
            // A full queue holds this very order.
            Some(session) if state.endpoint.is_none() => drop(session.orders.try_send(Order::AskToBeDialled)),
            _ => self.bell.notify_one(),
        }
    }

    /// The other end of the session with this number cannot dial and wants a new epoch. A session that was replaced has its
    /// new epoch already.
    pub fn asked_to_dial(&self, number: u64) {
        let mut state = self.state();
        if state.endpoint.is_some() && state.session.as_ref().is_some_and(|s| s.number == number) {
            state.rekey_wanted = true;
            self.bell.notify_one();
        }
    }

    /// Ends the session and the dialler.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        state.session = None;
        self.bell.notify_one();
    }
}

impl State {
    /// Whether the policy in force grants the link.
    pub fn granted(&self) -> bool {
        self.site.is_some()
    }

    fn is_due(&self) -> bool {
        self.granted() && (self.session.is_none() || self.rekey_wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(dialled: bool) -> Peer {
        let peer = Peer::new(PeerNumber(0), Identity([7; 32]), "hue".into());
        assert_eq!(peer.direct(dialled.then(|| "192.0.2.1:4500".parse().expect("address"))), dialled);
        peer.grant(Some(SiteIndex(0)));
        peer
    }

    fn evidence() -> Evidence {
        Evidence { chain: Vec::new(), shown: Shown::AsClient, until: UnixTime::now(), expires: None }
    }

    #[test]
    fn a_peer_that_was_cut_off_enters_no_session() {
        let peer = peer(true);
        assert!(peer.enter_session().is_none(), "it has shown nothing");
        peer.keep_evidence(evidence());
        let mut entered = peer.enter_session().expect("admitted");
        peer.cut(Trouble::new(Kind::PeerRefused, "revoked"));
        assert!(peer.was_cut() && peer.enter_session().is_none());
        assert_eq!(entered.orders.try_recv(), Err(mpsc::error::TryRecvError::Disconnected), "its session ends");
    }

    #[test]
    fn who_cannot_dial_asks_and_who_is_asked_dials_once() {
        let (accepting, dialling) = (peer(false), peer(true));
        for peer in [&accepting, &dialling] {
            peer.keep_evidence(evidence());
        }
        let mut entered = accepting.enter_session().expect("admitted");
        let (old, living) = (dialling.enter_session(), dialling.enter_session().expect("admitted"));
        accepting.want_rekey();
        accepting.want_rekey();
        assert_eq!(entered.orders.try_recv(), Ok(Order::AskToBeDialled));
        assert!(entered.orders.try_recv().is_err(), "once is enough");
        dialling.asked_to_dial(old.expect("admitted").number);
        assert!(!dialling.is_due(), "the session that asked was replaced");
        dialling.asked_to_dial(living.number);
        assert!(dialling.is_due());
    }

    #[test]
    fn one_dialler_follows_the_endpoint_and_ends_with_it() {
        let peer = peer(true);
        let other = "192.0.2.9:4500".parse().expect("address");
        assert!(!peer.direct(Some(other)), "the dialler that runs goes there");
        assert_eq!(peer.due(), Some(Due::Dial(other)));
        peer.keep_evidence(evidence());
        peer.enter_session().expect("admitted");
        assert_eq!(peer.due(), None);
        peer.direct(Some("192.0.2.1:4500".parse().expect("address")));
        assert!(matches!(peer.due(), Some(Due::Dial(_))), "the link moves to another address by a new epoch");
        assert!(!peer.direct(None));
        assert_eq!(peer.due(), Some(Due::Stop));
        assert!(peer.direct(Some(other)), "a new one is needed");
    }
}
