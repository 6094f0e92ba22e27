//! Trust in wrapping keys: who gives it, to what, and that nobody takes it along (PKCS#11 §4.10, `CKA_TRUSTED`).

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::Crypto;
use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, Template};
use rig::*;

/// Modulus and exponent of a DER `RSAPublicKey` with a modulus of 3072 bits and the exponent 65537.
fn rsa_parts(public: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let exponent = public.len() - 3;
    (public[exponent - 2 - 384..exponent - 2].to_vec(), public[exponent..].to_vec())
}

/// Trust is the SO's to give, on what nobody can know, and nobody's to take along.
#[test]
fn trust_that_was_not_given() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in BOTH {
        let partition = token(&engine, mode);
        let caller = user(&engine, partition);
        let kek = caller.kek(Template::default());
        let hidden = treasure(&caller);
        assert_eq!(caller.write(kek, yes(&[A::TRUSTED])).err(), Some(ErrorCode::AttributeReadOnly));
        let born = caller.generate_aes(yes(&[A::WRAP, A::TRUSTED]));
        assert_eq!(born, Err(ErrorCode::AttributeReadOnly));
        assert_eq!(caller.wrap(kek, &kwp(), hidden), Err(ErrorCode::KeyNotWrappable));
        if mode == PartitionMode::Strict {
            // There every key is one that only trusted keys wrap, whatever it says of itself.
            let loose = yes(&[A::EXTRACTABLE, A::ENCRYPT]).with(A::WRAP_WITH_TRUSTED, false);
            let loose = caller.generate_aes(loose).unwrap();
            assert_eq!(caller.wrap(kek, &kwp(), loose), Err(ErrorCode::KeyNotWrappable));
        }
        trust(&engine, partition, kek).unwrap();
        assert_eq!(
            caller.write(kek, Template::default().with(A::TRUSTED, false)).err(),
            Some(ErrorCode::AttributeReadOnly)
        );
        assert_eq!(
            caller.copy(kek, Template::default().with(A::TRUSTED, false)).err(),
            Some(ErrorCode::AttributeReadOnly)
        );
        let copy = caller.copy(kek, Template::default()).unwrap();
        assert!(caller.wrap(copy, &kwp(), hidden).is_ok(), "the same key is as trusted");
        // Trust taken back is gone.
        officer(&engine, partition).write(kek, Template::default().with(A::TRUSTED, false)).unwrap();
        assert_eq!(caller.wrap(kek, &kwp(), hidden), Err(ErrorCode::KeyNotWrappable));
        // The SO marks, and does no more: it changes nothing else of a secret key, and wraps none.
        let officer = officer(&engine, partition);
        let more = yes(&[A::TRUSTED]).with(A::LABEL, &b"x"[..]);
        assert_eq!(officer.write(kek, more).is_err(), mode == PartitionMode::Strict);
        assert_eq!(officer.wrap(copy, &kwp(), kek).err(), Some(ErrorCode::NotLoggedIn));
    }
}

/// Keys that are not private are seen without a login; a strict partition lets nobody use them so (R1).
#[test]
fn a_wrapping_without_a_login() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let caller = user(&engine, partition);
    let kek = caller.kek(Template::default());
    trust(&engine, partition, kek).unwrap();
    let shown = Template::default().with(A::TOKEN, true).with(A::PRIVATE, false).with(A::EXTRACTABLE, true);
    let key = caller.generate_aes(shown).unwrap();
    let mine = Native.generate_rsa(3072).unwrap();
    let parts = rsa_parts(&mine.public);
    let public = of_class(class::PUBLIC_KEY, key_type::RSA).with(A::WRAP, true).with(A::TOKEN, true);
    let public = public.with(A::MODULUS, parts.0).with(A::PUBLIC_EXPONENT, parts.1);
    let public = caller.create(public).unwrap();
    trust(&engine, partition, public).unwrap();
    let mut nobody = Caller::new(&engine, client(1));
    nobody.open(partition).unwrap();
    assert_eq!(nobody.wrap(kek, &kwp(), key), Err(ErrorCode::NotLoggedIn));
    assert_eq!(nobody.wrap(public, &rsa_aes(), key), Err(ErrorCode::NotLoggedIn));
}
