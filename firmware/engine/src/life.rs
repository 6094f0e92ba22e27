//! A key's life (R11, R12): its states by SP 800-57 part 1 rev. 5 §7, what each lets a key do, and which may follow which.
//!
//! The state is [`A::STATE`], which every key has and only the engine sets: at creation (active, or pre-active when the
//! template says so) and by `KeyStateSet`. On top of it comes time: the crypto-period ends an active key on every partition,
//! because that attribute is ours and has no other meaning; PKCS#11's dates do so on a strict one (see [`crate::period`]).
//!
//! A suspended key does nothing at all, not even what a deactivated one may still do. SP 800-57 leaves processing to
//! policy; whoever suspends a key wants to know what happened before anybody goes on with it, and resuming it takes one
//! command of the security officer. Its public half is refused here too; who has that key elsewhere can use it there.
//!
//! A state is the key's, not the object's: stored copies and both halves of a pair change together, a session's copy asks
//! its original each time, and a value that is in a state which forbids use does not come in again by another door.

use crate::object::Object;
use crate::period::{self, MS_A_DAY};
use crate::{Timestamp, attributes};
use alloc::vec::Vec;
use coloa_wire::command::KeyState as S;
use coloa_wire::{AttributeType as A, ErrorCode, Template, Value};

/// Whether a key may go from one state to another (SP 800-57 part 1 §7, figure 3).
pub(crate) fn may_follow(from: S, to: S) -> bool {
    match (from, to) {
        (S::PreActive, S::Active | S::Compromised | S::Destroyed) => true,
        (S::PreActive, S::PreActive | S::Suspended | S::Deactivated) => false,
        (S::Active, S::Suspended | S::Deactivated | S::Compromised | S::Destroyed) => true,
        (S::Active, S::PreActive | S::Active) => false,
        (S::Suspended, S::Active | S::Deactivated | S::Compromised | S::Destroyed) => true,
        (S::Suspended, S::PreActive | S::Suspended) => false,
        (S::Deactivated, S::Compromised | S::Destroyed) => true,
        (S::Deactivated, S::PreActive | S::Active | S::Suspended | S::Deactivated) => false,
        (S::Compromised, S::Destroyed) => true,
        (S::Compromised, S::PreActive | S::Active | S::Suspended | S::Deactivated | S::Compromised) => false,
        (S::Destroyed, _) => false,
    }
}

/// Whether a key in this state may be used so.
pub(crate) fn permits(state: S, permission: A) -> Result<(), ErrorCode> {
    match state {
        S::Active => Ok(()),
        S::PreActive => Err(ErrorCode::KeyPreActive),
        S::Suspended => Err(ErrorCode::KeySuspended),
        S::Deactivated if processes(permission) => Ok(()),
        S::Deactivated => Err(ErrorCode::KeyDeactivated),
        S::Compromised if processes(permission) => Ok(()),
        S::Compromised => Err(ErrorCode::KeyCompromised),
        S::Destroyed => Err(ErrorCode::ObjectUnknown),
    }
}

/// What a use does with data that was protected before.
pub(crate) fn processes(permission: A) -> bool {
    matches!(permission, A::DECRYPT | A::VERIFY | A::UNWRAP | A::DECAPSULATE)
}

/// The state that somebody has put a key into.
pub(crate) fn stated<K>(object: &Object<K>) -> S {
    object.number(A::STATE).and_then(S::from_number).unwrap_or(S::Active)
}

/// The state with the crypto-period counted.
pub(crate) fn state<K>(object: &Object<K>, now: Timestamp) -> S {
    match stated(object) {
        S::Active if period_end(object).is_some_and(|end| end <= now.0) => S::Deactivated,
        other => other,
    }
}

/// The state with the dates counted too, where they count.
pub(crate) fn shown<K>(object: &Object<K>, now: Timestamp, strict: bool) -> S {
    let by_date = |permission| !strict || period::permits(object, now, permission);
    match state(object, now) {
        S::Active if !by_date(A::DECRYPT) => S::PreActive,
        S::Active if !by_date(A::ENCRYPT) => S::Deactivated,
        other => other,
    }
}

/// When the crypto-period ends.
fn period_end<K>(object: &Object<K>) -> Option<u64> {
    let days = object.number(A::CRYPTO_PERIOD)?;
    let begun = object.bytes(A::ACTIVATED).or_else(|| object.bytes(A::CREATED)).and_then(period::moment)?;
    Some(begun.saturating_add(days.saturating_mul(MS_A_DAY)))
}

/// When a key stops protecting: by its crypto-period or at the end of its last day.
pub(crate) fn expires<K>(object: &Object<K>) -> Option<u64> {
    let last = object.bytes(A::END_DATE).and_then(period::day);
    let dated = last.map(|day| day.saturating_add(1).saturating_mul(MS_A_DAY));
    match (period_end(object), dated) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A key's attributes once they are such.
pub(crate) fn with<K>(object: &Object<K>, new: Vec<(A, Value)>) -> Template {
    let mut template = object.attributes();
    template.0.retain(|a| new.iter().all(|(kind, _)| a.kind != *kind));
    new.into_iter().fold(template, |all, (kind, value)| all.with(kind, value))
}

/// Notes when a key is made: one that is stored, or whose period is counted from then.
pub(crate) fn born(template: Template, now: Timestamp) -> Template {
    let stored = template.value(A::TOKEN) == Some(&Value::Bool(true)) || template.value(A::CRYPTO_PERIOD).is_some();
    let is_key = template.value(A::STATE).is_some() && template.value(A::CREATED).is_none();
    match now.if_set() {
        Some(now) if stored && is_key => template.with(A::CREATED, period::text(now)),
        _ => template,
    }
}

/// The attributes that a new version of a key has from the old one; its state, age and trust begin anew.
pub(crate) fn inherited<K>(object: &Object<K>) -> Template {
    let kept = |kind: &A| attributes::is_inherited(*kind);
    let mut template = object.attributes();
    template.0.retain(|a| kept(&a.kind));
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SP 800-57 part 1 §7: there is no way back but from suspension, and none out of destruction.
    #[test]
    fn transitions_are_those_of_the_standard() {
        let legal: Vec<(u64, u64)> = S::ALL
            .into_iter()
            .flat_map(|from| S::ALL.map(|to| (from, to)))
            .filter(|(from, to)| may_follow(*from, *to))
            .map(|(from, to)| (from.number(), to.number()))
            .collect();
        let expected = [
            (1, 2),
            (1, 5),
            (1, 6),
            (2, 3),
            (2, 4),
            (2, 5),
            (2, 6),
            (3, 2),
            (3, 4),
            (3, 5),
            (3, 6),
            (4, 5),
            (4, 6),
            (5, 6),
        ];
        assert_eq!(legal, expected);
    }
}
