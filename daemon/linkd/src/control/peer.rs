//! One peer as the control side sees it: its session, its epochs, and what went wrong last.

use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;

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
    pub turn: Mutex<()>,
    state: Mutex<State>,
    bell: Condvar,
}

/// What changes about a peer.
#[derive(Default)]
pub struct State {
    /// Whether the policy in force grants the link.
    pub granted: bool,
    /// A new epoch is wanted though a session lives.
    pub rekey_wanted: bool,
    /// The newest epoch ever used.
    pub newest: u64,
    /// The living control connection.
    pub session: Option<Session>,
    /// The chain that the peer showed, and its role then, to be judged again as long as its keys live (R31).
    pub evidence: Option<(Vec<CertificateDer<'static>>, Shown)>,
    /// What went wrong last, for people; cleared by success.
    pub trouble: Option<Trouble>,
    sessions: u64,
    stopping: bool,
}

/// A living control connection.
pub struct Session {
    number: u64,
    handle: TcpStream,
}

/// What a dialler is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Negotiate an epoch.
    Dial,
    /// End.
    Stop,
}

impl Peer {
    /// Without a session.
    pub fn new(number: PeerNumber, identity: Identity, name: String) -> Self {
        let state = Mutex::new(State { granted: true, ..State::default() });
        Self { number, identity, name, turn: Mutex::new(()), state, bell: Condvar::new() }
    }

    /// The changing part.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Sleeps until an epoch has to be negotiated, but at least `pause`.
    pub fn wait_until_due(&self, pause: Duration) -> Due {
        let end = Instant::now() + pause;
        let mut state = self.state();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.stopping {
                return Due::Stop;
            }
            if left.is_zero() && state.is_due() {
                return Due::Dial;
            }
            // Without anything due the bell wakes us; the second is for the pause after it rang.
            let nap = if left.is_zero() { Duration::from_secs(1) } else { left };
            state = match self.bell.wait_timeout(state, nap) {
                Ok((state, _)) => state,
                Err(e) => e.into_inner().0,
            };
        }
    }

    /// Whether an epoch has to be negotiated.
    pub fn is_due(&self) -> bool {
        self.state().is_due()
    }

    /// Keeps what the peer showed. It comes before the keys: who breaks off in between is judged like any other (R31).
    pub fn keep_evidence(&self, chain: Vec<CertificateDer<'static>>, shown: Shown) {
        self.state().evidence = Some((chain, shown));
    }

    /// Whether the peer was cut off since it showed its chain.
    pub fn was_cut(&self) -> bool {
        self.state().evidence.is_none()
    }

    /// A session was established: it replaces the one before. `None` when the peer was cut off meanwhile.
    pub fn enter_session(&self, handle: TcpStream) -> Option<u64> {
        let mut state = self.state();
        state.evidence.as_ref()?;
        state.hang_up();
        state.sessions = state.sessions.saturating_add(1);
        let number = state.sessions;
        state.session = Some(Session { number, handle });
        (state.rekey_wanted, state.trouble) = (false, None);
        Some(number)
    }

    /// The session with this number has ended; says whether it was the living one.
    pub fn leave_session(&self, number: u64, why: &str) -> bool {
        let mut state = self.state();
        let was_living = state.session.as_ref().is_some_and(|s| s.number == number);
        if was_living {
            state.session = None;
            state.trouble = Some(Trouble::new(Kind::ControlLost, why));
            self.bell.notify_all();
        }
        was_living
    }

    /// Grants or withdraws the link; withdrawing ends the session.
    pub fn grant(&self, granted: bool) {
        let mut state = self.state();
        state.granted = granted;
        if !granted {
            state.hang_up();
            state.evidence = None;
        }
        self.bell.notify_all();
    }

    /// Ends the session, for this reason; the caller then takes the keys: in this order, so that none comes after.
    pub fn cut(&self, why: String) {
        let mut state = self.state();
        state.hang_up();
        state.evidence = None;
        state.trouble = Some(Trouble::new(Kind::PeerRefused, why));
        self.bell.notify_all();
    }

    /// Asks for a new epoch.
    pub fn want_rekey(&self) {
        self.state().rekey_wanted = true;
        self.bell.notify_all();
    }

    /// Ends the session and the dialler.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        state.hang_up();
        self.bell.notify_all();
    }
}

impl State {
    fn is_due(&self) -> bool {
        self.granted && (self.session.is_none() || self.rekey_wanted)
    }

    fn hang_up(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = session.handle.shutdown(Shutdown::Both);
        }
    }
}
