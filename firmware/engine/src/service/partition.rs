//! What an administrator sets for a partition, and what it has used (R4, R21).

use super::device::partition_change;
use crate::call::{Call, Effect};
use crate::record::PartitionRecord;
use crate::state::Partition;
use crate::{Platform, mechanism, pin, policy};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::command::*;
use coloa_wire::{ErrorCode, MechanismType, PartitionId};

pub(crate) fn set<P: Platform>(call: &mut Call<'_, P>, command: PartitionSet) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    if !are_valid(call, &command.settings) {
        return Err(ErrorCode::SettingsInvalid);
    }
    change(call, command.partition, |record| record.settings = Some(command.settings))
}

/// Whoever relied on the partition's record before is refused when it commits: nothing is made after the suspension.
pub(crate) fn suspend<P: Platform>(call: &mut Call<'_, P>, command: PartitionSuspend) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    let now = call.engine.platform().now().if_set().map_or(0, |now| now.0);
    call.detail = Some(String::from(if command.suspended { "suspended" } else { "resumed" }));
    change(call, command.partition, |record| {
        record.suspended = command.suspended.then(|| record.suspended.unwrap_or(now));
    })
}

fn change<P: Platform>(
    call: &Call<'_, P>,
    id: PartitionId,
    change: impl FnOnce(&mut PartitionRecord),
) -> Result<Done, ErrorCode> {
    let partition = call.engine.state().partition(id)?;
    let info = partition.info();
    let mut record = (*info.record).clone();
    change(&mut record);
    let change = partition_change(call.engine, partition.id, info.version, record)?;
    call.commit(Effect::on_partition(partition.id, vec![change]), Done {})
}

fn are_valid<P: Platform>(call: &Call<'_, P>, settings: &PartitionSettings) -> bool {
    let (platform, length) = (call.engine.platform(), pin::PIN_LENGTH);
    let bytes = |set: Option<u32>| set.is_none_or(|n| usize::try_from(n).is_ok_and(|n| length.contains(&n)));
    let ordered = settings.pin_min.zip(settings.pin_max).is_none_or(|(least, most)| least <= most);
    let classes = settings.pin_classes.is_none_or(|n| (1..=4).contains(&n));
    let tries = settings.pin_tries.is_none_or(|n| (1..=platform.limits().pin_tries).contains(&n));
    let sessions = settings.sessions != Some(0);
    let is_known = |kind: &MechanismType| mechanism::mechanisms(platform.crypto()).any(|known| known.kind == *kind);
    let mechanisms =
        settings.mechanisms.as_ref().is_none_or(|all| all.len() <= MAX_MECHANISMS && all.iter().all(is_known));
    bytes(settings.pin_min) && bytes(settings.pin_max) && ordered && classes && tries && sessions && mechanisms
}

/// An organ sees its own figures only (R21); an administrator and an auditor see all.
pub(crate) fn usage<P: Platform>(
    call: &mut Call<'_, P>,
    command: PartitionUsage,
) -> Result<PartitionUsageReply, ErrorCode> {
    let all = call.engine.state().auditors().has(call.peer);
    let is_asked = |p: &Arc<Partition<P>>| command.partition.is_none_or(|id| p.id == id);
    let sees = |p: &Arc<Partition<P>>| all || policy::may_see(p, call.peer);
    let partitions = call.engine.state().partitions();
    let seen: Vec<_> = partitions.iter().filter(|p| is_asked(p) && sees(p)).map(|p| figures(call, p)).collect();
    if seen.is_empty() && command.partition.is_some() {
        return Err(ErrorCode::PartitionUnknown);
    }
    Ok(PartitionUsageReply { partitions: seen })
}

fn figures<P: Platform>(call: &Call<'_, P>, partition: &Arc<Partition<P>>) -> PartitionFigures {
    let record = partition.info().record;
    let (objects, bytes) = {
        let objects = partition.objects.read();
        (objects.len() as u64, objects.bytes() as u64)
    };
    let open = call.engine.sessions().count_on(partition);
    PartitionFigures {
        partition: partition.id,
        label: record.label.clone(),
        suspended: record.suspended,
        settings: record.settings.clone().unwrap_or_default(),
        objects,
        bytes,
        sessions: u32::try_from(open).unwrap_or(u32::MAX),
        operations: partition.activity.uses(),
        last_use: partition.activity.last(),
    }
}
