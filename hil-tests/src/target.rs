//! What a suite runs on.

use anyhow::Result;
use std::ffi::OsString;
use std::path::Path;

/// The user's PIN on every token made here.
pub const USER_PIN: &str = "123456";
/// The security officer's PIN on every token made here.
pub const SO_PIN: &str = "12345678";
/// The label of the token that the suite uses.
pub const LABEL: &str = "bench";

/// A token behind a PKCS#11 module, and what must run for it. Dropping it ends that and leaves nothing behind.
pub trait Target {
    /// A word for reports.
    fn name(&self) -> &'static str;
    /// The module's shared library.
    fn module(&self) -> &Path;
    /// The environment in which an application finds the token.
    fn environment(&self) -> Vec<(OsString, OsString)>;
    /// Kills what runs (SIGKILL) and starts it again; without a server there is nothing to do.
    fn restart(&mut self) -> Result<()>;
    /// Why this target cannot do what a check needs; `None` when it can.
    fn lacks(&self, need: Need) -> Option<&'static str>;
}

/// What a check may need of its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// EC keys on P-384.
    P384,
    /// A user PIN that locks after wrong ones (R4).
    Lockout,
    /// A server whose death the module outlives.
    Server,
    /// Several processes on one token at a time.
    Processes,
    /// A process that writes objects sees at once what another one wrote meanwhile.
    LiveView,
    /// ECDSA with the hash in the mechanism, in parts.
    HashedEcdsa,
    /// 200,000 bytes in one call.
    Bulk,
    /// A forked child that inherits nothing.
    Fork,
    /// A server that knows the time, so that a login outlives it.
    Clock,
    /// RSA beside EC, and time for the programs that people use.
    Clients,
}
