//! The embedded body: what it makes of its directory, and several processes in one token.

use coloa_engine::Peer;
use coloa_host::{Embedded, OpenError, Sharing, command, open};
use coloa_wire::attribute::class;
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::Body;
use coloa_wire::{AttributeType as A, Command, ErrorCode, Frame, SessionId, Template, command as codec};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};

const PROCESSES: usize = 4;
const OBJECTS_EACH: usize = 20;
const ROLE: &str = "COLOA_TEST_TOKEN";

fn call<C: Command>(body: &Embedded, session: Option<SessionId>, request: &C) -> Result<C::Reply, ErrorCode> {
    let (mut head, mut bytes, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    codec::encode_head(request, &mut head);
    Frame { head: &head, session, ..Frame::status(FrameKind::Call, C::CODE as u16, 1) }.encode(&mut bytes);
    body.exchange(&bytes, &mut reply);
    let answer = Frame::parse(&reply).unwrap();
    ErrorCode::from_number(answer.code).map_or_else(|| codec::decode_head(answer.head), Err)
}

fn open_token(directory: &Path) -> (Embedded, TokenInfo) {
    let body = Embedded::open(directory, PartitionMode::Strict).unwrap();
    let token = body.command(&TokenList {}).unwrap().tokens.remove(0);
    (body, token)
}

fn log_in(body: &Embedded, token: &TokenInfo, role: Role, pin: &[u8]) -> SessionId {
    let session = body.command(&SessionOpen { partition: token.partition }).unwrap().session;
    call(body, Some(session), &Login { role, pin: pin.into() }).unwrap();
    session
}

fn initialize(directory: &Path) {
    let (body, token) = open_token(directory);
    assert!(!token.initialized);
    let request =
        TokenInitialize { partition: token.partition, so_pin: b"87654321"[..].into(), label: "shared".into() };
    body.command(&request).unwrap();
    let session = log_in(&body, &token, Role::SecurityOfficer, b"87654321");
    call(&body, Some(session), &UserPinInitialize { pin: b"123456"[..].into() }).unwrap();
}

fn labels(body: &Embedded, session: SessionId) -> usize {
    let find = ObjectFind { template: Template::default(), after: None, max: MAX_FIND };
    call(body, Some(session), &find).unwrap().objects.len()
}

/// Not a test of its own: the other processes of the one below.
#[test]
fn one_of_several_processes() {
    let Some(directory) = std::env::var_os(ROLE) else { return };
    let (body, token) = open_token(Path::new(&directory));
    let session = log_in(&body, &token, Role::User, b"123456");
    for i in 0..OBJECTS_EACH {
        let template = Template::default()
            .with(A::CLASS, class::DATA)
            .with(A::TOKEN, true)
            .with(A::LABEL, format!("{}-{i}", std::process::id()).into_bytes())
            .with(A::VALUE, vec![1]);
        call(&body, Some(session), &ObjectCreate { template }).unwrap();
    }
}

fn spawn(directory: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut process = Process::new(program);
    process.args(["one_of_several_processes", "--exact"]).env(ROLE, directory).stdout(Stdio::null());
    process.spawn().unwrap()
}

#[test]
fn several_processes_use_one_token_at_once() {
    let directory = tempfile::tempdir().unwrap();
    initialize(directory.path());
    let (body, token) = open_token(directory.path());
    let session = log_in(&body, &token, Role::User, b"123456");
    let children: Vec<Child> = (0..PROCESSES).map(|_| spawn(directory.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(labels(&body, session), PROCESSES * OBJECTS_EACH, "this process sees what the others made");
    let (again, token) = open_token(directory.path());
    let session = log_in(&again, &token, Role::User, b"123456");
    assert_eq!(labels(&again, session), PROCESSES * OBJECTS_EACH);
}

#[test]
fn a_root_key_that_is_exposed_missing_or_cut_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    initialize(directory.path());
    let path = directory.path().join("root.key");
    let refused = || Embedded::open(directory.path(), PartitionMode::Strict).err().unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(refused(), OpenError::RootKeyExposed { mode: 0o640, .. }));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let key = std::fs::read(&path).unwrap();
    std::fs::write(&path, &key[..31]).unwrap();
    assert!(matches!(refused(), OpenError::RootKey { .. }));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(refused(), OpenError::RootKeyMissing(_)));
    assert!(!path.exists(), "no new root key is made for an old store");
}

#[test]
fn another_root_key_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    initialize(directory.path());
    std::fs::write(directory.path().join("root.key"), [1; 32]).unwrap();
    let error = Embedded::open(directory.path(), PartitionMode::Strict).err().unwrap();
    assert!(matches!(error, OpenError::Refused { code: ErrorCode::StoreCorrupt, .. }));
}

#[test]
fn an_exclusive_engine_keeps_others_out() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), Body::Appliance, Sharing::Exclusive).unwrap();
    assert!(matches!(open(directory.path(), Body::Appliance, Sharing::Exclusive), Err(OpenError::Store(_))));
    let info = command(&engine, &Peer::Owner, &DeviceInfo {}).unwrap();
    assert_eq!((info.lifecycle, info.body), (Lifecycle::Manufactured, Body::Appliance));
    drop(engine);
    open(directory.path(), Body::Appliance, Sharing::Exclusive).unwrap();
}
