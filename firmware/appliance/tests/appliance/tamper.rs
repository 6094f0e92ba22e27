//! A chassis line that tells of tampering (R15): the keys of a running `coload` go, and a quorum has it return.

use crate::rig::{Appliance, key_pair, sign, user};
use coloa_crypto_native::Native;
use coloa_engine::Crypto;
use coloa_engine::audit::{AuditRecord, TAMPERED};
use coloa_engine::crypto::{Curve, Hash, KeyKind, PairKind, Scheme};
use coloa_wire::ErrorCode;
use coloa_wire::command::*;
use std::fs;
use std::time::Duration;

const P384: PairKind = PairKind::Ec(Curve::P384);
const NAMES: [&str; 3] = ["An", "Bình", "Chi"];

/// A custodian's key that is no secret.
fn secret(n: u8) -> Vec<u8> {
    [vec![0; 47], vec![n + 1]].concat()
}

fn line(appliance: &Appliance, content: &str) {
    fs::write(appliance.path("alarm"), content).unwrap();
}

/// In service, with a quiet line and two of three custodians as its quorum.
fn governed() -> Appliance {
    let mut appliance = Appliance::operational();
    let custodian =
        |n: u8| Custodian { name: NAMES[usize::from(n)].into(), key: Native.public(P384, &secret(n)).unwrap() };
    let set = CustodiansSet { threshold: 2, custodians: (0..3).map(custodian).collect() };
    appliance.admin().call(None, &set).unwrap();
    appliance.stop();
    line(&appliance, "0\n");
    let text = fs::read_to_string(appliance.path("coload.toml")).unwrap();
    fs::write(appliance.path("coload.toml"), format!("{text}\n[[tamper]]\nname = \"lid\"\nfile = \"alarm\"\n"))
        .unwrap();
    appliance.start();
    appliance
}

fn lifecycle(appliance: &Appliance) -> Lifecycle {
    appliance.admin().call(None, &DeviceInfo {}).unwrap().lifecycle
}

fn vote(appliance: &Appliance, text: &QuorumText, n: u8) {
    let key = Native.load(KeyKind::Pair(P384), &secret(n)).unwrap();
    let digest = Native.digest(Hash::Sha384, &[&text.signed(Voice::Approve)]);
    let signature = Native.sign(&key, Scheme::Ecdsa, digest.as_ref()).unwrap();
    let (id, custodian) = (text.id, NAMES[usize::from(n)].into());
    appliance.admin().call(None, &QuorumVote { id, custodian, voice: Voice::Approve, signature }).unwrap();
}

fn returns(appliance: &Appliance) {
    let serial = appliance.admin().call(None, &DeviceInfo {}).unwrap().serial;
    let mut head = Vec::new();
    encode_head(&TamperReturn { serial }, &mut head);
    let code = CommandCode::TamperReturn as u16;
    let propose = QuorumPropose { code, head, reason: "the lid is closed".into(), seconds: 3600 };
    let id = appliance.admin().call(None, &propose).unwrap().id;
    let all = appliance.admin().call(None, &QuorumList {}).unwrap().proposals;
    let text = all.into_iter().find(|p| p.text.id == id).unwrap().text;
    vote(appliance, &text, 0);
    let alone = appliance.admin().call(None, &QuorumExecute { id }).err();
    assert_eq!(alone, Some(ErrorCode::QuorumNotReached));
    vote(appliance, &text, 2);
    appliance.admin().call(None, &QuorumExecute { id }).unwrap();
}

fn holds(appliance: &Appliance, part: &[u8]) -> bool {
    let files = fs::read_dir(appliance.path("data")).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(part.len()).any(|window| window == part))
}

fn last_record(appliance: &Appliance) -> AuditRecord {
    let (reply, bulk) = appliance.admin().call_with_bulk(&AuditRead { from: 1, max: 10_000 }).unwrap();
    let mut decoder = minicbor::Decoder::new(&bulk);
    let records: Vec<AuditRecord> =
        (0..reply.records).map(|_| minicbor::decode(decoder.bytes().unwrap()).unwrap()).collect();
    assert!(records.iter().zip(1..).all(|(record, number)| record.number == number), "the log is whole");
    records.into_iter().last().unwrap()
}

#[test]
fn an_opened_case_costs_every_key_and_a_quorum_has_the_device_return() {
    let mut appliance = governed();
    let court = appliance.partition("court");
    let client = appliance.enrol(court, "court-srv-1").client(&appliance.address());
    let session = user(&client, court);
    let key = key_pair(&client, session).unwrap();
    sign(&client, session, key).unwrap();
    let root_key = fs::read(appliance.path("data").join("root.key")).unwrap();
    line(&appliance, "1\n");
    assert_eq!(appliance.ended().code(), Some(3));
    assert!(appliance.log().contains("tampered with"), "{}", appliance.log());
    assert!(sign(&client, session, key).is_err());
    assert!(!holds(&appliance, &root_key));

    // Restarted, with the case still open, it stays up to say what happened; to administrators only.
    for _ in 0..2 {
        appliance.start();
        assert_eq!(lifecycle(&appliance), Lifecycle::Tampered);
        let create = PartitionCreate { label: "x".into(), mode: PartitionMode::Strict, approved_only: None };
        assert_eq!(appliance.admin().call(None, &create).err(), Some(ErrorCode::DeviceTampered));
        appliance.stop();
    }
    line(&appliance, "0\n");
    appliance.start();
    let last = last_record(&appliance);
    assert_eq!((last.event.action, last.event.detail.as_deref()), (TAMPERED, Some("lid")));
    returns(&appliance);
    assert_eq!(lifecycle(&appliance), Lifecycle::Operational);
    let court = appliance.partition("court");
    let client = appliance.enrol(court, "court-srv-2").client(&appliance.address());
    key_pair(&client, user(&client, court)).unwrap();
}

/// A device that returns with its case still open is struck at once.
#[test]
fn a_return_with_an_open_case_is_no_return() {
    let mut appliance = governed();
    line(&appliance, "1");
    appliance.ended();
    appliance.start();
    returns(&appliance);
    assert_eq!(appliance.ended().code(), Some(3));
    appliance.start();
    assert_eq!(lifecycle(&appliance), Lifecycle::Tampered);
}

/// The process is killed at some moment after the line has told, as the power fails when a case is opened: the next starts end
/// with a device that was tampered with.
#[test]
fn a_kill_at_any_moment_saves_no_key() {
    for delay in [0, 5, 15, 22, 30, 45] {
        let mut appliance = governed();
        let root_key = fs::read(appliance.path("data").join("root.key")).unwrap();
        line(&appliance, "1");
        std::thread::sleep(Duration::from_millis(delay));
        appliance.kill_if_running();
        appliance.start_until_it_serves();
        assert_eq!(lifecycle(&appliance), Lifecycle::Tampered, "after {delay} ms");
        assert!(!holds(&appliance, &root_key), "after {delay} ms");
    }
}

#[test]
fn a_line_that_is_not_there_stops_the_start() {
    let mut appliance = governed();
    appliance.stop();
    fs::remove_file(appliance.path("alarm")).unwrap();
    assert!(appliance.fails().contains("cannot read the tamper line"));
}
