//! What the device vouches for (R17, R18): checkpoints of its log, what it knows of keys; and auditors, who read all and use
//! nothing (R1).

mod rig;

use coloa_crypto_native::Native;
use coloa_engine::audit::{AuditRecord, verify_against};
use coloa_engine::{Crypto, Curve, Hash, PairKind, Scheme};
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, CommandCode, ErrorCode, Frame, Identity, command};
use rig::*;

const KIND: PairKind = PairKind::Ec(Curve::P384);

/// The point of a P-384 certificate: what follows the algorithm of its key.
fn point(certificate: &[u8]) -> Vec<u8> {
    let before = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00];
    let at = certificate.windows(before.len()).position(|w| w == before).expect("a key on P-384") + before.len();
    certificate[at..at + 97].to_vec()
}

fn is_signed(certificate: &[u8], text: &[u8], signature: &[u8]) -> bool {
    let crypto = Native::new();
    let key = crypto.load_public(KIND, &point(certificate)).unwrap();
    crypto.verify(&key, Scheme::Ecdsa, crypto.digest(Hash::Sha384, &[text]).as_ref(), signature).is_ok()
}

fn records(engine: &RamEngine) -> Vec<Vec<u8>> {
    audit_log(engine).iter().map(|r| minicbor::to_vec(r).unwrap()).collect()
}

/// A device with some records in its log.
fn device(store: &RamStore) -> (RamEngine, coloa_wire::PartitionId) {
    let engine = start(store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    (engine, partition)
}

fn checkpoint(engine: &RamEngine) -> SignedCheckpoint {
    Caller::new(engine, admin()).call(&AuditCheckpoint {}).unwrap()
}

// R17
#[test]
fn a_checkpoint_is_signed_and_a_changed_one_is_not() {
    let (engine, _) = device(&RamStore::new());
    let made = checkpoint(&engine);
    let certificates = Caller::new(&engine, admin()).call(&DeviceCertificates {}).unwrap();
    assert_eq!(made.text.number, audit_log(&engine).last().unwrap().number);
    assert!(is_signed(&certificates.audit, &made.text.signed(), &made.signature));
    // One key, one purpose (R10): the two others are other keys.
    assert!(!is_signed(&certificates.attestation, &made.text.signed(), &made.signature));
    assert!(!is_signed(&certificates.device, &made.text.signed(), &made.signature));
    let other = CheckpointText { number: made.text.number - 1, ..made.text.clone() };
    assert!(!is_signed(&certificates.audit, &other.signed(), &made.signature));
    for at in 0..made.signature.len() {
        let mut signature = made.signature.clone();
        signature[at] ^= 1;
        assert!(!is_signed(&certificates.audit, &made.text.signed(), &signature), "{at}");
    }
}

// R17: every byte of every record.
#[test]
fn every_flip_removal_and_swap_is_found_with_its_number() {
    let (engine, _) = device(&RamStore::new());
    let end = checkpoint(&engine).text;
    let whole = records(&engine);
    let crypto = Native::new();
    assert!(whole.len() >= 4 && end.number == whole.len() as u64);
    assert_eq!(verify_against(&crypto, &whole, &end.digest), Ok(()));
    for (at, bytes) in whole.iter().enumerate() {
        for byte in 0..bytes.len() {
            let mut changed = whole.clone();
            changed[at][byte] ^= 1;
            let found = verify_against(&crypto, &changed, &end.digest);
            assert_eq!(found, Err(at as u64 + 1), "byte {byte} of record {}", at + 1);
        }
    }
    for at in 1..whole.len() {
        let mut cut = whole.clone();
        cut.remove(at);
        // Without its end, what is left ends at a record that the checkpoint does not mean.
        let named = if at + 1 == whole.len() { at as u64 } else { at as u64 + 1 };
        assert_eq!(verify_against(&crypto, &cut, &end.digest), Err(named), "without {}", at + 1);
        let mut swapped = whole.clone();
        swapped.swap(at - 1, at);
        assert!(verify_against(&crypto, &swapped, &end.digest).is_err(), "{at}");
    }
}

// R17
#[test]
fn the_tick_signs_a_log_that_has_grown_old() {
    let (engine, partition) = device(&RamStore::new());
    let before = checkpoint(&engine);
    Caller::new(&engine, admin())
        .call(&ClientBind { partition, identity: Identity([9; 32]), name: "c".into() })
        .unwrap();
    engine.tick();
    let generation = |engine: &RamEngine| checkpoint(engine).text.generation;
    engine.platform().set_clock(1_700_000_000_000 + 3_700_000);
    engine.tick();
    // What is asked for now was signed by the tick: nothing is new since.
    let by_tick = checkpoint(&engine);
    assert!(by_tick.text.number > before.text.number);
    assert!(by_tick.text.time < 1_700_000_000_000 + 3_700_000 + 40, "{}", by_tick.text.time);
    assert_eq!(generation(&engine), by_tick.text.generation);
}

/// The power fails before or after each commit of a first checkpoint: afterwards there is one device identity, the one that
/// was told, and it signs.
#[test]
fn a_power_cut_leaves_one_identity() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        for (before, commit) in [(false, 0), (false, 1), (true, 0)] {
            let store = RamStore::new();
            let (engine, _) = device(&store);
            let told = before.then(|| Caller::new(&engine, admin()).call(&DeviceCertificates {}).unwrap());
            store.fail_commit(commit, fault);
            let first = Caller::new(&engine, admin()).call(&AuditCheckpoint {});
            assert!(first.is_err(), "{fault:?} {commit}");
            store.power_on();
            let after = start(&store).unwrap();
            let now = Caller::new(&after, admin()).call(&DeviceCertificates {}).unwrap();
            assert!(told.is_none_or(|told| told == now), "{fault:?} {commit}");
            let made = checkpoint(&after);
            assert!(is_signed(&now.audit, &made.text.signed(), &made.signature), "{fault:?} {commit}");
        }
    }
}

fn statement(caller: &Caller<'_>, object: coloa_wire::ObjectId) -> (KeyStatement, KeyAttestReply) {
    let reply = caller.call(&KeyAttest { object, nonce: vec![7; 16] }).unwrap();
    (command::decode_head(&reply.statement).unwrap(), reply)
}

// R21
#[test]
fn nobody_has_a_key_attested_that_they_do_not_see() {
    let (engine, partition) = device(&RamStore::new());
    let owner = user(&engine, partition);
    let KeyPairReply { public, private } = owner.generate_ec(P384, "seal", true).unwrap();
    let (told, reply) = statement(&owner, private);
    assert_eq!((told.nonce.as_slice(), told.object, told.partition), (&[7; 16][..], private, partition));
    assert!(told.flags.contains(&A::LOCAL.0) && told.flags.contains(&A::NEVER_EXTRACTABLE.0));
    let certificates = owner.call(&DeviceCertificates {}).unwrap();
    assert!(is_signed(&certificates.attestation, &statement_signed(&reply.statement), &reply.signature));
    assert!(reply.certificate.is_some());
    let stranger = Caller::new(&engine, client(99));
    assert!(stranger.call(&KeyAttest { object: public, nonce: vec![] }).is_err());
    assert_eq!(owner.call(&KeyAttest { object: private, nonce: vec![0; 65] }).err(), Some(ErrorCode::DataTooLong));
}

/// What came from outside says so, whoever brought it, and has no mechanism of its drawing.
#[test]
fn an_imported_key_is_attested_as_imported() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Compatible);
    let owner = user(&engine, partition);
    let brought = owner.import(hmac_template(&[5; 32])).unwrap();
    let (told, reply) = statement(&owner, brought);
    for flag in [A::LOCAL, A::ALWAYS_SENSITIVE, A::NEVER_EXTRACTABLE] {
        assert!(!told.flags.contains(&flag.0), "{flag:?}");
    }
    assert_eq!((told.mechanism, told.public, reply.certificate), (None, None, None));
    assert_eq!(told.mode, PartitionMode::Compatible);
}

fn auditor() -> coloa_engine::Peer {
    client(77)
}

fn name_auditor(engine: &RamEngine) {
    let identity = auditor().identity().unwrap();
    Caller::new(engine, admin()).call(&AuditorAdd { identity, name: "Kiểm toán".into() }).unwrap();
}

/// Every command there is, with a head that decodes or not: an auditor gets past the table with these and no others.
// R1
#[test]
fn an_auditor_reads_all_and_uses_nothing() {
    use CommandCode as C;
    let (engine, partition) = device(&RamStore::new());
    name_auditor(&engine);
    let may = [
        C::DeviceInfo,
        C::MechanismList,
        C::TokenList,
        C::CustodiansRead,
        C::AuditRead,
        C::AuditCheckpoint,
        C::DeviceCertificates,
        C::AuditorList,
        C::KeyList,
        C::PartitionUsage,
    ];
    for code in CommandCode::ALL {
        let mut reply = Vec::new();
        let mut frame = Vec::new();
        Frame { head: &[0xa0], ..Frame::status(coloa_wire::frame::FrameKind::Call, *code as u16, 1) }
            .encode(&mut frame);
        engine.handle(&auditor(), &frame, &mut reply);
        let answer = Frame::parse(&reply).unwrap().code;
        let refused = answer == ErrorCode::ChannelForbidden.number();
        assert_eq!(!refused, may.contains(code), "{code:?}: {answer}");
    }
    let reader = Caller::new(&engine, auditor());
    assert_eq!(reader.call(&TokenList {}).unwrap().tokens[0].partition, partition);
    assert!(reader.call(&AuditRead { from: 1, max: 10 }).unwrap().records > 0);
    assert!(engine.is_bound(&auditor().identity().unwrap()));
    assert_eq!(reader.call(&AuditorList {}).unwrap().auditors.len(), 1);
}

// R1: not even where the same certificate is bound to a partition too.
#[test]
fn the_auditors_role_outweighs_a_binding_and_ends_when_it_is_taken() {
    let store = RamStore::new();
    let (engine, partition) = device(&store);
    let (operator, identity) = (Caller::new(&engine, admin()), auditor().identity().unwrap());
    let bind = ClientBind { partition, identity, name: "both".into() };
    operator.call(&bind).unwrap();
    let add = AuditorAdd { identity, name: "both".into() };
    assert_eq!(operator.call(&add).err(), Some(ErrorCode::AttributeValueInvalid));
    operator.call(&ClientUnbind { partition, identity }).unwrap();
    operator.call(&add).unwrap();
    operator.call(&bind).unwrap();
    let reader = Caller::new(&engine, auditor());
    let open = SessionOpen { partition };
    assert_eq!(reader.call(&open).err(), Some(ErrorCode::ChannelForbidden));
    let again = start(&store).unwrap();
    assert_eq!(Caller::new(&again, auditor()).call(&open).err(), Some(ErrorCode::ChannelForbidden));
    operator.call(&ClientUnbind { partition, identity }).unwrap();
    operator.call(&AuditorRemove { identity }).unwrap();
    assert!(!engine.is_bound(&identity));
    assert_eq!(reader.call(&AuditRead { from: 1, max: 10 }).err(), Some(ErrorCode::ChannelForbidden));
    // An auditor names no auditors.
    assert_eq!(reader.call(&add).err(), Some(ErrorCode::ChannelForbidden));
    let log: Vec<AuditRecord> = audit_log(&engine);
    assert!(log.iter().any(|r| r.event.action == CommandCode::AuditorAdd as u16 && r.event.result == 0));
}

/// A digest that an administrator notes is in the log, and the next checkpoint covers it; others note nothing.
// R1, R17, R18
#[test]
fn an_administrator_notes_a_digest_that_checkpoints_cover() {
    let (engine, _) = device(&RamStore::new());
    name_auditor(&engine);
    let note = AuditNote { subject: "ceremony 5b1f".into(), digest: [0xa5; 32] };
    for peer in [client(1), auditor()] {
        assert_eq!(Caller::new(&engine, peer).call(&note).err(), Some(ErrorCode::ChannelForbidden));
    }
    let operator = Caller::new(&engine, admin());
    for subject in [String::new(), "a\nb".into(), "x".repeat(MAX_NOTE + 1)] {
        let refused = operator.call(&AuditNote { subject, ..note.clone() });
        assert_eq!(refused.err(), Some(ErrorCode::AttributeValueInvalid));
    }
    operator.call(&note).unwrap();
    let end = checkpoint(&engine).text;
    let log = audit_log(&engine);
    let noted = log.iter().find(|r| r.event.action == CommandCode::AuditNote as u16 && r.event.result == 0).unwrap();
    assert_eq!(noted.event.detail.as_deref(), Some(format!("ceremony 5b1f {}", "a5".repeat(32)).as_str()));
    assert_eq!(noted.event.who, "operator");
    assert!(noted.number <= end.number);
    assert_eq!(verify_against(&Native::new(), &records(&engine), &end.digest), Ok(()));
}
