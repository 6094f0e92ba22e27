//! Commands about backups: see [`crate::backup`].

use crate::Platform;
use crate::backup::exporting::Exporting;
use crate::backup::key::{self, BackupKeyRecord};
use crate::backup::restoring::Restoring;
use crate::backup::{share, staging};
use crate::call::{Call, Effect};
use crate::ledger::Change;
use crate::record::BACKUP_KEY;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::ErrorCode;
use coloa_wire::command::*;

/// An administrator's, as every command here; what is too old is gone before it.
fn enter<P: Platform>(call: &Call<'_, P>) -> Result<(), ErrorCode> {
    call.require_administrator()?;
    call.engine.backups().expire(|| call.engine.platform().now().0);
    Ok(())
}

/// Where there are custodians, a key is theirs to approve, the first and any other; else only the first can be made.
pub(crate) fn create_key<P: Platform>(
    call: &mut Call<'_, P>,
    command: BackupKeyCreate,
) -> Result<BackupKeyInfoReply, ErrorCode> {
    enter(call)?;
    let names = command.holders.iter().map(|name| name.as_str());
    if !share::is_sound(command.threshold, names) {
        return Err(ErrorCode::BackupParameter);
    }
    let present = call.engine.device_record(&BACKUP_KEY)?.map(|(version, _)| version);
    // Whoever takes the shares of another key alone could read the next backup.
    if present.is_some() && call.approval.is_none() {
        return Err(ErrorCode::BackupKeyPresent);
    }
    let record = BackupKeyRecord::draw(call.engine, command.threshold, &command.holders)?;
    let info = record.info(call.engine)?;
    let change = record.change(call.engine, present.unwrap_or_default())?;
    call.commit(of_device(vec![change]), info)
}

/// The share leaves only when its erasure is durable.
pub(crate) fn take_share<P: Platform>(call: &mut Call<'_, P>, command: BackupShareTake) -> Result<Done, ErrorCode> {
    enter(call)?;
    let (version, mut record) = key::stored(call.engine)?;
    let place = usize::from(command.index).checked_sub(1);
    let slot = place.and_then(|at| record.shares.get_mut(at)).ok_or(ErrorCode::BackupParameter)?;
    let share = slot.take().ok_or(ErrorCode::BackupShareTaken)?;
    let change = record.change(call.engine, version)?;
    let done = call.commit(of_device(vec![change]), Done {})?;
    call.out.extend_from_slice(&share.encode());
    Ok(done)
}

pub(crate) fn key_info<P: Platform>(call: &mut Call<'_, P>, _: BackupKeyInfo) -> Result<BackupKeyInfoReply, ErrorCode> {
    enter(call)?;
    key::stored(call.engine)?.1.info(call.engine)
}

pub(crate) fn begin_export<P: Platform>(call: &mut Call<'_, P>, command: BackupExportBegin) -> Result<Done, ErrorCode> {
    enter(call)?;
    let base = command.base.as_ref().map(|place| (call.bulk, place));
    let begun = Exporting::begin(call.engine, base)?;
    *call.engine.backups().exporting.write() = Some(begun);
    call.record()?;
    Ok(Done {})
}

pub(crate) fn take_base<P: Platform>(call: &mut Call<'_, P>, _: BackupExportBase) -> Result<Done, ErrorCode> {
    exporting(call, |call, export| export.base(call.engine, call.bulk).map(|()| Done {}))
}

pub(crate) fn export_page<P: Platform>(
    call: &mut Call<'_, P>,
    command: BackupExportPage,
) -> Result<BackupExportPageReply, ErrorCode> {
    let reply = exporting(call, |call, export| export.page(call.engine, command.chunk, &mut call.out))?;
    if reply.last {
        *call.engine.backups().exporting.write() = None;
    }
    Ok(reply)
}

/// A step of an export; one that fails is its end.
fn exporting<P: Platform, T>(
    call: &mut Call<'_, P>,
    step: impl FnOnce(&mut Call<'_, P>, &mut Exporting<P>) -> Result<T, ErrorCode>,
) -> Result<T, ErrorCode> {
    enter(call)?;
    let engine = call.engine;
    let mut place = engine.backups().exporting.write();
    let export = place.as_mut().ok_or(ErrorCode::ExportNotBegun)?;
    export.used = engine.platform().now().0;
    let outcome = step(call, export);
    if outcome.is_err() {
        *place = None;
    }
    outcome
}

pub(crate) fn begin_restore<P: Platform>(
    call: &mut Call<'_, P>,
    command: BackupRestoreBegin,
) -> Result<BackupRestoreBeginReply, ErrorCode> {
    enter(call)?;
    let begun = Restoring::begin(call.engine, call.bulk, command.verify_only)?;
    let asks = begun.asks();
    let mut place = call.engine.backups().restoring.write();
    *place = None;
    staging::clear(call.engine)?;
    *place = Some(begun);
    drop(place);
    call.record()?;
    Ok(asks)
}

/// A wrong share is named and changes nothing; the right ones stay.
pub(crate) fn give_share<P: Platform>(
    call: &mut Call<'_, P>,
    command: BackupShareGive,
) -> Result<BackupShareGiveReply, ErrorCode> {
    restoring(call, |call, restore| restore.give(call.engine, &command.share.0))
}

pub(crate) fn restore_page<P: Platform>(
    call: &mut Call<'_, P>,
    _: BackupRestorePage,
) -> Result<BackupRestorePageReply, ErrorCode> {
    restoring(call, |call, restore| {
        let records = restore.page(call.engine, call.bulk)?;
        Ok(BackupRestorePageReply { records })
    })
}

pub(crate) fn finish_restore<P: Platform>(
    call: &mut Call<'_, P>,
    _: BackupRestoreFinish,
) -> Result<BackupRestoreFinishReply, ErrorCode> {
    let reply = restoring(call, |call, restore| {
        let outcome = restore.finish(call.engine)?;
        let reply =
            BackupRestoreFinishReply { partitions: outcome.labels, objects: outcome.objects, check: outcome.check };
        if restore.verify_only {
            return Ok(reply);
        }
        let mut changes = staging::switch(call.engine)?;
        changes.extend(restore.custodians(call.engine)?);
        if let Some(key) = restore.key_record(call.engine)? {
            changes.push(key.change(call.engine, 0)?);
        }
        call.commit(of_device(changes), reply)
    })?;
    *call.engine.backups().restoring.write() = None;
    Ok(reply)
}

pub(crate) fn abort_restore<P: Platform>(call: &mut Call<'_, P>, _: BackupRestoreAbort) -> Result<Done, ErrorCode> {
    enter(call)?;
    let mut place = call.engine.backups().restoring.write();
    *place = None;
    staging::clear(call.engine)?;
    drop(place);
    call.record()?;
    Ok(Done {})
}

/// A step of a restore; one that fails is its end, and nothing of it stays.
fn restoring<P: Platform, T>(
    call: &mut Call<'_, P>,
    step: impl FnOnce(&Call<'_, P>, &mut Restoring<P>) -> Result<T, ErrorCode>,
) -> Result<T, ErrorCode> {
    enter(call)?;
    let mut place = call.engine.backups().restoring.write();
    let restore = place.as_mut().ok_or(ErrorCode::RestoreNotBegun)?;
    restore.used = call.engine.platform().now().0;
    let outcome = step(call, restore);
    if outcome.is_err() {
        *place = None;
        // Nobody sees what cannot be erased now; the next restore or start tries again.
        let _ = staging::clear(call.engine);
    }
    outcome
}

fn of_device<K>(changes: Vec<Change<K>>) -> Effect<K> {
    Effect { changes, ..Effect::on_device() }
}
