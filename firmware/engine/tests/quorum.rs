//! What one person must not do alone (R2): proposals, voices, and everything that an insider tries instead.

mod rig;

use coloa_engine::Platform;
use coloa_engine::audit::AuditEvent;
use coloa_store_testkit::{Fault, RamStore};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, PartitionId, RetryId, Template};
use rig::custody::*;
use rig::*;
use std::sync::{Arc, Barrier};

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

/// Whoever brings a voice is not whose it is; who approved is known when the proposal is long gone.
#[test]
fn the_log_says_whose_voice_it_was_and_which() {
    let (engine, partition, [an, binh, chi]) = governed(&RamStore::new());
    let operator = Caller::new(&engine, admin());
    let text = propose(&engine, &PartitionDestroy { partition }).unwrap();
    operator.call(&chi.vote(&text, Voice::Reject)).unwrap();
    operator.call(&an.vote(&text, Voice::Approve)).unwrap();
    // Nobody is named for what he did not sign.
    let forged = QuorumVote { custodian: "Bình".into(), ..an.vote(&text, Voice::Approve) };
    assert_eq!(operator.call(&forged).err(), Some(ErrorCode::CustodianSignature));
    operator.call(&binh.vote(&text, Voice::Approve)).unwrap();
    execute(&engine, text.id).unwrap();
    engine.flush();
    let log = audit_log(&engine);
    let votes: Vec<_> = log.iter().map(|r| &r.event).filter(|e| e.action == CommandCode::QuorumVote as u16).collect();
    let told = |e: &&AuditEvent| e.result == 0 && e.object.map(|o| o.0) == Some(text.id.0) && e.who == "operator";
    let voices: Vec<_> = votes.iter().filter(|e| told(e)).map(|e| e.detail.as_deref()).collect();
    assert_eq!(voices, [Some("Chi rejects"), Some("An approves"), Some("Bình approves")]);
    let refused: Vec<_> = votes.iter().filter(|e| e.result != 0).map(|e| (e.result, e.detail.as_deref())).collect();
    assert_eq!(refused, [(ErrorCode::CustodianSignature.number(), None)]);
}

/// The caller whose connection broke learns what became of it, from another run of the engine too.
#[test]
fn an_execution_whose_answer_was_lost_is_answered_again_and_done_once() {
    let store = RamStore::new();
    let (engine, _, [an, binh, _]) = governed(&store);
    let key = BackupKeyCreate { threshold: 2, holders: ["An", "Bình", "Chi"].map(String::from).into() };
    let fresh = named(&three());
    let operator = Caller::new(&engine, admin());
    let text = propose(&engine, &fresh).unwrap();
    operator.call(&an.vote(&text, Voice::Approve)).unwrap();
    operator.call(&binh.vote(&text, Voice::Approve)).unwrap();
    let retry = Some(RetryId([5; 16]));
    let again =
        |engine: &RamEngine| Caller { retry, ..Caller::new(engine, admin()) }.call(&QuorumExecute { id: text.id });
    let first = again(&engine).unwrap();
    decode_head::<Done>(&first.head).expect("what the act answered");
    assert_eq!(again(&engine), Ok(first.clone()));
    assert_eq!(execute(&engine, text.id).err(), Some(ErrorCode::ProposalUnknown));
    drop(engine);
    let engine = start(&store).unwrap();
    assert_eq!(again(&engine), Ok(first));
    let executed = audit_log(&engine)
        .into_iter()
        .filter(|r| (r.event.action, r.event.result) == (CommandCode::QuorumExecute as u16, 0));
    assert_eq!(executed.count(), 1);
    // Another command with the same retry id is not taken for it.
    let other = Caller { retry, ..Caller::new(&engine, admin()) }.call(&key);
    assert_eq!(other.err(), Some(ErrorCode::RetryIdReused));
}

/// What an administrator began while there were no custodians is not finished once there are.
#[test]
fn who_began_alone_does_not_finish_alone() {
    let engine = Arc::new(start(&RamStore::new()).unwrap());
    token(&engine, PartitionMode::Strict);
    let (holders, hooked) = (three(), engine.clone());
    engine.platform().crypto().at_random(0, move || {
        Caller::new(&hooked, admin()).call(&named(&holders)).unwrap();
    });
    let key = BackupKeyCreate { threshold: 2, holders: ["An", "Bình", "Chi"].map(String::from).into() };
    let operator = Caller::new(&engine, admin());
    assert_eq!(operator.call(&key).err(), Some(ErrorCode::QuorumNeeded));
    assert_eq!(operator.call(&CustodiansRead {}).unwrap().threshold, 2);
}

/// The power fails while custodians are replaced: the old ones with their proposals, or the new ones without.
#[test]
fn a_power_cut_leaves_the_old_custodians_or_the_new_ones() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        let store = RamStore::new();
        let (engine, partition, [an, binh, _]) = governed(&store);
        let operator = Caller::new(&engine, admin());
        let fresh = named(&["Dũng", "Giang", "Hà"].map(holder));
        propose(&engine, &PartitionDestroy { partition }).unwrap();
        let text = propose(&engine, &fresh).unwrap();
        operator.call(&an.vote(&text, Voice::Approve)).unwrap();
        operator.call(&binh.vote(&text, Voice::Approve)).unwrap();
        store.fail_commit(0, fault);
        assert!(execute(&engine, text.id).is_err());
        store.power_on();
        let engine = start(&store).expect("the store opens after a cut");
        let operator = Caller::new(&engine, admin());
        let present = operator.call(&CustodiansRead {}).unwrap().custodians;
        let open = operator.call(&QuorumList {}).unwrap().proposals;
        match fault {
            Fault::CutAfter => assert!(present == fresh.custodians && open.is_empty()),
            _ => assert!(present[0] == an.custodian && open.len() == 2 && execute(&engine, text.id).is_ok()),
        }
        assert_eq!(Caller::new(&engine, admin()).call(&CustodiansRead {}).unwrap().custodians, fresh.custodians);
    }
}

/// R2, R9: under a trusted key every key of the partition may leave. Its SO alone does not give that trust any more, an
/// administrator alone never could, and nobody can be talked into trusting a key that is not fit for it.
#[test]
fn trust_in_a_wrapping_key_is_the_custodians_to_give() {
    let (engine, partition, [an, binh, _]) = governed(&RamStore::new());
    let (operator, caller) = (Caller::new(&engine, admin()), user(&engine, partition));
    let key = caller.kek(Template::default().with(A::LABEL, &b"kek\x1b[2J"[..]));
    let other = caller.generate_aes(Template::default().with(A::TOKEN, true).with(A::ENCRYPT, true)).unwrap();
    drop(caller);
    assert_eq!(trust(&engine, partition, key).err(), Some(ErrorCode::QuorumNeeded));
    let act = KeyTrust { partition, object: key };
    assert_eq!(operator.call(&act).err(), Some(ErrorCode::QuorumNeeded));
    let unfit = KeyTrust { partition, object: other };
    assert_eq!(propose(&engine, &unfit).err(), Some(ErrorCode::TemplateInconsistent));
    let text = propose(&engine, &act).unwrap();
    assert!(text.subject.starts_with("token: kek[2J, ") && text.subject.len() > 20, "{}", text.subject);
    operator.call(&an.vote(&text, Voice::Approve)).unwrap();
    assert_eq!(execute(&engine, text.id).err(), Some(ErrorCode::QuorumNotReached));
    let is_trusted = || officer(&engine, partition).attribute(key, A::TRUSTED).is_ok_and(|value| value == true.into());
    assert!(!is_trusted());
    operator.call(&binh.vote(&text, Voice::Approve)).unwrap();
    execute(&engine, text.id).unwrap();
    assert!(is_trusted());
    let log = audit_log(&engine);
    assert!(log.iter().any(|r| r.event.object == Some(key) && r.event.detail.as_deref() == Some("trusted")));
    // What the SO fears, the SO stops; and asks again to go on.
    officer(&engine, partition).write(key, Template::default().with(A::TRUSTED, false)).unwrap();
    assert!(!is_trusted());
    assert_eq!(trust(&engine, partition, key).err(), Some(ErrorCode::QuorumNeeded));
    // Without custodians it is the SO's, and still not the administrator's.
    let bare = start(&RamStore::new()).unwrap();
    let partition = token(&bare, PartitionMode::Strict);
    let key = user(&bare, partition).kek(Template::default());
    let alone = Caller::new(&bare, admin()).call(&KeyTrust { partition, object: key });
    assert_eq!(alone.err(), Some(ErrorCode::NoQuorumAct));
    trust(&bare, partition, key).unwrap();
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
