//! The root of the store (R36): one sealed record that authenticates the set of all others.
//!
//! Every record but the root and the audit log contributes `HMAC-SHA-256(K, id ‖ version ‖ seal's tag)`; the root holds the
//! sum of those modulo 2^256 (MSet-Add-Hash, Clarke et al. 2003; the sum itself is sealed, so an attacker never sees it), how
//! many they are, the head of the audit chain and the generation. So no single record can be put back, dropped or added
//! unseen. The whole store put back to an earlier state is only noticed where a monotonic counter holds the generation
//! ([`crate::platform::Counter`]); `DeviceInfo::rollback_detected` says whether. The counter rises after the store was written
//! and before anything is acknowledged, so that the store is at the counter, or one commit ahead when the power went in between.

use crate::snapshot::Snapshot;
use crate::{Crypto, Hash, Record, RecordId};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use coloa_wire::ErrorCode;
use core::ops::RangeInclusive;

/// A sum of record contributions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SetHash([u64; 4]);

impl SetHash {
    pub(crate) fn add(&mut self, element: &SetHash) {
        let mut carry = false;
        for (to, from) in self.0.iter_mut().zip(element.0) {
            let (sum, over) = to.overflowing_add(from);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*to, carry) = (sum, over || over_again);
        }
    }

    pub(crate) fn subtract(&mut self, element: &SetHash) {
        let mut borrow = false;
        for (to, from) in self.0.iter_mut().zip(element.0) {
            let (rest, under) = to.overflowing_sub(from);
            let (rest, under_again) = rest.overflowing_sub(u64::from(borrow));
            (*to, borrow) = (rest, under || under_again);
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.iter_mut().zip(self.0.iter().flat_map(|limb| limb.to_le_bytes())).for_each(|(to, from)| *to = from);
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut limbs = [0; 4];
        limbs.iter_mut().zip(bytes.chunks_exact(8)).for_each(|(limb, chunk)| {
            *limb = chunk.first_chunk().copied().map_or(0, u64::from_le_bytes);
        });
        SetHash(limbs)
    }
}

/// What one live record adds to the set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub version: u64,
    pub element: SetHash,
}

/// The set of live records, with its sum.
#[derive(Default)]
pub(crate) struct Members {
    base: Option<Arc<Snapshot>>,
    /// What is so in place of what the base says; `None`: it is gone.
    changed: BTreeMap<RecordId, Option<Member>>,
    sum: SetHash,
    count: u64,
}

impl Members {
    /// The set that a snapshot knows.
    pub(crate) fn on(base: &Arc<Snapshot>) -> Self {
        Members { base: Some(base.clone()), changed: BTreeMap::new(), sum: base.sum, count: base.len() as u64 }
    }

    pub(crate) fn version(&self, id: &RecordId) -> u64 {
        self.member(id).map_or(0, |m| m.version)
    }

    pub(crate) fn member(&self, id: &RecordId) -> Option<Member> {
        self.changed.get(id).copied().unwrap_or_else(|| self.base.as_ref()?.member(id))
    }

    pub(crate) fn sum(&self) -> SetHash {
        self.sum
    }

    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// The records there are of a range, in no order.
    pub(crate) fn range(&self, ids: RangeInclusive<RecordId>) -> impl Iterator<Item = (RecordId, Member)> + '_ {
        let changed = self.changed.range(ids.clone()).filter_map(|(id, member)| Some((*id, (*member)?)));
        let (first, last) = ids.into_inner();
        let rows = self.base.iter().flat_map(move |base| (base.lower(&first)..).map_while(|at| base.row(at)));
        let rows = rows.take_while(move |row| row.id <= last).map(|row| (row.id, row.member));
        changed.chain(rows.filter(|(id, _)| !self.changed.contains_key(id)))
    }

    /// Puts, replaces or (with `None`) takes out a record; returns what stood there.
    pub(crate) fn set(&mut self, id: RecordId, member: Option<Member>) -> Option<Member> {
        let old = self.member(&id);
        if let Some(new) = member {
            self.sum.add(&new.element);
            self.count = self.count.saturating_add(1);
        }
        if let Some(old) = old {
            self.sum.subtract(&old.element);
            self.count = self.count.saturating_sub(1);
        }
        if member.is_none() && self.base.as_ref().is_none_or(|base| base.position(&id).is_none()) {
            self.changed.remove(&id);
        } else {
            self.changed.insert(id, member);
        }
        old
    }
}

/// A record's contribution.
pub(crate) fn element<C: Crypto>(
    crypto: &C,
    key: &C::Key,
    id: &RecordId,
    version: u64,
    sealed: &[u8],
) -> Result<SetHash, ErrorCode> {
    let tag = sealed.last_chunk::<{ crate::crypto::TAG }>().ok_or(ErrorCode::StoreCorrupt)?;
    let parts: [&[u8]; 3] = [&id.to_bytes(), &version.to_be_bytes(), tag];
    let mac = crypto.mac(key, Hash::Sha256, &parts).map_err(|_| ErrorCode::Internal)?;
    Ok(SetHash::from_bytes(mac.as_ref()))
}

/// The [`Member`] that a record read from the medium is; `None` for a deleted one.
pub(crate) fn member<C: Crypto>(crypto: &C, key: &C::Key, record: &Record) -> Result<Option<Member>, ErrorCode> {
    let Some(sealed) = &record.value else { return Ok(None) };
    let element = element(crypto, key, &record.id, record.version, sealed)?;
    Ok(Some(Member { version: record.version, element }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_forgets_what_is_taken_out() {
        let elements = [[0xff; 32], [1; 32], [0x80; 32]].map(|b| SetHash::from_bytes(&b));
        let mut sum = SetHash::default();
        elements.iter().for_each(|e| sum.add(e));
        assert!(sum != SetHash::default());
        elements.iter().rev().for_each(|e| sum.subtract(e));
        assert!(sum == SetHash::default());
    }

    #[test]
    fn bytes_round_trip() {
        let bytes: [u8; 32] = core::array::from_fn(|i| i as u8);
        assert_eq!(SetHash::from_bytes(&bytes).to_bytes(), bytes);
    }
}
