//! The audit log (R17, R18): a hash chain of records, each holding the digest of the one before.
//!
//! Management acts are committed with their effect, before their reply. Key uses, what happens to session objects and
//! refusals are counted by (who, object, mechanism, result) and flushed within [`FLUSH_MS`] by whoever calls
//! [`crate::Engine::tick`]; a body that calls it never has them flushed by a later use and by [`crate::Engine::flush`]. When
//! they cannot be written, keys soon stop being used. The head of the chain is part of the sealed root, so cutting the end
//! off is noticed too.

use crate::{Crypto, Hash, Peer, Timestamp};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use coloa_wire::{ErrorCode, Identity, MechanismType, ObjectId, PartitionId};
use minicbor::{Decode, Encode};

/// Key uses reach the log after at most this many milliseconds.
pub const FLUSH_MS: u64 = 100;
/// [`AuditEvent::action`]: the engine of an operational device started.
pub const STARTED: u16 = 0;
/// [`AuditEvent::action`]: the clock shows an earlier time than the record before this one (R19).
pub const CLOCK_STEPPED_BACK: u16 = 1;
/// [`AuditEvent::action`]: a line told of tampering, and every secret was destroyed (R15); the detail says which line.
pub const TAMPERED: u16 = 2;
/// Distinct key uses counted between two flushes; the one that is too many is flushed at once.
pub(crate) const MAX_PENDING: usize = 1_024;
/// While the log cannot be written, keys are used for this long and no longer (R17).
const MAX_UNLOGGED_MS: u64 = 10_000;
/// What the log calls the engine itself.
const ENGINE: &str = "engine";

/// One record, as it is stored and exported. Contains no secret.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditRecord {
    /// Counts from 1.
    #[n(0)]
    pub number: u64,
    /// SHA-256 of the record before; zero for the first.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub previous: [u8; 32],
    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[n(2)]
    pub time: u64,
    /// What happened to what, by whom.
    #[n(3)]
    pub event: AuditEvent,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(map)]
pub struct AuditEvent {
    /// Who asked ([`crate::Peer::name`]).
    #[n(0)]
    pub who: String,
    /// The command's number ([`coloa_wire::CommandCode`]), or [`STARTED`], [`CLOCK_STEPPED_BACK`] or [`TAMPERED`].
    #[n(1)]
    pub action: u16,
    /// 0, or the number of the [`ErrorCode`].
    #[n(2)]
    pub result: u16,
    /// Which partition.
    #[n(3)]
    pub partition: Option<PartitionId>,
    /// Which object.
    #[n(4)]
    pub object: Option<ObjectId>,
    /// How a key was used.
    #[n(5)]
    pub mechanism: Option<MechanismType>,
    /// How often, since the last record that says the same.
    #[n(6)]
    pub count: u64,
    /// The client certificate of who asked: names need not be unique.
    #[n(7)]
    pub identity: Option<Identity>,
    /// What the numbers do not say: what kind of object was made, the state of a key and why, whose voice a quorum heard.
    #[n(8)]
    pub detail: Option<String>,
}

/// The end of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    pub number: u64,
    pub digest: [u8; 32],
    /// The time of the last record.
    pub time: u64,
}

impl Head {
    /// The end of a chain whose last record is this one.
    pub(crate) fn at<C: Crypto>(crypto: &C, last: &[u8]) -> Result<Head, ErrorCode> {
        let record: AuditRecord = minicbor::decode(last).map_err(|_| ErrorCode::StoreCorrupt)?;
        Ok(Head { number: record.number, digest: digest(crypto, last), time: record.time })
    }

    /// The record to be written first when the clock has stepped back since the last one (R19).
    pub(crate) fn step_back(&self, now: Timestamp) -> Option<AuditEvent> {
        let stepped = now.0 < self.time;
        stepped.then(|| Act { who: None, action: CLOCK_STEPPED_BACK, ..Act::default() }.counted(1))
    }

    /// The next record's encoding, and the head after it.
    pub(crate) fn append<C: Crypto>(self, crypto: &C, time: Timestamp, event: AuditEvent) -> (Vec<u8>, Head) {
        let number = self.number.saturating_add(1);
        let record = AuditRecord { number, previous: self.digest, time: time.0, event };
        let bytes = crate::record::encode(&record).to_vec();
        let digest = digest(crypto, &bytes);
        (bytes, Head { number, digest, time: time.0 })
    }
}

/// The digest that the record after holds.
pub(crate) fn digest<C: Crypto>(crypto: &C, record: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = crypto.digest(Hash::Sha256, &[record]);
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// Checks exported records: each follows from the one before. Returns the digest of the last.
///
/// # Errors
/// The number of the first record that does not follow.
pub fn verify_chain<C: Crypto>(crypto: &C, records: &[Vec<u8>]) -> Result<[u8; 32], u64> {
    let mut expected: Option<(u64, [u8; 32])> = None;
    for bytes in records {
        let following = expected.map_or(1, |(number, _)| number);
        let record: AuditRecord = minicbor::decode(bytes).map_err(|_| following)?;
        let follows = expected.is_none_or(|(number, head)| record.number == number && record.previous == head);
        if !follows {
            return Err(following);
        }
        expected = Some((record.number.saturating_add(1), digest(crypto, bytes)));
    }
    Ok(expected.map_or([0; 32], |(_, head)| head))
}

/// Finds the first record of an export that is not as it was, given the digest that the last one must have (a signed
/// checkpoint's): the one whose content is other than what its successor holds, that is missing, or that is out of order.
///
/// # Errors
/// Its number.
pub fn verify_against<C: Crypto>(crypto: &C, records: &[Vec<u8>], last: &[u8; 32]) -> Result<(), u64> {
    let mut before: Option<(u64, [u8; 32])> = None;
    let mut rest = records.iter();
    while let Some(bytes) = rest.next() {
        let (number, link) = before.map_or((None, None), |(number, head)| (Some(number.saturating_add(1)), Some(head)));
        let expected = number.unwrap_or(1);
        let record: AuditRecord = minicbor::decode(bytes).map_err(|_| expected)?;
        if number.is_some_and(|number| record.number != number) {
            return Err(expected);
        }
        let own = digest(crypto, bytes);
        // The first record of all holds zeros.
        let wanted = link.or((record.number == 1).then_some([0; 32]));
        if wanted.is_some_and(|wanted| record.previous != wanted) {
            let next = rest.clone().next().map(|next| minicbor::decode::<AuditRecord>(next).map(|r| r.previous));
            let vouched = next.map_or(own == *last, |next| next.is_ok_and(|previous| previous == own));
            return Err(if vouched && record.number > 1 { record.number.saturating_sub(1) } else { record.number });
        }
        before = Some((record.number, own));
    }
    match before {
        Some((number, head)) if head != *last => Err(number),
        _ => Ok(()),
    }
}

/// What is counted: an [`AuditEvent`] that costs no memory to make. What differs most comes first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Act {
    pub object: Option<ObjectId>,
    pub mechanism: Option<MechanismType>,
    pub action: u16,
    pub result: u16,
    pub partition: Option<PartitionId>,
    /// `None` for the engine itself.
    pub who: Option<Arc<Peer>>,
    pub detail: Option<&'static str>,
}

impl Act {
    pub(crate) fn counted(self, count: u64) -> AuditEvent {
        let Act { object, mechanism, action, result, partition, who, detail } = self;
        let name = who.as_ref().map_or(ENGINE, |peer| peer.name()).to_string();
        let identity = who.and_then(|peer| peer.identity());
        let detail = detail.map(ToString::to_string);
        AuditEvent { who: name, action, result, partition, object, mechanism, count, identity, detail }
    }
}

/// Acts that are not in the log yet.
#[derive(Default)]
pub(crate) struct PendingUses {
    counts: BTreeMap<Act, u64>,
    since: Option<Timestamp>,
}

impl PendingUses {
    /// Counts one act; says whether a flush is due.
    pub(crate) fn count(&mut self, act: Act, now: Timestamp) -> bool {
        self.add(act, 1);
        self.since.get_or_insert(now);
        self.is_due(now)
    }

    fn add(&mut self, act: Act, times: u64) {
        let count = self.counts.entry(act).or_default();
        *count = count.saturating_add(times);
    }

    /// Puts back what could not be written.
    pub(crate) fn restore(&mut self, taken: PendingUses) {
        self.since = taken.since.or(self.since);
        taken.counts.into_iter().for_each(|(act, count)| self.add(act, count));
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.counts.len() >= MAX_PENDING || self.waited(now, FLUSH_MS)
    }

    /// Whether so much is waiting that nothing more may be done.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.counts.len() >= MAX_PENDING || self.waited(now, MAX_UNLOGGED_MS)
    }

    fn waited(&self, now: Timestamp, limit: u64) -> bool {
        self.since.is_some_and(|since| now.0.abs_diff(since.0) >= limit)
    }

    pub(crate) fn events(&self) -> Vec<AuditEvent> {
        self.counts.iter().map(|(act, count)| act.clone().counted(*count)).collect()
    }
}

/// The result number of an outcome.
pub(crate) fn result_number<T>(outcome: &Result<T, ErrorCode>) -> u16 {
    outcome.as_ref().err().map_or(0, |e| e.number())
}
