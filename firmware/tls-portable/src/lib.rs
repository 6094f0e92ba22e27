//! TLS 1.3 for a body that has neither sockets nor threads: a rustls provider over RustCrypto, and the server's state
//! loop as a machine that takes bytes and gives bytes.
//!
//! - [`provider`]: which algorithms, and each of them behind rustls' traits. Randomness comes from the caller.
//! - [`config`]: the one server configuration there is: TLS 1.3, client certificate required, no tickets (R22).
//! - [`server`]: [`Server`], one channel. The caller moves the bytes, so that it runs on a board and in a host's test alike.
//!
//! What is trusted: the configuration and the random source. What is hostile: every byte given to [`Server::receive`].
//! `rustls` parses those; nothing here indexes into them except the record header, in [`server`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod config;
pub mod provider;
pub mod server;

pub use provider::provider;
pub use server::{Fault, Server, Turn};
