//! For tests only: what every [`Store`](coloa_engine::Store) is compared with.
//!
//! [`Model`] is the obvious store, a sorted map. [`RamStore`] is that model behind the trait, with faults to inject; the
//! engine's tests run on it. [`cut_everywhere`] cuts the power of a medium and judges a store by the model. Nothing here is
//! durable and nothing here ships.
#![forbid(unsafe_code)]

mod cuts;
mod model;
mod ram;
mod workload;

pub use cuts::{Medium, Run, Verdict, Witness, cut_everywhere, cut_once};
pub use model::{Entry, Model};
pub use ram::{Fault, RamStore};
pub use workload::{Dice, Workload, writes};
