//! For `pthread_atfork`: SQLite's locks do not survive a fork, and its books in the child would tell of locks that nobody has
//! ("How To Corrupt An SQLite Database File", 2.6). So no connection is open at one, be its store in use, being opened or
//! being closed. A child of a fork without this gets [`StoreError::Failed`](coloa_engine::StoreError::Failed) from every call of a
//! store that it inherited, and should not open the file anew.

use crate::connection::Connections;
use crate::gate;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of every store. Nobody has it locked at a fork: whoever does is inside the gate.
static OPEN: Mutex<Vec<Arc<Connections>>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<Arc<Connections>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A store is open; its caller is inside the gate.
pub(crate) fn register(connections: &Arc<Connections>) {
    all().push(connections.clone());
}

/// It is closed.
pub(crate) fn forget(connections: &Arc<Connections>) {
    all().retain(|other| !Arc::ptr_eq(other, connections));
}

/// The prepare handler: waits until no thread is in any store, closes every connection and keeps callers waiting.
pub fn prepare() {
    gate::shut();
    all().iter().for_each(|store| store.close());
}

/// The handler of parent and child: lets callers in again. Connections are made anew when they are needed.
pub fn done() {
    gate::open();
}
