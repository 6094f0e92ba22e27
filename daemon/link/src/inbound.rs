//! The receiving half of a link: the newest epoch, and older ones that drain.
//!
//! A new epoch receives from its installation. Older ones go on receiving until [`Inbound::drain_before`] starts their
//! drain; when that ends, their keys are gone (R29). At most [`MAX_EPOCHS`] exist; the oldest gives way, but not the one
//! that the peer was last heard on while it does not drain: who resets control connections must not cut the link.

use crate::aead::Aead;
use crate::drops::{Counters, DropReason};
use crate::encap::Datagram;
use crate::esp::Spi;
use crate::handover::{InboundState, Unusable};
use crate::keys::{Epoch, InstallError, SaKeys};
use crate::limits::Limits;
use crate::open::{Inner, Open, Opened};
use core::time::Duration;

/// Epochs that may receive at once: draining, established, and one that the peer has not yet switched to.
pub const MAX_EPOCHS: usize = 3;

struct Receiving<A> {
    open: Open<A>,
    drained_at: Option<Duration>,
}

/// The receiving half of one link and queue.
pub struct Inbound<A> {
    epochs: [Option<Receiving<A>>; MAX_EPOCHS],
    newest: Option<Epoch>,
    newest_heard: Option<Epoch>,
    newest_told: Option<Epoch>,
    limits: Limits,
    counters: Counters,
}

/// What [`Inbound::poll`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboundEvent {
    /// A packet of this epoch authenticated, the first of it: the peer sends on it, so it receives on it as well. Answer
    /// with [`crate::Outbound::activate`] and [`Inbound::drain_before`].
    PeerSwitched(Epoch),
    /// The keys of this epoch are gone.
    Gone(Epoch),
}

impl<A: Aead> Inbound<A> {
    /// Without an SA: nothing is opened.
    pub const fn blocked(limits: Limits) -> Self {
        Self {
            epochs: [const { None }; MAX_EPOCHS],
            newest: None,
            newest_heard: None,
            newest_told: None,
            limits,
            counters: Counters::new(),
        }
    }

    /// Moves out what it has; it is blocked from now on, and goes on elsewhere. What was counted stays.
    pub fn hand_over(&mut self) -> InboundState {
        let number = |epoch: Option<Epoch>| epoch.map(|epoch| epoch.0);
        let epochs = core::mem::replace(&mut self.epochs, [const { None }; MAX_EPOCHS]);
        InboundState {
            epochs: epochs.into_iter().flatten().map(|r| r.open.hand_over(r.drained_at)).collect(),
            newest: number(self.newest),
            newest_heard: number(self.newest_heard),
            newest_told: number(self.newest_told),
        }
    }

    /// Goes on with what a predecessor had, on the same timeline.
    pub fn take_over(state: InboundState, limits: Limits) -> Result<Self, Unusable> {
        let mut half = Self::blocked(limits);
        if state.epochs.len() > MAX_EPOCHS {
            return Err(Unusable);
        }
        for (place, open) in half.epochs.iter_mut().zip(state.epochs) {
            let drained_at = open.drained_at.map(Into::into);
            *place = Some(Receiving { open: Open::take_over(open, limits)?, drained_at });
        }
        half.newest = state.newest.map(Epoch);
        half.newest_heard = state.newest_heard.map(Epoch);
        half.newest_told = state.newest_told.map(Epoch);
        Ok(half)
    }

    /// Receives on a newer epoch from now on.
    pub fn install(&mut self, now: Duration, epoch: Epoch, keys: SaKeys) -> Result<(), InstallError> {
        if self.newest >= Some(epoch) {
            return Err(InstallError::StaleEpoch);
        }
        if self.spis().any(|spi| spi == keys.spi()) {
            return Err(InstallError::SpiInUse);
        }
        let open = Open::new(now, epoch, keys, self.limits)?;
        self.newest = Some(epoch);
        let place = self.place_for_newest();
        if let Some(newer) = self.epochs.get_mut(..=place) {
            newer.rotate_right(1);
        }
        if let Some(first) = self.epochs.first_mut() {
            *first = Some(Receiving { open, drained_at: None });
        }
        Ok(())
    }

    /// A free place, or that of the oldest epoch that may give way. Epochs lie newest first.
    fn place_for_newest(&self) -> usize {
        let in_use = |receiving: &Receiving<A>| {
            receiving.drained_at.is_none() && self.newest_heard == Some(receiving.open.epoch())
        };
        let free = self.epochs.iter().rposition(Option::is_none);
        let idle = || self.epochs.iter().rposition(|slot| !slot.as_ref().is_some_and(in_use));
        free.or_else(idle).unwrap_or(MAX_EPOCHS.saturating_sub(1))
    }

    /// Epochs before `epoch` only drain from now on.
    pub fn drain_before(&mut self, now: Duration, epoch: Epoch) {
        let end = now.saturating_add(self.limits.drain);
        for receiving in self.epochs.iter_mut().flatten().filter(|receiving| receiving.open.epoch() < epoch) {
            receiving.drained_at.get_or_insert(end);
        }
    }

    /// Opens a datagram in place; see [`Open::open`]. Every failure is counted here.
    pub fn open<'b>(&mut self, datagram: &'b mut [u8]) -> Result<&'b mut [u8], DropReason> {
        match self.receive(datagram)?.inner {
            Inner::Packet(packet) => Ok(packet),
            Inner::Message(_) | Inner::Measure(_) | Inner::Dummy => Err(DropReason::Dummy),
        }
    }

    /// Opens a datagram in place; see [`Open::receive`]. Every failure is counted here, and every dummy.
    pub fn receive<'b>(&mut self, datagram: &'b mut [u8]) -> Result<Opened<'b>, DropReason> {
        let opened = self.route(datagram);
        match &opened {
            Err(reason) => self.counters.count(*reason),
            Ok(Opened { inner: Inner::Dummy, .. }) => self.counters.count(DropReason::Dummy),
            Ok(_) => {}
        }
        opened
    }

    fn route<'b>(&mut self, datagram: &'b mut [u8]) -> Result<Opened<'b>, DropReason> {
        let Datagram::Esp(spi) = Datagram::parse(datagram)? else { return Err(DropReason::MalformedEsp) };
        let open = self.find(spi).ok_or(DropReason::UnknownSpi)?;
        let (before, epoch) = (open.accepted(), open.epoch());
        let opened = open.receive(datagram);
        if before == 0 && open.accepted() > 0 {
            self.newest_heard = self.newest_heard.max(Some(epoch));
        }
        opened
    }

    fn find(&mut self, spi: Spi) -> Option<&mut Open<A>> {
        self.epochs.iter_mut().flatten().map(|receiving| &mut receiving.open).find(|open| open.spi() == spi)
    }

    /// The SPIs that select this half, newest epoch first.
    pub fn spis(&self) -> impl Iterator<Item = Spi> + '_ {
        self.epochs.iter().flatten().map(|receiving| receiving.open.spi())
    }

    /// The newest epoch that is installed.
    pub fn epoch(&self) -> Option<Epoch> {
        self.epochs.iter().flatten().map(|receiving| receiving.open.epoch()).max()
    }

    /// Of the newest epoch that was heard: packets sent, as far as their numbers show, and packets that came.
    pub fn arrived(&self) -> Option<(u64, u64)> {
        let newest = self.newest_heard?;
        let mut heard = self.epochs.iter().flatten().filter(|receiving| receiving.open.epoch() == newest);
        heard.next().map(|receiving| receiving.open.arrived())
    }

    /// What was dropped here, by reason.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Drops every key, for a revoked peer or a withdrawn policy (R31).
    pub fn block(&mut self) {
        self.epochs = [const { None }; MAX_EPOCHS];
    }

    /// Ends drains and lifetimes. Call at [`Self::next_deadline`] and after each batch; repeat until `None`.
    pub fn poll(&mut self, now: Duration) -> Option<InboundEvent> {
        if self.newest_heard > self.newest_told {
            self.newest_told = self.newest_heard;
            return self.newest_heard.map(InboundEvent::PeerSwitched);
        }
        let ended = self.epochs.iter_mut().find(|slot| slot.as_ref().is_some_and(|receiving| receiving.has_ended(now)));
        ended.and_then(Option::take).map(|gone| InboundEvent::Gone(gone.open.epoch()))
    }

    /// When [`Self::poll`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.epochs.iter().flatten().map(Receiving::deadline).min()
    }
}

impl<A: Aead> Receiving<A> {
    fn has_ended(&self, now: Duration) -> bool {
        now >= self.deadline() || self.open.is_spent(now)
    }

    fn deadline(&self) -> Duration {
        let hard = self.open.hard_deadline();
        self.drained_at.map_or(hard, |end| end.min(hard))
    }
}
