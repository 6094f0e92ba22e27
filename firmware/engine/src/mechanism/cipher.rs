//! How a mechanism encrypts, from its number and parameter.

use super::digest_of;
use crate::crypto::{AeadMode, BLOCK, IV, Mode, Padding};
use coloa_wire::mechanism::{CcmParams, CtrParams, OaepParams};
use coloa_wire::{ErrorCode, GcmParams, Mechanism, MechanismType as M, Parameter};

/// The longest GCM IV (PKCS#11 §6.13.5).
const MAX_IV: usize = 256;

/// A cipher with its parameters. An IV that the caller left out is for the engine to make.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cipher<'a> {
    Aead { mode: AeadMode, iv: Option<&'a [u8]>, aad: &'a [u8], tag: usize },
    Block(BlockMode, Option<&'a [u8; BLOCK]>),
    Ecb,
    Ctr { block: &'a [u8; BLOCK], bits: u32 },
    Rsa(Padding<'a>),
}

/// Modes that start from a block of their own for each message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockMode {
    Cbc,
    CbcPad,
    Xts,
}

impl<'a> Cipher<'a> {
    /// # Errors
    /// `MechanismParameter`; `MechanismUnsupported` for what does not encrypt.
    pub(crate) fn parse(mechanism: &'a Mechanism) -> Result<Self, ErrorCode> {
        match (mechanism.kind, &mechanism.gcm, &mechanism.parameter) {
            (M::AES_GCM, Some(gcm), None) => Cipher::gcm(gcm),
            (M::AES_CCM, None, Some(Parameter::Ccm(ccm))) => Cipher::ccm(ccm),
            (M::AES_CBC, None, Some(Parameter::Iv(iv))) => Cipher::block(BlockMode::Cbc, iv.as_deref()),
            (M::AES_CBC_PAD, None, Some(Parameter::Iv(iv))) => Cipher::block(BlockMode::CbcPad, iv.as_deref()),
            (M::AES_XTS, None, Some(Parameter::Iv(iv))) => Cipher::block(BlockMode::Xts, iv.as_deref()),
            (M::AES_CTR, None, Some(Parameter::Ctr(ctr))) => Cipher::ctr(ctr),
            (M::AES_ECB, None, None) => Ok(Cipher::Ecb),
            (M::RSA_PKCS, None, None) => Ok(Cipher::Rsa(Padding::Pkcs1)),
            (M::RSA_PKCS_OAEP, None, Some(Parameter::Oaep(oaep))) => Ok(Cipher::Rsa(padding(oaep)?)),
            (M::AES_GCM | M::AES_CCM | M::AES_CBC | M::AES_CBC_PAD | M::AES_XTS | M::AES_CTR | M::AES_ECB, _, _)
            | (M::RSA_PKCS | M::RSA_PKCS_OAEP, _, _) => Err(ErrorCode::MechanismParameter),
            _ => Err(ErrorCode::MechanismUnsupported),
        }
    }

    /// Whether the caller chose what a strict partition's engine chooses. The tweak of XTS is a place, not a nonce.
    pub(crate) fn has_chosen_iv(self) -> bool {
        match self {
            Cipher::Aead { iv, .. } => iv.is_some(),
            Cipher::Block(BlockMode::Xts, _) | Cipher::Ecb | Cipher::Rsa(_) => false,
            Cipher::Block(_, iv) => iv.is_some(),
            Cipher::Ctr { .. } => true,
        }
    }

    /// Bytes of the IV the engine must make before it encrypts; 0 for none.
    pub(crate) fn wants_iv(self) -> usize {
        match self {
            Cipher::Aead { iv: None, .. } => IV,
            Cipher::Block(BlockMode::Cbc | BlockMode::CbcPad, None) => BLOCK,
            _ => 0,
        }
    }

    /// The same with an IV of [`Cipher::wants_iv`] bytes.
    pub(crate) fn with_iv(self, made: &'a [u8]) -> Self {
        match self {
            Cipher::Aead { mode, iv: None, aad, tag } => Cipher::Aead { mode, iv: Some(made), aad, tag },
            Cipher::Block(mode, None) => Cipher::Block(mode, made.try_into().ok()),
            whole => whole,
        }
    }

    fn gcm(gcm: &'a GcmParams) -> Result<Self, ErrorCode> {
        let tag = match gcm.tag_bits {
            bits @ (96 | 104 | 112 | 120 | 128) => {
                usize::try_from(bits / 8).map_err(|_| ErrorCode::MechanismParameter)?
            }
            _ => return Err(ErrorCode::MechanismParameter),
        };
        let fits = gcm.iv.as_ref().is_none_or(|iv| (1..=MAX_IV).contains(&iv.len()));
        let cipher = Cipher::Aead { mode: AeadMode::Gcm, iv: gcm.iv.as_deref(), aad: &gcm.aad, tag };
        if fits { Ok(cipher) } else { Err(ErrorCode::MechanismParameter) }
    }

    fn ccm(ccm: &'a CcmParams) -> Result<Self, ErrorCode> {
        let tag = usize::try_from(ccm.tag).unwrap_or_default();
        let fits = ccm.nonce.as_ref().is_none_or(|nonce| (7..=13).contains(&nonce.len()));
        let cipher = Cipher::Aead { mode: AeadMode::Ccm, iv: ccm.nonce.as_deref(), aad: &ccm.aad, tag };
        let whole = matches!(tag, 4 | 6 | 8 | 10 | 12 | 14 | 16);
        if fits && whole { Ok(cipher) } else { Err(ErrorCode::MechanismParameter) }
    }

    fn block(mode: BlockMode, iv: Option<&'a [u8]>) -> Result<Self, ErrorCode> {
        let iv = iv.map(<&[u8; BLOCK]>::try_from).transpose().map_err(|_| ErrorCode::MechanismParameter)?;
        match (mode, iv) {
            (BlockMode::Xts, None) => Err(ErrorCode::MechanismParameter),
            _ => Ok(Cipher::Block(mode, iv)),
        }
    }

    fn ctr(ctr: &'a CtrParams) -> Result<Self, ErrorCode> {
        let block = ctr.block.as_slice().try_into().map_err(|_| ErrorCode::MechanismParameter)?;
        let fits = (1..=128).contains(&ctr.bits);
        if fits { Ok(Cipher::Ctr { block, bits: ctr.bits }) } else { Err(ErrorCode::MechanismParameter) }
    }
}

impl BlockMode {
    /// The provider's mode.
    pub(crate) fn with(self, iv: &[u8; BLOCK]) -> Mode<'_> {
        match self {
            BlockMode::Cbc => Mode::Cbc(iv),
            BlockMode::CbcPad => Mode::CbcPad(iv),
            BlockMode::Xts => Mode::Xts(iv),
        }
    }
}

/// OAEP's parameters.
pub(crate) fn padding(oaep: &OaepParams) -> Result<Padding<'_>, ErrorCode> {
    Ok(Padding::Oaep { hash: digest_of(oaep.hash)?, mgf: digest_of(oaep.mgf)?, label: &oaep.label })
}

/// Whether a counter of `bits` bits can count the blocks of `length` bytes without running over, which would repeat key
/// stream (SP 800-38A B.1).
pub(crate) fn counts(block: &[u8; BLOCK], bits: u32, length: usize) -> bool {
    let blocks = u128::try_from(length.div_ceil(BLOCK)).unwrap_or(u128::MAX);
    let mask = u128::MAX.checked_shr(128_u32.saturating_sub(bits)).unwrap_or(0);
    let first = u128::from_be_bytes(*block) & mask;
    // The last block's number is what must still fit.
    blocks == 0 || first.checked_add(blocks.saturating_sub(1)).is_some_and(|last| last <= mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_does_not_run_over() {
        let mut block = [0xff; BLOCK];
        assert!(counts(&block, 128, 16));
        assert!(!counts(&block, 128, 17));
        assert!(counts(&block, 8, 16) && !counts(&block, 8, 17));
        block[15] = 0xfe;
        assert!(counts(&block, 8, 32) && !counts(&block, 8, 33));
        assert!(counts(&[0; BLOCK], 1, 32) && !counts(&[0; BLOCK], 1, 33));
        assert!(counts(&block, 1, 0));
    }
}
