//! The laws of ARCHITECTURE.md, each as a test: who may depend on whom, and what may stand in which file.

#![forbid(unsafe_code)]

#[path = "laws/crates.rs"]
mod crates;
#[path = "laws/requirements.rs"]
mod requirements;
#[path = "laws/sources.rs"]
mod sources;
