//! AES-XTS (IEEE 1619); never audited.

use coloa_engine::CryptoError;
use coloa_engine::crypto::{BLOCK, Mode};
use subtle::ConstantTimeEq;
use xts_mode::Xts128;

use crate::aes::Block;

/// Bytes of the longest data unit: 2^20 blocks (SP 800-38E §4).
const MAX_DATA_UNIT: usize = BLOCK << 20;

/// A parsed key, wiped on drop.
pub(crate) struct XtsKey(Xts128<Block>);

impl XtsKey {
    /// Two different keys of 16 or of 32 bytes.
    pub(crate) fn new(secret: &[u8]) -> Result<Self, CryptoError> {
        let (data, tweak) = secret.split_at_checked(secret.len() / 2).ok_or(CryptoError::Invalid)?;
        if !matches!(secret.len(), 32 | 64) || bool::from(data.ct_eq(tweak)) {
            return Err(CryptoError::Invalid);
        }
        Ok(XtsKey(Xts128::new(Block::new(data)?, Block::new(tweak)?)))
    }

    pub(crate) fn encrypt(&self, mode: Mode<'_>, text: &mut [u8]) -> Result<(), CryptoError> {
        self.0.encrypt_sector(text, tweak(mode, text)?.into());
        Ok(())
    }

    pub(crate) fn decrypt(&self, mode: Mode<'_>, text: &mut [u8]) -> Result<(), CryptoError> {
        self.0.decrypt_sector(text, tweak(mode, text)?.into());
        Ok(())
    }
}

/// The tweak of a data unit that is not too short or too long.
fn tweak(mode: Mode<'_>, text: &[u8]) -> Result<[u8; BLOCK], CryptoError> {
    let Mode::Xts(tweak) = mode else { return Err(CryptoError::Invalid) };
    if (BLOCK..=MAX_DATA_UNIT).contains(&text.len()) { Ok(*tweak) } else { Err(CryptoError::Length) }
}
