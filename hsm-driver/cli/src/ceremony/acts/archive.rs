//! The first archive, and the proof that the shares which custodians hold open it (R3, R20): each is judged alone against the
//! digests in the archive's header, a wrong one is named and not used, and none is joined with another.

use crate::backup::archive::Archive;
use crate::backup::{Trouble as BackupTrouble, create, key, restore};
use crate::ceremony::Trouble;
use crate::ceremony::journal::Data;
use crate::ceremony::plan::Person;
use crate::ceremony::stage::Stage;
use crate::fault::Fault;
use crate::screen::hex;
use coloa_crypto_native::Native;
use coloa_wire::command::{ShareBytes, ShareVerdict};
use serde_json::{Value, json};
use std::path::Path;

/// How often a holder may show a share.
const TRIES: usize = 3;

pub fn before(stage: &Stage<'_>, out: &Path) -> Result<Data, Fault> {
    let path = stage.path(out);
    match path.symlink_metadata() {
        Ok(_) => Err(Trouble::Exists(path.display().to_string()).into()),
        Err(_) => Ok(Data::new()),
    }
}

/// An archive that is there, whole and of this device was written before the interruption.
pub fn act(stage: &Stage<'_>, out: &Path) -> Result<Value, Fault> {
    let path = stage.path(out);
    let archive = match path.exists() {
        true => Archive::read(&path)?,
        false => {
            let mut part = path.clone().into_os_string();
            part.push(".part");
            let _ = std::fs::remove_file(part);
            create::make(&mut stage.appliance()?, stage.screen, &path, None)?
        }
    };
    let (header, footer) = (&archive.outline.header, &archive.outline.footer);
    let serial = hex(&header.serial);
    if stage.journal.known_text("serial") != Some(serial.as_str()) {
        return Err(Trouble::Exists(path.display().to_string()).into());
    }
    Ok(json!({
        "file": out, "digest": hex(&archive.outline.digest), "check": hex(&footer.check), "key": hex(&header.key),
        "records": footer.puts,
    }))
}

pub fn check_shares(stage: &mut Stage<'_>, step: usize) -> Result<Value, Fault> {
    let path = stage.plan.archive_before(step).map(|out| stage.path(out)).unwrap_or_default();
    let archive = Archive::read(&path)?;
    let names: Vec<String> = stage.plan.custodians().map(|p| p.name.clone()).collect();
    for name in names {
        if stage.journal.of_step(step).any(|r| r.is_note("share-right") && r.person == name) {
            continue;
        }
        show(stage, step, &archive, &name)?;
    }
    let right = stage.journal.of_step(step).filter(|r| r.is_note("share-right")).count();
    if u32::try_from(right).unwrap_or(u32::MAX) < stage.plan.quorum {
        return Err(Trouble::TooFew { given: right, wanted: stage.plan.quorum }.into());
    }
    Ok(json!({ "right": right, "digest": hex(&archive.outline.digest) }))
}

/// A holder shows the right share, in some tries; `None` when the holder is not there. What is shown is recorded.
pub fn show(stage: &mut Stage<'_>, step: usize, archive: &Archive, name: &str) -> Result<Option<ShareBytes>, Fault> {
    for _ in 0..TRIES {
        let Some(judged) = judged(stage, archive, name)? else {
            stage.note(step, name, json!({ "kind": "absent" }))?;
            return Ok(None);
        };
        match judged {
            Ok(share) => {
                stage.note(step, name, json!({ "kind": "share-right" }))?;
                return Ok(Some(share));
            }
            Err(fault) => {
                stage.screen.fault(&fault);
                let why = fault.words(coloa_wire::error::Language::English);
                stage.note(step, name, json!({ "kind": "share-wrong", "why": why }))?;
            }
        }
    }
    let why = stage.screen.text("the share is not the one that was handed out", "không phải mảnh đã giao").to_owned();
    Err(Trouble::Answer { person: name.to_owned(), why }.into())
}

/// The share that is shown, if it is right; `None` when its holder is not there.
fn judged(stage: &Stage<'_>, archive: &Archive, name: &str) -> Result<Option<Result<ShareBytes, Fault>>, Fault> {
    let screen = stage.screen;
    let ask = screen.text(
        "type \"ready\" to show your share, or \"absent\".",
        "gõ \"ready\" để đưa mảnh của bạn, hoặc \"absent\" nếu vắng.",
    );
    if stage.choose(&format!("{name}: {ask}"), &["ready", "absent"])? == "absent" {
        return Ok(None);
    }
    let place = archive.outline.header.holders.iter().position(|h| h.name == name).map_or(0, |at| at.saturating_add(1));
    let person: Option<&Person> = stage.plan.custodians().find(|p| p.name == name);
    let file = person.and_then(|p| p.share.as_ref()).map(|folder| key::path(&stage.path(folder), place));
    let share = match restore::read(screen, file.as_deref()) {
        Ok(share) => share,
        Err(fault) => return Ok(Some(Err(fault))),
    };
    let (verdict, holder) = archive.outline.judge(&Native::new(), &share.0, &[]);
    let refused = |verdict| Err(BackupTrouble::Refused { holder: holder.clone(), verdict }.into());
    Ok(Some(match verdict {
        ShareVerdict::Accepted if holder == name => Ok(share),
        // Another's share is right, and in the wrong hands.
        ShareVerdict::Accepted => refused(ShareVerdict::Repeated),
        verdict => refused(verdict),
    }))
}
