//! What one person must not do alone (R2): proposals, voices, and everything that an insider tries instead.

mod rig;

use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::{ErrorCode, PartitionId};
use rig::custody::*;
use rig::*;
use std::sync::Barrier;

fn partitions(engine: &RamEngine) -> usize {
    Caller::new(engine, admin()).call(&TokenList {}).unwrap().tokens.len()
}

#[test]
fn two_of_three_destroy_a_partition_and_one_does_not() {
    let (engine, partition, [an, binh, _]) = governed(&RamStore::new());
    let operator = Caller::new(&engine, admin());
    assert_eq!(operator.call(&PartitionDestroy { partition }).err(), Some(ErrorCode::QuorumNeeded));
    let text = propose(&engine, &PartitionDestroy { partition }).unwrap();
    assert_eq!((text.subject.as_str(), text.reason.as_str()), ("token", "the organ is closed"));
    assert_eq!(execute(&engine, text.id).err(), Some(ErrorCode::QuorumNotReached));
    let reply = operator.call(&an.vote(&text, Voice::Approve)).unwrap();
    assert_eq!((reply.approvals, reply.threshold), (1, 2));
    assert_eq!(execute(&engine, text.id).err(), Some(ErrorCode::QuorumNotReached));
    assert_eq!(operator.call(&an.vote(&text, Voice::Approve)).err(), Some(ErrorCode::CustodianVoted));
    assert_eq!(partitions(&engine), 1);
    operator.call(&binh.vote(&text, Voice::Approve)).unwrap();
    execute(&engine, text.id).unwrap();
    assert_eq!(partitions(&engine), 0);
    assert_eq!(execute(&engine, text.id).err(), Some(ErrorCode::ProposalUnknown));
    let log = audit_log(&engine);
    for action in [CommandCode::QuorumPropose, CommandCode::QuorumVote, CommandCode::QuorumExecute] {
        let told = log.iter().filter(|r| (r.event.action, r.event.result) == (action as u16, 0));
        assert!(told.clone().count() >= 1, "{action:?}");
        assert!(told.clone().all(|r| r.event.object.map(|o| o.0) == Some(text.id.0)), "{action:?}");
    }
}

/// In a batch as well.
#[test]
fn an_administrator_alone_gets_nothing_done() {
    let (engine, partition, holders) = governed(&RamStore::new());
    let operator = Caller::new(&engine, admin());
    let serial = operator.call(&DeviceInfo {}).unwrap().serial;
    assert_eq!(operator.call(&DeviceZeroize { serial }).err(), Some(ErrorCode::QuorumNeeded));
    assert_eq!(operator.call(&named(&holders)).err(), Some(ErrorCode::QuorumNeeded));
    let mut head = Vec::new();
    encode_head(&PartitionDestroy { partition }, &mut head);
    let item = BatchItem { code: CommandCode::PartitionDestroy as u16, head, bulk: 0, retry: None };
    let reply = operator.call(&Batch { items: vec![item] }).unwrap();
    assert_eq!(reply.items[0].code, ErrorCode::QuorumNeeded.number());
    // Nor does a client, whose word is not even heard.
    let caller = user(&engine, partition);
    assert_eq!(caller.call(&QuorumList {}).err(), Some(ErrorCode::ChannelForbidden));
    assert_eq!(caller.call(&CustodiansRead {}).unwrap().custodians.len(), 3);
    assert_eq!(partitions(&engine), 1);
}

#[test]
fn a_signature_is_for_one_voice_one_proposal_one_device_and_one_set() {
    let (engine, partition, [an, binh, chi]) = governed(&RamStore::new());
    let operator = Caller::new(&engine, admin());
    let wrong = |vote: &QuorumVote| assert_eq!(operator.call(vote).err(), Some(ErrorCode::CustodianSignature));
    let text = propose(&engine, &PartitionDestroy { partition }).unwrap();
    let again = propose(&engine, &PartitionDestroy { partition }).unwrap();
    wrong(&QuorumVote { id: again.id, ..an.vote(&text, Voice::Approve) });
    wrong(&QuorumVote { voice: Voice::Approve, ..an.vote(&text, Voice::Reject) });
    wrong(&QuorumVote { custodian: "Bình".into(), ..an.vote(&text, Voice::Approve) });
    let changes: [fn(&mut QuorumText); 7] = [
        |t| t.serial = "0".repeat(16),
        |t| t.head.push(0),
        |t| t.code = CommandCode::DeviceZeroize as u16,
        |t| t.subject = "another".into(),
        |t| t.reason = "because".into(),
        |t| t.expires += 1,
        |t| t.set += 1,
    ];
    for change in changes {
        let mut other = text.clone();
        change(&mut other);
        wrong(&QuorumVote { id: text.id, ..an.vote(&other, Voice::Approve) });
    }
    let stranger = holder("An");
    wrong(&stranger.vote(&text, Voice::Approve));
    for signature in [vec![], vec![0; 96], vec![0xff; 96], vec![1; 10_000]] {
        wrong(&QuorumVote { signature, ..an.vote(&text, Voice::Approve) });
    }
    let nobody = QuorumVote { custodian: "Dũng".into(), ..chi.vote(&text, Voice::Approve) };
    assert_eq!(operator.call(&nobody).err(), Some(ErrorCode::CustodianUnknown));
    // The same custodians on another device: what they signed for this one is worth nothing there.
    let there = start(&RamStore::new()).unwrap();
    let other = token(&there, PartitionMode::Strict);
    Caller::new(&there, admin()).call(&named(&[an, binh, chi])).unwrap();
    assert!(propose(&there, &PartitionDestroy { partition: other }).unwrap().serial != text.serial);
}

#[test]
fn a_proposal_that_cannot_reach_its_quorum_any_more_is_gone() {
    let (engine, partition, [an, binh, chi]) = governed(&RamStore::new());
    let operator = Caller::new(&engine, admin());
    let text = propose(&engine, &PartitionDestroy { partition }).unwrap();
    assert!(!operator.call(&an.vote(&text, Voice::Reject)).unwrap().rejected);
    assert!(operator.call(&binh.vote(&text, Voice::Reject)).unwrap().rejected);
    assert_eq!(operator.call(&chi.vote(&text, Voice::Approve)).err(), Some(ErrorCode::ProposalUnknown));
    let text = propose(&engine, &PartitionDestroy { partition }).unwrap();
    operator.call(&QuorumWithdraw { id: text.id }).unwrap();
    assert!(operator.call(&QuorumList {}).unwrap().proposals.is_empty());
}

#[test]
fn a_proposal_ends_in_time_and_with_its_custodians() {
    let (engine, partition, [an, binh, chi]) = governed(&RamStore::new());
    let operator = Caller::new(&engine, admin());
    let late = propose(&engine, &PartitionDestroy { partition }).unwrap();
    operator.call(&an.vote(&late, Voice::Approve)).unwrap();
    operator.call(&binh.vote(&late, Voice::Approve)).unwrap();
    engine.platform().set_clock(late.expires);
    assert_eq!(execute(&engine, late.id).err(), Some(ErrorCode::ProposalExpired));
    assert!(operator.call(&QuorumList {}).unwrap().proposals[0].expired);
    // Chi is replaced by Dũng. What was approved by the old ones before is worth nothing.
    let open = propose(&engine, &PartitionDestroy { partition }).unwrap();
    operator.call(&an.vote(&open, Voice::Approve)).unwrap();
    operator.call(&chi.vote(&open, Voice::Approve)).unwrap();
    let dung = holder("Dũng");
    let fresh = CustodiansSet { threshold: 2, custodians: [&an, &binh, &dung].map(|h| h.custodian.clone()).into() };
    let replace = propose(&engine, &fresh).unwrap();
    assert_eq!(replace.subject, "2 of An, Bình, Dũng");
    operator.call(&an.vote(&replace, Voice::Approve)).unwrap();
    operator.call(&chi.vote(&replace, Voice::Approve)).unwrap();
    execute(&engine, replace.id).unwrap();
    assert!(operator.call(&QuorumList {}).unwrap().proposals.is_empty());
    assert_eq!(execute(&engine, open.id).err(), Some(ErrorCode::ProposalUnknown));
    let text = propose(&engine, &PartitionDestroy { partition }).unwrap();
    assert_eq!(operator.call(&chi.vote(&text, Voice::Approve)).err(), Some(ErrorCode::CustodianUnknown));
    operator.call(&an.vote(&text, Voice::Approve)).unwrap();
    operator.call(&dung.vote(&text, Voice::Approve)).unwrap();
    execute(&engine, text.id).unwrap();
    assert_eq!(partitions(&engine), 0);
}

#[test]
fn an_act_is_executed_once_by_however_many_at_once() {
    let (engine, partition, [an, binh, _]) = governed(&RamStore::new());
    let operator = Caller::new(&engine, admin());
    let text = propose(&engine, &PartitionDestroy { partition }).unwrap();
    operator.call(&an.vote(&text, Voice::Approve)).unwrap();
    operator.call(&binh.vote(&text, Voice::Approve)).unwrap();
    let barrier = Barrier::new(4);
    let done = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    execute(&engine, text.id).is_ok()
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).filter(|done| *done).count()
    });
    assert_eq!(done, 1);
}

/// The power fails at each commit: what was acknowledged is there, and an act and its proposal go together.
#[test]
fn a_power_cut_leaves_the_proposal_or_its_effect_and_never_both_or_neither() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        for nth in 0..4 {
            let store = RamStore::new();
            let (engine, partition, [an, binh, _]) = governed(&store);
            store.fail_commit(nth, fault);
            let operator = Caller::new(&engine, admin());
            let attempt = || -> Result<(), ErrorCode> {
                let text = propose(&engine, &PartitionDestroy { partition })?;
                operator.call(&an.vote(&text, Voice::Approve))?;
                operator.call(&binh.vote(&text, Voice::Approve))?;
                execute(&engine, text.id).map(drop)
            };
            let outcome = attempt();
            store.power_on();
            let engine = start(&store).expect("the store opens after a cut");
            let operator = Caller::new(&engine, admin());
            let open = operator.call(&QuorumList {}).unwrap().proposals;
            assert_eq!(operator.call(&CustodiansRead {}).unwrap().threshold, 2);
            assert!(outcome.is_err() || partitions(&engine) == 0);
            assert!(partitions(&engine) == 1 || open.is_empty(), "{fault:?} at {nth}: executed and still open");
            if partitions(&engine) == 1 && nth > 0 {
                assert_eq!(open.len(), 1, "{fault:?} at {nth}: an acknowledged proposal is gone");
            }
        }
    }
}

/// R36: yesterday's custodians, put back by who holds the disk, are noticed.
#[test]
fn custodians_of_yesterday_do_not_come_back_unseen() {
    let store = RamStore::new();
    let (engine, _, holders) = governed(&store);
    let before = store.image().entries().clone();
    let fresh = three();
    let operator = Caller::new(&engine, admin());
    let text = propose(&engine, &named(&fresh)).unwrap();
    operator.call(&holders[0].vote(&text, Voice::Approve)).unwrap();
    operator.call(&holders[1].vote(&text, Voice::Approve)).unwrap();
    execute(&engine, text.id).unwrap();
    drop(engine);
    let old = before.iter().find(|(id, _)| id.kind == 11).expect("the custodians' record");
    store.tamper(|medium| {
        medium.entries().insert(*old.0, old.1.clone());
    });
    assert!(start(&store).is_err());
}

#[test]
fn who_can_be_no_custodian_and_what_can_be_no_proposal() {
    let engine = start(&RamStore::new()).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let operator = Caller::new(&engine, admin());
    let holders = three();
    let refused = |set: CustodiansSet| assert_eq!(operator.call(&set).err(), Some(ErrorCode::CustodiansInvalid));
    let good = || named(&holders);
    refused(CustodiansSet { threshold: 0, ..good() });
    refused(CustodiansSet { threshold: 1, ..good() });
    refused(CustodiansSet { threshold: 4, ..good() });
    refused(CustodiansSet { threshold: 2, custodians: vec![] });
    let with = |change: fn(&mut Vec<Custodian>)| {
        let mut set = good();
        change(&mut set.custodians);
        set
    };
    refused(with(|all| all[1].name = "An".into()));
    refused(with(|all| all[1].key = all[0].key.clone()));
    refused(with(|all| all[1].key[5] ^= 1));
    refused(with(|all| all[1].key.clear()));
    refused(with(|all| all[1].name = "An\n".into()));
    refused(with(|all| *all = (0..17).map(|n| holder(&n.to_string()).custodian).collect()));
    assert_eq!(propose(&engine, &PartitionDestroy { partition }).err(), Some(ErrorCode::NoQuorumAct));
    operator.call(&good()).unwrap();
    assert_eq!(propose(&engine, &TokenList {}).err(), Some(ErrorCode::NoQuorumAct));
    let gone = PartitionDestroy { partition: PartitionId([9; 16]) };
    assert_eq!(propose(&engine, &gone).err(), Some(ErrorCode::PartitionUnknown));
    let proposal = |head: Vec<u8>, reason: String, seconds| {
        let code = CommandCode::PartitionDestroy as u16;
        operator.call(&QuorumPropose { code, head, reason, seconds }).err()
    };
    let mut head = Vec::new();
    encode_head(&PartitionDestroy { partition }, &mut head);
    assert_eq!(proposal(vec![1, 2], String::new(), 60), Some(ErrorCode::CommandMalformed));
    assert_eq!(proposal(head.clone(), "x".repeat(257), 60), Some(ErrorCode::AttributeValueInvalid));
    assert_eq!(proposal(head.clone(), "a\u{1b}[2J".into(), 60), Some(ErrorCode::AttributeValueInvalid));
    for seconds in [0, 59, 31 * 86_400, u32::MAX] {
        assert_eq!(proposal(head.clone(), String::new(), seconds), Some(ErrorCode::AttributeValueInvalid));
    }
    for _ in 0..32 {
        assert_eq!(proposal(head.clone(), String::new(), 60), None);
    }
    assert_eq!(proposal(head.clone(), String::new(), 60), Some(ErrorCode::LimitReached));
    engine.platform().set_clock(1_800_000_000_000);
    assert_eq!(proposal(head, String::new(), 60), None, "those whose time is over made room");
}

/// R2, R20: the backup key opens everything, so no administrator draws it alone, nor another in its place; and the device that
/// is restored asks the same custodians.
#[test]
fn a_quorum_draws_the_backup_key_and_replaces_it() {
    use rig::backups as carried;
    let (engine, partition, [an, binh, _]) = governed(&RamStore::new());
    let operator = Caller::new(&engine, admin());
    let create = BackupKeyCreate { threshold: 2, holders: vec!["An".into(), "Bình".into()] };
    let draw = || {
        assert_eq!(operator.call(&create).err(), Some(ErrorCode::QuorumNeeded));
        let text = propose(&engine, &create).unwrap();
        assert_eq!(text.subject, "2 of An, Bình");
        for custodian in [&an, &binh] {
            operator.call(&custodian.vote(&text, Voice::Approve)).unwrap();
        }
        execute(&engine, text.id).unwrap();
        [1, 2].map(|index| operator.call_with(&BackupShareTake { index }, &[]).unwrap().1)
    };
    let old = draw();
    let base = carried::full(&engine);
    let new = draw();
    assert_eq!(carried::begin_incremental(&engine, &base).err(), Some(ErrorCode::ArchiveForeign));
    let archive = carried::full(&engine);
    let second = carried::second(&RamStore::new());
    carried::begin(&second, &archive[0], false).unwrap();
    assert_eq!(carried::give(&second, &old[0]).unwrap().verdict, ShareVerdict::Foreign);
    carried::restore(&second, &[&archive], [&new[0], &new[1]]).unwrap();
    let there = Caller::new(&second, admin());
    assert_eq!(there.call(&CustodiansRead {}).unwrap(), operator.call(&CustodiansRead {}).unwrap());
    assert_eq!(there.call(&PartitionDestroy { partition }).err(), Some(ErrorCode::QuorumNeeded));
}
