//! The black path to one peer: where the peer is, whether it lives, and how large a packet may be.
//!
//! Everything here is learnt from authenticated packets. No ICMP is believed, no unauthenticated source address, and a
//! replayed packet never gets this far. What is sent for it is small, rate limited, and never more than what provoked it.
//!
//! ```text
//! authenticated packet ─▶ heard ──┐                      ┌─▶ Send     a challenge, probe or answer in a dummy packet
//! from a strange address ▶ strange ├─▶ Path ── poll(now) ─┼─▶ Moved    traffic goes to the proved address now
//! message in a dummy ───▶ message ─┘                      ├─▶ Mtu      what fits inside has changed
//! data was sent ────────▶ sent                            └─▶ Keepalive, Silent, Heard
//! ```
//! Silence is a state for people to see. It opens nothing, closes nothing, and takes no key.

mod address;
mod message;
mod search;

use crate::esp;
use crate::handover::PathState;
use address::Address;
use alloc::string::ToString;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
pub use message::{Kind, LEN as MESSAGE_LEN, Message, Token};
pub use search::FLOOR;
use search::{Search, Wish};

/// Octets of a datagram that carries a message without padding: what a challenge costs.
pub const MESSAGE_DATAGRAM: usize = esp::sealed_len(MESSAGE_LEN);
/// Data goes out and nothing comes back for so long: the peer is asked whether it lives.
const ASK_AFTER: Duration = Duration::from_secs(5);
/// Then it counts as silent after so long in all.
const SILENT_AFTER: Duration = Duration::from_secs(10);
/// The pause after the first such question; each is followed by one twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// But none by a longer one than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// Traffic flows while data was sent within this.
const ACTIVE: Duration = Duration::from_secs(10);
/// A NAT forgets a mapping that is not used; RFC 3948 §4 keeps it with a packet every so often.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(20);
/// Inner octets that IPv6 needs (RFC 8200 §5): the path is assumed to carry these before the first probe was answered.
const ASSUMED_INNER: usize = 1280;
/// UDP header.
const UDP: usize = 8;

/// What a site says about its black side.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The largest outer packet that is ever tried.
    pub path_mtu: usize,
    /// The largest inner packet that the red side wants.
    pub inner_mtu: usize,
    /// Our own address, as configured: where the peer sees another one, there is a NAT.
    pub local: SocketAddr,
    /// The site knows that it is behind a NAT.
    pub behind_nat: bool,
}

/// What [`Path::poll`] wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Seal this message into a dummy packet of `datagram` octets ([`crate::Seal::seal_message`]) and send it there.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What.
        message: Message,
        /// Octets of the datagram.
        datagram: usize,
    },
    /// Send the one octet of a NAT keepalive there.
    Keepalive(SocketAddr),
    /// The peer is here now.
    Moved(SocketAddr),
    /// The largest inner packet is this now.
    Mtu(usize),
    /// Nothing authenticated comes from the peer though we send.
    Silent,
    /// The peer is heard again.
    Heard,
}

/// Whether something between the peer and us changes our address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nat {
    Unknown,
    Absent,
    Present,
}

/// The black path to one peer.
#[derive(Debug, Clone)]
pub struct Path {
    settings: Settings,
    address: Address,
    search: Search,
    nat: Nat,
    /// An answer to the peer, and one thing to report, that wait for the next poll.
    answer: Option<(SocketAddr, Message)>,
    moved: bool,
    resized: bool,
    heard: Option<Duration>,
    data_sent: Option<Duration>,
    anything_sent: Duration,
    /// The first data that was sent after the peer was heard last.
    unanswered: Option<Duration>,
    question: Option<Question>,
    answered: Option<Duration>,
    silent: bool,
    told_silent: bool,
}

/// A small probe.
#[derive(Debug, Clone, Copy)]
struct Question {
    token: Token,
    asked: Duration,
    pause: Duration,
}

impl Path {
    /// Nothing is known yet.
    pub fn new(settings: Settings) -> Self {
        let start =
            esp::sealed_len(ASSUMED_INNER).saturating_add(UDP).saturating_add(outer_header(settings.local.ip()));
        Self {
            settings,
            address: Address::default(),
            search: Search::new(start, settings.path_mtu),
            nat: if settings.behind_nat { Nat::Present } else { Nat::Unknown },
            answer: None,
            moved: false,
            resized: false,
            heard: None,
            data_sent: None,
            anything_sent: Duration::ZERO,
            unanswered: None,
            question: None,
            answered: None,
            silent: false,
            told_silent: false,
        }
    }

    /// What a successor of this process should know of the path.
    pub fn hand_over(&self) -> PathState {
        PathState { address: self.address().map(|at| at.to_string()), size: self.search.size() as u64 }
    }

    /// Goes on where a predecessor was: at the address that was proved, with the size that got there. Both are confirmed again
    /// in time.
    pub fn take_over(settings: Settings, state: &PathState, now: Duration) -> Self {
        let mut path = Self::new(settings);
        if let Some(at) = state.address.as_ref().and_then(|text| text.parse().ok()) {
            path.hint(now, at);
        }
        path.search.assume(usize::try_from(state.size).unwrap_or_default());
        path.resized = true;
        path
    }

    /// Where the peer is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address.current()
    }

    /// The largest inner packet that fits.
    pub fn mtu(&self) -> usize {
        let outer = outer_header(self.address().map_or(self.settings.local.ip(), |at| at.ip()));
        esp::inner_mtu(self.search.size(), outer).min(self.settings.inner_mtu)
    }

    /// Since when nothing has been heard of the peer though we send; `None` while it lives or nothing is sent.
    pub fn silent_since(&self) -> Option<Duration> {
        self.silent.then(|| self.heard.or(self.unanswered)).flatten()
    }

    /// Whether something changes our address on the way; `None` while that is unknown.
    pub fn is_behind_nat(&self) -> Option<bool> {
        match self.nat {
            Nat::Unknown => None,
            Nat::Absent => Some(false),
            Nat::Present => Some(true),
        }
    }

    /// The control channel says that the peer is at `to`. Without any other address it is taken at once: the TLS handshake
    /// came from there or went there. Else it is challenged like a new one.
    pub fn hint(&mut self, now: Duration, to: SocketAddr) {
        self.moved |= self.address.hint(now, to, MESSAGE_DATAGRAM);
    }

    /// Something authenticated came from the peer.
    pub fn heard(&mut self, now: Duration) {
        self.heard = self.heard.max(Some(now));
        (self.unanswered, self.silent) = (None, false);
        if let Some(question) = &mut self.question {
            question.pause = FIRST_PAUSE;
        }
    }

    /// An authenticated packet of `octets` that advanced the replay window came from this address.
    pub fn strange(&mut self, now: Duration, from: SocketAddr, octets: usize) {
        self.address.heard(now, from, octets);
    }

    /// Data went to the peer.
    pub fn sent(&mut self, now: Duration) {
        (self.data_sent, self.anything_sent) = (Some(now), now);
        self.unanswered.get_or_insert(now);
    }

    /// The peer sent this message from there.
    pub fn message(&mut self, now: Duration, from: SocketAddr, message: &Message) {
        self.heard(now);
        self.notice_nat(message.seen);
        let answer = |kind| Some((from, Message { kind, token: message.token, seen: from }));
        match message.kind {
            Kind::Challenge => self.answer = answer(Kind::Response),
            Kind::Probe => self.answer = answer(Kind::ProbeAck),
            Kind::Response => {
                if self.address.respond(from, &message.token) {
                    (self.moved, self.resized) = (true, true);
                    self.search.restart();
                }
            }
            Kind::ProbeAck => {
                if self.question.take_if(|question| question.token == message.token).is_some() {
                    self.answered = Some(now);
                }
                self.resized |= self.search.acknowledge(now, &message.token);
            }
        }
    }

    /// A listening address that is a wildcard says nothing about the address, but its port does about the port.
    fn notice_nat(&mut self, seen: SocketAddr) {
        let local = self.settings.local;
        let same = seen.port() == local.port() && (local.ip().is_unspecified() || seen.ip() == local.ip());
        if !self.settings.behind_nat {
            self.nat = if same { Nat::Absent } else { Nat::Present };
        }
    }

    /// What is to be done now; call it every second or so, and after anything else here, until `None`. Only while an SA can
    /// seal, or what it wants sent is lost.
    pub fn poll(&mut self, now: Duration, mut draw: impl FnMut() -> Token) -> Option<Action> {
        self.report()
            .or_else(|| self.answer())
            .or_else(|| self.challenge(now, &mut draw))
            .or_else(|| self.ask(now, &mut draw))
            .or_else(|| self.search(now, &mut draw))
            .or_else(|| self.keep_alive(now))
    }

    fn report(&mut self) -> Option<Action> {
        if core::mem::take(&mut self.moved) {
            return self.address().map(Action::Moved);
        }
        if core::mem::take(&mut self.resized) {
            return Some(Action::Mtu(self.mtu()));
        }
        if self.silent != self.told_silent {
            self.told_silent = self.silent;
            return Some(if self.silent { Action::Silent } else { Action::Heard });
        }
        None
    }

    fn answer(&mut self) -> Option<Action> {
        self.answer.take().map(|(to, message)| Action::Send { to, message, datagram: MESSAGE_DATAGRAM })
    }

    fn challenge(&mut self, now: Duration, draw: impl FnMut() -> Token) -> Option<Action> {
        let (to, token) = self.address.challenge(now, MESSAGE_DATAGRAM, draw)?;
        let message = Message { kind: Kind::Challenge, token, seen: to };
        Some(Action::Send { to, message, datagram: MESSAGE_DATAGRAM })
    }

    /// Dead-peer detection: asks when data goes out and nothing comes back, ever more slowly.
    fn ask(&mut self, now: Duration, draw: impl FnMut() -> Token) -> Option<Action> {
        let waiting = now.saturating_sub(self.unanswered?);
        if waiting < ASK_AFTER {
            return None;
        }
        if waiting >= SILENT_AFTER && !self.silent {
            self.silent = true;
            self.search.suspend();
            return self.report();
        }
        let pause = match self.question {
            Some(question) if now < question.asked.saturating_add(question.pause) => return None,
            Some(question) => question.pause.saturating_mul(2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        if self.silent {
            self.address.recall(now, MESSAGE_DATAGRAM);
        }
        self.small_probe(now, pause, draw)
    }

    fn search(&mut self, now: Duration, mut draw: impl FnMut() -> Token) -> Option<Action> {
        if self.silent || self.address().is_none() {
            return None;
        }
        let active = self.data_sent.is_some_and(|at| now < at.saturating_add(ACTIVE));
        let before = self.search.size();
        let wish = self.search.poll(now, self.answered, active, &mut draw);
        self.resized |= self.search.size() != before;
        match wish {
            Some(Wish::Probe(size, token)) => self.probe(now, size, token),
            Some(Wish::SmallProbe) => self.small_probe(now, FIRST_PAUSE, draw),
            None => self.report(),
        }
    }

    fn small_probe(&mut self, now: Duration, pause: Duration, mut draw: impl FnMut() -> Token) -> Option<Action> {
        let token = draw();
        self.question = Some(Question { token, asked: now, pause });
        self.probe(now, 0, token)
    }

    /// A probe whose outer packet has `size` octets, or as few as it can.
    fn probe(&mut self, now: Duration, size: usize, token: Token) -> Option<Action> {
        let to = self.address()?;
        self.anything_sent = now;
        let udp = size.saturating_sub(outer_header(to.ip())).saturating_sub(UDP);
        let datagram = udp.saturating_sub(udp % esp::ALIGN).max(MESSAGE_DATAGRAM);
        Some(Action::Send { to, message: Message { kind: Kind::Probe, token, seen: to }, datagram })
    }

    /// Unless it is known that no NAT is there: then nothing needs to be kept.
    fn keep_alive(&mut self, now: Duration) -> Option<Action> {
        let to = self.address()?;
        let idle = now >= self.anything_sent.saturating_add(KEEPALIVE_AFTER);
        if self.nat == Nat::Absent || !idle {
            return None;
        }
        self.anything_sent = now;
        Some(Action::Keepalive(to))
    }
}

fn outer_header(address: IpAddr) -> usize {
    if address.is_ipv4() { 20 } else { 40 }
}
