//! Signatures on certificates and revocation lists that were verified before. That a signature fits a message and a key is
//! arithmetic: it does not become untrue when trust, policy or the clock change, so it is computed once. Everything that can
//! change (who is an anchor, what is revoked, what has expired, what a path may look like) is judged each time, by webpki.
//!
//! So the certificate of an issuing authority, and its list, cost their verification once and not for each of 3,355 sites;
//! and when a new list comes, thousands of links are judged again in milliseconds. Only what did verify is remembered, which
//! takes a key that a trust anchor vouches for; what is remembered is bounded.

use std::collections::{HashSet, VecDeque};
use std::sync::{LazyLock, RwLock};

use aws_lc_rs::digest;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

/// Signatures remembered by digest before the older half is forgotten: more than sites in a policy.
const MAX_SMALL: usize = 32_768;
/// Octets above which a message is not hashed each time but kept and compared, which is faster: only revocation lists are so
/// long.
const LARGE: usize = 16 << 10;
/// Such messages kept.
const MAX_LARGE: usize = 16;

type Algorithms = Vec<&'static dyn SignatureVerificationAlgorithm>;

/// All of webpki's algorithms, with a memory.
pub fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
        let new = |(number, inner): (u8, &&'static dyn SignatureVerificationAlgorithm)| Known { number, inner: *inner };
        (0..).zip(webpki::ALL_VERIFICATION_ALGS).map(new).collect()
    });
    static ALL: LazyLock<Algorithms> =
        LazyLock::new(|| KNOWN.iter().map(|known| known as &dyn SignatureVerificationAlgorithm).collect());
    &ALL
}

/// One algorithm, asked only for what is new.
#[derive(Debug)]
struct Known {
    number: u8,
    inner: &'static dyn SignatureVerificationAlgorithm,
}

impl SignatureVerificationAlgorithm for Known {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        static MEMORY: LazyLock<Memory> = LazyLock::new(Memory::default);
        let claim = Claim { number: self.number, key, message, signature };
        MEMORY.once(&claim, || self.inner.verify_signature(key, message, signature))
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.signature_alg_id()
    }
}

/// That this signature of this message verifies with this key.
struct Claim<'a> {
    number: u8,
    key: &'a [u8],
    message: &'a [u8],
    signature: &'a [u8],
}

impl Claim<'_> {
    fn digest(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[self.number]);
        for part in [self.key, self.signature, self.message] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        // SHA-256 has 32 octets.
        context.finish().as_ref().try_into().unwrap_or_default()
    }
}

/// A claim on a long message, whole.
struct Large {
    number: u8,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Large {
    fn of(claim: &Claim<'_>) -> Self {
        let [key, message, signature] = [claim.key, claim.message, claim.signature].map(<[u8]>::to_vec);
        Self { number: claim.number, key, message, signature }
    }

    fn is(&self, claim: &Claim<'_>) -> bool {
        let shorter = self.number == claim.number && self.signature == claim.signature && self.key == claim.key;
        shorter && self.message == claim.message
    }
}

#[derive(Default)]
struct Memory {
    small: RwLock<[HashSet<[u8; 32]>; 2]>,
    large: RwLock<VecDeque<Large>>,
}

impl Memory {
    /// Computes only what is not remembered; remembers only what is true.
    fn once(
        &self,
        claim: &Claim<'_>,
        compute: impl FnOnce() -> Result<(), InvalidSignature>,
    ) -> Result<(), InvalidSignature> {
        if claim.message.len() >= LARGE {
            let knows = self.large.read().unwrap_or_else(|e| e.into_inner()).iter().any(|large| large.is(claim));
            return if knows { Ok(()) } else { compute().map(|()| self.keep_large(Large::of(claim))) };
        }
        let digest = claim.digest();
        let knows = self.small.read().unwrap_or_else(|e| e.into_inner()).iter().any(|half| half.contains(&digest));
        if knows { Ok(()) } else { compute().map(|()| self.keep_small(digest)) }
    }

    fn keep_small(&self, digest: [u8; 32]) {
        let mut halves = self.small.write().unwrap_or_else(|e| e.into_inner());
        let [young, old] = &mut *halves;
        if young.len() >= MAX_SMALL / 2 {
            *old = std::mem::take(young);
        }
        young.insert(digest);
    }

    fn keep_large(&self, large: Large) {
        let mut all = self.large.write().unwrap_or_else(|e| e.into_inner());
        if all.len() >= MAX_LARGE {
            all.pop_front();
        }
        all.push_back(large);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(message: &[u8]) -> Claim<'_> {
        Claim { number: 1, key: b"key", message, signature: b"signature" }
    }

    #[test]
    fn what_is_true_is_computed_once_and_what_is_not_each_time() {
        let long = vec![7; LARGE];
        for message in [b"short".as_slice(), &long] {
            let (memory, claim) = (Memory::default(), claim(message));
            assert!(memory.once(&claim, || Err(InvalidSignature)).is_err());
            assert!(
                memory.once(&claim, || Err(InvalidSignature)).is_err(),
                "a refusal is not remembered as its opposite"
            );
            memory.once(&claim, || Ok(())).expect("true");
            memory.once(&claim, || panic!("it is known")).expect("still true");
        }
    }

    #[test]
    fn every_part_of_a_claim_counts() {
        let long = vec![7; LARGE];
        for message in [b"short".as_slice(), &long] {
            let memory = Memory::default();
            memory.once(&claim(message), || Ok(())).expect("true");
            let other = [&message[1..], b"x"].concat();
            let claims = [
                Claim { number: 2, ..claim(message) },
                Claim { key: b"another", ..claim(message) },
                Claim { signature: b"another", ..claim(message) },
                claim(&other),
                // The same octets, cut elsewhere.
                Claim { key: b"keysignature", signature: b"", ..claim(message) },
            ];
            for claim in claims {
                assert!(memory.once(&claim, || Err(InvalidSignature)).is_err());
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let memory = Memory::default();
        for number in 0..2 * MAX_SMALL as u64 {
            memory.once(&claim(&number.to_be_bytes()), || Ok(())).expect("true");
        }
        let halves = memory.small.read().expect("lock");
        assert!(halves.iter().map(HashSet::len).sum::<usize>() <= MAX_SMALL);
        for number in 0..2 * MAX_LARGE {
            memory.once(&claim(&vec![number as u8; LARGE]), || Ok(())).expect("true");
        }
        assert_eq!(memory.large.read().expect("lock").len(), MAX_LARGE);
    }
}
