//! A slot: one token, the engine session of this `C_Initialize` on it, its login and its object handles.
//!
//! The engine session is opened with the first PKCS#11 session and closed with the last. When the engine does not know it any
//! more (the appliance restarted), it is opened again, and logged in by the ticket that the engine gave for it; no PIN is
//! kept. Where the engine refuses the ticket the login is lost: calls answer `CKR_USER_NOT_LOGGED_IN` until the application
//! logs in again; its session handles stay good.

use crate::handle::Handles;
use crate::mechanism::left;
use crate::rv::{Outcome, Rv};
use crate::target::Target;
use crate::ticket::Kept;
use arc_swap::ArcSwapOption;
use coloa_client::{Answer, CallError, Scratch, Terms, Ticket};
use coloa_wire::command::{
    MechanismInfo, PartitionMode, Role, SessionClose, SessionOpen, TicketIssue, TicketIssueReply, TicketLogin,
    TokenInfo,
};
use coloa_wire::{Command, ErrorCode, MechanismType, PartitionId, SessionId};
use cryptoki_sys::*;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

/// Login states, as they fit an atomic.
const NOBODY: u8 = 0;
const USER: u8 = 1;
const OFFICER: u8 = 2;
/// A role was logged in when the engine lost the session.
const LOST: u8 = 3;

/// One slot.
pub(crate) struct Slot {
    pub(crate) id: CK_SLOT_ID,
    pub(crate) target: Arc<Target>,
    pub(crate) handles: Handles,
    seen: RwLock<Seen>,
    /// Whether the partition makes its own IVs, as last seen.
    strict: AtomicBool,
    /// The engine session; every call looks here, and none must make another one wait for it.
    channel: ArcSwapOption<SessionId>,
    /// Held by who opens or closes the engine session.
    opening: Mutex<()>,
    login: AtomicU8,
    ticket: Kept,
    gate: Mutex<Gate>,
}

/// What the engine last said of the token.
#[derive(Default)]
struct Seen {
    partition: Option<PartitionId>,
    token: Option<TokenInfo>,
    /// Whether the token came or went, and nobody was told.
    changed: bool,
}

/// Open PKCS#11 sessions. Whoever holds it decides on opening, closing and logging in.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) read_only: usize,
    pub(crate) read_write: usize,
}

impl Gate {
    pub(crate) fn sessions(&self) -> usize {
        self.read_only + self.read_write
    }

    pub(crate) fn count(&mut self, read_write: bool) -> &mut usize {
        if read_write { &mut self.read_write } else { &mut self.read_only }
    }
}

impl Slot {
    pub(crate) fn new(id: CK_SLOT_ID, target: Arc<Target>, token: Option<&TokenInfo>) -> Self {
        Slot {
            id,
            target,
            handles: Handles::default(),
            seen: RwLock::new(Seen { partition: token.map(|t| t.partition), token: token.cloned(), changed: false }),
            strict: AtomicBool::new(is_strict(token)),
            channel: ArcSwapOption::empty(),
            opening: Mutex::default(),
            login: AtomicU8::new(NOBODY),
            ticket: Kept::default(),
            gate: Mutex::default(),
        }
    }

    /// Notes what the engine says of the token; `None`: it does not show it now.
    pub(crate) fn see(&self, token: Option<&TokenInfo>) {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        seen.changed |= seen.token.is_some() != token.is_some();
        seen.partition = token.map(|t| t.partition).or(seen.partition);
        seen.token = token.cloned();
        self.strict.store(is_strict(token), Ordering::Release);
    }

    /// Whether the token came or went since this was asked.
    pub(crate) fn take_event(&self) -> bool {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut seen.changed)
    }

    /// The partition; none while the place never answered.
    pub(crate) fn partition(&self) -> Option<PartitionId> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).partition
    }

    /// The token as last seen.
    pub(crate) fn token(&self) -> Outcome<TokenInfo> {
        self.token_if_present().ok_or(Rv(CKR_TOKEN_NOT_PRESENT))
    }

    pub(crate) fn token_if_present(&self) -> Option<TokenInfo> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).token.clone()
    }

    /// Whether the partition makes its own IVs.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict.load(Ordering::Acquire)
    }

    /// The mechanisms there are, each with what it does under the partition's rules.
    pub(crate) fn mechanisms(&self) -> Outcome<Vec<(MechanismInfo, CK_FLAGS)>> {
        let strict = self.is_strict();
        let list = self.target.mechanisms()?.iter();
        Ok(list.filter_map(|m| left(m, strict).map(|flags| (m.clone(), flags))).collect())
    }

    /// `CKR_MECHANISM_INVALID` unless the token does this by this mechanism.
    pub(crate) fn offers(&self, kind: MechanismType, service: CK_FLAGS) -> Outcome {
        let list = self.target.mechanisms()?;
        let found = list.binary_search_by_key(&kind, |m| m.kind).ok().and_then(|at| list.get(at));
        let flags = found.and_then(|m| left(m, m.not_strict.is_some() && self.is_strict()));
        if flags.is_some_and(|flags| flags & service != 0) { Ok(()) } else { Err(Rv(CKR_MECHANISM_INVALID)) }
    }

    pub(crate) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is logged in.
    pub(crate) fn role(&self) -> Option<Role> {
        match self.login.load(Ordering::Acquire) {
            USER => Some(Role::User),
            OFFICER => Some(Role::SecurityOfficer),
            _ => None,
        }
    }

    /// Notes who is logged in. Who may see what has changed with it.
    pub(crate) fn set_role(&self, role: Option<Role>) {
        let login = match role {
            Some(Role::User) => USER,
            Some(Role::SecurityOfficer) => OFFICER,
            None => NOBODY,
        };
        self.login.store(login, Ordering::Release);
        self.handles.unlearn_all();
        match role {
            Some(_) => self.ask_for_ticket(),
            None => self.ticket.wipe(),
        }
    }

    /// Asks for the ticket of this login. Without one a login that the engine loses is lost.
    fn ask_for_ticket(&self) {
        // An engine in process does not outlive us.
        if !self.target.overlaps() {
            return;
        }
        match self.send(&mut Scratch::new(), &TicketIssue {}, &[]) {
            Ok(TicketIssueReply { ticket: Some(ticket) }) => self.ticket.put(ticket),
            Ok(TicketIssueReply { ticket: None }) => self.ticket.wipe(),
            Err(rv) => tracing::debug!(rv = format_args!("{:#x}", rv.0), "no login ticket from here"),
        }
        // Who logs out meanwhile leaves none behind.
        if self.role().is_none() {
            self.ticket.wipe();
        }
    }

    /// Opens the engine session, if there is none.
    pub(crate) fn open_channel(&self) -> Outcome<SessionId> {
        let _turn = self.opening();
        if let Some(open) = self.open_session() {
            return Ok(open);
        }
        let session = self.session_open(self.target.client()?.deadline())?;
        self.channel.store(Some(Arc::new(session)));
        Ok(session)
    }

    /// Closes the engine session: logs out and destroys its session objects. An engine that cannot be reached by then
    /// forgets the session by itself.
    pub(crate) fn close_channel(&self, deadline: Option<Instant>) {
        let open = {
            let _turn = self.opening();
            self.channel.swap(None)
        };
        self.set_role(None);
        let (Some(open), Ok(client)) = (open, self.target.client()) else { return };
        let deadline = deadline.unwrap_or_else(|| client.deadline());
        let terms = Terms { session: Some(*open), retry: None, deadline };
        if let Err(reason) = client.call_with(&mut Scratch::new(), terms, &SessionClose {}, &[]) {
            tracing::debug!(%reason, "the engine did not close the session");
        }
    }

    /// Sends a command in the engine session, in buffers of its own.
    pub(crate) fn ask<C: Command>(&self, command: &C) -> Outcome<C::Reply> {
        self.call(&mut Scratch::new(), command, &[])
    }

    /// Sends a command in the engine session; `scratch` then has the reply's bulk.
    pub(crate) fn call<C: Command>(&self, scratch: &mut Scratch, command: &C, bulk: &[u8]) -> Outcome<C::Reply> {
        if self.ticket.is_due() {
            self.ask_for_ticket();
        }
        self.send(scratch, command, bulk)
    }

    fn send<C: Command>(&self, scratch: &mut Scratch, command: &C, bulk: &[u8]) -> Outcome<C::Reply> {
        let client = self.target.client()?;
        let deadline = client.deadline();
        let session = self.open_session().ok_or(Rv(CKR_SESSION_HANDLE_INVALID))?;
        // The same in the session that follows: what was committed just before a restart is not done twice.
        let retry = client.retry_id::<C>()?;
        let terms = Terms { session: Some(session), retry, deadline };
        match client.call_with(scratch, terms, command, bulk) {
            Ok(reply) => Ok(reply),
            Err(CallError::Engine(ErrorCode::SessionUnknown)) => {
                let anew = Some(self.reopen(session, terms.deadline)?);
                Ok(client.call_with(scratch, Terms { session: anew, ..terms }, command, bulk)?)
            }
            Err(CallError::Engine(ErrorCode::ObjectUnknown)) if self.login.load(Ordering::Acquire) == LOST => {
                Err(Rv(CKR_USER_NOT_LOGGED_IN))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Puts a command of the engine session on the wire; also says which session that was.
    pub(crate) fn begin<C: Command>(&self, command: &C, bulk: &[u8]) -> Outcome<(SessionId, Ticket<C>)> {
        let session = self.open_session().ok_or(Rv(CKR_SESSION_HANDLE_INVALID))?;
        Ok((session, self.target.client()?.begin((Some(session), None), command, bulk)?))
    }

    /// The reply and its bulk, if they have come. A call that a restart of the engine has lost is not given again.
    pub(crate) fn poll<C: Command>(&self, session: SessionId, ticket: &mut Ticket<C>) -> Outcome<Option<Answer<C>>> {
        match self.target.client()?.poll(ticket) {
            Ok(answer) => Ok(answer),
            Err(CallError::Engine(ErrorCode::SessionUnknown)) => {
                self.reopen(session, self.target.client()?.deadline())?;
                Err(Rv(CKR_DEVICE_ERROR))
            }
            Err(CallError::Engine(ErrorCode::ObjectUnknown)) if self.login.load(Ordering::Acquire) == LOST => {
                Err(Rv(CKR_USER_NOT_LOGGED_IN))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Whether there is an engine session to close.
    pub(crate) fn has_channel(&self) -> bool {
        self.open_session().is_some()
    }

    fn open_session(&self) -> Option<SessionId> {
        self.channel.load().as_deref().copied()
    }

    fn opening(&self) -> MutexGuard<'_, ()> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine has lost `stale`: opens another session, once for all threads that notice. Who opens it meanwhile is
    /// waited for, and that counts.
    fn reopen(&self, stale: SessionId, deadline: Instant) -> Outcome<SessionId> {
        let _turn = self.opening();
        if self.open_session() == Some(stale) {
            let fresh = self.session_open(deadline)?;
            if self.role().is_some() && !self.restore_login(fresh, deadline)? {
                self.login.store(LOST, Ordering::Release);
                self.ticket.wipe();
            }
            self.channel.store(Some(Arc::new(fresh)));
            self.handles.unlearn_all();
        }
        match (self.login.load(Ordering::Acquire), self.open_session()) {
            (LOST, _) => Err(Rv(CKR_USER_NOT_LOGGED_IN)),
            (_, Some(open)) => Ok(open),
            (_, None) => Err(Rv(CKR_SESSION_HANDLE_INVALID)),
        }
    }

    /// Logs a new engine session in by the ticket of the old one's login. An engine that cannot be asked now is asked by the
    /// next call.
    fn restore_login(&self, session: SessionId, deadline: Instant) -> Outcome<bool> {
        let place = self.target.place();
        let Some(ticket) = self.ticket.get() else {
            tracing::warn!(place, "the engine lost the session, and there is no ticket: the login is lost");
            return Ok(false);
        };
        let terms = Terms { session: Some(session), retry: None, deadline };
        match self.target.client()?.call_with(&mut Scratch::new(), terms, &TicketLogin { ticket }, &[]) {
            // Already: the answer to the first of two was lost.
            Ok(_) | Err(CallError::Engine(ErrorCode::AlreadyLoggedIn)) => {
                tracing::info!(place, "the engine lost the session: the login was restored by its ticket");
                Ok(true)
            }
            Err(CallError::Engine(reason)) => {
                tracing::warn!(place, %reason, "the engine lost the session and refused the ticket: the login is lost");
                Ok(false)
            }
            Err(other) => Err(other.into()),
        }
    }

    fn session_open(&self, deadline: Instant) -> Outcome<SessionId> {
        let partition = self.partition().ok_or(Rv(CKR_TOKEN_NOT_PRESENT))?;
        let terms = Terms { session: None, retry: None, deadline };
        let opened = self.target.client()?.call_with(&mut Scratch::new(), terms, &SessionOpen { partition }, &[]);
        Ok(opened?.session)
    }
}

fn is_strict(token: Option<&TokenInfo>) -> bool {
    token.is_none_or(|t| t.mode == PartitionMode::Strict)
}
