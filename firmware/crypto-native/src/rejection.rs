//! Decryption of PKCS#1 v1.5 with implicit rejection: wrong padding gives a message that looks random, not an error.
//!
//! As OpenSSL 3.2 does it and draft-irtf-cfrg-rsa-guidance §7 says it, so that both sides of a pair of appliances, and any
//! other library with the same key, answer the same: the message and its length come from HMAC-SHA-256 under a key made of
//! the private exponent and the ciphertext. AWS-LC undoes the blinded exponentiation; nothing below branches or indexes by
//! what it found until the length of the answer, which the caller learns anyway (R25).

use std::sync::OnceLock;

use coloa_engine::{CryptoError, Hash};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeLess};
use zeroize::Zeroizing;

use crate::ffi::{HmacState, RsaKey, digest};

/// Bytes before the message: two of header, eight of padding at least; then the zero (RFC 8017 §7.2.1).
const PADDING_END: u32 = 10;
/// Candidates for the synthetic length, two bytes each.
const CANDIDATES: usize = 256;

/// The key from which synthetic messages come, made at the first decryption: HMAC keyed with the hash of the exponent.
#[derive(Default)]
pub(crate) struct Rejection(OnceLock<Option<Box<HmacState>>>);

impl Rejection {
    /// Decrypts a ciphertext as long as the modulus.
    pub(crate) fn decrypt(&self, key: &RsaKey, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let padded = if key.is_fixed(ciphertext) {
            // Its own plaintext, whose padding is wrong.
            Zeroizing::new(ciphertext.to_vec())
        } else {
            key.decrypt_raw(ciphertext).ok_or(CryptoError::Invalid)?
        };
        let state = self.0.get_or_init(|| keyed(key)).as_ref().ok_or(CryptoError::Invalid)?;
        let synthetic = Synthetic::new(state, ciphertext).ok_or(CryptoError::Invalid)?;
        Ok(unpad(&padded, &synthetic))
    }
}

fn keyed(key: &RsaKey) -> Option<Box<HmacState>> {
    let exponent = key.exponent()?;
    let hash = Zeroizing::new(digest(Hash::Sha256, &[&exponent]).as_ref().to_vec());
    HmacState::new(Hash::Sha256, &hash).map(Box::new)
}

/// What wrong padding is answered with.
struct Synthetic {
    /// As long as the modulus; the message is its end.
    bytes: Zeroizing<Vec<u8>>,
    length: u32,
}

impl Synthetic {
    fn new(state: &HmacState, ciphertext: &[u8]) -> Option<Self> {
        let key = Zeroizing::new(state.mac(&[ciphertext])?.as_ref().to_vec());
        let state = HmacState::new(Hash::Sha256, &key)?;
        let mut bytes = Zeroizing::new(vec![0; ciphertext.len()]);
        prf(&state, b"message", &mut bytes)?;
        let mut candidates = Zeroizing::new([0; CANDIDATES]);
        prf(&state, b"length", &mut *candidates)?;
        let longest = u32::try_from(ciphertext.len()).ok()?.checked_sub(PADDING_END)?;
        Some(Synthetic { bytes, length: last_below(longest, &candidates) })
    }
}

/// The last candidate, cut to as many bits as the limit has, that is below it.
fn last_below(limit: u32, candidates: &[u8; CANDIDATES]) -> u32 {
    let mask = limit.checked_next_power_of_two().map_or(u32::MAX, |power| power.wrapping_sub(1)) | limit;
    let (pairs, _) = candidates.as_chunks::<2>();
    pairs.iter().fold(0, |length, pair| {
        let candidate = u32::from(u16::from_be_bytes(*pair)) & mask;
        u32::conditional_select(&length, &candidate, candidate.ct_lt(&limit))
    })
}

/// The draft's pseudorandom function: HMAC over counter, label and the output's length in bits.
fn prf(state: &HmacState, label: &[u8], out: &mut [u8]) -> Option<()> {
    let bits = u16::try_from(out.len().checked_mul(8)?).ok()?.to_be_bytes();
    for (counter, chunk) in (0_u16..).zip(out.chunks_mut(32)) {
        let block = state.mac(&[&counter.to_be_bytes(), label, &bits])?;
        chunk.iter_mut().zip(block.as_ref()).for_each(|(to, from)| *to = *from);
    }
    Some(())
}

/// The message in `padded`, or the synthetic one.
fn unpad(padded: &[u8], synthetic: &Synthetic) -> Zeroizing<Vec<u8>> {
    let (good, zero) = find_message(padded);
    let total = u32::try_from(padded.len()).unwrap_or(u32::MAX);
    let start = u32::conditional_select(&(total - synthetic.length), &(zero + 1), good);
    let chosen = synthetic.bytes.iter().zip(padded).map(|(no, yes)| u8::conditional_select(no, yes, good));
    let mut message = Zeroizing::new(chosen.collect::<Vec<u8>>());
    message.drain(..usize::try_from(start).unwrap_or(usize::MAX).min(padded.len()));
    message
}

/// Whether the padding is right, and where the zero is that ends it.
fn find_message(padded: &[u8]) -> (Choice, u32) {
    let (mut found, mut zero) = (Choice::from(0), 0);
    for (index, byte) in (0_u32..).zip(padded).skip(2) {
        let first = byte.ct_eq(&0) & !found;
        zero = u32::conditional_select(&zero, &index, first);
        found |= first;
    }
    let header = padded.first().map_or(Choice::from(0), |byte| byte.ct_eq(&0))
        & padded.get(1).map_or(Choice::from(0), |byte| byte.ct_eq(&2));
    (header & found & !zero.ct_lt(&PADDING_END), zero)
}
