//! Signatures and MACs.

use super::authorize;
use crate::call::Call;
use crate::keyring::Key;
use crate::mechanism::{Signing, hash_of_key_type, signature_length};
use crate::object::Object;
use crate::policy::{self, Authorized};
use crate::{Crypto, CryptoError, Digest, Platform};
use alloc::vec::Vec;
use coloa_wire::command::{Done, Sign, Verify};
use coloa_wire::{AttributeType as A, ErrorCode, Mechanism};
use subtle::ConstantTimeEq;

pub(crate) fn sign<P: Platform>(call: &mut Call<'_, P>, command: Sign) -> Result<Done, ErrorCode> {
    let kind = command.mechanism.kind;
    call.present(command.ticket);
    let (key, session) = authorize::<policy::Sign, P>(call, command.key, kind)?;
    let made = make(call, &key, &command.mechanism);
    call.out = call.used(&session, command.key, kind, made)?;
    Ok(Done {})
}

fn make<P: Platform>(
    call: &Call<'_, P>,
    key: &Authorized<policy::Sign, Key<P>>,
    mechanism: &Mechanism,
) -> Result<Vec<u8>, ErrorCode> {
    let signing = Signing::parse(mechanism)?;
    if !signing.accepts(mechanism.kind, call.bulk) {
        return Err(ErrorCode::DataLength);
    }
    let crypto = call.engine.platform().crypto();
    let opened = key.object().open(crypto)?;
    match signing {
        Signing::Pair(scheme) => {
            crypto.sign(opened, scheme, call.bulk).map_err(|error| call.engine.crypto_failed(error))
        }
        mac => {
            let (mac, length) = compute(call, key.object(), mac, call.bulk)?;
            Ok(mac.as_ref().get(..length).unwrap_or_default().to_vec())
        }
    }
}

/// A MAC, and how many bytes of it count.
fn compute<P: Platform>(
    call: &Call<'_, P>,
    key: &Object<Key<P>>,
    signing: Signing<'_>,
    data: &[u8],
) -> Result<(Digest, usize), ErrorCode> {
    let crypto = call.engine.platform().crypto();
    let opened = key.open(crypto)?;
    let made = match signing {
        Signing::Hmac(hash, length) => {
            // A key of an HMAC type is for that hash only (PKCS#11 §6.20.3).
            let bound = key.number(A::KEY_TYPE).and_then(hash_of_key_type);
            if bound.is_some_and(|named| named != hash) {
                return Err(ErrorCode::KeyTypeInconsistent);
            }
            crypto.mac(opened, hash, &[data]).map(|mac| (mac, length))
        }
        Signing::Cmac(length) => crypto.cmac(opened, &[data]).map(|mac| (mac, length)),
        Signing::Pair(_) => return Err(ErrorCode::Internal),
    };
    made.map_err(|error| call.engine.crypto_failed(error))
}

pub(crate) fn verify<P: Platform>(call: &mut Call<'_, P>, command: Verify) -> Result<Done, ErrorCode> {
    let kind = command.mechanism.kind;
    let (key, session) = authorize::<policy::Verify, P>(call, command.key, kind)?;
    let length = usize::try_from(command.signature).map_err(|_| ErrorCode::CommandMalformed)?;
    let at = call.bulk.len().checked_sub(length).ok_or(ErrorCode::CommandMalformed)?;
    let (data, signature) = call.bulk.split_at_checked(at).ok_or(ErrorCode::CommandMalformed)?;
    let checked = check(call, &key, &command.mechanism, data, signature);
    call.used(&session, command.key, kind, checked)?;
    Ok(Done {})
}

fn check<P: Platform>(
    call: &Call<'_, P>,
    key: &Authorized<policy::Verify, Key<P>>,
    mechanism: &Mechanism,
    data: &[u8],
    signature: &[u8],
) -> Result<(), ErrorCode> {
    let signing = Signing::parse(mechanism)?;
    if !signing.accepts(mechanism.kind, data) {
        return Err(ErrorCode::DataLength);
    }
    let Signing::Pair(scheme) = signing else {
        let (mac, length) = compute(call, key.object(), signing, data)?;
        return check_mac(mac.as_ref().get(..length).unwrap_or_default(), signature);
    };
    let crypto = call.engine.platform().crypto();
    let opened = key.object().open(crypto)?;
    if key.object().signature_bytes().is_some_and(|length| length != signature.len()) {
        return Err(ErrorCode::SignatureLength);
    }
    crypto.verify(opened, scheme, data, signature).map_err(|error| match error {
        CryptoError::Unsupported => ErrorCode::MechanismParameter,
        _ => ErrorCode::SignatureInvalid,
    })
}

fn check_mac(mac: &[u8], given: &[u8]) -> Result<(), ErrorCode> {
    if mac.len() != given.len() {
        return Err(ErrorCode::SignatureLength);
    }
    if bool::from(mac.ct_eq(given)) { Ok(()) } else { Err(ErrorCode::SignatureInvalid) }
}

impl<K> Object<K> {
    /// Bytes of a signature by this pair.
    fn signature_bytes(&self) -> Option<usize> {
        let modulus = || self.bytes(A::MODULUS).map(<[u8]>::len);
        self.pair().and_then(|kind| signature_length(kind).or_else(modulus))
    }
}
