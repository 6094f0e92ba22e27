//! Commands that generate keys.

use crate::{Mechanism, ObjectId, Template};
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
