//! What every board does the same, and what a host does to make a board: no registers here, so that a test on the host sees
//! the same code.
//!
//! - [`factory`]: the page of flash written at manufacture: identity, whom the board trusts, its keys and its address.
//! - [`boots`]: a counter of boots that survives a cut of power at any write.
//! - [`entropy`]: the visibly insecure seed of an emulated board.
//! - [`commission`]: the first boot makes the device operational, with one partition for the page's clients.
//! - [`channel`]: TLS, frames and engine, one behind the other.
//! - [`layout`]: where in flash things lie.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod boots;
pub mod channel;
pub mod commission;
pub mod entropy;
pub mod factory;
pub mod layout;

pub use channel::Channel;
pub use factory::FactoryPage;
