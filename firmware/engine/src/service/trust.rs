//! Trust in a wrapping key, given by a quorum (R2, R9).

use super::life::{check_value, restated, stored_key};
use super::object::relied;
use crate::call::{Call, Effect};
use crate::keyring::Key;
use crate::object::Object;
use crate::state::Partition;
use crate::{Platform, policy};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use coloa_wire::attribute::class;
use coloa_wire::command::{Done, KeyTrust};
use coloa_wire::{AttributeType as A, ErrorCode};
use core::fmt::Write;

type Found<P> = (Arc<Partition<P>>, Arc<Object<Key<P>>>);

/// A key that may come to be trusted, and where it is.
fn wrapping_key<P: Platform>(call: &Call<'_, P>, command: &KeyTrust) -> Result<Found<P>, ErrorCode> {
    let partition = call.engine.state().partition(command.partition)?;
    let key = stored_key(call, &partition, command.object)?;
    if !key.flag(A::MODIFIABLE) {
        return Err(ErrorCode::ActionProhibited);
    }
    let fit = key.class() != class::PRIVATE_KEY && policy::is_fit_for_trust(partition.mode, &key);
    if fit { Ok((partition, key)) } else { Err(ErrorCode::TemplateInconsistent) }
}

/// An administrator has no part in a partition's keys: only a quorum's approval opens this way.
pub(crate) fn trust<P: Platform>(call: &mut Call<'_, P>, command: KeyTrust) -> Result<Done, ErrorCode> {
    call.require_administrator()?;
    if call.approval.is_none() {
        return Err(ErrorCode::NoQuorumAct);
    }
    let (partition, key) = wrapping_key(call, &command)?;
    let changes = vec![restated(call, &partition, &key, vec![(A::TRUSTED, true.into())])?];
    call.detail = Some(String::from("trusted"));
    let effect = Effect::on_partition(partition.id, changes);
    call.commit(Effect { object: Some(key.id), relies_on: vec![relied(&partition)], ..effect }, Done {})
}

/// What custodians read: the token, the key's label and its check value.
pub(crate) fn subject<P: Platform>(call: &Call<'_, P>, command: &KeyTrust) -> Result<String, ErrorCode> {
    let (partition, key) = wrapping_key(call, command)?;
    let label = String::from_utf8_lossy(key.bytes(A::LABEL).unwrap_or_default());
    let label: String = label.chars().filter(|c| !c.is_control()).collect();
    let mut text = format!("{}: {label}, ", partition.info().record.label);
    check_value(call.engine.platform().crypto(), &key)
        .iter()
        .try_for_each(|byte| write!(text, "{byte:02x}"))
        .map_err(|_| ErrorCode::Internal)?;
    Ok(text)
}
