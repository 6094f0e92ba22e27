//! What each command does: one function a command, in files named after the families of [`coloa_wire::command`].

pub(crate) mod backup;
pub(crate) mod batch;
mod check_value;
pub(crate) mod crypto;
pub(crate) mod derive;
pub(crate) mod device;
pub(crate) mod encapsulate;
pub(crate) mod key;
pub(crate) mod life;
pub(crate) mod object;
pub(crate) mod partition;
pub(crate) mod quorum;
mod secret;
pub(crate) mod tamper;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod witness;
pub(crate) mod wrap;
pub(crate) mod zeroize;
