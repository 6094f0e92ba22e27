//! The channels that are open, so that they can be counted and cut.

use coloa_engine::Peer;
use coloa_host::HostEngine;
use coloa_wire::Identity;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Every channel, from the moment it is accepted.
pub(crate) struct Channels {
    open: Mutex<Open>,
    limit: AtomicUsize,
    handshakes: AtomicUsize,
}

#[derive(Default)]
struct Open {
    next: u64,
    channels: HashMap<u64, Entry>,
    /// Those that have not said yet who they are, the oldest first, and were not told to go.
    strangers: BTreeSet<u64>,
    /// How many were not told to go.
    staying: usize,
    stopping: bool,
}

struct Entry {
    socket: Arc<TcpStream>,
    caller: Option<Caller>,
    /// It was told to go, and counts no more.
    leaving: bool,
}

/// Who is at the other end of a channel, and until when.
#[derive(Clone)]
pub(crate) struct Caller {
    pub peer: Peer,
    /// When its certificate ends, in seconds since 1970.
    pub until: i64,
}

impl Channels {
    /// So many channels, of which so many may be strangers' at the same time.
    pub(crate) fn new(limit: usize, handshakes: usize) -> Self {
        Channels { open: Mutex::default(), limit: limit.into(), handshakes: handshakes.into() }
    }

    /// Other numbers from now on; channels that are open stay.
    pub(crate) fn set_limits(&self, limit: usize, handshakes: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.handshakes.store(handshakes, Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Enters a new connection; `None` when there are too many, or the service stops. Where strangers have all the places
    /// that are theirs, or all that are left, the one that has proved nothing for longest gives way (R34).
    pub(crate) fn enter(&self, socket: &Arc<TcpStream>) -> Option<u64> {
        let mut open = self.open.lock();
        let is_full = open.staying >= self.limit() || open.strangers.len() >= self.handshakes.load(Ordering::Relaxed);
        if open.stopping || (is_full && !open.dismiss_stranger()) {
            return None;
        }
        open.next += 1;
        let id = open.next;
        open.channels.insert(id, Entry { socket: socket.clone(), caller: None, leaving: false });
        open.strangers.insert(id);
        open.staying += 1;
        Some(id)
    }

    /// Says who it is.
    ///
    /// # Errors
    /// Why it is refused: its certificate lost its binding since the handshake looked, or it has its share of the channels.
    pub(crate) fn name(&self, id: u64, caller: &Caller, engine: &HostEngine) -> Result<(), &'static str> {
        let mut open = self.open.lock();
        let own = open.channels.values().filter(|e| e.peer() == Some(&caller.peer) && !e.leaving).count();
        let entry = open.channels.get_mut(&id).filter(|entry| !entry.leaving).ok_or("gave_way")?;
        entry.caller = Some(caller.clone());
        open.strangers.remove(&id);
        match is_bound(&caller.peer, engine) {
            false => Err("not_bound"),
            true if own >= self.share() => Err("too_many"),
            true => Ok(()),
        }
    }

    /// What one client may have, so that it cannot keep the others out.
    fn share(&self) -> usize {
        self.limit() - self.limit() / 4
    }

    /// A channel has ended. The sessions of a caller end with its last channel.
    pub(crate) fn leave(&self, id: u64, engine: &HostEngine) {
        let mut open = self.open.lock();
        let Some(entry) = open.channels.remove(&id) else { return };
        open.strangers.remove(&id);
        open.staying -= usize::from(!entry.leaving);
        let Some(peer) = entry.caller.map(|c| c.peer) else { return };
        if !open.channels.values().any(|e| e.peer() == Some(&peer)) {
            // Under the lock: a channel of the same caller that opens now has no session yet.
            engine.forget(&peer);
        }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().channels.len()
    }

    /// How many this client has.
    pub(crate) fn count_of(&self, identity: &Identity) -> usize {
        self.open.lock().channels.values().filter(|e| is_of(e, identity)).count()
    }

    /// Cuts the channels of clients that are bound to nothing any more: a withdrawn right is an event.
    pub(crate) fn cut_unbound(&self, engine: &HostEngine) {
        self.cut("its certificate is bound to nothing", |caller| !is_bound(&caller.peer, engine));
    }

    /// Cuts the channels whose certificate is over.
    pub(crate) fn cut_expired(&self, now: i64) {
        self.cut("its certificate is over", |caller| caller.until < now);
    }

    fn cut(&self, why: &str, must_go: impl Fn(&Caller) -> bool) {
        let mut open = self.open.lock();
        let going = open.channels.iter().filter_map(|(id, entry)| {
            let caller = entry.caller.as_ref().filter(|c| !entry.leaving && must_go(c))?;
            tracing::info!(peer = caller.peer.name(), why, "channel cut");
            Some(*id)
        });
        let going: Vec<u64> = going.collect();
        going.into_iter().for_each(|id| open.dismiss(id));
    }

    /// Takes no more calls, lets those under way finish, and cuts what is left at the deadline.
    pub(crate) fn stop(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        {
            let mut open = self.open.lock();
            open.stopping = true;
            open.channels.values().for_each(|e| drop(e.socket.shutdown(Shutdown::Read)));
        }
        while self.count() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.open.lock().channels.values().for_each(|e| drop(e.socket.shutdown(Shutdown::Both)));
    }
}

impl Open {
    fn dismiss_stranger(&mut self) -> bool {
        match self.strangers.first().copied() {
            Some(oldest) => {
                self.dismiss(oldest);
                true
            }
            None => false,
        }
    }

    /// Tells a channel to go; it counts no more.
    fn dismiss(&mut self, id: u64) {
        self.strangers.remove(&id);
        if let Some(entry) = self.channels.get_mut(&id).filter(|entry| !entry.leaving) {
            entry.leaving = true;
            let _ = entry.socket.shutdown(Shutdown::Both);
            self.staying -= 1;
        }
    }
}

impl Entry {
    fn peer(&self) -> Option<&Peer> {
        self.caller.as_ref().map(|c| &c.peer)
    }
}

fn is_of(entry: &Entry, wanted: &Identity) -> bool {
    matches!(entry.peer(), Some(Peer::Client { identity, .. }) if identity == wanted)
}

fn is_bound(peer: &Peer, engine: &HostEngine) -> bool {
    match peer {
        Peer::Client { identity, .. } => engine.is_bound(identity),
        Peer::Administrator(_) | Peer::Owner => true,
    }
}
