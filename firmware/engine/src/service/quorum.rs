//! Custodians, proposals, voices (R2).

use crate::backup::share;
use crate::call::{self, Call, Effect, removal};
use crate::keyring::Key;
use crate::ledger::Change;
use crate::quorum::{Approval, needs_quorum};
use crate::record::{self, CUSTODIANS, CustodiansRecord, ProposalRecord, VoteRecord};
use crate::service::device::name;
use crate::service::{tamper, trust};
use crate::state::{Fact, Versioned};
use crate::{Crypto, Curve, Hash, PairKind, Platform, Scheme};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::{ErrorCode, Frame, ObjectId, RequestId};

/// Proposals that are open at the same time.
const MAX_PROPOSALS: usize = 32;
/// Longest head of an act.
const MAX_HEAD: usize = 4096;
const MS: u64 = 1000;

pub(crate) fn custodians<P: Platform>(
    call: &mut Call<'_, P>,
    _: CustodiansRead,
) -> Result<CustodiansReadReply, ErrorCode> {
    let found = call.engine.state().custodians();
    Ok(found.map_or(CustodiansReadReply { threshold: 0, custodians: vec![] }, |c| CustodiansReadReply {
        threshold: c.record.threshold,
        custodians: c.record.custodians.clone(),
    }))
}

/// Open proposals were made to others: they end with it.
pub(crate) fn set_custodians<P: Platform>(call: &mut Call<'_, P>, command: CustodiansSet) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    let CustodiansSet { threshold, custodians } = command;
    are_possible(call, threshold, &custodians)?;
    let state = call.engine.state();
    let version = state.custodians().map_or(0, |c| c.version);
    let record = CustodiansRecord { threshold, custodians };
    let set = call.engine.device_change(CUSTODIANS, version, &record, Fact::Custodians(record.clone()))?;
    let own = call.approval.as_ref().map(Approval::id);
    let others = state.proposals().into_iter().filter(|(id, _)| Some(*id) != own);
    let ended = others.map(|(id, proposal)| removal(record::proposal_id(id), proposal.version));
    let changes = ended.chain([set]).collect();
    let done = call.commit(Effect { changes, ..Effect::on_device() }, Done {})?;
    // Those whom it names must be asked after tampering too (R15); what could not be kept now is at the next start.
    if call.engine.testify().is_err() {
        tracing::error!("the testament could not be kept: after tampering the former custodians would be asked");
    }
    Ok(done)
}

fn are_possible<P: Platform>(call: &Call<'_, P>, threshold: u32, all: &[Custodian]) -> Result<(), ErrorCode> {
    let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let names: BTreeSet<&str> = all.iter().map(|c| c.name.as_str()).collect();
    let keys: BTreeSet<&[u8]> = all.iter().map(|c| c.key.as_slice()).collect();
    let distinct = names.len() == all.len() && keys.len() == all.len();
    let named = all.iter().all(|c| !c.name.is_empty() && name(&c.name));
    let crypto = call.engine.platform().crypto();
    let keyed = || all.iter().all(|c| crypto.load_public(PairKind::Ec(Curve::P384), &c.key).is_ok());
    let possible = (2..=count).contains(&threshold) && all.len() <= MAX_CUSTODIANS && distinct && named && keyed();
    if possible { Ok(()) } else { Err(ErrorCode::CustodiansInvalid) }
}

pub(crate) fn propose<P: Platform>(
    call: &mut Call<'_, P>,
    command: QuorumPropose,
) -> Result<QuorumProposeReply, ErrorCode> {
    call.require_administrator()?;
    let engine = call.engine;
    let asked = engine.state().custodians().ok_or(ErrorCode::NoQuorumAct)?;
    let fits = command.reason.len() <= MAX_QUORUM_REASON && !command.reason.chars().any(char::is_control);
    if !fits || !QUORUM_SECONDS.contains(&command.seconds) || command.head.len() > MAX_HEAD {
        return Err(ErrorCode::AttributeValueInvalid);
    }
    let subject = subject(call, command.code, &command.head)?;
    let id = RequestId(engine.random()?);
    let proposed = engine.platform().now().0;
    let expires = proposed.saturating_add(u64::from(command.seconds).saturating_mul(MS));
    let QuorumPropose { code, head, reason, .. } = command;
    let proposer = String::from(call.peer.name());
    let (set, votes) = (asked.version, vec![]);
    let record = ProposalRecord { code, head, subject, reason, proposer, proposed, expires, set, votes };
    let mut changes = make_room(call)?;
    changes.push(change(call, id, 0, record)?);
    let effect = Effect { changes, relies_on: vec![(CUSTODIANS, asked.version)], ..about(id) };
    call.commit(effect, QuorumProposeReply { id })
}

/// What an act is about, by its present name; that its head can be read.
fn subject<P: Platform>(call: &Call<'_, P>, code: u16, head: &[u8]) -> Result<String, ErrorCode> {
    let code = CommandCode::try_from(code)?;
    if !needs_quorum(code) {
        return Err(ErrorCode::NoQuorumAct);
    }
    match code {
        CommandCode::PartitionDestroy => {
            let act: PartitionDestroy = decode_head(head)?;
            Ok(call.engine.state().partition(act.partition)?.info().record.label.clone())
        }
        CommandCode::CustodiansSet => {
            let act: CustodiansSet = decode_head(head)?;
            are_possible(call, act.threshold, &act.custodians)?;
            let names: Vec<_> = act.custodians.iter().map(|c| c.name.as_str()).collect();
            Ok(format!("{} of {}", act.threshold, names.join(", ")))
        }
        CommandCode::BackupKeyCreate => {
            let act: BackupKeyCreate = decode_head(head)?;
            let sound = share::is_sound(act.threshold, act.holders.iter().map(String::as_str));
            if sound {
                Ok(format!("{} of {}", act.threshold, act.holders.join(", ")))
            } else {
                Err(ErrorCode::BackupParameter)
            }
        }
        CommandCode::KeyTrust => trust::subject(call, &decode_head(head)?),
        CommandCode::TamperReturn => {
            let act: TamperReturn = decode_head(head)?;
            tamper::subject(call, &act)
        }
        CommandCode::DeviceZeroize => {
            let act: DeviceZeroize = decode_head(head)?;
            Ok(act.serial)
        }
        _ => Err(ErrorCode::NoQuorumAct),
    }
}

/// Where the table is full, proposals whose time is over go.
fn make_room<P: Platform>(call: &Call<'_, P>) -> Result<Vec<Change<Key<P>>>, ErrorCode> {
    let all = call.engine.state().proposals();
    if all.len() < MAX_PROPOSALS {
        return Ok(vec![]);
    }
    let now = call.engine.platform().now().0;
    let over = all.into_iter().filter(|(_, proposal)| proposal.record.expires <= now);
    let gone: Vec<_> = over.map(|(id, proposal)| removal(record::proposal_id(id), proposal.version)).collect();
    if gone.is_empty() { Err(ErrorCode::LimitReached) } else { Ok(gone) }
}

pub(crate) fn list<P: Platform>(call: &mut Call<'_, P>, _: QuorumList) -> Result<QuorumListReply, ErrorCode> {
    call.require_administrator()?;
    let mut all = call.engine.state().proposals();
    all.sort_by_key(|(_, proposal)| proposal.record.proposed);
    let now = call.engine.platform().now().0;
    let proposals = all.iter().map(|(id, proposal)| shown(call, *id, &proposal.record, now)).collect();
    let threshold = call.engine.state().custodians().map_or(0, |c| c.record.threshold);
    Ok(QuorumListReply { proposals, threshold })
}

fn shown<P: Platform>(call: &Call<'_, P>, id: RequestId, record: &ProposalRecord, now: u64) -> Proposal {
    let of = |voice| record.votes.iter().filter(move |v| v.voice == voice).map(|v| v.custodian.clone()).collect();
    let (approvals, rejections) = (of(Voice::Approve), of(Voice::Reject));
    Proposal { text: text(call, id, record), approvals, rejections, expired: record.expires <= now }
}

/// What custodians sign.
fn text<P: Platform>(call: &Call<'_, P>, id: RequestId, record: &ProposalRecord) -> QuorumText {
    let ProposalRecord { code, head, subject, reason, proposer, proposed, expires, set, .. } = record.clone();
    let serial = call.engine.state().device().map(|d| d.serial()).unwrap_or_default();
    QuorumText { serial, id, code, head, subject, reason, proposer, proposed, expires, set }
}

/// A proposal whose time is not over, and those who were asked, if they are still the custodians.
fn open<P: Platform>(
    call: &Call<'_, P>,
    id: RequestId,
) -> Result<(Versioned<ProposalRecord>, Versioned<CustodiansRecord>), ErrorCode> {
    let proposal = call.engine.state().proposal(id).ok_or(ErrorCode::ProposalUnknown)?;
    let asked = call.engine.state().custodians().filter(|c| c.version == proposal.record.set);
    let asked = asked.ok_or(ErrorCode::ProposalUnknown)?;
    if proposal.record.expires <= call.engine.platform().now().0 {
        return Err(ErrorCode::ProposalExpired);
    }
    Ok((proposal, asked))
}

pub(crate) fn vote<P: Platform>(call: &mut Call<'_, P>, command: QuorumVote) -> Result<QuorumVoteReply, ErrorCode> {
    call.require_administrator()?;
    let (proposal, asked) = open(call, command.id)?;
    let custodian = asked.record.custodians.iter().find(|c| c.name == command.custodian);
    let custodian = custodian.ok_or(ErrorCode::CustodianUnknown)?;
    let signed = text(call, command.id, &proposal.record).signed(command.voice);
    is_signed(call, custodian, &signed, &command.signature)?;
    let mut record = (*proposal.record).clone();
    if record.votes.iter().any(|v| v.custodian == custodian.name) {
        return Err(ErrorCode::CustodianVoted);
    }
    record.votes.push(VoteRecord { custodian: custodian.name.clone(), voice: command.voice });
    let threshold = asked.record.threshold;
    let (approvals, rejections) = (record.count(Voice::Approve), record.count(Voice::Reject));
    let all = u32::try_from(asked.record.custodians.len()).unwrap_or(u32::MAX);
    let rejected = all.saturating_sub(rejections) < threshold;
    let change = match rejected {
        true => removal(record::proposal_id(command.id), proposal.version),
        false => change(call, command.id, proposal.version, record)?,
    };
    // Whoever brings a voice is not whose it is: the log names both.
    call.detail = Some(told(&command));
    let effect = Effect { changes: vec![change], relies_on: vec![(CUSTODIANS, asked.version)], ..about(command.id) };
    call.commit(effect, QuorumVoteReply { approvals, threshold, rejected })
}

/// What the log says of a voice.
fn told(vote: &QuorumVote) -> String {
    let word = match vote.voice {
        Voice::Approve => "approves",
        Voice::Reject => "rejects",
    };
    format!("{} {word}", vote.custodian)
}

fn is_signed<P: Platform>(
    call: &Call<'_, P>,
    custodian: &Custodian,
    text: &[u8],
    signature: &[u8],
) -> Result<(), ErrorCode> {
    let crypto = call.engine.platform().crypto();
    let digest = crypto.digest(Hash::Sha384, &[text]);
    let key = crypto.load_public(PairKind::Ec(Curve::P384), &custodian.key);
    let verified = key.and_then(|key| crypto.verify(&key, Scheme::Ecdsa, digest.as_ref(), signature));
    verified.map_err(|_| ErrorCode::CustodianSignature)
}

/// The act runs as if it had been given now, with the proof that a quorum approves it.
pub(crate) fn execute<P: Platform>(
    call: &mut Call<'_, P>,
    command: QuorumExecute,
) -> Result<QuorumExecuteReply, ErrorCode> {
    call.require_administrator()?;
    let (proposal, asked) = open(call, command.id)?;
    if proposal.record.count(Voice::Approve) < asked.record.threshold {
        return Err(ErrorCode::QuorumNotReached);
    }
    let ProposalRecord { code, head, .. } = &*proposal.record;
    call::admit(call.engine, CommandCode::try_from(*code)?)?;
    let frame = Frame { head, ..Frame::status(FrameKind::Call, *code, 0) };
    let mut act = call.approved(&frame, Approval::new(command.id, &proposal));
    let mut answer = Vec::new();
    call::serve(&mut act, CommandCode::try_from(*code)?, head, &mut answer)?;
    Ok(QuorumExecuteReply { head: answer })
}

pub(crate) fn withdraw<P: Platform>(call: &mut Call<'_, P>, command: QuorumWithdraw) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    let proposal = call.engine.state().proposal(command.id).ok_or(ErrorCode::ProposalUnknown)?;
    let changes = vec![removal(record::proposal_id(command.id), proposal.version)];
    call.commit(Effect { changes, ..about(command.id) }, Done {})
}

fn change<P: Platform>(
    call: &Call<'_, P>,
    id: RequestId,
    expected: u64,
    record: ProposalRecord,
) -> Result<Change<Key<P>>, ErrorCode> {
    call.engine.device_change(record::proposal_id(id), expected, &record.clone(), Fact::Proposal(id, record))
}

/// The log names the proposal as it names objects.
fn about<K>(id: RequestId) -> Effect<K> {
    Effect { object: Some(ObjectId(id.0)), ..Effect::on_device() }
}
