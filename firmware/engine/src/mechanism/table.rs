//! The table of mechanisms, sorted by number.

use super::Service as S;
use crate::Feature;
use coloa_wire::MechanismType as M;
use coloa_wire::attribute::key_type;

/// A mechanism.
pub(super) struct Row {
    pub kind: M,
    pub key_types: &'static [u64],
    /// Smallest and largest key, in the unit PKCS#11 gives.
    pub keys: (u32, u32),
    /// `CKF_*`.
    pub flags: u32,
    pub needs: Feature,
    /// Beside it.
    pub also: Feature,
    /// What a strict partition takes away (ARCHITECTURE decision 8, R13).
    pub not_strict: u32,
}

const fn row(kind: M, key_types: &'static [u64], keys: (u32, u32), flags: u32, needs: Feature) -> Row {
    Row { kind, key_types, keys, flags, needs, also: Feature::Core, not_strict: 0 }
}

impl Row {
    const fn also(self, also: Feature) -> Row {
        Row { also, ..self }
    }

    const fn not_strict(self, flags: u32) -> Row {
        Row { not_strict: flags, ..self }
    }
}

const RSA_BITS: (u32, u32) = (2048, 4096);
const EC_BITS: (u32, u32) = (256, 521);
const AGREE_BITS: (u32, u32) = (255, 521);
const X_BITS: (u32, u32) = (255, 255);
/// PKCS#11 gives ML-DSA and ML-KEM keys no unit: the parameter sets' numbers.
const DSA_BITS: (u32, u32) = (44, 87);
const KEM_BITS: (u32, u32) = (512, 1024);
const AES_BYTES: (u32, u32) = (16, 32);
const XTS_BYTES: (u32, u32) = (32, 64);
/// PKCS#11 gives HMAC keys in bytes; SP 800-131A wants 112 bits.
const SECRET_BYTES: (u32, u32) = (14, super::MAX_SECRET);

const SIGNS: u32 = S::Sign.flag();
const SIGN: u32 = SIGNS | S::Verify.flag();
const CRYPT: u32 = S::Encrypt.flag() | S::Decrypt.flag();
const WRAP: u32 = S::Wrap.flag() | S::Unwrap.flag();
const DERIVE: u32 = S::Derive.flag();
const CAPSULE: u32 = S::Encapsulate.flag() | S::Decapsulate.flag();
const GENERATE: u32 = S::Generate.flag();
const PAIR: u32 = S::GeneratePair.flag();
/// Curves over a prime field, by name, with uncompressed points.
const CURVES: u32 = 0x10_0000 | 0x80_0000 | 0x100_0000;

const K_RSA: &[u64] = &[key_type::RSA];
const K_ML_KEM: &[u64] = &[key_type::ML_KEM];
const K_ML_DSA: &[u64] = &[key_type::ML_DSA];
const K_EC: &[u64] = &[key_type::EC];
const K_SECRETS: &[u64] = &[key_type::GENERIC_SECRET];
const K_KDF_KEYS: &[u64] = &[key_type::GENERIC_SECRET, key_type::AES, key_type::HKDF];
const K_AGREES: &[u64] = &[key_type::EC, key_type::EC_MONTGOMERY];
const K_EC_EDWARDS: &[u64] = &[key_type::EC_EDWARDS];
const K_EC_MONTGOMERY: &[u64] = &[key_type::EC_MONTGOMERY];
const K_AES: &[u64] = &[key_type::AES];
const K_AES_XTS: &[u64] = &[key_type::AES_XTS];
const K_HKDF_KEYS: &[u64] = &[key_type::HKDF, key_type::GENERIC_SECRET];
const K_HMAC_SHA224: &[u64] = &[key_type::GENERIC_SECRET, key_type::SHA224_HMAC];
const K_HMAC_SHA256: &[u64] = &[key_type::GENERIC_SECRET, key_type::SHA256_HMAC];
const K_HMAC_SHA384: &[u64] = &[key_type::GENERIC_SECRET, key_type::SHA384_HMAC];
const K_HMAC_SHA512: &[u64] = &[key_type::GENERIC_SECRET, key_type::SHA512_HMAC];
const K_HMAC_SHA3_224: &[u64] = &[key_type::GENERIC_SECRET, key_type::SHA3_224_HMAC];
const K_HMAC_SHA3_256: &[u64] = &[key_type::GENERIC_SECRET, key_type::SHA3_256_HMAC];
const K_HMAC_SHA3_384: &[u64] = &[key_type::GENERIC_SECRET, key_type::SHA3_384_HMAC];
const K_HMAC_SHA3_512: &[u64] = &[key_type::GENERIC_SECRET, key_type::SHA3_512_HMAC];

pub(super) const ROWS: &[Row] = &[
    row(M::RSA_PKCS_KEY_PAIR_GEN, K_RSA, RSA_BITS, PAIR, Feature::Rsa),
    row(M::RSA_PKCS, K_RSA, RSA_BITS, SIGN | CRYPT | WRAP, Feature::Rsa).not_strict(SIGNS | CRYPT | WRAP),
    row(M::RSA_PKCS_OAEP, K_RSA, RSA_BITS, CRYPT | WRAP, Feature::Rsa),
    row(M::RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::ML_KEM_KEY_PAIR_GEN, K_ML_KEM, KEM_BITS, PAIR, Feature::MlKem),
    row(M::ML_KEM, K_ML_KEM, KEM_BITS, CAPSULE, Feature::MlKem),
    row(M::ML_DSA_KEY_PAIR_GEN, K_ML_DSA, DSA_BITS, PAIR, Feature::MlDsa),
    row(M::ML_DSA, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA_SHA224, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA_SHA256, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA_SHA384, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA_SHA512, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA_SHA3_224, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA_SHA3_256, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA_SHA3_384, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::HASH_ML_DSA_SHA3_512, K_ML_DSA, DSA_BITS, SIGN, Feature::MlDsa),
    row(M::SHA256_RSA_PKCS, K_RSA, RSA_BITS, SIGN, Feature::Rsa).not_strict(SIGNS),
    row(M::SHA384_RSA_PKCS, K_RSA, RSA_BITS, SIGN, Feature::Rsa).not_strict(SIGNS),
    row(M::SHA512_RSA_PKCS, K_RSA, RSA_BITS, SIGN, Feature::Rsa).not_strict(SIGNS),
    row(M::SHA256_RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::SHA384_RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::SHA512_RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::SHA224_RSA_PKCS, K_RSA, RSA_BITS, SIGN, Feature::Rsa).not_strict(SIGNS),
    row(M::SHA224_RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::SHA3_256_RSA_PKCS, K_RSA, RSA_BITS, SIGN, Feature::Rsa).not_strict(SIGNS),
    row(M::SHA3_384_RSA_PKCS, K_RSA, RSA_BITS, SIGN, Feature::Rsa).not_strict(SIGNS),
    row(M::SHA3_512_RSA_PKCS, K_RSA, RSA_BITS, SIGN, Feature::Rsa).not_strict(SIGNS),
    row(M::SHA3_256_RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::SHA3_384_RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::SHA3_512_RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::SHA3_224_RSA_PKCS, K_RSA, RSA_BITS, SIGN, Feature::Rsa).not_strict(SIGNS),
    row(M::SHA3_224_RSA_PKCS_PSS, K_RSA, RSA_BITS, SIGN, Feature::Rsa),
    row(M::SHA256_HMAC, K_HMAC_SHA256, SECRET_BYTES, SIGN, Feature::Core),
    row(M::SHA256_HMAC_GENERAL, K_HMAC_SHA256, SECRET_BYTES, SIGN, Feature::Core),
    row(M::SHA224_HMAC, K_HMAC_SHA224, SECRET_BYTES, SIGN, Feature::Sha2Short),
    row(M::SHA224_HMAC_GENERAL, K_HMAC_SHA224, SECRET_BYTES, SIGN, Feature::Sha2Short),
    row(M::SHA384_HMAC, K_HMAC_SHA384, SECRET_BYTES, SIGN, Feature::Core),
    row(M::SHA384_HMAC_GENERAL, K_HMAC_SHA384, SECRET_BYTES, SIGN, Feature::Core),
    row(M::SHA512_HMAC, K_HMAC_SHA512, SECRET_BYTES, SIGN, Feature::Core),
    row(M::SHA512_HMAC_GENERAL, K_HMAC_SHA512, SECRET_BYTES, SIGN, Feature::Core),
    row(M::SHA3_256_HMAC, K_HMAC_SHA3_256, SECRET_BYTES, SIGN, Feature::Sha3),
    row(M::SHA3_256_HMAC_GENERAL, K_HMAC_SHA3_256, SECRET_BYTES, SIGN, Feature::Sha3),
    row(M::SHA3_224_HMAC, K_HMAC_SHA3_224, SECRET_BYTES, SIGN, Feature::Sha3),
    row(M::SHA3_224_HMAC_GENERAL, K_HMAC_SHA3_224, SECRET_BYTES, SIGN, Feature::Sha3),
    row(M::SHA3_384_HMAC, K_HMAC_SHA3_384, SECRET_BYTES, SIGN, Feature::Sha3),
    row(M::SHA3_384_HMAC_GENERAL, K_HMAC_SHA3_384, SECRET_BYTES, SIGN, Feature::Sha3),
    row(M::SHA3_512_HMAC, K_HMAC_SHA3_512, SECRET_BYTES, SIGN, Feature::Sha3),
    row(M::SHA3_512_HMAC_GENERAL, K_HMAC_SHA3_512, SECRET_BYTES, SIGN, Feature::Sha3),
    row(M::GENERIC_SECRET_KEY_GEN, K_SECRETS, SECRET_BYTES, GENERATE, Feature::Core),
    row(M::SP800_108_COUNTER_KDF, K_KDF_KEYS, SECRET_BYTES, DERIVE, Feature::Core),
    row(M::PKCS5_PBKD2, K_SECRETS, SECRET_BYTES, GENERATE, Feature::Kdf),
    row(M::EC_KEY_PAIR_GEN, K_EC, EC_BITS, PAIR | CURVES, Feature::Core),
    row(M::ECDSA, K_EC, EC_BITS, SIGN | CURVES, Feature::Core),
    row(M::ECDSA_SHA1, K_EC, EC_BITS, SIGN | CURVES, Feature::Sha2Short).not_strict(SIGNS),
    row(M::ECDSA_SHA224, K_EC, EC_BITS, SIGN | CURVES, Feature::Sha2Short),
    row(M::ECDSA_SHA256, K_EC, EC_BITS, SIGN | CURVES, Feature::Core),
    row(M::ECDSA_SHA384, K_EC, EC_BITS, SIGN | CURVES, Feature::Core),
    row(M::ECDSA_SHA512, K_EC, EC_BITS, SIGN | CURVES, Feature::Core),
    row(M::ECDSA_SHA3_224, K_EC, EC_BITS, SIGN | CURVES, Feature::Sha3),
    row(M::ECDSA_SHA3_256, K_EC, EC_BITS, SIGN | CURVES, Feature::Sha3),
    row(M::ECDSA_SHA3_384, K_EC, EC_BITS, SIGN | CURVES, Feature::Sha3),
    row(M::ECDSA_SHA3_512, K_EC, EC_BITS, SIGN | CURVES, Feature::Sha3),
    row(M::ECDH1_DERIVE, K_AGREES, AGREE_BITS, DERIVE | CURVES, Feature::Ecdh),
    row(M::RSA_AES_KEY_WRAP, K_RSA, RSA_BITS, WRAP, Feature::Rsa).also(Feature::KeyWrap),
    row(M::EC_EDWARDS_KEY_PAIR_GEN, K_EC_EDWARDS, X_BITS, PAIR | CURVES, Feature::Ed25519),
    row(M::EC_MONTGOMERY_KEY_PAIR_GEN, K_EC_MONTGOMERY, X_BITS, PAIR | CURVES, Feature::X25519),
    row(M::EDDSA, K_EC_EDWARDS, X_BITS, SIGN | CURVES, Feature::Ed25519),
    row(M::AES_XTS, K_AES_XTS, XTS_BYTES, CRYPT, Feature::Xts),
    row(M::AES_XTS_KEY_GEN, K_AES_XTS, XTS_BYTES, GENERATE, Feature::Xts),
    row(M::AES_KEY_GEN, K_AES, AES_BYTES, GENERATE, Feature::Core),
    row(M::AES_ECB, K_AES, AES_BYTES, CRYPT, Feature::AesModes).not_strict(CRYPT),
    row(M::AES_CBC, K_AES, AES_BYTES, CRYPT, Feature::AesModes).not_strict(CRYPT),
    row(M::AES_CBC_PAD, K_AES, AES_BYTES, CRYPT | WRAP, Feature::AesModes).not_strict(CRYPT | WRAP),
    row(M::AES_CTR, K_AES, AES_BYTES, CRYPT, Feature::AesModes).not_strict(CRYPT),
    row(M::AES_GCM, K_AES, AES_BYTES, CRYPT | WRAP, Feature::Core),
    row(M::AES_CCM, K_AES, AES_BYTES, CRYPT, Feature::Ccm),
    row(M::AES_CMAC, K_AES, AES_BYTES, SIGN, Feature::Cmac),
    row(M::AES_CMAC_GENERAL, K_AES, AES_BYTES, SIGN, Feature::Cmac),
    row(M::AES_KEY_WRAP, K_AES, AES_BYTES, WRAP, Feature::KeyWrap),
    row(M::AES_KEY_WRAP_PAD, K_AES, AES_BYTES, WRAP, Feature::KeyWrap),
    row(M::AES_KEY_WRAP_KWP, K_AES, AES_BYTES, WRAP, Feature::KeyWrap),
    row(M::HKDF_DERIVE, K_HKDF_KEYS, SECRET_BYTES, DERIVE, Feature::Kdf),
    row(M::HKDF_KEY_GEN, K_HKDF_KEYS, SECRET_BYTES, GENERATE, Feature::Kdf),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(ROWS.windows(2).all(|pair| pair[0].kind < pair[1].kind));
    }

    #[test]
    fn a_strict_partition_takes_away_only_what_is_there() {
        assert!(ROWS.iter().all(|row| row.not_strict & !row.flags == 0));
    }
}
