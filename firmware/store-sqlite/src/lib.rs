//! The engine's [`Store`](coloa_engine::Store) over SQLite, for hosts (ARCHITECTURE decision 7).
//!
//! One file (with its `-wal` and `-shm`, and a `.lock` beside it that keeps an appliance and embedded bodies apart), WAL,
//! `synchronous=FULL`: a commit that returned has been flushed. The file is not trusted with secrets: the engine seals what
//! it stores.
//!
//! Invariants, each with a test: a batch is there entirely or not at all after any cut of power; a full disk changes nothing
//! and reading goes on; after a commit whose outcome is unknown nothing is answered until the medium itself says one thing
//! and would say it again after a cut; connections are not used on the other side of a fork.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "a mapped file has no safe reader")]
mod announce;
mod connection;
mod error;
pub mod fork;
mod format;
mod gate;
mod open;
mod store;

pub use error::OpenError;
pub use open::{Options, Sharing};
pub use store::SqliteStore;
