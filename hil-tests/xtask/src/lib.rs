//! What `cargo xtask` and the stand behind it share: their words, progress for a person, and verdicts counted.

#![forbid(unsafe_code)]

pub mod failures;
pub mod image;
pub mod progress;
pub mod requirements;
pub mod stand;
pub mod tally;
