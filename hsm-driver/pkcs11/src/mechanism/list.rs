//! What is listed: the engine's mechanisms that this module serves too, and the digests it computes itself.

use super::{Algorithm, Ciphering};
use crate::hash::HASHES;
use coloa_wire::MechanismType as M;
use coloa_wire::command::MechanismInfo;
use cryptoki_sys::*;

/// Each service of the engine that messages can have too, and the flag that says so.
const OF_MESSAGES: [(CK_FLAGS, CK_FLAGS); 4] = [
    (CKF_ENCRYPT, CKF_MESSAGE_ENCRYPT),
    (CKF_DECRYPT, CKF_MESSAGE_DECRYPT),
    (CKF_SIGN, CKF_MESSAGE_SIGN),
    (CKF_VERIFY, CKF_MESSAGE_VERIFY),
];
/// Flags that say what a mechanism does; the others say with what keys.
const SERVICES: CK_FLAGS = CKF_ENCRYPT
    | CKF_DECRYPT
    | CKF_DIGEST
    | CKF_SIGN
    | CKF_VERIFY
    | CKF_GENERATE
    | CKF_GENERATE_KEY_PAIR
    | CKF_WRAP
    | CKF_UNWRAP
    | CKF_DERIVE
    | CKF_ENCAPSULATE
    | CKF_DECAPSULATE;

/// What this module offers of an engine's list: nothing it would then refuse, and the digests it computes itself; sorted.
pub(crate) fn offered(engine: Vec<MechanismInfo>) -> Vec<MechanismInfo> {
    let mut list: Vec<_> = engine.into_iter().filter(|m| is_served(m.kind)).map(with_messages).collect();
    for kind in HASHES.iter().map(|hash| hash.digest) {
        if !list.iter().any(|m| m.kind == kind) {
            list.push(MechanismInfo {
                kind,
                min_key: 0,
                max_key: 0,
                flags: wire(CKF_DIGEST),
                not_strict: None,
                approved: None,
            });
        }
    }
    list.sort_by_key(|m| m.kind);
    list
}

/// What is left of a mechanism's flags in a partition; none when it does nothing there.
pub(crate) fn left(info: &MechanismInfo, strict: bool) -> Option<CK_FLAGS> {
    let taken = if strict { info.not_strict.unwrap_or(0) } else { 0 };
    let mut flags = CK_FLAGS::from(info.flags & !taken);
    if OF_MESSAGES.iter().all(|(_, message)| flags & message == 0) {
        flags &= !CKF_MULTI_MESSAGE;
    }
    (flags & SERVICES != 0).then_some(flags)
}

fn with_messages(info: MechanismInfo) -> MechanismInfo {
    let pairs = of_messages(info.kind);
    if pairs.is_empty() {
        return info;
    }
    let added = |flags: u32| {
        let found = pairs.iter().filter(|(service, _)| CK_FLAGS::from(flags) & service != 0);
        flags | wire(found.fold(0, |all, (_, message)| all | message))
    };
    let not_strict = info.not_strict.map(added);
    MechanismInfo { flags: added(info.flags) | wire(CKF_MULTI_MESSAGE), not_strict, ..info }
}

/// What the message-based functions serve: authenticated encryption, signatures and MACs.
fn of_messages(kind: M) -> &'static [(CK_FLAGS, CK_FLAGS)] {
    let (ciphers, signatures) = OF_MESSAGES.split_at(2);
    match kind {
        M::AES_GCM | M::AES_CCM => ciphers,
        kind if Algorithm::of(kind).is_some() => signatures,
        _ => &[],
    }
}

fn wire(flags: CK_FLAGS) -> u32 {
    u32::try_from(flags).unwrap_or_default()
}

fn is_served(kind: M) -> bool {
    const OF_KEYS: &[M] = &[
        M::RSA_PKCS_KEY_PAIR_GEN,
        M::EC_KEY_PAIR_GEN,
        M::EC_EDWARDS_KEY_PAIR_GEN,
        M::EC_MONTGOMERY_KEY_PAIR_GEN,
        M::ML_DSA_KEY_PAIR_GEN,
        M::ML_KEM_KEY_PAIR_GEN,
        M::AES_KEY_GEN,
        M::AES_XTS_KEY_GEN,
        M::GENERIC_SECRET_KEY_GEN,
        M::HKDF_KEY_GEN,
        M::PKCS5_PBKD2,
        M::AES_KEY_WRAP,
        M::AES_KEY_WRAP_PAD,
        M::AES_KEY_WRAP_KWP,
        M::RSA_AES_KEY_WRAP,
        M::ECDH1_DERIVE,
        M::HKDF_DERIVE,
        M::SP800_108_COUNTER_KDF,
        M::ML_KEM,
    ];
    Algorithm::of(kind).is_some() || Ciphering::is(kind) || OF_KEYS.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(kind: M, flags: CK_FLAGS, not_strict: CK_FLAGS) -> MechanismInfo {
        let not_strict = (not_strict != 0).then(|| wire(not_strict));
        MechanismInfo { kind, min_key: 0, max_key: 0, flags: wire(flags), not_strict, approved: None }
    }

    #[test]
    fn nothing_unknown_is_offered() {
        let offered = offered(vec![info(M(0x1234), CKF_SIGN, 0)]);
        assert_eq!(offered.len(), HASHES.len());
        assert!(offered.iter().all(|m| m.flags == wire(CKF_DIGEST)));
    }

    #[test]
    fn a_strict_partition_shows_what_is_left() {
        let both = CKF_SIGN | CKF_VERIFY;
        let offered =
            offered(vec![info(M::SHA256_RSA_PKCS, both, CKF_SIGN), info(M::AES_ECB, CKF_ENCRYPT, CKF_ENCRYPT)]);
        let find = |kind| offered.iter().find(|m| m.kind == kind).unwrap();
        let pkcs1 = find(M::SHA256_RSA_PKCS);
        assert_eq!(left(pkcs1, false), Some(both | CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE));
        assert_eq!(left(pkcs1, true), Some(CKF_VERIFY | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE));
        assert_eq!(left(find(M::AES_ECB), true), None);
    }
}
