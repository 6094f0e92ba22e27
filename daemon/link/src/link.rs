//! Both halves of a link to one peer on one queue, for a thread that does both directions.
//!
//! A rekey without loss: both ends [`Link::install`] the next epoch (they receive on it at once), and each one switches its
//! sending when it learns that the other has done so: from the peer's word on the control channel ([`Link::activate`]) or
//! from the first authenticated packet on the new epoch. The old epoch then drains.

use crate::aead::Aead;
use crate::drops::DropReason;
use crate::handover::{InboundState, OutboundState, Unusable};
use crate::inbound::{Inbound, InboundEvent};
use crate::keys::{Epoch, InstallError, KeyMaterial};
use crate::limits::Limits;
use crate::open::Opened;
use crate::outbound::{Outbound, OutboundEvent};
use crate::seal::{Burst, Seal};
use crate::segment::Outgoing;
use core::time::Duration;

/// What [`Link::poll`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Negotiate the next epoch: this one passed a soft limit.
    RekeyWanted(Epoch),
    /// Sending has moved to this epoch.
    Switched(Epoch),
    /// Sending is blocked: this epoch passed a hard limit without a successor (R26).
    Blocked(Epoch),
    /// The receiving keys of this epoch are gone (R29).
    Gone(Epoch),
}

/// One peer, one queue, both directions.
pub struct Link<A> {
    outbound: Outbound<A>,
    inbound: Inbound<A>,
}

impl<A: Aead> Link<A> {
    /// Without an SA: nothing leaves and nothing enters.
    pub const fn blocked(limits: Limits) -> Self {
        Self { outbound: Outbound::blocked(limits), inbound: Inbound::blocked(limits) }
    }

    /// Moves out what it has; it is blocked from now on, and goes on elsewhere.
    pub fn hand_over(&mut self) -> (OutboundState, InboundState) {
        (self.outbound.hand_over(), self.inbound.hand_over())
    }

    /// Goes on with what a predecessor had, on the same timeline.
    pub fn take_over((outbound, inbound): (OutboundState, InboundState), limits: Limits) -> Result<Self, Unusable> {
        Ok(Self { outbound: Outbound::take_over(outbound, limits)?, inbound: Inbound::take_over(inbound, limits)? })
    }

    /// Receives on the epoch of `keys` from now on and stages it for sending.
    pub fn install(&mut self, now: Duration, keys: KeyMaterial) -> Result<(), InstallError> {
        let epoch = keys.epoch();
        let (outbound, inbound) = keys.split();
        self.inbound.install(now, epoch, inbound)?;
        self.outbound.install(now, epoch, outbound)?;
        if self.outbound.epoch() == Some(epoch) {
            self.inbound.drain_before(now, epoch);
        }
        Ok(())
    }

    /// The peer said that it receives on `epoch`: send on it, let older ones drain. Returns whether sending moved.
    pub fn activate(&mut self, now: Duration, epoch: Epoch) -> bool {
        let switched = self.outbound.activate(epoch);
        if switched {
            self.inbound.drain_before(now, epoch);
        }
        switched
    }

    /// Seals one packet into `out`; returns the datagram's length.
    pub fn seal(&mut self, packet: &[u8], out: &mut [u8]) -> Result<usize, DropReason> {
        self.outbound.seal().and_then(|seal: &mut Seal<A>| seal.seal(packet, out))
    }

    /// Seals a burst; see [`Seal::seal_burst`].
    pub fn seal_burst(&mut self, outgoing: &mut Outgoing<'_>, out: &mut [u8]) -> Result<Burst, DropReason> {
        self.outbound.seal().and_then(|seal| seal.seal_burst(outgoing, out))
    }

    /// Opens one datagram in place; see [`crate::Open::open`].
    pub fn open<'b>(&mut self, datagram: &'b mut [u8]) -> Result<&'b mut [u8], DropReason> {
        self.inbound.open(datagram)
    }

    /// Opens one datagram in place; see [`crate::Open::receive`].
    pub fn receive<'b>(&mut self, datagram: &'b mut [u8]) -> Result<Opened<'b>, DropReason> {
        self.inbound.receive(datagram)
    }

    /// Applies limits, drains and switches. Call at [`Self::next_deadline`] and after each batch; repeat until `None`.
    pub fn poll(&mut self, now: Duration) -> Option<Event> {
        while let Some(event) = self.inbound.poll(now) {
            match event {
                InboundEvent::Gone(epoch) => return Some(Event::Gone(epoch)),
                InboundEvent::PeerSwitched(epoch) if self.activate(now, epoch) => return Some(Event::Switched(epoch)),
                InboundEvent::PeerSwitched(_) => {}
            }
        }
        self.outbound.poll(now).map(|event| match event {
            OutboundEvent::RekeyWanted(epoch) => Event::RekeyWanted(epoch),
            OutboundEvent::Blocked(epoch) => Event::Blocked(epoch),
        })
    }

    /// When [`Self::poll`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.outbound.next_deadline().into_iter().chain(self.inbound.next_deadline()).min()
    }

    /// Drops every key at once: the peer is revoked or the policy withdrawn (R31).
    pub fn block(&mut self) {
        self.outbound.block();
        self.inbound.block();
    }

    /// The sending half.
    pub fn outbound(&mut self) -> &mut Outbound<A> {
        &mut self.outbound
    }

    /// The receiving half.
    pub fn inbound(&mut self) -> &mut Inbound<A> {
        &mut self.inbound
    }
}
