//! Identifiers: each kind is a type of its own, so that one cannot be passed for another.

use core::fmt;
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }
    };
}

macro_rules! visible {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    )*};
}

identifier! {
    /// A partition: one organ's token.
    PartitionId, 16
}
identifier! {
    /// An object, stable for its whole life (`CKA_UNIQUE_ID` is its text form).
    ObjectId, 16
}
identifier! {
    /// Names one request that changes state; committed with its effect, so that asking again is safe.
    RetryId, 16
}
identifier! {
    /// The SHA-256 of a client certificate's DER: who is at the other end of a channel.
    Identity, 32
}
identifier! {
    /// A proposal that needs a quorum.
    RequestId, 16
}
visible!(PartitionId ObjectId RetryId Identity RequestId);

/// The random secret of one `C_Initialize` on one partition. Whoever holds it, over a channel of the same identity, has the
/// login, so it has no `Debug` and is never logged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct SessionId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// Leave for one use of one key that asks for the PIN each time. It is spent by that use; `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct UseTicket(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// What logs a session in again whose engine has forgotten it: see [`TicketLogin`](crate::command::TicketLogin). Opaque to who
/// keeps it; wiped when dropped; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(transparent)]
pub struct LoginTicket(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 41]);

impl fmt::Debug for LoginTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginTicket(..)")
    }
}

impl fmt::Debug for UseTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UseTicket(..)")
    }
}
