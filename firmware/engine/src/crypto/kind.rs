//! What keys, hashes and modes there are, and what each takes: the vocabulary of [`super::Crypto`].

use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Hash functions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Hash {
    /// SHA-1 (FIPS 180-4): broken for signatures; OAEP, MGF1 and PBKDF2 of old clients still name it (SP 800-131A §9).
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA3-224 (FIPS 202).
    Sha3_224,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
    /// SHA3-512.
    Sha3_512,
}

impl Hash {
    /// All of them.
    pub const ALL: [Hash; 9] = [
        Hash::Sha1,
        Hash::Sha224,
        Hash::Sha256,
        Hash::Sha384,
        Hash::Sha512,
        Hash::Sha3_224,
        Hash::Sha3_256,
        Hash::Sha3_384,
        Hash::Sha3_512,
    ];

    /// Bytes of its output.
    pub const fn length(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha224 | Hash::Sha3_224 => 28,
            Hash::Sha256 | Hash::Sha3_256 => 32,
            Hash::Sha384 | Hash::Sha3_384 => 48,
            Hash::Sha512 | Hash::Sha3_512 => 64,
        }
    }

    /// What a provider must have for it.
    pub const fn feature(self) -> Feature {
        match self {
            Hash::Sha256 | Hash::Sha384 | Hash::Sha512 => Feature::Core,
            Hash::Sha1 | Hash::Sha224 => Feature::Sha2Short,
            Hash::Sha3_224 | Hash::Sha3_256 | Hash::Sha3_384 | Hash::Sha3_512 => Feature::Sha3,
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

/// Elliptic curves in short Weierstrass form (SP 800-186 §3.2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    /// Bytes of a scalar, of a coordinate and of half a signature.
    pub const fn scalar(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }
}

/// Parameter sets of ML-DSA (FIPS 204 §4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MlDsa {
    /// ML-DSA-44.
    L44,
    /// ML-DSA-65.
    L65,
    /// ML-DSA-87.
    L87,
}

impl MlDsa {
    /// Bytes of a public key.
    pub const fn public(self) -> usize {
        match self {
            MlDsa::L44 => 1312,
            MlDsa::L65 => 1952,
            MlDsa::L87 => 2592,
        }
    }

    /// Bytes of an expanded private key (FIPS 204 `skEncode`).
    pub const fn private(self) -> usize {
        match self {
            MlDsa::L44 => 2560,
            MlDsa::L65 => 4032,
            MlDsa::L87 => 4896,
        }
    }

    /// Bytes of a signature.
    pub const fn signature(self) -> usize {
        match self {
            MlDsa::L44 => 2420,
            MlDsa::L65 => 3309,
            MlDsa::L87 => 4627,
        }
    }
}

/// Parameter sets of ML-KEM (FIPS 203 §8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MlKem {
    /// ML-KEM-512.
    L512,
    /// ML-KEM-768.
    L768,
    /// ML-KEM-1024.
    L1024,
}

impl MlKem {
    /// Bytes of an encapsulation key.
    pub const fn public(self) -> usize {
        match self {
            MlKem::L512 => 800,
            MlKem::L768 => 1184,
            MlKem::L1024 => 1568,
        }
    }

    /// Bytes of a decapsulation key.
    pub const fn private(self) -> usize {
        match self {
            MlKem::L512 => 1632,
            MlKem::L768 => 2400,
            MlKem::L1024 => 3168,
        }
    }

    /// Bytes of a ciphertext.
    pub const fn ciphertext(self) -> usize {
        match self {
            MlKem::L512 => 768,
            MlKem::L768 => 1088,
            MlKem::L1024 => 1568,
        }
    }
}

/// Bytes of the seed an ML-DSA key pair is made from (FIPS 204 ξ).
pub const ML_DSA_SEED: usize = 32;
/// Bytes of the seed an ML-KEM key pair is made from (FIPS 203 `d ‖ z`).
pub const ML_KEM_SEED: usize = 64;

/// Kinds of key pairs, with the encodings that a provider takes and gives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PairKind {
    /// ECDSA and ECDH. Secret: the scalar, big-endian, [`Curve::scalar`] bytes. Public: `04 ‖ x ‖ y` (SEC 1 §2.3.3).
    Ec(Curve),
    /// Ed25519 (RFC 8032 §5.1). Secret: the 32-byte seed. Public: the 32-byte point.
    Ed25519,
    /// X25519 (RFC 7748). Secret and public: 32 bytes, little-endian.
    X25519,
    /// ML-DSA. Secret: the [`ML_DSA_SEED`]-byte seed, or the [`MlDsa::private`]-byte expanded key; the length tells which.
    /// Public: [`MlDsa::public`] bytes.
    MlDsa(MlDsa),
    /// ML-KEM. Secret: the [`ML_KEM_SEED`]-byte seed, or the [`MlKem::private`]-byte decapsulation key; the length tells
    /// which. Public: [`MlKem::public`] bytes.
    MlKem(MlKem),
    /// RSA with two primes, [`RSA_BITS`] and an odd public exponent from 65537 to 33 bits. Secret: DER `RSAPrivateKey`.
    /// Public: DER `RSAPublicKey` (RFC 8017 A.1).
    Rsa,
}

/// Lengths of an RSA modulus, in bits: multiples of 8.
pub const RSA_BITS: core::ops::RangeInclusive<u32> = 2048..=4096;

/// What a key is for a provider.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KeyKind {
    /// One half of a key pair.
    Pair(PairKind),
    /// AES for every mode but XTS. The secret is 16, 24 or 32 bytes.
    Aes,
    /// AES for XTS: two different keys of 16 or of 32 bytes, one after the other (SP 800-38E, FIPS 140-3 IG C.I).
    AesXts,
    /// A key of HMAC and of key derivation, of any length from 1 byte.
    Hmac,
}

/// A key that was just generated.
pub struct KeyMaterial {
    /// As [`KeyKind`] says; of ML-DSA and ML-KEM the seed.
    pub secret: Zeroizing<Vec<u8>>,
    /// As [`PairKind`] says.
    pub public: Vec<u8>,
}

/// Signature schemes with their parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme<'a> {
    /// ECDSA over a digest of 20 to 64 bytes, cut to the curve's size as FIPS 186-5 §6.4.1 says. The signature is
    /// `r ‖ s`, each [`Curve::scalar`] bytes.
    Ecdsa,
    /// Ed25519 over the message (RFC 8032 §5.1.6).
    Ed25519,
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2). With a hash the message is its digest, and the provider makes the DigestInfo;
    /// without one it is the DigestInfo, or whatever the caller puts there, at most the modulus less 11 bytes.
    Pkcs1(Option<Hash>),
    /// RSASSA-PSS over a digest (RFC 8017 §8.1) with MGF1 of `mgf` and a salt of `salt` bytes.
    Pss {
        /// The hash the digest was made with.
        hash: Hash,
        /// MGF1's.
        mgf: Hash,
        /// Bytes of salt.
        salt: usize,
    },
    /// ML-DSA, hedged (FIPS 204 §5.2), with a context of at most 255 bytes. Without a hash over the message; with one over
    /// its digest (HashML-DSA, §5.4).
    MlDsa {
        /// Separates one use of the key from another.
        context: &'a [u8],
        /// HashML-DSA's.
        prehash: Option<Hash>,
    },
}

/// AES modes that only encipher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode<'a> {
    /// ECB (SP 800-38A §6.1): whole blocks.
    Ecb,
    /// CBC (§6.2): whole blocks.
    Cbc(&'a [u8; BLOCK]),
    /// CBC, padded to whole blocks with bytes that each hold their number (RFC 5652 §6.3).
    CbcPad(&'a [u8; BLOCK]),
    /// CTR (§6.5): the first counter block, which counts up over all its 128 bits.
    Ctr(&'a [u8; BLOCK]),
    /// XTS (IEEE 1619): one data unit of at least a block, with its tweak.
    Xts(&'a [u8; BLOCK]),
    /// KW (SP 800-38F §6.2): at least two half-blocks; it authenticates.
    Kw,
    /// KWP (§6.3): at least one byte; it authenticates.
    Kwp,
}

/// Bytes of an AES block.
pub const BLOCK: usize = 16;

/// An authenticated mode of AES with what a message needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Aead<'a> {
    /// GCM or CCM.
    pub mode: AeadMode,
    /// For GCM from 1 byte ([`super::IV`] are what every provider takes), for CCM 7 to 13.
    pub iv: &'a [u8],
    /// Authenticated, not encrypted.
    pub aad: &'a [u8],
    /// Bytes of the tag at the end of the ciphertext: for GCM 12 to 16, for CCM 4, 6, 8, 10, 12, 14 or 16.
    pub tag: usize,
}

impl<'a> Aead<'a> {
    /// GCM with the full tag.
    pub const fn gcm(iv: &'a [u8], aad: &'a [u8]) -> Self {
        Aead { mode: AeadMode::Gcm, iv, aad, tag: super::TAG }
    }
}

/// Authenticated modes of AES.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AeadMode {
    /// SP 800-38D.
    Gcm,
    /// SP 800-38C.
    Ccm,
}

/// Paddings of RSA encryption.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Padding<'a> {
    /// RSAES-PKCS1-v1_5 (RFC 8017 §7.2). Decryption never says that the padding is wrong: it answers a random-looking
    /// message that depends on key and ciphertext (R25, implicit rejection).
    Pkcs1,
    /// RSAES-OAEP (§7.1) with MGF1 of `mgf`.
    Oaep {
        /// The label's hash.
        hash: Hash,
        /// MGF1's.
        mgf: Hash,
        /// The label.
        label: &'a [u8],
    },
}

/// Key derivation functions that a provider's library has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kdf<'a> {
    /// HKDF-Extract (RFC 5869 §2.2); the output is exactly the hash's length.
    HkdfExtract {
        /// HMAC's hash.
        hash: Hash,
        /// Empty for none.
        salt: &'a [u8],
    },
    /// HKDF-Expand (§2.3) of a pseudorandom key; at most 255 times the hash's length.
    HkdfExpand {
        /// HMAC's hash.
        hash: Hash,
        /// Context.
        info: &'a [u8],
    },
    /// PBKDF2 (RFC 8018 §5.2).
    Pbkdf2 {
        /// HMAC's hash.
        hash: Hash,
        /// Salt.
        salt: &'a [u8],
        /// From 1.
        iterations: u32,
    },
}

/// What not every provider has. A mechanism that needs what is missing is not listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Feature {
    /// Every provider: P-256, P-384, AES-GCM with IVs of 12 bytes and full tags, SHA-256, -384, -512 and their HMAC.
    Core,
    /// SHA-1 and SHA-224.
    Sha2Short,
    /// SHA-3.
    Sha3,
    /// P-521.
    P521,
    /// [`super::Crypto::agree`] on the curves there are.
    Ecdh,
    /// Ed25519.
    Ed25519,
    /// X25519.
    X25519,
    /// RSA.
    Rsa,
    /// ML-DSA.
    MlDsa,
    /// ML-KEM.
    MlKem,
    /// ECB, CBC, CBC-PAD and CTR.
    AesModes,
    /// XTS.
    Xts,
    /// CCM.
    Ccm,
    /// GCM with any IV, and with shorter tags.
    GcmAny,
    /// CMAC.
    Cmac,
    /// KW and KWP.
    KeyWrap,
    /// [`super::Crypto::derive`].
    Kdf,
}
