//! Each provider checks the other's results on random input.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::{Crypto, Curve, Hash, KeyKind};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use providers::{native, portable};

/// The same input every time, so that a failure is one for everybody.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() }
}

fn curve() -> impl Strategy<Value = Curve> {
    prop_oneof![Just(Curve::P256), Just(Curve::P384)]
}

fn hash() -> impl Strategy<Value = Hash> {
    prop_oneof![Just(Hash::Sha256), Just(Hash::Sha384), Just(Hash::Sha512)]
}

fn aes_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![bytes(16..=16), bytes(24..=24), bytes(32..=32)]
}

fn bytes(length: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), length)
}

/// `signer` makes a key pair and signs; `verifier` must agree on all of it, and refuse what was changed.
fn signs_for(signer: &impl Crypto, verifier: &impl Crypto, curve: Curve, digest: &[u8], flip: usize) {
    let pair = signer.generate_ec(curve).expect("a key pair");
    assert_eq!(verifier.public(curve, &pair.secret).as_ref(), Ok(&pair.public));
    assert!(verifier.valid_point(curve, &pair.public));
    let key = signer.load(KeyKind::Ec(curve), &pair.secret).expect("a key");
    let mut signature = signer.sign(&key, digest).expect("a signature");
    assert_eq!(signature.len(), 2 * curve.scalar());
    assert_eq!(verifier.verify(curve, &pair.public, digest, &signature), Ok(()));
    let at = flip % (8 * signature.len());
    signature[at / 8] ^= 1 << (at % 8);
    assert!(verifier.verify(curve, &pair.public, digest, &signature).is_err());
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn signatures(curve in curve(), digest in bytes(20..=64), flip in any::<usize>()) {
        signs_for(&native(), &portable(), curve, &digest, flip);
        signs_for(&portable(), &native(), curve, &digest, flip);
    }

    #[test]
    fn points(curve in curve(), secret in bytes(32..=32), flip in any::<usize>()) {
        let secret = [vec![0; curve.scalar() - 32], secret].concat();
        let (native, portable) = (native(), portable());
        let public = native.public(curve, &secret);
        prop_assert_eq!(&public, &portable.public(curve, &secret));
        if let Ok(mut point) = public {
            let at = flip % (8 * point.len());
            point[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(native.valid_point(curve, &point), portable.valid_point(curve, &point));
        }
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn sealed(key in aes_key(), iv in bytes(12..=12), aad in bytes(0..=40), text in bytes(0..=200)) {
        let (native, portable) = (native(), portable());
        let ours = native.load(KeyKind::Aes, &key).expect("a key");
        let theirs = portable.load(KeyKind::Aes, &key).expect("a key");
        let (mut first, mut second) = (text.clone(), text.clone());
        native.seal(&ours, &iv, &aad, &mut first).expect("sealed");
        portable.seal(&theirs, &iv, &aad, &mut second).expect("sealed");
        prop_assert_eq!(&first, &second);
        native.open(&ours, &iv, &aad, &mut second).expect("opened");
        portable.open(&theirs, &iv, &aad, &mut first).expect("opened");
        prop_assert_eq!(&first, &text);
        prop_assert_eq!(&second, &text);
    }

    #[test]
    fn hashed(hash in hash(), key in bytes(1..=200), head in bytes(0..=200), tail in bytes(0..=200)) {
        let (native, portable) = (native(), portable());
        let whole = [head.as_slice(), &tail].concat();
        prop_assert_eq!(native.digest(hash, &[&head, &tail]), portable.digest(hash, &[&whole]));
        let ours = native.load(KeyKind::Hmac, &key).expect("a key");
        let theirs = portable.load(KeyKind::Hmac, &key).expect("a key");
        let mac = native.mac(&ours, hash, &[&head, &tail]);
        prop_assert_eq!(mac, portable.mac(&theirs, hash, &[&head, &tail]));
        prop_assert_eq!(mac.expect("a MAC").as_ref().len(), hash.length());
    }
}
