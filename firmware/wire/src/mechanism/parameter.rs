//! Parameters of mechanisms (PKCS#11 §6), with numbers and lengths that do not depend on a machine.

use super::MechanismType;
use crate::ObjectId;
use alloc::vec::Vec;
use core::fmt;
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

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
    /// Tag length in bits: 96 to 128.
    #[n(2)]
    pub tag_bits: u32,
}

/// A parameter; each belongs to the mechanisms its text names.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Parameter {
    /// The 16-byte IV of `CKM_AES_CBC` and `CKM_AES_CBC_PAD`, or the tweak of `CKM_AES_XTS`. Absent on encryption: the
    /// engine makes one and returns it.
    #[n(0)]
    Iv(#[cbor(n(0), with = "minicbor::bytes")] Option<Vec<u8>>),
    /// `CKM_AES_CTR`.
    #[n(1)]
    Ctr(#[n(0)] CtrParams),
    /// `CKM_AES_CCM`; the data's length is the bulk's.
    #[n(2)]
    Ccm(#[n(0)] CcmParams),
    /// `CKM_*_GENERAL`: bytes of the MAC.
    #[n(3)]
    MacLength(#[n(0)] u32),
    /// `CKM_RSA_PKCS_PSS` and `CKM_*_RSA_PKCS_PSS`.
    #[n(4)]
    Pss(#[n(0)] PssParams),
    /// `CKM_RSA_PKCS_OAEP`.
    #[n(5)]
    Oaep(#[n(0)] OaepParams),
    /// `CKM_ML_DSA` and `CKM_HASH_ML_DSA*`.
    #[n(6)]
    MlDsa(#[n(0)] MlDsaParams),
    /// `CKM_ECDH1_DERIVE`.
    #[n(7)]
    Ecdh(#[n(0)] EcdhParams),
    /// `CKM_HKDF_DERIVE` and `CKM_HKDF_DATA`.
    #[n(8)]
    Hkdf(#[n(0)] HkdfParams),
    /// `CKM_SP800_108_COUNTER_KDF`.
    #[n(9)]
    CounterKdf(#[n(0)] CounterKdfParams),
    /// `CKM_PKCS5_PBKD2`.
    #[n(10)]
    Pbkdf2(#[n(0)] Pbkdf2Params),
    /// `CKM_RSA_AES_KEY_WRAP`.
    #[n(11)]
    RsaAes(#[n(0)] RsaAesParams),
}

/// `CK_AES_CTR_PARAMS` (§6.13.3).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CtrParams {
    /// How many low bits of the block count; they may not run over.
    #[n(0)]
    pub bits: u32,
    /// The first counter block, 16 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub block: Vec<u8>,
}

/// `CK_CCM_PARAMS` (§6.13.6).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CcmParams {
    /// 7 to 13 bytes. Absent on encryption: the engine makes one of 12 bytes and returns it.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub nonce: Option<Vec<u8>>,
    /// Additional authenticated data.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub aad: Vec<u8>,
    /// Bytes of the tag: 4, 6, 8, 10, 12, 14 or 16.
    #[n(2)]
    pub tag: u32,
}

/// `CK_RSA_PKCS_PSS_PARAMS` (§6.1.10).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct PssParams {
    /// The hash of the message.
    #[n(0)]
    pub hash: MechanismType,
    /// MGF1's hash.
    #[n(1)]
    pub mgf: MechanismType,
    /// Bytes of salt.
    #[n(2)]
    pub salt: u32,
}

/// `CK_RSA_PKCS_OAEP_PARAMS` (§6.1.8).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct OaepParams {
    /// The label's hash.
    #[n(0)]
    pub hash: MechanismType,
    /// MGF1's hash.
    #[n(1)]
    pub mgf: MechanismType,
    /// The label.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub label: Vec<u8>,
}

/// `CK_SIGN_ADDITIONAL_CONTEXT` and `CK_HASH_SIGN_ADDITIONAL_CONTEXT` (§6.67.5). Signing is always hedged.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct MlDsaParams {
    /// At most 255 bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub context: Vec<u8>,
    /// For `CKM_HASH_ML_DSA`, whose data is a digest.
    #[n(1)]
    pub hash: Option<MechanismType>,
}

/// `CK_ECDH1_DERIVE_PARAMS` (§6.3.18).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct EcdhParams {
    /// The hash of ANSI X9.63's KDF; none for `CKD_NULL`.
    #[n(0)]
    pub kdf: Option<MechanismType>,
    /// The KDF's shared data.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub shared: Vec<u8>,
    /// The peer's public key: an uncompressed point, or 32 bytes for X25519; as such or as a DER OCTET STRING.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub public: Vec<u8>,
}

/// `CK_HKDF_PARAMS` (§6.62).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct HkdfParams {
    /// Whether the first step runs.
    #[n(0)]
    pub extract: bool,
    /// Whether the second step runs.
    #[n(1)]
    pub expand: bool,
    /// HMAC's hash.
    #[n(2)]
    pub hash: MechanismType,
    /// `CKF_HKDF_SALT_DATA`, or none.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub salt: Option<Vec<u8>>,
    /// `CKF_HKDF_SALT_KEY`.
    #[n(4)]
    pub salt_key: Option<ObjectId>,
    /// Context of the second step.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub info: Vec<u8>,
}

/// `CK_SP800_108_KDF_PARAMS` (§6.42).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CounterKdfParams {
    /// An HMAC mechanism or `CKM_AES_CMAC`.
    #[n(0)]
    pub prf: MechanismType,
    /// What the PRF is given, in this order; exactly one is the counter.
    #[n(1)]
    pub fields: Vec<KdfField>,
}

/// Fields of one [`CounterKdfParams`] at most.
pub const MAX_KDF_FIELDS: usize = 16;

/// A piece of the PRF's input.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum KdfField {
    /// The iteration counter: 8, 16, 24 or 32 bits.
    #[n(0)]
    Counter(#[n(0)] KdfNumber),
    /// Bytes as they are.
    #[n(1)]
    Bytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// The length of the derived key in bits.
    #[n(2)]
    Length(#[n(0)] KdfNumber),
}

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KdfNumber {
    /// 8 to 64, a multiple of 8.
    #[n(0)]
    pub bits: u32,
    /// Whether the lowest byte comes first.
    #[n(1)]
    pub little_endian: bool,
}

/// `CK_PKCS5_PBKD2_PARAMS2` (§6.46).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Pbkdf2Params {
    /// An HMAC mechanism.
    #[n(0)]
    pub prf: MechanismType,
    /// Salt.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: Vec<u8>,
    /// Rounds.
    #[n(2)]
    pub iterations: u32,
    /// The password.
    #[n(3)]
    pub password: Password,
}

/// A password: wiped on drop, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(transparent)]
pub struct Password(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// `CK_RSA_AES_KEY_WRAP_PARAMS` (§6.13.14).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct RsaAesParams {
    /// Bits of the temporary AES key: 128, 192 or 256.
    #[n(0)]
    pub aes_bits: u32,
    /// How RSA encrypts it.
    #[n(1)]
    pub oaep: OaepParams,
}
