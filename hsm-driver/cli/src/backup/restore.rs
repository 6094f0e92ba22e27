//! `coloa backup restore`, `give-share`, and `verify` with the key.

use super::archive::Archive;
use super::arguments::Step;
use super::progress::Progress;
use super::{Trouble, key, paper};
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::secret;
use crate::socket::AdminSocket;
use coloa_wire::command::*;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Verifies by a device: one that has the key, or any with shares. Nothing is kept there.
pub fn verify(socket: &mut AdminSocket, screen: &Screen, files: &[PathBuf], shares: &[PathBuf]) -> Result<(), Fault> {
    let chain = Archive::read_chain(files)?;
    let asks = begin(socket, &chain, true)?;
    give_all(socket, screen, &asks, shares)?;
    let reply = take_in(socket, screen, &chain)?;
    report(screen, &chain, &reply, screen.text("authentic and whole", "xác thực và toàn vẹn"))
}

pub fn restore(
    socket: &mut AdminSocket,
    screen: &Screen,
    files: &[PathBuf],
    (shares, step): (&[PathBuf], Option<Step>),
) -> Result<(), Fault> {
    let chain = Archive::read_chain(files)?;
    if step != Some(Step::Finish) {
        let asks = begin(socket, &chain, false)?;
        if step == Some(Step::Begin) {
            return say_wanted(screen, &asks);
        }
        give_all(socket, screen, &asks, shares)?;
    }
    let reply = take_in(socket, screen, &chain)?;
    report(screen, &chain, &reply, screen.text("restored and read back", "đã phục hồi và đọc lại"))
}

/// One custodian at a terminal of the custodian's own.
pub fn give_one(socket: &mut AdminSocket, screen: &Screen, share: Option<&Path>) -> Result<(), Fault> {
    let reply = give(socket, read(screen, share)?)?;
    let document = json!({ "holder": reply.holder, "given": reply.given, "wanted": reply.wanted });
    let sentence = screen.text("Share accepted; still wanted:", "Đã nhận mảnh; còn thiếu:");
    screen.done(&document, &format!("{} {}: {}", reply.holder, sentence, reply.wanted));
    Ok(())
}

pub fn begin(socket: &mut AdminSocket, chain: &[Archive], verify_only: bool) -> Result<BackupRestoreBeginReply, Fault> {
    let header = chain.first().map(Archive::header).unwrap_or_default();
    socket.call_with(&BackupRestoreBegin { verify_only }, header)
}

fn say_wanted(screen: &Screen, asks: &BackupRestoreBeginReply) -> Result<(), Fault> {
    let document = json!({ "key": hex(&asks.key), "threshold": asks.threshold, "holders": asks.holders });
    screen.facts(
        &document,
        vec![
            (screen.text("Backup key", "Khóa sao lưu"), hex(&asks.key)),
            (screen.text("Shares wanted", "Số mảnh cần"), asks.threshold.to_string()),
            (screen.text("Of", "Trong số"), asks.holders.join(", ")),
            (screen.text("Next", "Tiếp theo"), "coloa backup give-share".to_owned()),
        ],
    );
    Ok(())
}

/// Gives shares from files, then from the terminal, until there are enough.
fn give_all(
    socket: &mut AdminSocket,
    screen: &Screen,
    asks: &BackupRestoreBeginReply,
    files: &[PathBuf],
) -> Result<(), Fault> {
    let mut wanted = asks.threshold;
    for file in files {
        if wanted == 0 {
            return Ok(());
        }
        wanted = give(socket, read(screen, Some(file))?)?.wanted;
    }
    while wanted > 0 {
        if screen.is_json() || !secret::can_ask() {
            return Err(Trouble::TooFew { wanted, holders: asks.holders.clone() }.into());
        }
        let missing = screen.text("Shares still wanted:", "Số mảnh còn thiếu:");
        println!("{missing} {wanted} ({})", asks.holders.join(", "));
        match give(socket, read(screen, None)?) {
            Ok(reply) => wanted = reply.wanted,
            // A wrong share is named; the next holder goes on.
            Err(fault @ Fault::Backup(_)) => screen.fault(&fault),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

pub fn give(socket: &mut AdminSocket, share: ShareBytes) -> Result<BackupShareGiveReply, Fault> {
    let reply = socket.call(None, &BackupShareGive { share })?;
    match reply.verdict {
        ShareVerdict::Accepted => Ok(reply),
        verdict => Err(Trouble::Refused { holder: reply.holder, verdict }.into()),
    }
}

pub fn read(screen: &Screen, file: Option<&Path>) -> Result<ShareBytes, Fault> {
    let Some(path) = file else { return typed(screen) };
    let mut text = Zeroizing::new(String::with_capacity(paper::MAX_TEXT));
    let most = u64::try_from(paper::MAX_TEXT).unwrap_or(u64::MAX);
    let read = File::open(path).and_then(|file| file.take(most).read_to_string(&mut text));
    read.map_err(|e| Fault::file(path, e))?;
    paper::parse(&text)
}

/// Line by line, each checked at once; an empty one ends the share.
fn typed(screen: &Screen) -> Result<ShareBytes, Fault> {
    if screen.is_json() || !secret::can_ask() {
        return Err(Trouble::NoTerminal.into());
    }
    println!(
        "{}",
        screen.text("Type the share, an empty line after the last:", "Gõ mảnh khóa, dòng trống sau dòng cuối:")
    );
    let mut share = Zeroizing::new(Vec::with_capacity(512));
    let mut number: u8 = 1;
    loop {
        let line = rpassword::prompt_password(format!("{number:>2}  ")).map(Zeroizing::new);
        let line = line.map_err(|e| Fault::Lost(e.to_string()))?;
        if line.trim().is_empty() {
            break;
        }
        match paper::parse_line(number, &line) {
            Ok(bytes) => {
                share.extend_from_slice(&bytes);
                number = number.saturating_add(1);
            }
            Err(fault) => screen.fault(&fault),
        }
    }
    key::clear();
    if share.is_empty() { Err(Trouble::NoShare.into()) } else { Ok(ShareBytes(share.to_vec())) }
}

/// Gives every chunk and ends it; nothing is visible before.
pub fn take_in(
    socket: &mut AdminSocket,
    screen: &Screen,
    chain: &[Archive],
) -> Result<BackupRestoreFinishReply, Fault> {
    let records = chain.iter().map(|a| a.outline.footer.puts.saturating_add(a.outline.footer.deletions)).sum();
    let progress = Progress::new(screen, screen.text("Reading", "Đang đọc"));
    for (nth, archive) in chain.iter().enumerate() {
        // The first header began it.
        for chunk in archive.chunks(0).skip(usize::from(nth == 0)) {
            let page = socket.call_with(&BackupRestorePage {}, chunk)?;
            progress.at(page.records, records);
        }
    }
    drop(progress);
    socket.call(None, &BackupRestoreFinish {})
}

fn report(screen: &Screen, chain: &[Archive], reply: &BackupRestoreFinishReply, verdict: &str) -> Result<(), Fault> {
    let last = chain.last().map(|archive| &archive.outline);
    let (wanted, digest) = last.map(|l| (hex(&l.footer.check), hex(&l.digest))).unwrap_or_default();
    let document = json!({
        "partitions": reply.partitions, "objects": reply.objects, "check": hex(&reply.check), "archive_check": wanted,
        "digest": digest,
    });
    screen.facts(
        &document,
        vec![
            (screen.text("Result", "Kết quả"), verdict.to_owned()),
            (screen.text("Partitions", "Phân vùng"), reply.partitions.join(", ")),
            (screen.text("Objects", "Đối tượng"), reply.objects.to_string()),
            (screen.text("Check value here", "Giá trị kiểm tại đây"), hex(&reply.check)),
            (screen.text("Check value of the archive", "Giá trị kiểm của tệp"), wanted.clone()),
            (screen.text("Digest", "Băm"), digest.clone()),
        ],
    );
    Ok(())
}
