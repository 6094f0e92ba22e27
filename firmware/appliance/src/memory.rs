//! Keeping secrets out of core dumps and swap (R16).

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

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
