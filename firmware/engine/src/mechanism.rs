//! The mechanisms the engine has, with what each asks of a key.

mod cipher;
mod derivation;
mod signing;
mod table;
mod wrapping;

pub(crate) use cipher::{BlockMode, Cipher, counts};
pub(crate) use derivation::{CounterKdf, Derivation, Field, Hkdf, Prf, Salt, pbkdf2};
pub(crate) use signing::{Signing, signature_length};
pub(crate) use wrapping::Wrapping;

use crate::{Crypto, Hash, approval};
use coloa_wire::attribute::key_type;
use coloa_wire::command::{MechanismInfo, PartitionMode};
use coloa_wire::{ErrorCode, MechanismType as M};
use table::ROWS;

/// Longest generic secret, in bytes.
pub(crate) const MAX_SECRET: u32 = 512;

/// What a mechanism does to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Service {
    Sign,
    Verify,
    Encrypt,
    Decrypt,
    Generate,
    GeneratePair,
    Wrap,
    Unwrap,
    Derive,
    Encapsulate,
    Decapsulate,
}

impl Service {
    /// `CKF_*` of `CK_MECHANISM_INFO`.
    pub(crate) const fn flag(self) -> u32 {
        match self {
            Service::Encrypt => 0x100,
            Service::Decrypt => 0x200,
            Service::Sign => 0x800,
            Service::Verify => 0x2000,
            Service::Generate => 0x8000,
            Service::GeneratePair => 0x1_0000,
            Service::Wrap => 0x2_0000,
            Service::Unwrap => 0x4_0000,
            Service::Derive => 0x8_0000,
            Service::Encapsulate => 0x1000_0000,
            Service::Decapsulate => 0x2000_0000,
        }
    }
}

/// A mechanism that the engine serves in a way the caller asked for.
#[derive(Clone, Copy)]
pub(crate) struct Served(&'static table::Row);

impl Served {
    /// The key types it works on.
    pub(crate) fn key_types(self) -> &'static [u64] {
        self.0.key_types
    }
}

/// Looks a mechanism up.
///
/// # Errors
/// `MechanismUnsupported` when there is none with this service; `MechanismForbidden` when the partition's rules take it away.
pub(crate) fn served<C: Crypto>(
    crypto: &C,
    kind: M,
    service: Service,
    mode: PartitionMode,
) -> Result<Served, ErrorCode> {
    let at = ROWS.binary_search_by_key(&kind, |row| row.kind).map_err(|_| ErrorCode::MechanismUnsupported)?;
    let row = ROWS.get(at).ok_or(ErrorCode::MechanismUnsupported)?;
    if row.flags & service.flag() == 0 || !has(crypto, row) {
        return Err(ErrorCode::MechanismUnsupported);
    }
    let taken = mode == PartitionMode::Strict && row.not_strict & service.flag() != 0;
    if taken { Err(ErrorCode::MechanismForbidden) } else { Ok(Served(row)) }
}

fn has<C: Crypto>(crypto: &C, row: &table::Row) -> bool {
    crypto.supports(row.needs) && crypto.supports(row.also)
}

/// The mechanisms an engine with this provider serves, sorted by number.
pub fn mechanisms<C: Crypto>(crypto: &C) -> impl Iterator<Item = MechanismInfo> {
    ROWS.iter().filter(|row| has(crypto, row)).map(|row| MechanismInfo {
        kind: row.kind,
        min_key: row.keys.0,
        max_key: row.keys.1,
        flags: row.flags,
        not_strict: (row.not_strict != 0).then_some(row.not_strict),
        approved: Some(row.flags & approval::services(row.kind)).filter(|flags| *flags != 0),
    })
}

/// The hash a mechanism names, whether it digests, MACs or signs with it.
pub(crate) fn hash_of(mechanism: M) -> Option<Hash> {
    HASHES.iter().find(|(_, all)| all.contains(&mechanism)).map(|(hash, _)| *hash)
}

/// The hash of a digest mechanism, as parameters name it.
pub(crate) fn digest_of(mechanism: M) -> Result<Hash, ErrorCode> {
    let found = HASHES.iter().find(|(_, all)| all.first() == Some(&mechanism));
    found.map(|(hash, _)| *hash).ok_or(ErrorCode::MechanismParameter)
}

/// The hash of an HMAC mechanism, as parameters name it.
pub(crate) fn hmac_of(mechanism: M) -> Option<Hash> {
    HASHES.iter().find(|(_, all)| all.get(1) == Some(&mechanism)).map(|(hash, _)| *hash)
}

/// The hash that a key of an HMAC type is for.
pub(crate) fn hash_of_key_type(key: u64) -> Option<Hash> {
    Some(match key {
        key_type::SHA224_HMAC => Hash::Sha224,
        key_type::SHA256_HMAC => Hash::Sha256,
        key_type::SHA384_HMAC => Hash::Sha384,
        key_type::SHA512_HMAC => Hash::Sha512,
        key_type::SHA3_224_HMAC => Hash::Sha3_224,
        key_type::SHA3_256_HMAC => Hash::Sha3_256,
        key_type::SHA3_384_HMAC => Hash::Sha3_384,
        key_type::SHA3_512_HMAC => Hash::Sha3_512,
        _ => return None,
    })
}

/// For each hash: digest, HMAC, and what else is made with it.
const HASHES: [(Hash, &[M]); 9] = [
    (Hash::Sha1, &[M::SHA_1, M::SHA_1_HMAC, M::ECDSA_SHA1]),
    (
        Hash::Sha224,
        &[
            M::SHA224,
            M::SHA224_HMAC,
            M::SHA224_HMAC_GENERAL,
            M::ECDSA_SHA224,
            M::SHA224_RSA_PKCS,
            M::SHA224_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA224,
        ],
    ),
    (
        Hash::Sha256,
        &[
            M::SHA256,
            M::SHA256_HMAC,
            M::SHA256_HMAC_GENERAL,
            M::ECDSA_SHA256,
            M::SHA256_RSA_PKCS,
            M::SHA256_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA256,
        ],
    ),
    (
        Hash::Sha384,
        &[
            M::SHA384,
            M::SHA384_HMAC,
            M::SHA384_HMAC_GENERAL,
            M::ECDSA_SHA384,
            M::SHA384_RSA_PKCS,
            M::SHA384_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA384,
        ],
    ),
    (
        Hash::Sha512,
        &[
            M::SHA512,
            M::SHA512_HMAC,
            M::SHA512_HMAC_GENERAL,
            M::ECDSA_SHA512,
            M::SHA512_RSA_PKCS,
            M::SHA512_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA512,
        ],
    ),
    (
        Hash::Sha3_224,
        &[
            M::SHA3_224,
            M::SHA3_224_HMAC,
            M::SHA3_224_HMAC_GENERAL,
            M::ECDSA_SHA3_224,
            M::SHA3_224_RSA_PKCS,
            M::SHA3_224_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA3_224,
        ],
    ),
    (
        Hash::Sha3_256,
        &[
            M::SHA3_256,
            M::SHA3_256_HMAC,
            M::SHA3_256_HMAC_GENERAL,
            M::ECDSA_SHA3_256,
            M::SHA3_256_RSA_PKCS,
            M::SHA3_256_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA3_256,
        ],
    ),
    (
        Hash::Sha3_384,
        &[
            M::SHA3_384,
            M::SHA3_384_HMAC,
            M::SHA3_384_HMAC_GENERAL,
            M::ECDSA_SHA3_384,
            M::SHA3_384_RSA_PKCS,
            M::SHA3_384_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA3_384,
        ],
    ),
    (
        Hash::Sha3_512,
        &[
            M::SHA3_512,
            M::SHA3_512_HMAC,
            M::SHA3_512_HMAC_GENERAL,
            M::ECDSA_SHA3_512,
            M::SHA3_512_RSA_PKCS,
            M::SHA3_512_RSA_PKCS_PSS,
            M::HASH_ML_DSA_SHA3_512,
        ],
    ),
];
