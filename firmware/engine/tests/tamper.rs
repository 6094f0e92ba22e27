//! Tampering (R15): every secret goes, what happened stays, and a quorum has the device return, wherever the power fails.

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::audit::{AuditRecord, TAMPERED, verify_chain};
use coloa_engine::{Engine, Limits, Peer, Platform, StartError, StoreError, TamperEvent, Timestamp, ZeroizeError};
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::hello::Body;
use coloa_wire::{Command, ErrorCode, Frame, Identity, PartitionId};
use rig::custody::{Holder, named, three};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

/// A body's non-volatile memory beside the store.
#[derive(Default)]
struct Kept {
    /// `None` once it was destroyed.
    root_key: Option<[u8; 32]>,
    testament: Option<Vec<u8>>,
    event: Option<TamperEvent>,
}

/// A case with a body in it: it survives what the engine in it does not.
#[derive(Clone)]
struct Case {
    store: RamStore,
    kept: Arc<Mutex<Kept>>,
    clock: Arc<AtomicU64>,
}

struct InCase {
    case: Case,
    root_key: Zeroizing<[u8; 32]>,
}

impl Platform for InCase {
    type Crypto = Native;
    type Store = RamStore;
    type Lock = parking_lot::RawRwLock;
    fn crypto(&self) -> &Native {
        &Native
    }
    fn store(&self) -> &RamStore {
        &self.case.store
    }
    fn now(&self) -> Timestamp {
        Timestamp(self.case.clock.fetch_add(1, Ordering::Relaxed))
    }
    fn root_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.root_key
    }
    fn body(&self) -> Body {
        Body::Appliance
    }
    fn limits(&self) -> Limits {
        Limits { pin_memory_kib: 16, pin_passes: 1, ..Limits::HOST }
    }
    fn keep_testament(&self, testament: &[u8]) -> Result<(), StoreError> {
        self.case.kept.lock().unwrap().testament = Some(testament.to_vec());
        Ok(())
    }
    fn tampered(&self, event: &TamperEvent) -> Result<(), ZeroizeError> {
        let mut kept = self.case.kept.lock().unwrap();
        (kept.root_key, kept.event) = (None, Some(event.clone()));
        Ok(())
    }
}

type CaseEngine = Engine<InCase>;

impl Case {
    fn new() -> Self {
        let kept = Kept { root_key: Some([7; 32]), ..Kept::default() };
        let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
        Case { store: RamStore::new(), kept: Arc::new(Mutex::new(kept)), clock }
    }

    /// Power on: a device whose root key is gone begins anew under another.
    fn start(&self) -> Result<CaseEngine, StartError> {
        let kept = self.kept.lock().unwrap();
        let (root_key, testament, event) = (kept.root_key, kept.testament.clone(), kept.event.clone());
        drop(kept);
        let fresh = [self.clock.load(Ordering::Relaxed) as u8; 32];
        let body = |key| InCase { case: self.clone(), root_key: Zeroizing::new(key) };
        match root_key {
            Some(key) => Engine::start(body(key)),
            None => {
                let engine = Engine::start_tampered(body(fresh), testament.as_deref(), event)?;
                self.kept.lock().unwrap().root_key = Some(fresh);
                Ok(engine)
            }
        }
    }
}

fn ask<C: Command>(engine: &CaseEngine, peer: &Peer, request: &C) -> Result<(C::Reply, Vec<u8>), ErrorCode> {
    let (mut head, mut bytes, mut reply) = (Vec::new(), Vec::new(), Vec::new());
    encode_head(request, &mut head);
    Frame { head: &head, ..Frame::status(FrameKind::Call, C::CODE as u16, 9) }.encode(&mut bytes);
    engine.handle(peer, &bytes, &mut reply);
    let reply = Frame::parse(&reply).expect("a whole frame");
    match ErrorCode::from_number(reply.code) {
        Some(error) => Err(error),
        None => Ok((decode_head(reply.head).expect("a head"), reply.bulk.to_vec())),
    }
}

fn operate<C: Command>(engine: &CaseEngine, request: &C) -> Result<C::Reply, ErrorCode> {
    ask(engine, &rig::admin(), request).map(|(reply, _)| reply)
}

fn log(engine: &CaseEngine) -> Vec<Vec<u8>> {
    let (reply, bulk) = ask(engine, &rig::admin(), &AuditRead { from: 1, max: 100_000 }).unwrap();
    let mut decoder = minicbor::Decoder::new(&bulk);
    (0..reply.records).map(|_| decoder.bytes().unwrap().to_vec()).collect()
}

fn serial(engine: &CaseEngine) -> String {
    operate(engine, &DeviceInfo {}).unwrap().serial
}

/// In service, with a partition; two of three custodians are its quorum.
fn governed(case: &Case) -> (CaseEngine, [Holder; 3], PartitionId) {
    let engine = case.start().unwrap();
    operate(&engine, &DeviceInitialize { label: "rack-1".into() }).unwrap();
    let create = PartitionCreate { label: "court".into(), mode: PartitionMode::Strict, approved_only: None };
    let partition = operate(&engine, &create).unwrap().partition;
    let holders = three();
    operate(&engine, &named(&holders)).unwrap();
    (engine, holders, partition)
}

fn propose(engine: &CaseEngine) -> Result<QuorumText, ErrorCode> {
    let mut head = Vec::new();
    encode_head(&TamperReturn { serial: serial(engine) }, &mut head);
    let code = CommandCode::TamperReturn as u16;
    let id = operate(engine, &QuorumPropose { code, head, reason: "the lid is closed".into(), seconds: 3600 })?.id;
    let all = operate(engine, &QuorumList {})?.proposals;
    Ok(all.into_iter().find(|p| p.text.id == id).expect("the proposal").text)
}

fn two_approve(engine: &CaseEngine, holders: &[Holder], text: &QuorumText) {
    for holder in holders.iter().take(2) {
        operate(engine, &holder.vote(text, Voice::Approve)).unwrap();
    }
}

fn returns(engine: &CaseEngine, holders: &[Holder]) {
    let text = propose(engine).unwrap();
    let id = text.id;
    operate(engine, &holders[0].vote(&text, Voice::Approve)).unwrap();
    assert_eq!(operate(engine, &QuorumExecute { id }).err(), Some(ErrorCode::QuorumNotReached), "one is no quorum");
    operate(engine, &holders[2].vote(&text, Voice::Approve)).unwrap();
    operate(engine, &QuorumExecute { id }).unwrap();
    assert_eq!(engine.lifecycle(), Lifecycle::Operational);
}

#[test]
fn a_device_that_is_opened_loses_its_keys_and_says_so_until_a_quorum_has_it_return() {
    let case = Case::new();
    let (engine, holders, _) = governed(&case);
    let (name, before) = (serial(&engine), log(&engine));
    let sealed: Vec<_> = case.store.image().live().into_iter().filter(|record| !record.id.is_log()).collect();
    assert!(sealed.len() > 3, "there is something to lose");
    engine.tamper("lid").unwrap();
    assert_eq!(case.kept.lock().unwrap().root_key, None);
    assert_eq!(engine.lifecycle(), Lifecycle::Error, "the engine that saw it serves nothing more");
    assert_eq!(operate(&engine, &TokenList {}).err(), Some(ErrorCode::ErrorState));
    drop(engine);

    // Restarted twice, it is still tampered with.
    drop(case.start().unwrap());
    let engine = case.start().unwrap();
    assert_eq!(engine.lifecycle(), Lifecycle::Tampered);
    let left = case.store.image().live();
    assert!(sealed.iter().all(|old| left.iter().all(|new| new.value != old.value)), "what was sealed is gone");
    let info = operate(&engine, &DeviceInfo {}).unwrap();
    assert_eq!((info.serial, info.label, info.partitions), (name, "rack-1".into(), 0));
    // What happened is in the log, behind all that was there before.
    let after = log(&engine);
    assert!(after.starts_with(&before), "the log goes on");
    verify_chain(&Native, &after).unwrap();
    let last: AuditRecord = minicbor::decode(after.last().unwrap()).unwrap();
    assert_eq!((last.event.action, last.event.detail.as_deref()), (TAMPERED, Some("lid")));

    returns(&engine, &holders);
    assert!(operate(&engine, &TokenList {}).unwrap().tokens.is_empty(), "it returns empty");
    operate(&engine, &PartitionCreate { label: "court".into(), mode: PartitionMode::Strict, approved_only: None })
        .unwrap();
    drop(engine);
    assert_eq!(case.start().unwrap().lifecycle(), Lifecycle::Operational);
}

#[test]
fn a_tampered_device_refuses_everything_but_the_way_back() {
    let case = Case::new();
    let (engine, holders, partition) = governed(&case);
    engine.tamper("lid").unwrap();
    let engine = case.start().unwrap();
    let refused = Some(ErrorCode::DeviceTampered);
    let create = PartitionCreate { label: "x".into(), mode: PartitionMode::Strict, approved_only: None };
    assert_eq!(operate(&engine, &create).err(), refused);
    assert_eq!(operate(&engine, &DeviceInitialize { label: "x".into() }).err(), refused);
    assert_eq!(operate(&engine, &named(&holders)).err(), refused, "an administrator names no others");
    assert_eq!(operate(&engine, &Batch { items: vec![] }).err(), refused);
    let client = Peer::Client { identity: Identity([1; 32]), name: "court-srv-1".into() };
    assert_eq!(ask(&engine, &client, &SessionOpen { partition }).err(), refused);
    assert_eq!(ask(&engine, &client, &Random { length: 16 }).err(), refused);
    let alone = TamperReturn { serial: serial(&engine) };
    assert_eq!(operate(&engine, &alone).err(), Some(ErrorCode::QuorumNeeded));
    // An act that is no return is not done by a quorum either.
    let mut head = Vec::new();
    encode_head(&named(&holders), &mut head);
    let other = QuorumPropose { code: CommandCode::CustodiansSet as u16, head, reason: "x".into(), seconds: 3600 };
    let id = operate(&engine, &other).unwrap().id;
    let text = operate(&engine, &QuorumList {}).unwrap().proposals.remove(0).text;
    two_approve(&engine, &holders, &text);
    assert_eq!(operate(&engine, &QuorumExecute { id }).err(), refused);
}

/// Where nobody was custodian, nobody can say that all is well.
#[test]
fn without_custodians_there_is_no_way_back() {
    let case = Case::new();
    let engine = case.start().unwrap();
    operate(&engine, &DeviceInitialize { label: "rack-1".into() }).unwrap();
    engine.tamper("lid").unwrap();
    let engine = case.start().unwrap();
    assert_eq!(propose(&engine).err(), Some(ErrorCode::NoQuorumAct));
    assert_eq!(operate(&engine, &TamperReturn { serial: serial(&engine) }).err(), Some(ErrorCode::QuorumNeeded));
    assert_eq!(operate(&engine, &named(&three())).err(), Some(ErrorCode::DeviceTampered));
    // Nor is there one where what was left is damaged.
    let case = Case::new();
    governed(&case).0.tamper("lid").unwrap();
    case.kept.lock().unwrap().testament = Some(vec![0xff; 20]);
    let engine = case.start().unwrap();
    assert_eq!((engine.lifecycle(), propose(&engine).err()), (Lifecycle::Tampered, Some(ErrorCode::NoQuorumAct)));
}

#[test]
fn a_device_that_was_not_tampered_with_has_nothing_to_return_from() {
    let case = Case::new();
    let (engine, ..) = governed(&case);
    assert_eq!(propose(&engine).err(), Some(ErrorCode::DeviceNotTampered));
}

/// The power fails before or after each commit of each start: what was sealed stays lost, the log stays whole, and the device is
/// tampered with until its quorum speaks.
#[test]
fn power_lost_at_any_write_leaves_a_tampered_device() {
    // Two commits make the beginning: what was sealed is deleted, and what is left is put in its place.
    for (nth, fault) in (0..2).flat_map(|nth| [Fault::CutBefore, Fault::CutAfter].map(|fault| (nth, fault))) {
        let case = Case::new();
        let (engine, holders, _) = governed(&case);
        let before = log(&engine);
        engine.tamper("mesh").unwrap();
        drop(engine);
        case.store.fail_commit(nth, fault);
        assert!(case.start().is_err(), "the power was cut: {nth} {fault:?}");
        case.store.power_on();
        let engine = case.start().unwrap();
        assert_eq!(engine.lifecycle(), Lifecycle::Tampered, "{nth} {fault:?}");
        let after = log(&engine);
        assert!(after.starts_with(&before));
        verify_chain(&Native, &after).unwrap();
        returns(&engine, &holders);
    }
}

/// The power fails at the commit of the return: it is tampered with or it has returned, never half.
#[test]
fn power_lost_at_the_return_is_before_or_after_it() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        let case = Case::new();
        let (engine, holders, _) = governed(&case);
        engine.tamper("lid").unwrap();
        let engine = case.start().unwrap();
        let text = propose(&engine).unwrap();
        two_approve(&engine, &holders, &text);
        case.store.fail_commit(0, fault);
        operate(&engine, &QuorumExecute { id: text.id }).unwrap_err();
        drop(engine);
        case.store.power_on();
        let engine = case.start().unwrap();
        match fault {
            Fault::CutBefore => {
                assert_eq!(engine.lifecycle(), Lifecycle::Tampered);
                operate(&engine, &QuorumExecute { id: text.id }).unwrap();
            }
            _ => assert_eq!(engine.lifecycle(), Lifecycle::Operational),
        }
        assert_eq!(engine.lifecycle(), Lifecycle::Operational);
    }
}
