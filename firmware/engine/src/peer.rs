//! Who is at the other end of a channel, as the body has established it.

use alloc::string::String;
use coloa_wire::Identity;

/// A caller. The engine believes the body about this and nothing else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Peer {
    /// An operator on the appliance's local socket, with the name the operating system gives: makes partitions and binds
    /// clients; sees every token, uses no key.
    Administrator(String),
    /// The process that the embedded engine is part of: may do everything its PINs allow.
    Owner,
    /// The holder of a client certificate: sees the partitions it is bound to (R22).
    Client {
        /// SHA-256 of the certificate.
        identity: Identity,
        /// The certificate's subject, for the log.
        name: String,
    },
}

impl Peer {
    /// How the audit log names it.
    pub fn name(&self) -> &str {
        match self {
            Peer::Administrator(name) | Peer::Client { name, .. } => name,
            Peer::Owner => "owner",
        }
    }

    /// The certificate's identity, where there is one.
    pub fn identity(&self) -> Option<Identity> {
        match self {
            Peer::Client { identity, .. } => Some(*identity),
            Peer::Administrator(_) | Peer::Owner => None,
        }
    }

    /// What tells it from every other caller: a kind, a certificate's identity and a name, for digests.
    pub(crate) fn distinction(&self) -> (u8, [u8; 32], &str) {
        match self {
            Peer::Administrator(name) => (0, [0; 32], name),
            Peer::Owner => (1, [0; 32], ""),
            Peer::Client { identity, .. } => (2, identity.0, ""),
        }
    }

    /// Whether it may give device commands.
    pub fn administrates(&self) -> bool {
        matches!(self, Peer::Administrator(_) | Peer::Owner)
    }
}
