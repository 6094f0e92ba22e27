//! Key packages for sites (R32): the table that asks for them ([`table`]), the configuration and the letter that go with each
//! ([`site`], [`letter`]), and what became of them ([`stock`]). Making, voiding and receiving is the authority's work
//! ([`crate::ca::Unlocked::make_package`]); the format is `coloa-package`'s.

pub mod letter;
pub mod site;
pub mod stock;
pub mod table;
