//! The store on a flash in RAM: what it does, and what a cut of power leaves of it.

mod behaviour;
mod flash;
mod power;
