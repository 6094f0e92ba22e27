//! HMAC_DRBG with SHA-256 (SP 800-90A Rev. 1 §10.1.2), because no kept crate offers it: `hmac-drbg` is
//! still on `digest` 0.9, and `rfc6979` keeps its own private.
//!
//! It trusts its entropy input to hold 256 bits of entropy; it asks for [`SEED`] bytes, which serve as entropy input
//! and nonce (§8.6.7 lets them be one string). Invariants: no output before it is seeded, none after
//! [`RESEED_INTERVAL`] requests without new entropy (R7); `K` and `V` are replaced after every request and wiped on
//! drop.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of entropy input taken to seed: 256 bits and a nonce of 128 (SP 800-90A §8.6.7).
pub(crate) const SEED: usize = 48;
/// Requests between reseeds; SP 800-90A table 2 allows 2^48, a board can afford new entropy far more often.
pub(crate) const RESEED_INTERVAL: u32 = 1 << 10;
/// Bytes of one request, 2^19 bits (SP 800-90A table 2).
pub(crate) const MAX_REQUEST: usize = 1 << 16;

const OUTPUT: usize = 32;

/// Why nothing was generated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// [`RESEED_INTERVAL`] is over.
    NeedsReseed,
    /// More than [`MAX_REQUEST`] bytes at once.
    TooLong,
}

/// The working state of one instance.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Drbg {
    key: [u8; OUTPUT],
    value: [u8; OUTPUT],
    requests: u32,
}

impl Drbg {
    /// Instantiates (§10.1.2.3). `entropy` is entropy input and nonce; `personalization` may be public.
    pub(crate) fn new(entropy: &[u8], personalization: &[u8]) -> Self {
        let mut drbg = Drbg { key: [0; OUTPUT], value: [1; OUTPUT], requests: 0 };
        drbg.update(&[entropy, personalization]);
        drbg
    }

    /// Requests since the last seed.
    pub(crate) fn requests(&self) -> u32 {
        self.requests
    }

    /// Reseeds (§10.1.2.4).
    pub(crate) fn reseed(&mut self, entropy: &[u8]) {
        self.update(&[entropy]);
        self.requests = 0;
    }

    /// Fills `out` (§10.1.2.5), without additional input.
    pub(crate) fn generate(&mut self, out: &mut [u8]) -> Result<(), Refused> {
        if out.len() > MAX_REQUEST {
            return Err(Refused::TooLong);
        }
        if self.requests >= RESEED_INTERVAL {
            return Err(Refused::NeedsReseed);
        }
        for chunk in out.chunks_mut(OUTPUT) {
            self.value = hmac(&self.key, &[&self.value]);
            chunk.iter_mut().zip(self.value).for_each(|(to, from)| *to = from);
        }
        self.update(&[]);
        self.requests = self.requests.saturating_add(1);
        Ok(())
    }

    /// HMAC_DRBG_Update (§10.1.2.2); `provided` is concatenated.
    fn update(&mut self, provided: &[&[u8]]) {
        self.mix(0, provided);
        if provided.iter().any(|part| !part.is_empty()) {
            self.mix(1, provided);
        }
    }

    fn mix(&mut self, round: u8, provided: &[&[u8]]) {
        let mut mac = keyed(&self.key);
        mac.update(&self.value);
        mac.update(&[round]);
        provided.iter().for_each(|part| mac.update(part));
        self.key = mac.finalize().into_bytes().into();
        self.value = hmac(&self.key, &[&self.value]);
    }
}

/// The known-answer test: instantiate and generate twice (CAVP `HMAC_DRBG.rsp`, SHA-256, no reseed, no personalization,
/// COUNT = 0).
pub(crate) fn known_answer() -> bool {
    const ENTROPY_AND_NONCE: [u8; SEED] = [
        0xca, 0x85, 0x19, 0x11, 0x34, 0x93, 0x84, 0xbf, 0xfe, 0x89, 0xde, 0x1c, 0xbd, 0xc4, 0x6e, 0x68, 0x31, 0xe4,
        0x4d, 0x34, 0xa4, 0xfb, 0x93, 0x5e, 0xe2, 0x85, 0xdd, 0x14, 0xb7, 0x1a, 0x74, 0x88, 0x65, 0x9b, 0xa9, 0x6c,
        0x60, 0x1d, 0xc6, 0x9f, 0xc9, 0x02, 0x94, 0x08, 0x05, 0xec, 0x0c, 0xa8,
    ];
    const RETURNED: [u8; 128] = [
        0xe5, 0x28, 0xe9, 0xab, 0xf2, 0xde, 0xce, 0x54, 0xd4, 0x7c, 0x7e, 0x75, 0xe5, 0xfe, 0x30, 0x21, 0x49, 0xf8,
        0x17, 0xea, 0x9f, 0xb4, 0xbe, 0xe6, 0xf4, 0x19, 0x96, 0x97, 0xd0, 0x4d, 0x5b, 0x89, 0xd5, 0x4f, 0xbb, 0x97,
        0x8a, 0x15, 0xb5, 0xc4, 0x43, 0xc9, 0xec, 0x21, 0x03, 0x6d, 0x24, 0x60, 0xb6, 0xf7, 0x3e, 0xba, 0xd0, 0xdc,
        0x2a, 0xba, 0x6e, 0x62, 0x4a, 0xbf, 0x07, 0x74, 0x5b, 0xc1, 0x07, 0x69, 0x4b, 0xb7, 0x54, 0x7b, 0xb0, 0x99,
        0x5f, 0x70, 0xde, 0x25, 0xd6, 0xb2, 0x9e, 0x2d, 0x30, 0x11, 0xbb, 0x19, 0xd2, 0x76, 0x76, 0xc0, 0x71, 0x62,
        0xc8, 0xb5, 0xcc, 0xde, 0x06, 0x68, 0x96, 0x1d, 0xf8, 0x68, 0x03, 0x48, 0x2c, 0xb3, 0x7e, 0xd6, 0xd5, 0xc0,
        0xbb, 0x8d, 0x50, 0xcf, 0x1f, 0x50, 0xd4, 0x76, 0xaa, 0x04, 0x58, 0xbd, 0xab, 0xa8, 0x06, 0xf4, 0x8b, 0xe9,
        0xdc, 0xb8,
    ];
    answers(&ENTROPY_AND_NONCE, &RETURNED)
}

/// Whether the second output from this seed is the one expected.
fn answers(seed: &[u8], expected: &[u8; 128]) -> bool {
    let mut drbg = Drbg::new(seed, &[]);
    let mut out = [0; 128];
    let generated = drbg.generate(&mut out).and_then(|()| drbg.generate(&mut out));
    generated.is_ok() && out == *expected
}

fn hmac(key: &[u8; OUTPUT], parts: &[&[u8]]) -> [u8; OUTPUT] {
    let mut mac = keyed(key);
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8; OUTPUT]) -> Hmac<Sha256> {
    // A key shorter than the block is padded with zeros (FIPS 198-1 §4), so a whole block cannot be refused.
    let mut block = hmac::digest::array::Array::default();
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mac = Hmac::<Sha256>::new(&block);
    block.zeroize();
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[test]
    fn cavp() {
        for case in vectors::parse(include_str!("../tests/vectors/drbg.txt")) {
            let mut drbg = Drbg::new(&[case.bytes("entropy"), case.bytes("nonce")].concat(), &[]);
            if !case.bytes("reseed").is_empty() {
                drbg.reseed(case.bytes("reseed"));
            }
            let mut out = [0; 128];
            drbg.generate(&mut out).and_then(|()| drbg.generate(&mut out)).expect("generated");
            assert_eq!(out, case.bytes("returned"));
        }
    }

    #[test]
    fn the_known_answer_test_can_fail() {
        assert!(known_answer());
        assert!(!answers(&[1; SEED], &[0; 128]));
    }

    #[test]
    fn it_stops_at_the_limits() {
        let mut drbg = Drbg::new(&[1; SEED], &[]);
        assert_eq!(drbg.generate(&mut std::vec![0; MAX_REQUEST + 1]), Err(Refused::TooLong));
        for _ in 0..RESEED_INTERVAL {
            assert_eq!(drbg.generate(&mut [0; 1]), Ok(()));
        }
        let mut out = [7; 4];
        assert_eq!(drbg.generate(&mut out), Err(Refused::NeedsReseed));
        assert_eq!(out, [7; 4], "nothing may come out");
        drbg.reseed(&[2; SEED]);
        assert_eq!(drbg.generate(&mut out), Ok(()));
    }
}
