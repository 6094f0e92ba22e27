//! Certification authority whose keys live in PKCS#11 tokens.
//!
//! A certificate is made in one direction only: a request proves possession of its key ([`request`]), a
//! [`profile`] (the closed description of an allowed certificate) builds the TBSCertificate from that key and the
//! permitted names, the token signs, the result is read back by another parser, verified and linted ([`lint`]),
//! written to the hash-chained [`journal`], and only then released ([`ca`]).
//!
//! Trusts: the PKCS#11 module it was told to load, and its own directory as far as the journal's signed head reaches.
//! Does not trust: requests, certificates and CRLs that come from elsewhere (boundary B4).
//! Private keys are never in this process: every signature is a `C_Sign` in a token.
#![forbid(unsafe_code)]

pub mod ca;
pub mod certificate;
pub mod clock;
pub mod crl;
pub mod curve;
pub mod durable;
pub mod error;
pub mod hex;
pub mod inventory;
pub mod journal;
pub mod lint;
pub mod message;
pub mod name;
pub mod oid;
pub mod package;
pub mod pem;
pub mod profile;
pub mod request;
pub mod token;
pub mod validate;

pub use error::{Error, Result};
