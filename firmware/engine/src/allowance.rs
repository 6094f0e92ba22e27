//! How often a key may still encrypt (R12): AES-GCM with random IVs is safe for 2^32 invocations of a key, not more.
//!
//! Uses are reserved in blocks that are durable before the first of a block is spent, so a crash only wastes some. Blocks
//! begin small, for processes that encrypt once, and double to 2^16. The count belongs to the key's value, not to an
//! object, so that copies share it; it stays when the object is destroyed, and goes with the token. A key that lives in
//! a session only is counted in memory.

use crate::call::Call;
use crate::keyring::Key;
use crate::ledger::Request;
use crate::object::Object;
use crate::record::{self, UsesRecord};
use crate::session::Session;
use crate::state::{Fact, Partition};
use crate::{Engine, Platform, life};
use alloc::vec;
use coloa_wire::{AttributeType as A, ErrorCode};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Invocations of one key with IVs that are not counted up (SP 800-38D §8.3).
pub const MAX_GCM_INVOCATIONS: u64 = 1 << 32;
const FIRST_BLOCK: usize = 16;
const LAST_BLOCK: usize = 1 << 16;
/// A block of a key with few uses is this part of them at most.
const SHARE: u64 = 16;

/// What an object may spend without asking. Copies and later versions of an object share it.
#[derive(Default)]
pub(crate) struct Allowance {
    left: AtomicUsize,
    /// The size of the block before; 0 for none.
    block: AtomicUsize,
    /// Blocks of [`LAST_BLOCK`] that a session's key took without a record.
    passing: AtomicUsize,
}

impl Allowance {
    fn spend(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Adds a block of which one use is spent already.
    fn grant(&self, block: usize) {
        self.left.fetch_add(block.saturating_sub(1), Ordering::Relaxed);
    }

    fn passing(&self) -> u64 {
        (self.passing.load(Ordering::Relaxed) as u64).saturating_mul(LAST_BLOCK as u64)
    }

    fn next_block(&self) -> usize {
        self.block.load(Ordering::Relaxed).saturating_mul(2).clamp(FIRST_BLOCK, LAST_BLOCK)
    }
}

/// Spends one use of a key that protects so often and no more ([`A::MAX_USES`], R12).
///
/// # Errors
/// As [`spend`].
pub(crate) fn spend_use<P: Platform>(
    call: &Call<'_, P>,
    session: &Session<P>,
    object: &Object<Key<P>>,
    permission: A,
) -> Result<(), ErrorCode> {
    let counted = object.number(A::MAX_USES).is_some() && !life::processes(permission);
    if counted { take(call, session, object) } else { Ok(()) }
}

/// How often a key may protect.
fn limit<P: Platform>(call: &Call<'_, P>, object: &Object<Key<P>>) -> u64 {
    let limit = call.engine.platform().limits().encryptions;
    object.number(A::MAX_USES).map_or(limit, |most| most.min(limit))
}

/// How often a key may have protected, where that is counted in the store.
pub(crate) fn spent<P: Platform>(
    engine: &Engine<P>,
    partition: &Partition<P>,
    object: &Object<Key<P>>,
) -> Result<Option<u64>, ErrorCode> {
    if !object.has_secret_value() {
        return Ok(None);
    }
    let (version, reserved) = partition.reserved(&count_of(engine, object)?);
    let left = object.allowance().left.load(Ordering::Relaxed) as u64;
    Ok((version > 0).then(|| reserved.saturating_sub(left)))
}

/// Which count is that of a key: the one of its value.
fn count_of<P: Platform>(engine: &Engine<P>, object: &Object<Key<P>>) -> Result<[u8; 16], ErrorCode> {
    counter(engine, object.secret())
}

/// Spends one encryption with an IV that is not counted up; where every use is counted, it is already.
///
/// # Errors
/// `KeyLimitReached`; `Conflict` when another one reserved at the same moment: try again.
pub(crate) fn spend<P: Platform>(
    call: &Call<'_, P>,
    session: &Session<P>,
    object: &Object<Key<P>>,
) -> Result<(), ErrorCode> {
    if object.number(A::MAX_USES).is_some() { Ok(()) } else { take(call, session, object) }
}

fn take<P: Platform>(call: &Call<'_, P>, session: &Session<P>, object: &Object<Key<P>>) -> Result<(), ErrorCode> {
    let allowance = object.allowance();
    if allowance.spend() {
        return Ok(());
    }
    if object.counts_durably() { reserve(call, session, object) } else { pass(allowance, limit(call, object)) }
}

fn pass(allowance: &Allowance, limit: u64) -> Result<(), ErrorCode> {
    let room = limit.saturating_sub(allowance.passing()).min(LAST_BLOCK as u64);
    let block = usize::try_from(room).ok().filter(|b| *b > 0).ok_or(ErrorCode::KeyLimitReached)?;
    allowance.passing.fetch_add(1, Ordering::Relaxed);
    allowance.grant(block);
    Ok(())
}

/// Under which id this device counts the uses of a secret.
pub(crate) fn counter<P: Platform>(engine: &Engine<P>, secret: &[u8]) -> Result<[u8; 16], ErrorCode> {
    let digest = engine.request_digest(&[b"key uses", secret])?;
    digest.first_chunk().copied().ok_or(ErrorCode::Internal)
}

fn reserve<P: Platform>(call: &Call<'_, P>, session: &Session<P>, object: &Object<Key<P>>) -> Result<(), ErrorCode> {
    let (engine, partition, allowance) = (call.engine, &session.partition, object.allowance());
    let key = count_of(engine, object)?;
    let (version, reserved) = partition.reserved(&key);
    let passing = allowance.passing.swap(0, Ordering::Relaxed);
    let reserved = reserved.saturating_add((passing as u64).saturating_mul(LAST_BLOCK as u64));
    let limit = limit(call, object);
    // A block of few uses is small, so that a restart does not waste most of them.
    let most = if object.number(A::MAX_USES).is_some() { (limit / SHARE).max(1) } else { u64::MAX };
    let room = limit.saturating_sub(reserved).min(most);
    let block = usize::try_from(room.min(allowance.next_block() as u64)).unwrap_or_default();
    let outcome = if block == 0 {
        Err(ErrorCode::KeyLimitReached)
    } else {
        let record = UsesRecord { reserved: reserved.saturating_add(block as u64) };
        let fact = Fact::Uses(partition.id, key, record.clone());
        let change = engine.device_change(record::uses_id(partition.id, key), version, &record, fact);
        let relies_on = vec![(record::partition_id(partition.id), partition.info().version)];
        change.and_then(|change| engine.commit(Request { relies_on, changes: vec![change], ..Request::default() }))
    };
    if outcome.is_ok() {
        allowance.block.store(block, Ordering::Relaxed);
        allowance.grant(block);
    } else {
        allowance.passing.fetch_add(passing, Ordering::Relaxed);
    }
    outcome
}
