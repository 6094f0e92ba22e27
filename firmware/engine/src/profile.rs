//! `CKO_PROFILE` objects (PKCS#11 §4.13): which of OASIS' profiles every token serves. They are built in: nobody makes,
//! changes, copies or destroys one. As hardware features are (§4.3.1), they are found only by who asks for their class, so
//! that no older application finds what it does not understand.

use crate::object::Object;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::attribute::class;
use coloa_wire::{AttributeType as A, ObjectId, Template, Value};
use zeroize::Zeroizing;

/// `CKP_BASELINE_PROVIDER`.
const BASELINE: u64 = 1;
const SERVED: [u64; 1] = [BASELINE];
/// What the ids begin with; a random id does so once in 2^120.
const PREFIX: [u8; 15] = *b"coloa profile \0";

/// Whether a search asks for profiles.
pub(crate) fn are_wanted(template: &Template) -> bool {
    template.value(A::CLASS) == Some(&Value::Uint(class::PROFILE))
}

/// The ids after `after`, rising, of at most `max` profiles that match.
pub(crate) fn find(template: &Template, after: Option<ObjectId>, max: usize) -> Vec<ObjectId> {
    let all = SERVED.iter().map(|profile| make::<()>(*profile));
    let found = all.filter(|object| object.matches(template)).map(|object| object.id);
    found.filter(|id| after.is_none_or(|after| *id > after)).take(max).collect()
}

/// The profile with this id.
pub(crate) fn look_up<K>(id: ObjectId) -> Option<Arc<Object<K>>> {
    let profile = SERVED.into_iter().find(|profile| id_of(*profile) == id)?;
    Some(Arc::new(make(profile)))
}

fn id_of(profile: u64) -> ObjectId {
    let mut id = [0; 16];
    let bytes = PREFIX.iter().copied().chain(profile.to_be_bytes().last().copied());
    id.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    ObjectId(id)
}

fn make<K>(profile: u64) -> Object<K> {
    let id = id_of(profile);
    let fixed = [A::PRIVATE, A::MODIFIABLE, A::COPYABLE, A::DESTROYABLE];
    let template = fixed.into_iter().fold(Template::default(), |template, kind| template.with(kind, false));
    let template = template
        .with(A::CLASS, class::PROFILE)
        .with(A::TOKEN, true)
        .with(A::LABEL, Vec::new())
        .with(A::UNIQUE_ID, id.to_string().into_bytes())
        .with(A::PROFILE_ID, profile);
    Object::new(id, 0, template, Zeroizing::default())
}
