//! What the engine asks of a cryptographic provider. There are two: `crypto-native` (aws-lc-rs) and `crypto-portable`
//! (RustCrypto), each tested against the same vectors and against the other.

mod kind;

pub use kind::*;

use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Bytes of an AES-GCM tag at full length.
pub const TAG: usize = 16;
/// Bytes of the only AES-GCM IV length both providers must take (SP 800-38D §5.2.1.1 recommends it).
pub const IV: usize = 12;

/// A point of a split secret, and its value.
pub type SharePoint = (u8, Zeroizing<Vec<u8>>);

/// Why a provider refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CryptoError {
    /// The random number source failed; nothing was made.
    Entropy,
    /// A key, point, length or parameter is not valid.
    Invalid,
    /// The data has a length that the mode or padding cannot take.
    Length,
    /// A signature, MAC, tag or padding is not authentic.
    Unauthentic,
    /// The provider does not have this.
    Unsupported,
    /// A pairwise consistency test failed (R6): the engine goes to its error state.
    Inconsistent,
}

/// A cryptographic provider. Every method may be called from many threads at once.
///
/// Methods that not every provider has refuse by default; [`Crypto::supports`] tells which a provider overrides. A key of
/// another kind than the operation needs is [`CryptoError::Invalid`] everywhere.
pub trait Crypto: Send + Sync + 'static {
    /// A parsed key, ready for use, wiped on drop. Parsing happens once; using it allocates nothing but the result.
    type Key: Send + Sync;

    /// Whether the provider has this.
    fn supports(&self, feature: Feature) -> bool;

    /// Fills `out` from a DRBG (SP 800-90A).
    ///
    /// # Errors
    /// [`CryptoError::Entropy`]: `out` must not be used.
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError>;

    /// Hashes the concatenation of `parts`; an empty digest for a hash the provider does not have.
    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest;

    /// Generates a key pair (FIPS 186-5 A.2, FIPS 203, FIPS 204) and passes the pairwise consistency test (FIPS 140-3 IG
    /// 10.3.A). For RSA see [`Crypto::generate_rsa`].
    ///
    /// # Errors
    /// [`CryptoError::Entropy`], [`CryptoError::Inconsistent`], [`CryptoError::Unsupported`].
    fn generate(&self, kind: PairKind) -> Result<KeyMaterial, CryptoError>;

    /// Generates an RSA key pair (FIPS 186-5 A.1) with the public exponent 65537 and passes the pairwise consistency test.
    ///
    /// # Errors
    /// As [`Crypto::generate`]; [`CryptoError::Invalid`] for a length outside [`RSA_BITS`].
    fn generate_rsa(&self, _bits: u32) -> Result<KeyMaterial, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// Parses a secret.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] for what is no key of this kind.
    fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Self::Key, CryptoError>;

    /// Parses a public key: an EC point must be on its curve and not at infinity (SP 800-56A §5.6.2.3.4).
    ///
    /// # Errors
    /// [`CryptoError::Invalid`].
    fn load_public(&self, kind: PairKind, public: &[u8]) -> Result<Self::Key, CryptoError>;

    /// The public key of a secret.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`].
    fn public(&self, kind: PairKind, secret: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// The expanded form of an ML-DSA or ML-KEM seed (FIPS 204 `skEncode`, FIPS 203 §7.1).
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] for what is no seed; [`CryptoError::Unsupported`].
    fn expand(&self, _kind: PairKind, _seed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// Signs; `message` is what [`Scheme`] says.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`], [`CryptoError::Length`], [`CryptoError::Entropy`].
    fn sign(&self, key: &Self::Key, scheme: Scheme<'_>, message: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// Checks a signature with a public key.
    ///
    /// # Errors
    /// [`CryptoError::Unauthentic`]; [`CryptoError::Invalid`] and [`CryptoError::Length`] for what no signer would sign.
    fn verify(&self, key: &Self::Key, scheme: Scheme<'_>, message: &[u8], signature: &[u8]) -> Result<(), CryptoError>;

    /// HMAC (FIPS 198-1) of the concatenation of `parts`.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`]; [`CryptoError::Unsupported`] for a hash the provider does not have.
    fn mac(&self, key: &Self::Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError>;

    /// AES-CMAC (SP 800-38B) of the concatenation of `parts`, [`BLOCK`] bytes.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`].
    fn cmac(&self, _key: &Self::Key, _parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// Encrypts `text` in place and appends the tag.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`]; [`CryptoError::Unsupported`] for a mode, IV or tag this provider does not take.
    fn seal(&self, key: &Self::Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError>;

    /// Decrypts and authenticates `text` (ciphertext and tag) in place and cuts the tag off. On an error `text` is emptied.
    ///
    /// # Errors
    /// [`CryptoError::Unauthentic`], and those of [`Crypto::seal`].
    fn open(&self, key: &Self::Key, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError>;

    /// Encrypts `text` in place; padding and wrapping make it longer.
    ///
    /// # Errors
    /// [`CryptoError::Length`], [`CryptoError::Invalid`].
    fn encrypt(&self, _key: &Self::Key, _mode: Mode<'_>, _text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// Decrypts `text` in place. On an error `text` is emptied.
    ///
    /// # Errors
    /// [`CryptoError::Unauthentic`] for wrong padding or a wrong integrity check, and those of [`Crypto::encrypt`].
    fn decrypt(&self, _key: &Self::Key, _mode: Mode<'_>, _text: &mut Vec<u8>) -> Result<(), CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// RSA encryption with a public key.
    ///
    /// # Errors
    /// [`CryptoError::Length`] for a message too long for padding and modulus, [`CryptoError::Invalid`].
    fn rsa_encrypt(&self, _key: &Self::Key, _padding: Padding<'_>, _text: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// RSA decryption with a private key, blinded (R25).
    ///
    /// # Errors
    /// [`CryptoError::Length`] for a ciphertext that is not as long as the modulus; [`CryptoError::Unauthentic`] for OAEP
    /// only, and in a time that does not tell why.
    fn rsa_decrypt(
        &self,
        _key: &Self::Key,
        _padding: Padding<'_>,
        _text: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// Diffie-Hellman with a peer's public key: on a [`Curve`] the x coordinate (SP 800-56A §5.7.1.2), on X25519 RFC 7748
    /// §6.1, where an all-zero result is an error.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`].
    fn agree(&self, _key: &Self::Key, _peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// ML-KEM encapsulation to a public key: the ciphertext and the 32-byte shared secret.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`], [`CryptoError::Entropy`].
    fn encapsulate(&self, _key: &Self::Key) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// ML-KEM decapsulation; a forged ciphertext gives another secret, not an error (FIPS 203 §6.3).
    ///
    /// # Errors
    /// [`CryptoError::Length`] for a ciphertext of the wrong length.
    fn decapsulate(&self, _key: &Self::Key, _ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// Derives `out` from a secret.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] for an output too long; [`CryptoError::Unsupported`].
    fn derive(&self, _secret: &[u8], _kdf: Kdf<'_>, _out: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// Splits a secret among `count` points, of which any `threshold` (from 2) join: Shamir's scheme over GF(2^8), byte by byte,
    /// at the points from 1. Fewer say nothing about it.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] for numbers that make no scheme; [`CryptoError::Entropy`]; [`CryptoError::Unsupported`].
    fn split(&self, _secret: &[u8], _threshold: u8, _count: u8) -> Result<Vec<SharePoint>, CryptoError> {
        Err(CryptoError::Unsupported)
    }

    /// Joins as many points as the threshold of [`Crypto::split`]. It cannot tell whether they belong together.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] for points that are none of one secret: of different lengths, or the same twice.
    fn join(&self, _points: &[SharePoint]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Err(CryptoError::Unsupported)
    }
}
