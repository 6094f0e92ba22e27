//! What an attacker learns from wrapped keys that he made, changed or chose the IV of: nothing on a strict partition, and on
//! a compatible one only what mechanisms without integrity give away.

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::Crypto;
use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism, MechanismType as M, ObjectId, Parameter, Template};
use rig::*;

/// Noise is no wrapped key, so nobody makes keys of it and learns from what they do.
#[test]
fn keys_conjured_from_noise() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in BOTH {
        let caller = user(&engine, token(&engine, mode));
        let kek = caller.kek(Template::default());
        let public = Template::default().with(A::MODULUS_BITS, 3072).with(A::WRAP, true);
        let pair = caller.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, public, yes(&[A::UNWRAP])).unwrap();
        let by_oaep = Mechanism::with(M::RSA_PKCS_OAEP, Parameter::Oaep(oaep()));
        let before = caller.find(Template::default()).len();
        let mut noise = vec![0; 384 + 40];
        for _ in 0..100 {
            Native.random(&mut noise).unwrap();
            noise[0] = 0;
            let tries = [
                (kek, M::AES_KEY_WRAP.into(), 40),
                (kek, kwp(), 40),
                (kek, gcm(Some(&[1; 12])), 32),
                (kek, gcm(Some(&[1; 12])), 48),
                (pair.private, by_oaep.clone(), 384),
                (pair.private, rsa_aes(), 384 + 40),
            ];
            for (key, mechanism, length) in tries {
                let strict = mode == PartitionMode::Strict;
                for kind in if strict { [key_type::AES; 2] } else { [key_type::GENERIC_SECRET, key_type::AES] } {
                    let made = caller.unwrap(key, &mechanism, &noise[..length], of_class(class::SECRET_KEY, kind));
                    assert_eq!(made, Err(ErrorCode::WrappedKeyInvalid));
                }
            }
        }
        assert_eq!(caller.find(Template::default()).len(), before);
    }
}

/// The same IV twice opens GCM (SP 800-38D appendix A): the caller does not get to choose.
#[test]
fn an_iv_of_the_attackers_choice() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let kek = caller.kek(Template::default());
    trust(&engine, partition, kek).unwrap();
    let (known, hidden) =
        (caller.create(aes().with(A::VALUE, vec![1; 32]).with(A::EXTRACTABLE, true)), treasure(&caller));
    for key in [known.unwrap(), hidden] {
        assert_eq!(caller.wrap(kek, &gcm(Some(&[0; 12])), key), Err(ErrorCode::MechanismParameter));
    }
    let ivs: std::collections::BTreeSet<_> =
        (0..50).map(|_| caller.wrap_with_iv(kek, &gcm(None), hidden).unwrap().0.unwrap()).collect();
    assert_eq!(ivs.len(), 50);
    assert!(ivs.iter().all(|iv| iv.len() == 12));
}

/// Vaudenay's and Bleichenbacher's oracles: a strict partition has no unwrapping that pads without authenticating.
#[test]
fn padding_oracles() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Strict));
    let kek = caller.kek(Template::default());
    let public = Template::default().with(A::MODULUS_BITS, 3072).with(A::WRAP, true);
    let pair = caller.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, public, yes(&[A::UNWRAP])).unwrap();
    let asked = |key, mechanism: &Mechanism, text: &[u8]| caller.unwrap(key, mechanism, text, aes());
    assert_eq!(asked(kek, &cbc_pad(Some(&[0; 16])), &[0; 32]), Err(ErrorCode::MechanismForbidden));
    assert_eq!(asked(pair.private, &M::RSA_PKCS.into(), &[0; 384]), Err(ErrorCode::MechanismForbidden));
    assert_eq!(caller.wrap(kek, &cbc_pad(None), kek), Err(ErrorCode::MechanismForbidden));
    assert_eq!(caller.wrap(pair.public, &M::RSA_PKCS.into(), kek), Err(ErrorCode::MechanismForbidden));
}

/// Keys that wrap and unwrap, and the mechanism with an IV.
type Way = (ObjectId, ObjectId, fn(Option<&[u8]>) -> Mechanism);

/// What a compatible partition answers to a text that is not as it was is one code, wherever it was changed, and PKCS#1
/// never says that its padding is wrong (R25).
#[test]
fn a_wrapped_key_that_was_changed_is_one_error() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = user(&engine, token(&engine, PartitionMode::Compatible));
    let kek = caller.kek(Template::default());
    let key = caller.generate_aes(yes(&[A::EXTRACTABLE])).unwrap();
    let public = Template::default().with(A::MODULUS_BITS, 2048).with(A::WRAP, true);
    let pair = caller.pair_by(M::RSA_PKCS_KEY_PAIR_GEN, public, yes(&[A::UNWRAP])).unwrap();
    let ways: [Way; 4] = [
        (kek, kek, gcm),
        (kek, kek, cbc_pad),
        (pair.public, pair.private, |_| rsa_aes()),
        (pair.public, pair.private, |_| Mechanism::with(M::RSA_PKCS_OAEP, Parameter::Oaep(oaep()))),
    ];
    for (wrapping, unwrapping, mechanism) in ways {
        let (iv, wrapped) = caller.wrap_with_iv(wrapping, &mechanism(None), key).unwrap();
        let mechanism = mechanism(iv.as_deref());
        caller.unwrap(unwrapping, &mechanism, &wrapped, aes()).unwrap();
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            match caller.unwrap(unwrapping, &mechanism, &changed, aes()) {
                Err(error) => assert_eq!(error, ErrorCode::WrappedKeyInvalid, "{at}"),
                // CBC does not notice: another key comes out.
                Ok(object) => {
                    assert_eq!(mechanism.kind, M::AES_CBC_PAD);
                    caller.call(&ObjectDestroy { object }).unwrap();
                }
            }
        }
    }
    // As a generic secret of any length, what PKCS#1 yields for noise is a key like another: nothing tells the padding.
    let wrapped = caller.wrap(pair.public, &M::RSA_PKCS.into(), key).unwrap();
    for at in [1, 7, 200, 255] {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        let template = || of_class(class::SECRET_KEY, key_type::GENERIC_SECRET);
        let once = caller.unwrap(pair.private, &M::RSA_PKCS.into(), &changed, template());
        assert!(matches!(once, Ok(_) | Err(ErrorCode::WrappedKeyInvalid)), "{once:?}");
    }
}
