//! AES, bit-sliced: constant in time without hardware, and slow. What modes there are is in [`crate::modes`],
//! [`crate::ccm`] and [`crate::xts`].

use alloc::sync::Arc;
use alloc::vec::Vec;

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::cipher::{
    BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser,
};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut, AesGcm, KeyInit, Nonce, Tag};
use coloa_engine::CryptoError;
use coloa_engine::crypto::{Aead, AeadMode, TAG};

use crate::ccm;

/// The block cipher with a key of any of its lengths, so that each mode is compiled once; clones share the key.
#[derive(Clone)]
pub(crate) struct Block(Arc<Schedule>);

/// A key schedule, wiped on drop.
enum Schedule {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl Block {
    pub(crate) fn new(secret: &[u8]) -> Result<Self, CryptoError> {
        fn keyed<A: KeyInit>(secret: &[u8]) -> Result<A, CryptoError> {
            A::new_from_slice(secret).map_err(|_| CryptoError::Invalid)
        }
        let schedule = match secret.len() {
            16 => Schedule::Aes128(keyed(secret)?),
            24 => Schedule::Aes192(keyed(secret)?),
            32 => Schedule::Aes256(keyed(secret)?),
            _ => return Err(CryptoError::Invalid),
        };
        Ok(Block(Arc::new(schedule)))
    }
}

impl BlockSizeUser for Block {
    type BlockSize = U16;
}

impl BlockCipherEncrypt for Block {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        match &*self.0 {
            Schedule::Aes128(cipher) => cipher.encrypt_with_backend(f),
            Schedule::Aes192(cipher) => cipher.encrypt_with_backend(f),
            Schedule::Aes256(cipher) => cipher.encrypt_with_backend(f),
        }
    }
}

impl BlockCipherDecrypt for Block {
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        match &*self.0 {
            Schedule::Aes128(cipher) => cipher.decrypt_with_backend(f),
            Schedule::Aes192(cipher) => cipher.decrypt_with_backend(f),
            Schedule::Aes256(cipher) => cipher.decrypt_with_backend(f),
        }
    }
}

/// A parsed key.
pub(crate) struct AesKey {
    block: Block,
    gcm: AesGcm<Block, U12>,
}

impl AesKey {
    pub(crate) fn new(secret: &[u8]) -> Result<Self, CryptoError> {
        let block = Block::new(secret)?;
        Ok(AesKey { gcm: AesGcm::from(block.clone()), block })
    }

    /// The cipher, for other modes.
    pub(crate) fn block(&self) -> &Block {
        &self.block
    }

    pub(crate) fn seal(&self, aead: &Aead<'_>, text: &mut Vec<u8>) -> Result<(), CryptoError> {
        match aead.mode {
            AeadMode::Gcm => self.seal_gcm(aead, text),
            AeadMode::Ccm => ccm::seal(&self.block, aead, text),
        }
    }

    /// Leaves the tag on; what is in `text` after an error means nothing.
    pub(crate) fn open(&self, aead: &Aead<'_>, text: &mut [u8]) -> Result<(), CryptoError> {
        match aead.mode {
            AeadMode::Gcm => self.open_gcm(aead, text),
            AeadMode::Ccm => ccm::open(&self.block, aead, text),
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
