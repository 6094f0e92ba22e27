//! Hostile frames of a client with a login, an operator and a stranger (B1): each gets one frame that fits, nothing panics,
//! and no frame takes the engine out of service.
#![no_main]

use coloa_crypto_portable::{Entropy, EntropyFailure, Portable};
use coloa_engine::{Engine, Limits, Peer, Platform, Timestamp};
use coloa_store_testkit::RamStore;
use coloa_wire::command::{self, *};
use coloa_wire::hello::Body;
use coloa_wire::{Command, Frame, FrameKind, Identity, PartitionId, RetryId, SessionId};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Frames one engine is given: what it keeps is bounded, but the fuzzer's patience is, too.
const FRAMES: u32 = 4_000;

/// The same bytes in each run, so that what is found is found again.
struct Counter(u8);

impl Entropy for Counter {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyFailure> {
        out.iter_mut().zip(self.0..=u8::MAX).for_each(|(byte, number)| *byte = number);
        Ok(())
    }
}

type Provider = Portable<Counter, parking_lot::RawMutex>;

struct Ram {
    crypto: Provider,
    store: RamStore,
    root_key: Zeroizing<[u8; 32]>,
    clock: AtomicU64,
}

impl Platform for Ram {
    type Crypto = Provider;
    type Store = RamStore;
    type Lock = parking_lot::RawRwLock;
    fn crypto(&self) -> &Provider {
        &self.crypto
    }
    fn store(&self) -> &RamStore {
        &self.store
    }
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(7, Ordering::Relaxed))
    }
    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }
    fn body(&self) -> Body {
        Body::Embedded
    }
    fn limits(&self) -> Limits {
        Limits { pin_memory_kib: 8, pin_passes: 1, ..Limits::BOARD }
    }
}

struct Bench {
    engine: Engine<Ram>,
    sessions: [Option<SessionId>; 3],
    left: u32,
}

fn client() -> Peer {
    Peer::Client { identity: Identity([1; 32]), name: "client".into() }
}

fn call<C: Command>(engine: &Engine<Ram>, peer: &Peer, session: Option<SessionId>, request: &C) -> C::Reply {
    let (mut head, mut bytes, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    command::encode_head(request, &mut head);
    Frame { head: &head, session, ..Frame::status(FrameKind::Call, C::CODE as u16, 1) }.encode(&mut bytes);
    engine.handle(peer, &bytes, &mut reply);
    let reply = Frame::parse(&reply).expect("a whole frame");
    assert_eq!(reply.code, 0, "{}", C::CODE.name());
    command::decode_head(reply.head).expect("a head of the right type")
}

fn token(engine: &Engine<Ram>, mode: PartitionMode) -> Option<SessionId> {
    let operator = Peer::Administrator("operator".into());
    let label = String::from("token");
    let partition: PartitionId = call(engine, &operator, None, &PartitionCreate { label, mode, approved_only: None }).partition;
    let bind = ClientBind { partition, identity: Identity([1; 32]), name: "client".into() };
    call(engine, &operator, None, &bind);
    let (so_pin, label) = (Pin::from(&b"12345678"[..]), String::from("token"));
    call(engine, &operator, None, &TokenInitialize { partition, so_pin, label });
    let session = Some(call(engine, &client(), None, &SessionOpen { partition }).session);
    call(engine, &client(), session, &Login { role: Role::SecurityOfficer, pin: b"12345678"[..].into() });
    call(engine, &client(), session, &UserPinInitialize { pin: b"123456"[..].into() });
    call(engine, &client(), session, &Logout {});
    call(engine, &client(), session, &Login { role: Role::User, pin: b"123456"[..].into() });
    session
}

fn bench() -> Bench {
    let (store, root_key) = (RamStore::new(), Zeroizing::new([7; 32]));
    let crypto = Portable::new(Counter(1), b"fuzz").expect("a provider");
    let platform = Ram { crypto, store, root_key, clock: AtomicU64::new(1_700_000_000_000) };
    let Ok(engine) = Engine::start(platform) else { panic!("the engine starts") };
    call(&engine, &Peer::Owner, None, &DeviceInitialize { label: "fuzz".into() });
    let sessions = [token(&engine, PartitionMode::Strict), token(&engine, PartitionMode::Compatible), None];
    Bench { engine, sessions, left: FRAMES }
}

thread_local!(static BENCH: RefCell<Option<Bench>> = const { RefCell::new(None) });

fn give(bench: &Bench, input: &[u8]) {
    let Some(([who, what, retry, length], rest)) = input.split_first_chunk::<4>() else { return };
    let peer = match who >> 4 {
        0 => Peer::Administrator("operator".into()),
        1 => Peer::Client { identity: Identity([2; 32]), name: "stranger".into() },
        _ => client(),
    };
    let session = bench.sessions[usize::from(who & 15) % 3];
    let code = CommandCode::ALL[usize::from(*what) % CommandCode::ALL.len()];
    let retry = (retry & 1 == 1).then_some(RetryId([*retry; 16]));
    let (head, bulk) = rest.split_at(usize::from(*length).min(rest.len()));
    let (mut bytes, mut reply) = (Vec::new(), Vec::new());
    Frame { head, bulk, session, retry, ..Frame::status(FrameKind::Call, code as u16, 7) }.encode(&mut bytes);
    bench.engine.handle(&peer, &bytes, &mut reply);
    let answer = Frame::parse(&reply).expect("a whole frame");
    assert_eq!((answer.kind, answer.request), (FrameKind::Reply, 7));
    assert!(reply.len() <= Limits::BOARD.max_frame);
    assert_eq!(bench.engine.lifecycle(), Lifecycle::Operational);
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    BENCH.with_borrow_mut(|kept| {
        let bench = kept.get_or_insert_with(bench);
        give(bench, input);
        bench.left -= 1;
        if bench.left == 0 {
            *kept = None;
        }
    });
});
