//! PINs (R4): Argon2id verifiers (RFC 9106), a lock-out whose counter is durable before a PIN is looked at, a delay that
//! grows with each wrong try and outlives a restart, and comparison in constant time.

use crate::ledger::Change;
use crate::record::{self, AuthRecord, PinRecord};
use crate::state::{Fact, Partition, Versioned};
use crate::{Engine, Limits, Platform, Timestamp, keyring::Key};
use alloc::sync::Arc;
use alloc::vec;
use argon2::{Algorithm, Argon2, Params, Version};
use coloa_wire::ErrorCode;
use coloa_wire::command::{Pin, PinState, Role};
use core::cell::Cell;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a PIN.
pub(crate) const PIN_LENGTH: core::ops::RangeInclusive<usize> = 4..=64;
/// How often a PIN check is tried anew when another process changes the counter at the same time.
const MAX_CONFLICTS: usize = 16;
/// Wrong tries without a delay: people mistype.
const FREE_TRIES: u32 = 3;
/// However many tries were wrong.
const LONGEST_DELAY_MS: u64 = 60 * 60 * 1000;

/// Makes the verifier of a new PIN.
pub(crate) fn new_record<P: Platform>(
    engine: &Engine<P>,
    partition: &Partition<P>,
    pin: &Pin,
) -> Result<PinRecord, ErrorCode> {
    admit(partition, pin)?;
    let (salt, limits) = (engine.random()?, engine.platform().limits());
    let (memory_kib, passes) = (limits.pin_memory_kib, limits.pin_passes);
    let mut fresh = PinRecord { salt, verifier: [0; 32], failures: 0, memory_kib, passes, counted_at: None };
    fresh.verifier = *stretch(&fresh, pin)?;
    Ok(fresh)
}

/// Whether a new PIN is as the partition asks.
pub(crate) fn admit<P: Platform>(partition: &Partition<P>, pin: &Pin) -> Result<(), ErrorCode> {
    let bound = |set: Option<u32>, otherwise: usize| set.and_then(|n| usize::try_from(n).ok()).unwrap_or(otherwise);
    let least = bound(partition.setting(|s| s.pin_min), *PIN_LENGTH.start());
    let most = bound(partition.setting(|s| s.pin_max), *PIN_LENGTH.end());
    if !PIN_LENGTH.contains(&pin.0.len()) || !(least..=most).contains(&pin.0.len()) {
        return Err(ErrorCode::PinLength);
    }
    let wanted = bound(partition.setting(|s| s.pin_classes), 0);
    if classes(&pin.0) < wanted { Err(ErrorCode::PinTooSimple) } else { Ok(()) }
}

/// How many kinds of characters there are in a PIN.
fn classes(pin: &[u8]) -> usize {
    let kinds: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, |byte| !byte.is_ascii_alphanumeric()];
    kinds.iter().filter(|is| pin.iter().any(is)).count()
}

/// The device's limits, with fewer tries where the partition has fewer.
pub(crate) fn limits<P: Platform>(engine: &Engine<P>, partition: &Partition<P>) -> Limits {
    let limits = engine.platform().limits();
    let tries = partition.setting(|s| s.pin_tries).unwrap_or(limits.pin_tries);
    Limits { pin_tries: tries.min(limits.pin_tries), ..limits }
}

fn stretch(record: &PinRecord, pin: &Pin) -> Result<Zeroizing<[u8; 32]>, ErrorCode> {
    let mut out = Zeroizing::new([0; 32]);
    let params = Params::new(record.memory_kib, record.passes, 1, Some(32)).map_err(|_| ErrorCode::StoreCorrupt)?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hasher.hash_password_into(&pin.0, &record.salt, out.as_mut_slice()).map_err(|_| ErrorCode::Internal)?;
    Ok(out)
}

/// What may be told about a PIN.
pub(crate) fn state(record: &PinRecord, limits: &Limits, now: Timestamp) -> PinState {
    let left = limits.pin_tries.saturating_sub(record.failures);
    let wait = now.if_set().map_or(0, |now| wait_ms(record, limits, now));
    PinState { failures: record.failures, left, wait_ms: (left > 0 && wait > 0).then_some(wait) }
}

/// How long no PIN is looked at, from now on. A clock that was set back does not make it longer than it was at first.
fn wait_ms(record: &PinRecord, limits: &Limits, now: Timestamp) -> u64 {
    let Some(counted_at) = record.counted_at.filter(|_| record.failures >= FREE_TRIES) else { return 0 };
    let doubled = 1_u64.checked_shl(record.failures.saturating_sub(FREE_TRIES)).unwrap_or(u64::MAX);
    let delay = limits.pin_delay_ms.saturating_mul(doubled).min(LONGEST_DELAY_MS);
    counted_at.saturating_add(delay).saturating_sub(now.0).min(delay)
}

/// `PinLocked` where no PIN would be looked at.
pub(crate) fn is_open<P: Platform>(engine: &Engine<P>, partition: &Partition<P>, role: Role) -> Result<(), ErrorCode> {
    let (auth, tries) = (partition.auth(), limits(engine, partition).pin_tries);
    if of(&auth.record, role)?.failures < tries { Ok(()) } else { Err(ErrorCode::PinLocked) }
}

pub(crate) fn of(auth: &AuthRecord, role: Role) -> Result<&PinRecord, ErrorCode> {
    match role {
        Role::SecurityOfficer => auth.so.as_ref().ok_or(ErrorCode::TokenNotInitialized),
        Role::User if auth.so.is_none() => Err(ErrorCode::TokenNotInitialized),
        Role::User => auth.user.as_ref().ok_or(ErrorCode::UserPinNotSet),
    }
}

/// Checks a PIN. The wrong try is counted and durable before the PIN is compared, so that cutting the power in between wins
/// nothing; a right PIN sets the counter back.
pub(crate) fn check<P: Platform>(
    engine: &Engine<P>,
    partition: &Arc<Partition<P>>,
    role: Role,
    pin: &Pin,
) -> Result<Versioned<AuthRecord>, ErrorCode> {
    let _turn = partition.pin_turn.write();
    check_in_turn(engine, partition, role, pin)
}

/// [`check`] for who holds [`Partition::pin_turn`]. Returns the PINs as they are after it: what relies on the right PIN has
/// to be committed against that version, or a PIN that was reset meanwhile would still count.
pub(crate) fn check_in_turn<P: Platform>(
    engine: &Engine<P>,
    partition: &Arc<Partition<P>>,
    role: Role,
    pin: &Pin,
) -> Result<Versioned<AuthRecord>, ErrorCode> {
    let counted = count_failure(engine, partition, role)?;
    let record = of(&counted.record, role)?;
    let given = stretch(record, pin)?;
    if !bool::from(given.ct_eq(&record.verifier)) {
        return Err(ErrorCode::PinIncorrect);
    }
    // Set anew meanwhile: the PIN that was looked at is the old one.
    let same = |r: &mut PinRecord| {
        (r.failures, r.counted_at) = (0, None);
        if r.salt == record.salt { Ok(()) } else { Err(ErrorCode::Conflict) }
    };
    change_pin_record(engine, partition, role, same)
}

fn count_failure<P: Platform>(
    engine: &Engine<P>,
    partition: &Arc<Partition<P>>,
    role: Role,
) -> Result<Versioned<AuthRecord>, ErrorCode> {
    let (limits, now) = (limits(engine, partition), engine.platform().now().if_set());
    let set_back = Cell::new(false);
    // Asked anew after a conflict: another process may have had the last try.
    let counted = change_pin_record(engine, partition, role, |r| {
        if r.failures >= limits.pin_tries {
            return Err(ErrorCode::PinLocked);
        }
        let delayed = now.is_some_and(|now| wait_ms(r, &limits, now) > 0);
        // The delay begins anew where the clock stepped back: it must neither be over at once nor last until then.
        set_back.set(delayed && now.is_some_and(|now| r.counted_at.is_some_and(|at| at > now.0)));
        match (delayed, set_back.get()) {
            (true, false) => return Err(ErrorCode::PinDelayed),
            (true, true) => {}
            (false, _) => r.failures = r.failures.saturating_add(1),
        }
        r.counted_at = now.map(|now| now.0);
        Ok(())
    })?;
    if set_back.get() { Err(ErrorCode::PinDelayed) } else { Ok(counted) }
}

fn change_pin_record<P: Platform>(
    engine: &Engine<P>,
    partition: &Arc<Partition<P>>,
    role: Role,
    change: impl Fn(&mut PinRecord) -> Result<(), ErrorCode>,
) -> Result<Versioned<AuthRecord>, ErrorCode> {
    for _ in 0..MAX_CONFLICTS {
        let auth = partition.auth();
        let mut record = of(&auth.record, role)?.clone();
        change(&mut record)?;
        let next = with(&auth.record, role, record);
        match engine.commit_quietly(vec![auth_change(engine, partition, auth.version, next.clone())?]) {
            Ok(()) => return Ok(Versioned::new(auth.version.saturating_add(1), next)),
            Err(ErrorCode::Conflict) => engine.catch_up()?,
            Err(error) => return Err(error),
        }
    }
    Err(ErrorCode::Conflict)
}

/// The same PINs, with one replaced.
pub(crate) fn with(auth: &AuthRecord, role: Role, record: PinRecord) -> AuthRecord {
    let mut next = auth.clone();
    match role {
        Role::SecurityOfficer => next.so = Some(record),
        Role::User => next.user = Some(record),
    }
    next
}

/// The change that stores PINs.
pub(crate) fn auth_change<P: Platform>(
    engine: &Engine<P>,
    partition: &Arc<Partition<P>>,
    expected: u64,
    auth: AuthRecord,
) -> Result<Change<Key<P>>, ErrorCode> {
    let fact = Fact::Auth(partition.id, auth.clone());
    engine.device_change(record::auth_id(partition.id), expected, &auth, fact)
}
