//! Commands that make keys, and carry them under other keys.

use crate::{Mechanism, ObjectId, Template, UseTicket};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// `C_GenerateKey`.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct KeyGenerate {
    /// How.
    #[n(0)]
    pub mechanism: Mechanism,
    /// The key's attributes.
    #[n(1)]
    pub template: Template,
}

/// `C_GenerateKeyPair`: both objects are made, or none.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct KeyPairGenerate {
    /// How.
    #[n(0)]
    pub mechanism: Mechanism,
    /// The public key's attributes.
    #[n(1)]
    pub public: Template,
    /// The private key's attributes.
    #[n(2)]
    pub private: Template,
}

/// See [`KeyPairGenerate`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyPairReply {
    /// The public key.
    #[n(0)]
    pub public: ObjectId,
    /// The private key.
    #[n(1)]
    pub private: ObjectId,
}

/// `C_WrapKey` and `C_WrapKeyAuthenticated`; the reply's bulk is the wrapped key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyWrap {
    /// The key that wraps.
    #[n(0)]
    pub wrapping: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
    /// The key that is wrapped.
    #[n(2)]
    pub key: ObjectId,
}

/// See [`KeyWrap`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyWrapReply {
    /// The IV the engine made, when it made one.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub iv: Option<Vec<u8>>,
}

/// `C_UnwrapKey` and `C_UnwrapKeyAuthenticated`; the bulk is the wrapped key.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct KeyUnwrap {
    /// The key that unwraps.
    #[n(0)]
    pub unwrapping: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
    /// The new key's attributes.
    #[n(2)]
    pub template: Template,
    /// Leave from [`super::ContextLogin`], when the key has `CKA_ALWAYS_AUTHENTICATE`.
    #[n(3)]
    pub ticket: Option<UseTicket>,
}

/// `C_DeriveKey`.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct KeyDerive {
    /// The key that is derived from.
    #[n(0)]
    pub base: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
    /// The new key's attributes.
    #[n(2)]
    pub template: Template,
    /// Leave from [`super::ContextLogin`], when the key has `CKA_ALWAYS_AUTHENTICATE`.
    #[n(3)]
    pub ticket: Option<UseTicket>,
}

/// `C_EncapsulateKey`.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct KeyEncapsulate {
    /// The public key.
    #[n(0)]
    pub key: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
    /// The shared secret's attributes.
    #[n(2)]
    pub template: Template,
}

/// See [`KeyEncapsulate`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeyEncapsulateReply {
    /// The shared secret.
    #[n(0)]
    pub object: ObjectId,
    /// What the holder of the private key needs. It stands in the head, so that a retry answers the same.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub ciphertext: Vec<u8>,
}

/// `C_DecapsulateKey`; the bulk is the ciphertext.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct KeyDecapsulate {
    /// The private key.
    #[n(0)]
    pub key: ObjectId,
    /// How.
    #[n(1)]
    pub mechanism: Mechanism,
    /// The shared secret's attributes.
    #[n(2)]
    pub template: Template,
    /// Leave from [`super::ContextLogin`], when the key has `CKA_ALWAYS_AUTHENTICATE`.
    #[n(3)]
    pub ticket: Option<UseTicket>,
}
