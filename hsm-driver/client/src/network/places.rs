//! Which connection a call takes.
//!
//! While the engine answers quickly, threads share connections, so that their calls travel together: two connections to
//! have two of the engine's threads at work, further ones when those have company enough, and never more than the engine
//! answers at the same time, if it says how many those are. While it answers slowly each caller is better off with a
//! connection, which is a thread of the engine, of its own. A thread stays where it is as long as that serves it, and looks
//! around now and then.

use super::connection::{Connection, TOGETHER};
use crate::{CallError, Descriptor};
use coloa_wire::ErrorCode;
use coloa_wire::hello::ServerHello;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::time::Instant;

/// Threads with quick calls that one connection has before another is opened.
const COMPANY: usize = 4;
/// Connections that they are spread over first.
const SPREAD: usize = 2;
/// Calls between two looks around.
const LOOK_EVERY: u32 = 16;

thread_local! {
    /// Where this thread's last call went, and how many did. Only a hint: it may be of another appliance's places.
    static HOME: Cell<(usize, u32)> = const { Cell::new((usize::MAX, 0)) };
}

type Held = Option<Arc<Connection>>;

/// The connections of one address.
pub(super) struct Places {
    places: Vec<RwLock<Held>>,
    /// How many of them quick calls use: as many as the engine answers at the same time, once it has said so.
    lanes: AtomicUsize,
}

/// What is known of a place.
enum Found {
    Free,
    Live(Arc<Connection>),
    /// Somebody is connecting there.
    Closed,
}

/// The lower the better: whether it is full, whether it is one of the first, how many are there.
type Rank = (bool, usize, usize);

impl Places {
    pub(super) fn new(connections: usize) -> Self {
        let places = (0..connections.max(1)).map(|_| RwLock::new(None)).collect();
        Places { places, lanes: AtomicUsize::new(usize::MAX) }
    }

    /// What the engine says of itself.
    pub(super) fn learn(&self, hello: &ServerHello) {
        let lanes = hello.lanes.and_then(|lanes| usize::try_from(lanes).ok()).filter(|lanes| *lanes > 0);
        self.lanes.store(lanes.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// The connection for this thread's next call, opened if need be.
    pub(super) fn choose(
        &self,
        is_quick: bool,
        open: impl FnOnce() -> Result<Connection, CallError>,
    ) -> Result<Arc<Connection>, CallError> {
        let (home, calls) = HOME.get();
        let mine = match self.places.get(home).map(look) {
            Some(Found::Live(mine)) if is_quick && !calls.is_multiple_of(LOOK_EVERY) => {
                HOME.set((home, calls.wrapping_add(1)));
                return Ok(mine);
            }
            Some(Found::Live(mine)) => Some(mine),
            _ => None,
        };
        let (at, found) = self.best(home, is_quick);
        HOME.set((at, calls.wrapping_add(1)));
        if at != home {
            mine.iter().for_each(|left| left.lose_company());
        }
        let chosen = match (found, self.places.get(at)) {
            (Found::Live(live), _) => live,
            (_, Some(place)) => fill(place.write().unwrap_or_else(PoisonError::into_inner), open)?,
            (_, None) => return Err(CallError::Engine(ErrorCode::Internal)),
        };
        if at != home {
            chosen.gain_company();
        }
        Ok(chosen)
    }

    /// The connection for a ticket's call: as many to each as are sent together, and slow ones to the one with the fewest.
    pub(super) fn choose_for_ticket(
        &self,
        is_quick: bool,
        open: impl FnOnce() -> Result<Connection, CallError>,
    ) -> Result<Arc<Connection>, CallError> {
        let (connections, together) = if is_quick { (SPREAD, TOGETHER) } else { (usize::MAX, 1) };
        let calls = |place| match look(place) {
            Found::Live(live) => live.in_flight() / together,
            Found::Free => 0,
            Found::Closed => usize::MAX,
        };
        match self.places.iter().take(connections).min_by_key(|place| calls(place)) {
            Some(place) => match look(place) {
                Found::Live(live) => Ok(live),
                _ => fill(place.write().unwrap_or_else(PoisonError::into_inner), open),
            },
            None => Err(CallError::Engine(ErrorCode::Internal)),
        }
    }

    /// Sends on all connections what is due.
    pub(super) fn flush(&self, deadline: Instant) {
        for place in &self.places {
            if let Found::Live(live) = look(place) {
                live.flush(deadline);
            }
        }
    }

    /// How many places such calls may use.
    fn reach(&self, is_quick: bool) -> usize {
        if is_quick { self.lanes.load(Ordering::Relaxed) } else { usize::MAX }
    }

    fn best(&self, home: usize, is_quick: bool) -> (usize, Found) {
        let mut best: Option<(Rank, usize, Found)> = None;
        for (at, place) in self.places.iter().enumerate().take(self.reach(is_quick)) {
            let found = look(place);
            let others = match &found {
                Found::Live(live) if is_quick => live.company().saturating_sub(usize::from(at == home)),
                Found::Live(live) => live.in_flight(),
                Found::Free => 0,
                Found::Closed => continue,
            };
            let rank = rank(at, others, is_quick, at == home);
            if best.as_ref().is_none_or(|(least, ..)| rank < *least) {
                best = Some((rank, at, found));
            }
        }
        // All are being connected: wait for the first.
        best.map_or((0, Found::Closed), |(_, at, found)| (at, found))
    }

    /// A restarted server has closed all of them: what is idle and old is not worth another try.
    pub(super) fn forget_idle(&self) {
        for place in &self.places {
            if let Ok(mut held) = place.try_write() {
                held.take_if(|c| c.is_broken() || c.in_flight() == 0);
            }
        }
    }

    /// The sockets.
    pub(super) fn descriptors(&self) -> Vec<Descriptor> {
        self.places.iter().filter_map(|p| p.try_read().ok()?.as_ref().map(|c| c.descriptor())).collect()
    }
}

/// How good a place is that so many others use. Whoever leaves home should gain by it.
fn rank(at: usize, others: usize, is_quick: bool, is_home: bool) -> Rank {
    let weight = others.saturating_mul(2).saturating_sub(if is_home { 3 } else { 0 });
    if is_quick && others < COMPANY { (false, at.saturating_sub(SPREAD - 1), weight) } else { (is_quick, 0, weight) }
}

fn look(place: &RwLock<Held>) -> Found {
    let held = match place.try_read() {
        Ok(held) => held,
        Err(TryLockError::Poisoned(held)) => held.into_inner(),
        Err(TryLockError::WouldBlock) => return Found::Closed,
    };
    match held.as_ref().filter(|c| !c.is_broken()) {
        Some(live) => Found::Live(live.clone()),
        None => Found::Free,
    }
}

fn fill(
    mut held: RwLockWriteGuard<'_, Held>,
    open: impl FnOnce() -> Result<Connection, CallError>,
) -> Result<Arc<Connection>, CallError> {
    if let Some(live) = held.as_ref().filter(|c| !c.is_broken()) {
        return Ok(live.clone());
    }
    // A broken one goes before another comes: it counts at the other end.
    *held = None;
    Ok(held.insert(Arc::new(open()?)).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_wire::hello::{Body, PROTOCOL};

    /// Where the next thread goes, when the connections have so many.
    fn goes(others: &[usize], is_quick: bool, home: usize) -> usize {
        let ranks = others.iter().enumerate().map(|(at, n)| (rank(at, *n, is_quick, at == home), at));
        ranks.min().unwrap().1
    }

    #[test]
    fn quick_calls_keep_company_slow_ones_do_not() {
        let stranger = usize::MAX;
        assert_eq!(goes(&[0, 0, 0], true, stranger), 0);
        assert_eq!(goes(&[1, 0, 0], true, stranger), 1, "two of the engine's threads");
        assert_eq!(goes(&[3, 3, 0], true, stranger), 0, "company before a third");
        assert_eq!(goes(&[4, 4, 0], true, stranger), 2, "but not too much");
        assert_eq!(goes(&[6, 5, 5], true, stranger), 1);
        assert_eq!(goes(&[1, 1, 0], false, stranger), 2, "slow calls each have their own");
    }

    #[test]
    fn a_thread_stays_unless_it_gains() {
        assert_eq!(goes(&[3, 4, 0], true, 0), 0);
        assert_eq!(goes(&[2, 1, 0], true, 0), 0);
        assert_eq!(goes(&[3, 1, 0], true, 0), 1);
        assert_eq!(goes(&[3, 3, 1], true, 2), 0, "the third closes ranks with the first");
        assert_eq!(goes(&[8, 7, 7, 7], true, 0), 0);
        assert_eq!(goes(&[8, 5, 7, 7], true, 0), 1);
    }

    #[test]
    fn quick_calls_use_as_many_connections_as_the_engine_answers_at_once() {
        let places = Places::new(8);
        let hear = |lanes| {
            let software = "test".into();
            places.learn(&ServerHello {
                protocol: PROTOCOL,
                features: 0,
                max_frame: 0,
                software,
                body: Body::Appliance,
                lanes,
            });
            (places.reach(true), places.reach(false))
        };
        assert_eq!(hear(Some(2)), (2, usize::MAX));
        assert_eq!(hear(None), (usize::MAX, usize::MAX), "an older engine does not say");
        assert_eq!(hear(Some(0)), (usize::MAX, usize::MAX), "and one that says so is not believed");
    }
}
