//! Login tickets: what logs a caller's new session in when its old one is lost, without the PIN.
//!
//! A ticket is `role ‖ time of issue ‖ HMAC-SHA-256`. The MAC also covers the caller, the partition, and salt and verifier of the
//! role's PIN: it is worth nothing to another caller, on another token, after the PIN was set anew, or without the store's
//! root key. Nothing is kept of it here, so it outlives a restart; what bounds it is its day.

use crate::state::Partition;
use crate::{Engine, Peer, Platform, pin, policy};
use alloc::sync::Arc;
use coloa_wire::command::Role;
use coloa_wire::{ErrorCode, LoginTicket};
use subtle::ConstantTimeEq;

/// How long it is good, in milliseconds.
const LIFE: u64 = 24 * 60 * 60 * 1000;
/// A clock may have been set back by so much since.
const SKEW: u64 = 60 * 1000;

/// A ticket for who is logged in; none where the clock was never set.
pub(crate) fn issue<P: Platform>(
    engine: &Engine<P>,
    peer: &Peer,
    partition: &Arc<Partition<P>>,
    role: Role,
) -> Result<Option<LoginTicket>, ErrorCode> {
    let Some(now) = engine.platform().now().if_set() else { return Ok(None) };
    let mac = mac(engine, peer, partition, (role, now.0))?;
    let mut ticket = LoginTicket([0; 41]);
    let bytes = [[role_number(role)].as_slice(), &now.0.to_be_bytes(), &mac].concat();
    ticket.0.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    Ok(Some(ticket))
}

/// The role that a ticket logs in; `NotLoggedIn` where it is not, or no more, worth anything.
pub(crate) fn check<P: Platform>(
    engine: &Engine<P>,
    peer: &Peer,
    partition: &Arc<Partition<P>>,
    ticket: &LoginTicket,
) -> Result<Role, ErrorCode> {
    let (head, given) = ticket.0.split_at_checked(9).ok_or(ErrorCode::Internal)?;
    let (number, issued) = head.split_first().ok_or(ErrorCode::Internal)?;
    let issued = issued.first_chunk().copied().map(u64::from_be_bytes).ok_or(ErrorCode::Internal)?;
    let role = role_of(*number).ok_or(ErrorCode::NotLoggedIn)?;
    policy::may_log_in(peer, role)?;
    let right = mac(engine, peer, partition, (role, issued))?;
    let now = engine.platform().now().if_set().ok_or(ErrorCode::NotLoggedIn)?;
    let lives = issued <= now.0.saturating_add(SKEW) && now.0 <= issued.saturating_add(LIFE);
    if !lives || !bool::from(right.ct_eq(given)) {
        return Err(ErrorCode::NotLoggedIn);
    }
    pin::is_open(engine, partition, role).map(|()| role)
}

fn mac<P: Platform>(
    engine: &Engine<P>,
    peer: &Peer,
    partition: &Arc<Partition<P>>,
    (role, issued): (Role, u64),
) -> Result<[u8; 32], ErrorCode> {
    let (kind, identity, name) = peer.distinction();
    let auth = partition.auth();
    let record = pin::of(&auth.record, role)?;
    let (head, issued) = ([kind, role_number(role)], issued.to_be_bytes());
    // All but the name, which is the last, are of fixed length.
    engine.ticket_mac(&[&head, &identity, &partition.id.0, &issued, &record.salt, &record.verifier, name.as_bytes()])
}

fn role_number(role: Role) -> u8 {
    match role {
        Role::SecurityOfficer => 0,
        Role::User => 1,
    }
}

fn role_of(number: u8) -> Option<Role> {
    [Role::SecurityOfficer, Role::User].into_iter().find(|role| role_number(*role) == number)
}
