//! Mechanisms that encrypt: what the engine does at once, and what is chained here block by block.

use super::{Given, Parameter};
use crate::abi::memory::Home;
use crate::rv::{Outcome, Rv};
use coloa_wire::attribute::key_type;
use coloa_wire::mechanism::{CcmParams, CtrParams};
use coloa_wire::{GcmParams, Mechanism, MechanismType as M, Parameter as Wire};
use cryptoki_sys::*;

/// Bytes of an AES block.
pub(crate) const BLOCK: usize = 16;
/// Bytes of the IV that a strict partition's engine makes (SP 800-38D §8.2.1).
const IV_BYTES: usize = 12;

/// GCM's and CCM's parameters (PKCS#11 §6.13.5, §6.13.6), and where the IV stands in the caller's memory.
pub(crate) struct Aead {
    pub(crate) kind: M,
    pub(crate) iv: Vec<u8>,
    pub(crate) iv_home: Home,
    pub(crate) nonce: Nonce,
    pub(crate) aad: Vec<u8>,
    pub(crate) tag_bytes: usize,
    /// CCM's `ulDataLen`.
    pub(crate) data_bytes: Option<usize>,
}

/// Who makes the IV of an encryption.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nonce {
    /// The caller, or, in a strict partition, the engine when the caller gives [`IV_BYTES`] zero bytes.
    Classic,
    /// The caller (`CKG_NO_GENERATE`).
    Given,
    /// The engine (`CKG_GENERATE`, `CKG_GENERATE_RANDOM`).
    Engine,
}

impl Nonce {
    /// What a generator asks for, where an IV has so many bytes. The engine makes whole random IVs, and no counters.
    pub(crate) fn of_generator(generator: CK_GENERATOR_FUNCTION, fixed_bits: CK_ULONG, bytes: usize) -> Outcome<Self> {
        match (generator, fixed_bits) {
            (CKG_NO_GENERATE, _) => Ok(Nonce::Given),
            (CKG_GENERATE | CKG_GENERATE_RANDOM, 0) if bytes == IV_BYTES => Ok(Nonce::Engine),
            _ => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
        }
    }
}

/// The parameters of one message: those of its structure, and where tag and IV stand.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) kind: M,
    pub(crate) iv: Vec<u8>,
    pub(crate) iv_home: Home,
    pub(crate) nonce: Nonce,
    pub(crate) tag: Home,
    pub(crate) data_bytes: Option<usize>,
}

impl Message {
    /// With additional data, as the mechanism of one encryption or decryption.
    pub(crate) fn aead(&self, aad: Vec<u8>) -> Aead {
        Aead {
            kind: self.kind,
            iv: self.iv.clone(),
            iv_home: self.iv_home.clone(),
            nonce: self.nonce,
            aad,
            tag_bytes: self.tag.len(),
            data_bytes: self.data_bytes,
        }
    }
}

impl Aead {
    /// The wire's mechanism for encryption.
    pub(crate) fn encrypting(self, strict: bool) -> Mechanism {
        let engine_made = self.wants_iv(strict);
        self.wire(engine_made)
    }

    /// Where the IV of an encryption goes that the engine makes. One that was given stays as it is, whatever an engine
    /// answers: its memory may be constant, or somebody else's by then.
    pub(crate) fn iv_from_engine(&self, strict: bool) -> Home {
        if self.wants_iv(strict) { self.iv_home.clone() } else { Home::nowhere() }
    }

    fn wants_iv(&self, strict: bool) -> bool {
        let zeros = self.iv.len() == IV_BYTES && self.iv.iter().all(|b| *b == 0);
        match self.nonce {
            Nonce::Classic => strict && zeros,
            Nonce::Given => false,
            Nonce::Engine => true,
        }
    }

    /// The wire's mechanism for decryption.
    pub(crate) fn decrypting(self) -> Mechanism {
        self.wire(false)
    }

    fn wire(self, engine_made: bool) -> Mechanism {
        let iv = (!engine_made).then_some(self.iv);
        let tag = u32::try_from(self.tag_bytes).unwrap_or(u32::MAX);
        match self.kind {
            M::AES_CCM => Mechanism::with(M::AES_CCM, Wire::Ccm(CcmParams { nonce: iv, aad: self.aad, tag })),
            kind => {
                Mechanism { gcm: Some(GcmParams { iv, aad: self.aad, tag_bits: tag.saturating_mul(8) }), ..kind.into() }
            }
        }
    }
}

/// How a mechanism encrypts.
pub(crate) enum Ciphering {
    /// The engine does all at once.
    Aead(Aead),
    /// The same, without a tag: XTS.
    Xts(Mechanism),
    /// One block of RSA.
    Rsa(Mechanism),
    /// Whole blocks go to the engine as they come.
    Chained(Chaining),
}

impl Ciphering {
    /// `CKR_MECHANISM_INVALID` for what does not encrypt.
    pub(crate) fn parse(given: Given) -> Outcome<Self> {
        let kind = given.number()?;
        match (kind, given.parameter) {
            (M::AES_GCM | M::AES_CCM, Parameter::Aead(aead)) => Ok(Ciphering::Aead(aead)),
            (M::AES_XTS, Parameter::Wire(tweak @ Wire::Iv(_))) => Ok(Ciphering::Xts(Mechanism::with(kind, tweak))),
            (M::RSA_PKCS, Parameter::None) => Ok(Ciphering::Rsa(kind.into())),
            (M::RSA_PKCS_OAEP, Parameter::Wire(oaep @ Wire::Oaep(_))) => {
                Ok(Ciphering::Rsa(Mechanism::with(kind, oaep)))
            }
            (M::AES_ECB, Parameter::None) => Ok(Ciphering::Chained(Chaining::Ecb)),
            (M::AES_CBC, Parameter::Wire(Wire::Iv(Some(iv)))) => Chaining::cbc(&iv, false),
            (M::AES_CBC_PAD, Parameter::Wire(Wire::Iv(Some(iv)))) => Chaining::cbc(&iv, true),
            (M::AES_CTR, Parameter::Wire(Wire::Ctr(ctr))) => Chaining::ctr(&ctr),
            (kind, _) if Ciphering::is(kind) => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
            _ => Err(Rv(CKR_MECHANISM_INVALID)),
        }
    }

    /// Whether a mechanism encrypts.
    pub(crate) fn is(kind: M) -> bool {
        matches!(kind, M::AES_GCM | M::AES_CCM | M::AES_XTS | M::RSA_PKCS | M::RSA_PKCS_OAEP | M::AES_ECB)
            || matches!(kind, M::AES_CBC | M::AES_CBC_PAD | M::AES_CTR)
    }

    /// The type of the keys it takes.
    pub(crate) fn key_type(&self) -> u64 {
        match self {
            Ciphering::Aead(_) | Ciphering::Chained(_) => key_type::AES,
            Ciphering::Xts(_) => key_type::AES_XTS,
            Ciphering::Rsa(_) => key_type::RSA,
        }
    }
}

/// A mode of whole blocks, with what the next block needs of those before it.
#[derive(Clone, Copy)]
pub(crate) enum Chaining {
    Ecb,
    /// The IV, then each last block of ciphertext.
    Cbc([u8; BLOCK]),
    /// The same, padded.
    CbcPad([u8; BLOCK]),
    /// The next counter block, and how many of its low bits count; none when they would run over (SP 800-38A B.1).
    Ctr(Option<[u8; BLOCK]>, u32),
}

impl Chaining {
    fn cbc(iv: &[u8], padded: bool) -> Outcome<Ciphering> {
        let iv = iv.try_into().map_err(|_| Rv(CKR_MECHANISM_PARAM_INVALID))?;
        Ok(Ciphering::Chained(if padded { Chaining::CbcPad(iv) } else { Chaining::Cbc(iv) }))
    }

    fn ctr(ctr: &CtrParams) -> Outcome<Ciphering> {
        let block = ctr.block.as_slice().try_into().map_err(|_| Rv(CKR_MECHANISM_PARAM_INVALID))?;
        let fits = (1..=128).contains(&ctr.bits);
        if fits {
            Ok(Ciphering::Chained(Chaining::Ctr(Some(block), ctr.bits)))
        } else {
            Err(Rv(CKR_MECHANISM_PARAM_INVALID))
        }
    }

    /// The wire's mechanism for the next blocks; the padding comes with the last ones. `CKR_DATA_LEN_RANGE` when the counter
    /// has run out.
    pub(crate) fn mechanism(&self, last: bool) -> Outcome<Mechanism> {
        let with_iv = |kind, iv: &[u8; BLOCK]| Mechanism::with(kind, Wire::Iv(Some(iv.to_vec())));
        Ok(match self {
            Chaining::Ecb => M::AES_ECB.into(),
            Chaining::CbcPad(iv) if last => with_iv(M::AES_CBC_PAD, iv),
            Chaining::Cbc(iv) | Chaining::CbcPad(iv) => with_iv(M::AES_CBC, iv),
            Chaining::Ctr(Some(block), bits) => {
                Mechanism::with(M::AES_CTR, Wire::Ctr(CtrParams { bits: *bits, block: block.to_vec() }))
            }
            Chaining::Ctr(None, _) => return Err(Rv(CKR_DATA_LEN_RANGE)),
        })
    }

    /// Goes on after `ciphertext`.
    pub(crate) fn advance(&mut self, ciphertext: &[u8]) {
        match self {
            Chaining::Ecb => {}
            Chaining::Cbc(iv) | Chaining::CbcPad(iv) => {
                if let Some(last) = ciphertext.last_chunk::<BLOCK>() {
                    *iv = *last;
                }
            }
            Chaining::Ctr(block, bits) => *block = block.and_then(|b| counted(b, *bits, ciphertext.len())),
        }
    }
}

/// The counter block after those of `bytes` bytes; none when the counter is at its end.
fn counted(block: [u8; BLOCK], bits: u32, bytes: usize) -> Option<[u8; BLOCK]> {
    let blocks = u128::try_from(bytes.div_ceil(BLOCK)).ok()?;
    let mask = u128::MAX.checked_shr(128_u32.saturating_sub(bits))?;
    let block = u128::from_be_bytes(block);
    let next = (block & mask).checked_add(blocks).filter(|n| *n <= mask)?;
    Some((block & !mask | next).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gcm(iv: &[u8], nonce: Nonce) -> Aead {
        let (iv, iv_home) = (iv.to_vec(), Home::nowhere());
        Aead { kind: M::AES_GCM, iv, iv_home, nonce, aad: vec![], tag_bytes: 16, data_bytes: None }
    }

    fn wire_iv(mechanism: Mechanism) -> Option<Vec<u8>> {
        mechanism.gcm.unwrap().iv
    }

    #[test]
    fn a_zeroed_iv_asks_the_engine_for_one_in_a_strict_partition_only() {
        let classic = |iv: &[u8], strict| wire_iv(gcm(iv, Nonce::Classic).encrypting(strict));
        assert_eq!(classic(&[0; 12], true), None);
        assert_eq!(classic(&[0; 12], false), Some(vec![0; 12]));
        assert_eq!(classic(&[1; 12], true), Some(vec![1; 12]));
        assert_eq!(classic(&[0; 16], true), Some(vec![0; 16]));
        assert_eq!(wire_iv(gcm(&[0; 12], Nonce::Classic).decrypting()), Some(vec![0; 12]));
    }

    #[test]
    fn a_generator_says_who_makes_the_iv() {
        assert_eq!(wire_iv(gcm(&[0; 12], Nonce::Given).encrypting(true)), Some(vec![0; 12]));
        assert_eq!(wire_iv(gcm(&[9; 12], Nonce::Engine).encrypting(false)), None);
        assert_eq!(Nonce::of_generator(CKG_GENERATE_RANDOM, 0, 12), Ok(Nonce::Engine));
        assert_eq!(Nonce::of_generator(CKG_NO_GENERATE, 0, 16), Ok(Nonce::Given));
        for (generator, fixed, bytes) in
            [(CKG_GENERATE_COUNTER, 0, 12), (CKG_GENERATE, 32, 12), (CK_ULONG::MAX, 0, 12), (CKG_GENERATE, 0, 16)]
        {
            assert_eq!(Nonce::of_generator(generator, fixed, bytes), Err(Rv(CKR_MECHANISM_PARAM_INVALID)));
        }
    }

    #[test]
    fn a_counter_goes_on_within_its_bits_only() {
        let mut block = [7; BLOCK];
        block[15] = 0xfd;
        let next = counted(block, 8, 32).unwrap();
        assert_eq!((next[14], next[15]), (7, 0xff));
        assert_eq!(counted(block, 8, 48), None);
        assert_eq!(counted(block, 16, 48).unwrap()[14..], [8, 0]);
        assert_eq!(counted([0xff; BLOCK], 128, 16), None);
        assert_eq!(counted([0xff; BLOCK], 128, 0), Some([0xff; BLOCK]));
    }

    #[test]
    fn cbc_goes_on_from_the_last_block() {
        let mut chain = Chaining::Cbc([0; BLOCK]);
        chain.advance(&[[1; BLOCK], [2; BLOCK]].concat());
        assert!(matches!(chain, Chaining::Cbc(iv) if iv == [2; BLOCK]));
    }
}
