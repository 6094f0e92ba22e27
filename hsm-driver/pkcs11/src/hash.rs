//! Hash functions, computed here: what is public is computed at the caller. With each stand the mechanisms that use it.

use aws_lc_rs::digest::{self, Algorithm, Context};
use coloa_wire::MechanismType as M;
use coloa_wire::attribute::key_type;
use sha3::Digest as _;

/// A hash function.
pub(crate) struct Hash {
    pub(crate) digest: M,
    pub(crate) hmac: Option<M>,
    pub(crate) hmac_general: Option<M>,
    pub(crate) ecdsa: M,
    pub(crate) pkcs1: Option<M>,
    pub(crate) pss: Option<M>,
    pub(crate) ml_dsa: Option<M>,
    /// The type of a key that is for this hash's HMAC only.
    pub(crate) key_type: Option<u64>,
    by: By,
}

/// Who computes it. AWS-LC's safe crate has no SHA3-224.
enum By {
    AwsLc(&'static Algorithm),
    Sha3_224,
}

/// Bytes of the longest digest.
const MAX_DIGEST: usize = 64;

macro_rules! hashes {
    ($($digest:ident $hmac:ident $general:ident $ecdsa:ident $pkcs1:ident $pss:ident $ml_dsa:ident $by:expr;)*) => {
        /// Every one that is offered.
        pub(crate) static HASHES: &[Hash] = &[$(Hash {
            digest: M::$digest,
            hmac: Some(M::$hmac),
            hmac_general: Some(M::$general),
            ecdsa: M::$ecdsa,
            pkcs1: Some(M::$pkcs1),
            pss: Some(M::$pss),
            ml_dsa: Some(M::$ml_dsa),
            key_type: Some(key_type::$hmac),
            by: $by,
        }),*];
    };
}
hashes! {
    SHA256 SHA256_HMAC SHA256_HMAC_GENERAL ECDSA_SHA256 SHA256_RSA_PKCS SHA256_RSA_PKCS_PSS HASH_ML_DSA_SHA256
        By::AwsLc(&digest::SHA256);
    SHA384 SHA384_HMAC SHA384_HMAC_GENERAL ECDSA_SHA384 SHA384_RSA_PKCS SHA384_RSA_PKCS_PSS HASH_ML_DSA_SHA384
        By::AwsLc(&digest::SHA384);
    SHA512 SHA512_HMAC SHA512_HMAC_GENERAL ECDSA_SHA512 SHA512_RSA_PKCS SHA512_RSA_PKCS_PSS HASH_ML_DSA_SHA512
        By::AwsLc(&digest::SHA512);
    SHA224 SHA224_HMAC SHA224_HMAC_GENERAL ECDSA_SHA224 SHA224_RSA_PKCS SHA224_RSA_PKCS_PSS HASH_ML_DSA_SHA224
        By::AwsLc(&digest::SHA224);
    SHA3_256 SHA3_256_HMAC SHA3_256_HMAC_GENERAL ECDSA_SHA3_256 SHA3_256_RSA_PKCS SHA3_256_RSA_PKCS_PSS
        HASH_ML_DSA_SHA3_256 By::AwsLc(&digest::SHA3_256);
    SHA3_384 SHA3_384_HMAC SHA3_384_HMAC_GENERAL ECDSA_SHA3_384 SHA3_384_RSA_PKCS SHA3_384_RSA_PKCS_PSS
        HASH_ML_DSA_SHA3_384 By::AwsLc(&digest::SHA3_384);
    SHA3_512 SHA3_512_HMAC SHA3_512_HMAC_GENERAL ECDSA_SHA3_512 SHA3_512_RSA_PKCS SHA3_512_RSA_PKCS_PSS
        HASH_ML_DSA_SHA3_512 By::AwsLc(&digest::SHA3_512);
    SHA3_224 SHA3_224_HMAC SHA3_224_HMAC_GENERAL ECDSA_SHA3_224 SHA3_224_RSA_PKCS SHA3_224_RSA_PKCS_PSS
        HASH_ML_DSA_SHA3_224 By::Sha3_224;
}

/// For ECDSA of old clients, and for nothing else: it is not among the digests that are offered.
pub(crate) static SHA1: Hash = Hash {
    digest: M::SHA_1,
    hmac: None,
    hmac_general: None,
    ecdsa: M::ECDSA_SHA1,
    pkcs1: None,
    pss: None,
    ml_dsa: None,
    key_type: None,
    by: By::AwsLc(&digest::SHA1_FOR_LEGACY_USE_ONLY),
};

impl Hash {
    /// The hash of a digest mechanism.
    pub(crate) fn of_digest(kind: M) -> Option<&'static Hash> {
        HASHES.iter().find(|hash| hash.digest == kind)
    }

    /// Bytes of its digest.
    pub(crate) fn length(&self) -> usize {
        match self.by {
            By::AwsLc(algorithm) => algorithm.output_len(),
            By::Sha3_224 => 28,
        }
    }

    /// Begins to hash.
    pub(crate) fn start(&self) -> Hashing {
        match self.by {
            By::AwsLc(algorithm) => Hashing::AwsLc(Context::new(algorithm)),
            By::Sha3_224 => Hashing::Sha3_224(Box::default()),
        }
    }
}

/// A hash that is not done.
pub(crate) enum Hashing {
    AwsLc(Context),
    /// It is large.
    Sha3_224(Box<sha3::Sha3_224>),
}

impl Hashing {
    pub(crate) fn update(&mut self, part: &[u8]) {
        match self {
            Hashing::AwsLc(context) => context.update(part),
            Hashing::Sha3_224(state) => state.update(part),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Hashing::AwsLc(context) => Digest::new(context.finish().as_ref()),
            Hashing::Sha3_224(state) => Digest::new(&(*state).finalize()),
        }
    }
}

/// A digest.
pub(crate) struct Digest {
    bytes: [u8; MAX_DIGEST],
    length: usize,
}

impl Digest {
    fn new(bytes: &[u8]) -> Self {
        let mut digest = Digest { bytes: [0; MAX_DIGEST], length: bytes.len().min(MAX_DIGEST) };
        digest.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        digest
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_gives_as_many_bytes_as_it_says() {
        for hash in HASHES.iter().chain([&SHA1]) {
            assert_eq!(hash.start().finish().as_ref().len(), hash.length());
        }
    }
}
