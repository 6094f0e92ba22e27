//! Keeping secrets out of core dumps and swap (R16), and room for connections.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// File descriptors beside the connections: the store, the sockets, the log.
const OTHERS: u64 = 128;

/// No core dump, no memory for other processes of the same user to read, nothing in swap. What cannot be had is an error;
/// the rest is in force all the same.
///
/// Memory is locked only where the limit on it can be lifted, for otherwise the lock would be what stops the service; pages
/// are locked as they are used.
///
/// # Errors
/// What the system said.
pub fn keep_private() -> std::io::Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let endless = Rlimit { current: None, maximum: None };
    let undumped = setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let locked = setrlimit(Resource::Memlock, endless).and_then(|()| mlockall(all));
    Ok(undumped.and(locked)?)
}

/// Takes as many file descriptors as the service may have, and says when they are too few for its connections.
pub fn allow_connections(connections: usize) {
    let had = getrlimit(Resource::Nofile);
    let (most, wanted) = (had.maximum.unwrap_or(u64::MAX), (connections as u64).saturating_add(OTHERS));
    let taken = Rlimit { current: Some(most.min(wanted.max(had.current.unwrap_or(u64::MAX)))), maximum: had.maximum };
    match setrlimit(Resource::Nofile, taken) {
        Ok(()) if most >= wanted => {}
        _ => tracing::warn!(connections, most, "there are fewer file descriptors than connections. Raise LimitNOFILE."),
    }
}
