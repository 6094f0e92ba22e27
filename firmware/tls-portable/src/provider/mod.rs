//! Which algorithms a board speaks, in order of preference (R30: the hybrid first).
//!
//! There is no global state: the random source is handed in once and lives as long as the board runs.

mod aead;
mod ecdh;
mod hash;
mod hybrid;
mod sign;
mod verify;
mod x25519;

use alloc::boxed::Box;
use alloc::vec;

use rustls::crypto::{CryptoProvider, SecureRandom, SupportedKxGroup};

pub use aead::{AES_128_GCM_SHA256, AES_256_GCM_SHA384};

/// The random source of the whole provider: a DRBG that was seeded before the first call (R7).
pub type Random = &'static dyn SecureRandom;

/// TLS 1.3 with X25519MLKEM768, secp384r1, secp256r1 and x25519, AES-GCM, and ECDSA on P-384 and P-256.
///
/// Called once at start: the four groups it makes are never freed.
pub fn provider(random: Random) -> CryptoProvider {
    let x25519: &'static dyn SupportedKxGroup = Box::leak(Box::new(x25519::X25519(random)));
    CryptoProvider {
        cipher_suites: vec![AES_256_GCM_SHA384, AES_128_GCM_SHA256],
        kx_groups: vec![
            Box::leak(Box::new(hybrid::X25519MlKem768 { x25519, random })),
            Box::leak(Box::new(ecdh::P384(random))),
            Box::leak(Box::new(ecdh::P256(random))),
            x25519,
        ],
        signature_verification_algorithms: verify::ALGORITHMS,
        secure_random: random,
        key_provider: &sign::Keys,
    }
}
