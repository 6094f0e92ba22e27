//! Tokens, sessions, logins and their rules; objects and who sees them (R24).

#[macro_use]
mod rig;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::UserType;
use rig::{P256, PIN, Rig, SO_PIN, Token, key_pair, open, pin};

fn refusal<T: std::fmt::Debug>(outcome: cryptoki::error::Result<T>) -> RvError {
    match outcome {
        Err(Error::Pkcs11(rv, _)) => rv,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_embedded_token_says_what_it_is() {
    let token = Token::new("compatible");
    let info = token.module.get_token_info(token.slot).unwrap();
    assert_eq!(info.label(), "bench");
    assert!(info.manufacturer_id().contains("DEVELOPMENT, NOT AN HSM"), "{info:?}");
    assert!(info.model().contains("compatible"), "{info:?}");
    assert!(info.token_initialized() && info.user_pin_initialized() && info.login_required());
    let slot = token.module.get_slot_info(token.slot).unwrap();
    assert!(slot.slot_description().starts_with("DEVELOPMENT, NOT AN HSM"), "{slot:?}");
}

#[test]
fn a_wrong_pin_is_counted_and_a_token_with_sessions_is_not_initialised() {
    let token = Token::new("strict");
    let session = token.module.open_ro_session(token.slot).unwrap();
    assert_eq!(refusal(session.login(UserType::User, Some(&pin("999999")))), RvError::PinIncorrect);
    assert!(token.module.get_token_info(token.slot).unwrap().user_pin_count_low());
    let again = token.module.init_token(token.slot, &pin(SO_PIN), "bench");
    assert_eq!(refusal(again), RvError::SessionExists);
    session.login(UserType::User, Some(&pin(PIN))).unwrap();
    assert_eq!(refusal(session.login(UserType::User, Some(&pin(PIN)))), RvError::UserAlreadyLoggedIn);
    assert_eq!(refusal(session.login(UserType::So, Some(&pin(SO_PIN)))), RvError::UserAnotherAlreadyLoggedIn);
}

#[test]
fn without_a_user_pin_there_is_none_to_change() {
    let rig = Rig::new("strict");
    let module = open();
    let slot = module.get_all_slots().unwrap()[0];
    module.init_token(slot, &pin(SO_PIN), "bench").unwrap();
    let session = module.open_rw_session(slot).unwrap();
    assert_eq!(refusal(session.login(UserType::User, Some(&pin(PIN)))), RvError::UserPinNotInitialized);
    assert_eq!(refusal(session.set_pin(&pin(PIN), &pin("654321"))), RvError::PinIncorrect);
    drop(session);
    module.finalize().unwrap();
    drop(rig);
}

#[test]
fn the_officer_and_read_only_sessions_exclude_each_other() {
    let token = Token::new("strict");
    let reader = token.module.open_ro_session(token.slot).unwrap();
    let writer = token.module.open_rw_session(token.slot).unwrap();
    assert_eq!(refusal(writer.login(UserType::So, Some(&pin(SO_PIN)))), RvError::SessionReadOnlyExists);
    drop(reader);
    writer.login(UserType::So, Some(&pin(SO_PIN))).unwrap();
    assert_eq!(refusal(token.module.open_ro_session(token.slot).map(|_| ())), RvError::SessionReadWriteSoExists);
    writer.logout().unwrap();
    assert_eq!(refusal(writer.logout()), RvError::UserNotLoggedIn);
    assert_eq!(refusal(writer.init_pin(&pin(PIN))), RvError::UserNotLoggedIn);
}

#[test]
fn a_read_only_session_makes_session_objects_only() {
    let token = Token::new("strict");
    let writer = token.user();
    let (public, _) = key_pair(&writer, P256, true);
    let reader = token.module.open_ro_session(token.slot).unwrap();
    let data = [Attribute::Class(ObjectClass::DATA), Attribute::Value(vec![1]), Attribute::Token(true)];
    assert_eq!(refusal(reader.create_object(&data)), RvError::SessionReadOnly);
    assert_eq!(refusal(reader.destroy_object(public)), RvError::SessionReadOnly);
    assert_eq!(refusal(reader.set_pin(&pin(PIN), &pin("654321"))), RvError::SessionReadOnly);
    let object = reader.create_object(&data[..2]).unwrap();
    reader.destroy_object(object).unwrap();
}

#[test]
fn session_objects_go_with_their_session_and_token_objects_stay() {
    let token = Token::new("strict");
    let keeper = token.user();
    let passing = token.module.open_rw_session(token.slot).unwrap();
    let label = Attribute::Label(b"x".to_vec());
    let data = |token| {
        [Attribute::Class(ObjectClass::DATA), Attribute::Value(vec![1]), label.clone(), Attribute::Token(token)]
    };
    passing.create_object(&data(false)).unwrap();
    let stays = passing.create_object(&data(true)).unwrap();
    assert_eq!(keeper.find_objects(std::slice::from_ref(&label)).unwrap().len(), 2);
    drop(passing);
    assert_eq!(keeper.find_objects(&[label]).unwrap(), [stays]);
}

#[test]
fn private_objects_are_seen_by_the_user_only() {
    let token = Token::new("strict");
    let session = token.user();
    let (_, private) = key_pair(&session, P256, true);
    let keys = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
    assert_eq!(session.find_objects(&keys).unwrap(), [private]);
    session.sign(&Mechanism::EcdsaSha256, private, b"x").unwrap();
    session.logout().unwrap();
    assert!(session.find_objects(&keys).unwrap().is_empty());
    assert_eq!(refusal(session.sign_init(&Mechanism::EcdsaSha256, private)), RvError::KeyHandleInvalid);
    session.login(UserType::User, Some(&pin(PIN))).unwrap();
    assert_eq!(session.find_objects(&keys).unwrap(), [private]);
}

#[test]
fn attributes_are_read_changed_and_kept_secret() {
    let token = Token::new("strict");
    let session = token.user();
    let (public, private) = key_pair(&session, P256, true);
    session.update_attributes(private, &[Attribute::Label(b"moi".to_vec())]).unwrap();
    let read = session.get_attributes(private, &[AttributeType::Label, AttributeType::Value]).unwrap();
    assert_eq!(read, [Attribute::Label(b"moi".to_vec())], "a private key's value must not be there");
    let point = session.get_attributes(public, &[AttributeType::EcPoint]).unwrap();
    assert!(matches!(&point[..], [Attribute::EcPoint(p)] if p.len() == 67 && p[..3] == [4, 65, 4]), "{point:?}");
    session.destroy_object(private).unwrap();
    assert_eq!(refusal(session.destroy_object(private)), RvError::ObjectHandleInvalid);
}

#[test]
fn more_objects_than_a_page_are_all_found() {
    let token = Token::new("strict");
    let session = token.user();
    for n in 0..300_u16 {
        let value = Attribute::Value(n.to_be_bytes().to_vec());
        session.create_object(&[Attribute::Class(ObjectClass::DATA), value]).unwrap();
    }
    assert_eq!(session.find_objects(&[Attribute::Class(ObjectClass::DATA)]).unwrap().len(), 300);
}

#[test]
fn keys_survive_finalize_and_a_new_initialize() {
    let token = Token::new("strict");
    let session = token.user();
    key_pair(&session, P256, true);
    drop(session);
    token.module.clone().finalize().unwrap();
    let module = open();
    let session = module.open_rw_session(module.get_all_slots().unwrap()[0]).unwrap();
    session.login(UserType::User, Some(&pin(PIN))).unwrap();
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
    session.sign(&Mechanism::EcdsaSha256, keys[0], b"x").unwrap();
    drop(session);
    module.finalize().unwrap();
}

#[test]
fn random_bytes_are_delivered_whole() {
    let token = Token::new("strict");
    let session = token.user();
    let (a, b) = (session.generate_random_vec(10_000).unwrap(), session.generate_random_vec(10_000).unwrap());
    assert_eq!(a.len(), 10_000);
    assert_ne!(a, b);
    assert!(a[9_990..].iter().any(|byte| *byte != 0));
    assert_eq!(refusal(session.seed_random(b"seed")), RvError::RandomSeedNotSupported);
}

#[test]
fn a_place_that_does_not_answer_is_an_empty_slot_and_a_wrong_key_is_named() {
    let rig = Rig::new("strict");
    rig.configure("[[token]]\nbody = \"embedded\"\ndirectory = \"/proc/no\"\n");
    let module = open();
    assert!(module.get_slots_with_token().unwrap().is_empty());
    let slots = module.get_all_slots().unwrap();
    assert_eq!(slots.len(), 1);
    assert_eq!(refusal(module.open_ro_session(slots[0]).map(|_| ())), RvError::TokenNotPresent);
    module.finalize().unwrap();
    rig.configure("[[token]]\nbody = \"embedded\"\ndirectroy = \"x\"\n");
    assert_eq!(ck!(C_Initialize(std::ptr::null_mut())), cryptoki_sys::CKR_GENERAL_ERROR);
}

#[test]
fn a_user_has_no_name_and_nothing_is_validated() {
    let _rig = Rig::new("strict");
    let s = rig::c::set_up();
    assert_eq!(ck!(C_Logout(s)), cryptoki_sys::CKR_OK);
    let (mut pin, mut name) = (PIN.as_bytes().to_vec(), *b"an");
    let (pin, user) = (pin.as_mut_ptr(), cryptoki_sys::CKU_USER);
    assert_eq!(ck!(C_LoginUser(s, user, pin, 6, name.as_mut_ptr(), 2)), cryptoki_sys::CKR_USER_TYPE_INVALID);
    assert_eq!(ck!(C_LoginUser(s, user, pin, 6, std::ptr::null_mut(), 0)), cryptoki_sys::CKR_OK);
    let mut flags = 7;
    assert_eq!(ck!(C_GetSessionValidationFlags(s, 1, &mut flags)), cryptoki_sys::CKR_OK);
    assert_eq!(flags, 0);
    assert_eq!(ck!(C_GetSessionValidationFlags(s, 2, &mut flags)), cryptoki_sys::CKR_ARGUMENTS_BAD);
    rig::c::finalize();
}
