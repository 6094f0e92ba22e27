//! Mechanisms this module serves, and what each needs from the caller.

use crate::abi::memory::IvHome;
use crate::key::KeyFacts;
use crate::rv::{Outcome, Rv};
use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512};
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::MechanismInfo;
use coloa_wire::{GcmParams, Mechanism, MechanismType};
use cryptoki_sys::*;

/// Bytes of the IV that a strict partition's engine makes (SP 800-38D §8.2.1).
pub(crate) const IV_BYTES: usize = 12;

/// A `CK_MECHANISM`, copied in.
pub(crate) struct Given {
    pub(crate) kind: CK_MECHANISM_TYPE,
    pub(crate) parameter: Parameter,
}

/// A mechanism's parameter, copied in.
pub(crate) enum Parameter {
    /// None.
    None,
    /// `CK_GCM_PARAMS`.
    Gcm(Gcm),
    /// Bytes that no mechanism here takes.
    Unknown,
}

/// `CK_GCM_PARAMS` (PKCS#11 §6.13.5), and where its IV stands in the caller's memory.
pub(crate) struct Gcm {
    pub(crate) iv: Vec<u8>,
    pub(crate) iv_home: IvHome,
    pub(crate) aad: Vec<u8>,
    pub(crate) tag_bits: CK_ULONG,
}

/// A mechanism that signs and verifies.
#[derive(Clone, Copy)]
pub(crate) struct Signing {
    pub(crate) wire: MechanismType,
    /// What is hashed here before the engine sees it.
    pub(crate) digest: Option<&'static Algorithm>,
    /// Bytes of the MAC; none for a signature, whose length is the key's.
    pub(crate) mac_bytes: Option<usize>,
}

impl Signing {
    /// `CKR_MECHANISM_INVALID` for what does not sign.
    pub(crate) fn parse(given: &Given) -> Outcome<Self> {
        let found = match given.kind {
            CKM_ECDSA => Signing::ecdsa(MechanismType::ECDSA, None),
            CKM_ECDSA_SHA256 => Signing::ecdsa(MechanismType::ECDSA_SHA256, Some(&SHA256)),
            CKM_ECDSA_SHA384 => Signing::ecdsa(MechanismType::ECDSA_SHA384, Some(&SHA384)),
            CKM_ECDSA_SHA512 => Signing::ecdsa(MechanismType::ECDSA_SHA512, Some(&SHA512)),
            CKM_SHA256_HMAC => Signing::hmac(MechanismType::SHA256_HMAC, &SHA256),
            CKM_SHA384_HMAC => Signing::hmac(MechanismType::SHA384_HMAC, &SHA384),
            CKM_SHA512_HMAC => Signing::hmac(MechanismType::SHA512_HMAC, &SHA512),
            _ => return Err(Rv(CKR_MECHANISM_INVALID)),
        };
        given.without_parameter()?;
        Ok(found)
    }

    fn ecdsa(wire: MechanismType, digest: Option<&'static Algorithm>) -> Self {
        Signing { wire, digest, mac_bytes: None }
    }

    fn hmac(wire: MechanismType, hash: &'static Algorithm) -> Self {
        Signing { wire, digest: None, mac_bytes: Some(hash.output_len()) }
    }

    /// Whether data may come in parts: plain `CKM_ECDSA` takes one digest (PKCS#11 §6.3.12).
    pub(crate) fn takes_parts(self) -> bool {
        self.digest.is_some() || self.mac_bytes.is_some()
    }

    /// Bytes of the result with this key; `CKR_KEY_TYPE_INCONSISTENT` for a key of another kind.
    pub(crate) fn output_bytes(self, key: &KeyFacts, signs: bool) -> Outcome<usize> {
        let fits = match self.mac_bytes {
            Some(_) => key.class == class::SECRET_KEY && key.key_type == key_type::GENERIC_SECRET,
            None if signs => key.class == class::PRIVATE_KEY && key.key_type == key_type::EC,
            None => key.class == class::PUBLIC_KEY && key.key_type == key_type::EC,
        };
        if fits { Ok(self.mac_bytes.unwrap_or(key.signature_bytes)) } else { Err(Rv(CKR_KEY_TYPE_INCONSISTENT)) }
    }
}

/// The hash of a digest mechanism.
pub(crate) fn hashing(given: &Given) -> Outcome<&'static Algorithm> {
    let algorithm = match given.kind {
        CKM_SHA256 => &SHA256,
        CKM_SHA384 => &SHA384,
        CKM_SHA512 => &SHA512,
        _ => return Err(Rv(CKR_MECHANISM_INVALID)),
    };
    given.without_parameter()?;
    Ok(algorithm)
}

impl Given {
    fn without_parameter(&self) -> Outcome {
        match self.parameter {
            Parameter::None => Ok(()),
            Parameter::Gcm(_) | Parameter::Unknown => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
        }
    }

    /// GCM's parameters; everything else does not encrypt here.
    pub(crate) fn into_gcm(self) -> Outcome<Gcm> {
        match (self.kind, self.parameter) {
            (CKM_AES_GCM, Parameter::Gcm(gcm)) => Ok(gcm),
            (CKM_AES_GCM, _) => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
            _ => Err(Rv(CKR_MECHANISM_INVALID)),
        }
    }

    /// A mechanism that generates keys.
    pub(crate) fn generating(&self, pair: bool) -> Outcome<Mechanism> {
        let wire = match (self.kind, pair) {
            (CKM_EC_KEY_PAIR_GEN, true) => MechanismType::EC_KEY_PAIR_GEN,
            (CKM_AES_KEY_GEN, false) => MechanismType::AES_KEY_GEN,
            (CKM_GENERIC_SECRET_KEY_GEN, false) => MechanismType::GENERIC_SECRET_KEY_GEN,
            _ => return Err(Rv(CKR_MECHANISM_INVALID)),
        };
        self.without_parameter()?;
        Ok(wire.into())
    }
}

impl Gcm {
    /// The wire's mechanism for encryption. In a strict partition the engine makes the IV: the caller gives a buffer of
    /// [`IV_BYTES`] zero bytes, and finds the IV there when the encryption is done.
    pub(crate) fn encrypting(&self, strict: bool) -> Mechanism {
        let engine_made = strict && self.iv.len() == IV_BYTES && self.iv.iter().all(|b| *b == 0);
        self.wire((!engine_made).then(|| self.iv.clone()))
    }

    /// The wire's mechanism for decryption.
    pub(crate) fn decrypting(&self) -> Mechanism {
        self.wire(Some(self.iv.clone()))
    }

    fn wire(&self, iv: Option<Vec<u8>>) -> Mechanism {
        let tag_bits = u32::try_from(self.tag_bits).unwrap_or(u32::MAX);
        let gcm = GcmParams { iv, aad: self.aad.clone(), tag_bits };
        Mechanism { gcm: Some(gcm), ..MechanismType::AES_GCM.into() }
    }

    /// Bytes of the tag; `CKR_MECHANISM_PARAM_INVALID` for lengths below 96 bits (SP 800-38D §5.2.1.2).
    pub(crate) fn tag_bytes(&self) -> Outcome<usize> {
        match self.tag_bits {
            128 | 120 | 112 | 104 | 96 => Ok(usize::try_from(self.tag_bits).unwrap_or_default() / 8),
            _ => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
        }
    }
}

/// What this module offers of an engine's list: nothing it would then refuse, and the digests it computes itself.
pub(crate) fn offered(engine: Vec<MechanismInfo>) -> Vec<MechanismInfo> {
    let mut list: Vec<_> = engine.into_iter().filter(|m| is_served(m.kind)).collect();
    for kind in [MechanismType::SHA256, MechanismType::SHA384, MechanismType::SHA512] {
        if !list.iter().any(|m| m.kind == kind) {
            let flags = u32::try_from(CKF_DIGEST).unwrap_or_default();
            list.push(MechanismInfo { kind, min_key: 0, max_key: 0, flags, not_strict: None });
        }
    }
    list.sort_by_key(|m| m.kind);
    list
}

fn is_served(kind: MechanismType) -> bool {
    use MechanismType as M;
    [
        M::EC_KEY_PAIR_GEN,
        M::ECDSA,
        M::ECDSA_SHA256,
        M::ECDSA_SHA384,
        M::ECDSA_SHA512,
        M::AES_KEY_GEN,
        M::AES_GCM,
        M::GENERIC_SECRET_KEY_GEN,
        M::SHA256,
        M::SHA256_HMAC,
        M::SHA384,
        M::SHA384_HMAC,
        M::SHA512,
        M::SHA512_HMAC,
    ]
    .contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gcm(iv: &[u8], tag_bits: CK_ULONG) -> Gcm {
        Gcm { iv: iv.to_vec(), iv_home: IvHome::nowhere(), aad: vec![], tag_bits }
    }

    fn wire_iv(mechanism: Mechanism) -> Option<Vec<u8>> {
        mechanism.gcm.unwrap().iv
    }

    #[test]
    fn a_zeroed_iv_asks_the_engine_for_one_in_a_strict_partition_only() {
        assert_eq!(wire_iv(gcm(&[0; 12], 128).encrypting(true)), None);
        assert_eq!(wire_iv(gcm(&[0; 12], 128).encrypting(false)), Some(vec![0; 12]));
        assert_eq!(wire_iv(gcm(&[1; 12], 128).encrypting(true)), Some(vec![1; 12]));
        assert_eq!(wire_iv(gcm(&[0; 16], 128).encrypting(true)), Some(vec![0; 16]));
        assert_eq!(wire_iv(gcm(&[0; 12], 128).decrypting()), Some(vec![0; 12]));
    }

    #[test]
    fn short_tags_are_refused() {
        assert_eq!(gcm(&[], 128).tag_bytes(), Ok(16));
        for bits in [0, 8, 64, 95, 97, 136, CK_ULONG::MAX] {
            assert_eq!(gcm(&[], bits).tag_bytes(), Err(Rv(CKR_MECHANISM_PARAM_INVALID)), "{bits}");
        }
    }

    #[test]
    fn nothing_unknown_is_offered() {
        let unknown = MechanismInfo { kind: MechanismType(0x1234), min_key: 0, max_key: 0, flags: 0, not_strict: None };
        let kinds: Vec<_> = offered(vec![unknown]).iter().map(|m| m.kind).collect();
        assert_eq!(kinds, [MechanismType::SHA256, MechanismType::SHA384, MechanismType::SHA512]);
    }
}
