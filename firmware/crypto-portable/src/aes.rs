//! AES, bit-sliced: constant in time without hardware, and slow.

use alloc::boxed::Box;
use alloc::vec::Vec;

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::cipher::{BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut, AesGcm, KeyInit, Nonce, Tag};
use coloa_engine::CryptoError;
use coloa_engine::crypto::{Aead, AeadMode, TAG};

/// The block cipher with a key of any of its lengths, so that each mode is compiled once.
pub(crate) enum Block {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl Block {
    pub(crate) fn new(secret: &[u8]) -> Result<Self, CryptoError> {
        fn keyed<A: KeyInit>(secret: &[u8]) -> Result<Box<A>, CryptoError> {
            A::new_from_slice(secret).map(Box::new).map_err(|_| CryptoError::Invalid)
        }
        match secret.len() {
            16 => keyed(secret).map(Block::Aes128),
            24 => keyed(secret).map(Block::Aes192),
            32 => keyed(secret).map(Block::Aes256),
            _ => Err(CryptoError::Invalid),
        }
    }
}

impl BlockSizeUser for Block {
    type BlockSize = U16;
}

impl BlockCipherEncrypt for Block {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        match self {
            Block::Aes128(cipher) => cipher.encrypt_with_backend(f),
            Block::Aes192(cipher) => cipher.encrypt_with_backend(f),
            Block::Aes256(cipher) => cipher.encrypt_with_backend(f),
        }
    }
}

/// A parsed key.
pub(crate) struct AesKey {
    gcm: AesGcm<Block, U12>,
}

impl AesKey {
    pub(crate) fn new(secret: &[u8]) -> Result<Self, CryptoError> {
        Ok(AesKey { gcm: AesGcm::from(Block::new(secret)?) })
    }

    pub(crate) fn seal(&self, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        match aead.mode {
            AeadMode::Gcm => self.seal_gcm(aead, text),
            AeadMode::Ccm => Err(CryptoError::Unsupported),
        }
    }

    /// Leaves the tag on; what is in `text` after an error means nothing.
    pub(crate) fn open(&self, aead: &Aead<'_>, text: &mut [u8]) -> Result<(), CryptoError> {
        match aead.mode {
            AeadMode::Gcm => self.open_gcm(aead, text),
            AeadMode::Ccm => Err(CryptoError::Unsupported),
        }
    }

    fn seal_gcm(&self, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        let iv = nonce(aead)?;
        let tag = self.gcm.encrypt_inout_detached(iv, aead.aad, InOutBuf::from(text.as_mut_slice()));
        text.extend_from_slice(&tag.map_err(|_| CryptoError::Invalid)?);
        Ok(())
    }

    fn open_gcm(&self, aead: &Aead<'_>, text: &mut [u8]) -> Result<(), CryptoError> {
        let iv = nonce(aead)?;
        let length = text.len().checked_sub(TAG).ok_or(CryptoError::Unauthentic)?;
        let (text, tag) = text.split_at_mut_checked(length).ok_or(CryptoError::Unauthentic)?;
        let tag = <&Tag>::try_from(&*tag).map_err(|_| CryptoError::Unauthentic)?;
        let opened = self.gcm.decrypt_inout_detached(iv, aead.aad, InOutBuf::from(text), tag);
        opened.map_err(|_| CryptoError::Unauthentic)
    }
}

fn nonce<'a>(aead: &Aead<'a>) -> Result<&'a Nonce<U12>, CryptoError> {
    if aead.tag != TAG {
        return Err(CryptoError::Unsupported);
    }
    aead.iv.try_into().map_err(|_| CryptoError::Unsupported)
}
