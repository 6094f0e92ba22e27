//! The inventory of a partition's keys (R35): everything but what they are.

use super::{is_key, standing};
use crate::call::Call;
use crate::keyring::Key;
use crate::object::Object;
use crate::policy::Governing;
use crate::state::Partition;
use crate::{Crypto, Curve, Hash, PairKind, Platform, Timestamp, allowance, life, period, record};
use alloc::string::String;
use alloc::vec::Vec;
use coloa_wire::command::{KeyEntry, KeyList, KeyListReply, KeyMetadata, MAX_LISTED, PartitionMode};
use coloa_wire::{AttributeType as A, ErrorCode, ObjectId};

/// Keys in one answer at most.
const MAX_PAGE: u32 = 256;
/// Bytes of SHA-256 that tell public keys apart.
const PUBLIC_CHECK: usize = 8;

pub(crate) fn list<P: Platform>(call: &mut Call<'_, P>, command: KeyList) -> Result<KeyListReply, ErrorCode> {
    let partition = standing(call, command.partition, Governing::Survey)?;
    let unread = partition.objects.read().unread();
    call.engine.read_objects(&partition, &unread)?;
    let max = usize::try_from(command.max.min(MAX_PAGE)).unwrap_or_default();
    let room = call.engine.platform().limits().max_frame / 2;
    let wanted: Vec<_> = {
        let objects = partition.objects.read();
        objects.after(command.after).filter(|object| is_key(object)).take(max.saturating_add(1)).cloned().collect()
    };
    let (mut keys, mut taken): (Vec<KeyEntry>, usize) = (Vec::new(), 0);
    for object in wanted.iter().take(max) {
        let entry = entry(call, &partition, object)?;
        taken = taken.saturating_add(record::encoded_length(&entry));
        if taken > room && !keys.is_empty() {
            break;
        }
        keys.push(entry);
    }
    let more = keys.len() < wanted.len();
    Ok(KeyListReply { keys, more })
}

fn entry<P: Platform>(
    call: &Call<'_, P>,
    partition: &Partition<P>,
    key: &Object<Key<P>>,
) -> Result<KeyEntry, ErrorCode> {
    let (platform, strict) = (call.engine.platform(), partition.mode == PartitionMode::Strict);
    let bytes = |kind| key.bytes(kind).unwrap_or_default();
    let short = |kind| bytes(kind).get(..MAX_LISTED).unwrap_or(bytes(kind)).to_vec();
    let predecessor = key.bytes(A::PREDECESSOR).and_then(|id| id.try_into().ok()).map(ObjectId);
    let now: Timestamp = platform.now();
    Ok(KeyEntry {
        object: key.id,
        class: key.class(),
        key_type: key.number(A::KEY_TYPE).unwrap_or(u64::MAX),
        bits: bits(key),
        label: short(A::LABEL),
        id: short(A::ID),
        state: life::shown(key, now, strict),
        since: key.bytes(A::STATE_SINCE).and_then(period::moment),
        reason: text(key, A::STATE_REASON),
        check_value: check_value(platform.crypto(), key),
        start: bytes(A::START_DATE).to_vec(),
        end: bytes(A::END_DATE).to_vec(),
        created: key.bytes(A::CREATED).and_then(period::moment),
        expires: life::expires(key),
        version: key.number(A::KEY_VERSION).unwrap_or(1),
        predecessor,
        uses: allowance::spent(call.engine, partition, key)?,
        metadata: metadata(key),
    })
}

fn metadata<K>(key: &Object<K>) -> KeyMetadata {
    let number = |kind| key.number(kind);
    KeyMetadata {
        organ: text(key, A::ORGAN),
        site: text(key, A::SITE),
        purpose: text(key, A::PURPOSE),
        owner: text(key, A::OWNER),
        classification: number(A::CLASSIFICATION).and_then(|level| u8::try_from(level).ok()),
        crypto_period: number(A::CRYPTO_PERIOD).and_then(|days| u32::try_from(days).ok()),
        max_uses: number(A::MAX_USES),
    }
}

fn text<K>(key: &Object<K>, kind: A) -> Option<String> {
    key.bytes(kind).filter(|text| !text.is_empty()).map(|text| String::from_utf8_lossy(text).into_owned())
}

/// What tells a key from others: its check value, or a digest of its public half.
pub(in crate::service) fn check_value<C: Crypto>(crypto: &C, key: &Object<C::Key>) -> Vec<u8> {
    let own = key.bytes(A::CHECK_VALUE).unwrap_or_default();
    let public = key.bytes(A::PUBLIC_KEY_INFO).filter(|info| own.is_empty() && !info.is_empty());
    let digest = public.map(|info| crypto.digest(Hash::Sha256, &[info]));
    let digest = digest.as_ref().and_then(|digest| digest.as_ref().get(..PUBLIC_CHECK));
    digest.unwrap_or(own).to_vec()
}

fn bits<K>(key: &Object<K>) -> u32 {
    let long = |bytes: usize| u32::try_from(bytes.saturating_mul(8)).unwrap_or(u32::MAX);
    if let Some(length) = key.number(A::VALUE_LEN) {
        return long(usize::try_from(length).unwrap_or_default());
    }
    match key.pair() {
        Some(PairKind::Rsa) => key.bytes(A::MODULUS).map_or(0, |modulus| long(modulus.len())),
        Some(PairKind::Ec(Curve::P256)) => 256,
        Some(PairKind::Ec(Curve::P384)) => 384,
        Some(PairKind::Ec(Curve::P521)) => 521,
        _ => 0,
    }
}
