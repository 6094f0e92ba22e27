//! The channels that are open, so that they can be counted and cut.

use coloa_engine::Peer;
use coloa_host::HostEngine;
use coloa_wire::Identity;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Every channel, from the moment it is accepted.
pub(crate) struct Channels {
    open: Mutex<Open>,
    limit: AtomicUsize,
}

#[derive(Default)]
struct Open {
    next: u64,
    channels: HashMap<u64, Entry>,
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
    pub(crate) fn new(limit: usize) -> Self {
        Channels { open: Mutex::default(), limit: limit.into() }
    }

    /// Another number from now on; channels that are open stay.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Enters a new connection; `None` when there are too many, or the service stops.
    pub(crate) fn enter(&self, socket: &Arc<TcpStream>) -> Option<u64> {
        let mut open = self.open.lock();
        let staying = open.channels.values().filter(|e| !e.leaving).count();
        if open.stopping || (staying >= self.limit() && !open.dismiss_stranger()) {
            return None;
        }
        open.next += 1;
        let id = open.next;
        open.channels.insert(id, Entry { socket: socket.clone(), caller: None, leaving: false });
        Some(id)
    }

    /// Says who it is.
    ///
    /// # Errors
    /// Why it is refused: its certificate lost its binding since the handshake looked, or it has its share of the channels.
    pub(crate) fn name(&self, id: u64, caller: &Caller, engine: &HostEngine) -> Result<(), &'static str> {
        let mut open = self.open.lock();
        let own = open.channels.values().filter(|e| e.peer() == Some(&caller.peer) && !e.leaving).count();
        let entry = open.channels.get_mut(&id).ok_or("closed")?;
        entry.caller = Some(caller.clone());
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
        let Some(peer) = open.channels.remove(&id).and_then(|e| e.caller).map(|c| c.peer) else { return };
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
        for entry in self.open.lock().channels.values_mut().filter(|e| !e.leaving) {
            if let Some(caller) = entry.caller.as_ref().filter(|c| must_go(c)) {
                tracing::info!(peer = caller.peer.name(), why, "channel cut");
                entry.dismiss();
            }
        }
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
    /// Sends away the one who has been longest without a handshake, so that strangers cannot keep clients out (R34).
    fn dismiss_stranger(&mut self) -> bool {
        let strangers = self.channels.iter_mut().filter(|(_, e)| e.caller.is_none() && !e.leaving);
        match strangers.min_by_key(|(id, _)| **id) {
            Some((_, entry)) => {
                entry.dismiss();
                true
            }
            None => false,
        }
    }
}

impl Entry {
    fn peer(&self) -> Option<&Peer> {
        self.caller.as_ref().map(|c| &c.peer)
    }

    fn dismiss(&mut self) {
        self.leaving = true;
        let _ = self.socket.shutdown(Shutdown::Both);
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
