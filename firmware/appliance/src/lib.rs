//! coload: the engine behind TLS 1.3.
//!
//! One OS thread serves each channel: it reads frames, answers all that have arrived, and writes the answers at once.
//! Commands that wait for the disk or stretch a PIN go to a few workers, so that those behind them do not wait. A Unix
//! socket is the administrators' way in; until the device is initialised it is the only one.
//!
//! Trusts: the operating system, the configuration file, and whoever the Unix socket's rights let in. Everything that comes
//! over TLS is hostile (boundary B1): a frame is bounded before it is read, a handshake and a half frame have a deadline,
//! and a stream that breaks the protocol gets a numbered fault and is closed. The channel's private keys exist only in
//! memory and sealed in the engine's store.
#![forbid(unsafe_code)]

mod admin;
pub mod authority;
mod channel;
mod channels;
pub mod config;
pub mod fault;
mod figures;
mod listener;
mod local;
pub mod log;
pub mod memory;
mod metrics;
mod notify;
mod rate;
mod release;
mod reload;
pub mod sandbox;
mod scrape;
mod service;
mod spin;
mod tamper;
mod tls;
mod turns;
mod workers;

pub use config::Config;
pub use fault::Fault;
pub use service::{End, run};
