//! The mechanisms the engine has, with what each asks of a key.

use coloa_wire::attribute::key_type;
use coloa_wire::command::MechanismInfo;
use coloa_wire::{ErrorCode, MechanismType};

/// `CKF_*` of `CK_MECHANISM_INFO`.
mod flag {
    pub const ENCRYPT: u32 = 0x100;
    pub const DECRYPT: u32 = 0x200;
    pub const SIGN: u32 = 0x800;
    pub const VERIFY: u32 = 0x2000;
    pub const GENERATE: u32 = 0x8000;
    pub const GENERATE_KEY_PAIR: u32 = 0x1_0000;
    /// Curves over a prime field, by name, with uncompressed points.
    pub const EC: u32 = 0x10_0000 | 0x80_0000 | 0x100_0000;
}

struct Row {
    kind: MechanismType,
    key_type: u64,
    min_key: u32,
    max_key: u32,
    flags: u32,
}

const fn row(kind: MechanismType, key_type: u64, keys: (u32, u32), flags: u32) -> Row {
    Row { kind, key_type, min_key: keys.0, max_key: keys.1, flags }
}

/// Longest generic secret, in bytes.
pub(crate) const MAX_SECRET: u32 = 512;

const EC_BITS: (u32, u32) = (256, 384);
const AES_BYTES: (u32, u32) = (16, 32);
/// PKCS#11 gives HMAC keys in bytes; SP 800-131A wants 112 bits.
const SECRET_BYTES: (u32, u32) = (14, MAX_SECRET);
const ECDSA: u32 = flag::SIGN | flag::VERIFY | flag::EC;
const MAC: u32 = flag::SIGN | flag::VERIFY;

/// Sorted by number.
const ROWS: &[Row] = &[
    row(MechanismType::SHA256_HMAC, key_type::GENERIC_SECRET, SECRET_BYTES, MAC),
    row(MechanismType::SHA384_HMAC, key_type::GENERIC_SECRET, SECRET_BYTES, MAC),
    row(MechanismType::SHA512_HMAC, key_type::GENERIC_SECRET, SECRET_BYTES, MAC),
    row(MechanismType::GENERIC_SECRET_KEY_GEN, key_type::GENERIC_SECRET, SECRET_BYTES, flag::GENERATE),
    row(MechanismType::EC_KEY_PAIR_GEN, key_type::EC, EC_BITS, flag::GENERATE_KEY_PAIR | flag::EC),
    row(MechanismType::ECDSA, key_type::EC, EC_BITS, ECDSA),
    row(MechanismType::ECDSA_SHA256, key_type::EC, EC_BITS, ECDSA),
    row(MechanismType::ECDSA_SHA384, key_type::EC, EC_BITS, ECDSA),
    row(MechanismType::ECDSA_SHA512, key_type::EC, EC_BITS, ECDSA),
    row(MechanismType::AES_KEY_GEN, key_type::AES, AES_BYTES, flag::GENERATE),
    row(MechanismType::AES_GCM, key_type::AES, AES_BYTES, flag::ENCRYPT | flag::DECRYPT),
];

/// What a mechanism does to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Service {
    Sign,
    Verify,
    Encrypt,
    Decrypt,
    Generate,
    GeneratePair,
}

impl Service {
    fn flag(self) -> u32 {
        match self {
            Service::Sign => flag::SIGN,
            Service::Verify => flag::VERIFY,
            Service::Encrypt => flag::ENCRYPT,
            Service::Decrypt => flag::DECRYPT,
            Service::Generate => flag::GENERATE,
            Service::GeneratePair => flag::GENERATE_KEY_PAIR,
        }
    }
}

/// The key type a mechanism works on, if it has this service.
pub(crate) fn key_type_for(kind: MechanismType, service: Service) -> Result<u64, ErrorCode> {
    let row = ROWS.iter().find(|r| r.kind == kind && r.flags & service.flag() != 0);
    row.map(|r| r.key_type).ok_or(ErrorCode::MechanismUnsupported)
}

pub(crate) fn list() -> impl Iterator<Item = MechanismInfo> {
    ROWS.iter().map(|r| MechanismInfo { kind: r.kind, min_key: r.min_key, max_key: r.max_key, flags: r.flags })
}
