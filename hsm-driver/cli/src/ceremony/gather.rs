//! A quorum within a ceremony (R2): the act is proposed, each custodian reads its exact text and signs it where the key is, the
//! appliance counts the voices and does the act once.
//!
//! The appliance keeps the proposal and the voices, so that after an interruption only those who have not spoken are asked.

use super::Trouble;
use super::plan::Person;
use super::stage::Stage;
use crate::custodian::arguments::SignedBy;
use crate::fault::Fault;
use crate::quorum;
use coloa_wire::Command;
use coloa_wire::command::{
    MAX_QUORUM_REASON, Proposal, QuorumExecute, QuorumList, QuorumPropose, QuorumText, QuorumVote, Voice, decode_head,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// How long a proposal lives: a ceremony of a day, with an interruption of another.
const SECONDS: u32 = 2 * 86_400;
/// How often a custodian may try to sign.
const TRIES: usize = 3;

/// Has a quorum approve an act, and does it. A proposal of this ceremony that waits already is gone on with.
pub fn by_quorum<C: Command>(stage: &mut Stage<'_>, step: usize, act: &C, why: &str) -> Result<C::Reply, Fault> {
    let text = proposed(stage, step, act, why)?;
    let names: Vec<String> = stage.plan.custodians().map(|p| p.name.clone()).collect();
    for name in names {
        let Proposal { approvals, rejections, .. } = found(stage, &text)?;
        if enough(stage, approvals.len()) {
            break;
        }
        if approvals.contains(&name) || rejections.contains(&name) {
            continue;
        }
        hear(stage, step, &name, &text)?;
    }
    let given = found(stage, &text)?.approvals.len();
    if !enough(stage, given) {
        return Err(Trouble::TooFew { given, wanted: stage.plan.quorum }.into());
    }
    let reply = stage.appliance()?.call(None, &QuorumExecute { id: text.id })?;
    Ok(decode_head(&reply.head)?)
}

fn enough(stage: &Stage<'_>, given: usize) -> bool {
    u32::try_from(given).unwrap_or(u32::MAX) >= stage.plan.quorum
}

/// The proposal's text, whose reason names the ceremony and the step.
fn proposed<C: Command>(stage: &mut Stage<'_>, step: usize, act: &C, why: &str) -> Result<QuorumText, Fault> {
    let (code, head) = (C::CODE as u16, quorum::encoded(act));
    let mut reason = format!("{}, step {step}: {why}", super::stage::subject(&stage.journal));
    reason.truncate(reason.floor_char_boundary(MAX_QUORUM_REASON));
    let mut socket = stage.appliance()?;
    let is_it = |p: &Proposal| !p.expired && (p.text.code, &p.text.head, &p.text.reason) == (code, &head, &reason);
    if let Some(waiting) = socket.call(None, &QuorumList {})?.proposals.into_iter().find(is_it) {
        return Ok(waiting.text);
    }
    let propose = QuorumPropose { code, head, reason, seconds: SECONDS };
    let id = socket.call(None, &propose)?.id;
    let all = socket.call(None, &QuorumList {})?.proposals;
    let text = all.into_iter().find(|p| p.text.id == id).map(|p| p.text);
    let text = text.ok_or_else(|| Fault::Unknown(format!("proposal \"{id}\"")))?;
    let operator = stage.plan.operator().to_owned();
    let said =
        json!({ "kind": "proposed", "id": id.to_string(), "subject": text.subject, "check": quorum::check(&text) });
    stage.note(step, &operator, said)?;
    Ok(text)
}

fn found(stage: &Stage<'_>, text: &QuorumText) -> Result<Proposal, Fault> {
    let all = stage.appliance()?.call(None, &QuorumList {})?.proposals;
    // So many rejected it that the appliance took it away.
    all.into_iter().find(|p| p.text.id == text.id).ok_or_else(|| Trouble::Rejected.into())
}

/// Hears one custodian, if the custodian is there.
fn hear(stage: &mut Stage<'_>, step: usize, name: &str, text: &QuorumText) -> Result<(), Fault> {
    let Some(vote) = voice(stage, name, text)? else {
        return stage.note(step, name, json!({ "kind": "absent" }));
    };
    let reply = stage.appliance()?.call(None, &vote)?;
    let kind = match vote.voice {
        Voice::Approve => "approved",
        Voice::Reject => "rejected",
    };
    let check = quorum::check(text);
    stage.note(
        step,
        name,
        json!({ "kind": kind, "id": text.id.to_string(), "check": check, "approvals": reply.approvals }),
    )?;
    if reply.rejected { Err(Trouble::Rejected.into()) } else { Ok(()) }
}

/// The custodian's voice; `None` when the custodian is not there.
fn voice(stage: &Stage<'_>, name: &str, text: &QuorumText) -> Result<Option<QuorumVote>, Fault> {
    let Some(person) = stage.plan.custodians().find(|p| p.name == name) else { return Ok(None) };
    let mut tries = 0;
    loop {
        let answer = match person.signed_by(&stage.dir) {
            Some(by) => here(stage, by, text),
            None => elsewhere(stage, person, text),
        };
        tries += 1;
        match answer {
            Err(fault) if is_theirs(&fault) && tries < TRIES => stage.screen.fault(&fault),
            other => return other,
        }
    }
}

/// Whether a custodian may try again.
pub fn is_theirs(fault: &Fault) -> bool {
    let answer = matches!(fault, Fault::Ceremony(Trouble::Answer { .. }));
    answer || matches!(fault, Fault::File { .. } | Fault::Token(_) | Fault::Pin(_))
}

fn here(stage: &Stage<'_>, mut by: SignedBy, text: &QuorumText) -> Result<Option<QuorumVote>, Fault> {
    let screen = stage.screen;
    quorum::show_to_sign(screen, text)?;
    let how = screen.text(
        "type \"approve\" to sign exactly this, \"reject\", or \"absent\".",
        "gõ \"approve\" để ký đúng nội dung này, \"reject\" để bác, hoặc \"absent\" nếu vắng.",
    );
    let word = stage.choose(&format!("{}: {how}", by.custodian), &["approve", "reject", "absent"])?;
    if word == "absent" {
        return Ok(None);
    }
    by.reject = word == "reject";
    let vote = quorum::voice(screen, text, &by)?;
    checked(stage, vote, text).map(Some)
}

/// By a removable medium: the text goes there, the voice comes back.
fn elsewhere(stage: &Stage<'_>, person: &Person, text: &QuorumText) -> Result<Option<QuorumVote>, Fault> {
    let id: String = text.id.to_string().chars().take(8).collect();
    let Some(folder) = person.medium.as_ref().map(|path| stage.path(path)) else { return Ok(None) };
    let (out, back) = (folder.join(format!("proposal-{id}.cbor")), folder.join(format!("voice-{id}.cbor")));
    put(&out, &quorum::encoded(text))?;
    let how = format!("coloa quorum sign {} --custodian {:?} --out {} ...", name_of(&out), person.name, name_of(&back));
    if !carried(stage, person, (&how, &quorum::check(text)))? {
        return Ok(None);
    }
    let vote: QuorumVote = quorum::read(&back)?;
    if vote.custodian != person.name || vote.id != text.id {
        let why = stage.screen.text("it is another's, or to another proposal", "của người khác hoặc cho đề xuất khác");
        return Err(Trouble::Answer { person: person.name.clone(), why: why.into() }.into());
    }
    checked(stage, vote, text).map(Some)
}

/// Waits until a medium is back; whether it came.
pub fn carried(stage: &Stage<'_>, person: &Person, (how, check): (&str, &str)) -> Result<bool, Fault> {
    let screen = stage.screen;
    screen.note(&format!(
        "{}: {}\n  {how}\n{}: {check}",
        person.name,
        screen.text(
            "carry the medium to the custodian's machine, and sign there:",
            "mang phương tiện đến máy của người này và ký tại đó:"
        ),
        screen.text("Check value that must be shown there too", "Giá trị kiểm tra phải hiện giống bên đó"),
    ));
    let ask = screen
        .text("Type \"back\" when it is back, or \"absent\".", "Gõ \"back\" khi đã mang về, hoặc \"absent\" nếu vắng.");
    Ok(stage.choose(ask, &["back", "absent"])? == "back")
}

/// A voice with another key than the custodian's is named before the appliance has it.
fn checked(stage: &Stage<'_>, vote: QuorumVote, text: &QuorumText) -> Result<QuorumVote, Fault> {
    let key = stage.key_of(&vote.custodian);
    if super::signature::is_fixed(&key, &text.signed(vote.voice), &vote.signature) {
        return Ok(vote);
    }
    let why =
        stage.screen.text("it is not signed with this custodian's key", "không phải chữ ký bằng khóa của người này");
    Err(Trouble::Answer { person: vote.custodian, why: why.into() }.into())
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Puts a file where it belongs, whole or not at all, and durable when this returns; what is there is an older copy of the same.
pub fn put(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    use std::io::Write;
    let fault = |e: std::io::Error| Fault::file(path, e);
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let beside = PathBuf::from(name);
    let mut file = std::fs::File::create(&beside).map_err(fault)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let moved = std::fs::rename(&beside, path).and_then(|()| std::fs::File::open(folder)?.sync_all());
    moved.map_err(fault)
}
