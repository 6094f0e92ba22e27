//! A quorum has the master backup key drawn, and each custodian gets a share (R2, R3): into a file on a medium of their own, or
//! from the screen onto paper. Each compares the key's check value on the share with the one here.
//!
//! A share leaves the appliance once. One that left it and reached nobody, because of an interruption, makes the key void: a
//! quorum is asked for another one, openly. A key that this ceremony did not make is never taken for it.

use crate::backup::archive::NewFile;
use crate::backup::{Trouble as BackupTrouble, key, paper, restore};
use crate::ceremony::Trouble;
use crate::ceremony::gather::by_quorum;
use crate::ceremony::journal::Data;
use crate::ceremony::plan::Person;
use crate::ceremony::stage::Stage;
use crate::fault::Fault;
use crate::screen::hex;
use crate::secret;
use coloa_wire::ErrorCode;
use coloa_wire::command::{BackupKeyCreate, BackupKeyInfo, BackupKeyInfoReply, ShareHolder};
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How often a holder may look for a share.
const TRIES: usize = 3;

pub fn before(stage: &Stage<'_>) -> Result<Data, Fault> {
    if stage.plan.custodians().any(|p| p.share.is_none()) && !secret::can_ask() {
        return Err(BackupTrouble::NoTerminal.into());
    }
    if present(stage)?.is_some() { Err(Trouble::OtherKey.into()) } else { Ok(Data::new()) }
}

pub fn act(stage: &mut Stage<'_>, step: usize) -> Result<Value, Fault> {
    loop {
        let info = drawn(stage, step)?;
        if hand_out(stage, step, &info)? {
            let holders: Vec<&str> = info.holders.iter().map(|h| h.name.as_str()).collect();
            return Ok(json!({
                "key": hex(&info.key), "check": hex(&info.check), "threshold": info.threshold, "holders": holders,
            }));
        }
    }
}

fn present(stage: &Stage<'_>) -> Result<Option<BackupKeyInfoReply>, Fault> {
    match stage.appliance()?.call(None, &BackupKeyInfo {}) {
        Ok(info) => Ok(Some(info)),
        Err(Fault::Engine(ErrorCode::BackupKeyMissing)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The key that this step made: now, or before the interruption.
fn drawn(stage: &mut Stage<'_>, step: usize) -> Result<BackupKeyInfoReply, Fault> {
    let holders: Vec<String> = stage.plan.custodians().map(|p| p.name.clone()).collect();
    let threshold = u8::try_from(stage.plan.quorum).unwrap_or(u8::MAX);
    let found = present(stage)?.filter(|info| void(stage, step).all(|key| key != hex(&info.key)));
    let lost = void(stage, step).count();
    let info = match found {
        Some(info) => info,
        None => {
            let why = match lost {
                0 => stage.plan.title.clone(),
                n => format!("a share was lost, key {}: {}", n.saturating_add(1), stage.plan.title),
            };
            by_quorum(stage, step, &BackupKeyCreate { threshold, holders: holders.clone() }, &why)?
        }
    };
    // R2, R3: fewer shares, or others' shares, would be another quorum.
    if info.threshold != threshold || info.holders.iter().map(|h| &h.name).ne(&holders) {
        return Err(Trouble::OtherKey.into());
    }
    let key = hex(&info.key);
    if !stage.journal.of_step(step).any(|r| r.is_note("key") && r.text("key") == key) {
        let operator = stage.plan.operator().to_owned();
        stage.note(step, &operator, json!({ "kind": "key", "key": key, "check": hex(&info.check) }))?;
    }
    Ok(info)
}

/// Keys of which a share was lost.
fn void(stage: &Stage<'_>, step: usize) -> impl Iterator<Item = String> {
    stage.journal.of_step(step).filter(|r| r.is_note("lost")).map(|r| r.text("key").to_owned())
}

/// Hands out what nobody has; `false` when a share was lost.
fn hand_out(stage: &mut Stage<'_>, step: usize, info: &BackupKeyInfoReply) -> Result<bool, Fault> {
    let key = hex(&info.key);
    for (index, holder) in (1..).zip(&info.holders) {
        let has = |r: &crate::ceremony::journal::Record| {
            r.is_note("share") && r.person == holder.name && r.text("key") == key
        };
        if stage.journal.of_step(step).any(has) {
            continue;
        }
        let folder = folder_of(stage, &holder.name);
        let there = match holder.taken {
            true => is_there(stage, holder, folder.as_deref(), (index, &key))?,
            false => give(stage, step, info, (index, &holder.name), folder.as_deref()).map(|()| true)?,
        };
        if !there {
            stage.note(step, &holder.name, json!({ "kind": "lost", "key": key }))?;
            return Ok(false);
        }
        let way = if folder.is_some() { "file" } else { "screen" };
        let subject = stage.screen.text("the backup key, on your share", "khóa sao lưu, trên mảnh của bạn").to_owned();
        stage.compare(Some(step), &holder.name, &subject, &hex(&info.check))?;
        let said = json!({ "kind": "share", "key": key, "share": index, "way": way, "check": hex(&info.check) });
        stage.note(step, &holder.name, said)?;
    }
    Ok(true)
}

fn folder_of(stage: &Stage<'_>, name: &str) -> Option<PathBuf> {
    let person: Option<&Person> = stage.plan.custodians().find(|p| p.name == name);
    person.and_then(|p| p.share.as_ref()).map(|path| stage.path(path))
}

/// The place for a share is there before the share leaves the device.
fn give(
    stage: &Stage<'_>,
    step: usize,
    info: &BackupKeyInfoReply,
    (index, name): (usize, &str),
    folder: Option<&Path>,
) -> Result<(), Fault> {
    let screen = stage.screen;
    let void: Vec<String> = void(stage, step).collect();
    if !void.is_empty() {
        stage.say(
            "A share that was handed out before is void: destroy it.",
            "Mảnh đã giao trước đó không còn giá trị: hãy hủy.",
        );
    }
    let Some(folder) = folder else {
        // A share that goes into a file by redirection would be everybody's.
        if !(secret::can_ask() && std::io::stdout().is_terminal()) {
            return Err(BackupTrouble::NoTerminal.into());
        }
        return key::show_one(&mut stage.appliance()?, screen, info, index);
    };
    let path = key::path(folder, index);
    let ask = screen.text("puts the medium in, then types \"ready\".", "đưa phương tiện vào rồi gõ \"ready\".");
    stage.choose(&format!("{name} {ask} ({})", folder.display()), &["ready"])?;
    // What an interruption left there is empty: a whole one was taken up before.
    let _ = std::fs::remove_file(part(&path));
    if void.iter().any(|key| names(&path, key)) {
        std::fs::remove_file(&path).map_err(|e| Fault::file(&path, e))?;
    }
    let mut file = NewFile::create(&path)?;
    let share = key::take(&mut stage.appliance()?, screen, info, index)?;
    file.write(share.as_bytes())?;
    file.keep()?;
    screen.note(&path.display().to_string());
    Ok(())
}

/// Whether a share that left the appliance before an interruption has reached its holder.
fn is_there(
    stage: &Stage<'_>,
    holder: &ShareHolder,
    folder: Option<&Path>,
    (index, key): (usize, &str),
) -> Result<bool, Fault> {
    let screen = stage.screen;
    let Some(folder) = folder else { return was_written_down(stage, holder) };
    let path = key::path(folder, index);
    let whole = |path: &Path| names(path, key) && restore::read(screen, Some(path)).is_ok();
    let ask = screen.text(
        "your share left the appliance before the interruption. Put the medium in and type \"ready\"; or \"lost\".",
        "mảnh của bạn đã rời thiết bị trước khi gián đoạn. Đưa phương tiện vào và gõ \"ready\"; hoặc \"lost\" nếu mất.",
    );
    for _ in 0..TRIES {
        if stage.choose(&format!("{}: {ask} ({})", holder.name, folder.display()), &["ready", "lost"])? == "lost" {
            return Ok(false);
        }
        // Written, but not yet moved to its place.
        if !whole(&path) && whole(&part(&path)) {
            std::fs::rename(part(&path), &path).map_err(|e| Fault::file(&path, e))?;
        }
        if whole(&path) {
            return Ok(true);
        }
        stage.say("The share is not on it.", "Mảnh khóa không có ở đó.");
    }
    Err(Fault::file(&path, screen.text("the share is not there", "không có mảnh khóa ở đó")))
}

fn was_written_down(stage: &Stage<'_>, holder: &ShareHolder) -> Result<bool, Fault> {
    let screen = stage.screen;
    let ask = screen.text(
        "your share left the appliance before the interruption. Type \"have\" if you wrote it all down, \"lost\" if not.",
        "mảnh của bạn đã rời thiết bị trước khi gián đoạn. Gõ \"have\" nếu đã chép đủ, \"lost\" nếu chưa.",
    );
    Ok(stage.choose(&format!("{}: {ask}", holder.name), &["have", "lost"])? == "have")
}

/// Whether a file is a share of this key, as it says itself.
fn names(path: &Path, key: &str) -> bool {
    let mut text = Zeroizing::new(String::with_capacity(paper::MAX_TEXT));
    let most = u64::try_from(paper::MAX_TEXT).unwrap_or(u64::MAX);
    let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text));
    read.is_ok() && text.lines().any(|line| line.contains(key))
}

/// The name of a file before it is whole.
fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
