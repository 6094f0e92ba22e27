//! Archives are restored into a new device with the shares of a quorum (R2, R3, R20), and with them come the custodians: they must
//! be the plan's. A wrong share is named before the device has it.
//!
//! The device makes everything visible in one commit, which also brings the backup key: whether that is there tells whether it was
//! done before an interruption.

use super::archive::show;
use crate::backup::archive::Archive;
use crate::backup::restore;
use crate::ceremony::Trouble;
use crate::ceremony::journal::Data;
use crate::ceremony::stage::Stage;
use crate::fault::Fault;
use crate::screen::hex;
use coloa_wire::ErrorCode;
use coloa_wire::command::{BackupKeyInfo, CustodiansRead, ShareBytes, TokenList};
use serde_json::{Value, json};
use std::path::PathBuf;

pub fn before(stage: &Stage<'_>) -> Result<Data, Fault> {
    let mut socket = stage.appliance()?;
    if socket.call(None, &CustodiansRead {})?.threshold > 0 {
        return Err(Trouble::OtherCustodians.into());
    }
    match socket.call(None, &TokenList {})?.tokens.first() {
        Some(token) => Err(Trouble::Exists(token.label.clone()).into()),
        None => Ok(Data::new()),
    }
}

pub fn act(stage: &mut Stage<'_>, step: usize, (files, by): (&[PathBuf], &str)) -> Result<Value, Fault> {
    let paths: Vec<PathBuf> = files.iter().map(|file| stage.path(file)).collect();
    let chain = Archive::read_chain(&paths)?;
    let (Some(first), Some(last)) = (chain.first(), chain.last()) else { return Ok(Value::Null) };
    let check = hex(&last.outline.footer.check);
    if !is_restored(stage, first)? {
        let shares = shown(stage, step, first)?;
        give(stage, &chain, shares, &check)?;
    }
    // R2: others' custodians, or another quorum, would be in charge of it from now on.
    let found = stage.appliance()?.call(None, &CustodiansRead {})?;
    if !stage.is_governed(&found) {
        return Err(Trouble::OtherCustodians.into());
    }
    let subject = stage
        .screen
        .text("the archive, in the minutes of the first device", "tệp sao lưu, trong biên bản thiết bị thứ nhất");
    let subject = subject.to_owned();
    stage.compare(Some(step), by, &subject, &check)?;
    let tokens = stage.appliance()?.call(None, &TokenList {})?.tokens;
    let partitions: Vec<String> = tokens.into_iter().map(|t| t.label).collect();
    Ok(json!({ "check": check, "digest": hex(&last.outline.digest), "partitions": partitions, "file": files }))
}

/// Whether the device has the key of the archive: it came with everything else.
fn is_restored(stage: &Stage<'_>, archive: &Archive) -> Result<bool, Fault> {
    match stage.appliance()?.call(None, &BackupKeyInfo {}) {
        Ok(info) if info.key == archive.outline.header.key => Ok(true),
        Ok(_) => Err(Trouble::OtherKey.into()),
        Err(Fault::Engine(ErrorCode::BackupKeyMissing)) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// The shares of so many holders as the archive wants.
fn shown(stage: &mut Stage<'_>, step: usize, archive: &Archive) -> Result<Vec<ShareBytes>, Fault> {
    let wanted = usize::from(archive.outline.header.threshold);
    let names: Vec<String> = stage.plan.custodians().map(|p| p.name.clone()).collect();
    let mut shares = Vec::new();
    for name in names {
        if shares.len() == wanted {
            break;
        }
        shares.extend(show(stage, step, archive, &name)?);
    }
    match shares.len() == wanted {
        true => Ok(shares),
        false => {
            Err(Trouble::TooFew { given: shares.len(), wanted: u32::from(archive.outline.header.threshold) }.into())
        }
    }
}

fn give(stage: &Stage<'_>, chain: &[Archive], shares: Vec<ShareBytes>, check: &str) -> Result<(), Fault> {
    let mut socket = stage.appliance()?;
    restore::begin(&mut socket, chain, false)?;
    for share in shares {
        restore::give(&mut socket, share)?;
    }
    let reply = restore::take_in(&mut socket, stage.screen, chain)?;
    if hex(&reply.check) == check { Ok(()) } else { Err(Fault::Engine(ErrorCode::ArchiveInvalid)) }
}
