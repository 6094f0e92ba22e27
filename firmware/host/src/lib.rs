//! The engine assembled for a Linux host: aws-lc-rs, SQLite, the system's clock and locks, a root key in a file.
//!
//! In the caller's own process it is the embedded body ([`Embedded`]), which is for development and says so; behind TLS it is
//! the appliance. A directory holds everything: `root.key` (32 bytes, mode 0600) and `store.sqlite`. Whoever can read both
//! can read the keys: on a host without a board the file's mode is the only defence of the root key, and SECURITY.md says
//! so.
#![forbid(unsafe_code)]

mod embedded;
mod erasure;
mod image;
mod platform;
mod root_key;
mod snapshot;
mod tamper;

pub use coloa_store_sqlite::{Sharing, fork};
pub use embedded::Embedded;
pub use platform::{Host, HostEngine, OpenError, command, open};
