//! Modes of AES that only encipher (SP 800-38A), key wrap (SP 800-38F) and CMAC (SP 800-38B).

use alloc::vec;
use alloc::vec::Vec;

use aes_gcm::aead::consts::U16;
use aes_gcm::aes::cipher::common::InnerInit;
use aes_gcm::aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, StreamCipher};
use aes_kw::{AesKw, AesKwp};
use cmac::{Cmac, Mac};
use coloa_engine::crypto::{BLOCK, Mode};
use coloa_engine::{CryptoError, Digest};
use ctr::{Ctr128BE, CtrCore, flavors};
use subtle::{ConstantTimeEq, ConstantTimeGreater};
use zeroize::{Zeroize, Zeroizing};

use crate::aes::Block;

/// Bytes of a half-block, the unit of key wrap.
const HALF: usize = BLOCK / 2;

/// Encrypts `text` in place; padding and wrapping make it longer.
pub(crate) fn encrypt(block: &Block, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
    match mode {
        Mode::Ecb => enciphered(ecb::Encryptor::inner_init(block), text),
        Mode::Cbc(iv) => enciphered(cbc::Encryptor::inner_iv_init(block, iv.into()), text),
        Mode::CbcPad(iv) => {
            pad(text);
            enciphered(cbc::Encryptor::inner_iv_init(block, iv.into()), text)
        }
        Mode::Ctr(start) => counted(block, start, text),
        Mode::Xts(_) => Err(CryptoError::Invalid),
        Mode::Kw if text.len() < BLOCK => Err(CryptoError::Length),
        Mode::Kw => replaced(text, |from, to| AesKw::inner_init(block).wrap_key(from, to).map(<[u8]>::len)),
        Mode::Kwp if text.is_empty() => Err(CryptoError::Length),
        Mode::Kwp => replaced(text, |from, to| AesKwp::inner_init(block).wrap_key(from, to).map(<[u8]>::len)),
    }
}

/// Decrypts `text` in place; what is in it after an error means nothing.
pub(crate) fn decrypt(block: &Block, mode: Mode<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
    match mode {
        Mode::Ecb => deciphered(ecb::Decryptor::inner_init(block), text),
        Mode::Cbc(iv) => deciphered(cbc::Decryptor::inner_iv_init(block, iv.into()), text),
        Mode::CbcPad(iv) => {
            deciphered(cbc::Decryptor::inner_iv_init(block, iv.into()), text)?;
            unpad(text)
        }
        Mode::Ctr(start) => counted(block, start, text),
        Mode::Xts(_) => Err(CryptoError::Invalid),
        // The shortest that wrapping makes: two half-blocks and the check, or one.
        Mode::Kw if text.len() < BLOCK.saturating_add(HALF) => Err(CryptoError::Length),
        Mode::Kw => replaced(text, |from, to| AesKw::inner_init(block).unwrap_key(from, to).map(<[u8]>::len)),
        Mode::Kwp if text.len() < BLOCK => Err(CryptoError::Length),
        Mode::Kwp => replaced(text, |from, to| AesKwp::inner_init(block).unwrap_key(from, to).map(<[u8]>::len)),
    }
}

/// CMAC of the concatenation of `parts`.
pub(crate) fn cmac(block: &Block, parts: &[&[u8]]) -> Digest {
    let mut mac = Cmac::inner_init(block.clone());
    parts.iter().for_each(|part| mac.update(part));
    Digest::new(&mac.finalize().into_bytes())
}

fn enciphered(mut cipher: impl BlockModeEncrypt<BlockSize = U16>, text: &mut [u8]) -> Result<(), CryptoError> {
    cipher.encrypt_blocks(blocks(text)?);
    Ok(())
}

fn deciphered(mut cipher: impl BlockModeDecrypt<BlockSize = U16>, text: &mut [u8]) -> Result<(), CryptoError> {
    cipher.decrypt_blocks(blocks(text)?);
    Ok(())
}

fn blocks(text: &mut [u8]) -> Result<&mut [Array<u8, U16>], CryptoError> {
    let (blocks, rest) = Array::slice_as_chunks_mut(text);
    if rest.is_empty() { Ok(blocks) } else { Err(CryptoError::Length) }
}

fn counted(block: &Block, start: &[u8; BLOCK], text: &mut [u8]) -> Result<(), CryptoError> {
    let core = CtrCore::<_, flavors::Ctr128BE>::inner_iv_init(block, start.into());
    let mut cipher = Ctr128BE::from_core(core);
    cipher.try_apply_keystream(text).map_err(|_| CryptoError::Length)
}

/// RFC 5652 §6.3: one to [`BLOCK`] bytes that each hold their number.
fn pad(text: &mut Vec<u8>) {
    let length = BLOCK.saturating_sub(text.len() % BLOCK);
    text.resize(text.len().saturating_add(length), u8::try_from(length).unwrap_or_default());
}

/// Takes the padding off, in a time that tells only whether it was right.
fn unpad(text: &mut Vec<u8>) -> Result<(), CryptoError> {
    let (_, last) = text.split_last_chunk::<BLOCK>().ok_or(CryptoError::Length)?;
    let [.., number] = *last;
    let most = u8::try_from(BLOCK).unwrap_or_default();
    let mut right = !number.ct_eq(&0) & !number.ct_gt(&most);
    for (from_end, byte) in (1..=most).zip(last.iter().rev()) {
        right &= from_end.ct_gt(&number) | byte.ct_eq(&number);
    }
    if !bool::from(right) {
        return Err(CryptoError::Unauthentic);
    }
    text.truncate(text.len().saturating_sub(number.into()));
    Ok(())
}

/// Puts what `wrapping` writes, into a buffer that is large enough for it, in place of `text`, which is wiped.
fn replaced(
    text: &mut Vec<u8>,
    wrapping: impl Fn(&[u8], &mut [u8]) -> Result<usize, aes_kw::Error>,
) -> Result<(), CryptoError> {
    let mut out = Zeroizing::new(vec![0; text.len().next_multiple_of(HALF).saturating_add(HALF)]);
    let length = wrapping(text, &mut out).map_err(|why| match why {
        aes_kw::Error::IntegrityCheckFailed => CryptoError::Unauthentic,
        aes_kw::Error::InvalidDataSize | aes_kw::Error::InvalidOutputSize { .. } => CryptoError::Length,
    })?;
    out.truncate(length);
    text.zeroize();
    *text = core::mem::take(&mut *out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks that end in `last`, without their padding.
    fn unpadded(last: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut text = [vec![7; 2 * BLOCK - last.len()].as_slice(), last].concat();
        unpad(&mut text).map(|()| text)
    }

    #[test]
    fn padding_comes_off_only_when_all_of_it_is_right() {
        for length in 0..=BLOCK {
            let mut text = vec![7; length];
            pad(&mut text);
            assert_eq!(text.len() % BLOCK, 0);
            unpad(&mut text).expect("padded");
            assert_eq!(text, vec![7; length]);
        }
        assert_eq!(unpadded(&[1]).expect("one byte").len(), 2 * BLOCK - 1);
        assert_eq!(unpadded(&[16; 16]).expect("a block").len(), BLOCK);
        for wrong in [&[0][..], &[0; 16], &[2], &[3, 2], &[1, 3, 3], &[17; 17], &[255; 16], &[17], &[2, 2, 0]] {
            assert_eq!(unpadded(wrong), Err(CryptoError::Unauthentic), "{wrong:?}");
        }
        let mut flipped = vec![16; 16];
        for at in 0..15 {
            flipped[at] = 15;
            assert_eq!(unpadded(&flipped), Err(CryptoError::Unauthentic), "{at}");
            flipped[at] = 16;
        }
        assert_eq!(unpad(&mut vec![]), Err(CryptoError::Length));
    }
}
