//! Which connection a call takes.
//!
//! While the engine answers quickly, threads share connections, so that their calls travel together: two connections to
//! have two of the engine's threads at work, further ones when those have company enough. While it answers slowly each
//! caller is better off with a connection, which is a thread of the engine, of its own. A thread stays where it was as long
//! as that serves it.

use super::connection::Connection;
use crate::{CallError, Descriptor};
use coloa_wire::ErrorCode;
use std::cell::Cell;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, TryLockError};

/// Quick calls that one connection has before another is opened.
const COMPANY: usize = 4;
/// Connections that quick calls are spread over first.
const SPREAD: usize = 2;

thread_local! {
    /// Where this thread's last call went. Only a hint: it may be of another appliance's places.
    static HOME: Cell<usize> = const { Cell::new(usize::MAX) };
}

type Held = Option<Arc<Connection>>;

/// The connections of one address.
pub(super) struct Places(Vec<RwLock<Held>>);

/// What is known of a place.
enum Found {
    Free,
    Live(Arc<Connection>),
    /// Somebody is connecting there.
    Closed,
}

impl Places {
    pub(super) fn new(connections: usize) -> Self {
        Places((0..connections.max(1)).map(|_| RwLock::new(None)).collect())
    }

    /// The connection for this thread's next call, opened if need be.
    pub(super) fn choose(
        &self,
        is_quick: bool,
        open: impl FnOnce() -> Result<Connection, CallError>,
    ) -> Result<Arc<Connection>, CallError> {
        let enough = if is_quick { COMPANY } else { 1 };
        let home = HOME.get();
        if let Some(Found::Live(mine)) = self.0.get(home).map(look)
            && mine.in_flight() < enough
        {
            return Ok(mine);
        }
        let (at, found) = self.best(home, enough)?;
        HOME.set(at);
        match (found, self.0.get(at)) {
            (Found::Live(live), _) => Ok(live),
            (_, Some(place)) => fill(place.write().unwrap_or_else(PoisonError::into_inner), open),
            (_, None) => Err(CallError::Engine(ErrorCode::Internal)),
        }
    }

    /// The one with the fewest calls; a free place counts as one that nobody uses while those before it are full.
    fn best(&self, home: usize, enough: usize) -> Result<(usize, Found), CallError> {
        let mut best: Option<(usize, usize, Found)> = None;
        for (at, place) in self.0.iter().enumerate() {
            let found = look(place);
            let spread = at < SPREAD || enough == 1;
            let calls = match &found {
                Found::Live(live) => live.in_flight(),
                Found::Free => 0,
                Found::Closed => continue,
            };
            // Whoever leaves home should gain by it.
            let weight = if at == home { calls.saturating_sub(calls / 2) } else { calls };
            match &best {
                Some((_, least, _)) if weight >= *least || (!spread && *least < enough) => {}
                _ => best = Some((at, weight, found)),
            }
        }
        // All are being connected: wait for the first.
        Ok(best.map_or((0, Found::Closed), |(at, _, found)| (at, found)))
    }

    /// A restarted server has closed all of them: what is idle and old is not worth another try.
    pub(super) fn forget_idle(&self) {
        for place in &self.0 {
            if let Ok(mut held) = place.try_write() {
                held.take_if(|c| c.is_broken() || c.in_flight() == 0);
            }
        }
    }

    /// The sockets.
    pub(super) fn descriptors(&self) -> Vec<Descriptor> {
        self.0.iter().filter_map(|p| p.try_read().ok()?.as_ref().map(|c| c.descriptor())).collect()
    }
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
