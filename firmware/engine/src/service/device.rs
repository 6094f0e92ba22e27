//! Commands about the device.

use crate::call::{Call, Effect, removal};
use crate::keyring::Key;
use crate::ledger::Change;
use crate::record::{self, Client, DEVICE_RECORD, DeviceRecord, Kek, PartitionRecord, RecordKind};
use crate::state::{Fact, Partition};
use crate::{Crypto, RecordId, auditor};
use crate::{Engine, KeyKind, Platform, Store, mechanism};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::command::*;
use coloa_wire::{ErrorCode, PartitionId};

/// Longest label of a device or token, in bytes (`CK_TOKEN_INFO`).
pub(crate) const MAX_LABEL: usize = 32;
/// Longest name of a client or custodian, in bytes.
const MAX_NAME: usize = 64;
/// Clients bound to one partition at most: its record stays small.
const MAX_CLIENTS: usize = 256;

pub(crate) fn info<P: Platform>(call: &mut Call<'_, P>, _: DeviceInfo) -> Result<DeviceInfoReply, ErrorCode> {
    let engine = call.engine;
    let device = engine.state().device();
    let (audit_records, audit_head) = engine.audit_head();
    let seen = if call.peer.administrates() { engine.state().partitions().len() } else { 0 };
    Ok(DeviceInfoReply {
        lifecycle: engine.lifecycle(),
        body: engine.platform().body(),
        label: device.as_ref().map(|d| d.label.clone()).unwrap_or_default(),
        serial: device.map(|d| d.serial()).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        partitions: u32::try_from(seen).unwrap_or(u32::MAX),
        rollback_detected: engine.platform().counter().is_some(),
        audit_records,
        audit_head: audit_head.to_vec(),
        clock: engine.platform().now().if_set().map(|now| now.0),
    })
}

pub(crate) fn initialize<P: Platform>(call: &mut Call<'_, P>, command: DeviceInitialize) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    if call.engine.state().is_initialized() {
        return Err(ErrorCode::DeviceInitialized);
    }
    let device = DeviceRecord { label: label(command.label)?, serial: call.engine.random()? };
    let change = call.engine.device_change(DEVICE_RECORD, 0, &device, Fact::Device(device.clone()))?;
    call.commit(Effect { changes: vec![change], ..Effect::on_device() }, Done {})
}

/// A label that fits `CK_TOKEN_INFO`.
pub(crate) fn label(label: String) -> Result<String, ErrorCode> {
    let fits = label.len() <= MAX_LABEL && !label.chars().any(char::is_control);
    if fits { Ok(label) } else { Err(ErrorCode::AttributeValueInvalid) }
}

/// Whether a custodian may be called so.
pub(crate) fn name(name: &str) -> bool {
    name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

pub(crate) fn create_partition<P: Platform>(
    call: &mut Call<'_, P>,
    command: PartitionCreate,
) -> Result<PartitionCreateReply, ErrorCode> {
    call.require_administrator()?;
    let present = call.engine.state().partitions();
    if present.len() >= call.engine.platform().limits().partitions {
        return Err(ErrorCode::LimitReached);
    }
    let partition = PartitionId(call.engine.random()?);
    let order = present.last().map_or(1, |p| p.info().record.order.saturating_add(1));
    let kek = Kek(call.engine.random()?);
    let approved_only = command.approved_only.filter(|only| *only);
    let (label, mode, clients) = (label(command.label)?, command.mode, vec![]);
    let record = PartitionRecord { label, mode, order, clients, kek, approved_only, settings: None, suspended: None };
    let change = partition_change(call.engine, partition, 0, record)?;
    // Two made at the same moment would get the same place in the list.
    let relies_on = present.last().map(|p| (record::partition_id(p.id), p.info().version)).into_iter().collect();
    let effect = Effect { relies_on, ..Effect::on_partition(partition, vec![change]) };
    call.commit(effect, PartitionCreateReply { partition })
}

/// The change that puts a partition's record.
pub(crate) fn partition_change<P: Platform>(
    engine: &Engine<P>,
    id: PartitionId,
    expected: u64,
    record: PartitionRecord,
) -> Result<Change<Key<P>>, ErrorCode> {
    let crypto = engine.platform().crypto();
    let kek = crypto.load(KeyKind::Aes, &record.kek.0).map_err(|error| engine.crypto_failed(error))?;
    let fact = Fact::Partition(id, record.clone(), kek);
    engine.device_change(record::partition_id(id), expected, &record, fact)
}

pub(crate) fn destroy_partition<P: Platform>(
    call: &mut Call<'_, P>,
    command: PartitionDestroy,
) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    let partition = call.engine.state().partition(command.partition)?;
    let info = partition.info();
    let mut changes = object_removals(&partition);
    let auth = partition.auth();
    if auth.version > 0 {
        changes.push(removal(record::auth_id(partition.id), auth.version));
    }
    changes.push(removal(record::partition_id(partition.id), info.version));
    let effect = Effect { empties: Some(partition.id), ..Effect::on_partition(partition.id, changes) };
    call.commit(effect, Done {})?;
    call.engine.sessions().close_retired();
    Ok(Done {})
}

/// The changes that delete every stored object of a partition, and what was counted for them.
pub(crate) fn object_removals<P: Platform>(partition: &Partition<P>) -> Vec<Change<Key<P>>> {
    let objects = partition.objects.read();
    let objects = objects.versions().map(|(id, version)| (record::object_id(partition.id, id), version));
    objects.chain(partition.uses()).map(|(id, version)| removal(id, version)).collect()
}

pub(crate) fn bind_client<P: Platform>(call: &mut Call<'_, P>, command: ClientBind) -> Result<Done, ErrorCode> {
    if command.name.is_empty() || command.name.len() > MAX_NAME {
        return Err(ErrorCode::AttributeValueInvalid);
    }
    change_clients(call, command.partition, |clients| {
        clients.retain(|c| c.identity != command.identity);
        if clients.len() >= MAX_CLIENTS {
            return Err(ErrorCode::LimitReached);
        }
        clients.push(Client { identity: command.identity, name: command.name });
        Ok(())
    })
}

pub(crate) fn unbind_client<P: Platform>(call: &mut Call<'_, P>, command: ClientUnbind) -> Result<Done, ErrorCode> {
    change_clients(call, command.partition, |clients| {
        clients.retain(|c| c.identity != command.identity);
        Ok(())
    })
}

fn change_clients<P: Platform>(
    call: &Call<'_, P>,
    id: PartitionId,
    change: impl FnOnce(&mut Vec<Client>) -> Result<(), ErrorCode>,
) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    let partition = call.engine.state().partition(id)?;
    let info = partition.info();
    let mut record = (*info.record).clone();
    change(&mut record.clients)?;
    let change = partition_change(call.engine, partition.id, info.version, record)?;
    call.commit(Effect::on_partition(partition.id, vec![change]), Done {})
}

/// Records fill at most half a frame.
pub(crate) fn read_audit<P: Platform>(call: &mut Call<'_, P>, command: AuditRead) -> Result<AuditReadReply, ErrorCode> {
    auditor::require_reader(call)?;
    call.engine.flush();
    let (last, _) = call.engine.audit_head();
    let room = call.engine.platform().limits().max_frame / 2;
    let kept = call.engine.platform().limits().audit_records;
    let first = if kept > 0 { last.saturating_sub(kept) } else { 0 };
    let mut records = 0;
    for number in command.from.max(first.saturating_add(1))..=last {
        if records >= command.max || call.out.len() > room {
            break;
        }
        let id: RecordId = record::audit_id(number);
        debug_assert_eq!(id.kind, RecordKind::Audit as u8);
        let stored = call.engine.platform().store().read(&id).map_err(|_| ErrorCode::StoreFailed)?;
        if let Some(bytes) = stored.and_then(|r| r.value) {
            append_byte_string(&mut call.out, &bytes);
            records = records.saturating_add(1);
        }
    }
    Ok(AuditReadReply { records, last })
}

fn append_byte_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Writing to a `Vec` cannot fail.
    let _ = minicbor::Encoder::new(out).bytes(bytes);
}

pub(crate) fn list_mechanisms<P: Platform>(
    call: &mut Call<'_, P>,
    _: MechanismList,
) -> Result<MechanismListReply, ErrorCode> {
    Ok(MechanismListReply { mechanisms: mechanism::mechanisms(call.engine.platform().crypto()).collect() })
}
