//! How long the engine says a command will take, before it is given.

mod rig;

use coloa_engine::Pace;
use coloa_store_testkit::RamStore;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, Mechanism, MechanismType as M, Template};
use rig::*;

fn token(stored: bool) -> Template {
    Template::default().with(A::TOKEN, stored)
}

fn pair(mechanism: M, public: bool, private: bool) -> KeyPairGenerate {
    KeyPairGenerate { mechanism: mechanism.into(), public: token(public), private: token(private) }
}

fn secret(mechanism: M, stored: bool) -> KeyGenerate {
    KeyGenerate { mechanism: Mechanism::from(mechanism), template: token(stored) }
}

#[test]
fn pins_are_slow_stored_keys_wait_for_the_medium_the_rest_is_quick() {
    let store = RamStore::new();
    let engine = start(&store).unwrap();
    let partition = rig::token(&engine, PartitionMode::Compatible);
    let caller = user(&engine, partition);
    assert_eq!(caller.pace(&Login { role: Role::User, pin: USER_PIN.into() }), Pace::Login);
    assert_eq!(caller.pace(&TicketLogin { ticket: coloa_wire::LoginTicket([0; 41]) }), Pace::Login);
    assert_eq!(caller.pace(&pair(M::RSA_PKCS_KEY_PAIR_GEN, false, false)), Pace::Slow);
    assert_eq!(caller.pace(&pair(M::EC_KEY_PAIR_GEN, false, false)), Pace::Quick);
    assert_eq!(caller.pace(&pair(M::EC_KEY_PAIR_GEN, true, false)), Pace::Commits);
    assert_eq!(caller.pace(&pair(M::EC_KEY_PAIR_GEN, false, true)), Pace::Commits);
    assert_eq!(caller.pace(&secret(M::AES_KEY_GEN, false)), Pace::Quick);
    assert_eq!(caller.pace(&secret(M::AES_KEY_GEN, true)), Pace::Commits);
    assert_eq!(caller.pace(&secret(M::PKCS5_PBKD2, false)), Pace::Slow);
    assert_eq!(caller.pace(&ObjectCreate { template: token(true) }), Pace::Commits);
    assert_eq!(caller.pace(&ObjectCreate { template: Template::default() }), Pace::Quick);
    let sign = |key| Sign { key, mechanism: M::ECDSA.into(), ticket: None };
    let (kept, passing) = (caller.generate_ec(P256, "a", true).unwrap(), caller.generate_ec(P256, "b", false).unwrap());
    assert_eq!(caller.pace(&sign(kept.private)), Pace::Quick);
    assert_eq!(caller.pace(&ObjectDestroy { object: kept.private }), Pace::Commits);
    assert_eq!(caller.pace(&ObjectDestroy { object: passing.private }), Pace::Quick);
    let stranger = Caller::new(&engine, client(2));
    let theirs = Caller { session: caller.session, ..stranger };
    assert_eq!(theirs.pace(&ObjectDestroy { object: passing.private }), Pace::Quick);
    assert_eq!(engine.pace(&client(1), &[0; 3]), Pace::Quick);
    assert_eq!(engine.pace(&client(1), &[0xff; 200]), Pace::Quick);
}
