//! Each provider checks the other's results on random input, for every feature that both have.
#![forbid(unsafe_code)]

mod providers;

use coloa_engine::crypto::{
    Aead, AeadMode, BLOCK, Curve, Feature, Hash, Kdf, KeyKind, ML_KEM_SEED, MlDsa, MlKem, Mode, PairKind, Scheme,
};
use coloa_engine::{Crypto, CryptoError};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use providers::{native, portable};

/// The same input every time, so that a failure is one for everybody.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() }
}

fn both_have(feature: Feature) -> bool {
    native().supports(feature) && portable().supports(feature)
}

fn bytes(length: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), length)
}

fn block() -> impl Strategy<Value = [u8; BLOCK]> {
    any::<[u8; BLOCK]>()
}

fn curve() -> impl Strategy<Value = Curve> {
    let all = [Curve::P256, Curve::P384, Curve::P521];
    select(all.into_iter().filter(|curve| *curve != Curve::P521 || both_have(Feature::P521)).collect::<Vec<_>>())
}

fn hash() -> impl Strategy<Value = Hash> {
    select(Hash::ALL.into_iter().filter(|hash| both_have(hash.feature())).collect::<Vec<_>>())
}

fn aes_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![bytes(16..=16), bytes(24..=24), bytes(32..=32)]
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let (mut bytes, at) = (bytes.to_vec(), bit % (8 * bytes.len()));
    bytes[at / 8] ^= 1 << (at % 8);
    bytes
}

/// `signer` makes a key pair and signs; `verifier` must agree on all of it, and refuse what was changed.
fn signs_for(signer: &impl Crypto, verifier: &impl Crypto, kind: PairKind, what: (Scheme<'_>, &[u8]), flip: usize) {
    let (scheme, message) = what;
    let pair = signer.generate(kind).expect("a key pair");
    assert_eq!(verifier.public(kind, &pair.secret).as_ref(), Ok(&pair.public));
    let key = signer.load(KeyKind::Pair(kind), &pair.secret).expect("a key");
    let public = verifier.load_public(kind, &pair.public).expect("a public key");
    let signature = signer.sign(&key, scheme, message).expect("a signature");
    assert_eq!(verifier.verify(&public, scheme, message, &signature), Ok(()));
    assert!(verifier.verify(&public, scheme, message, &flipped(&signature, flip)).is_err());
    let other = flipped(message, flip);
    assert_eq!(verifier.verify(&public, scheme, &other, &signature), Err(CryptoError::Unauthentic));
}

fn sign_for_each_other(kind: PairKind, what: (Scheme<'_>, &[u8]), flip: usize) {
    signs_for(&native(), &portable(), kind, what, flip);
    signs_for(&portable(), &native(), kind, what, flip);
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn ecdsa(curve in curve(), digest in bytes(20..=32), flip in any::<usize>()) {
        sign_for_each_other(PairKind::Ec(curve), (Scheme::Ecdsa, &digest), flip);
    }

    // A digest longer than the order is cut, so that a flip in what is cut off changes nothing.
    #[test]
    fn ecdsa_over_long_digests(curve in curve(), digest in bytes(33..=64), flip in 0_usize..256) {
        sign_for_each_other(PairKind::Ec(curve), (Scheme::Ecdsa, &digest), flip);
    }

    #[test]
    fn ed25519(message in bytes(1..=200), flip in any::<usize>()) {
        if both_have(Feature::Ed25519) {
            sign_for_each_other(PairKind::Ed25519, (Scheme::Ed25519, &message), flip);
        }
    }

    #[test]
    fn points(curve in curve(), secret in bytes(32..=32), flip in any::<usize>()) {
        let kind = PairKind::Ec(curve);
        let secret = [vec![0; curve.scalar() - 32], secret].concat();
        let (native, portable) = (native(), portable());
        let public = native.public(kind, &secret);
        prop_assert_eq!(&public, &portable.public(kind, &secret));
        if let Ok(point) = public {
            let point = flipped(&point, flip);
            prop_assert_eq!(native.load_public(kind, &point).err(), portable.load_public(kind, &point).err());
        }
    }

    #[test]
    fn agreement(curve in curve(), x25519 in any::<bool>()) {
        let (kind, feature) = match x25519 {
            true => (PairKind::X25519, Feature::X25519),
            false => (PairKind::Ec(curve), Feature::Ecdh),
        };
        if both_have(feature) {
            let (native, portable) = (native(), portable());
            let (ours, theirs) = (native.generate(kind).expect("a pair"), portable.generate(kind).expect("a pair"));
            let first = native.load(KeyKind::Pair(kind), &ours.secret).expect("a key");
            let second = portable.load(KeyKind::Pair(kind), &theirs.secret).expect("a key");
            let agreed = native.agree(&first, &theirs.public).expect("agreed");
            prop_assert_eq!(&agreed, &portable.agree(&second, &ours.public).expect("agreed"));
            prop_assert_eq!(&portable.public(kind, &ours.secret), &Ok(ours.public));
        }
    }

    #[test]
    fn x25519_takes_any_bytes(secret in bytes(32..=32), peer in bytes(32..=32)) {
        if both_have(Feature::X25519) {
            let (native, portable, kind) = (native(), portable(), KeyKind::Pair(PairKind::X25519));
            let ours = native.load(kind, &secret).expect("a key");
            let theirs = portable.load(kind, &secret).expect("a key");
            prop_assert_eq!(native.agree(&ours, &peer), portable.agree(&theirs, &peer));
        }
    }
}

fn ml_kem_set() -> impl Strategy<Value = MlKem> {
    select(vec![MlKem::L512, MlKem::L768, MlKem::L1024])
}

fn prehash() -> impl Strategy<Value = Option<Hash>> {
    proptest::option::of(hash().prop_filter("FIPS 204 §5.4 has no SHA-1", |hash| *hash != Hash::Sha1))
}

/// `one` encapsulates to a key pair of `other`; both must find the same secret, and the same for a forged ciphertext.
fn encapsulates_to(one: &impl Crypto, other: &impl Crypto, set: MlKem, flip: usize) {
    let kind = PairKind::MlKem(set);
    let pair = other.generate(kind).expect("a pair");
    assert_eq!(pair.secret.len(), ML_KEM_SEED);
    assert_eq!(one.public(kind, &pair.secret).as_ref(), Ok(&pair.public));
    let public = one.load_public(kind, &pair.public).expect("a public key");
    let (ciphertext, secret) = one.encapsulate(&public).expect("encapsulated");
    let ours = other.load(KeyKind::Pair(kind), &pair.secret).expect("a key");
    assert_eq!(other.decapsulate(&ours, &ciphertext).as_ref(), Ok(&secret));
    let (forged, copy) = (flipped(&ciphertext, flip), one.load(KeyKind::Pair(kind), &pair.secret).expect("a key"));
    let rejected = other.decapsulate(&ours, &forged).expect("another secret");
    assert_ne!(rejected, secret);
    assert_eq!(one.decapsulate(&copy, &forged), Ok(rejected));
    let spoiled = flipped(&pair.public, flip);
    assert_eq!(one.load_public(kind, &spoiled).err(), other.load_public(kind, &spoiled).err());
}

/// The expanded form of a key pair made from `seed`, by the portable provider's library.
fn expanded(set: MlKem, seed: &[u8]) -> Vec<u8> {
    #![expect(deprecated, reason = "it is what is tested")]
    use ml_kem::{DecapsulationKey, ExpandedKeyEncoding, KeyInit, MlKem512, MlKem768, MlKem1024};
    fn of<K: KeyInit + ExpandedKeyEncoding>(seed: &[u8]) -> Vec<u8> {
        K::new_from_slice(seed).expect("a key").to_expanded_bytes().to_vec()
    }
    match set {
        MlKem::L512 => of::<DecapsulationKey<MlKem512>>(seed),
        MlKem::L768 => of::<DecapsulationKey<MlKem768>>(seed),
        MlKem::L1024 => of::<DecapsulationKey<MlKem1024>>(seed),
    }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn ml_kem(set in ml_kem_set(), flip in any::<usize>()) {
        if both_have(Feature::MlKem) {
            encapsulates_to(&native(), &portable(), set, flip);
            encapsulates_to(&portable(), &native(), set, flip);
        }
    }

    #[test]
    fn expanded_ml_kem(set in ml_kem_set(), seed in bytes(64..=64), flip in any::<usize>()) {
        if both_have(Feature::MlKem) {
            let (native, portable, kind) = (native(), portable(), PairKind::MlKem(set));
            let secret = expanded(set, &seed);
            prop_assert_eq!(secret.len(), set.private());
            let public = native.public(kind, &secret);
            prop_assert_eq!(&public, &portable.public(kind, &secret));
            prop_assert_eq!(&public, &portable.public(kind, &seed));
            // A flip in the public key or in its hash, which are the middle of the encoding, is found (FIPS 203 §7.3).
            let middle = 8 * (set.private() - 64 - set.public()) + flip % (8 * (set.public() + 32));
            let spoiled = flipped(&secret, middle);
            prop_assert_eq!(native.load(KeyKind::Pair(kind), &spoiled).err(), Some(CryptoError::Invalid));
            prop_assert_eq!(portable.load(KeyKind::Pair(kind), &spoiled).err(), Some(CryptoError::Invalid));
        }
    }

    #[test]
    fn ml_dsa(
        set in select(vec![MlDsa::L44, MlDsa::L65, MlDsa::L87]),
        (prehash, message, context) in (prehash(), bytes(64..=64), bytes(0..=255)),
        flip in any::<usize>(),
    ) {
        if both_have(Feature::MlDsa) {
            let message = &message[..prehash.map_or(64, Hash::length)];
            sign_for_each_other(PairKind::MlDsa(set), (Scheme::MlDsa { context: &context, prehash }, message), flip);
        }
    }
}

fn aead_mode() -> impl Strategy<Value = (AeadMode, usize, usize)> {
    let gcm = Just((AeadMode::Gcm, 12, 16));
    let ccm =
        (7_usize..=13, select(vec![4_usize, 6, 8, 10, 12, 14, 16])).prop_map(|(iv, tag)| (AeadMode::Ccm, iv, tag));
    if both_have(Feature::Ccm) { prop_oneof![gcm, ccm].boxed() } else { gcm.boxed() }
}

/// A mode with an IV for those that take one.
fn mode(number: usize, iv: &[u8; BLOCK]) -> Mode<'_> {
    [Mode::Ecb, Mode::Cbc(iv), Mode::CbcPad(iv), Mode::Ctr(iv), Mode::Kw, Mode::Kwp][number]
}

fn has(mode: Mode<'_>) -> bool {
    both_have(if matches!(mode, Mode::Kw | Mode::Kwp) { Feature::KeyWrap } else { Feature::AesModes })
}

/// Both must make the same of `text`, or refuse it with the same error.
fn cipher_alike(kind: KeyKind, key: &[u8], mode: Mode<'_>, text: &[u8]) -> Result<(), TestCaseError> {
    let (native, portable) = (native(), portable());
    let ours = native.load(kind, key).expect("a key");
    let theirs = portable.load(kind, key).expect("a key");
    let (mut first, mut second) = (text.to_vec(), text.to_vec());
    let encrypted = native.encrypt(&ours, mode, &mut first);
    prop_assert_eq!(encrypted, portable.encrypt(&theirs, mode, &mut second));
    if encrypted.is_ok() {
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(native.decrypt(&ours, mode, &mut second), Ok(()));
        prop_assert_eq!(portable.decrypt(&theirs, mode, &mut first), Ok(()));
        prop_assert_eq!(&first, text);
        prop_assert_eq!(&second, text);
    }
    let (mut first, mut second) = (text.to_vec(), text.to_vec());
    prop_assert_eq!(native.decrypt(&ours, mode, &mut first), portable.decrypt(&theirs, mode, &mut second));
    prop_assert_eq!(&first, &second);
    Ok(())
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn sealed(
        key in aes_key(),
        ((mode, iv, tag), ivs) in (aead_mode(), bytes(13..=13)),
        aad in bytes(0..=40),
        text in bytes(0..=200),
        flip in any::<usize>(),
    ) {
        let (native, portable) = (native(), portable());
        let aead = Aead { mode, iv: &ivs[..iv], aad: &aad, tag };
        let ours = native.load(KeyKind::Aes, &key).expect("a key");
        let theirs = portable.load(KeyKind::Aes, &key).expect("a key");
        let (mut first, mut second) = (text.clone(), text.clone());
        native.seal(&ours, &aead, &mut first).expect("sealed");
        portable.seal(&theirs, &aead, &mut second).expect("sealed");
        prop_assert_eq!(&first, &second);
        let mut forged = flipped(&first, flip);
        prop_assert_eq!(portable.open(&theirs, &aead, &mut forged), Err(CryptoError::Unauthentic));
        prop_assert!(forged.is_empty());
        native.open(&ours, &aead, &mut second).expect("opened");
        portable.open(&theirs, &aead, &mut first).expect("opened");
        prop_assert_eq!(&first, &text);
        prop_assert_eq!(&second, &text);
    }

    #[test]
    fn modes(number in 0_usize..6, key in aes_key(), iv in block(), text in bytes(0..=80), whole in any::<bool>()) {
        let mode = mode(number, &iv);
        if has(mode) {
            let length = if whole { text.len() / BLOCK * BLOCK } else { text.len() };
            cipher_alike(KeyKind::Aes, &key, mode, &text[..length])?;
        }
    }

    #[test]
    fn xts(key in prop_oneof![bytes(32..=32), bytes(64..=64)], tweak in block(), text in bytes(0..=100)) {
        if both_have(Feature::Xts) {
            cipher_alike(KeyKind::AesXts, &key, Mode::Xts(&tweak), &text)?;
        }
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

    #[test]
    fn cmac(key in aes_key(), head in bytes(0..=40), tail in bytes(0..=40)) {
        if both_have(Feature::Cmac) {
            let (native, portable) = (native(), portable());
            let ours = native.load(KeyKind::Aes, &key).expect("a key");
            let theirs = portable.load(KeyKind::Aes, &key).expect("a key");
            let whole = [head.as_slice(), &tail].concat();
            prop_assert_eq!(native.cmac(&ours, &[&head, &tail]), portable.cmac(&theirs, &[&whole]));
        }
    }

    #[test]
    fn derived(hash in hash(), secret in bytes(64..=100), salt in bytes(0..=80), (iterations, length) in (0_u32..5, 0_usize..200)) {
        if both_have(Feature::Kdf) {
            let kdfs = [
                (Kdf::HkdfExtract { hash, salt: &salt }, hash.length()),
                (Kdf::HkdfExtract { hash, salt: &salt }, length),
                (Kdf::HkdfExpand { hash, info: &salt }, length),
                (Kdf::Pbkdf2 { hash, salt: &salt, iterations }, length),
            ];
            for (kdf, length) in kdfs {
                let (mut first, mut second) = (vec![0; length], vec![0; length]);
                let derived = native().derive(&secret, kdf, &mut first);
                prop_assert_eq!(derived, portable().derive(&secret, kdf, &mut second), "{:?} {}", kdf, length);
                prop_assert!(derived.is_err() || first == second, "{:?} {}", kdf, length);
            }
        }
    }
}

/// How long a key derived with HKDF may be (RFC 5869 §2.3).
#[test]
fn hkdf_ends_at_255_blocks() {
    for hash in Hash::ALL.into_iter().filter(|hash| both_have(hash.feature()) && both_have(Feature::Kdf)) {
        let (most, kdf) = (255 * hash.length(), Kdf::HkdfExpand { hash, info: b"" });
        for (length, expected) in [(most, Ok(())), (most + 1, Err(CryptoError::Invalid))] {
            assert_eq!(native().derive(&[1; 64], kdf, &mut vec![0; length]), expected, "{hash:?}");
            assert_eq!(portable().derive(&[1; 64], kdf, &mut vec![0; length]), expected, "{hash:?}");
        }
    }
}
