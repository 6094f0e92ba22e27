//! What one `C_Initialize` makes and `C_Finalize` ends.
//!
//! Calls that are under way when another thread finalizes keep what they hold until they are done; the next call of any
//! thread is told `CKR_CRYPTOKI_NOT_INITIALIZED`.

use crate::rv::{Outcome, Rv};
use crate::session::Session;
use crate::target::Registry;
use coloa_client::{Config, Descriptor};
use cryptoki_sys::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// How often who waits for a slot event looks.
const LOOK: Duration = Duration::from_secs(1);

/// Sessions whose handles differ are on different shelves, so that threads do not share the cache line of one lock.
const SHELVES: usize = 16;

type Sessions = HashMap<CK_SESSION_HANDLE, Arc<Session>>;

/// Some of the sessions.
#[derive(Default)]
#[repr(align(128))]
struct Shelf(RwLock<Sessions>);

impl Shelf {
    fn read(&self) -> RwLockReadGuard<'_, Sessions> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Sessions> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The module between initialize and finalize.
pub(crate) struct Module {
    pub(crate) registry: Registry,
    sessions: [Shelf; SHELVES],
    last_session: AtomicU64,
    ended: Mutex<bool>,
    end: Condvar,
}

impl Module {
    pub(crate) fn new(config: Config) -> Self {
        Module {
            registry: Registry::new(config.targets),
            sessions: Default::default(),
            last_session: AtomicU64::new(0),
            ended: Mutex::new(false),
            end: Condvar::new(),
        }
    }

    /// The session of a handle.
    pub(crate) fn session(&self, handle: CK_SESSION_HANDLE) -> Outcome<Arc<Session>> {
        let session = self.shelf(handle).read().get(&handle).cloned();
        session.ok_or(Rv(CKR_SESSION_HANDLE_INVALID))
    }

    /// Keeps a new session; its handle was never used before.
    pub(crate) fn keep(&self, session: Session) -> CK_SESSION_HANDLE {
        let handle = self.last_session.fetch_add(1, Ordering::Relaxed) + 1;
        self.shelf(handle).write().insert(handle, Arc::new(session));
        handle
    }

    /// Takes a session out; nobody finds it any more.
    pub(crate) fn take(&self, handle: CK_SESSION_HANDLE) -> Outcome<Arc<Session>> {
        let session = self.shelf(handle).write().remove(&handle);
        session.ok_or(Rv(CKR_SESSION_HANDLE_INVALID))
    }

    /// The handles of all sessions on a slot.
    pub(crate) fn sessions_on(&self, slot: CK_SLOT_ID) -> Vec<CK_SESSION_HANDLE> {
        let on = |shelf: &Shelf| {
            let sessions = shelf.read();
            sessions.iter().filter(|(_, s)| s.slot.id == slot).map(|(handle, _)| *handle).collect::<Vec<_>>()
        };
        self.sessions.iter().flat_map(on).collect()
    }

    fn shelf(&self, handle: CK_SESSION_HANDLE) -> &Shelf {
        &self.sessions[handle as usize % SHELVES]
    }

    /// `C_WaitForSlotEvent` with `CKF_DONT_BLOCK`: a slot whose token came or went, as far as anybody has seen.
    pub(crate) fn slot_event(&self) -> Outcome<CK_SLOT_ID> {
        self.registry.take_event().ok_or(Rv(CKR_NO_EVENT))
    }

    /// The same, blocking: the caller's thread looks at all places now and then. It ends with the module too.
    pub(crate) fn wait_for_slot_event(&self) -> Outcome<CK_SLOT_ID> {
        loop {
            if let Some(slot) = self.registry.take_event() {
                return Ok(slot);
            }
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.end.wait_timeout_while(ended, LOOK, |ended| !*ended);
            if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                return Err(Rv(CKR_CRYPTOKI_NOT_INITIALIZED));
            }
            self.registry.refresh();
        }
    }

    /// Wakes those who wait and closes the engine's sessions.
    pub(crate) fn finish(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.end.notify_all();
        self.sessions.iter().for_each(|shelf| shelf.write().clear());
        let slots: Vec<_> = self.registry.known_slots().into_iter().filter(|s| s.has_channel()).collect();
        self.registry.turns(slots.len()).zip(&slots).for_each(|(turn, slot)| slot.close_channel(Some(turn)));
    }

    /// Sockets a forked child has inherited and must close. Takes no lock that another thread may have held at the fork.
    pub(crate) fn inherited(&self) -> Vec<Descriptor> {
        let clients = self.registry.targets().iter().filter_map(|t| t.inherited_client());
        clients.flat_map(|c| c.descriptors()).collect()
    }
}
