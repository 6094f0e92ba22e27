//! One suite on every target: embedded, appliance, QEMU board, SoftHSM2.
//!
//! A [`Target`] is a token that a PKCS#11 module reaches, with all that must run for it. The suite ([`check`]) speaks to it
//! through the `cryptoki` crate only, so that it says the same of ours and of anyone's; OpenSSL judges what leaves the token.
//! Each check runs in a process of its own: a module that crashes fails one check, and a target can be restarted between
//! or under checks.

#![forbid(unsafe_code)]

pub mod background;
pub mod blackwire;
pub mod body;
pub mod built;
pub mod check;
pub mod network;
pub mod openssl;
pub mod site;
pub mod suite;
pub mod target;
pub mod token;

pub use target::{Need, Target};
pub use token::Token;
