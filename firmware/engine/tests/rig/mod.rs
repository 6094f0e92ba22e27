//! A real engine on a medium in RAM, and a caller that speaks frames to it, as every body does.
#![allow(dead_code, unused_imports, reason = "each test file uses its own part of the rig")]

#[macro_use]
mod forward;
pub mod backups;
mod carry;
pub mod custody;
mod hooked;
mod pairs;
mod plans;

pub use carry::*;
use coloa_engine::audit::AuditRecord;
use coloa_engine::{Engine, Limits, Pace, Peer, Platform, StartError, Timestamp};
use coloa_store_testkit::RamStore;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::Body;
use coloa_wire::{AttributeType as A, ErrorCode, Frame, Identity, Mechanism, MechanismType, ObjectId, PartitionId};
use coloa_wire::{RetryId, SessionId, Template, Value, command};
pub use hooked::Hooked;
pub use pairs::*;
pub use plans::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

/// What one key may encrypt in the rig.
pub const ENCRYPTIONS: u64 = 100;
pub const SO_PIN: &[u8] = b"87654321";
pub const USER_PIN: &[u8] = b"123456";
pub const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
pub const P384: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x22];

pub struct Ram {
    store: RamStore,
    root_key: Zeroizing<[u8; 32]>,
    clock: AtomicU64,
    crypto: Hooked,
    /// Milliseconds; with a delay there are ten tries.
    pin_delay: AtomicU64,
    snapshot: Option<Snapshots>,
}

/// Where the rig keeps a snapshot, as an embedded body keeps it in a file.
pub type Snapshots = Arc<Mutex<Option<Vec<u8>>>>;

impl Ram {
    pub fn set_clock(&self, milliseconds: u64) {
        self.clock.store(milliseconds, Ordering::Relaxed);
    }

    pub fn delay_pins(&self, milliseconds: u64) {
        self.pin_delay.store(milliseconds, Ordering::Relaxed);
    }
}

impl Platform for Ram {
    type Crypto = Hooked;
    type Store = RamStore;
    type Lock = parking_lot::RawRwLock;
    fn crypto(&self) -> &Hooked {
        &self.crypto
    }
    fn store(&self) -> &RamStore {
        &self.store
    }
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1, Ordering::Relaxed))
    }
    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }
    fn body(&self) -> Body {
        Body::Embedded
    }
    fn snapshot_from(&self) -> Option<u64> {
        self.snapshot.as_ref().map(|_| 1)
    }
    fn snapshot(&self) -> Option<Vec<u8>> {
        self.snapshot.as_ref()?.lock().unwrap().clone()
    }
    fn keep_snapshot(&self, sealed: &[u8]) {
        *self.snapshot.as_ref().unwrap().lock().unwrap() = Some(sealed.to_vec());
    }
    fn limits(&self) -> Limits {
        Limits {
            pin_memory_kib: 16,
            pin_passes: 1,
            pin_tries: if self.pin_delay.load(Ordering::Relaxed) > 0 { 10 } else { 3 },
            pin_delay_ms: self.pin_delay.load(Ordering::Relaxed),
            retries: 8,
            sessions: 128,
            encryptions: ENCRYPTIONS,
            session_bytes: 1 << 20,
            partition_bytes: 1 << 20,
            ..Limits::HOST
        }
    }
}

pub type RamEngine = Engine<Ram>;

pub fn start(store: &RamStore) -> Result<RamEngine, StartError> {
    start_with_root_key(store, [7; 32])
}

pub fn start_with_root_key(store: &RamStore, root_key: [u8; 32]) -> Result<RamEngine, StartError> {
    start_on(store, root_key, None)
}

/// An engine that may start from this snapshot, and keeps it.
pub fn start_from(store: &RamStore, snapshots: &Snapshots) -> Result<RamEngine, StartError> {
    start_on(store, [7; 32], Some(snapshots.clone()))
}

fn start_on(store: &RamStore, root_key: [u8; 32], snapshot: Option<Snapshots>) -> Result<RamEngine, StartError> {
    let clock = AtomicU64::new(1_700_000_000_000);
    let (crypto, root_key) = (Hooked::default(), Zeroizing::new(root_key));
    let pin_delay = AtomicU64::new(0);
    Engine::start(Ram { store: store.clone(), root_key, clock, crypto, pin_delay, snapshot })
}

pub fn client(n: u8) -> Peer {
    Peer::Client { identity: Identity([n; 32]), name: format!("client {n}") }
}

pub fn admin() -> Peer {
    Peer::Administrator("operator".into())
}

/// One caller with a session.
pub struct Caller<'a> {
    pub engine: &'a RamEngine,
    pub peer: Peer,
    pub session: Option<SessionId>,
    pub retry: Option<RetryId>,
}

impl<'a> Caller<'a> {
    pub fn new(engine: &'a RamEngine, peer: Peer) -> Self {
        Caller { engine, peer, session: None, retry: None }
    }

    pub fn call<C: Command>(&self, request: &C) -> Result<C::Reply, ErrorCode> {
        self.call_with(request, &[]).map(|(reply, _)| reply)
    }

    pub fn call_with<C: Command>(&self, request: &C, bulk: &[u8]) -> Result<(C::Reply, Vec<u8>), ErrorCode> {
        let (bytes, mut reply) = (self.frame(request, bulk), Vec::new());
        self.engine.handle(&self.peer, &bytes, &mut reply);
        let reply = Frame::parse(&reply).expect("the engine answers with a whole frame");
        assert_eq!((reply.kind, reply.request), (FrameKind::Reply, 9));
        match ErrorCode::from_number(reply.code) {
            Some(error) => Err(error),
            None => Ok((command::decode_head(reply.head).expect("a head of the right type"), reply.bulk.to_vec())),
        }
    }

    fn frame<C: Command>(&self, request: &C, bulk: &[u8]) -> Vec<u8> {
        let (mut head, mut bytes) = (Vec::new(), Vec::new());
        command::encode_head(request, &mut head);
        let (session, retry) = (self.session, self.retry);
        let call = Frame { head: &head, bulk, session, retry, ..Frame::status(FrameKind::Call, C::CODE as u16, 9) };
        call.encode(&mut bytes);
        bytes
    }

    /// What the engine thinks of a command before it is given.
    pub fn pace<C: Command>(&self, request: &C) -> Pace {
        self.engine.pace(&self.peer, &self.frame(request, &[]))
    }

    pub fn open(&mut self, partition: PartitionId) -> Result<(), ErrorCode> {
        self.session = Some(self.call(&SessionOpen { partition })?.session);
        Ok(())
    }

    pub fn log_in(&self, role: Role, pin: &[u8]) -> Result<Done, ErrorCode> {
        self.call(&Login { role, pin: pin.into() })
    }

    pub fn generate_ec(&self, params: &[u8], label: &str, token: bool) -> Result<KeyPairReply, ErrorCode> {
        let public = Template::default()
            .with(A::TOKEN, token)
            .with(A::LABEL, label.as_bytes())
            .with(A::EC_PARAMS, params)
            .with(A::VERIFY, true);
        let private = Template::default().with(A::TOKEN, token).with(A::LABEL, label.as_bytes()).with(A::SIGN, true);
        self.call(&KeyPairGenerate { mechanism: MechanismType::EC_KEY_PAIR_GEN.into(), public, private })
    }

    pub fn generate_aes(&self, template: Template) -> Result<ObjectId, ErrorCode> {
        let template = template.with(A::VALUE_LEN, 32);
        self.call(&KeyGenerate { mechanism: MechanismType::AES_KEY_GEN.into(), template }).map(|r| r.object)
    }

    pub fn sign(&self, key: ObjectId, mechanism: MechanismType, data: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        self.call_with(&Sign { key, mechanism: mechanism.into(), ticket: None }, data).map(|(_, bulk)| bulk)
    }

    pub fn verify(&self, key: ObjectId, mechanism: MechanismType, data: &[u8], made: &[u8]) -> Result<Done, ErrorCode> {
        let request = Verify { key, mechanism: mechanism.into(), signature: made.len() as u32 };
        self.call_with(&request, &[data, made].concat()).map(|(reply, _)| reply)
    }

    /// The value of one attribute, or why there is none.
    pub fn attribute(&self, object: ObjectId, kind: A) -> Result<Value, ErrorCode> {
        let mut reply = self.call(&AttributesRead { object, kinds: vec![kind] })?;
        match (reply.values.pop(), reply.sensitive.is_empty()) {
            (Some(attribute), _) => Ok(attribute.value.clone()),
            (None, true) => Err(ErrorCode::AttributeTypeInvalid),
            (None, false) => Err(ErrorCode::AttributeSensitive),
        }
    }

    /// Asserts the value of one attribute.
    pub fn shows(&self, object: ObjectId, kind: A, value: impl Into<Value>) {
        assert!(self.attribute(object, kind) == Ok(value.into()), "{kind:x?}");
    }

    pub fn change(&self, object: ObjectId, template: Template) -> Result<Done, ErrorCode> {
        self.call(&AttributesWrite { object, template })
    }

    pub fn copy(&self, object: ObjectId, template: Template) -> Result<ObjectId, ErrorCode> {
        self.call(&ObjectCopy { object, template }).map(|reply| reply.object)
    }

    pub fn find(&self, template: Template) -> Vec<ObjectId> {
        self.call(&ObjectFind { template, after: None, max: 100 }).expect("finding works").objects
    }

    pub fn data_object(&self, label: &str, value: &[u8]) -> Result<ObjectId, ErrorCode> {
        let template = Template::default()
            .with(A::CLASS, class::DATA)
            .with(A::TOKEN, true)
            .with(A::LABEL, label.as_bytes())
            .with(A::VALUE, value);
        self.call(&ObjectCreate { template }).map(|r| r.object)
    }
}

pub fn secret_template(kind: u64, value: &[u8]) -> Template {
    Template::default().with(A::CLASS, class::SECRET_KEY).with(A::KEY_TYPE, kind).with(A::VALUE, value)
}

pub fn hmac_template(value: &[u8]) -> Template {
    secret_template(key_type::GENERIC_SECRET, value).with(A::SIGN, true).with(A::VERIFY, true)
}

/// An operational device with one initialised token that `client(1)` may see.
pub fn token(engine: &RamEngine, mode: PartitionMode) -> PartitionId {
    token_of(engine, mode, None)
}

/// One that may serve approved services only (R8).
pub fn token_of(engine: &RamEngine, mode: PartitionMode, approved_only: Option<bool>) -> PartitionId {
    let operator = Caller::new(engine, admin());
    if engine.lifecycle() == Lifecycle::Manufactured {
        operator.call(&DeviceInitialize { label: "test".into() }).expect("initialise");
    }
    let partition =
        operator.call(&PartitionCreate { label: "new".into(), mode, approved_only }).expect("create").partition;
    let identity = Identity([1; 32]);
    operator.call(&ClientBind { partition, identity, name: "client 1".into() }).expect("bind");
    operator
        .call(&TokenInitialize { partition, so_pin: SO_PIN.into(), label: "token".into() })
        .expect("initialise the token");
    let mut officer = Caller::new(engine, client(1));
    officer.open(partition).expect("open");
    officer.log_in(Role::SecurityOfficer, SO_PIN).expect("SO login");
    officer.call(&UserPinInitialize { pin: USER_PIN.into() }).expect("user PIN");
    officer.call(&SessionClose {}).expect("close");
    partition
}

/// Everything in the log.
pub fn audit_log(engine: &RamEngine) -> Vec<AuditRecord> {
    let (reply, bulk) = Caller::new(engine, admin()).call_with(&AuditRead { from: 1, max: 100_000 }, &[]).unwrap();
    let mut decoder = minicbor::Decoder::new(&bulk);
    (0..reply.records).map(|_| minicbor::decode(decoder.bytes().unwrap()).unwrap()).collect()
}

/// A logged-in user on a token.
pub fn user(engine: &RamEngine, partition: PartitionId) -> Caller<'_> {
    let mut user = Caller::new(engine, client(1));
    user.open(partition).expect("open");
    user.log_in(Role::User, USER_PIN).expect("user login");
    user
}

pub fn gcm(iv: Option<&[u8]>) -> Mechanism {
    let gcm = coloa_wire::GcmParams { iv: iv.map(<[u8]>::to_vec), aad: b"aad".to_vec(), tag_bits: 128 };
    Mechanism { kind: MechanismType::AES_GCM, gcm: Some(gcm), parameter: None }
}
