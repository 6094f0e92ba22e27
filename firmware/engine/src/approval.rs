//! Which services are approved (R8): a pure function of mechanism, service, key and the partition's rules.
//!
//! It follows SP 800-131A Rev. 2 (strengths and transitions), FIPS 186-5, 203 and 204, SP 800-38 A to G, 56A to C, 108 and 198, as
//! FIPS 140-3 IG 2.4.C asks of a service's indicator. Where that depends on what the engine cannot see, the answer is no: a
//! signature over bytes that somebody hashed somehow (`CKM_ECDSA`, `CKM_RSA_PKCS`, `CKM_RSA_PKCS_PSS`), a key made of a password
//! (SP 800-132 allows it for storage only), a GCM encryption on a partition where callers bring IVs (IG C.H). It tells of
//! algorithms; this product holds no certificate, and does not say so.

use crate::mechanism::Service;
use crate::object::Object;
use coloa_wire::attribute::key_type;
use coloa_wire::command::PartitionMode;
use coloa_wire::{AttributeType as A, MechanismType as M};

/// The shortest secret key, in bytes: 112 bits (SP 800-131A §3, §9, §10).
const MIN_SECRET: u64 = 14;
/// The shortest RSA modulus, in bytes: 2048 bits (SP 800-131A §3).
const MIN_MODULUS: usize = 256;

const SIGN: u32 = Service::Sign.flag();
const VERIFY: u32 = Service::Verify.flag();
const BOTH: u32 = SIGN | VERIFY;
const CRYPT: u32 = Service::Encrypt.flag() | Service::Decrypt.flag();
const WRAP: u32 = Service::Wrap.flag() | Service::Unwrap.flag();
const GENERATE: u32 = Service::Generate.flag();
const PAIR: u32 = Service::GeneratePair.flag();
const DERIVE: u32 = Service::Derive.flag();
const CAPSULE: u32 = Service::Encapsulate.flag() | Service::Decapsulate.flag();

/// The services that are approved with a mechanism, where key and partition allow it, as `CKF_*`. What is not named is not.
pub(crate) const fn services(kind: M) -> u32 {
    match kind {
        M::RSA_PKCS_KEY_PAIR_GEN | M::EC_KEY_PAIR_GEN | M::EC_EDWARDS_KEY_PAIR_GEN => PAIR,
        M::ML_KEM_KEY_PAIR_GEN | M::ML_DSA_KEY_PAIR_GEN => PAIR,
        M::AES_KEY_GEN | M::AES_XTS_KEY_GEN | M::GENERIC_SECRET_KEY_GEN | M::HKDF_KEY_GEN => GENERATE,
        M::SHA224_RSA_PKCS | M::SHA256_RSA_PKCS | M::SHA384_RSA_PKCS | M::SHA512_RSA_PKCS => BOTH,
        M::SHA3_224_RSA_PKCS | M::SHA3_256_RSA_PKCS | M::SHA3_384_RSA_PKCS | M::SHA3_512_RSA_PKCS => BOTH,
        M::SHA224_RSA_PKCS_PSS | M::SHA256_RSA_PKCS_PSS | M::SHA384_RSA_PKCS_PSS | M::SHA512_RSA_PKCS_PSS => BOTH,
        M::SHA3_224_RSA_PKCS_PSS | M::SHA3_256_RSA_PKCS_PSS | M::SHA3_384_RSA_PKCS_PSS => BOTH,
        M::SHA3_512_RSA_PKCS_PSS | M::EDDSA | M::ML_DSA | M::HASH_ML_DSA => BOTH,
        M::ECDSA_SHA224 | M::ECDSA_SHA256 | M::ECDSA_SHA384 | M::ECDSA_SHA512 => BOTH,
        M::ECDSA_SHA3_224 | M::ECDSA_SHA3_256 | M::ECDSA_SHA3_384 | M::ECDSA_SHA3_512 => BOTH,
        // Old signatures only (SP 800-131A §9).
        M::ECDSA_SHA1 => VERIFY,
        M::HASH_ML_DSA_SHA224 | M::HASH_ML_DSA_SHA256 | M::HASH_ML_DSA_SHA384 | M::HASH_ML_DSA_SHA512 => BOTH,
        M::HASH_ML_DSA_SHA3_224 | M::HASH_ML_DSA_SHA3_256 | M::HASH_ML_DSA_SHA3_384 | M::HASH_ML_DSA_SHA3_512 => BOTH,
        M::SHA224_HMAC | M::SHA256_HMAC | M::SHA384_HMAC | M::SHA512_HMAC => BOTH,
        M::SHA224_HMAC_GENERAL | M::SHA256_HMAC_GENERAL | M::SHA384_HMAC_GENERAL | M::SHA512_HMAC_GENERAL => BOTH,
        M::SHA3_224_HMAC | M::SHA3_256_HMAC | M::SHA3_384_HMAC | M::SHA3_512_HMAC => BOTH,
        M::SHA3_224_HMAC_GENERAL | M::SHA3_256_HMAC_GENERAL | M::SHA3_384_HMAC_GENERAL => BOTH,
        M::SHA3_512_HMAC_GENERAL | M::AES_CMAC | M::AES_CMAC_GENERAL => BOTH,
        M::AES_ECB | M::AES_CBC | M::AES_CBC_PAD | M::AES_CTR | M::AES_CCM | M::AES_XTS => CRYPT,
        M::AES_GCM => CRYPT | WRAP,
        M::AES_KEY_WRAP | M::AES_KEY_WRAP_KWP | M::RSA_AES_KEY_WRAP => WRAP,
        // Keys are transported by it, data are not (SP 800-56B).
        M::RSA_PKCS_OAEP => WRAP,
        M::ML_KEM => CAPSULE,
        M::ECDH1_DERIVE | M::SP800_108_COUNTER_KDF | M::HKDF_DERIVE => DERIVE,
        _ => 0,
    }
}

/// Whether a service is approved with this mechanism on such a partition, whatever the key.
pub(crate) fn is_approved(kind: M, service: Service, mode: PartitionMode) -> bool {
    let own_iv = kind != M::AES_GCM || mode == PartitionMode::Strict || !makes_iv(service);
    own_iv && services(kind) & service.flag() != 0
}

fn makes_iv(service: Service) -> bool {
    matches!(service, Service::Encrypt | Service::Wrap)
}

/// Whether it is with this key.
pub(crate) fn is_approved_with<K>(kind: M, service: Service, mode: PartitionMode, key: &Object<K>) -> bool {
    is_approved(kind, service, mode) && is_strong(key)
}

fn is_strong<K>(key: &Object<K>) -> bool {
    match key.number(A::KEY_TYPE) {
        // X25519 is no scheme of SP 800-56A.
        None | Some(key_type::EC_MONTGOMERY) => false,
        Some(key_type::RSA) => key.bytes(A::MODULUS).is_some_and(|modulus| modulus.len() >= MIN_MODULUS),
        Some(key_type::EC | key_type::EC_EDWARDS | key_type::ML_DSA | key_type::ML_KEM) => true,
        Some(_) => key.number(A::VALUE_LEN).is_some_and(|length| length >= MIN_SECRET),
    }
}
