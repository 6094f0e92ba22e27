//! AES in every mode: what is keyed is kept, made at its first use; lengths and errors.

use std::sync::OnceLock;

use aes::Aes128;
use aes::cipher::KeyInit;
use coloa_engine::crypto::{AeadMode, BLOCK, Mode};
use coloa_engine::{Aead, CryptoError, Digest};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};
use xts_mode::Xts128;
use zeroize::{Zeroize, Zeroizing};

use crate::ffi::{Cmac, DecryptKey, EncryptKey, Gcm, ccm_open, ccm_seal, xts};

/// Bytes of the shortest and longest tag of GCM (SP 800-38D §5.2.1.2, without its short tags).
const GCM_TAGS: core::ops::RangeInclusive<usize> = 12..=16;
/// Bytes of the longest tag.
const MAX_TAG: usize = 16;
/// Bytes of CCM's nonces (SP 800-38C A.1).
const CCM_NONCES: core::ops::RangeInclusive<usize> = 7..=13;
/// Bytes of a half-block, which KW works on.
const SEMIBLOCK: usize = 8;
/// Bytes of the longest data unit of XTS: 2^20 blocks (SP 800-38E §4).
const MAX_DATA_UNIT: usize = BLOCK << 20;

/// What is made at its first use; none when AWS-LC had no memory for it.
type Lazy<T> = OnceLock<Option<T>>;

fn made<T>(slot: &Lazy<T>, make: impl FnOnce() -> Option<T>) -> Result<&T, CryptoError> {
    slot.get_or_init(make).as_ref().ok_or(CryptoError::Invalid)
}

/// A key for every mode but XTS.
pub(crate) struct AesKey {
    secret: Zeroizing<Vec<u8>>,
    encrypt: Lazy<EncryptKey>,
    decrypt: Lazy<DecryptKey>,
    /// For each length in [`GCM_TAGS`].
    gcm: [Lazy<Gcm>; 5],
    cmac: Lazy<Cmac>,
}

impl AesKey {
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        matches!(secret.len(), 16 | 24 | 32).then(|| AesKey {
            secret: Zeroizing::new(secret.to_vec()),
            encrypt: OnceLock::new(),
            decrypt: OnceLock::new(),
            gcm: [const { OnceLock::new() }; 5],
            cmac: OnceLock::new(),
        })
    }

    pub(crate) fn cmac(&self, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        made(&self.cmac, || Cmac::new(&self.secret))?.mac(parts).ok_or(CryptoError::Invalid)
    }

    pub(crate) fn seal(&self, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        check_aead(aead, text.len())?;
        let mut bytes = [0; MAX_TAG];
        let tag = bytes.get_mut(..aead.tag).ok_or(CryptoError::Invalid)?;
        match aead.mode {
            AeadMode::Gcm => self.gcm(aead.tag)?.seal(aead.iv, aead.aad, text, tag),
            AeadMode::Ccm => ccm_seal(&self.secret, aead.iv, aead.aad, text, tag),
        }
        .ok_or(CryptoError::Length)?;
        text.extend_from_slice(tag);
        Ok(())
    }

    /// Leaves the text without its tag; after an error what is in it means nothing.
    pub(crate) fn open(&self, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let sealed = text.len().checked_sub(aead.tag);
        check_aead(aead, sealed.unwrap_or_default())?;
        let length = sealed.ok_or(CryptoError::Unauthentic)?;
        let (plain, tag) = text.split_at_mut_checked(length).ok_or(CryptoError::Unauthentic)?;
        match aead.mode {
            AeadMode::Gcm => self.gcm(aead.tag)?.open(aead.iv, aead.aad, plain, tag),
            AeadMode::Ccm => ccm_open(&self.secret, aead.iv, aead.aad, plain, tag),
        }
        .ok_or(CryptoError::Unauthentic)?;
        text.truncate(length);
        Ok(())
    }

    fn gcm(&self, tag: usize) -> Result<&Gcm, CryptoError> {
        let slot = tag.checked_sub(*GCM_TAGS.start()).and_then(|at| self.gcm.get(at)).ok_or(CryptoError::Invalid)?;
        made(slot, || Gcm::new(&self.secret, tag))
    }

    fn forward(&self) -> Result<&EncryptKey, CryptoError> {
        made(&self.encrypt, || EncryptKey::new(&self.secret))
    }

    fn inverse(&self) -> Result<&DecryptKey, CryptoError> {
        made(&self.decrypt, || DecryptKey::new(&self.secret))
    }

    pub(crate) fn encrypt(&self, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let key = self.forward()?;
        match mode {
            Mode::Ecb => key.ecb(whole_blocks(text)?),
            Mode::Cbc(iv) => key.cbc(iv, whole_blocks(text)?),
            Mode::CbcPad(iv) => {
                pad(text);
                key.cbc(iv, text);
            }
            Mode::Ctr(first) => key.ctr(first, text),
            Mode::Kw => {
                let wrapped = key.wrap(semiblocks(text, 2)?);
                replace(text, wrapped)?;
            }
            Mode::Kwp => {
                let wrapped = key.wrap_padded(text);
                replace(text, wrapped)?;
            }
            Mode::Xts(_) => return Err(CryptoError::Invalid),
        }
        Ok(())
    }

    /// After an error what is in the text means nothing.
    pub(crate) fn decrypt(&self, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        match mode {
            Mode::Ecb => self.inverse()?.ecb(whole_blocks(text)?),
            Mode::Cbc(iv) => self.inverse()?.cbc(iv, whole_blocks(text)?),
            Mode::CbcPad(iv) => {
                self.inverse()?.cbc(iv, whole_blocks(text)?);
                let length = unpad(text)?;
                text.truncate(length);
            }
            Mode::Ctr(first) => self.forward()?.ctr(first, text),
            Mode::Kw => {
                let length = self.inverse()?.unwrap(semiblocks(text, 3)?);
                text.truncate(length.ok_or(CryptoError::Unauthentic)?);
            }
            Mode::Kwp => {
                let length = self.inverse()?.unwrap_padded(semiblocks(text, 2)?);
                text.truncate(length.ok_or(CryptoError::Unauthentic)?);
            }
            Mode::Xts(_) => return Err(CryptoError::Invalid),
        }
        Ok(())
    }
}

/// What GCM and CCM take; a text's length is CCM's to limit (SP 800-38C A.1: it is written in what the nonce leaves of 15
/// bytes).
fn check_aead(aead: &Aead<'_>, length: usize) -> Result<(), CryptoError> {
    let valid = match aead.mode {
        AeadMode::Gcm => !aead.iv.is_empty() && GCM_TAGS.contains(&aead.tag),
        AeadMode::Ccm => CCM_NONCES.contains(&aead.iv.len()) && matches!(aead.tag, 4 | 6 | 8 | 10 | 12 | 14 | 16),
    };
    if !valid {
        return Err(CryptoError::Invalid);
    }
    let bits = 8 * 15_u32.saturating_sub(u32::try_from(aead.iv.len()).unwrap_or_default());
    let fits = aead.mode == AeadMode::Gcm || length.checked_shr(bits).unwrap_or_default() == 0;
    fits.then_some(()).ok_or(CryptoError::Length)
}

fn whole_blocks(text: &mut Vec<u8>) -> Result<&mut [u8], CryptoError> {
    text.len().is_multiple_of(BLOCK).then_some(text.as_mut_slice()).ok_or(CryptoError::Length)
}

fn semiblocks(text: &mut Vec<u8>, least: usize) -> Result<&mut [u8], CryptoError> {
    let fits = text.len().is_multiple_of(SEMIBLOCK) && text.len() >= least * SEMIBLOCK;
    fits.then_some(text.as_mut_slice()).ok_or(CryptoError::Length)
}

/// Puts what was wrapped in place of what is wiped.
fn replace(text: &mut Vec<u8>, wrapped: Option<Vec<u8>>) -> Result<(), CryptoError> {
    let wrapped = wrapped.ok_or(CryptoError::Length)?;
    text.zeroize();
    *text = wrapped;
    Ok(())
}

/// RFC 5652 §6.3.
fn pad(text: &mut Vec<u8>) {
    let missing = BLOCK - text.len() % BLOCK;
    text.resize(text.len() + missing, u8::try_from(missing).unwrap_or_default());
}

/// The length without padding, found in a time that does not depend on the last block.
fn unpad(text: &[u8]) -> Result<usize, CryptoError> {
    let last = text.last_chunk::<BLOCK>().ok_or(CryptoError::Length)?;
    let number = last[BLOCK - 1];
    let mut good = !number.ct_eq(&0) & !number.ct_gt(&16);
    for (from_end, byte) in (1_u8..).zip(last.iter().rev()) {
        let padding = !from_end.ct_gt(&number);
        good &= !padding | byte.ct_eq(&number);
    }
    let removed = u8::conditional_select(&0, &number, good);
    authentic(good, text.len() - usize::from(removed))
}

fn authentic(good: Choice, length: usize) -> Result<usize, CryptoError> {
    bool::from(good).then_some(length).ok_or(CryptoError::Unauthentic)
}

/// A key for XTS. AWS-LC has XTS-AES-256 only, so XTS-AES-128 is RustCrypto's.
pub(crate) enum XtsKey {
    Aes128(Box<Xts128<Aes128>>),
    Aes256(Zeroizing<[u8; 64]>),
}

impl XtsKey {
    /// Two different keys of the same length.
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        let (first, second) = secret.split_at_checked(secret.len() / 2)?;
        if bool::from(first.ct_eq(second)) {
            return None;
        }
        match secret.len() {
            32 => {
                let (first, second) = (Aes128::new_from_slice(first).ok()?, Aes128::new_from_slice(second).ok()?);
                Some(XtsKey::Aes128(Box::new(Xts128::new(first, second))))
            }
            64 => secret.try_into().ok().map(Zeroizing::new).map(XtsKey::Aes256),
            _ => None,
        }
    }

    /// Encrypts or decrypts one data unit in place.
    pub(crate) fn apply(&self, mode: Mode<'_>, text: &mut [u8], encrypts: bool) -> Result<(), CryptoError> {
        let Mode::Xts(tweak) = mode else { return Err(CryptoError::Invalid) };
        if !(BLOCK..=MAX_DATA_UNIT).contains(&text.len()) {
            return Err(CryptoError::Length);
        }
        match self {
            XtsKey::Aes128(key) if encrypts => key.encrypt_sector(text, (*tweak).into()),
            XtsKey::Aes128(key) => key.decrypt_sector(text, (*tweak).into()),
            XtsKey::Aes256(key) => xts(key, tweak, text, encrypts).ok_or(CryptoError::Length)?,
        }
        Ok(())
    }
}
