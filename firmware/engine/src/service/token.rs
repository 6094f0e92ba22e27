//! Commands about tokens, PINs, sessions and roles.

use super::device::{label, object_removals, partition_change};
use crate::audit::result_number;
use crate::call::{Call, Effect};
use crate::ledger::Request;
use crate::record::{AuthRecord, Kek, PartitionRecord, PinRecord};
use crate::state::{Partition, Versioned};
use crate::{Peer, Platform, pin, policy, ticket};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::command::*;
use coloa_wire::{ErrorCode, SessionId, UseTicket};

pub(crate) fn list<P: Platform>(call: &mut Call<'_, P>, _: TokenList) -> Result<TokenListReply, ErrorCode> {
    let partitions = call.engine.state().partitions();
    let all = call.engine.state().auditors().has(call.peer);
    let tokens =
        partitions.iter().filter(|p| all || policy::may_see(p, call.peer)).map(|p| describe(call, p)).collect();
    Ok(TokenListReply { tokens })
}

fn describe<P: Platform>(call: &Call<'_, P>, partition: &Partition<P>) -> TokenInfo {
    let platform = call.engine.platform();
    let (limits, now) = (pin::limits(call.engine, partition), platform.now());
    let (info, auth) = (partition.info().record, partition.auth().record);
    let untouched = PinState { failures: 0, left: limits.pin_tries, wait_ms: None };
    let clients = match call.peer {
        Peer::Administrator(_) => info.clients.iter().map(|c| c.name.clone()).collect(),
        _ => Vec::new(),
    };
    TokenInfo {
        partition: partition.id,
        label: info.label.clone(),
        mode: info.mode,
        initialized: auth.so.is_some(),
        so_pin: auth.so.as_ref().map_or(untouched, |r| pin::state(r, &limits, now)),
        user_pin: auth.user.as_ref().map(|r| pin::state(r, &limits, now)),
        suite: SUITE_AES_256_GCM,
        clients,
        approved_only: info.approved_only,
    }
}

/// Nobody begins anything on a suspended partition, and nobody empties it.
fn admit<P: Platform>(partition: &Partition<P>) -> Result<(), ErrorCode> {
    if partition.is_suspended() { Err(ErrorCode::PartitionSuspended) } else { Ok(()) }
}

/// A token that is initialised anew gets a new KEK: what the old one sealed is gone for good.
pub(crate) fn initialize<P: Platform>(call: &mut Call<'_, P>, command: TokenInitialize) -> Result<Done, ErrorCode> {
    let engine = call.engine;
    let partition = policy::partition_for(engine, call.peer, command.partition)?;
    admit(&partition)?;
    if engine.sessions().any_on(&partition) {
        return Err(ErrorCode::SessionsOpen);
    }
    let label = label(command.label)?;
    let (info, found) = (partition.info(), partition.auth());
    // Committed against what was looked at: an officer who comes meanwhile is not passed over.
    let auth = match found.record.so {
        Some(_) => pin::check(engine, &partition, Role::SecurityOfficer, &command.so_pin)?,
        None => found,
    };
    let so = pin::new_record(engine, &partition, &command.so_pin)?;
    let record = PartitionRecord { label, kek: Kek(engine.random()?), ..(*info.record).clone() };
    let mut changes = object_removals(&partition);
    changes.push(partition_change(engine, partition.id, info.version, record)?);
    changes.push(pin::auth_change(engine, &partition, auth.version, AuthRecord { so: Some(so), user: None })?);
    let effect = Effect { empties: Some(partition.id), ..Effect::on_partition(partition.id, changes) };
    call.commit(effect, Done {})?;
    engine.sessions().close_retired();
    Ok(Done {})
}

pub(crate) fn initialize_user_pin<P: Platform>(
    call: &mut Call<'_, P>,
    command: UserPinInitialize,
) -> Result<Done, ErrorCode> {
    let (session, partition) = call.session()?;
    session.require(Role::SecurityOfficer)?;
    let record = pin::new_record(call.engine, &partition, &command.pin)?;
    set_pin(call, &partition, Role::User, record, &partition.auth())
}

pub(crate) fn change_pin<P: Platform>(call: &mut Call<'_, P>, command: PinChange) -> Result<Done, ErrorCode> {
    let (session, partition) = call.session()?;
    let role = session.role().unwrap_or(Role::User);
    pin::admit(&partition, &command.new)?;
    // Held to the end, so that the logins of others do not make a conflict of it.
    let _turn = partition.pin_turn.write();
    let checked = pin::check_in_turn(call.engine, &partition, role, &command.old)?;
    let record = pin::new_record(call.engine, &partition, &command.new)?;
    set_pin(call, &partition, role, record, &checked)
}

fn set_pin<P: Platform>(
    call: &Call<'_, P>,
    partition: &Arc<Partition<P>>,
    role: Role,
    record: PinRecord,
    auth: &Versioned<AuthRecord>,
) -> Result<Done, ErrorCode> {
    let next = pin::with(&auth.record, role, record);
    let change = pin::auth_change(call.engine, partition, auth.version, next)?;
    call.commit(Effect::on_partition(partition.id, vec![change]), Done {})
}

pub(crate) fn open_session<P: Platform>(
    call: &mut Call<'_, P>,
    command: SessionOpen,
) -> Result<SessionOpenReply, ErrorCode> {
    let partition = policy::partition_for(call.engine, call.peer, command.partition)?;
    admit(&partition)?;
    if partition.auth().record.so.is_none() {
        return Err(ErrorCode::TokenNotInitialized);
    }
    let session = SessionId(call.engine.random()?);
    call.engine.sessions().open(session, &partition, call.peer, &call.engine.platform().limits())?;
    Ok(SessionOpenReply { session })
}

pub(crate) fn close_session<P: Platform>(call: &mut Call<'_, P>, _: SessionClose) -> Result<Done, ErrorCode> {
    let id = call.session.ok_or(ErrorCode::SessionUnknown)?;
    call.engine.sessions().find(id, call.peer)?;
    call.engine.sessions().close(id);
    Ok(Done {})
}

/// Every try is in the audit log before its answer leaves.
pub(crate) fn log_in<P: Platform>(call: &mut Call<'_, P>, command: Login) -> Result<Done, ErrorCode> {
    let (session, partition) = call.session()?;
    policy::may_log_in(call.peer, command.role)?;
    session.may_log_in(command.role)?;
    check_logged(call, &partition, command.role, &command.pin)?;
    session.log_in(command.role)?;
    Ok(Done {})
}

pub(crate) fn issue_ticket<P: Platform>(call: &mut Call<'_, P>, _: TicketIssue) -> Result<TicketIssueReply, ErrorCode> {
    let (session, partition) = call.session()?;
    let role = session.role().ok_or(ErrorCode::NotLoggedIn)?;
    Ok(TicketIssueReply { ticket: ticket::issue(call.engine, call.peer, &partition, role)? })
}

/// The login of a session that the engine has lost, for who has the ticket of it.
pub(crate) fn log_in_by_ticket<P: Platform>(call: &mut Call<'_, P>, command: TicketLogin) -> Result<Done, ErrorCode> {
    let (session, partition) = call.session()?;
    let outcome = ticket::check(call.engine, call.peer, &partition, &command.ticket);
    let outcome = outcome.and_then(|role| session.may_log_in(role).map(|()| role));
    log(call, &partition, &outcome)?;
    session.log_in(outcome?)?;
    Ok(Done {})
}

fn check_logged<P: Platform>(
    call: &mut Call<'_, P>,
    partition: &Arc<Partition<P>>,
    role: Role,
    given: &Pin,
) -> Result<(), ErrorCode> {
    let outcome = pin::check(call.engine, partition, role, given);
    if matches!(outcome, Err(ErrorCode::Conflict)) {
        return Err(ErrorCode::Conflict);
    }
    log(call, partition, &outcome)?;
    outcome.map(|_| ())
}

fn log<P: Platform, T>(
    call: &mut Call<'_, P>,
    partition: &Arc<Partition<P>>,
    outcome: &Result<T, ErrorCode>,
) -> Result<(), ErrorCode> {
    call.logged = true;
    let event = call.event(Some(partition.id), None, result_number(outcome));
    call.engine.commit(Request { events: vec![event], ..Request::default() })
}

/// The user's PIN once more, for one use of a key with `CKA_ALWAYS_AUTHENTICATE`.
pub(crate) fn log_in_for_one_use<P: Platform>(
    call: &mut Call<'_, P>,
    command: ContextLogin,
) -> Result<ContextLoginReply, ErrorCode> {
    let (session, partition) = call.session()?;
    policy::may_log_in(call.peer, Role::User)?;
    session.require(Role::User)?;
    check_logged(call, &partition, Role::User, &command.pin)?;
    let ticket = UseTicket(call.engine.random()?);
    session.grant(ticket)?;
    Ok(ContextLoginReply { ticket })
}

pub(crate) fn log_out<P: Platform>(call: &mut Call<'_, P>, _: Logout) -> Result<Done, ErrorCode> {
    let (session, _) = call.session()?;
    session.log_out()?;
    call.note(&session, None);
    Ok(Done {})
}
