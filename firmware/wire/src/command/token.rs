//! Commands about a token, its PINs, sessions and roles.

use super::{PartitionMode, Pin};
use crate::{LoginTicket, PartitionId, SessionId, UseTicket};
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// The tokens this channel may see: those its identity is bound to (R21, R22).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TokenList {}

/// See [`TokenList`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TokenListReply {
    /// In the order they were made.
    #[n(0)]
    pub tokens: Vec<TokenInfo>,
}

/// A token.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TokenInfo {
    /// Its partition.
    #[n(0)]
    pub partition: PartitionId,
    /// At most 32 bytes of UTF-8, not padded.
    #[n(1)]
    pub label: String,
    /// The partition's rules.
    #[n(2)]
    pub mode: PartitionMode,
    /// Whether `TokenInitialize` has set an SO PIN.
    #[n(3)]
    pub initialized: bool,
    /// The SO's PIN.
    #[n(4)]
    pub so_pin: PinState,
    /// The user's PIN; `None` before `UserPinInitialize`.
    #[n(5)]
    pub user_pin: Option<PinState>,
    /// The suite its records are sealed with ([`SUITE_AES_256_GCM`]).
    #[n(6)]
    pub suite: u8,
    /// Names bound to it: the clients that may see it. Only for an administrator; else empty.
    #[n(7)]
    pub clients: Vec<String>,
    /// Whether it serves approved services only (R8); absent is no.
    #[n(8)]
    pub approved_only: Option<bool>,
}

/// Suite 1: records sealed by AES-256-GCM, digests by SHA-256. Further suites (a national cipher) get further numbers.
pub const SUITE_AES_256_GCM: u8 = 1;

/// What is known of a PIN without being logged in (`CKF_*_PIN_COUNT_LOW` and neighbours).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PinState {
    /// Wrong tries since the last right one.
    #[n(0)]
    pub failures: u32,
    /// Tries that are left before the PIN is locked; 0 is locked.
    #[n(1)]
    pub left: u32,
    /// Milliseconds until a PIN is looked at again.
    #[n(2)]
    pub wait_ms: Option<u64>,
}

/// Sets a token's label and SO PIN and destroys its objects (`C_InitToken`). On an initialised token it needs the SO PIN
/// it has. It is refused while a session is open.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct TokenInitialize {
    /// Which.
    #[n(0)]
    pub partition: PartitionId,
    /// The SO PIN: the present one of an initialised token, else the new one.
    #[n(1)]
    pub so_pin: Pin,
    /// At most 32 bytes of UTF-8, without padding.
    #[n(2)]
    pub label: String,
}

/// Sets the user's PIN; needs the SO logged in (`C_InitPIN`). It also unlocks the user's PIN.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct UserPinInitialize {
    /// The user's new PIN.
    #[n(0)]
    pub pin: Pin,
}

/// Changes the PIN of the role that is logged in, or the user's when none is (`C_SetPIN`).
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct PinChange {
    /// The present PIN.
    #[n(0)]
    pub old: Pin,
    /// The new PIN.
    #[n(1)]
    pub new: Pin,
}

/// Opens the session of one `C_Initialize` on one partition: it holds the login and the session objects.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SessionOpen {
    /// Which partition.
    #[n(0)]
    pub partition: PartitionId,
}

/// See [`SessionOpen`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SessionOpenReply {
    /// Goes with each further call, over any channel of the same identity.
    #[n(0)]
    pub session: SessionId,
}

/// Closes the call's session: logs out and destroys its session objects.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SessionClose {}

/// A role that logs in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// `CKU_SO`: manages PINs, sees no private object, uses no key.
    #[n(0)]
    SecurityOfficer,
    /// `CKU_USER`: uses keys.
    #[n(1)]
    User,
}

/// `C_Login`.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct Login {
    /// Who.
    #[n(0)]
    pub role: Role,
    /// Their PIN.
    #[n(1)]
    pub pin: Pin,
}

/// `C_Logout`: private session objects are destroyed (PKCS#11 §5.6.9).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Logout {}

/// Asks for what restores the session's login when the engine has lost the session: it restarted, or the caller's last channel
/// was cut.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TicketIssue {}

/// See [`TicketIssue`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TicketIssueReply {
    /// Good for a day, for the same caller, on the same partition, until the PIN is set anew or locked. Nothing, where the
    /// engine cannot tell the time.
    #[n(0)]
    pub ticket: Option<LoginTicket>,
}

/// Logs a session in by a ticket in place of the PIN. No try is counted.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct TicketLogin {
    /// From [`TicketIssue`].
    #[n(0)]
    pub ticket: LoginTicket,
}

/// `C_Login` with `CKU_CONTEXT_SPECIFIC`: the user, who is logged in, gives the PIN once more for one use of a key that has
/// `CKA_ALWAYS_AUTHENTICATE`. The PIN is checked and counted as by [`Login`].
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct ContextLogin {
    /// The user's PIN.
    #[n(0)]
    pub pin: Pin,
}

/// See [`ContextLogin`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ContextLoginReply {
    /// Goes with one use of such a key in this session. The session's [`MAX_TICKETS`] newest count; a logout ends them all.
    #[n(0)]
    pub ticket: UseTicket,
}

/// Tickets that one session holds at most.
pub const MAX_TICKETS: usize = 32;
