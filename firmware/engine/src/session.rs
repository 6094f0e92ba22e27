//! Sessions: one for each `C_Initialize` of a caller on a partition. A session holds the login and the session objects, and
//! dies with the engine's process, with its caller's last channel or with the token it was opened on.
//!
//! What a caller's sessions may take of the engine is bounded ([`Limits`]), so that one caller cannot starve the others.

use crate::keyring::Key;
use crate::object::{Object, Objects, Search};
use crate::state::Partition;
use crate::{Limits, Peer, Platform, policy};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::command::{MAX_TICKETS, Role};
use coloa_wire::{ErrorCode, ObjectId, SessionId, Template, UseTicket};
use core::sync::atomic::{AtomicUsize, Ordering};
use lock_api::RwLock;
use subtle::ConstantTimeEq;

/// What all sessions of one caller have taken.
pub(crate) struct Account {
    pub peer: Arc<Peer>,
    sessions: AtomicUsize,
    bytes: AtomicUsize,
}

impl Account {
    /// Takes `more` bytes and gives `less` back.
    fn charge(&self, more: usize, less: usize, limit: usize) -> Result<(), ErrorCode> {
        let fits = |bytes: usize| {
            let after = bytes.saturating_sub(less).saturating_add(more);
            (after <= limit || more <= less).then_some(after)
        };
        let charged = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        charged.map(|_| ()).map_err(|_| ErrorCode::ObjectLimit)
    }
}

/// Under one lock, so that no private object comes after a logout.
struct Held<K> {
    role: Option<Role>,
    objects: Objects<K>,
    /// The oldest first.
    tickets: VecDeque<UseTicket>,
}

pub(crate) struct Session<P: Platform> {
    /// The token it was opened on.
    pub partition: Arc<Partition<P>>,
    account: Arc<Account>,
    held: RwLock<P::Lock, Held<Key<P>>>,
}

impl<P: Platform> Session<P> {
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.account.peer
    }

    pub(crate) fn role(&self) -> Option<Role> {
        self.held.read().role
    }

    pub(crate) fn require(&self, role: Role) -> Result<(), ErrorCode> {
        if self.role() == Some(role) { Ok(()) } else { Err(ErrorCode::NotLoggedIn) }
    }

    pub(crate) fn may_log_in(&self, role: Role) -> Result<(), ErrorCode> {
        may_follow(self.role(), role)
    }

    /// Another thread may have logged in meanwhile: the first one has it.
    pub(crate) fn log_in(&self, role: Role) -> Result<(), ErrorCode> {
        let mut held = self.held.write();
        may_follow(held.role, role)?;
        held.role = Some(role);
        Ok(())
    }

    /// Private session objects do not survive a logout (PKCS#11 §5.6.9).
    pub(crate) fn log_out(&self) -> Result<(), ErrorCode> {
        let mut held = self.held.write();
        held.role.take().ok_or(ErrorCode::NotLoggedIn)?;
        held.tickets.clear();
        let before = held.objects.bytes();
        held.objects.retain(|object| !object.is_private());
        self.account.charge(held.objects.bytes(), before, 0)
    }

    /// Keeps leave for one use; the oldest makes room.
    pub(crate) fn grant(&self, ticket: UseTicket) -> Result<(), ErrorCode> {
        let mut held = self.held.write();
        if held.role != Some(Role::User) {
            return Err(ErrorCode::NotLoggedIn);
        }
        if held.tickets.len() >= MAX_TICKETS {
            held.tickets.pop_front();
        }
        held.tickets.push_back(ticket);
        Ok(())
    }

    /// Spends leave for one use: of all that come with the same ticket one gets it.
    pub(crate) fn spend(&self, ticket: UseTicket) -> Result<(), ErrorCode> {
        let mut held = self.held.write();
        let same = |kept: &UseTicket| bool::from(kept.0.ct_eq(&ticket.0));
        let at = held.tickets.iter().position(same).ok_or(ErrorCode::NotLoggedIn)?;
        held.tickets.remove(at).map(|_| ()).ok_or(ErrorCode::NotLoggedIn)
    }

    /// One of the session's own objects.
    pub(crate) fn object(&self, id: ObjectId) -> Option<Arc<Object<Key<P>>>> {
        self.held.read().objects.get(id)
    }

    pub(crate) fn object_count(&self) -> usize {
        self.held.read().objects.len()
    }

    /// What a search finds among the session's own objects.
    pub(crate) fn find(&self, template: &Template, after: Option<ObjectId>, max: usize) -> Vec<ObjectId> {
        let held = self.held.read();
        let search = Search { template, after, max, sees_private: policy::sees_private(held.role) };
        // All of them are in memory.
        held.objects.find(&search).unwrap_or_default()
    }

    /// Makes objects the session's own, or replaces them; all or none.
    pub(crate) fn put(&self, objects: Vec<Arc<Object<Key<P>>>>, limits: &Limits) -> Result<(), ErrorCode> {
        let mut held = self.held.write();
        objects.iter().try_for_each(|object| policy::role_may_make(self, held.role, object))?;
        let more = objects.iter().map(|o| o.size()).sum();
        let less = objects.iter().filter_map(|o| held.objects.get(o.id)).map(|o| o.size()).sum();
        self.account.charge(more, less, limits.session_bytes)?;
        objects.into_iter().for_each(|object| held.objects.put(object));
        Ok(())
    }

    pub(crate) fn remove(&self, id: ObjectId) {
        let mut held = self.held.write();
        let before = held.objects.bytes();
        held.objects.remove(id);
        // Giving back never fails.
        let _ = self.account.charge(held.objects.bytes(), before, 0);
    }
}

impl<P: Platform> Drop for Session<P> {
    fn drop(&mut self) {
        let _ = self.account.charge(0, self.held.get_mut().objects.bytes(), 0);
    }
}

fn may_follow(present: Option<Role>, role: Role) -> Result<(), ErrorCode> {
    match present {
        None => Ok(()),
        Some(present) if present == role => Err(ErrorCode::AlreadyLoggedIn),
        Some(_) => Err(ErrorCode::OtherRoleLoggedIn),
    }
}

/// Every open session.
pub(crate) struct Sessions<P: Platform>(RwLock<P::Lock, Table<P>>);

struct Table<P: Platform> {
    sessions: BTreeMap<SessionId, Arc<Session<P>>>,
    accounts: BTreeMap<Arc<Peer>, Arc<Account>>,
}

impl<P: Platform> Table<P> {
    fn account(&mut self, peer: &Peer) -> Arc<Account> {
        if let Some(account) = self.accounts.get(peer) {
            return account.clone();
        }
        let peer = Arc::new(peer.clone());
        let (sessions, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let account = Arc::new(Account { peer: peer.clone(), sessions, bytes });
        self.accounts.insert(peer, account.clone());
        account
    }

    fn count_on(&self, partition: &Arc<Partition<P>>) -> usize {
        self.sessions.values().filter(|s| Arc::ptr_eq(&s.partition, partition)).count()
    }

    fn retain(&mut self, keep: impl Fn(&Session<P>) -> bool) {
        let (sessions, accounts) = (&mut self.sessions, &mut self.accounts);
        sessions.retain(|_, session| {
            let kept = keep(session);
            if !kept && session.account.sessions.fetch_sub(1, Ordering::Relaxed) == 1 {
                accounts.remove(&session.account.peer);
            }
            kept
        });
    }
}

impl<P: Platform> Sessions<P> {
    pub(crate) fn new() -> Self {
        Sessions(RwLock::new(Table { sessions: BTreeMap::new(), accounts: BTreeMap::new() }))
    }

    /// Opens a session. A client gets at most half of what there is.
    pub(crate) fn open(
        &self,
        id: SessionId,
        partition: &Arc<Partition<P>>,
        peer: &Peer,
        limits: &Limits,
    ) -> Result<(), ErrorCode> {
        let mut table = self.0.write();
        if table.sessions.len() >= limits.sessions {
            table.retain(|s| !s.partition.is_retired());
        }
        let share = if matches!(peer, Peer::Client { .. }) { limits.sessions / 2 } else { limits.sessions };
        let taken = table.accounts.get(peer).map_or(0, |a| a.sessions.load(Ordering::Relaxed));
        if table.sessions.len() >= limits.sessions || taken >= share {
            return Err(ErrorCode::SessionLimit);
        }
        let quota = partition.setting(|s| s.sessions).and_then(|most| usize::try_from(most).ok());
        if quota.is_some_and(|most| table.count_on(partition) >= most) {
            return Err(ErrorCode::SessionQuotaReached);
        }
        let account = table.account(peer);
        account.sessions.fetch_add(1, Ordering::Relaxed);
        let held = RwLock::new(Held { role: None, objects: Objects::default(), tickets: VecDeque::new() });
        table.sessions.insert(id, Arc::new(Session { partition: partition.clone(), account, held }));
        Ok(())
    }

    /// The session, if it is this caller's and its token is still the one it was opened on.
    pub(crate) fn find(&self, id: SessionId, caller: &Peer) -> Result<Arc<Session<P>>, ErrorCode> {
        let session = self.0.read().sessions.get(&id).cloned();
        let session = session.filter(|s| **s.peer() == *caller).ok_or(ErrorCode::SessionUnknown)?;
        if session.partition.is_retired() {
            self.close(id);
            return Err(ErrorCode::SessionUnknown);
        }
        Ok(session)
    }

    pub(crate) fn close(&self, id: SessionId) {
        let mut table = self.0.write();
        let Some(session) = table.sessions.remove(&id) else { return };
        if session.account.sessions.fetch_sub(1, Ordering::Relaxed) == 1 {
            table.accounts.remove(&session.account.peer);
        }
    }

    /// Ends the sessions on tokens that are no more.
    pub(crate) fn close_retired(&self) {
        self.0.write().retain(|s| !s.partition.is_retired());
    }

    /// Ends the sessions of a caller: its last channel has gone.
    pub(crate) fn close_owner(&self, owner: &Peer) {
        self.0.write().retain(|s| **s.peer() != *owner);
    }

    pub(crate) fn any_on(&self, partition: &Arc<Partition<P>>) -> bool {
        self.count_on(partition) > 0
    }

    pub(crate) fn count_on(&self, partition: &Arc<Partition<P>>) -> usize {
        self.0.read().count_on(partition)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.read().sessions.len()
    }
}
