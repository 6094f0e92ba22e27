//! Mechanisms: PKCS#11's numbers and their parameters.

mod parameter;

pub use parameter::*;

use minicbor::{Decode, Encode};

/// A `CK_MECHANISM_TYPE`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct MechanismType(#[n(0)] pub u32);

#[allow(missing_docs, reason = "PKCS#11 §6 names and numbers")]
impl MechanismType {
    pub const RSA_PKCS_KEY_PAIR_GEN: Self = Self(0x0000);
    pub const RSA_PKCS: Self = Self(0x0001);
    pub const RSA_PKCS_OAEP: Self = Self(0x0009);
    pub const RSA_PKCS_PSS: Self = Self(0x000d);
    pub const ML_KEM_KEY_PAIR_GEN: Self = Self(0x000f);
    pub const ML_KEM: Self = Self(0x0017);
    pub const ML_DSA_KEY_PAIR_GEN: Self = Self(0x001c);
    pub const ML_DSA: Self = Self(0x001d);
    pub const HASH_ML_DSA: Self = Self(0x001f);
    pub const HASH_ML_DSA_SHA224: Self = Self(0x0023);
    pub const HASH_ML_DSA_SHA256: Self = Self(0x0024);
    pub const HASH_ML_DSA_SHA384: Self = Self(0x0025);
    pub const HASH_ML_DSA_SHA512: Self = Self(0x0026);
    pub const HASH_ML_DSA_SHA3_224: Self = Self(0x0027);
    pub const HASH_ML_DSA_SHA3_256: Self = Self(0x0028);
    pub const HASH_ML_DSA_SHA3_384: Self = Self(0x0029);
    pub const HASH_ML_DSA_SHA3_512: Self = Self(0x002a);
    pub const SHA256_RSA_PKCS: Self = Self(0x0040);
    pub const SHA384_RSA_PKCS: Self = Self(0x0041);
    pub const SHA512_RSA_PKCS: Self = Self(0x0042);
    pub const SHA256_RSA_PKCS_PSS: Self = Self(0x0043);
    pub const SHA384_RSA_PKCS_PSS: Self = Self(0x0044);
    pub const SHA512_RSA_PKCS_PSS: Self = Self(0x0045);
    pub const SHA224_RSA_PKCS: Self = Self(0x0046);
    pub const SHA224_RSA_PKCS_PSS: Self = Self(0x0047);
    pub const SHA3_256_RSA_PKCS: Self = Self(0x0060);
    pub const SHA3_384_RSA_PKCS: Self = Self(0x0061);
    pub const SHA3_512_RSA_PKCS: Self = Self(0x0062);
    pub const SHA3_256_RSA_PKCS_PSS: Self = Self(0x0063);
    pub const SHA3_384_RSA_PKCS_PSS: Self = Self(0x0064);
    pub const SHA3_512_RSA_PKCS_PSS: Self = Self(0x0065);
    pub const SHA3_224_RSA_PKCS: Self = Self(0x0066);
    pub const SHA3_224_RSA_PKCS_PSS: Self = Self(0x0067);
    pub const SHA_1: Self = Self(0x0220);
    pub const SHA_1_HMAC: Self = Self(0x0221);
    pub const SHA256: Self = Self(0x0250);
    pub const SHA256_HMAC: Self = Self(0x0251);
    pub const SHA256_HMAC_GENERAL: Self = Self(0x0252);
    pub const SHA224: Self = Self(0x0255);
    pub const SHA224_HMAC: Self = Self(0x0256);
    pub const SHA224_HMAC_GENERAL: Self = Self(0x0257);
    pub const SHA384: Self = Self(0x0260);
    pub const SHA384_HMAC: Self = Self(0x0261);
    pub const SHA384_HMAC_GENERAL: Self = Self(0x0262);
    pub const SHA512: Self = Self(0x0270);
    pub const SHA512_HMAC: Self = Self(0x0271);
    pub const SHA512_HMAC_GENERAL: Self = Self(0x0272);
    pub const SHA3_256: Self = Self(0x02b0);
    pub const SHA3_256_HMAC: Self = Self(0x02b1);
    pub const SHA3_256_HMAC_GENERAL: Self = Self(0x02b2);
    pub const SHA3_224: Self = Self(0x02b5);
    pub const SHA3_224_HMAC: Self = Self(0x02b6);
    pub const SHA3_224_HMAC_GENERAL: Self = Self(0x02b7);
    pub const SHA3_384: Self = Self(0x02c0);
    pub const SHA3_384_HMAC: Self = Self(0x02c1);
    pub const SHA3_384_HMAC_GENERAL: Self = Self(0x02c2);
    pub const SHA3_512: Self = Self(0x02d0);
    pub const SHA3_512_HMAC: Self = Self(0x02d1);
    pub const SHA3_512_HMAC_GENERAL: Self = Self(0x02d2);
    pub const GENERIC_SECRET_KEY_GEN: Self = Self(0x0350);
    pub const SP800_108_COUNTER_KDF: Self = Self(0x03ac);
    pub const PKCS5_PBKD2: Self = Self(0x03b0);
    pub const EC_KEY_PAIR_GEN: Self = Self(0x1040);
    pub const ECDSA: Self = Self(0x1041);
    pub const ECDSA_SHA224: Self = Self(0x1043);
    pub const ECDSA_SHA256: Self = Self(0x1044);
    pub const ECDSA_SHA384: Self = Self(0x1045);
    pub const ECDSA_SHA512: Self = Self(0x1046);
    pub const ECDSA_SHA3_224: Self = Self(0x1047);
    pub const ECDSA_SHA3_256: Self = Self(0x1048);
    pub const ECDSA_SHA3_384: Self = Self(0x1049);
    pub const ECDSA_SHA3_512: Self = Self(0x104a);
    pub const ECDH1_DERIVE: Self = Self(0x1050);
    pub const RSA_AES_KEY_WRAP: Self = Self(0x1054);
    pub const EC_EDWARDS_KEY_PAIR_GEN: Self = Self(0x1055);
    pub const EC_MONTGOMERY_KEY_PAIR_GEN: Self = Self(0x1056);
    pub const EDDSA: Self = Self(0x1057);
    pub const AES_XTS: Self = Self(0x1071);
    pub const AES_XTS_KEY_GEN: Self = Self(0x1072);
    pub const AES_KEY_GEN: Self = Self(0x1080);
    pub const AES_ECB: Self = Self(0x1081);
    pub const AES_CBC: Self = Self(0x1082);
    pub const AES_CBC_PAD: Self = Self(0x1085);
    pub const AES_CTR: Self = Self(0x1086);
    pub const AES_GCM: Self = Self(0x1087);
    pub const AES_CCM: Self = Self(0x1088);
    pub const AES_CMAC: Self = Self(0x108a);
    pub const AES_CMAC_GENERAL: Self = Self(0x108b);
    pub const AES_KEY_WRAP: Self = Self(0x2109);
    pub const AES_KEY_WRAP_PAD: Self = Self(0x210a);
    pub const AES_KEY_WRAP_KWP: Self = Self(0x210b);
    pub const HKDF_DERIVE: Self = Self(0x402a);
    pub const HKDF_DATA: Self = Self(0x402b);
    pub const HKDF_KEY_GEN: Self = Self(0x402c);
}

/// A mechanism with its parameters.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Mechanism {
    /// Which.
    #[n(0)]
    pub kind: MechanismType,
    /// For `CKM_AES_GCM`.
    #[n(1)]
    pub gcm: Option<GcmParams>,
    /// For the other mechanisms that have parameters.
    #[n(2)]
    pub parameter: Option<Parameter>,
}

impl From<MechanismType> for Mechanism {
    fn from(kind: MechanismType) -> Self {
        Mechanism { kind, gcm: None, parameter: None }
    }
}

impl Mechanism {
    /// With a parameter.
    pub fn with(kind: MechanismType, parameter: Parameter) -> Self {
        Mechanism { kind, gcm: None, parameter: Some(parameter) }
    }
}
