//! Giving up rights that are no longer needed, and keeping secrets out of swap and core dumps (R16). Capabilities belong to
//! a thread: each thread gives up its own.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setpriority_process, setrlimit,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

/// Gives up every capability of the calling thread, for good.
pub fn drop_all() -> std::io::Result<()> {
    let none = CapabilitySet::empty();
    set_no_new_privs(true)?;
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}

/// Gives up every capability of the calling thread but the one to change this namespace's routes.
pub fn keep_net_admin() -> std::io::Result<()> {
    let kept = CapabilitySet::NET_ADMIN;
    set_no_new_privs(true)?;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets)?;
    Ok(())
}

/// The calling thread gives way to those that forward packets when both want the same core: a storm of handshakes must not
/// be what slows the links that live. Repeating it changes nothing.
pub fn yield_to_packets() {
    const NICE: i32 = 10;
    if let Err(why) = setpriority_process(None, NICE) {
        tracing::debug!(%why, "a control thread keeps its priority");
    }
}

/// As many file descriptors as the system lets us have: a hub has one for each site.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(why) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%why, "the limit on open files stays as it was");
    }
}

/// No core dump, no memory for other processes of the same user to read, nothing in swap. What cannot be had is an error,
/// the rest is in force all the same.
///
/// Memory is locked only where the limit on it can be lifted, for otherwise the lock would be what stops the daemon;
/// pages are locked as they are used.
pub fn keep_memory_private() -> std::io::Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let endless = Rlimit { current: None, maximum: None };
    let undumped = setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let locked = setrlimit(Resource::Memlock, endless).and_then(|()| mlockall(all));
    Ok(undumped.and(locked)?)
}
