//! `coloa quorum`: acts that one person must not do alone (R2): proposed, read, voted for, executed.
//!
//! A voice is a signature over the exact text, so a custodian may sign on a machine that has never seen the appliance: `show --out`
//! writes the text, `sign` shows and signs it there, `bring` takes the voice back.

use crate::arguments::{Act, Quorum};
use crate::client::write;
use crate::custodian::arguments::SignedBy;
use crate::custodian::{self, check_value, named};
use crate::fault::Fault;
use crate::key::pages::chosen;
use crate::partition;
use crate::screen::{Screen, moment};
use crate::socket::AdminSocket;
use coloa_wire::command::*;
use coloa_wire::{Command, CommandCode, RequestId};
use serde_json::{Value, json};
use std::path::Path;

pub fn run(open: impl Fn() -> Result<AdminSocket, Fault>, screen: &Screen, command: &Quorum) -> Result<(), Fault> {
    match command {
        Quorum::Propose { act, reason, hours } => propose(&mut open()?, screen, act, (reason, *hours)),
        Quorum::List => list(&mut open()?, screen),
        Quorum::Show { id, out } => show(&mut open()?, screen, id, out.as_deref()),
        Quorum::Vote { id, vote } => {
            let mut socket = open()?;
            let text = find(&mut socket, id)?.text;
            let voice = signed(screen, text, vote)?;
            bring(&mut socket, screen, &voice)
        }
        Quorum::Sign { file, vote, out } => {
            let voice = signed(screen, read(file)?, vote)?;
            write(out, &encoded(&voice), 0o644)?;
            let next = screen.text("Bring it back with `coloa quorum bring`.", "Mang về bằng `coloa quorum bring`.");
            screen.done(&json!({ "out": out }), &format!("{}: {next}", out.display()));
            Ok(())
        }
        Quorum::Bring { file } => bring(&mut open()?, screen, &read(file)?),
        Quorum::Execute { id } => execute(&mut open()?, screen, id),
        Quorum::Withdraw { id } => {
            let mut socket = open()?;
            let id = find(&mut socket, id)?.text.id;
            socket.call(None, &QuorumWithdraw { id })?;
            screen.done(&json!({ "withdrawn": id.to_string() }), screen.text("Withdrawn.", "Đã rút lại."));
            Ok(())
        }
    }
}

fn propose(socket: &mut AdminSocket, screen: &Screen, act: &Act, (reason, hours): (&str, u32)) -> Result<(), Fault> {
    let (code, head) = match act {
        Act::PartitionDestroy { partition } => {
            let partition = partition::find(socket, partition)?.partition;
            proposed(&PartitionDestroy { partition })
        }
        Act::Custodians(asked) => proposed(&named(asked)?),
        Act::BackupKey { threshold, holders } => {
            proposed(&BackupKeyCreate { threshold: *threshold, holders: holders.clone() })
        }
        Act::Trust(which) => {
            let (token, key) = chosen(socket, which)?;
            proposed(&KeyTrust { partition: token.partition, object: key.object })
        }
        Act::TamperReturn => proposed(&TamperReturn { serial: socket.call(None, &DeviceInfo {})?.serial }),
        Act::Zeroize => proposed(&DeviceZeroize { serial: socket.call(None, &DeviceInfo {})?.serial }),
    };
    let (reason, seconds) = (reason.to_owned(), hours.saturating_mul(3600));
    let id = socket.call(None, &QuorumPropose { code, head, reason, seconds })?.id;
    show(socket, screen, &id.to_string(), None)
}

fn proposed<C: Command>(act: &C) -> (u16, Vec<u8>) {
    (C::CODE as u16, encoded(act))
}

pub fn encoded<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode_head(value, &mut out);
    out
}

pub fn read<T: for<'b> minicbor::Decode<'b, ()>>(file: &Path) -> Result<T, Fault> {
    let bytes = std::fs::read(file).map_err(|e| Fault::file(file, e))?;
    decode_head(&bytes).map_err(|_| Fault::file(file, "it holds no proposal, or no voice"))
}

/// By the beginning of its id.
fn find(socket: &mut AdminSocket, id: &str) -> Result<Proposal, Fault> {
    let all = socket.call(None, &QuorumList {})?.proposals;
    let mut found = all.into_iter().filter(|p| !id.is_empty() && p.text.id.to_string().starts_with(&id.to_lowercase()));
    match (found.next(), found.next()) {
        (Some(proposal), None) => Ok(proposal),
        (None, _) => Err(Fault::Unknown(format!("proposal \"{id}\""))),
        (Some(_), Some(_)) => Err(Fault::Ambiguous(format!("\"{id}\""))),
    }
}

fn list(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    let QuorumListReply { proposals, threshold } = socket.call(None, &QuorumList {})?;
    let document: Vec<_> = proposals.iter().map(|p| document(p, threshold)).collect();
    let header = [
        screen.text("Proposal", "Đề xuất"),
        screen.text("Act", "Việc"),
        screen.text("About", "Đối tượng"),
        screen.text("Approve", "Chấp thuận"),
        screen.text("Reject", "Bác"),
        screen.text("Until", "Hạn"),
    ];
    let until = |p: &Proposal| match p.expired {
        true => screen.text("expired", "hết hạn").to_owned(),
        false => moment(p.text.expires),
    };
    let row = |p: &Proposal| {
        let approve = format!("{}/{threshold} {}", p.approvals.len(), p.approvals.join(", "));
        let id: String = p.text.id.to_string().chars().take(8).collect();
        vec![id, words(screen, &p.text), p.text.subject.clone(), approve, p.rejections.join(", "), until(p)]
    };
    screen.rows(&json!(document), &header, proposals.iter().map(row).collect());
    Ok(())
}

fn document(proposal: &Proposal, threshold: u32) -> Value {
    let Proposal { text, approvals, rejections, expired } = proposal;
    json!({
        "id": text.id.to_string(), "act": act_name(text), "subject": text.subject, "reason": text.reason,
        "proposer": text.proposer, "proposed": text.proposed, "expires": text.expires, "serial": text.serial,
        "check_value": check(text), "approvals": approvals, "rejections": rejections, "expired": expired,
        "threshold": threshold,
    })
}

fn show(socket: &mut AdminSocket, screen: &Screen, id: &str, out: Option<&Path>) -> Result<(), Fault> {
    let proposal = find(socket, id)?;
    if let Some(out) = out {
        write(out, &encoded(&proposal.text), 0o644)?;
    }
    let threshold = socket.call(None, &QuorumList {})?.threshold;
    let mut facts = facts(screen, &proposal.text);
    facts.push((
        screen.text("Approve", "Chấp thuận"),
        format!("{}/{threshold} {}", proposal.approvals.len(), proposal.approvals.join(", ")),
    ));
    facts.push((screen.text("Reject", "Bác"), proposal.rejections.join(", ")));
    screen.facts(&document(&proposal, threshold), facts);
    Ok(())
}

/// The exact text, read from its bytes: what is not shown is not signed, but for the set's number, which only counts.
fn facts<'a>(screen: &'a Screen, text: &QuorumText) -> Vec<(&'a str, String)> {
    let mut facts = vec![
        (screen.text("Proposal", "Đề xuất"), text.id.to_string()),
        (screen.text("Device", "Thiết bị"), text.serial.clone()),
        (screen.text("Act", "Việc"), words(screen, text)),
        (screen.text("About", "Đối tượng"), text.subject.clone()),
    ];
    facts.extend(particulars(text).into_iter().map(|line| (screen.text("Exactly", "Cụ thể"), line)));
    facts.extend([
        (screen.text("Reason", "Lý do"), text.reason.clone()),
        (screen.text("Proposed by", "Người đề xuất"), text.proposer.clone()),
        (screen.text("Proposed", "Lúc"), moment(text.proposed)),
        (screen.text("Until", "Hạn"), moment(text.expires)),
        (screen.text("Check value", "Giá trị kiểm tra"), check(text)),
    ]);
    facts
}

/// What two screens must both show before anybody signs.
pub fn check(text: &QuorumText) -> String {
    check_value(&text.signed(Voice::Approve))
}

fn act_name(text: &QuorumText) -> &'static str {
    CommandCode::try_from(text.code).map_or("unknown", CommandCode::name)
}

/// Whether this version can show the act.
fn is_known(text: &QuorumText) -> bool {
    use CommandCode::{BackupKeyCreate, CustodiansSet, DeviceZeroize, KeyTrust, PartitionDestroy, TamperReturn};
    let code = CommandCode::try_from(text.code);
    matches!(code, Ok(KeyTrust | PartitionDestroy | CustodiansSet | DeviceZeroize | BackupKeyCreate | TamperReturn))
}

fn words(screen: &Screen, text: &QuorumText) -> String {
    let said = match CommandCode::try_from(text.code) {
        Ok(CommandCode::PartitionDestroy) => {
            screen.text("destroy a partition with every key in it", "tiêu hủy phân vùng cùng mọi khóa bên trong")
        }
        Ok(CommandCode::CustodiansSet) => screen.text("name other custodians", "thay người giữ khóa"),
        Ok(CommandCode::BackupKeyCreate) => screen.text(
            "draw a master backup key; its shares open every later backup",
            "tạo khóa sao lưu chủ; các mảnh mở được mọi bản sao lưu sau đó",
        ),
        Ok(CommandCode::KeyTrust) => screen.text(
            "trust a wrapping key: keys may leave under it",
            "tin một khóa bọc: khóa khác được phép mang ra dưới khóa này",
        ),
        Ok(CommandCode::TamperReturn) => screen.text(
            "use a device again that was tampered with; it is empty",
            "dùng lại thiết bị đã bị xâm phạm; thiết bị trống",
        ),
        Ok(CommandCode::DeviceZeroize) => screen.text("destroy everything on the device", "xóa sạch thiết bị"),
        _ => screen.text(
            "an act that this version does not know: do not sign it",
            "việc mà phiên bản này không biết: đừng ký",
        ),
    };
    said.to_owned()
}

/// What the head says beyond the subject's name.
fn particulars(text: &QuorumText) -> Vec<String> {
    match CommandCode::try_from(text.code) {
        Ok(CommandCode::PartitionDestroy) => {
            decode_head::<PartitionDestroy>(&text.head).map(|act| vec![act.partition.to_string()]).unwrap_or_default()
        }
        Ok(CommandCode::KeyTrust) => {
            decode_head::<KeyTrust>(&text.head).map(|act| vec![act.object.to_string()]).unwrap_or_default()
        }
        Ok(CommandCode::CustodiansSet) => decode_head::<CustodiansSet>(&text.head).map_or_else(
            |_| Vec::new(),
            |act| act.custodians.iter().map(|c| format!("{}: {}", c.name, check_value(&c.key))).collect(),
        ),
        Ok(CommandCode::BackupKeyCreate) => {
            let act: Option<BackupKeyCreate> = decode_head(&text.head).ok();
            act.map(|act| (1..).zip(act.holders).map(|(n, name)| format!("{n}: {name:?}")).collect())
                .unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Shows a text to who is asked to sign it; what cannot be shown is not signed.
pub fn show_to_sign(screen: &Screen, text: &QuorumText) -> Result<(), Fault> {
    if !is_known(text) {
        return Err(Fault::Unknown(format!(
            "act {} in this version: it cannot be shown, so it is not signed",
            text.code
        )));
    }
    screen.facts_aside(facts(screen, text));
    Ok(())
}

/// Shows the text, asks, and signs.
fn signed(screen: &Screen, text: QuorumText, vote: &SignedBy) -> Result<QuorumVote, Fault> {
    show_to_sign(screen, &text)?;
    let word = if vote.reject { "reject" } else { "approve" };
    let typed = match &vote.confirm {
        Some(typed) => typed.clone(),
        None => screen.typed(&format!(
            "{} \"{word}\" {}",
            screen.text("Type", "Gõ"),
            screen.text(
                "to sign exactly this, once the check value is the one on the other screen.",
                "để ký đúng nội dung này, khi giá trị kiểm tra trùng với màn hình kia."
            )
        ))?,
    };
    if typed != word {
        return Err(Fault::NotSigned);
    }
    voice(screen, &text, vote)
}

/// The voice of who has read the text and typed the word.
pub fn voice(screen: &Screen, text: &QuorumText, vote: &SignedBy) -> Result<QuorumVote, Fault> {
    let voice = if vote.reject { Voice::Reject } else { Voice::Approve };
    let signature = custodian::sign(screen, &vote.by, &text.signed(voice))?;
    Ok(QuorumVote { id: text.id, custodian: vote.custodian.clone(), voice, signature })
}

fn bring(socket: &mut AdminSocket, screen: &Screen, voice: &QuorumVote) -> Result<(), Fault> {
    let reply = socket.call(None, voice)?;
    let document = json!({
        "id": voice.id.to_string(), "custodian": voice.custodian, "approvals": reply.approvals,
        "threshold": reply.threshold, "rejected": reply.rejected,
    });
    let sentence = match (reply.rejected, reply.approvals >= reply.threshold) {
        (true, _) => screen.text("Rejected: the proposal is gone.", "Bị bác: đề xuất không còn.").to_owned(),
        (false, true) => screen
            .text("A quorum approves: `coloa quorum execute`.", "Đã đủ chấp thuận: `coloa quorum execute`.")
            .to_owned(),
        (false, false) => {
            format!("{}/{} {}", reply.approvals, reply.threshold, screen.text("approve.", "chấp thuận."))
        }
    };
    screen.done(&document, &sentence);
    Ok(())
}

fn execute(socket: &mut AdminSocket, screen: &Screen, id: &str) -> Result<(), Fault> {
    let text = find(socket, id)?.text;
    socket.call(None, &QuorumExecute { id: text.id })?;
    let sentence = format!("{}: {} ({})", screen.text("Done", "Đã thực hiện"), words(screen, &text), text.subject);
    screen.done(&json!({ "executed": RequestId::to_string(&text.id), "act": act_name(&text) }), &sentence);
    Ok(())
}
