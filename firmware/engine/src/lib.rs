//! The HSM: sessions, roles, policy, objects, keys, mechanisms and audit.
//!
//! The engine does no I/O and has no clock: cryptography, storage, time and randomness come in through the traits
//! [`Crypto`], [`Store`] and [`Platform`]. A body (the appliance, a board, the embedded library) gives it those, then hands
//! it frames: [`Engine::handle`] is boundary B1, and every byte given to it is hostile.
//!
//! It is concurrent by design: a command takes a snapshot, is authorised, computes outside every lock, and commits a batch
//! against the versions it saw.
//!
//! Invariants: a plaintext key exists only here; every key use passes [`policy`], the only maker of
//! [`policy::Authorized`]; what is acknowledged is durable.
#![no_std]
#![forbid(unsafe_code)]
// No panic in what hostile bytes reach; a unit test may.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod allowance;
mod approval;
mod attributes;
pub mod audit;
mod auditor;
mod backup;
mod call;
mod conversation;
pub mod crypto;
mod engine;
mod figures;
mod keypair;
mod keyring;
mod ledger;
mod life;
mod mechanism;
mod object;
mod pace;
mod peer;
mod period;
mod pin;
pub mod platform;
pub mod policy;
mod profile;
mod quorum;
mod quota;
mod record;
mod retries;
mod root;
mod selftest;
mod service;
mod session;
mod snapshot;
mod state;
pub mod store;
pub mod tamper;
mod ticket;
mod witness;

pub use allowance::MAX_GCM_INVOCATIONS;
pub use backup::archive;
pub use conversation::Conversation;
pub use engine::{Engine, StartError};
pub use mechanism::mechanisms;
pub use pace::{Pace, computes_long};
pub use peer::Peer;

pub use crypto::{Aead, Crypto, CryptoError, Curve, Digest, Feature, Hash, KeyKind, KeyMaterial, PairKind, Scheme};
pub use platform::{Counter, Epitaph, Image, Limits, Platform, Timestamp, ZeroizeError};
pub use store::{CommitError, Record, RecordId, Store, StoreError, Write};
pub use tamper::TamperEvent;
