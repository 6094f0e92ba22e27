//! The module over TLS: what an appliance's restart and a fork do to an application.

#[macro_use]
mod rig;
#[path = "rig/place.rs"]
mod place;

use coloa_wire::Frame;
use coloa_wire::command::{CommandCode, PartitionMode};
use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki_sys::*;
use place::Place;
use place::server::{Manner, SERVER_NAME, Server};
use rig::forked::in_child;
use rig::{P256, PIN, key_pair, pin};
use std::net::TcpListener;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A server, and the module with a session of the user there.
fn started(place: &Place) -> (Server, Pkcs11, Slot, Session) {
    let (server, module, slot) = place.start();
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&pin(PIN))).unwrap();
    (server, module, slot, session)
}

fn refusal<T: std::fmt::Debug>(outcome: cryptoki::error::Result<T>) -> RvError {
    match outcome {
        Err(Error::Pkcs11(rv, _)) => rv,
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_restart_sessions_and_their_login_go_on() {
    let place = Place::new();
    let (server, module, slot, session) = started(&place);
    let (public, private) = key_pair(&session, P256, true);
    let (_, gone) = key_pair(&session, P256, false);
    let sign = || session.sign(&Mechanism::EcdsaSha256, private, b"x");
    let address = server.address;
    drop(server);
    assert_eq!(refusal(sign()), RvError::DeviceError);
    let server = place.serve(address);
    let signature = sign().unwrap();
    session.verify(&Mechanism::EcdsaSha256, public, b"x", &signature).unwrap();
    assert_eq!(refusal(session.sign(&Mechanism::EcdsaSha256, gone, b"x")), RvError::KeyHandleInvalid);
    // And once more: the ticket is not used up. Threads that notice together are logged in together.
    drop(server);
    let _server = place.serve(address);
    let sessions: Vec<_> = (0..8).map(|_| module.open_ro_session(slot).unwrap()).collect();
    std::thread::scope(|scope| {
        for session in sessions {
            scope.spawn(move || session.sign(&Mechanism::EcdsaSha256, private, b"x").unwrap());
        }
    });
    drop(session);
    module.finalize().unwrap();
}

/// The PIN is set anew while the appliance is down, or a logout came before: nothing is restored.
#[test]
fn after_a_restart_a_login_that_may_not_go_on_is_asked_for_again() {
    let place = Place::new();
    let (server, module, _, session) = started(&place);
    let (public, private) = key_pair(&session, P256, true);
    let sign = || session.sign(&Mechanism::EcdsaSha256, private, b"x");
    let address = server.address;
    drop(server);
    let server = place.serve(address);
    place.change_pin("654321");
    assert_eq!(refusal(sign()), RvError::UserNotLoggedIn);
    assert_eq!(refusal(sign()), RvError::UserNotLoggedIn);
    session.login(UserType::User, Some(&pin("654321"))).unwrap();
    let signature = sign().unwrap();
    session.verify(&Mechanism::EcdsaSha256, public, b"x", &signature).unwrap();
    session.logout().unwrap();
    drop(server);
    let _server = place.serve(address);
    assert_eq!(refusal(sign()), RvError::KeyHandleInvalid);
    assert_eq!(session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap(), []);
    drop(session);
    module.finalize().unwrap();
}

#[test]
fn after_a_restart_what_needs_no_login_just_works() {
    let place = Place::new();
    let (server, module, _, session) = started(&place);
    let data = public_data();
    let object = session.create_object(&data).unwrap();
    session.logout().unwrap();
    let address = server.address;
    drop(server);
    let _server = place.serve(address);
    assert_eq!(session.find_objects(&data[..1]).unwrap(), [object]);
    assert_eq!(session.generate_random_vec(32).unwrap().len(), 32);
    drop(session);
    module.finalize().unwrap();
}

/// The object is committed, the engine dies before it answers: whoever asks again gets that object's handle.
#[test]
fn what_was_made_just_before_a_restart_is_not_made_twice() {
    let place = Place { mode: PartitionMode::Compatible, ..Place::new() };
    let (engines, address) = ([place.engine(), place.engine()], "127.0.0.1:0".parse().unwrap());
    let died = Mutex::new(false);
    let answer = move |frame: &[u8]| {
        let mut died = died.lock().unwrap();
        let mut reply = vec![];
        engines[usize::from(*died)].exchange(frame, &mut reply);
        let creates = Frame::parse(frame).is_ok_and(|f| f.code == CommandCode::ObjectCreate as u16);
        if creates && !*died {
            *died = true;
            reply.clear();
        }
        reply
    };
    let server = Server::start_at(&place.pki, Manner::Engine(Arc::new(answer)), address);
    let (module, slot) = place.module(&server);
    let session = module.open_rw_session(slot).unwrap();
    let data = public_data();
    let made = session.create_object(&data).unwrap();
    assert_eq!(session.find_objects(&data[..1]).unwrap(), [made]);
    drop(session);
    module.finalize().unwrap();
}

#[test]
fn a_forked_child_leaves_its_parents_connections_alone() {
    let place = Place::new();
    let (_server, module, _, session) = started(&place);
    let (_, private) = key_pair(&session, P256, true);
    in_child(|| {
        let inherited = open_sockets();
        let child = rig::open();
        if open_sockets() >= inherited {
            return Err("the parent's sockets are still open".into());
        }
        let slot = child.get_slots_with_token().map_err(|e| e.to_string())?[0];
        let session = child.open_rw_session(slot).map_err(|e| e.to_string())?;
        session.login(UserType::User, Some(&pin(PIN))).map_err(|e| e.to_string())?;
        session.sign(&Mechanism::EcdsaSha256, private_key(&session)?, b"child").map_err(|e| e.to_string())?;
        drop(session);
        child.finalize().map_err(|e| e.to_string())
    });
    session.sign(&Mechanism::EcdsaSha256, private, b"parent").unwrap();
    drop(session);
    module.finalize().unwrap();
}

/// What needs no login to be made on a compatible token, nor to be found.
fn public_data() -> [Attribute; 4] {
    let (class, value) = (Attribute::Class(ObjectClass::DATA), Attribute::Value(vec![1]));
    [class, value, Attribute::Token(true), Attribute::Private(false)]
}

fn private_key(session: &Session) -> Result<cryptoki::object::ObjectHandle, String> {
    let found = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).map_err(|e| e.to_string())?;
    found.first().copied().ok_or("no key".into())
}

/// How many sockets this process has open.
fn open_sockets() -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|e| std::fs::read_link(e.ok()?.path()).ok());
    links.filter(|l| l.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn a_token_that_goes_and_comes_is_a_slot_event() {
    let place = Place::new();
    let (server, module, slot) = place.start();
    let address = server.address;
    let (mut changed, mut count) = (0, 0);
    let mut now = || (ck!(C_WaitForSlotEvent(CKF_DONT_BLOCK, &mut changed, null_mut())), changed);
    assert_eq!(now().0, CKR_NO_EVENT);
    drop(server);
    assert_eq!(now().0, CKR_NO_EVENT, "nobody has looked");
    assert_eq!(ck!(C_GetSlotList(CK_FALSE, null_mut(), &mut count)), CKR_OK);
    assert_eq!(now(), (CKR_OK, slot.id()));
    assert_eq!(now().0, CKR_NO_EVENT);
    let waits = std::thread::spawn(|| {
        let mut changed = 99;
        (ck!(C_WaitForSlotEvent(0, &mut changed, null_mut())), changed)
    });
    let _server = place.serve(address);
    assert_eq!(waits.join().unwrap(), (CKR_OK, slot.id()));
    assert_eq!(module.get_slots_with_token().unwrap(), [slot]);
    module.finalize().unwrap();
}

/// How long a place may take in `silence_of_places`.
const PATIENCE: Duration = Duration::from_secs(4);

/// Places where somebody accepts and says nothing, as behind a firewall that swallows, and behind them one that answers.
fn silence_of_places(place: &Place, listeners: &[TcpListener]) -> String {
    let directory = place.pki.directory.path().display();
    let silent = listeners.iter().map(|silent| {
        format!(
            "[[token]]\nbody = \"network\"\naddress = \"{}\"\nserver_name = \"{SERVER_NAME}\"\nca = \"{directory}/ca.pem\"\n\
             certificate = \"{directory}/client.pem\"\nkey = \"{directory}/client.key\"\ndeadline_ms = {}\n",
            silent.local_addr().unwrap(),
            PATIENCE.as_millis(),
        )
    });
    silent.collect::<String>()
        + "[[token]]\nbody = \"embedded\"\ndirectory = \"store\"\nmode = \"strict\"\ndeadline_ms = 4000\n"
}

#[test]
fn places_that_say_nothing_take_one_deadline_together_and_the_others_are_found() {
    let place = Place::new();
    let listeners: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    place.rig.configure(&silence_of_places(&place, &listeners));
    let begun = Instant::now();
    let module = rig::open();
    assert_eq!(module.get_all_slots().unwrap().len(), 4, "a silent place keeps its slot");
    assert_eq!(module.get_slots_with_token().unwrap().len(), 1);
    let taken = begun.elapsed();
    // Two looks, each with a deadline of its own, on a machine that may be busy.
    assert!(taken < PATIENCE * 5 / 2, "two looks took {taken:?}, and each place may take {PATIENCE:?}");
    module.finalize().unwrap();
}
