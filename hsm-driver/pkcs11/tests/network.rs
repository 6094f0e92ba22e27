//! The module over TLS: what an appliance's restart and a fork do to an application.

#[macro_use]
mod rig;
#[path = "../../client/tests/rig/mod.rs"]
mod server;

use coloa_host::Embedded;
use coloa_wire::Frame;
use coloa_wire::command::{CommandCode, PartitionMode};
use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki_sys::*;
use rig::{P256, PIN, Rig, in_child, key_pair, pin, set_pins};
use server::{Manner, Pki, SERVER_NAME, Server};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// An engine behind TLS, and the module configured to use it.
struct Place {
    rig: Rig,
    pki: Pki,
    mode: PartitionMode,
}

impl Place {
    fn new() -> Self {
        Place { rig: Rig::new("strict"), pki: Pki::new(), mode: PartitionMode::Strict }
    }

    /// An engine of its own on this place's store: as after a restart, no session is known.
    fn engine(&self) -> Embedded {
        Embedded::open(&self.rig.directory.path().join("store"), self.mode).unwrap()
    }

    /// A server with such an engine.
    fn serve(&self, address: SocketAddr) -> Server {
        let engine = self.engine();
        let answer = move |frame: &[u8]| {
            let mut reply = vec![];
            engine.exchange(frame, &mut reply);
            reply
        };
        Server::start_at(&self.pki, Manner::Engine(Arc::new(answer)), address)
    }

    /// A server at a free port, the module initialised, PINs set.
    fn start(&self) -> (Server, Pkcs11, Slot) {
        let server = self.serve("127.0.0.1:0".parse().unwrap());
        let (module, slot) = self.module(&server);
        (server, module, slot)
    }

    /// The module initialised for a server, PINs set.
    fn module(&self, server: &Server) -> (Pkcs11, Slot) {
        let directory = self.pki.directory.path().display();
        self.rig.configure(&format!(
            "[[token]]\nbody = \"network\"\naddress = \"{}\"\nserver_name = \"{SERVER_NAME}\"\nca = \"{directory}/ca.pem\"\n\
             certificate = \"{directory}/client.pem\"\nkey = \"{directory}/client.key\"\n",
            server.address
        ));
        let module = rig::open();
        let slot = module.get_slots_with_token().unwrap()[0];
        set_pins(&module, slot);
        (module, slot)
    }
}

fn log_in(session: &Session) {
    session.login(UserType::User, Some(&pin(PIN))).unwrap();
}

fn refusal<T: std::fmt::Debug>(outcome: cryptoki::error::Result<T>) -> RvError {
    match outcome {
        Err(Error::Pkcs11(rv, _)) => rv,
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_restart_sessions_go_on_and_the_login_is_asked_for_again() {
    let place = Place::new();
    let (server, module, slot) = place.start();
    let session = module.open_rw_session(slot).unwrap();
    log_in(&session);
    let (public, private) = key_pair(&session, P256, true);
    let sign = || session.sign(&Mechanism::EcdsaSha256, private, b"x");
    sign().unwrap();
    let address = server.address;
    drop(server);
    assert_eq!(refusal(sign()), RvError::DeviceError);
    let _server = place.serve(address);
    assert_eq!(refusal(sign()), RvError::UserNotLoggedIn);
    assert_eq!(refusal(sign()), RvError::UserNotLoggedIn);
    log_in(&session);
    let signature = sign().unwrap();
    session.verify(&Mechanism::EcdsaSha256, public, b"x", &signature).unwrap();
    drop(session);
    module.finalize().unwrap();
}

#[test]
fn after_a_restart_what_needs_no_login_just_works() {
    let place = Place::new();
    let (server, module, slot) = place.start();
    let session = module.open_rw_session(slot).unwrap();
    let data = public_data();
    log_in(&session);
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
    let (_server, module, slot) = place.start();
    let session = module.open_rw_session(slot).unwrap();
    log_in(&session);
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

/// One thread, many signatures under way; what is not fetched goes with its session.
#[test]
fn one_thread_overlaps_as_many_signatures_as_it_has_sessions() {
    let place = Place::new();
    let (_server, module, slot) = place.start();
    let session = module.open_rw_session(slot).unwrap();
    log_in(&session);
    key_pair(&session, P256, true);
    let mut token = CK_TOKEN_INFO::default();
    assert_eq!(ck!(C_GetTokenInfo(slot.id(), &mut token)), CKR_OK);
    assert_ne!(token.flags & CKF_ASYNC_SESSION_SUPPORTED, 0);
    let sessions: Vec<_> = (0..32).map(|_| open_asynchronous(slot.id()).unwrap()).collect();
    let mut buffers = vec![[0_u8; 64]; sessions.len()];
    for (s, buffer) in sessions.iter().zip(&mut buffers) {
        begin_signature(*s, &[7; 32], buffer);
    }
    assert_eq!(complete(sessions[0], b"C_Decrypt\0").0, CKR_OPERATION_NOT_INITIALIZED);
    let (mut id, mut name) = (0, *b"C_Sign\0");
    assert_eq!(ck!(C_AsyncGetID(sessions[0], name.as_mut_ptr(), &mut id)), CKR_STATE_UNSAVEABLE);
    for (s, buffer) in sessions.iter().zip(&buffers).take(30) {
        let (rv, done) =
            std::iter::repeat_with(|| complete(*s, b"C_Sign\0")).find(|(rv, _)| *rv != CKR_PENDING).unwrap();
        assert_eq!((rv, done.ulValue, done.pValue.cast_const()), (CKR_OK, 64, buffer.as_ptr()));
        assert_eq!(
            rig::c::verify(*s, rig::c::mechanism(CKM_ECDSA), find(*s, CKO_PUBLIC_KEY), &[7; 32], buffer),
            CKR_OK
        );
        assert_eq!(complete(*s, b"C_Sign\0").0, CKR_OPERATION_NOT_INITIALIZED);
    }
    assert_eq!(ck!(C_SessionCancel(sessions[30], CKF_SIGN)), CKR_OK);
    assert_eq!(complete(sessions[30], b"C_Sign\0").0, CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(ck!(C_CloseSession(sessions[31])), CKR_OK);
    begin_signature(sessions[30], &[8; 32], &mut buffers[30]);
    drop(session);
    module.finalize().unwrap();
}

fn open_asynchronous(slot: CK_SLOT_ID) -> Result<CK_SESSION_HANDLE, CK_RV> {
    let (flags, mut session) = (CKF_SERIAL_SESSION | CKF_RW_SESSION | CKF_ASYNC_SESSION, 0);
    match ck!(C_OpenSession(slot, flags, std::ptr::null_mut(), None, &mut session)) {
        CKR_OK => Ok(session),
        other => Err(other),
    }
}

fn begin_signature(s: CK_SESSION_HANDLE, data: &[u8; 32], buffer: &mut [u8; 64]) {
    let (mut data, mut length) = (*data, 64);
    assert_eq!(ck!(C_SignInit(s, &mut rig::c::mechanism(CKM_ECDSA), find(s, CKO_PRIVATE_KEY))), CKR_OK);
    assert_eq!(ck!(C_Sign(s, data.as_mut_ptr(), 32, buffer.as_mut_ptr(), &mut length)), CKR_PENDING);
}

fn complete(s: CK_SESSION_HANDLE, name: &[u8]) -> (CK_RV, CK_ASYNC_DATA) {
    let (mut name, mut done) = (name.to_vec(), CK_ASYNC_DATA::default());
    (ck!(C_AsyncComplete(s, name.as_mut_ptr(), &mut done)), done)
}

fn find(s: CK_SESSION_HANDLE, class: CK_OBJECT_CLASS) -> CK_OBJECT_HANDLE {
    let (mut raw, mut found, mut count) = (rig::c::Attributes::new().number(CKA_CLASS, class), 0, 0);
    assert_eq!(ck!(C_FindObjectsInit(s, raw.raw().as_mut_ptr(), 1)), CKR_OK);
    assert_eq!(ck!(C_FindObjects(s, &mut found, 1, &mut count)), CKR_OK);
    assert_eq!(ck!(C_FindObjectsFinal(s)), CKR_OK);
    found
}

#[test]
fn an_engine_in_process_refuses_asynchronous_sessions() {
    let token = rig::Token::new("strict");
    assert_eq!(open_asynchronous(token.slot.id()), Err(CKR_SESSION_ASYNC_NOT_SUPPORTED));
}
