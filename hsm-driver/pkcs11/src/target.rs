//! The places of the configuration, and the slots found there.

use crate::mechanism::offered;
use crate::rv::{Outcome, Rv};
use crate::slot::Slot;
use coloa_client::config::{Place, Target as Settings};
use coloa_client::{CallError, Client, Scratch, Terms};
use coloa_wire::command::{MechanismInfo, MechanismList, TokenInfo, TokenList};
use coloa_wire::hello::{Body, ServerHello};
use cryptoki_sys::{CK_SLOT_ID, CKR_SLOT_ID_INVALID};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;

/// One place: an appliance, a board or a directory.
pub(crate) struct Target {
    settings: Settings,
    client: OnceLock<Client>,
    /// Held by who opens the way.
    opening: Mutex<()>,
    hello: OnceLock<ServerHello>,
    mechanisms: OnceLock<Vec<MechanismInfo>>,
    /// Whether it did not answer when it was asked for its tokens.
    is_silent: AtomicBool,
}

impl Target {
    fn new(settings: Settings) -> Self {
        let (hello, mechanisms) = (OnceLock::new(), OnceLock::new());
        let (client, opening) = (OnceLock::new(), Mutex::default());
        Target { settings, client, opening, hello, mechanisms, is_silent: AtomicBool::new(false) }
    }

    /// The way there; what failed once is tried again.
    pub(crate) fn client(&self) -> Result<&Client, CallError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let _turn = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        match self.client.get() {
            Some(client) => Ok(client),
            None => {
                let client = Client::open(&self.settings)?;
                Ok(self.client.get_or_init(|| client))
            }
        }
    }

    /// The way there, if there is one. Waits for nobody.
    pub(crate) fn inherited_client(&self) -> Option<&Client> {
        self.client.get()
    }

    /// Whether the engine is in this process: known without asking it.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.settings.place, Place::Embedded(..))
    }

    /// Whether calls overlap on the way there.
    pub(crate) fn overlaps(&self) -> bool {
        matches!(self.settings.place, Place::Network(..))
    }

    /// Which body the engine has, once it was reached.
    pub(crate) fn body(&self) -> Option<Body> {
        if self.is_embedded() { Some(Body::Embedded) } else { self.hello.get().map(|h| h.body) }
    }

    /// The longest frame the engine takes, once it was reached.
    pub(crate) fn max_frame(&self) -> usize {
        self.hello.get().map_or(0, |h| usize::try_from(h.max_frame).unwrap_or(usize::MAX))
    }

    /// Where it is, for people.
    pub(crate) fn place(&self) -> String {
        self.settings.place.to_string()
    }

    /// What the engine and this module offer.
    pub(crate) fn mechanisms(&self) -> Result<&[MechanismInfo], CallError> {
        if self.mechanisms.get().is_none() {
            let (reply, _) = self.client()?.call(None, None, &MechanismList {}, &[])?;
            let _ = self.mechanisms.set(offered(reply.mechanisms));
        }
        Ok(self.mechanisms.get().map_or(&[], Vec::as_slice))
    }

    /// When a call that begins now has ended.
    fn deadline(&self) -> Instant {
        Instant::now() + self.settings.deadline
    }

    fn tokens(&self, deadline: Instant) -> Result<Vec<TokenInfo>, CallError> {
        let client = self.client()?;
        let _ = self.hello.set(client.hello_by(deadline)?);
        let terms = Terms { session: None, retry: None, deadline };
        let tokens = client.call_with(&mut Scratch::new(), terms, &TokenList {}, &[])?.tokens;
        self.is_silent.store(false, Ordering::Relaxed);
        Ok(tokens)
    }

    /// Told once while it lasts: who waits for a slot event asks each second.
    fn says_nothing(&self, reason: &CallError) {
        if !self.is_silent.swap(true, Ordering::Relaxed) {
            tracing::error!(%reason, "no tokens from here");
        }
    }
}

/// Slots that one place can have: as many as a host's engine has partitions.
const MAX_SLOTS: usize = 1024;

/// All slots. A slot keeps its number for the life of the module; a place that never answered has one empty slot.
pub(crate) struct Registry {
    targets: Vec<Arc<Target>>,
    slots: RwLock<Vec<Arc<Slot>>>,
}

impl Registry {
    pub(crate) fn new(settings: Vec<Settings>) -> Self {
        Registry { targets: settings.into_iter().map(|s| Arc::new(Target::new(s))).collect(), slots: RwLock::default() }
    }

    pub(crate) fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// The slots known so far; looks for them when there are none yet.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        let known = self.known_slots();
        if !known.is_empty() || self.targets.is_empty() {
            return known;
        }
        self.refresh();
        self.known_slots()
    }

    /// One slot.
    pub(crate) fn slot(&self, id: CK_SLOT_ID) -> Outcome<Arc<Slot>> {
        self.slots().into_iter().find(|s| s.id == id).ok_or(Rv(CKR_SLOT_ID_INVALID))
    }

    /// Asks every place what tokens it has.
    pub(crate) fn refresh(&self) {
        for (turn, target) in self.turns(self.targets.len()).zip(&self.targets) {
            self.refresh_by(target, turn.min(target.deadline()));
        }
    }

    /// Deadlines for so many waits one after the other, which all together take no longer than one call may: who does not
    /// answer leaves the others their share.
    pub(crate) fn turns(&self, count: usize) -> impl Iterator<Item = Instant> + use<> {
        let longest = self.targets.iter().map(|t| t.settings.deadline).max().unwrap_or_default();
        let end = Instant::now() + longest;
        (1..=u32::try_from(count).unwrap_or(u32::MAX)).rev().map(move |left| {
            let now = Instant::now();
            now + end.saturating_duration_since(now) / left
        })
    }

    /// Asks one place.
    pub(crate) fn refresh_target(&self, target: &Arc<Target>) {
        self.refresh_by(target, target.deadline());
    }

    fn refresh_by(&self, target: &Arc<Target>, deadline: Instant) {
        let found = target.tokens(deadline).inspect_err(|reason| target.says_nothing(reason)).unwrap_or_default();
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        for slot in slots.iter().filter(|s| Arc::ptr_eq(&s.target, target)) {
            slot.see(found.iter().find(|t| Some(t.partition) == slot.partition()));
        }
        for token in &found {
            let mine = |s: &&Arc<Slot>| Arc::ptr_eq(&s.target, target);
            if slots.iter().filter(mine).any(|s| s.partition() == Some(token.partition)) {
                continue;
            }
            match slots.iter().filter(mine).find(|s| s.partition().is_none()) {
                Some(empty) => empty.see(Some(token)),
                None if slots.iter().filter(mine).count() >= MAX_SLOTS => break,
                None => push(&mut slots, target, Some(token)),
            }
        }
        if !slots.iter().any(|s| Arc::ptr_eq(&s.target, target)) {
            push(&mut slots, target, None);
        }
    }

    /// A slot whose token came or went since this was asked.
    pub(crate) fn take_event(&self) -> Option<CK_SLOT_ID> {
        self.known_slots().iter().find(|slot| slot.take_event()).map(|slot| slot.id)
    }

    /// The slots known so far.
    pub(crate) fn known_slots(&self) -> Vec<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn push(slots: &mut Vec<Arc<Slot>>, target: &Arc<Target>, token: Option<&TokenInfo>) {
    let slot = Slot::new(slots.len() as CK_SLOT_ID, target.clone(), token);
    slots.push(Arc::new(slot));
}
