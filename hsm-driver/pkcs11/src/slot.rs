//! A slot: one token, the engine session of this `C_Initialize` on it, its login and its object handles.
//!
//! The engine session is opened with the first PKCS#11 session and closed with the last. When the engine does not know it any
//! more (the appliance restarted), it is opened again. A login that is lost that way is not repeated, because no PIN is
//! kept: calls answer `CKR_USER_NOT_LOGGED_IN` until the application logs in again; its session handles stay good.

use crate::handle::Handles;
use crate::mechanism::left;
use crate::rv::{Outcome, Rv};
use crate::target::Target;
use coloa_client::{Answer, CallError, Client, Scratch, Ticket};
use coloa_wire::command::{MechanismInfo, PartitionMode, Role, SessionClose, SessionOpen, TokenInfo};
use coloa_wire::{Command, ErrorCode, MechanismType, PartitionId, SessionId};
use cryptoki_sys::*;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

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
    channel: RwLock<Option<SessionId>>,
    login: AtomicU8,
    gate: Mutex<Gate>,
}

/// What the engine last said of the token.
#[derive(Default)]
struct Seen {
    partition: Option<PartitionId>,
    token: Option<TokenInfo>,
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
    pub(crate) fn new(id: CK_SLOT_ID, target: Arc<Target>) -> Self {
        Slot {
            id,
            target,
            handles: Handles::default(),
            seen: RwLock::default(),
            channel: RwLock::default(),
            login: AtomicU8::new(NOBODY),
            gate: Mutex::default(),
        }
    }

    /// Notes what the engine says of the token; `None`: it does not show it now.
    pub(crate) fn see(&self, token: Option<&TokenInfo>) {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        seen.partition = token.map(|t| t.partition).or(seen.partition);
        seen.token = token.cloned();
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
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.token.as_ref().is_none_or(|t| t.mode == PartitionMode::Strict)
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
    }

    /// Opens the engine session, if there is none.
    pub(crate) fn open_channel(&self) -> Outcome<SessionId> {
        let mut channel = self.channel.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = *channel {
            return Ok(open);
        }
        let session = self.session_open()?;
        *channel = Some(session);
        Ok(session)
    }

    /// Closes the engine session: logs out and destroys its session objects. An engine that cannot be reached forgets the
    /// session by itself.
    pub(crate) fn close_channel(&self) {
        let open = self.channel.write().unwrap_or_else(PoisonError::into_inner).take();
        self.set_role(None);
        let (Some(open), Ok(client)) = (open, self.target.client()) else { return };
        if let Err(reason) = client.call(Some(open), None, &SessionClose {}, &[]) {
            tracing::debug!(%reason, "the engine did not close the session");
        }
    }

    /// Sends a command in the engine session, in buffers of its own.
    pub(crate) fn ask<C: Command>(&self, command: &C) -> Outcome<C::Reply> {
        self.call(&mut Scratch::new(), command, &[])
    }

    /// Sends a command in the engine session; `scratch` then has the reply's bulk.
    pub(crate) fn call<C: Command>(&self, scratch: &mut Scratch, command: &C, bulk: &[u8]) -> Outcome<C::Reply> {
        let session = match *self.channel.read().unwrap_or_else(PoisonError::into_inner) {
            Some(open) => open,
            None => return Err(Rv(CKR_SESSION_HANDLE_INVALID)),
        };
        let client = self.target.client()?;
        // The same in the session that follows: what was committed just before a restart is not done twice.
        let retry = Client::retry_id::<C>()?;
        match client.call_with(scratch, (Some(session), retry), command, bulk) {
            Ok(reply) => Ok(reply),
            Err(CallError::Engine(ErrorCode::SessionUnknown)) => {
                let anew = self.reopen(session)?;
                Ok(client.call_with(scratch, (Some(anew), retry), command, bulk)?)
            }
            Err(CallError::Engine(ErrorCode::ObjectUnknown)) if self.login.load(Ordering::Acquire) == LOST => {
                Err(Rv(CKR_USER_NOT_LOGGED_IN))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Puts a command of the engine session on the wire; also says which session that was.
    pub(crate) fn begin<C: Command>(&self, command: &C, bulk: &[u8]) -> Outcome<(SessionId, Ticket<C>)> {
        let open = *self.channel.read().unwrap_or_else(PoisonError::into_inner);
        let session = open.ok_or(Rv(CKR_SESSION_HANDLE_INVALID))?;
        Ok((session, self.target.client()?.begin((Some(session), None), command, bulk)?))
    }

    /// The reply and its bulk, if they have come. A call that a restart of the engine has lost is not given again.
    pub(crate) fn poll<C: Command>(&self, session: SessionId, ticket: &mut Ticket<C>) -> Outcome<Option<Answer<C>>> {
        match self.target.client()?.poll(ticket) {
            Ok(answer) => Ok(answer),
            Err(CallError::Engine(ErrorCode::SessionUnknown)) => {
                self.reopen(session)?;
                Err(Rv(CKR_DEVICE_ERROR))
            }
            Err(CallError::Engine(ErrorCode::ObjectUnknown)) if self.login.load(Ordering::Acquire) == LOST => {
                Err(Rv(CKR_USER_NOT_LOGGED_IN))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The engine has lost `stale`: opens another session, once for all threads that notice.
    fn reopen(&self, stale: SessionId) -> Outcome<SessionId> {
        let mut channel = self.channel.write().unwrap_or_else(PoisonError::into_inner);
        if *channel == Some(stale) {
            *channel = Some(self.session_open()?);
            let lost = self.role().map_or(NOBODY, |_| LOST);
            if lost == LOST {
                tracing::warn!(place = %self.target.place(), "the engine restarted: the login is lost");
                self.login.store(LOST, Ordering::Release);
            }
            self.handles.unlearn_all();
        }
        match (self.login.load(Ordering::Acquire), *channel) {
            (LOST, _) => Err(Rv(CKR_USER_NOT_LOGGED_IN)),
            (_, Some(open)) => Ok(open),
            (_, None) => Err(Rv(CKR_SESSION_HANDLE_INVALID)),
        }
    }

    fn session_open(&self) -> Outcome<SessionId> {
        let partition = self.partition().ok_or(Rv(CKR_TOKEN_NOT_PRESENT))?;
        let (reply, _) = self.target.client()?.call(None, None, &SessionOpen { partition }, &[])?;
        Ok(reply.session)
    }
}
