//! The engine's [`Store`](coloa_engine::Store) as a log on NOR flash, for boards.
//!
//! Works over any [`NorFlash`](embedded_storage::nor_flash::NorFlash): erases set bits, writes clear them, and no word is
//! written twice between two erases, so that flash with an error-correcting code will do. [`format`] is the specification of
//! the layout.
//!
//! The flash is trusted to hold what was written and nothing more: power may go at any write or erase, and leave any subset
//! of its bits behind. Invariants, each with a test: after a cut the state is the one before or the one after a commit; a
//! commit that returned is there; damage that no cut explains is an error, never a quiet loss; a full store still deletes
//! and replaces.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod format;
mod log;
mod medium;
mod mount;
mod store;

pub use mount::MountError;
pub use store::NorStore;
