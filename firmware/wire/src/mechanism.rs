//! Mechanisms: PKCS#11's numbers and their parameters.

use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// A `CK_MECHANISM_TYPE`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct MechanismType(#[n(0)] pub u32);

#[allow(missing_docs, reason = "PKCS#11 §6 names and numbers")]
impl MechanismType {
    pub const EC_KEY_PAIR_GEN: Self = Self(0x1040);
    pub const ECDSA: Self = Self(0x1041);
    pub const ECDSA_SHA256: Self = Self(0x1044);
    pub const ECDSA_SHA384: Self = Self(0x1045);
    pub const ECDSA_SHA512: Self = Self(0x1046);
    pub const AES_KEY_GEN: Self = Self(0x1080);
    pub const AES_GCM: Self = Self(0x1087);
    pub const GENERIC_SECRET_KEY_GEN: Self = Self(0x0350);
    pub const SHA256: Self = Self(0x0250);
    pub const SHA256_HMAC: Self = Self(0x0251);
    pub const SHA384: Self = Self(0x0260);
    pub const SHA384_HMAC: Self = Self(0x0261);
    pub const SHA512: Self = Self(0x0270);
    pub const SHA512_HMAC: Self = Self(0x0271);
}

/// A mechanism with its parameters; those of other mechanisms get fields of their own.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Mechanism {
    /// Which.
    #[n(0)]
    pub kind: MechanismType,
    /// For `CKM_AES_GCM`.
    #[n(1)]
    pub gcm: Option<GcmParams>,
}

impl From<MechanismType> for Mechanism {
    fn from(kind: MechanismType) -> Self {
        Mechanism { kind, gcm: None }
    }
}

/// `CK_GCM_PARAMS` (PKCS#11 §6.13.5).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct GcmParams {
    /// The initialisation vector. Absent on encryption: the engine makes one of 12 bytes and returns it; a `strict`
    /// partition accepts nothing else.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub iv: Option<Vec<u8>>,
    /// Additional authenticated data.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub aad: Vec<u8>,
    /// Tag length in bits: 128.
    #[n(2)]
    pub tag_bits: u32,
}
