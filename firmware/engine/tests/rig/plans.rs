//! How each mechanism signs and encrypts, for tests that go through all of them.

use coloa_wire::attribute::key_type as K;
use coloa_wire::mechanism::*;
use coloa_wire::{GcmParams, Mechanism, MechanismType as M, Parameter};

/// For each hash: its digest mechanism, length, HMAC, HMAC of a chosen length, ECDSA, PKCS#1, PSS and HashML-DSA.
pub const HASHES: [(M, usize, [M; 6]); 8] = [
    (
        M::SHA224,
        28,
        [
            M::SHA224_HMAC,
            M::SHA224_HMAC_GENERAL,
            M::ECDSA_SHA224,
            M::SHA224_RSA_PKCS,
            M::SHA224_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA224,
        ],
    ),
    (
        M::SHA256,
        32,
        [
            M::SHA256_HMAC,
            M::SHA256_HMAC_GENERAL,
            M::ECDSA_SHA256,
            M::SHA256_RSA_PKCS,
            M::SHA256_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA256,
        ],
    ),
    (
        M::SHA384,
        48,
        [
            M::SHA384_HMAC,
            M::SHA384_HMAC_GENERAL,
            M::ECDSA_SHA384,
            M::SHA384_RSA_PKCS,
            M::SHA384_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA384,
        ],
    ),
    (
        M::SHA512,
        64,
        [
            M::SHA512_HMAC,
            M::SHA512_HMAC_GENERAL,
            M::ECDSA_SHA512,
            M::SHA512_RSA_PKCS,
            M::SHA512_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA512,
        ],
    ),
    (
        M::SHA3_224,
        28,
        [
            M::SHA3_224_HMAC,
            M::SHA3_224_HMAC_GENERAL,
            M::ECDSA_SHA3_224,
            M::SHA3_224_RSA_PKCS,
            M::SHA3_224_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA3_224,
        ],
    ),
    (
        M::SHA3_256,
        32,
        [
            M::SHA3_256_HMAC,
            M::SHA3_256_HMAC_GENERAL,
            M::ECDSA_SHA3_256,
            M::SHA3_256_RSA_PKCS,
            M::SHA3_256_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA3_256,
        ],
    ),
    (
        M::SHA3_384,
        48,
        [
            M::SHA3_384_HMAC,
            M::SHA3_384_HMAC_GENERAL,
            M::ECDSA_SHA3_384,
            M::SHA3_384_RSA_PKCS,
            M::SHA3_384_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA3_384,
        ],
    ),
    (
        M::SHA3_512,
        64,
        [
            M::SHA3_512_HMAC,
            M::SHA3_512_HMAC_GENERAL,
            M::ECDSA_SHA3_512,
            M::SHA3_512_RSA_PKCS,
            M::SHA3_512_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA3_512,
        ],
    ),
];

/// How a mechanism signs: with a key of which type, its parameter, and data of a length it takes.
pub fn signing(kind: M) -> Option<(u64, Mechanism, Vec<u8>)> {
    let pss = |hash, salt| Parameter::Pss(PssParams { hash, mgf: hash, salt });
    let context = |hash| Parameter::MlDsa(MlDsaParams { context: b"context".to_vec(), hash });
    let hashed = HASHES.iter().find_map(|(hash, length, all)| {
        let at = all.iter().position(|mechanism| *mechanism == kind)?;
        let digest = vec![7; *length];
        Some(match at {
            0 => (K::GENERIC_SECRET, kind.into(), b"message".to_vec()),
            1 => (K::GENERIC_SECRET, Mechanism::with(kind, Parameter::MacLength(9)), b"message".to_vec()),
            2 => (K::EC, kind.into(), digest),
            3 => (K::RSA, kind.into(), digest),
            4 => (K::RSA, Mechanism::with(kind, pss(*hash, *length as u32)), digest),
            _ => (K::ML_DSA, Mechanism::with(kind, context(None)), digest),
        })
    });
    hashed.or_else(|| {
        Some(match kind {
            M::RSA_PKCS => (K::RSA, kind.into(), b"a DigestInfo, or not".to_vec()),
            M::RSA_PKCS_PSS => (K::RSA, Mechanism::with(kind, pss(M::SHA256, 20)), vec![7; 32]),
            M::ECDSA | M::ECDSA_SHA1 => (K::EC, kind.into(), vec![7; 20]),
            M::EDDSA => (K::EC_EDWARDS, kind.into(), b"message".to_vec()),
            M::ML_DSA => (K::ML_DSA, Mechanism::with(kind, context(None)), b"message".to_vec()),
            M::HASH_ML_DSA => (K::ML_DSA, Mechanism::with(kind, context(Some(M::SHA3_512))), vec![7; 64]),
            M::AES_CMAC => (K::AES, kind.into(), b"message".to_vec()),
            M::AES_CMAC_GENERAL => (K::AES, Mechanism::with(kind, Parameter::MacLength(8)), b"message".to_vec()),
            _ => return None,
        })
    })
}

/// How a mechanism encrypts: with a key of which type, its parameter given the IV, and the IV when the caller chooses it.
pub fn cipher(kind: M, iv: Option<&[u8]>) -> Option<(u64, Mechanism)> {
    let iv = iv.map(<[u8]>::to_vec);
    let block = |parameter| Mechanism::with(kind, parameter);
    Some(match kind {
        M::AES_ECB => (K::AES, kind.into()),
        M::AES_CBC | M::AES_CBC_PAD => (K::AES, block(Parameter::Iv(iv))),
        M::AES_XTS => (K::AES_XTS, block(Parameter::Iv(Some(vec![3; 16])))),
        M::AES_CTR => (K::AES, block(Parameter::Ctr(CtrParams { bits: 32, block: vec![3; 16] }))),
        M::AES_CCM => (K::AES, block(Parameter::Ccm(CcmParams { nonce: iv, aad: b"aad".to_vec(), tag: 16 }))),
        M::AES_GCM => {
            let gcm = GcmParams { iv, aad: b"aad".to_vec(), tag_bits: 128 };
            (K::AES, Mechanism { kind, gcm: Some(gcm), parameter: None })
        }
        M::RSA_PKCS => (K::RSA, kind.into()),
        M::RSA_PKCS_OAEP => {
            let oaep = OaepParams { hash: M::SHA256, mgf: M::SHA256, label: b"label".to_vec() };
            (K::RSA, block(Parameter::Oaep(oaep)))
        }
        _ => return None,
    })
}
