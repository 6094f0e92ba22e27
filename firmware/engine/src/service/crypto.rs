//! Commands that use keys: snapshot, authorise, compute outside every lock, log.

use crate::attributes::hash_of;
use crate::call::Call;
use crate::crypto::IV;
use crate::keyring::Key;
use crate::policy::{self, Authorized};
use crate::session::Session;
use crate::{Aead, Crypto, CryptoError, PairKind, Platform, Scheme, allowance};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use coloa_wire::attribute::key_type;
use coloa_wire::command::{Decrypt, Done, Encrypt, EncryptReply, MAX_RANDOM, PartitionMode, Random, Sign, Verify};
use coloa_wire::{AttributeType, ErrorCode, GcmParams, Mechanism, MechanismType, ObjectId};
use subtle::ConstantTimeEq;

/// Bytes of a digest that ECDSA takes.
const ECDSA_DIGEST: core::ops::RangeInclusive<usize> = 20..=64;

/// The proof that a key may be used, and by whom.
type Permitted<U, P> = (Authorized<U, Key<P>>, Arc<Session<P>>);

/// Looks the key up and asks policy.
fn authorize<U: policy::Use, P: Platform>(
    call: &Call<'_, P>,
    key: ObjectId,
    mechanism: MechanismType,
) -> Result<Permitted<U, P>, ErrorCode> {
    let (session, partition) = call.session()?;
    let object = policy::look_up(&session, &partition, key)?;
    match policy::authorize(&session, object, mechanism, call.engine.platform().now()) {
        Ok(authorized) => Ok((authorized, session)),
        Err(error) => call.used(&session, key, mechanism, Err(error)),
    }
}

pub(crate) fn sign<P: Platform>(call: &mut Call<'_, P>, command: Sign) -> Result<Done, ErrorCode> {
    let mechanism = command.mechanism.kind;
    let (key, session) = authorize::<policy::Sign, P>(call, command.key, mechanism)?;
    let made = make_signature(call, &key, mechanism);
    call.out = call.used(&session, command.key, mechanism, made)?;
    Ok(Done {})
}

fn make_signature<P: Platform>(
    call: &Call<'_, P>,
    key: &Authorized<policy::Sign, Key<P>>,
    mechanism: MechanismType,
) -> Result<Vec<u8>, ErrorCode> {
    let crypto = call.engine.platform().crypto();
    let opened = key.object().open(crypto)?;
    let made = if key.object().number(AttributeType::KEY_TYPE) == Some(key_type::EC) {
        crypto.sign(opened, Scheme::Ecdsa, digest_for(mechanism, call.bulk)?)
    } else {
        let hash = hash_of(mechanism).ok_or(ErrorCode::MechanismUnsupported)?;
        crypto.mac(opened, hash, &[call.bulk]).map(|mac| mac.as_ref().to_vec())
    };
    made.map_err(|error| call.engine.crypto_failed(error))
}

/// A digest of the length the mechanism demands.
fn digest_for(mechanism: MechanismType, data: &[u8]) -> Result<&[u8], ErrorCode> {
    let fits = match hash_of(mechanism) {
        Some(hash) => data.len() == hash.length(),
        None => ECDSA_DIGEST.contains(&data.len()),
    };
    if fits { Ok(data) } else { Err(ErrorCode::DataLength) }
}

pub(crate) fn verify<P: Platform>(call: &mut Call<'_, P>, command: Verify) -> Result<Done, ErrorCode> {
    let mechanism = command.mechanism.kind;
    let (key, session) = authorize::<policy::Verify, P>(call, command.key, mechanism)?;
    let length = usize::try_from(command.signature).map_err(|_| ErrorCode::CommandMalformed)?;
    let at = call.bulk.len().checked_sub(length).ok_or(ErrorCode::CommandMalformed)?;
    let (data, signature) = call.bulk.split_at_checked(at).ok_or(ErrorCode::CommandMalformed)?;
    let checked = check_signature(call, &key, mechanism, data, signature);
    call.used(&session, command.key, mechanism, checked)?;
    Ok(Done {})
}

fn check_signature<P: Platform>(
    call: &Call<'_, P>,
    key: &Authorized<policy::Verify, Key<P>>,
    mechanism: MechanismType,
    data: &[u8],
    signature: &[u8],
) -> Result<(), ErrorCode> {
    let crypto = call.engine.platform().crypto();
    if let (Some(curve), Some(point)) = (key.object().curve(), key.object().point()) {
        if signature.len() != curve.scalar().saturating_mul(2) {
            return Err(ErrorCode::SignatureLength);
        }
        let key = crypto.load_public(PairKind::Ec(curve), point).map_err(|_| ErrorCode::StoreCorrupt)?;
        let checked = crypto.verify(&key, Scheme::Ecdsa, digest_for(mechanism, data)?, signature);
        return checked.map_err(|_| ErrorCode::SignatureInvalid);
    }
    let hash = hash_of(mechanism).ok_or(ErrorCode::MechanismUnsupported)?;
    if signature.len() != hash.length() {
        return Err(ErrorCode::SignatureLength);
    }
    let opened = key.object().open(crypto)?;
    let mac = crypto.mac(opened, hash, &[data]).map_err(|error| call.engine.crypto_failed(error))?;
    if bool::from(mac.as_ref().ct_eq(signature)) { Ok(()) } else { Err(ErrorCode::SignatureInvalid) }
}

/// Longest additional data of one AES-GCM call is what the frame holds; tags are of 128 bits.
fn gcm_of(mechanism: &Mechanism) -> Result<&GcmParams, ErrorCode> {
    mechanism.gcm.as_ref().filter(|gcm| gcm.tag_bits == 128).ok_or(ErrorCode::MechanismParameter)
}

pub(crate) fn encrypt<P: Platform>(call: &mut Call<'_, P>, command: Encrypt) -> Result<EncryptReply, ErrorCode> {
    let mechanism = command.mechanism.kind;
    let (key, session) = authorize::<policy::Encrypt, P>(call, command.key, mechanism)?;
    let gcm = gcm_of(&command.mechanism)?;
    let made_iv = match &gcm.iv {
        None => Some(call.engine.random::<IV>()?),
        Some(_) if session.partition.mode == PartitionMode::Strict => {
            return call.used(&session, command.key, mechanism, Err(ErrorCode::MechanismParameter));
        }
        Some(_) => None,
    };
    match allowance::spend(call, &session, key.object()) {
        Ok(()) => {}
        Err(ErrorCode::Conflict) => return Err(ErrorCode::Conflict),
        Err(error) => return call.used(&session, command.key, mechanism, Err(error)),
    }
    let iv = made_iv.as_ref().map_or(gcm.iv.as_deref().unwrap_or_default(), |iv| iv);
    let mut text = Vec::with_capacity(call.bulk.len().saturating_add(crate::crypto::TAG));
    text.extend_from_slice(call.bulk);
    let crypto = call.engine.platform().crypto();
    let sealed = crypto.seal(key.object().open(crypto)?, &Aead::gcm(iv, &gcm.aad), &mut text);
    let sealed = sealed.map_err(|error| call.engine.crypto_failed(error));
    call.used(&session, command.key, mechanism, sealed)?;
    call.out = text;
    Ok(EncryptReply { iv: made_iv.map(|iv| iv.to_vec()) })
}

pub(crate) fn decrypt<P: Platform>(call: &mut Call<'_, P>, command: Decrypt) -> Result<Done, ErrorCode> {
    let mechanism = command.mechanism.kind;
    let (key, session) = authorize::<policy::Decrypt, P>(call, command.key, mechanism)?;
    let gcm = gcm_of(&command.mechanism)?;
    let iv = gcm.iv.as_deref().ok_or(ErrorCode::MechanismParameter)?;
    let mut text = call.bulk.to_vec();
    let crypto = call.engine.platform().crypto();
    let opened =
        crypto.open(key.object().open(crypto)?, &Aead::gcm(iv, &gcm.aad), &mut text).map_err(|error| match error {
            CryptoError::Unauthentic => ErrorCode::DecryptionFailed,
            other => call.engine.crypto_failed(other),
        });
    call.used(&session, command.key, mechanism, opened)?;
    call.out = text;
    Ok(Done {})
}

pub(crate) fn random<P: Platform>(call: &mut Call<'_, P>, command: Random) -> Result<Done, ErrorCode> {
    call.session()?;
    if command.length > MAX_RANDOM {
        return Err(ErrorCode::DataTooLong);
    }
    let mut bytes = vec![0; usize::try_from(command.length).unwrap_or_default()];
    let drawn = call.engine.platform().crypto().random(&mut bytes);
    drawn.map_err(|error| call.engine.crypto_failed(error))?;
    call.out = bytes;
    Ok(Done {})
}
