//! The structures that mechanisms take: where in each a pointer stands, and where its length.

use super::memory::{Memory, as_bytes};
use super::script::Script;
use cryptoki_sys::*;
use std::mem::offset_of;

/// Bytes of a word.
const WORD: usize = size_of::<CK_ULONG>();

/// A structure: its size, what stands in it when it is good, and its pointers. What is no pointer may be anything.
#[derive(Clone, Copy)]
pub struct Shape {
    pub size: usize,
    good: &'static [CK_ULONG],
    points: &'static [Point],
}

/// A pointer at one offset, its length at another.
type Point = (usize, usize, To);

#[derive(Clone, Copy)]
enum To {
    Bytes,
    /// Room for a tag, whatever length is said: the module has its own idea of how long one can be.
    Tag,
    /// So many structures.
    Many(&'static [Shape]),
    /// One structure; there is no length.
    One(&'static Shape),
    /// Bytes whose length stands here, or at the address that stands here.
    Password,
}

macro_rules! shape {
    ($kind:ident $good:expr $(, $start:ident $length:ident $to:expr)*) => {
        Shape {
            size: size_of::<$kind>(),
            good: &$good,
            points: &[$((offset_of!($kind, $start), offset_of!($kind, $length), $to)),*],
        }
    };
}

const BLOCK: Shape = Shape { size: 16, good: &[], points: &[] };
const LENGTH: Shape = Shape { size: WORD, good: &[12], points: &[] };
const OLD_GCM: Shape = Shape {
    size: 5 * WORD,
    good: &[0, 12, 0, 16, 128],
    points: &[(0, WORD, To::Bytes), (2 * WORD, 3 * WORD, To::Bytes)],
};
const PSS: Shape = shape!(CK_RSA_PKCS_PSS_PARAMS [CKM_SHA256, CKG_MGF1_SHA256, 32]);
const OAEP: Shape = shape!(
    CK_RSA_PKCS_OAEP_PARAMS [CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, 0, 7],
    pSourceData ulSourceDataLen To::Bytes
);
const CONTEXT: Shape = shape!(CK_SIGN_ADDITIONAL_CONTEXT [CKH_HEDGE_PREFERRED, 0, 7], pContext ulContextLen To::Bytes);
const GCM: &[Shape] = &[
    shape!(CK_GCM_PARAMS [0, 12, 96, 0, 16, 128], pIv ulIvLen To::Bytes, pAAD ulAADLen To::Bytes),
    OLD_GCM,
    shape!(CK_GCM_WRAP_PARAMS [0, 12, 0, CKG_GENERATE, 0, 16, 128], pIv ulIvLen To::Bytes, pAAD ulAADLen To::Bytes),
];
const CCM: &[Shape] =
    &[shape!(CK_CCM_PARAMS [48, 0, 12, 0, 16, 16], pNonce ulNonceLen To::Bytes, pAAD ulAADLen To::Bytes)];
/// Three kinds of fields, of which the first two are structures without pointers.
const FIELDS: &[Shape] = &[
    shape!(CK_PRF_DATA_PARAM [CK_SP800_108_ITERATION_VARIABLE, 0, 16], pValue ulValueLen To::Bytes),
    shape!(CK_PRF_DATA_PARAM [CK_SP800_108_DKM_LENGTH, 0, 24], pValue ulValueLen To::Bytes),
    shape!(CK_PRF_DATA_PARAM [CK_SP800_108_BYTE_ARRAY, 0, 7], pValue ulValueLen To::Bytes),
];
const ECDH: &[Shape] = &[shape!(
    CK_ECDH1_DERIVE_PARAMS [CKD_NULL, 0, 0, 65, 0],
    pSharedData ulSharedDataLen To::Bytes,
    pPublicData ulPublicDataLen To::Bytes
)];
const PASSWORD: &[Shape] = &[shape!(
    CK_PKCS5_PBKD2_PARAMS2 [CKZ_SALT_SPECIFIED, 0, 16, 9, CKP_PKCS5_PBKD2_HMAC_SHA256, 0, 0, 0, 8],
    pSaltSourceData ulSaltSourceDataLen To::Bytes,
    pPrfData ulPrfDataLen To::Bytes,
    pPassword ulPasswordLen To::Password
)];

/// The structures that a mechanism may take.
pub fn of(kind: CK_MECHANISM_TYPE) -> &'static [Shape] {
    match kind {
        CKM_AES_GCM => GCM,
        CKM_AES_CCM => CCM,
        CKM_AES_CBC | CKM_AES_CBC_PAD | CKM_AES_XTS => &[BLOCK],
        CKM_AES_CTR => &[shape!(CK_AES_CTR_PARAMS [64, 1, 2])],
        CKM_AES_KEY_WRAP => &[LENGTH],
        CKM_RSA_PKCS_OAEP => &[OAEP],
        CKM_RSA_AES_KEY_WRAP => &[shape!(CK_RSA_AES_KEY_WRAP_PARAMS [256, 0], pOAEPParams ulAESKeyBits To::One(&OAEP))],
        CKM_EDDSA => &[shape!(CK_EDDSA_PARAMS [0, 0, 0], pContextData ulContextDataLen To::Bytes)],
        CKM_HASH_ML_DSA => &[shape!(
            CK_HASH_SIGN_ADDITIONAL_CONTEXT [CKH_HEDGE_REQUIRED, 0, 7, CKM_SHA256],
            pContext ulContextLen To::Bytes
        )],
        CKM_ECDH1_DERIVE => ECDH,
        CKM_HKDF_DERIVE => &[shape!(
            CK_HKDF_PARAMS [0x101, CKM_SHA256, CKF_HKDF_SALT_DATA, 0, 16, 0, 0, 7],
            pSalt ulSaltLen To::Bytes,
            pInfo ulInfoLen To::Bytes
        )],
        CKM_SP800_108_COUNTER_KDF => &[shape!(
            CK_SP800_108_KDF_PARAMS [CKM_SHA256_HMAC, 1, 0, 0, 0],
            pDataParams ulNumberOfDataParams To::Many(FIELDS)
        )],
        CKM_PKCS5_PBKD2 => PASSWORD,
        CKM_ML_DSA | CKM_HASH_ML_DSA_SHA224 | CKM_HASH_ML_DSA_SHA256 | CKM_HASH_ML_DSA_SHA384 => &[CONTEXT],
        CKM_HASH_ML_DSA_SHA512 | CKM_HASH_ML_DSA_SHA3_224 | CKM_HASH_ML_DSA_SHA3_256 => &[CONTEXT],
        CKM_HASH_ML_DSA_SHA3_384 | CKM_HASH_ML_DSA_SHA3_512 => &[CONTEXT],
        _ => &[PSS, LENGTH],
    }
}

/// The structures of a message's parameters.
pub fn of_messages(kind: CK_MECHANISM_TYPE) -> &'static [Shape] {
    match kind {
        CKM_AES_CCM | CKM_AES_GCM => &[
            shape!(
                CK_GCM_MESSAGE_PARAMS [0, 12, 0, CKG_GENERATE, 0, 128],
                pIv ulIvLen To::Bytes,
                pTag ulTagBits To::Tag
            ),
            shape!(
                CK_CCM_MESSAGE_PARAMS [48, 0, 12, 0, CKG_NO_GENERATE, 0, 16],
                pNonce ulNonceLen To::Bytes,
                pMAC ulMACLen To::Tag
            ),
        ],
        _ => &[],
    }
}

/// Numbers that words of these structures are.
const KNOWN: &[CK_ULONG] = &[
    0,
    1,
    2,
    12,
    16,
    32,
    64,
    96,
    128,
    256,
    CKM_SHA256,
    CKM_SHA_1,
    CKM_SHA3_512,
    CKM_SHA256_HMAC,
    CKM_AES_CMAC,
    CKG_MGF1_SHA256,
    CKG_MGF1_SHA3_512,
    CKD_SHA256_KDF,
    CKP_PKCS5_PBKD2_HMAC_SHA256,
    CK_SP800_108_BYTE_ARRAY,
    CKF_HKDF_SALT_KEY,
    CKH_HEDGE_REQUIRED,
];

impl Shape {
    /// One whose words are mostly good, with pointers to what the memory then holds.
    pub fn filled(&self, script: &mut Script, memory: &mut Memory) -> Vec<u8> {
        let word = |n: usize| match self.good.get(n) {
            Some(good) if !script.once_in(8) => *good,
            _ => script.word(KNOWN),
        };
        let mut bytes = as_bytes(&(0..self.size.div_ceil(WORD)).map(word).collect::<Vec<_>>());
        for (start, length, to) in self.points {
            let good = self.good.get(length / WORD).map_or(0, |length| *length as usize);
            let (address, said) = to.somewhere(good, script, memory);
            let mut put = |at: usize, word: CK_ULONG| bytes[at..at + WORD].copy_from_slice(&word.to_ne_bytes());
            put(*start, address);
            said.into_iter().for_each(|said| put(*length, said));
        }
        bytes.truncate(self.size);
        bytes
    }
}

impl To {
    /// An address and what its length field says, if it says one.
    fn somewhere(self, good: usize, script: &mut Script, memory: &mut Memory) -> (CK_ULONG, Option<CK_ULONG>) {
        match (self, script.below(32)) {
            (To::Tag, 0) | (To::One(_), 0) => (0, None),
            (To::Tag, _) => (memory.both(&[9; 64]), None),
            (To::One(shape), _) => {
                let bytes = shape.filled(script, memory);
                (memory.input(&bytes), None)
            }
            (_, 0) => (0, Some(0)),
            (_, 1) => (0, Some(script.word(&[]))),
            (_, 2) => (memory.both(&[]), Some(script.wild())),
            (To::Many(shapes), _) => {
                let count = script.pick(&[0, 1, 1, 2, 3, 17]);
                let all: Vec<u8> = (0..count).flat_map(|_| script.pick(shapes).filled(script, memory)).collect();
                (memory.input(&all), Some(count as CK_ULONG))
            }
            (To::Bytes, _) => bytes(good, script, memory),
            (To::Password, n) => {
                let (start, length) = bytes(good, script, memory);
                (start, length.map(|length| if n < 16 { memory.words(&[length]) } else { length }))
            }
        }
    }
}

/// As many as are good, or not.
fn bytes(good: usize, script: &mut Script, memory: &mut Memory) -> (CK_ULONG, Option<CK_ULONG>) {
    let other = script.pick(&[0, 1, 7, 8, 12, 13, 16, 32, 33, 65, 67, 255, 256, 300]);
    let length = if script.once_in(4) { other } else { good };
    let mut bytes = script.bytes(length).to_vec();
    bytes.resize(length, 3);
    // An IV is written back to.
    (memory.both(&bytes), Some(length as CK_ULONG))
}
