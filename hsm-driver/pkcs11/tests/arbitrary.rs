//! Arbitrary bytes at each entrance of the module: templates and mechanisms of a hostile program (B2), replies of a lying
//! server. The plays take what a fuzzer gives (`cargo xtask fuzz pkcs11_replies` and its like).

#[macro_use]
mod rig;
mod fuzzed;
#[path = "../../client/tests/rig/mod.rs"]
mod server;

use cryptoki_sys::*;
use fuzzed::liar::Liar;
use fuzzed::lies::{self, Lie};
use fuzzed::{parameters, replies, templates};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rig::Rig;
use rig::c::{finalize, set_up};
use rig::keys::Keys;

/// Gives a play so many inputs.
fn perform(cases: u32, length: usize, play: impl Fn(&[u8])) {
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let each = |input: Vec<u8>| {
        play(&input);
        Ok(())
    };
    runner.run(&vec(any::<u8>(), 0..length), each).unwrap();
}

#[test]
fn any_template_is_taken_or_refused() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let keys = Keys::new(s);
    perform(3000, 400, |input| templates::play(s, &keys, input));
    finalize();
}

#[test]
fn any_parameter_of_every_mechanism_is_taken_or_refused() {
    let _rig = Rig::new("compatible");
    let s = set_up();
    let keys = Keys::new(s);
    let kinds = parameters::kinds();
    perform(5000, 300, |input| parameters::play(s, &keys, &kinds, input));
    finalize();
}

#[test]
fn any_reply_is_a_result_or_an_error() {
    let _rig = Rig::new("strict");
    let liar = Liar::start();
    perform(500, 300, |input| replies::play(&liar, input));
}

/// What the plays stand on: without a lie each of them gets to its end.
#[test]
fn a_server_that_does_not_lie_is_believed() {
    let _rig = Rig::new("strict");
    let liar = Liar::start();
    for over_tls in [false, true] {
        let refused: Vec<_> = replies::honestly(&liar, over_tls).into_iter().filter(|(_, rv)| *rv != CKR_OK).collect();
        let expected = if over_tls { CKR_PENDING } else { CKR_SESSION_ASYNC_NOT_SUPPORTED };
        assert!(!refused.is_empty() && refused.iter().all(|(_, rv)| *rv == expected), "{refused:x?}");
    }
}

/// What functions answered to a lie, without those it is not about.
fn to_a_lie(lie: Lie, functions: &[&str]) -> Vec<(&'static str, CK_RV)> {
    let _rig = Rig::new("strict");
    let answers = replies::insisting(&Liar::start(), lie);
    let about: Vec<_> = answers.into_iter().filter(|(name, _)| functions.contains(name)).collect();
    assert!(!about.is_empty());
    about
}

#[test]
fn results_of_a_wrong_length_are_refused() {
    let functions = [
        "C_SignFinal",
        "C_SignMessage",
        "C_SignMessageNext",
        "C_EncryptMessage",
        "C_DecryptMessage",
        "C_Encrypt",
        "C_EncryptFinal",
        "C_DecryptDigestUpdate",
        "C_GenerateRandom",
    ];
    for lie in [lies::too_long, lies::too_short] {
        for (name, rv) in to_a_lie(lie, &functions) {
            assert!([CKR_DEVICE_ERROR, CKR_OPERATION_NOT_INITIALIZED, CKR_PENDING].contains(&rv), "{name}: {rv:#x}");
        }
    }
}

#[test]
fn values_of_another_kind_are_refused() {
    for lie in [lies::templates, lies::bytes, lies::numbers] {
        for (_, rv) in to_a_lie(lie, &["C_GetAttributeValue"]) {
            assert_eq!(rv, CKR_DEVICE_ERROR);
        }
    }
}

#[test]
fn an_iv_that_was_given_is_not_written_to() {
    let answers = to_a_lie(lies::ivs, &["C_Encrypt", "C_WrapKey"]);
    assert!(answers.contains(&("C_Encrypt", CKR_DEVICE_ERROR)) && answers.contains(&("C_WrapKey", CKR_DEVICE_ERROR)));
}

#[test]
fn a_search_ends_though_the_server_does_not_end_it() {
    let _rig = Rig::new("strict");
    let liar = Liar::start();
    const MOST: usize = 1 << 20;
    let (rv, found, asked) = replies::search(&liar, lies::without_end, MOST + 1);
    assert!(rv == CKR_OK && found == MOST && asked <= MOST / 256 + 1, "{rv:#x}: {found} found, asked {asked} times");
    let (rv, found, asked) = replies::search(&liar, lies::stuck, MOST + 1);
    assert_eq!((rv, found, asked), (CKR_DEVICE_ERROR, 0, 2), "the same objects again");
}

#[test]
fn a_server_has_only_so_many_slots() {
    let _rig = Rig::new("strict");
    let liar = Liar::start();
    assert_eq!(replies::count_slots(&liar, 3), [1024; 3]);
}
