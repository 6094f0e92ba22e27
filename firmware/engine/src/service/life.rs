//! Commands about a key's life: its states, what is said of it, its end. Everything is one commit with its audit records.
//!
//! Who may is decided by [`policy::may_govern`]. What a state means stands in [`crate::life`].

mod list;
mod rotate;

pub(super) use list::check_value;
pub(crate) use list::list;
pub(crate) use rotate::rotate;

use super::device::partition_change;
use super::object::{object_change, relied};
use crate::attributes::{MAX_PERIOD, MAX_TEXT};
use crate::audit::{self, AuditRecord};
use crate::call::{Call, Effect, removal};
use crate::keyring::Key;
use crate::ledger::Change;
use crate::object::Object;
use crate::policy::{self, Governing};
use crate::session::Session;
use crate::state::Partition;
use crate::{Crypto, Hash, Platform, Store, Timestamp, allowance, life, period, record};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::class;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, ObjectId, PartitionId, Template, Value};
use subtle::ConstantTimeEq;

/// Audit records looked through for the one that was just written.
const MAX_SEARCHED: u64 = 1024;

/// The partition that a command is about, and the role in which its caller has logged in there.
fn standing<P: Platform>(call: &Call<'_, P>, id: PartitionId, act: Governing) -> Result<Arc<Partition<P>>, ErrorCode> {
    // R1: the auditor sees what there is, everywhere, and no more than that.
    if matches!(act, Governing::Survey) && call.engine.state().auditors().has(call.peer) {
        return call.engine.state().partition(id);
    }
    let partition = policy::partition_for(call.engine, call.peer, id)?;
    let role = match call.session {
        Some(_) => call.session()?.0,
        None => return policy::may_govern(call.peer, None, act).map(|()| partition),
    };
    let role = if role.partition.id == id { role.role() } else { None };
    policy::may_govern(call.peer, role, act).map(|()| partition)
}

/// A stored key of a partition.
pub(super) fn stored_key<P: Platform>(
    call: &Call<'_, P>,
    partition: &Partition<P>,
    id: ObjectId,
) -> Result<Arc<Object<Key<P>>>, ErrorCode> {
    let unread = partition.objects.read().is_unread(id);
    if unread {
        call.engine.read_objects(partition, &[id])?;
    }
    let object = partition.get(id)?.ok_or(ErrorCode::ObjectUnknown)?;
    if is_key(&object) { Ok(object) } else { Err(ErrorCode::KeyTypeInconsistent) }
}

fn is_key<K>(object: &Object<K>) -> bool {
    (class::PUBLIC_KEY..=class::SECRET_KEY).contains(&object.class())
}

/// A key with its stored copies and the other half of its pair: whatever has the same value, or the same public key.
fn family<P: Platform>(
    call: &Call<'_, P>,
    partition: &Partition<P>,
    key: &Arc<Object<Key<P>>>,
) -> Result<Vec<Arc<Object<Key<P>>>>, ErrorCode> {
    let unread = partition.objects.read().unread();
    call.engine.read_objects(partition, &unread)?;
    let objects = partition.objects.read();
    let others = objects.after(None).filter(|other| other.id != key.id && is_kin(key, other));
    Ok(core::iter::once(key).chain(others).cloned().collect())
}

fn is_kin<K>(key: &Object<K>, other: &Object<K>) -> bool {
    let public =
        |object: &Object<K>| object.bytes(A::PUBLIC_KEY_INFO).filter(|info| !info.is_empty()).map(<[u8]>::to_vec);
    let paired = is_key(other) && public(key).is_some_and(|info| public(other) == Some(info));
    paired || has_value_of(key, other)
}

fn has_value_of<K>(key: &Object<K>, other: &Object<K>) -> bool {
    let same = || bool::from(key.secret().ct_eq(other.secret()));
    key.has_secret_value() && other.class() == key.class() && same()
}

/// The version of a key after this one, with such attributes.
pub(super) fn restated<P: Platform>(
    call: &Call<'_, P>,
    partition: &Partition<P>,
    key: &Object<Key<P>>,
    new: Vec<(A, Value)>,
) -> Result<Change<Key<P>>, ErrorCode> {
    let template = life::with(key, new);
    let next = Object::new(key.id, key.version.saturating_add(1), template, key.secret().clone()).sharing(key);
    object_change(call, partition, key.version, &Arc::new(next))
}

/// The attributes of a key that comes into another state.
fn entering(from: KeyState, to: KeyState, now: Timestamp, reason: &str) -> Vec<(A, Value)> {
    let mut new = vec![(A::STATE, to.number().into()), (A::STATE_REASON, reason.as_bytes().into())];
    if let Some(now) = now.if_set() {
        new.push((A::STATE_SINCE, period::text(now).into()));
        // The crypto-period begins with the activation, not when a suspension ends.
        if from == KeyState::PreActive && to == KeyState::Active {
            new.push((A::ACTIVATED, period::text(now).into()));
        }
    }
    new
}

fn reason(given: String) -> Result<String, ErrorCode> {
    let fits = given.len() <= MAX_REASON && !given.chars().any(char::is_control);
    if fits { Ok(given) } else { Err(ErrorCode::AttributeValueInvalid) }
}

/// Objects that change, and their changes.
type Moved<K> = (Vec<ObjectId>, Vec<Change<K>>);

/// The changes that bring a family into a state, without those that are there or cannot go there.
fn moves<P: Platform>(
    call: &Call<'_, P>,
    partition: &Partition<P>,
    family: &[Arc<Object<Key<P>>>],
    (to, reason): (KeyState, &str),
) -> Result<Moved<Key<P>>, ErrorCode> {
    let now = call.engine.platform().now();
    let (mut ids, mut changes) = (Vec::new(), Vec::new());
    for member in family.iter().filter(|member| life::may_follow(life::stated(member), to)) {
        let new = entering(life::stated(member), to, now, reason);
        ids.push(member.id);
        changes.push(restated(call, partition, member, new)?);
    }
    Ok((ids, changes))
}

pub(crate) fn set_state<P: Platform>(
    call: &mut Call<'_, P>,
    command: KeyStateSet,
) -> Result<KeyStateSetReply, ErrorCode> {
    let act = match command.state {
        KeyState::Active => Governing::Release,
        KeyState::PreActive | KeyState::Suspended | KeyState::Deactivated | KeyState::Compromised => {
            Governing::Restrict
        }
        KeyState::Destroyed => return Err(ErrorCode::KeyTransitionIllegal),
    };
    let partition = standing(call, command.partition, act)?;
    let reason = reason(command.reason)?;
    let key = stored_key(call, &partition, command.object)?;
    if !life::may_follow(life::stated(&key), command.state) {
        return Err(ErrorCode::KeyTransitionIllegal);
    }
    let family = family(call, &partition, &key)?;
    let (objects, mut changes) = moves(call, &partition, &family, (command.state, &reason))?;
    changes.push(announced(call, &partition)?);
    call.detail = Some(format!("{}: {reason}", command.state.name()));
    let effect = Effect { object: Some(key.id), ..Effect::on_partition(partition.id, changes) };
    call.commit(effect, KeyStateSetReply { objects })
}

pub(crate) fn describe<P: Platform>(call: &mut Call<'_, P>, command: KeyDescribe) -> Result<Done, ErrorCode> {
    let partition = standing(call, command.partition, Governing::Restrict)?;
    let key = stored_key(call, &partition, command.object)?;
    let mut changes = Vec::new();
    for member in family(call, &partition, &key)? {
        let new = described(&member, &command.metadata)?;
        changes.push(restated(call, &partition, &member, new)?);
    }
    call.detail = Some(String::from("described"));
    let effect = Effect::on_partition(partition.id, changes);
    call.commit(Effect { object: Some(key.id), relies_on: vec![relied(&partition)], ..effect }, Done {})
}

/// The attributes that metadata adds to a key: nothing is cleared, and nothing becomes looser.
fn described<K>(key: &Object<K>, metadata: &KeyMetadata) -> Result<Vec<(A, Value)>, ErrorCode> {
    let mut new = Vec::new();
    let texts = [
        (A::ORGAN, &metadata.organ),
        (A::SITE, &metadata.site),
        (A::PURPOSE, &metadata.purpose),
        (A::OWNER, &metadata.owner),
    ];
    for (kind, text) in texts {
        let Some(text) = text else { continue };
        if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
            return Err(ErrorCode::AttributeValueInvalid);
        }
        new.push((kind, text.as_bytes().into()));
    }
    if let Some(level) = metadata.classification.map(u64::from) {
        let tightens = level >= key.number(A::CLASSIFICATION).unwrap_or_default();
        bounded((A::CLASSIFICATION, level), 3, tightens, &mut new)?;
    }
    let fewer = |kind: A, value: u64| key.number(kind).is_none_or(|present| value <= present);
    if let Some(days) = metadata.crypto_period.map(u64::from) {
        bounded((A::CRYPTO_PERIOD, days), MAX_PERIOD, fewer(A::CRYPTO_PERIOD, days), &mut new)?;
    }
    if let Some(uses) = metadata.max_uses.filter(|_| key.has_secret_value()) {
        bounded((A::MAX_USES, uses), crate::MAX_GCM_INVOCATIONS, fewer(A::MAX_USES, uses), &mut new)?;
    }
    Ok(new)
}

fn bounded((kind, value): (A, u64), most: u64, tightens: bool, new: &mut Vec<(A, Value)>) -> Result<(), ErrorCode> {
    if value > most {
        return Err(ErrorCode::AttributeValueInvalid);
    }
    if !tightens {
        return Err(ErrorCode::MetadataLoosened);
    }
    new.push((kind, value.into()));
    Ok(())
}

pub(crate) fn destroy<P: Platform>(call: &mut Call<'_, P>, command: KeyDestroy) -> Result<KeyDestroyReply, ErrorCode> {
    let partition = standing(call, command.partition, Governing::Destroy)?;
    let reason = reason(command.reason)?;
    let key = stored_key(call, &partition, command.object)?;
    if !key.flag(A::DESTROYABLE) {
        return Err(ErrorCode::ActionProhibited);
    }
    let kin = family(call, &partition, &key)?;
    let remaining = kin.iter().filter(|other| other.id != key.id && has_value_of(&key, other)).map(|o| o.id).collect();
    let crypto = call.engine.platform().crypto();
    let mut label_hash = [0; 32];
    let digest = crypto.digest(Hash::Sha256, &[key.bytes(A::LABEL).unwrap_or_default()]);
    label_hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    let certified = KeyDestroyReply {
        object: key.id,
        class: key.class(),
        key_type: key.number(A::KEY_TYPE).unwrap_or(u64::MAX),
        check_value: list::check_value(crypto, &key),
        label_hash,
        time: call.engine.platform().now().0,
        remaining,
        audit: None,
    };
    call.detail = Some(format!("{}: {reason}", KeyState::Destroyed.name()));
    let changes = vec![removal(record::object_id(partition.id, key.id), key.version)];
    let done =
        call.commit(Effect { object: Some(key.id), ..Effect::on_partition(partition.id, changes) }, certified)?;
    Ok(KeyDestroyReply { audit: place_in_log(call, key.id), ..done })
}

/// Where the log says that this object was destroyed: among the last records, for others may have come meanwhile.
fn place_in_log<P: Platform>(call: &Call<'_, P>, object: ObjectId) -> Option<AuditPlace> {
    let (last, _) = call.engine.audit_head();
    let platform = call.engine.platform();
    (last.saturating_sub(MAX_SEARCHED)..=last).rev().find_map(|number| {
        let bytes = platform.store().read(&record::audit_id(number)).ok()??.value?;
        let record: AuditRecord = minicbor::decode(&bytes).ok()?;
        let event = &record.event;
        let it = event.action == CommandCode::KeyDestroy as u16 && event.object == Some(object) && event.result == 0;
        it.then(|| AuditPlace { number, digest: audit::digest(platform.crypto(), &bytes) })
    })
}

/// Whether a value may become a key here: not when it is the value of one that is suspended, deactivated or compromised,
/// which would be that key without its state (R11). What was drawn just now is nobody's.
pub(super) fn admit<P: Platform>(
    partition: &Partition<P>,
    template: &Template,
    secret: &[u8],
) -> Result<(), ErrorCode> {
    let drawn = template.value(A::LOCAL) != Some(&Value::Bool(false));
    if drawn || secret.is_empty() { Ok(()) } else { policy::value_permits(partition, secret, A::WRAP) }
}

/// What a change of state says to whoever is making a key at this moment: look again (see [`admit`]). Every new object relies
/// on its partition's record, so that gets a new version.
fn announced<P: Platform>(call: &Call<'_, P>, partition: &Partition<P>) -> Result<Change<Key<P>>, ErrorCode> {
    let info = partition.info();
    partition_change(call.engine, partition.id, info.version, (*info.record).clone())
}

/// Attributes that are not stored as they are shown: the state with its dates, the count of uses, and no value of a key
/// whose state does not let it go.
pub(super) fn shown<P: Platform>(
    call: &Call<'_, P>,
    session: &Session<P>,
    object: &Object<Key<P>>,
    kind: A,
) -> Option<Result<Value, ErrorCode>> {
    let strict = session.partition.mode == PartitionMode::Strict;
    match kind {
        A::STATE if is_key(object) => {
            Some(Ok(life::shown(object, call.engine.platform().now(), strict).number().into()))
        }
        A::USES if is_key(object) => {
            let spent = allowance::spent(call.engine, &session.partition, object);
            Some(spent.and_then(|spent| spent.map(Value::from).ok_or(ErrorCode::AttributeTypeInvalid)))
        }
        kind if kind.is_secret() && is_key(object) && object.has_secret_value() => {
            let held = policy::may_leave(session, object, call.engine.platform());
            held.is_err().then_some(Err(ErrorCode::AttributeSensitive))
        }
        _ => None,
    }
}
