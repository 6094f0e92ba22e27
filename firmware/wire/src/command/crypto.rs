//! Commands that use keys. Each is whole in itself: multi-part state stays with the caller.

use crate::{Mechanism, ObjectId, UseTicket};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Signature or MAC over the call's bulk; the reply's bulk is the result.
///
/// ECDSA takes a digest: for `CKM_ECDSA` of 20 to 64 bytes, for `CKM_ECDSA_SHA*` of exactly the hash's length, because the
/// caller hashes (ARCHITECTURE "C_Sign"). HMAC takes the message.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Sign {
    /// The key.
    #[n(0)]
    pub key: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
    /// Leave from [`super::ContextLogin`], when the key has `CKA_ALWAYS_AUTHENTICATE`.
    #[n(2)]
    pub ticket: Option<UseTicket>,
}

/// Checks the signature or MAC at the end of the bulk over what stands before it, as [`Sign`] takes it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Verify {
    /// The key.
    #[n(0)]
    pub key: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
    /// Bytes of the signature at the end of the bulk.
    #[n(2)]
    pub signature: u32,
}

/// Encrypts the bulk; the reply's bulk is ciphertext and tag.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Encrypt {
    /// The key.
    #[n(0)]
    pub key: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
}

/// See [`Encrypt`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct EncryptReply {
    /// The IV the engine made, when it made one.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub iv: Option<Vec<u8>>,
}

/// Decrypts the bulk (ciphertext and tag); the reply's bulk is the plaintext.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Decrypt {
    /// The key.
    #[n(0)]
    pub key: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
    /// Leave from [`super::ContextLogin`], when the key has `CKA_ALWAYS_AUTHENTICATE`.
    #[n(2)]
    pub ticket: Option<UseTicket>,
}

/// Random bytes from the engine's DRBG, as the reply's bulk.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Random {
    /// How many; at most [`MAX_RANDOM`].
    #[n(0)]
    pub length: u32,
}

/// Bytes of one [`Random`] at most: SP 800-90A's 2^19 bits a request, cut to a board's frame.
pub const MAX_RANDOM: u32 = 4096;
