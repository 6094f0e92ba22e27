//! The steps of a plan, each in a file of its own: what must be true before, and what is done or was done already.
//!
//! A step that was begun and not recorded as done is not repeated: it asks the appliance what is there, and goes on from that.

mod archive;
mod backup_key;
mod custodians;
mod initialise;
mod observe;
mod partition;
mod restore;
pub mod vouch;

use super::journal::{Data, What, data};
use super::plan::Step;
use super::stage::Stage;
use super::status::{Reached, reached};
use super::words;
use crate::fault::Fault;
use coloa_wire::error::Language;
use serde_json::json;

/// Takes a step, or the rest of it.
pub fn take(stage: &mut Stage<'_>, step: usize) -> Result<(), Fault> {
    let state = reached(&stage.journal, step);
    if state == Reached::Done {
        return Ok(());
    }
    let Some(asked) = stage.plan.steps.get(step.saturating_sub(1)).cloned() else { return Ok(()) };
    announce(stage, (step, &asked), state);
    let operator = stage.plan.operator().to_owned();
    match attempt(stage, step, &asked, state) {
        Ok(result) => stage.record(What::Done, step, &operator, result)?,
        Err(fault) => {
            let why = fault.words(Language::English);
            stage.note(step, &operator, json!({ "kind": "failed", "why": why }))?;
            return Err(fault);
        }
    }
    stage.anchor_if_there()
}

fn attempt(stage: &mut Stage<'_>, step: usize, asked: &Step, state: Reached) -> Result<Data, Fault> {
    if state == Reached::Waits {
        let before = before(stage, asked)?;
        let operator = stage.plan.operator().to_owned();
        stage.record(What::Begins, step, &operator, before)?;
    }
    act(stage, step, asked)
}

fn announce(stage: &Stage<'_>, (step, asked): (usize, &Step), state: Reached) {
    let name = words::act(stage.screen, asked.name());
    let count = stage.plan.steps.len();
    let begun = match state {
        Reached::Begun => {
            stage.screen.text(" (was begun: the appliance is asked)", " (đã bắt đầu trước đó: hỏi lại thiết bị)")
        }
        _ => "",
    };
    stage.screen.note(&format!("\n{} {step}/{count}: {name}{begun}", stage.screen.text("Step", "Bước")));
}

/// What must be true before a step begins; what it must be told from when it is resumed.
fn before(stage: &Stage<'_>, asked: &Step) -> Result<Data, Fault> {
    let mut found = match asked {
        Step::Initialise { .. } => initialise::before(stage),
        Step::Custodians {} => custodians::before(stage),
        Step::BackupKey {} => backup_key::before(stage),
        Step::Partition { label, .. } => partition::before(stage, label),
        Step::DestroyPartition { partition, .. } => partition::before_destroying(stage, partition),
        Step::Backup { out } => archive::before(stage, out),
        Step::Restore { .. } => restore::before(stage),
        Step::CheckShares {} | Step::Certificates { .. } | Step::Checkpoint { .. } | Step::Observe { .. } => {
            Ok(Data::new())
        }
    }?;
    found.insert("act".into(), json!(asked.name()));
    Ok(found)
}

/// Does what is not done yet.
fn act(stage: &mut Stage<'_>, step: usize, asked: &Step) -> Result<Data, Fault> {
    let done = match asked {
        Step::Initialise { label } => initialise::act(stage, label),
        Step::Custodians {} => custodians::act(stage, step),
        Step::BackupKey {} => backup_key::act(stage, step),
        Step::Partition { .. } => partition::act(stage, step),
        Step::DestroyPartition { reason, .. } => partition::destroy(stage, step, reason),
        Step::Backup { out } => archive::act(stage, out),
        Step::CheckShares {} => archive::check_shares(stage, step),
        Step::Restore { archives, by } => restore::act(stage, step, (archives, by)),
        Step::Certificates { by } => vouch::certificates(stage, step, by),
        Step::Checkpoint { out } => vouch::checkpoint(stage, out),
        Step::Observe { by, says, answer } => observe::act(stage, step, (by, says, *answer)),
    };
    done.map(data)
}
