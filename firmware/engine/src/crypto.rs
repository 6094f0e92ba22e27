//! What the engine asks of a cryptographic provider. There are two: `crypto-native` (aws-lc-rs) and `crypto-portable`
//! (RustCrypto), each tested against the same vectors and against the other.

use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Bytes of an AES-GCM tag at full length.
pub const TAG: usize = 16;
/// Bytes of the only AES-GCM IV length both providers must take (SP 800-38D §5.2.1.1 recommends it).
pub const IV: usize = 12;

/// Why a provider refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CryptoError {
    /// The random number source failed; nothing was made.
    Entropy,
    /// A key, point, length or parameter is not valid.
    Invalid,
    /// A signature, MAC or tag is not authentic.
    Unauthentic,
    /// The provider does not have this.
    Unsupported,
    /// A pairwise consistency test failed (R6): the engine goes to its error state.
    Inconsistent,
}

/// Hash functions (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Bytes of its output.
    pub const fn length(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }
}

/// A hash's or MAC's output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest {
    bytes: [u8; 64],
    length: usize,
}

impl Digest {
    /// From at most 64 bytes; more are cut off.
    pub fn new(bytes: &[u8]) -> Self {
        let mut digest = Digest { bytes: [0; 64], length: bytes.len().min(64) };
        digest.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        digest
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Elliptic curves (SP 800-186).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
}

impl Curve {
    /// Bytes of a scalar, of a coordinate and of half a signature.
    pub const fn scalar(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
        }
    }
}

/// What a key is for a provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// ECDSA on a curve. The secret is the scalar, big-endian, [`Curve::scalar`] bytes.
    Ec(Curve),
    /// AES for GCM. The secret is 16, 24 or 32 bytes.
    Aes,
    /// An HMAC key of any length from 1 byte.
    Hmac,
}

/// A key that was just generated.
pub struct KeyMaterial {
    /// As [`KeyKind`] says.
    pub secret: Zeroizing<Vec<u8>>,
    /// For EC the uncompressed point, `04 ‖ x ‖ y` (SEC 1 §2.3.3); else empty.
    pub public: Vec<u8>,
}

/// A cryptographic provider. Every method may be called from many threads at once.
pub trait Crypto: Send + Sync + 'static {
    /// A parsed key, ready for use, wiped on drop. Parsing happens once; using it allocates nothing but the result.
    type Key: Send + Sync;

    /// Fills `out` from a DRBG (SP 800-90A).
    ///
    /// # Errors
    /// [`CryptoError::Entropy`]: `out` must not be used.
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError>;

    /// Hashes the concatenation of `parts`.
    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Digest;

    /// Generates an EC key pair (FIPS 186-5 A.2) and passes the pairwise consistency test (FIPS 140-3 IG 10.3.A).
    ///
    /// # Errors
    /// [`CryptoError::Entropy`], [`CryptoError::Inconsistent`].
    fn generate_ec(&self, curve: Curve) -> Result<KeyMaterial, CryptoError>;

    /// Parses a secret.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] for a wrong length or a scalar out of range.
    fn load(&self, kind: KeyKind, secret: &[u8]) -> Result<Self::Key, CryptoError>;

    /// The uncompressed public point of an EC secret.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`].
    fn public(&self, curve: Curve, secret: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// Whether these bytes are an uncompressed point on the curve, not the point at infinity (SP 800-56A §5.6.2.3.4).
    fn valid_point(&self, curve: Curve, point: &[u8]) -> bool;

    /// ECDSA over a digest of 20 to 64 bytes, cut to the curve's size as FIPS 186-5 §6.4.1 says; returns `r ‖ s`, each
    /// [`Curve::scalar`] bytes.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] when the key is of another kind, [`CryptoError::Entropy`].
    fn sign(&self, key: &Self::Key, digest: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// Checks `r ‖ s` over a digest against an uncompressed point.
    ///
    /// # Errors
    /// [`CryptoError::Unauthentic`]; [`CryptoError::Invalid`] for a point not on the curve or a wrong length.
    fn verify(&self, curve: Curve, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), CryptoError>;

    /// HMAC (FIPS 198-1) of the concatenation of `parts`.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] when the key is of another kind.
    fn mac(&self, key: &Self::Key, hash: Hash, parts: &[&[u8]]) -> Result<Digest, CryptoError>;

    /// AES-GCM (SP 800-38D): encrypts `text` in place and appends the 16-byte tag.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] when the key is of another kind; [`CryptoError::Unsupported`] for an IV that is not
    /// [`IV`] bytes and that this provider does not take.
    fn seal(&self, key: &Self::Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError>;

    /// Decrypts and authenticates `text` (ciphertext and 16-byte tag) in place and cuts the tag off. On an error `text` is
    /// emptied.
    ///
    /// # Errors
    /// [`CryptoError::Unauthentic`], and those of [`Crypto::seal`].
    fn open(&self, key: &Self::Key, iv: &[u8], aad: &[u8], text: &mut Vec<u8>) -> Result<(), CryptoError>;
}
