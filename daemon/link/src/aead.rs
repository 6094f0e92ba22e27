//! The cipher this crate needs, as a trait: AES-256-GCM with a 16-byte ICV (RFC 4106).
//!
//! A host implements it over aws-lc-rs, a board over its own provider. An implementation zeroizes its key schedule on drop.

/// Octets of an AES-256 key.
pub const KEY_LEN: usize = 32;
/// Octets of the salt, the implicit part of the nonce (RFC 4106 §4).
pub const SALT_LEN: usize = 4;
/// Octets of the explicit IV that travels in each packet (RFC 4106 §3.1).
pub const IV_LEN: usize = 8;
/// Octets of a GCM nonce: salt and IV.
pub const NONCE_LEN: usize = 12;
/// Octets of the ICV (RFC 4106 §6: 16 is the one every implementation has).
pub const TAG_LEN: usize = 16;

/// The provider refused: a wrong tag when opening, an internal failure when sealing. It says no more, by design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AeadError;

/// AES-256-GCM under one key. The caller guarantees that a nonce is sealed with once.
pub trait Aead: Sized {
    /// Expands `key`; the caller zeroizes its copy.
    fn from_key(key: &[u8; KEY_LEN]) -> Result<Self, AeadError>;

    /// Encrypts `buf` in place and returns the tag.
    fn seal_in_place(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<[u8; TAG_LEN], AeadError>;

    /// Verifies and decrypts `buf` = ciphertext ‖ tag in place; the plaintext is its first `len - 16` octets.
    ///
    /// On error the content of `buf` is unspecified and must not be used.
    fn open_in_place(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<(), AeadError>;
}
