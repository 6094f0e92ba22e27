//! Lies that have the right form: each answers the calls it is about.

use super::truth::{self, Answer, head, only};
use coloa_wire::attribute::class;
use coloa_wire::command::*;
use coloa_wire::{Attribute, AttributeType, Frame, FrameKind, ObjectId, Value};

/// An answer, where this lie has one.
pub type Lie = fn(&Frame<'_>) -> Option<Answer>;

pub const ALL: [Lie; 8] = [too_long, too_short, templates, bytes, numbers, ivs, without_end, stuck];

/// The call's command, if it is of this kind.
fn called<C: Command>(frame: &Frame<'_>) -> Option<C> {
    decode_head(frame.head).ok().filter(|_| frame.kind == FrameKind::Call && frame.code == C::CODE as u16)
}

/// A result with some bytes more.
pub fn too_long(frame: &Frame<'_>) -> Option<Answer> {
    let (head, mut bulk) = truth::answer(frame);
    bulk.extend([0xbb; 16]);
    (frame.kind == FrameKind::Call && bulk.len() > 16).then_some((head, bulk))
}

/// A result with a byte less.
pub fn too_short(frame: &Frame<'_>) -> Option<Answer> {
    let (head, mut bulk) = truth::answer(frame);
    bulk.pop().filter(|_| frame.kind == FrameKind::Call).map(|_| (head, bulk))
}

/// Templates, whatever attribute was asked for.
pub fn templates(frame: &Frame<'_>) -> Option<Answer> {
    let inner = |kind| Attribute { kind, value: Value::Bytes(vec![0xee; 40]) };
    of_attributes(frame, &Value::Template((0..3).map(AttributeType).map(inner).collect()))
}

/// Bytes, as long as an array of attributes would be.
pub fn bytes(frame: &Frame<'_>) -> Option<Answer> {
    of_attributes(frame, &Value::Bytes(vec![0xee; 24]))
}

pub fn numbers(frame: &Frame<'_>) -> Option<Answer> {
    of_attributes(frame, &Value::Uint(class::PRIVATE_KEY))
}

fn of_attributes(frame: &Frame<'_>, value: &Value) -> Option<Answer> {
    let kinds = called::<AttributesRead>(frame)?.kinds.into_iter();
    let values = kinds.map(|kind| Attribute { kind, value: value.clone() }).collect();
    Some(only(&AttributesReadReply { values, sensitive: vec![], invalid: vec![], size: 0 }))
}

/// IVs of encryptions that were given one.
pub fn ivs(frame: &Frame<'_>) -> Option<Answer> {
    let (_, bulk) = truth::answer(frame);
    let (encrypt, wrap) = (called::<Encrypt>(frame), called::<KeyWrap>(frame));
    let iv = Some(vec![0xee; 12]);
    encrypt
        .map(|_| head(&EncryptReply { iv: iv.clone() }))
        .or(wrap.map(|_| head(&KeyWrapReply { iv })))
        .map(|h| (h, bulk))
}

/// A page that is full, of objects that come after all others; for ever.
pub fn without_end(frame: &Frame<'_>) -> Option<Answer> {
    let find = called::<ObjectFind>(frame)?;
    let after = find.after.map_or(1 << 64, |id| u128::from_be_bytes(id.0));
    let ids = (1..=u128::from(find.max)).map(|n| ObjectId(after.wrapping_add(n).to_be_bytes()));
    Some(only(&ObjectFindReply { objects: ids.collect() }))
}

/// The same page, whatever is asked.
pub fn stuck(frame: &Frame<'_>) -> Option<Answer> {
    called::<ObjectFind>(frame)?;
    Some(only(&ObjectFindReply { objects: (0..MAX_FIND as usize).map(truth::object).collect() }))
}

/// As many tokens as fit a frame, others each time.
pub fn tokens_galore(frame: &Frame<'_>) -> Option<Answer> {
    called::<TokenList>(frame)?;
    let first = frame.request.wrapping_mul(1 << 16);
    let tokens = (0..10_000).map(|n| truth::token(first.wrapping_add(n))).collect();
    Some(only(&TokenListReply { tokens }))
}
