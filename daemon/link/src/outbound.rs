//! The sending half of a link: blocked, or established on one epoch, with at most one successor staged.
//!
//! ```text
//! Blocked ── activate ──▶ Established(n) ── activate ──▶ Established(n+1)
//!    ▲                        │ hard limit, block()
//!    └────────────────────────┘
//! ```
//! A new epoch is *staged* until the peer is known to receive on it (it said so, or it sent on it): so a rekey loses no
//! packet. When that is not known within [`STAGED`], its key is gone. The key of the epoch before is dropped in the moment of the switch.

use crate::aead::Aead;
use crate::drops::DropReason;
use crate::handover::{OutboundState, Unusable};
use crate::keys::{Epoch, InstallError, SaKeys};
use crate::limits::{Limits, STAGED};
use crate::seal::Seal;
use crate::shaping::{Padding, Shape};
use core::time::Duration;

/// Where sending stands. A [`Seal`] exists only in `Established`.
enum State<A> {
    Blocked,
    Established(Seal<A>),
}

/// The sending half of one link and queue.
pub struct Outbound<A> {
    state: State<A>,
    /// The successor, and when it is given up.
    staged: Option<(Duration, Seal<A>)>,
    newest: Option<Epoch>,
    peer_ready: Option<Epoch>,
    limits: Limits,
    rekey_asked: Option<Epoch>,
    shape: Shape,
}

/// What [`Outbound::poll`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundEvent {
    /// This epoch passed a soft limit: negotiate the next. Reported once per epoch.
    RekeyWanted(Epoch),
    /// This epoch passed a hard limit and is gone; nothing is sent until the next (R26).
    Blocked(Epoch),
}

impl<A: Aead> Outbound<A> {
    /// Without an SA: nothing leaves.
    pub const fn blocked(limits: Limits) -> Self {
        let shape = Shape::new(Padding::None, 0);
        Self { state: State::Blocked, staged: None, newest: None, peer_ready: None, limits, rekey_asked: None, shape }
    }

    /// Moves out what it has; it is blocked from now on, and goes on elsewhere.
    pub fn hand_over(&mut self) -> OutboundState {
        let number = |epoch: Option<Epoch>| epoch.map(|epoch| epoch.0);
        let sending = match core::mem::replace(&mut self.state, State::Blocked) {
            State::Blocked => None,
            State::Established(seal) => Some(seal.hand_over()),
        };
        OutboundState {
            sending,
            staged: self.staged.take().map(|(end, seal)| (end.into(), seal.hand_over())),
            newest: number(self.newest),
            peer_ready: number(self.peer_ready),
            rekey_asked: number(self.rekey_asked),
        }
    }

    /// Goes on with what a predecessor had, on the same timeline.
    pub fn take_over(state: OutboundState, limits: Limits) -> Result<Self, Unusable> {
        let seal = |state| Seal::take_over(state, limits).map_err(|_| Unusable);
        let sending = state.sending.map(seal).transpose()?;
        let staged = state.staged.map(|(end, next)| seal(next).map(|next| (end.into(), next))).transpose()?;
        Ok(Self {
            state: sending.map_or(State::Blocked, State::Established),
            staged,
            newest: state.newest.map(Epoch),
            peer_ready: state.peer_ready.map(Epoch),
            rekey_asked: state.rekey_asked.map(Epoch),
            ..Self::blocked(limits)
        })
    }

    /// Stages the keys of a newer epoch. They seal nothing before [`Self::activate`] was called for that epoch.
    pub fn install(&mut self, now: Duration, epoch: Epoch, keys: SaKeys) -> Result<(), InstallError> {
        if self.newest >= Some(epoch) {
            return Err(InstallError::StaleEpoch);
        }
        self.newest = Some(epoch);
        self.staged = Some((now.saturating_add(STAGED), Seal::new(now, epoch, keys, self.limits)?));
        self.switch();
        Ok(())
    }

    /// The peer receives on `epoch`: switch to it now, or when it is installed should that come later (its first packet
    /// can outrun our own installation). Returns whether it switched now.
    pub fn activate(&mut self, epoch: Epoch) -> bool {
        self.peer_ready = self.peer_ready.max(Some(epoch));
        self.switch()
    }

    fn switch(&mut self) -> bool {
        let ready = self.staged.take_if(|(_, next)| self.peer_ready == Some(next.epoch()));
        let switches = ready.is_some();
        if let Some((_, mut next)) = ready {
            next.set_shape(self.shape);
            self.state = State::Established(next);
        }
        switches
    }

    /// Pads every packet from now on, in this epoch and those after it; no padding exceeds `largest` inner octets.
    pub fn set_padding(&mut self, padding: Padding, largest: usize) {
        self.shape = Shape::new(padding, largest);
        if let State::Established(seal) = &mut self.state {
            seal.set_shape(self.shape);
        }
    }

    /// The SA to seal with, or [`DropReason::NoSa`] (R26).
    pub fn seal(&mut self) -> Result<&mut Seal<A>, DropReason> {
        match &mut self.state {
            State::Blocked => Err(DropReason::NoSa),
            State::Established(seal) => Ok(seal),
        }
    }

    /// The epoch that sends.
    pub fn epoch(&self) -> Option<Epoch> {
        match &self.state {
            State::Blocked => None,
            State::Established(seal) => Some(seal.epoch()),
        }
    }

    /// Drops every key, for a revoked peer or a withdrawn policy (R31).
    pub fn block(&mut self) {
        (self.state, self.staged) = (State::Blocked, None);
    }

    /// Applies the limits. Call at [`Self::next_deadline`] and after each batch; repeat until `None`.
    pub fn poll(&mut self, now: Duration) -> Option<OutboundEvent> {
        self.staged.take_if(|(end, _)| now >= *end);
        let State::Established(seal) = &self.state else { return None };
        let epoch = seal.epoch();
        if seal.is_spent(now) {
            self.state = State::Blocked;
            return Some(OutboundEvent::Blocked(epoch));
        }
        if seal.wants_rekey(now) && self.rekey_asked != Some(epoch) {
            self.rekey_asked = Some(epoch);
            return Some(OutboundEvent::RekeyWanted(epoch));
        }
        None
    }

    /// When [`Self::poll`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Duration> {
        let sending = match &self.state {
            State::Blocked => None,
            State::Established(seal) if self.rekey_asked == Some(seal.epoch()) => Some(seal.hard_deadline()),
            State::Established(seal) => Some(seal.soft_deadline()),
        };
        let staged = self.staged.as_ref().map(|(end, _)| *end);
        sending.into_iter().chain(staged).min()
    }
}
