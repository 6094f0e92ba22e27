//! Mechanisms: PKCS#11's numbers and their parameters.

mod parameter;

pub use parameter::*;

use minicbor::{Decode, Encode};

/// A `CK_MECHANISM_TYPE`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct MechanismType(#[n(0)] pub u32);

macro_rules! mechanism_types {
    ($($name:ident = $number:literal),* $(,)?) => {
        #[allow(missing_docs, reason = "PKCS#11 §6 names and numbers")]
        impl MechanismType {
            $(pub const $name: Self = Self($number);)*

            /// PKCS#11's name without its `CKM_`; none for a number this crate does not know.
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $($number => Some(stringify!($name)),)* _ => None }
            }
        }
    };
}
mechanism_types! {
    RSA_PKCS_KEY_PAIR_GEN = 0x0000,
    RSA_PKCS = 0x0001,
    RSA_PKCS_OAEP = 0x0009,
    RSA_PKCS_PSS = 0x000d,
    ML_KEM_KEY_PAIR_GEN = 0x000f,
    ML_KEM = 0x0017,
    ML_DSA_KEY_PAIR_GEN = 0x001c,
    ML_DSA = 0x001d,
    HASH_ML_DSA = 0x001f,
    HASH_ML_DSA_SHA224 = 0x0023,
    HASH_ML_DSA_SHA256 = 0x0024,
    HASH_ML_DSA_SHA384 = 0x0025,
    HASH_ML_DSA_SHA512 = 0x0026,
    HASH_ML_DSA_SHA3_224 = 0x0027,
    HASH_ML_DSA_SHA3_256 = 0x0028,
    HASH_ML_DSA_SHA3_384 = 0x0029,
    HASH_ML_DSA_SHA3_512 = 0x002a,
    SHA256_RSA_PKCS = 0x0040,
    SHA384_RSA_PKCS = 0x0041,
    SHA512_RSA_PKCS = 0x0042,
    SHA256_RSA_PKCS_PSS = 0x0043,
    SHA384_RSA_PKCS_PSS = 0x0044,
    SHA512_RSA_PKCS_PSS = 0x0045,
    SHA224_RSA_PKCS = 0x0046,
    SHA224_RSA_PKCS_PSS = 0x0047,
    SHA3_256_RSA_PKCS = 0x0060,
    SHA3_384_RSA_PKCS = 0x0061,
    SHA3_512_RSA_PKCS = 0x0062,
    SHA3_256_RSA_PKCS_PSS = 0x0063,
    SHA3_384_RSA_PKCS_PSS = 0x0064,
    SHA3_512_RSA_PKCS_PSS = 0x0065,
    SHA3_224_RSA_PKCS = 0x0066,
    SHA3_224_RSA_PKCS_PSS = 0x0067,
    SHA_1 = 0x0220,
    SHA_1_HMAC = 0x0221,
    SHA256 = 0x0250,
    SHA256_HMAC = 0x0251,
    SHA256_HMAC_GENERAL = 0x0252,
    SHA224 = 0x0255,
    SHA224_HMAC = 0x0256,
    SHA224_HMAC_GENERAL = 0x0257,
    SHA384 = 0x0260,
    SHA384_HMAC = 0x0261,
    SHA384_HMAC_GENERAL = 0x0262,
    SHA512 = 0x0270,
    SHA512_HMAC = 0x0271,
    SHA512_HMAC_GENERAL = 0x0272,
    SHA3_256 = 0x02b0,
    SHA3_256_HMAC = 0x02b1,
    SHA3_256_HMAC_GENERAL = 0x02b2,
    SHA3_224 = 0x02b5,
    SHA3_224_HMAC = 0x02b6,
    SHA3_224_HMAC_GENERAL = 0x02b7,
    SHA3_384 = 0x02c0,
    SHA3_384_HMAC = 0x02c1,
    SHA3_384_HMAC_GENERAL = 0x02c2,
    SHA3_512 = 0x02d0,
    SHA3_512_HMAC = 0x02d1,
    SHA3_512_HMAC_GENERAL = 0x02d2,
    GENERIC_SECRET_KEY_GEN = 0x0350,
    SP800_108_COUNTER_KDF = 0x03ac,
    PKCS5_PBKD2 = 0x03b0,
    EC_KEY_PAIR_GEN = 0x1040,
    ECDSA = 0x1041,
    ECDSA_SHA1 = 0x1042,
    ECDSA_SHA224 = 0x1043,
    ECDSA_SHA256 = 0x1044,
    ECDSA_SHA384 = 0x1045,
    ECDSA_SHA512 = 0x1046,
    ECDSA_SHA3_224 = 0x1047,
    ECDSA_SHA3_256 = 0x1048,
    ECDSA_SHA3_384 = 0x1049,
    ECDSA_SHA3_512 = 0x104a,
    ECDH1_DERIVE = 0x1050,
    RSA_AES_KEY_WRAP = 0x1054,
    EC_EDWARDS_KEY_PAIR_GEN = 0x1055,
    EC_MONTGOMERY_KEY_PAIR_GEN = 0x1056,
    EDDSA = 0x1057,
    AES_XTS = 0x1071,
    AES_XTS_KEY_GEN = 0x1072,
    AES_KEY_GEN = 0x1080,
    AES_ECB = 0x1081,
    AES_CBC = 0x1082,
    AES_CBC_PAD = 0x1085,
    AES_CTR = 0x1086,
    AES_GCM = 0x1087,
    AES_CCM = 0x1088,
    AES_CMAC = 0x108a,
    AES_CMAC_GENERAL = 0x108b,
    AES_KEY_WRAP = 0x2109,
    AES_KEY_WRAP_PAD = 0x210a,
    AES_KEY_WRAP_KWP = 0x210b,
    HKDF_DERIVE = 0x402a,
    HKDF_DATA = 0x402b,
    HKDF_KEY_GEN = 0x402c,
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
