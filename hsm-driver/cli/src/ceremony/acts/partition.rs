//! Partitions are made with their PINs, or destroyed by a quorum.

use crate::arguments::{SoPin, UserPin};
use crate::ceremony::Trouble;
use crate::ceremony::gather::by_quorum;
use crate::ceremony::journal::{Data, data};
use crate::ceremony::plan::Step;
use crate::ceremony::stage::Stage;
use crate::fault::Fault;
use crate::partition;
use crate::partition::arguments::PartitionCreate as Asked;
use coloa_wire::PartitionId;
use coloa_wire::command::{PartitionCreate, PartitionDestroy, TokenInfo, TokenList};
use serde_json::{Value, json};

/// Partitions that are there before; a second one of the same name would be taken for it.
pub fn before(stage: &Stage<'_>, label: &str) -> Result<Data, Fault> {
    let tokens = stage.appliance()?.call(None, &TokenList {})?.tokens;
    if tokens.iter().any(|t| t.label == label) {
        return Err(Trouble::Exists(label.to_owned()).into());
    }
    let ids: Vec<String> = tokens.iter().map(|t| t.partition.to_string()).collect();
    Ok(data(json!({ "there": ids })))
}

pub fn act(stage: &Stage<'_>, step: usize) -> Result<Value, Fault> {
    let Some(asked) = asked(stage, step) else { return Ok(Value::Null) };
    let found = made(stage, step, &asked.label)?;
    let complete = |token: &TokenInfo| token.initialized && token.user_pin.is_some();
    let partition = match found {
        Some(token) if complete(&token) => token.partition,
        // PINs are asked for before anything is made.
        found => set_up(stage, &asked, found)?,
    };
    let mode = partition::mode(asked.mode.into());
    Ok(json!({ "label": asked.label, "partition": partition.to_string(), "mode": mode }))
}

fn asked(stage: &Stage<'_>, step: usize) -> Option<Asked> {
    let Step::Partition { label, mode, so_pin_file, user_pin_file } = stage.plan.steps.get(step.saturating_sub(1))?
    else {
        return None;
    };
    let so = SoPin { so_pin_file: so_pin_file.as_ref().map(|f| stage.path(f)), ..SoPin::default() };
    let user = UserPin { user_pin_file: user_pin_file.as_ref().map(|f| stage.path(f)), ..UserPin::default() };
    Some(Asked { label: label.clone(), mode: (*mode).into(), without_pins: false, approved_only: false, so, user })
}

/// The partition that this step made before an interruption.
fn made(stage: &Stage<'_>, step: usize, label: &str) -> Result<Option<TokenInfo>, Fault> {
    let begins = stage.journal.of_step(step).find_map(|r| r.data.get("there").cloned());
    let before: Vec<String> = begins.and_then(|ids| serde_json::from_value(ids).ok()).unwrap_or_default();
    let tokens = stage.appliance()?.call(None, &TokenList {})?.tokens;
    let is_new = |t: &TokenInfo| t.label == label && !before.contains(&t.partition.to_string());
    Ok(tokens.into_iter().find(is_new))
}

fn set_up(stage: &Stage<'_>, asked: &Asked, found: Option<TokenInfo>) -> Result<PartitionId, Fault> {
    let (so, user) = partition::pins(stage.screen, asked)?;
    let mut socket = stage.appliance()?;
    let create = PartitionCreate { label: asked.label.clone(), mode: asked.mode.into(), approved_only: None };
    let partition = match found {
        Some(token) => token.partition,
        None => socket.call(None, &create)?.partition,
    };
    partition::set_pins(&mut socket, (partition, &asked.label), so, user)?;
    Ok(partition)
}

/// Which partition is meant, by its id: a name may be another's later.
pub fn before_destroying(stage: &Stage<'_>, label: &str) -> Result<Data, Fault> {
    let token = partition::find(&mut stage.appliance()?, label)?;
    Ok(data(json!({ "partition": token.partition.to_string(), "label": token.label })))
}

pub fn destroy(stage: &mut Stage<'_>, step: usize, reason: &str) -> Result<Value, Fault> {
    let begins = stage.journal.of_step(step).find(|r| r.data.contains_key("partition"));
    let (id, label) = begins.map(|r| (r.text("partition").to_owned(), r.text("label").to_owned())).unwrap_or_default();
    let partition = crate::arguments::partition_id(&id).ok_or_else(|| Fault::Unknown(format!("partition \"{id}\"")))?;
    let tokens = stage.appliance()?.call(None, &TokenList {})?.tokens;
    // It is gone when a quorum had it destroyed before an interruption: nobody else could.
    if tokens.iter().any(|t| t.partition == partition) {
        by_quorum(stage, step, &PartitionDestroy { partition }, reason)?;
    }
    Ok(json!({ "label": label, "partition": id }))
}
