//! Secret keys whose value comes out of a computation: what the template says of them, and whether the value fits.

use super::object::{Place, draft, is_secret_type, publish, usable};
use crate::Platform;
use crate::attributes::{Origin, Wanted, merged};
use crate::call::Call;
use crate::mechanism::MAX_SECRET;
use crate::object::secret_kind;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::PartitionMode;
use coloa_wire::{Attribute, AttributeType as A, ErrorCode, ObjectId, Template, Value};
use minicbor::Encode;
use zeroize::Zeroizing;

/// The shortest secret that is computed: 112 bits (SP 800-131A), so that no key is found out byte by byte.
const MIN_SECRET: usize = 14;
/// The same on a strict partition (ARCHITECTURE decision 8).
const STRICT_SECRET: usize = 16;

/// Parses the template of a computed secret key; without a type it is a generic secret.
pub(super) fn wanted(template: Template, demanded: &[Attribute], origin: Origin) -> Result<Wanted, ErrorCode> {
    let template = merged(template, demanded)?;
    let kind = match template.value(A::KEY_TYPE) {
        Some(Value::Uint(kind)) if is_secret_type(*kind) => *kind,
        Some(_) => return Err(ErrorCode::TemplateInconsistent),
        None => key_type::GENERIC_SECRET,
    };
    Wanted::parse(template, &[(A::CLASS, class::SECRET_KEY), (A::KEY_TYPE, kind)], origin)
}

/// Bytes of a secret that is computed to measure; `natural` where the computation itself has a length.
pub(super) fn length(wanted: &Wanted, natural: Option<usize>, mode: PartitionMode) -> Result<usize, ErrorCode> {
    let given = wanted.number(A::VALUE_LEN).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let length = given.or(natural).ok_or(ErrorCode::TemplateIncomplete)?;
    let least = if mode == PartitionMode::Strict { STRICT_SECRET } else { MIN_SECRET };
    let most = usize::try_from(MAX_SECRET).unwrap_or_default();
    if (least..=most).contains(&length) { Ok(length) } else { Err(ErrorCode::KeySize) }
}

/// Takes a secret as the value of a new key: it has the length the template says and loads as a key of its type.
///
/// # Errors
/// `KeySize` for every reason.
pub(super) fn accept<P: Platform>(call: &Call<'_, P>, wanted: &mut Wanted, secret: &[u8]) -> Result<(), ErrorCode> {
    let kind = wanted.number(A::KEY_TYPE).ok_or(ErrorCode::KeySize)?;
    let length = secret.len() as u64;
    if wanted.number(A::VALUE_LEN).is_some_and(|given| given != length) || length > u64::from(MAX_SECRET) {
        return Err(ErrorCode::KeySize);
    }
    wanted.set(A::VALUE_LEN, length);
    usable(call, secret_kind(kind), secret)
}

/// Makes the object of an accepted key.
pub(super) fn keep<P: Platform, R: Encode<()>>(
    call: &Call<'_, P>,
    place: &Place<P>,
    wanted: Wanted,
    secret: Zeroizing<Vec<u8>>,
    reply: impl FnOnce(ObjectId) -> R,
) -> Result<R, ErrorCode> {
    let draft = draft(call, place, wanted.complete(place.partition.mode)?, secret)?;
    let reply = reply(draft.object.id);
    publish(call, place, vec![draft], reply)
}
