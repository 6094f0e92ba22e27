//! Commands about objects.

use super::check_value;
use crate::attributes::{self, Origin, Wanted};
use crate::call::{Call, Effect, removal};
use crate::keypair::{self, Described};
use crate::keyring::Key;
use crate::ledger::Change;
use crate::mechanism::{MAX_SECRET, hash_of_key_type};
use crate::object::{Object, Search, secret_kind};
use crate::quota::{self, Growth};
use crate::session::Session;
use crate::state::{Fact, Partition};
use crate::{Crypto, CryptoError, KeyKind, Platform, RecordId, life, policy, profile, quorum, record};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::{MAX_ATTRIBUTES, class, key_type};
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, ObjectId, Template, Value};
use zeroize::Zeroizing;

/// The session and partition that a new object is made in.
pub(crate) struct Place<P: Platform> {
    pub session: Arc<Session<P>>,
    pub partition: Arc<Partition<P>>,
}

/// A new object, not there yet.
pub(crate) struct Draft<P: Platform> {
    pub object: Arc<Object<Key<P>>>,
    pub(super) change: Option<Change<Key<P>>>,
    /// What it was copied from and its partition, as they were then: what was suspended meanwhile is not made again.
    relies_on: Vec<(RecordId, u64)>,
}

/// Makes a draft of completed attributes and a secret; a token object is sealed already.
pub(crate) fn draft<P: Platform>(
    call: &Call<'_, P>,
    place: &Place<P>,
    template: Template,
    secret: Zeroizing<Vec<u8>>,
) -> Result<Draft<P>, ErrorCode> {
    let template = check_value::settle(call.engine.platform().crypto(), template, &secret)?;
    let template = life::born(template, call.engine.platform().now());
    let seen = relied(&place.partition);
    super::life::admit(&place.partition, &template, &secret)?;
    let made =
        draft_from(call, place, template, None, |id, version, template| Object::new(id, version, template, secret))?;
    Ok(Draft { relies_on: vec![seen], ..made })
}

fn draft_from<P: Platform>(
    call: &Call<'_, P>,
    place: &Place<P>,
    template: Template,
    original: Option<&Object<Key<P>>>,
    make: impl FnOnce(ObjectId, u64, Template) -> Object<Key<P>>,
) -> Result<Draft<P>, ErrorCode> {
    let stored = template.value(A::TOKEN) == Some(&Value::Bool(true));
    let id = ObjectId(call.engine.random()?);
    let mut template = template;
    template.0.retain(|a| a.kind != A::UNIQUE_ID);
    let template = template.with(A::UNIQUE_ID, id.to_string().into_bytes());
    let object = Arc::new(make(id, u64::from(stored), template));
    policy::may_make(&place.session, &object)?;
    policy::may_trust(&place.session, original, &object)?;
    quorum::admit_trust(call.engine, original, &object)?;
    fits(call, place, &object, None)?;
    let change = if stored { Some(object_change(call, &place.partition, 0, &object)?) } else { None };
    let original = original.filter(|original| original.is_stored());
    let relied = |original: &Object<Key<P>>| (record::object_id(place.partition.id, original.id), original.version);
    let relies_on = original.map(relied).into_iter().collect();
    Ok(Draft { object, change, relies_on })
}

/// Session objects are held to the caller's budget when they are put.
fn fits<P: Platform>(
    call: &Call<'_, P>,
    place: &Place<P>,
    object: &Object<Key<P>>,
    replaced: Option<&Object<Key<P>>>,
) -> Result<(), ErrorCode> {
    let limits = call.engine.platform().limits();
    let fits = if object.is_stored() {
        quota::admits(&place.partition, &Growth::of(object, replaced))?;
        let present = place.partition.objects.read();
        let less = replaced.map_or(0, Object::size);
        let bytes = present.bytes().saturating_sub(less).saturating_add(object.size());
        // Who is at the limit may still shrink what is there.
        let bounded = bytes <= limits.partition_bytes || object.size() <= less;
        bounded && (replaced.is_some() || present.len() < limits.objects)
    } else {
        place.session.object_count() < limits.objects
    };
    if fits { Ok(()) } else { Err(ErrorCode::ObjectLimit) }
}

/// Makes drafts real: stored ones durably and together, those of the session in memory.
pub(crate) fn publish<P: Platform, R: minicbor::Encode<()>>(
    call: &Call<'_, P>,
    place: &Place<P>,
    drafts: Vec<Draft<P>>,
    reply: R,
) -> Result<R, ErrorCode> {
    let object = drafts.first().map(|d| d.object.id);
    let originals: Vec<_> = drafts.iter().flat_map(|d| d.relies_on.clone()).collect();
    let (stored, passing): (Vec<_>, Vec<_>) = drafts.into_iter().partition(|d| d.change.is_some());
    let changes: Vec<_> = stored.into_iter().filter_map(|d| d.change).collect();
    let passing: Vec<_> = passing.into_iter().map(|d| d.object).collect();
    let ids: Vec<_> = passing.iter().map(|o| o.id).collect();
    place.session.put(passing, &call.engine.platform().limits())?;
    ids.iter().for_each(|id| call.note(&place.session, Some(*id)));
    let reply = if changes.is_empty() {
        reply
    } else {
        let relies_on = [originals, vec![relied(&place.partition)]].concat();
        let effect = Effect { object, relies_on, ..Effect::on_partition(place.partition.id, changes) };
        // Of a pair with one half in the session both are made, or none.
        call.commit(effect, reply).inspect_err(|_| ids.iter().for_each(|id| place.session.remove(*id)))?
    };
    Ok(reply)
}

/// An object is only as good as its partition's KEK: it must not have been replaced meanwhile.
pub(super) fn relied<P: Platform>(partition: &Partition<P>) -> (RecordId, u64) {
    (record::partition_id(partition.id), partition.info().version)
}

pub(super) fn object_change<P: Platform>(
    call: &Call<'_, P>,
    partition: &Partition<P>,
    expected: u64,
    object: &Arc<Object<Key<P>>>,
) -> Result<Change<Key<P>>, ErrorCode> {
    let id = record::object_id(partition.id, object.id);
    let plain = record::encode(&object.to_record());
    let value = call.engine.seal(&partition.kek, &id, expected, &plain)?;
    Ok(Change { id, expected, value: Some(value), fact: Fact::Object(partition.id, object.clone()) })
}

pub(crate) fn place<P: Platform>(call: &Call<'_, P>) -> Result<Place<P>, ErrorCode> {
    let (session, partition) = call.session()?;
    Ok(Place { session, partition })
}

pub(crate) fn create<P: Platform>(call: &mut Call<'_, P>, command: ObjectCreate) -> Result<ObjectReply, ErrorCode> {
    let place = place(call)?;
    let mut wanted = Wanted::parse(command.template, &[], Origin::Import)?;
    let secret = match wanted.class() {
        class::PUBLIC_KEY => import_public(call, &mut wanted)?,
        class::PRIVATE_KEY => import_private(call, &mut wanted)?,
        class::SECRET_KEY => import_secret(call, &mut wanted)?,
        class::CERTIFICATE => wanted.check_certificate().map(|()| Zeroizing::default())?,
        class::TRUST => wanted.check_trust().map(|()| Zeroizing::default())?,
        _ => Zeroizing::default(),
    };
    let template = wanted.complete(place.partition.mode)?;
    let draft = draft(call, &place, template, secret)?;
    let reply = ObjectReply { object: draft.object.id };
    publish(call, &place, vec![draft], reply)
}

fn import_public<P: Platform>(call: &Call<'_, P>, wanted: &mut Wanted) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let kind = Described::by(wanted).kind()?;
    let public = keypair::given_public(wanted, kind)?;
    let loaded = call.engine.platform().crypto().load_public(kind, &public);
    loaded.map_err(import_failed)?;
    keypair::write_public(wanted, kind, &public)?;
    Ok(Zeroizing::default())
}

fn import_failed(error: CryptoError) -> ErrorCode {
    match error {
        CryptoError::Unsupported => ErrorCode::CurveUnsupported,
        _ => ErrorCode::AttributeValueInvalid,
    }
}

fn import_private<P: Platform>(call: &Call<'_, P>, wanted: &mut Wanted) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let kind = Described::by(wanted).kind()?;
    let (secret, expanded) = (keypair::take_private(wanted, kind)?, keypair::take(wanted, A::VALUE).ok());
    let crypto = call.engine.platform().crypto();
    crypto.load(KeyKind::Pair(kind), &secret).map_err(import_failed)?;
    let public = crypto.public(kind, &secret).map_err(import_failed)?;
    // A seed that came with its expanded key: both are of one pair.
    if let Some(expanded) = expanded {
        let same = crypto.public(kind, &expanded).map_err(import_failed)? == public;
        same.then_some(()).ok_or(ErrorCode::AttributeValueInvalid)?;
    }
    keypair::write_private(wanted, kind, &public)?;
    Ok(secret)
}

fn import_secret<P: Platform>(call: &Call<'_, P>, wanted: &mut Wanted) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let secret = keypair::take(wanted, A::VALUE)?;
    let kind = wanted.number(A::KEY_TYPE).ok_or(ErrorCode::TemplateIncomplete)?;
    let length = secret.len() as u64;
    if wanted.number(A::VALUE_LEN).is_some_and(|given| given != length) {
        return Err(ErrorCode::TemplateInconsistent);
    }
    wanted.set(A::VALUE_LEN, length);
    if !is_secret_type(kind) {
        return Err(ErrorCode::AttributeValueInvalid);
    }
    usable(call, secret_kind(kind), &secret)?;
    if length > u64::from(MAX_SECRET) { Err(ErrorCode::KeySize) } else { Ok(secret) }
}

/// Whether the engine has secret keys of this type.
pub(crate) fn is_secret_type(kind: u64) -> bool {
    let plain = matches!(kind, key_type::AES | key_type::AES_XTS | key_type::GENERIC_SECRET | key_type::HKDF);
    plain || hash_of_key_type(kind).is_some()
}

pub(crate) fn copy<P: Platform>(call: &mut Call<'_, P>, command: ObjectCopy) -> Result<ObjectReply, ErrorCode> {
    let place = place(call)?;
    let original = policy::look_up(&place.session, &place.partition, command.object)?;
    if !original.flag(A::COPYABLE) {
        return Err(ErrorCode::ActionProhibited);
    }
    if original.number(A::STATE).is_some() {
        policy::may_leave(&place.session, &original, call.engine.platform())?;
    }
    let template = changed(&original, &place.partition, command.template, true)?;
    let draft = draft_from(call, &place, template, Some(&original), |id, version, template| {
        Object::new(id, version, template, original.secret().clone()).sharing(&original)
    })?;
    let reply = ObjectReply { object: draft.object.id };
    publish(call, &place, vec![draft], reply)
}

/// An object's attributes after a change that the partition's rules allow.
fn changed<P: Platform>(
    object: &Object<Key<P>>,
    partition: &Partition<P>,
    changes: Template,
    copying: bool,
) -> Result<Template, ErrorCode> {
    let mode = partition.mode;
    let template = attributes::change(object.attributes(), changes, copying)?;
    attributes::obey(&template, object.class(), None, mode)?;
    // What the SO trusted stays what it was.
    let narrows = mode == PartitionMode::Strict || object.flag(A::TRUSTED);
    if narrows && object.number(A::KEY_TYPE).is_some() {
        attributes::only_narrows(&object.attributes(), &template)?;
    }
    Ok(template)
}

pub(crate) fn destroy<P: Platform>(call: &mut Call<'_, P>, command: ObjectDestroy) -> Result<Done, ErrorCode> {
    let Place { session, partition } = place(call)?;
    let object = policy::look_up(&session, &partition, command.object)?;
    if !object.flag(A::DESTROYABLE) {
        return Err(ErrorCode::ActionProhibited);
    }
    policy::may_make(&session, &object)?;
    if object.version == 0 {
        session.remove(object.id);
        call.note(&session, Some(object.id));
        return Ok(Done {});
    }
    let changes = vec![removal(record::object_id(partition.id, object.id), object.version)];
    call.commit(Effect { object: Some(object.id), ..Effect::on_partition(partition.id, changes) }, Done {})
}

pub(crate) fn read_attributes<P: Platform>(
    call: &mut Call<'_, P>,
    command: AttributesRead,
) -> Result<AttributesReadReply, ErrorCode> {
    let (session, partition) = call.session()?;
    if command.kinds.len() > MAX_ATTRIBUTES {
        return Err(ErrorCode::CommandMalformed);
    }
    let object = policy::look_up(&session, &partition, command.object)?;
    let asked_for_size = command.kinds.is_empty();
    let size = if asked_for_size { record::encoded_length(&object.to_record()) as u64 } else { 0 };
    let mut reply = AttributesReadReply { values: vec![], sensitive: vec![], invalid: vec![], size };
    for kind in command.kinds {
        match super::life::shown(call, &session, &object, kind)
            .unwrap_or_else(|| readable_value(call.engine.platform().crypto(), &object, kind))
        {
            Ok(value) => reply.values.push(coloa_wire::Attribute { kind, value }),
            Err(ErrorCode::AttributeSensitive) => reply.sensitive.push(kind),
            Err(_) => reply.invalid.push(kind),
        }
    }
    Ok(reply)
}

/// The one place where a key's value could leave (R9).
fn readable_value<C: Crypto>(crypto: &C, object: &Object<C::Key>, kind: A) -> Result<Value, ErrorCode> {
    if kind.is_secret() && object.has_secret_value() {
        if !object.is_readable() {
            return Err(ErrorCode::AttributeSensitive);
        }
        let expanded = || object.pair().and_then(|pair| crypto.expand(pair, object.secret()).ok());
        let part = object.secret_part(kind).or_else(|| expanded().filter(|_| kind == A::VALUE));
        let part = part.ok_or(ErrorCode::AttributeTypeInvalid)?;
        return Ok(Value::Bytes(part.to_vec()));
    }
    object.value(kind).cloned().ok_or(ErrorCode::AttributeTypeInvalid)
}

pub(crate) fn write_attributes<P: Platform>(
    call: &mut Call<'_, P>,
    command: AttributesWrite,
) -> Result<Done, ErrorCode> {
    let place = place(call)?;
    let Place { session, partition } = &place;
    let object = policy::look_up(session, partition, command.object)?;
    if !object.flag(A::MODIFIABLE) {
        return Err(ErrorCode::ActionProhibited);
    }
    policy::may_change(session, &object, &command.template)?;
    let template = changed(&object, partition, command.template, false)?;
    let stored = object.version > 0;
    let version = if stored { object.version.saturating_add(1) } else { 0 };
    let next = Arc::new(Object::new(object.id, version, template, object.secret().clone()).sharing(&object));
    policy::may_trust(session, Some(&object), &next)?;
    quorum::admit_trust(call.engine, Some(&object), &next)?;
    if !stored {
        session.put(vec![next], &call.engine.platform().limits())?;
        call.note(session, Some(object.id));
        return Ok(Done {});
    }
    fits(call, &place, &next, Some(&object))?;
    let changes = vec![object_change(call, partition, object.version, &next)?];
    let effect = Effect::on_partition(partition.id, changes);
    call.commit(Effect { object: Some(object.id), relies_on: vec![relied(partition)], ..effect }, Done {})
}

pub(crate) fn find<P: Platform>(call: &mut Call<'_, P>, command: ObjectFind) -> Result<ObjectFindReply, ErrorCode> {
    let (session, partition) = call.session()?;
    let max = usize::try_from(command.max.min(MAX_FIND)).unwrap_or_default();
    if profile::are_wanted(&command.template) {
        return Ok(ObjectFindReply { objects: profile::find(&command.template, command.after, max) });
    }
    let (template, after) = (&command.template, command.after);
    let search = Search { template, after, max, sees_private: policy::sees_private(session.role()) };
    let mut objects = loop {
        let known = partition.objects.read().find(&search);
        match known {
            Ok(found) => break found,
            Err(unread) => call.engine.read_objects(&partition, &unread)?,
        }
    };
    objects.extend(session.find(&command.template, command.after, max));
    objects.sort();
    objects.truncate(max);
    Ok(ObjectFindReply { objects })
}

/// Loads a fresh secret once, so that a key that could never be used is not stored.
pub(crate) fn usable<P: Platform>(call: &Call<'_, P>, kind: KeyKind, secret: &[u8]) -> Result<(), ErrorCode> {
    call.engine.platform().crypto().load(kind, secret).map(|_| ()).map_err(|_| ErrorCode::KeySize)
}
