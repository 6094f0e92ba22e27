//! Typed commands to an engine, over TLS or in process; sync, no threads of its own.
//!
//! [`Config`] says where tokens are, [`Client`] talks to one of those places: [`Client::call`] sends a command and returns
//! the reply that belongs to it. The calling thread drives the connection itself: the first to wait reads for all
//! ([`network`]), so that fork, exit and dlclose stay safe (ARCHITECTURE decision 4).
//!
//! Trusts: the operator's configuration file, and an engine whose certificate chains to the configured CA. Everything
//! that arrives is parsed by `coloa-wire`. Invariants: no thread is started, every wait has a deadline, a command that
//! changes state carries a retry id, and no secret is logged or printed.
#![forbid(unsafe_code)]

mod client;
pub mod config;
mod embedded;
mod error;
mod local;
pub mod network;
mod scratch;
mod ticket;
mod transport;

pub use client::{Answer, Client, Terms};
pub use config::{Config, ConfigError, Place, Target};
pub use error::CallError;
pub use scratch::Scratch;
pub use ticket::Ticket;
pub use transport::{Descriptor, Pending, Transport};

/// For `pthread_atfork`: what an engine in this process must do.
pub use coloa_host::fork;
pub use coloa_wire as wire;
pub use coloa_wire::error::Language;
