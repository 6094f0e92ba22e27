//! AES-CCM (SP 800-38C). The lengths of IV and tag are types there, so each pair of them is compiled.

use alloc::vec::Vec;

use aes_gcm::aead::consts::{U4, U6, U7, U8, U9, U10, U11, U12, U13, U14, U16};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, Nonce, Tag};
use ccm::{Ccm, NonceSize, TagSize};
use coloa_engine::CryptoError;
use coloa_engine::crypto::Aead;

use crate::aes::Block;

/// Calls a function that is generic over the lengths of tag and IV.
macro_rules! with_lengths {
    ($aead:expr, $function:ident $arguments:tt) => {
        match $aead.tag {
            4 => with_lengths!($aead, U4, $function $arguments),
            6 => with_lengths!($aead, U6, $function $arguments),
            8 => with_lengths!($aead, U8, $function $arguments),
            10 => with_lengths!($aead, U10, $function $arguments),
            12 => with_lengths!($aead, U12, $function $arguments),
            14 => with_lengths!($aead, U14, $function $arguments),
            16 => with_lengths!($aead, U16, $function $arguments),
            _ => Err(CryptoError::Invalid),
        }
    };
    ($aead:expr, $tag:ident, $function:ident $arguments:tt) => {
        match $aead.iv.len() {
            7 => $function::<$tag, U7> $arguments,
            8 => $function::<$tag, U8> $arguments,
            9 => $function::<$tag, U9> $arguments,
            10 => $function::<$tag, U10> $arguments,
            11 => $function::<$tag, U11> $arguments,
            12 => $function::<$tag, U12> $arguments,
            13 => $function::<$tag, U13> $arguments,
            _ => Err(CryptoError::Invalid),
        }
    };
}

/// Encrypts `text` and appends the tag.
pub(crate) fn seal(block: &Block, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
    with_lengths!(aead, seal_with(block, aead, text))
}

/// Leaves the tag on; what is in `text` after an error means nothing.
pub(crate) fn open(block: &Block, aead: &Aead<'_>, text: &mut [u8]) -> Result<(), CryptoError> {
    with_lengths!(aead, open_with(block, aead, text))
}

/// The one thing the cipher refuses is a text longer than the IV leaves room to count (SP 800-38C A.1).
fn seal_with<M, N>(block: &Block, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError>
where
    M: aes_gcm::aead::array::ArraySize + TagSize,
    N: aes_gcm::aead::array::ArraySize + NonceSize,
{
    let cipher = Ccm::<&Block, M, N>::from(block);
    let iv = <&Nonce<Ccm<&Block, M, N>>>::try_from(aead.iv).map_err(|_| CryptoError::Invalid)?;
    let tag = cipher.encrypt_inout_detached(iv, aead.aad, InOutBuf::from(text.as_mut_slice()));
    text.extend_from_slice(&tag.map_err(|_| CryptoError::Length)?);
    Ok(())
}

fn open_with<M, N>(block: &Block, aead: &Aead<'_>, text: &mut [u8]) -> Result<(), CryptoError>
where
    M: aes_gcm::aead::array::ArraySize + TagSize,
    N: aes_gcm::aead::array::ArraySize + NonceSize,
{
    let cipher = Ccm::<&Block, M, N>::from(block);
    let iv = <&Nonce<Ccm<&Block, M, N>>>::try_from(aead.iv).map_err(|_| CryptoError::Invalid)?;
    let length = text.len().checked_sub(aead.tag).ok_or(CryptoError::Unauthentic)?;
    let (text, tag) = text.split_at_mut_checked(length).ok_or(CryptoError::Unauthentic)?;
    let tag = <&Tag<Ccm<&Block, M, N>>>::try_from(&*tag).map_err(|_| CryptoError::Unauthentic)?;
    let opened = cipher.decrypt_inout_detached(iv, aead.aad, InOutBuf::from(text), tag);
    opened.map_err(|_| CryptoError::Unauthentic)
}
