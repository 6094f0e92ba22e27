//! What every board does the same, and what a host does to make a board: no registers here, so that a test on the host sees
//! the same code.
//!
//! - [`factory`]: the page of flash written at manufacture: identity, whom the board trusts, its keys and its address.
//! - [`counter`]: a number that only rises and survives a cut of power at any write; [`boots`] counts boots with one.
//! - [`boot`]: which firmware image runs: signed by a quorum, and never an older one than may (R23).
//! - [`entropy`]: the visibly insecure seed of an emulated board.
//! - [`commission`]: the first boot makes the device operational, with one partition for the page's clients.
//! - [`channel`]: TLS, frames and engine, one behind the other.
//! - [`tamper`]: what a tamper event destroys, and whether a quorum has allowed the board to run again (R15).
//! - [`layout`]: where in flash things lie.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod boot;
pub mod boots;
pub mod channel;
pub mod commission;
pub mod counter;
pub mod entropy;
pub mod factory;
pub mod layout;
pub mod tamper;

pub use channel::Channel;
pub use factory::FactoryPage;
