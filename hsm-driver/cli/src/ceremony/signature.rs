//! Signatures of custodians and of the device, as both write them (`r ‖ s`) and as OpenSSL reads them (DER, RFC 3279 §2.2.3).

use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey, VerificationAlgorithm};

/// Bytes of `r`, and of `s`.
const HALF: usize = 48;
/// The tag of an INTEGER, and of a SEQUENCE.
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;

/// Whether `r ‖ s` is by this key over the text.
pub fn is_fixed(key: &[u8], text: &[u8], signature: &[u8]) -> bool {
    verifies(&ECDSA_P384_SHA384_FIXED, key, text, signature)
}

/// Whether a DER signature is.
pub fn is_der(key: &[u8], text: &[u8], signature: &[u8]) -> bool {
    verifies(&ECDSA_P384_SHA384_ASN1, key, text, signature)
}

fn verifies(by: &'static dyn VerificationAlgorithm, key: &[u8], text: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(by, key).verify(text, signature).is_ok()
}

/// The DER form of `r ‖ s`; `None` when it is of another length.
pub fn der(fixed: &[u8]) -> Option<Vec<u8>> {
    if fixed.len() != 2 * HALF {
        return None;
    }
    let body: Vec<u8> = fixed.chunks(HALF).flat_map(integer).collect();
    Some([&[SEQUENCE, u8::try_from(body.len()).ok()?][..], &body].concat())
}

/// An unsigned number without leading zeros, but for the one that keeps it from being negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len().saturating_sub(1));
    let digits = bytes.get(start..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_some_and(|b| *b >= 0x80) { &[0] } else { &[] };
    let length = u8::try_from(sign.len().saturating_add(digits.len())).unwrap_or_default();
    [&[INTEGER, length], sign, digits].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    /// Of 600 signatures some have halves with a leading zero, and half of them a high bit.
    #[test]
    fn both_forms_are_the_same_signature() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let key = pair.public_key().as_ref();
        for _ in 0..600 {
            let fixed = pair.sign(&random, b"text").unwrap();
            assert!(is_fixed(key, b"text", fixed.as_ref()));
            assert!(is_der(key, b"text", &der(fixed.as_ref()).unwrap()));
        }
        assert_eq!(der(&[1; 95]), None);
        let mut small = [0; 96];
        (small[47], small[95]) = (1, 0x80);
        assert_eq!(der(&small).unwrap(), [0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]);
        assert!(!is_der(key, b"text", &der(&small).unwrap()) && !is_der(b"", b"text", &[]));
    }
}
